//! Types of Go's standard library that Go encodes by methods of their own, ready to use, and the way to add more.
//!
//! | in Go | here |
//! |---|---|
//! | `time.Time` | [`Time`] |
//! | `big.Int`, `big.Rat`, `big.Float` | [`BigInt`], [`BigRat`], [`BigFloat`] |
//! | `url.URL` | [`Url`] |
//! | `netip.Addr`, `netip.AddrPort`, `netip.Prefix` | [`Addr`], [`AddrPort`], [`Prefix`] |
//! | `time.Duration` | `std::time::Duration` with `#[serde(with = "landline_gob::go::duration")]` |
//! | `complex64`, `complex128` | [`Complex<f32>`](Complex), [`Complex<f64>`](Complex) |
//! | any other with `GobEncode`, `MarshalBinary` | [`opaque!`](crate::opaque) |
//!
//! `big.Int` and the like have their methods on the pointer, and Go code has pointers to them as a rule: that is an
//! `Option` here, which matters in the names of types and for nothing else.
//!
//! In other formats, such as JSON, these types are the texts that Go's own JSON has for them.

mod big;
mod complex;
pub mod duration;
mod netip;
mod opaque;
mod time;
pub(crate) mod token;
mod url;

pub use big::{BigFloat, BigInt, BigRat, Rounding};
pub use complex::Complex;
pub use netip::{Addr, AddrPort, Prefix};
pub use opaque::Opaque;
#[doc(hidden)]
pub use opaque::{deserialize, serialize};
pub use time::Time;
pub use url::Url;

use crate::schema::{Format, Method};

/// How Go encodes one of the types that are ready here, by its name in Go.
pub(crate) fn format_of(name: &str) -> Option<Format> {
    let (by, addressed) = match name {
        "time.Time" => (Method::Gob, false),
        "big.Int" | "big.Rat" | "big.Float" => (Method::Gob, true),
        "url.URL" => (Method::Binary, true),
        "netip.Addr" | "netip.AddrPort" | "netip.Prefix" => (Method::Binary, false),
        _ => return None,
    };
    // Go describes the structs in the fields of such types too, though it never sends one.
    let along = if name == "url.URL" { vec!["Userinfo".into()] } else { Vec::new() };
    Some(Format { by, addressed, along: along.into(), other_id: false })
}

/// The bytes that Go has for a text of one of these types; nothing for other types.
///
/// `name` is with its package or, as peers describe types, without.
pub(crate) fn bytes_of_text(name: &str, text: &str) -> Option<Result<Vec<u8>, String>> {
    fn bytes<T: Opaque>(text: &str) -> Option<Result<Vec<u8>, String>> {
        Some(T::from_text(text).map(|value| value.to_bytes()))
    }
    match name {
        "time.Time" | "Time" => bytes::<Time>(text),
        "big.Int" | "Int" => bytes::<BigInt>(text),
        "big.Rat" | "Rat" => bytes::<BigRat>(text),
        "url.URL" | "URL" => bytes::<Url>(text),
        "netip.Addr" | "Addr" => bytes::<Addr>(text),
        "netip.AddrPort" | "AddrPort" => bytes::<AddrPort>(text),
        "netip.Prefix" | "Prefix" => bytes::<Prefix>(text),
        _ => None,
    }
}

/// The text for the bytes of one of these types; nothing for others, and for bytes that are none of it.
pub(crate) fn text_of_bytes(name: &str, bytes: &[u8]) -> Option<String> {
    fn text<T: Opaque>(bytes: &[u8]) -> Option<String> {
        T::from_bytes(bytes).ok()?.to_text()
    }
    match name {
        "time.Time" | "Time" => text::<Time>(bytes),
        "big.Int" | "Int" => text::<BigInt>(bytes),
        "big.Rat" | "Rat" => text::<BigRat>(bytes),
        "big.Float" | "Float" => BigFloat::from_bytes(bytes).ok()?.to_decimal(),
        "url.URL" | "URL" => text::<Url>(bytes),
        "netip.Addr" | "Addr" => text::<Addr>(bytes),
        "netip.AddrPort" | "AddrPort" => text::<AddrPort>(bytes),
        "netip.Prefix" | "Prefix" => text::<Prefix>(bytes),
        _ => None,
    }
}

/// The number that bytes are, of a type that is one in Go's JSON, if it fits.
pub(crate) fn number_of_bytes(name: &str, bytes: &[u8]) -> Option<i128> {
    let number = matches!(name, "big.Int" | "Int").then(|| BigInt::from_bytes(bytes))?;
    i128::try_from(&number.ok()?).ok()
}

/// Whether bytes are of one of these types; of others nothing is known.
pub(crate) fn check(name: &str, bytes: &[u8]) -> Result<(), String> {
    fn check<T: Opaque>(bytes: &[u8]) -> Result<(), String> {
        T::from_bytes(bytes).map(drop)
    }
    match name {
        "time.Time" => check::<Time>(bytes),
        "big.Int" => check::<BigInt>(bytes),
        "big.Rat" => check::<BigRat>(bytes),
        "big.Float" => check::<BigFloat>(bytes),
        "url.URL" => check::<Url>(bytes),
        "netip.Addr" => check::<Addr>(bytes),
        "netip.AddrPort" => check::<AddrPort>(bytes),
        "netip.Prefix" => check::<Prefix>(bytes),
        _ => Ok(()),
    }
}

/// The bytes of the zero value of one of these types.
pub(crate) fn zero_bytes(name: &str) -> Option<Vec<u8>> {
    match name {
        "time.Time" => Some(Time::zero().to_bytes()),
        "big.Int" => Some(BigInt::zero().to_bytes()),
        "big.Rat" => Some(BigRat::zero().to_bytes()),
        "big.Float" => Some(BigFloat::zero().to_bytes()),
        "url.URL" => Some(Url::zero().to_bytes()),
        "netip.Addr" => Some(Addr::zero().to_bytes()),
        "netip.AddrPort" => Some(AddrPort::zero().to_bytes()),
        "netip.Prefix" => Some(Prefix::zero().to_bytes()),
        _ => None,
    }
}
