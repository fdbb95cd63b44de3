//! What an interface holds, as a variant of an enum.

use std::mem::size_of;

use serde::Deserializer;
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, EnumAccess, VariantAccess, Visitor};

use super::de::De;
use super::plan::At;
use super::session::Session;
use crate::error::Error;
use crate::schema::Tag;

pub(super) struct Held<'s, 'd, 'de> {
    pub(super) s: &'s mut Session<'d, 'de>,
    pub(super) at: At,
    /// The name under which Go has registered its type.
    pub(super) name: &'de str,
    pub(super) place: usize,
}

impl<'de> EnumAccess<'de> for Held<'_, '_, 'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let variant = seed.deserialize(BorrowedStrDeserializer::<Error>::new(self.name))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Held<'_, '_, 'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        self.s.skip(self.at)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        let place = size_of::<T::Value>().min(self.place);
        seed.deserialize(De::new(self.s, self.at, place)).map_err(|error| error.at_field(self.name))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        De::new(self.s, self.at, self.place)
            .deserialize_tuple(len, visitor)
            .map_err(|error| error.at_field(self.name))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if self.at.tag != Tag::Struct {
            return Err(Error::mismatch("struct", self.at.tag.name()).at_field(self.name));
        }
        De::new(self.s, self.at, self.place)
            .structure(fields, visitor)
            .map_err(|error| error.at_field(self.name))
    }
}
