//! The elements of a slice that are but a number each: what is written of one is known without looking at how it is written.

use serde::ser::{Impossible, Serialize, Serializer};

use crate::error::Error;
use crate::go::token;
use crate::number::{of_float, of_int};
use crate::schema::Tag;

/// What takes a number, and nothing else.
pub(super) struct Plain<N>(pub(super) N);

/// Where a number goes to. Each says whether it is one that can.
pub(super) trait Number {
    /// What is wanted.
    const NAME: &'static str;

    fn signed(self, value: i64) -> bool;
    fn unsigned(self, value: u64) -> bool;
    fn float(self, value: f64) -> bool;
}

/// An element of a `[]byte`: a byte as it is, from a number of another size where a given type does not mind.
pub(super) struct Byte<'b>(pub(super) &'b mut u8);

impl Byte<'_> {
    #[inline(always)]
    fn hold(self, byte: Option<u8>) -> bool {
        if let Some(byte) = byte {
            *self.0 = byte;
        }
        byte.is_some()
    }
}

impl Number for Byte<'_> {
    const NAME: &'static str = "byte";

    #[inline(always)]
    fn signed(self, value: i64) -> bool {
        self.hold(value.try_into().ok())
    }

    #[inline(always)]
    fn unsigned(self, value: u64) -> bool {
        self.hold(value.try_into().ok())
    }

    fn float(self, _: f64) -> bool {
        false
    }
}

/// An element whose type is `tag`, as the unsigned number that stands for it.
pub(super) struct Wire<'n> {
    pub(super) tag: Tag,
    pub(super) number: &'n mut u64,
}

impl Wire<'_> {
    #[inline(always)]
    fn hold(self, tag: Tag, number: u64) -> bool {
        *self.number = number;
        self.tag == tag
    }
}

impl Number for Wire<'_> {
    const NAME: &'static str = "number";

    #[inline(always)]
    fn signed(self, value: i64) -> bool {
        self.hold(Tag::Int, of_int(value))
    }

    #[inline(always)]
    fn unsigned(self, value: u64) -> bool {
        self.hold(Tag::Uint, value)
    }

    #[inline(always)]
    fn float(self, value: f64) -> bool {
        self.hold(Tag::Float, of_float(value))
    }
}

#[cold]
#[inline(never)]
fn refuse<N: Number, T>(found: &str) -> Result<T, Error> {
    Err(Error::mismatch(N::NAME, found))
}

macro_rules! numbers {
    ($($method:ident $type:ty, $kind:ident;)*) => {
        $(#[inline(always)]
        fn $method(self, value: $type) -> Result<(), Error> {
            if self.0.$kind(value.into()) { Ok(()) } else { refuse::<N, _>("another number") }
        })*
    };
}

impl<N: Number> Serializer for Plain<N> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Impossible<(), Error>;
    type SerializeTuple = Impossible<(), Error>;
    type SerializeTupleStruct = Impossible<(), Error>;
    type SerializeTupleVariant = Impossible<(), Error>;
    type SerializeMap = Impossible<(), Error>;
    type SerializeStruct = Impossible<(), Error>;
    type SerializeStructVariant = Impossible<(), Error>;

    numbers! {
        serialize_i8 i8, signed;
        serialize_i16 i16, signed;
        serialize_i32 i32, signed;
        serialize_i64 i64, signed;
        serialize_u8 u8, unsigned;
        serialize_u16 u16, unsigned;
        serialize_u32 u32, unsigned;
        serialize_u64 u64, unsigned;
        serialize_f32 f32, float;
        serialize_f64 f64, float;
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        // It stands for more than it holds.
        if token::read(name).is_some() { refuse::<N, _>(name) } else { value.serialize(self) }
    }

    fn serialize_bool(self, _: bool) -> Result<(), Error> {
        refuse::<N, _>("a bool")
    }

    fn serialize_char(self, _: char) -> Result<(), Error> {
        refuse::<N, _>("a character")
    }

    fn serialize_str(self, _: &str) -> Result<(), Error> {
        refuse::<N, _>("a string")
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), Error> {
        refuse::<N, _>("bytes")
    }

    fn serialize_none(self) -> Result<(), Error> {
        refuse::<N, _>("nil")
    }

    fn serialize_unit(self) -> Result<(), Error> {
        refuse::<N, _>("nil")
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        refuse::<N, _>("a struct")
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), Error> {
        refuse::<N, _>("an enum")
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Error> {
        refuse::<N, _>("an enum")
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Error> {
        refuse::<N, _>("a sequence")
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Error> {
        refuse::<N, _>("a sequence")
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, Error> {
        refuse::<N, _>("a sequence")
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Error> {
        refuse::<N, _>("an enum")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Error> {
        refuse::<N, _>("a map")
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeStruct, Error> {
        refuse::<N, _>("a struct")
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Error> {
        refuse::<N, _>("an enum")
    }
}
