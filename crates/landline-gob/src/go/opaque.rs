//! Types that are bytes to gob, made by a method of theirs.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, Visitor};
use serde::{Serialize, Serializer};

use super::token;

/// A type that Go encodes by a method of its own; see [`opaque!`](crate::opaque).
pub trait Opaque: Sized {
    /// What Go's method returns for the value.
    fn to_bytes(&self) -> Vec<u8>;

    /// The value, from what Go's method returned.
    ///
    /// # Errors
    ///
    /// What is wrong with the bytes.
    fn from_bytes(bytes: &[u8]) -> Result<Self, String>;

    /// The zero value of the type in Go, which fields are when they are not sent.
    fn zero() -> Self;

    /// Whether it is the zero value, which is not sent in fields.
    fn is_zero(&self) -> bool;

    /// The value as a text, for formats such as JSON; none by default, and then it is bytes there too.
    fn to_text(&self) -> Option<String> {
        None
    }

    /// The value from such a text.
    ///
    /// # Errors
    ///
    /// What is wrong with the text; by default, that it is one.
    fn from_text(text: &str) -> Result<Self, String> {
        let _ = text;
        Err("it has no text".to_owned())
    }
}

/// Makes `Serialize` and `Deserialize` for a type with [`Opaque`], as one that Go encodes by the method named.
///
/// The method is `GobEncoder`, `BinaryMarshaler` or `TextMarshaler`, as Go calls the interface; with `on pointer` when Go has
/// it on `*T`, for then the zero value is sent as well. The name is that of the type in Go.
///
/// ```
/// use landline_gob::go::Opaque;
///
/// // type Celsius struct { tenths int16 }
/// // func (c Celsius) MarshalBinary() ([]byte, error) { … }
/// #[derive(Debug, PartialEq)]
/// struct Celsius(i16);
///
/// impl Opaque for Celsius {
///     fn to_bytes(&self) -> Vec<u8> {
///         self.0.to_be_bytes().to_vec()
///     }
///     fn from_bytes(bytes: &[u8]) -> Result<Celsius, String> {
///         let bytes = bytes.try_into().map_err(|_| "two bytes are needed".to_owned())?;
///         Ok(Celsius(i16::from_be_bytes(bytes)))
///     }
///     fn zero() -> Celsius {
///         Celsius(0)
///     }
///     fn is_zero(&self) -> bool {
///         self.0 == 0
///     }
/// }
/// landline_gob::opaque!(Celsius, BinaryMarshaler, "weather.Celsius");
///
/// let sent = landline_gob::to_vec(&Celsius(215))?;
/// assert_eq!(landline_gob::from_slice::<Celsius>(&sent)?, Celsius(215));
/// # Ok::<(), landline_gob::Error>(())
/// ```
#[macro_export]
macro_rules! opaque {
    ($type:ty, GobEncoder, $name:literal) => { $crate::opaque!(@ $type, "$gob::G:", $name); };
    ($type:ty, GobEncoder on pointer, $name:literal) => { $crate::opaque!(@ $type, "$gob::g:", $name); };
    ($type:ty, BinaryMarshaler, $name:literal) => { $crate::opaque!(@ $type, "$gob::B:", $name); };
    ($type:ty, BinaryMarshaler on pointer, $name:literal) => { $crate::opaque!(@ $type, "$gob::b:", $name); };
    ($type:ty, TextMarshaler, $name:literal) => { $crate::opaque!(@ $type, "$gob::T:", $name); };
    ($type:ty, TextMarshaler on pointer, $name:literal) => { $crate::opaque!(@ $type, "$gob::t:", $name); };
    (@ $type:ty, $letter:literal, $name:literal) => {
        impl $crate::__private::Serialize for $type {
            fn serialize<S: $crate::__private::Serializer>(&self, serializer: S) -> ::std::result::Result<S::Ok, S::Error> {
                $crate::go::serialize(concat!($letter, $name), self, serializer)
            }
        }

        impl<'de> $crate::__private::Deserialize<'de> for $type {
            fn deserialize<D: $crate::__private::Deserializer<'de>>(deserializer: D) -> ::std::result::Result<Self, D::Error> {
                $crate::go::deserialize(concat!($letter, $name), deserializer)
            }
        }
    };
}

#[doc(hidden)]
pub fn serialize<T: Opaque, S: Serializer>(
    token: &'static str,
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_newtype_struct(token, &Inner { value, marked: false })
}

/// The value within the word that says what it is.
struct Inner<'a, T> {
    value: &'a T,
    /// Whether it has been said that it is zero, if it is.
    marked: bool,
}

impl<T: Opaque> Serialize for Inner<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable()
            && let Some(text) = self.value.to_text()
        {
            return serializer.serialize_str(&text);
        }
        if !self.marked && self.value.is_zero() && !serializer.is_human_readable() {
            return serializer
                .serialize_newtype_struct(token::ZERO, &Inner { value: self.value, marked: true });
        }
        serializer.serialize_bytes(&self.value.to_bytes())
    }
}

#[doc(hidden)]
pub fn deserialize<'de, T: Opaque, D: Deserializer<'de>>(
    token: &'static str,
    deserializer: D,
) -> Result<T, D::Error> {
    deserializer.deserialize_newtype_struct(token, OpaqueVisitor(PhantomData))
}

struct OpaqueVisitor<T>(PhantomData<T>);

impl<'de, T: Opaque> Visitor<'de> for OpaqueVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::any::type_name::<T>())
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<T, E> {
        Ok(T::zero())
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<T, E> {
        T::from_bytes(bytes).map_err(E::custom)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        T::from_text(text).map_err(E::custom)
    }

    /// Formats without numbers of eight bits have bytes as a list.
    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<T, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = list.next_element()? {
            bytes.push(byte);
        }
        self.visit_bytes(&bytes)
    }

    /// From a format that does not know the word.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        if deserializer.is_human_readable() {
            // A text, or bytes where there is no text.
            deserializer.deserialize_any(self)
        } else {
            deserializer.deserialize_byte_buf(self)
        }
    }
}
