//! Complex numbers.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::token;

/// A complex number: Go's `complex128`, and `complex64` with parts of type `f32`.
///
/// In other formats it is a list of its two parts.
///
/// ```
/// use landline_gob::go::Complex;
///
/// let sent = landline_gob::to_vec(&Complex { re: 1.0, im: 2.0 })?;
/// assert_eq!(sent, [6, 14, 0, 0xfe, 0xf0, 0x3f, 0x40]);
/// # Ok::<(), landline_gob::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Complex<T = f64> {
    /// The real part.
    pub re: T,
    /// The imaginary part.
    pub im: T,
}

impl<T> From<(T, T)> for Complex<T> {
    fn from((re, im): (T, T)) -> Complex<T> {
        Complex { re, im }
    }
}

impl<T> From<Complex<T>> for (T, T) {
    fn from(value: Complex<T>) -> (T, T) {
        (value.re, value.im)
    }
}

macro_rules! complex {
    ($($part:ty, $token:ident;)*) => {
        $(impl Serialize for Complex<$part> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_newtype_struct(token::$token, &(self.re, self.im))
            }
        }

        impl<'de> Deserialize<'de> for Complex<$part> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_newtype_struct(token::$token, ComplexVisitor(PhantomData))
            }
        })*
    };
}

complex! {
    f32, COMPLEX64;
    f64, COMPLEX128;
}

struct ComplexVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for ComplexVisitor<T> {
    type Value = Complex<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a complex number")
    }

    fn visit_unit<E>(self) -> Result<Complex<T>, E> {
        Ok(Complex::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Complex<T>, A::Error> {
        match (parts.next_element()?, parts.next_element()?) {
            (Some(re), Some(im)) => Ok(Complex { re, im }),
            _ => Err(serde::de::Error::invalid_length(1, &self)),
        }
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Complex<T>, D::Error> {
        <(T, T)>::deserialize(deserializer).map(Complex::from)
    }
}
