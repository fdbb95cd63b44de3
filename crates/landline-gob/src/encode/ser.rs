//! One value, written as its type says.

use serde::{Serialize, Serializer};

use super::collections::{self, Entries, Items};
use super::fields::StructFields;
use super::pen::Pen;
use super::position::{Element, Position};
use crate::error::{Error, ErrorKind};
use crate::go::token::{self, Token};
use crate::number::{of_float, of_int};
use crate::schema::{Content, Elem, Graph, Shape, Tag, basic};
use crate::value;

pub(super) struct Ser<'p, P> {
    pub(super) graph: &'p Graph,
    pub(super) pen: &'p mut Pen,
    pub(super) elem: Elem,
    pub(super) position: P,
    /// Whether an `Option` was passed on the way here.
    pub(super) through: bool,
    /// Whether bytes are wanted rather than a text: for types with an encoding of their own.
    pub(super) compact: bool,
}

impl<'p, P: Position> Ser<'p, P> {
    #[inline(always)]
    pub(super) fn new(graph: &'p Graph, pen: &'p mut Pen, elem: Elem, position: P) -> Self {
        Ser { graph, pen, elem, position, through: false, compact: false }
    }

    #[inline(always)]
    fn int(self, value: i64) -> Result<(), Error> {
        if self.elem.tag != Tag::Int || (P::GIVEN && self.pen.given) {
            return other_int(self.graph, self.pen, self.elem, self.position, (value < 0, value as u64));
        }
        self.put_int(value);
        Ok(())
    }

    #[inline(always)]
    fn uint(self, value: u64) -> Result<(), Error> {
        if self.elem.tag != Tag::Uint || (P::GIVEN && self.pen.given) {
            return other_int(self.graph, self.pen, self.elem, self.position, (false, value));
        }
        self.put_uint(value);
        Ok(())
    }

    #[inline(always)]
    fn put_int(self, value: i64) {
        if !(P::OMITS && value == 0) {
            self.position.put(self.pen, of_int(value));
        }
    }

    #[inline(always)]
    fn put_uint(self, value: u64) {
        if !(P::OMITS && value == 0) {
            self.position.put(self.pen, value);
        }
    }

    #[inline(always)]
    fn put_float(self, value: f64) {
        if !(P::OMITS && value == 0.0) {
            self.position.put(self.pen, of_float(value));
        }
    }

    #[inline(always)]
    fn put_bytes(self, bytes: &[u8]) {
        if !(P::OMITS && bytes.is_empty()) {
            self.position.put_bytes(self.pen, bytes);
        }
    }

    /// A number whose type is not simply that of its place.
    fn other_int(self, value: i128) -> Result<(), Error> {
        let name = self.name();
        match &self.graph.node(self.elem.node).shape {
            Shape::Int(bits) => {
                let most = i128::from(u64::MAX >> (64 - (bits - 1)));
                if value > most || value < -most - 1 {
                    return Err(Error::overflow(value, &name));
                }
                self.put_int(value as i64);
            }
            Shape::Uint(bits) => {
                if value < 0 || value > i128::from(u64::MAX >> (64 - bits)) {
                    return Err(Error::overflow(value, &name));
                }
                self.put_uint(value as u64);
            }
            Shape::Float(_) if self.pen.given => self.put_float(value as f64),
            // A big.Int is a number in JSON.
            Shape::Opaque(_) if self.pen.given => {
                let bytes = value::bytes_of_text(self.graph, self.elem, &value.to_string())?;
                self.put_opaque(&bytes);
            }
            Shape::Interface { open: true, .. } => {
                return match i64::try_from(value) {
                    Ok(value) => self.any("int64", basic::INT64, |content| content.put_int(value)),
                    Err(_) => self.any("uint64", basic::UINT64, |content| content.put_uint(value as u64)),
                };
            }
            _ => return Err(Error::mismatch(name, "an integer")),
        }
        Ok(())
    }

    #[cold]
    fn other_float(self, value: f64) -> Result<(), Error> {
        match self.elem.tag {
            Tag::Interface if self.is_open() => {
                self.any("float64", basic::FLOAT64, |content| content.put_float(value))
            }
            // Every integer that a double can hold, so that JSON need not tell 1.0 from 1.
            Tag::Int | Tag::Uint if self.pen.given && value.fract() == 0.0 && value.abs() <= 9e15 => {
                self.other_int(value as i128)
            }
            _ => Err(Error::mismatch(self.name(), "a float")),
        }
    }

    #[cold]
    fn other_text(self, text: &str) -> Result<(), Error> {
        match self.elem.tag {
            Tag::Interface if self.is_open() => {
                self.any("string", basic::STRING, |content| content.put_bytes(text.as_bytes()))
            }
            Tag::Opaque | Tag::Bytes if self.pen.given => {
                let bytes = value::bytes_of_text(self.graph, self.elem, text)?;
                self.put_opaque(&bytes);
                Ok(())
            }
            _ => Err(Error::mismatch(self.name(), "a string")),
        }
    }

    /// The key of a map out of a format that has only texts for keys.
    #[cold]
    fn key_of_text(self, text: &str) -> Result<(), Error> {
        match self.elem.tag {
            Tag::Int | Tag::Uint => match text.parse() {
                Ok(number) => self.other_int(number),
                Err(_) => self.refuse("a string"),
            },
            Tag::Float => match text.parse() {
                Ok(number) => {
                    self.put_float(number);
                    Ok(())
                }
                Err(_) => self.refuse("a string"),
            },
            Tag::Bool => match text.parse() {
                Ok(truth) => self.serialize_bool(truth),
                Err(_) => self.refuse("a string"),
            },
            _ => self.other_text(text),
        }
    }

    fn put_opaque(self, bytes: &[u8]) {
        self.position.open(self.pen);
        self.pen.counted(bytes);
    }

    /// Writes content of a type that Go has registered from the start into an interface.
    fn any(self, name: &str, elem: Elem, put: impl FnOnce(Ser<'_, Element>)) -> Result<(), Error> {
        self.position.open(self.pen);
        self.pen.counted(name.as_bytes());
        self.pen.begin_content(elem);
        put(Ser::new(self.graph, self.pen, elem, Element));
        self.pen.end_content();
        Ok(())
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.graph.node(self.elem.node).shape, Shape::Interface { open: true, .. })
    }

    pub(super) fn name(&self) -> String {
        crate::schema::go_name(self.graph, self.elem, "main")
    }

    #[cold]
    fn refuse<T>(self, found: &str) -> Result<T, Error> {
        Err(Error::mismatch(self.name(), found))
    }

    pub(super) fn nothing(self) -> Result<(), Error> {
        match self.elem.tag {
            _ if P::OMITS => Ok(()),
            Tag::Interface => {
                self.pen.bytes.push(0);
                Ok(())
            }
            // A method on a pointer may be called on a nil one, and Go's have no bytes for it.
            Tag::Opaque if matches!(&self.graph.node(self.elem.node).shape, Shape::Opaque(f) if f.addressed) =>
            {
                self.pen.bytes.push(0);
                Ok(())
            }
            _ => Err(ErrorKind::Nil.into()),
        }
    }

    /// Begins what an interface holds, by the variant's name, and gives its type.
    fn begin_variant(self, name: &'static str) -> Result<(&'p Graph, &'p mut Pen, Elem), Error> {
        let Shape::Interface { variants, .. } = &self.graph.node(self.elem.node).shape else {
            return self.refuse("an enum");
        };
        let Some(variant) = variants.iter().find(|variant| &*variant.name == name) else {
            return Err(ErrorKind::UnknownName(name.to_owned()).into());
        };
        let elem = match &variant.content {
            Content::Type(elem) => *elem,
            Content::Unsupported(why) => return Err(Error::unsupported(format!("{name}: {why}"))),
        };
        self.position.open(self.pen);
        self.pen.counted(name.as_bytes());
        self.pen.begin_content(elem);
        Ok((self.graph, self.pen, elem))
    }
}

/// The same, of parts: nothing has to be put together before it is known that this is needed.
#[cold]
#[inline(never)]
fn other_int<P: Position>(
    graph: &Graph,
    pen: &mut Pen,
    elem: Elem,
    position: P,
    (negative, bits): (bool, u64),
) -> Result<(), Error> {
    let value = if negative { (bits as i64).into() } else { i128::from(bits) };
    Ser::new(graph, pen, elem, position).other_int(value)
}

macro_rules! numbers {
    ($($method:ident $type:ty, $through:ident;)*) => {
        $(#[inline(always)]
        fn $method(self, value: $type) -> Result<(), Error> {
            self.$through(value.into())
        })*
    };
}

impl<'p, P: Position> Serializer for Ser<'p, P> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Items<'p, P>;
    type SerializeTuple = Items<'p, P>;
    type SerializeTupleStruct = Items<'p, P>;
    type SerializeTupleVariant = Items<'p, Element>;
    type SerializeMap = Entries<'p>;
    type SerializeStruct = StructFields<'p>;
    type SerializeStructVariant = StructFields<'p>;

    numbers! {
        serialize_i8 i8, int;
        serialize_i16 i16, int;
        serialize_i32 i32, int;
        serialize_i64 i64, int;
        serialize_u8 u8, uint;
        serialize_u16 u16, uint;
        serialize_u32 u32, uint;
        serialize_u64 u64, uint;
        serialize_f32 f32, serialize_f64;
    }

    fn serialize_i128(self, value: i128) -> Result<(), Error> {
        self.other_int(value)
    }

    fn serialize_u128(self, value: u128) -> Result<(), Error> {
        match i128::try_from(value) {
            Ok(value) => self.other_int(value),
            Err(_) => Err(Error::overflow(value, &self.name())),
        }
    }

    #[inline(always)]
    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        match self.elem.tag {
            Tag::Bool => {
                self.put_uint(value.into());
                Ok(())
            }
            Tag::Interface if self.is_open() => {
                self.any("bool", basic::BOOL, |content| content.put_uint(value.into()))
            }
            _ => self.refuse("a bool"),
        }
    }

    #[inline(always)]
    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        if self.elem.tag != Tag::Float {
            return self.other_float(value);
        }
        self.put_float(value);
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        match self.elem.tag {
            Tag::Text => self.serialize_str(value.encode_utf8(&mut [0; 4])),
            _ => self.int(u32::from(value).into()),
        }
    }

    #[inline(always)]
    fn serialize_str(self, value: &str) -> Result<(), Error> {
        if self.elem.tag != Tag::Text {
            return if P::KEY && self.pen.given { self.key_of_text(value) } else { self.other_text(value) };
        }
        self.put_bytes(value.as_bytes());
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Error> {
        match self.elem.tag {
            Tag::Bytes => self.put_bytes(value),
            Tag::Opaque if self.compact || self.pen.given => self.put_opaque(value),
            Tag::Interface if self.is_open() => {
                return self.any("[]uint8", basic::BYTES, |content| content.put_bytes(value));
            }
            _ => return self.refuse("bytes"),
        }
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.nothing()
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(Ser { through: true, ..self })
    }

    fn serialize_unit(self) -> Result<(), Error> {
        match self.elem.tag {
            Tag::Struct if self.graph.fields(self.elem.node).is_empty() && !self.pen.given => {
                self.position.open(self.pen);
                self.pen.bytes.push(0);
                Ok(())
            }
            // What takes anything says so when there is nothing.
            Tag::Interface => self.nothing(),
            _ if self.pen.given => self.nothing(),
            _ => self.refuse("a unit"),
        }
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        match self.elem.tag {
            Tag::Interface if !self.is_open() => self.begin_variant(variant).map(|_| ()),
            _ => self.serialize_str(variant),
        }
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        mut self,
        name: &'static str,
        inner: &T,
    ) -> Result<(), Error> {
        match token::read(name) {
            Some(Token::Value) => super::dynamic::put(self),
            Some(Token::Opaque { .. }) => {
                self.compact = true;
                inner.serialize(self)
            }
            Some(Token::Zero) if P::OMITS && !self.through => match &self.graph.node(self.elem.node).shape {
                Shape::Opaque(format) if !format.addressed => Ok(()),
                _ => inner.serialize(self),
            },
            _ => inner.serialize(self),
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        content: &T,
    ) -> Result<(), Error> {
        self.pen.descend()?;
        let (graph, pen, elem) = self.begin_variant(variant)?;
        content.serialize(Ser::new(graph, pen, elem, Element)).map_err(|error| error.at_field(variant))?;
        pen.end_content();
        pen.ascend();
        Ok(())
    }

    #[inline(always)]
    fn serialize_seq(self, len: Option<usize>) -> Result<Items<'p, P>, Error> {
        Items::begin(self, len)
    }

    #[inline(always)]
    fn collect_seq<I>(self, items: I) -> Result<(), Error>
    where
        I: IntoIterator,
        I::Item: Serialize,
    {
        collections::collect(self, items.into_iter())
    }

    fn serialize_tuple(self, len: usize) -> Result<Items<'p, P>, Error> {
        Items::begin(self, Some(len))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Items<'p, P>, Error> {
        Items::begin(self, Some(len))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Items<'p, Element>, Error> {
        let (graph, pen, elem) = self.begin_variant(variant)?;
        Ok(Items::begin(Ser::new(graph, pen, elem, Element), Some(len))?.into_content())
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Entries<'p>, Error> {
        Entries::begin(self, len)
    }

    #[inline(always)]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<StructFields<'p>, Error> {
        StructFields::begin(self)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<StructFields<'p>, Error> {
        let (graph, pen, elem) = self.begin_variant(variant)?;
        Ok(StructFields::begin(Ser::new(graph, pen, elem, Element))?.into_content())
    }

    fn is_human_readable(&self) -> bool {
        !self.compact
    }
}
