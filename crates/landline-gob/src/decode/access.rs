//! Elements and entries.

use std::mem::size_of;
use std::slice::Iter;

use serde::de::value::F64Deserializer;
use serde::de::{DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess};

use super::de::{Byte, De, left_over};
use super::plan::At;
use super::session::Session;
use crate::error::Error;

pub(super) struct Items<'s, 'd, 'de> {
    pub(super) s: &'s mut Session<'d, 'de>,
    pub(super) elem: At,
    pub(super) left: usize,
    pub(super) count: usize,
    /// For how many room may be made.
    pub(super) most: usize,
}

impl<'de> SeqAccess<'de> for Items<'_, '_, 'de> {
    type Error = Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        match seed.deserialize(De::new(self.s, self.elem, size_of::<S::Value>())) {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(error.at_index(self.count - self.left - 1)),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.min(self.most))
    }
}

/// The bytes of a `[]byte`, for what wants them one by one.
pub(super) struct ByteItems<'de>(pub(super) Iter<'de, u8>);

impl<'de> SeqAccess<'de> for ByteItems<'de> {
    type Error = Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        self.0.next().map(|value| seed.deserialize(Byte(*value))).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

/// The two parts of a complex number.
pub(super) struct Complex(std::array::IntoIter<f64, 2>);

impl Complex {
    pub(super) fn take(s: &mut Session<'_, '_>) -> Result<Complex, Error> {
        Ok(Complex([s.float()?, s.float()?].into_iter()))
    }
}

impl<'de> SeqAccess<'de> for Complex {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        let part = |value: f64| -> F64Deserializer<Error> { value.into_deserializer() };
        self.0.next().map(|value| seed.deserialize(part(value))).transpose()
    }
}

pub(super) struct Entries<'s, 'd, 'de> {
    pub(super) s: &'s mut Session<'d, 'de>,
    pub(super) key: At,
    pub(super) value: At,
    pub(super) left: usize,
    pub(super) count: usize,
    /// For how many room may be made.
    pub(super) most: usize,
}

impl Entries<'_, '_, '_> {
    pub(super) fn finish(&self) -> Result<(), Error> {
        if self.left == 0 { Ok(()) } else { Err(left_over(self.left)) }
    }
}

impl<'de> MapAccess<'de> for Entries<'_, '_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        match seed.deserialize(De::new(self.s, self.key, size_of::<K::Value>())) {
            Ok(key) => Ok(Some(key)),
            Err(error) => Err(error.at_entry(self.count - self.left - 1)),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let value = seed.deserialize(De::new(self.s, self.value, size_of::<V::Value>()));
        value.map_err(|error| error.at_entry(self.count - self.left - 1))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.min(self.most))
    }
}
