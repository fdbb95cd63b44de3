//! The elements of a `[]byte`: bytes as they are.

use serde::ser::{Impossible, Serialize, Serializer};

use crate::error::Error;

pub(super) struct Byte<'b>(pub(super) &'b mut u8);

impl Byte<'_> {
    #[cold]
    fn refuse<T>(found: &str) -> Result<T, Error> {
        Err(Error::mismatch("byte", found))
    }

    /// A number of another size, which a given type does not mind.
    fn number(self, number: Option<u8>) -> Result<(), Error> {
        match number {
            Some(byte) => self.serialize_u8(byte),
            None => Self::refuse("another number"),
        }
    }
}

macro_rules! numbers {
    ($($method:ident $type:ty;)*) => {
        $(fn $method(self, value: $type) -> Result<(), Error> {
            self.number(u8::try_from(value).ok())
        })*
    };
}

impl Serializer for Byte<'_> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Impossible<(), Error>;
    type SerializeTuple = Impossible<(), Error>;
    type SerializeTupleStruct = Impossible<(), Error>;
    type SerializeTupleVariant = Impossible<(), Error>;
    type SerializeMap = Impossible<(), Error>;
    type SerializeStruct = Impossible<(), Error>;
    type SerializeStructVariant = Impossible<(), Error>;

    #[inline]
    fn serialize_u8(self, value: u8) -> Result<(), Error> {
        *self.0 = value;
        Ok(())
    }

    numbers! {
        serialize_i8 i8;
        serialize_i16 i16;
        serialize_i32 i32;
        serialize_i64 i64;
        serialize_u16 u16;
        serialize_u32 u32;
        serialize_u64 u64;
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_bool(self, _: bool) -> Result<(), Error> {
        Self::refuse("a bool")
    }

    fn serialize_f32(self, _: f32) -> Result<(), Error> {
        Self::refuse("a float")
    }

    fn serialize_f64(self, _: f64) -> Result<(), Error> {
        Self::refuse("a float")
    }

    fn serialize_char(self, _: char) -> Result<(), Error> {
        Self::refuse("a character")
    }

    fn serialize_str(self, _: &str) -> Result<(), Error> {
        Self::refuse("a string")
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), Error> {
        Self::refuse("bytes")
    }

    fn serialize_none(self) -> Result<(), Error> {
        Self::refuse("nil")
    }

    fn serialize_unit(self) -> Result<(), Error> {
        Self::refuse("nil")
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        Self::refuse("a struct")
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), Error> {
        Self::refuse("an enum")
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Error> {
        Self::refuse("an enum")
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Error> {
        Self::refuse("a sequence")
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Error> {
        Self::refuse("a sequence")
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, Error> {
        Self::refuse("a sequence")
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Error> {
        Self::refuse("an enum")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Error> {
        Self::refuse("a map")
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeStruct, Error> {
        Self::refuse("a struct")
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Error> {
        Self::refuse("an enum")
    }
}
