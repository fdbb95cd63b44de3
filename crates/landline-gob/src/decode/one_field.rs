//! A field, read with the number that says which comes next: a number or a text is then read in one go.

use std::mem::size_of;

use serde::Deserializer;
use serde::de::Visitor;

use super::de::De;
use super::fields::Cursor;
use super::numbers::Number;
use super::plan::{At, LocalField};
use super::session::Session;
use crate::error::Error;
use crate::schema::Tag;

pub(super) struct OneField<'f, 'd, 'de> {
    pub(super) s: &'f mut Session<'d, 'de>,
    pub(super) cursor: &'f mut Cursor<'d>,
    pub(super) local: &'d LocalField,
    /// How many bytes the Rust value has where it will be.
    pub(super) place: usize,
}

impl<'f, 'd, 'de> OneField<'f, 'd, 'de> {
    /// What is neither a number nor a text is read by itself. So is what is one and not asked for as such.
    #[inline(always)]
    fn other<T>(self, read: impl FnOnce(De<'_, 'd, 'de>) -> Result<T, Error>) -> Result<T, Error> {
        // Not moved, as it may be large: there is only one place that returns.
        let mut made = read(De::new(self.s, self.local.at, self.place));
        if made.is_ok()
            && let Err(error) = self.cursor.advance(self.s)
        {
            made = Err(error);
        }
        made
    }
}

#[cold]
#[inline(never)]
fn refuse(s: &mut Session<'_, '_>, at: At, wanted: &'static str) -> Error {
    De { s, at }.mismatch(wanted)
}

macro_rules! numbers {
    ($($method:ident $tag:ident $name:literal;)*) => {
        $(#[inline(always)]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            if self.local.at.tag != Tag::$tag {
                return Err(refuse(self.s, self.local.at, $name));
            }
            let number = self.cursor.number(self.s)?;
            Number { number, tag: Tag::$tag }.$method(visitor)
        })*
    };
}

macro_rules! others {
    ($($method:ident($($arg:ident: $type:ty),*);)*) => {
        $(#[inline]
        fn $method<V: Visitor<'de>>(self, $($arg: $type,)* visitor: V) -> Result<V::Value, Error> {
            self.other(|de| de.$method($($arg,)* visitor))
        })*
    };
}

impl<'de> Deserializer<'de> for OneField<'_, '_, 'de> {
    type Error = Error;

    numbers! {
        deserialize_bool Bool "bool";
        deserialize_i8 Int "int8";
        deserialize_i16 Int "int16";
        deserialize_i32 Int "int32";
        deserialize_i64 Int "int64";
        deserialize_i128 Int "int64";
        deserialize_u8 Uint "uint8";
        deserialize_u16 Uint "uint16";
        deserialize_u32 Uint "uint32";
        deserialize_u64 Uint "uint64";
        deserialize_u128 Uint "uint64";
        deserialize_f32 Float "float32";
        deserialize_f64 Float "float64";
        deserialize_char Int "a character";
    }

    #[inline(always)]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.local.at.tag != Tag::Text {
            return Err(refuse(self.s, self.local.at, "string"));
        }
        // What is larger than its place is in a box.
        let size = size_of::<V::Value>();
        let boxed = if size > self.place { size } else { 0 };
        visitor.visit_borrowed_str(self.cursor.text(self.s, boxed)?)
    }

    #[inline(always)]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.local.at.tag {
            Tag::Interface => self.other(|de| de.deserialize_option(visitor)),
            _ => visitor.visit_some(self),
        }
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if self.local.is_plain {
            return visitor.visit_newtype_struct(self);
        }
        self.other(|de| de.deserialize_newtype_struct(name, visitor))
    }

    others! {
        deserialize_any();
        deserialize_bytes();
        deserialize_byte_buf();
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_seq();
        deserialize_tuple(len: usize);
        deserialize_tuple_struct(name: &'static str, len: usize);
        deserialize_map();
        deserialize_struct(name: &'static str, fields: &'static [&'static str]);
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
        deserialize_identifier();
        deserialize_ignored_any();
    }
}
