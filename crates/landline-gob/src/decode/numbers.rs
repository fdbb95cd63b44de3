//! Slices of numbers and booleans: read without looking at anything else, which takes half the time.

use serde::Deserializer;
use serde::de::{DeserializeSeed, SeqAccess, Visitor};

use super::session::Session;
use crate::error::Error;
use crate::number::{Bad, take_next_uint, to_float, to_int};
use crate::schema::Tag;

/// The elements. They are given away by value, and leave what is left of them with the session.
pub(super) struct Numbers<'s, 'd, 'de> {
    s: &'s mut Session<'d, 'de>,
    rest: &'de [u8],
    tag: Tag,
    left: usize,
    count: usize,
    /// For how many room may be made.
    most: usize,
}

impl<'s, 'd, 'de> Numbers<'s, 'd, 'de> {
    #[inline]
    pub(super) fn new(s: &'s mut Session<'d, 'de>, tag: Tag, count: usize, most: usize) -> Self {
        let rest = s.rest;
        Numbers { s, rest, tag, left: count, count, most }
    }
}

impl Drop for Numbers<'_, '_, '_> {
    #[inline]
    fn drop(&mut self) {
        self.s.rest = self.rest;
        self.s.left = self.left;
    }
}

impl<'de> SeqAccess<'de> for Numbers<'_, '_, 'de> {
    type Error = Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let mut rest = self.rest;
        let number = match take_next_uint(&mut rest) {
            Ok(number) => number,
            Err(bad) => return Err(broken(bad, self.count - self.left - 1)),
        };
        self.rest = rest;
        match seed.deserialize(Number { number, tag: self.tag }) {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(error.at_index(self.count - self.left - 1)),
        }
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.left.min(self.most))
    }
}

#[cold]
fn broken(bad: Bad, index: usize) -> Error {
    Error::from(bad).at_index(index)
}

/// One of them, or one that is a field.
pub(super) struct Number {
    pub(super) number: u64,
    pub(super) tag: Tag,
}

impl Number {
    #[inline]
    fn expect(&self, tag: Tag, name: &'static str) -> Result<(), Error> {
        if self.tag == tag { Ok(()) } else { Err(Error::mismatch(name, self.tag.name())) }
    }

    #[inline]
    fn int<T: TryFrom<i64>>(self, name: &'static str) -> Result<T, Error> {
        self.expect(Tag::Int, name)?;
        let value = to_int(self.number);
        T::try_from(value).map_err(|_| Error::overflow(value, name))
    }

    #[inline]
    fn uint<T: TryFrom<u64>>(self, name: &'static str) -> Result<T, Error> {
        self.expect(Tag::Uint, name)?;
        T::try_from(self.number).map_err(|_| Error::overflow(self.number, name))
    }
}

macro_rules! integers {
    ($($method:ident $visit:ident $through:ident $type:ty, $name:literal;)*) => {
        $(#[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit(self.$through::<$type>($name)?)
        })*
    };
}

impl<'de> Deserializer<'de> for Number {
    type Error = Error;

    integers! {
        deserialize_i8 visit_i8 int i8, "int8";
        deserialize_i16 visit_i16 int i16, "int16";
        deserialize_i32 visit_i32 int i32, "int32";
        deserialize_i64 visit_i64 int i64, "int64";
        deserialize_i128 visit_i64 int i64, "int64";
        deserialize_u8 visit_u8 uint u8, "uint8";
        deserialize_u16 visit_u16 uint u16, "uint16";
        deserialize_u32 visit_u32 uint u32, "uint32";
        deserialize_u64 visit_u64 uint u64, "uint64";
        deserialize_u128 visit_u64 uint u64, "uint64";
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.tag {
            Tag::Int => visitor.visit_i64(to_int(self.number)),
            Tag::Float => visitor.visit_f64(to_float(self.number)),
            Tag::Bool => visitor.visit_bool(self.number != 0),
            _ => visitor.visit_u64(self.number),
        }
    }

    #[inline]
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.expect(Tag::Bool, "bool")?;
        visitor.visit_bool(self.number != 0)
    }

    #[inline]
    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.expect(Tag::Float, "float32")?;
        let value = to_float(self.number);
        if value.abs() > f64::from(f32::MAX) && value.is_finite() {
            return Err(Error::overflow(value, "float32"));
        }
        visitor.visit_f32(value as f32)
    }

    #[inline]
    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.expect(Tag::Float, "float64")?;
        visitor.visit_f64(to_float(self.number))
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let value: u32 = self.int("a character")?;
        match char::from_u32(value) {
            Some(character) => visitor.visit_char(character),
            None => Err(Error::overflow(value, "a character")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct enum identifier
    }
}
