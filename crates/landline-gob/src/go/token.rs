//! How types of this crate tell its serializer and deserializer what they are.
//!
//! serde has a place for a word to a format that knows it: the name of a struct around one value. Formats that do not know
//! these words pass the value through.

use super::{Format, format_of};
use crate::schema::{Elem, Method, Naming, Shape, basic, naming};

/// What all the words begin with.
const PREFIX: &str = "$gob::";

/// A dynamic value.
pub(crate) const VALUE: &str = "$gob::V";
pub(crate) const COMPLEX64: &str = "$gob::C:complex64";
pub(crate) const COMPLEX128: &str = "$gob::C:complex128";
/// Within the value of one of ours that a field leaves out, as the zero value is.
pub(crate) const ZERO: &str = "$gob::Z";

/// What a word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    Value,
    Complex,
    Zero,
    /// A type encoded by a method of its own, by its name in Go.
    Opaque {
        by: Method,
        addressed: bool,
        name: &'a str,
    },
}

pub(crate) fn read(name: &str) -> Option<Token<'_>> {
    let word = name.strip_prefix(PREFIX)?;
    let (letter, name) = word.split_once(':').unwrap_or((word, ""));
    let opaque = |by, addressed| Token::Opaque { by, addressed, name };
    Some(match letter {
        "V" => Token::Value,
        "C" => Token::Complex,
        "Z" => Token::Zero,
        "G" => opaque(Method::Gob, false),
        "g" => opaque(Method::Gob, true),
        "B" => opaque(Method::Binary, false),
        "b" => opaque(Method::Binary, true),
        "T" => opaque(Method::Text, false),
        "t" => opaque(Method::Text, true),
        _ => return None,
    })
}

/// The type that a word stands for.
pub(crate) fn elem_of(name: &str, intern: impl FnOnce(Naming, Shape) -> Elem) -> Option<Elem> {
    Some(match read(name)? {
        Token::Value => basic::ANY,
        Token::Complex if name == COMPLEX64 => basic::COMPLEX64,
        Token::Complex => basic::COMPLEX128,
        Token::Zero => return None,
        Token::Opaque { by, addressed, name } => {
            let along = format_of(name).map_or_else(Box::default, |format| format.along);
            intern(naming(name), Shape::Opaque(Format { by, addressed, along, other_id: false }))
        }
    })
}
