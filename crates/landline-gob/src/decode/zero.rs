//! Zero values: what a field is that the peer has left out, as it does with all that are zero.

use serde::Deserializer;
use serde::de::{DeserializeSeed, SeqAccess, Visitor};

use super::plan::At;
use super::session::Session;
use crate::error::{Error, ErrorKind};
use crate::go::token::{self, Token};
use crate::schema::Tag;
use crate::value::{Value, slot};

pub(super) struct Zero<'s, 'd, 'de> {
    s: &'s mut Session<'d, 'de>,
    /// What it is for the peer, for what takes anything.
    of: Option<At>,
}

impl<'s, 'd, 'de> Zero<'s, 'd, 'de> {
    #[inline]
    pub(super) fn new(s: &'s mut Session<'d, 'de>) -> Self {
        Zero { s, of: None }
    }

    pub(super) fn of(s: &'s mut Session<'d, 'de>, of: At) -> Self {
        Zero { s, of: Some(of) }
    }

    fn several<V: Visitor<'de>>(self, left: usize, visitor: V) -> Result<V::Value, Error> {
        self.s.descend()?;
        let value = visitor.visit_seq(Zeros { s: self.s, left })?;
        self.s.ascend();
        Ok(value)
    }
}

/// So many zeros.
struct Zeros<'s, 'd, 'de> {
    s: &'s mut Session<'d, 'de>,
    left: usize,
}

impl<'de> SeqAccess<'de> for Zeros<'_, '_, 'de> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(Zero::new(self.s)).map(Some)
    }
}

/// A map without entries.
struct NoEntries;

impl<'de> serde::de::MapAccess<'de> for NoEntries {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, _: K) -> Result<Option<K::Value>, Error> {
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, _: V) -> Result<V::Value, Error> {
        Err(ErrorKind::Nil.into())
    }
}

macro_rules! zeros {
    ($($method:ident $visit:ident $zero:expr;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit($zero)
        })*
    };
}

impl<'de> Deserializer<'de> for Zero<'_, '_, 'de> {
    type Error = Error;

    zeros! {
        deserialize_bool visit_bool false;
        deserialize_i8 visit_i8 0;
        deserialize_i16 visit_i16 0;
        deserialize_i32 visit_i32 0;
        deserialize_i64 visit_i64 0;
        deserialize_i128 visit_i64 0;
        deserialize_u8 visit_u8 0;
        deserialize_u16 visit_u16 0;
        deserialize_u32 visit_u32 0;
        deserialize_u64 visit_u64 0;
        deserialize_u128 visit_u64 0;
        deserialize_f32 visit_f32 0.0;
        deserialize_f64 visit_f64 0.0;
        deserialize_char visit_char '\0';
        deserialize_str visit_borrowed_str "";
        deserialize_string visit_borrowed_str "";
        deserialize_bytes visit_borrowed_bytes &[];
        deserialize_byte_buf visit_borrowed_bytes &[];
        deserialize_map visit_map NoEntries;
        deserialize_identifier visit_borrowed_str "";
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Some(at) = self.of else { return visitor.visit_unit() };
        match at.tag {
            Tag::Bool => visitor.visit_bool(false),
            Tag::Int => visitor.visit_i64(0),
            Tag::Uint => visitor.visit_u64(0),
            Tag::Float => visitor.visit_f64(0.0),
            Tag::Text => visitor.visit_borrowed_str(""),
            Tag::Complex => self.several(2, visitor),
            Tag::Slice | Tag::Bytes => visitor.visit_seq(Zeros { s: self.s, left: 0 }),
            Tag::Map => visitor.visit_map(NoEntries),
            // Structs and arrays are never left out, unless they are behind a pointer that is nil.
            Tag::Interface | Tag::Struct | Tag::Array | Tag::Opaque | Tag::Unsupported => {
                visitor.visit_unit()
            }
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_none()
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match token::read(name) {
            Some(Token::Value) => {
                slot::put(Value::nil());
                visitor.visit_unit()
            }
            Some(_) => visitor.visit_unit(),
            None => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.several(0, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        self.several(len, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.several(len, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        // As many as there are names, though some may be aliases: it takes what it needs.
        self.several(fields.len(), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        Err(ErrorKind::Nil.into())
    }
}
