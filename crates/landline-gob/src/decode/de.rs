//! One value, read as its type says.

use std::mem::size_of;

use serde::Deserializer;
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{Error as _, Visitor};

use super::access::{ByteItems, Complex, Entries, Items};
use super::fields::{AllFields, InOrder, Named};
use super::numbers::{Number, Numbers};
use super::plan::{At, LIST_COST, Plan, UNKNOWN_SIZE, wire_name};
use super::raw;
use super::session::{Session, on_trust, on_trust_in_table};
use super::variant::Held;
use crate::error::{Error, ErrorKind};
use crate::go::token::{self, Token};
use crate::schema::{Elem, Shape, Tag};
use crate::value::slot;

pub(super) struct De<'s, 'd, 'de> {
    pub(super) s: &'s mut Session<'d, 'de>,
    pub(super) at: At,
}

impl<'s, 'd, 'de> De<'s, 'd, 'de> {
    /// `place` is how many bytes the Rust value has where it will be.
    #[inline(always)]
    pub(super) fn new(s: &'s mut Session<'d, 'de>, at: At, place: usize) -> Self {
        // Beside it, as two words go in registers.
        s.place = place;
        De { s, at }
    }

    #[inline]
    fn expect(&self, tag: Tag, name: &str) -> Result<(), Error> {
        if self.at.tag == tag { Ok(()) } else { Err(self.mismatch(name)) }
    }

    #[cold]
    pub(super) fn mismatch(&self, expected: &str) -> Error {
        let elem = Elem { node: self.at.node, tag: self.at.tag, pointers: 0 };
        Error::mismatch(expected, wire_name(self.s.types, elem))
    }

    /// A number, or a boolean, for what wants such a one.
    #[inline(always)]
    fn number(self, wanted: &'static str) -> Result<Number, Error> {
        match self.at.tag {
            Tag::Bool | Tag::Int | Tag::Uint | Tag::Float => {
                Ok(Number { number: self.s.uint()?, tag: self.at.tag })
            }
            _ => Err(self.mismatch(wanted)),
        }
    }

    #[inline]
    fn text(&mut self) -> Result<&'de str, Error> {
        self.expect(Tag::Text, "string")?;
        self.s.text()
    }

    fn bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if !matches!(self.at.tag, Tag::Bytes | Tag::Text) {
            return Err(self.mismatch("[]byte"));
        }
        let bytes = self.s.counted()?;
        self.s.charge_boxed(size_of::<V::Value>())?;
        self.s.charge(bytes.len())?;
        visitor.visit_borrowed_bytes(bytes)
    }

    fn items<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        items(self.s, self.at, visitor)
    }

    fn entries<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Some(&Plan::Entries { key, value, size }) = self.s.plans.plan(self.at) else {
            return Err(self.mismatch("map"));
        };
        let count = self.s.count()?;
        self.s.charge_boxed(size_of::<V::Value>())?;
        self.s.charge_entries(count, size)?;
        self.s.descend()?;
        let mut entries =
            Entries { s: self.s, key, value, left: count, count, most: on_trust_in_table(size) };
        let made = visitor.visit_map(&mut entries)?;
        entries.finish()?;
        self.s.ascend();
        Ok(made)
    }

    /// All fields of the peer's struct by their names, for what takes anything.
    fn all_fields<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Some(plan) = self.s.plans.struct_plan(self.at) else { return Err(self.mismatch("struct")) };
        self.s.charge(plan.cost)?;
        self.s.descend()?;
        let mut fields = AllFields::new(self.s, plan)?;
        let made = visitor.visit_map(&mut fields)?;
        fields.finish()?;
        self.s.ascend();
        Ok(made)
    }

    #[inline]
    pub(super) fn structure<V: Visitor<'de>>(
        self,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let Some(plan) = self.s.plans.struct_plan(self.at) else { return Err(self.mismatch("struct")) };
        if plan.names != Some(names.len()) {
            return self.some_fields(names, visitor);
        }
        self.s.charge_boxed(size_of::<V::Value>())?;
        self.s.descend()?;
        if plan.in_order {
            in_order(InOrder::new(self.s, plan), visitor)
        } else {
            named(Named::new(self.s, plan)?, visitor)
        }
    }

    /// For a struct of which nothing is known but what it asks for.
    #[cold]
    fn some_fields<V: Visitor<'de>>(
        self,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let Some(plan) = self.s.plans.struct_plan(self.at) else { return Err(self.mismatch("struct")) };
        self.s.charge(size_of::<V::Value>())?;
        self.s.descend()?;
        let mut fields = AllFields::new(self.s, plan)?.of(names);
        let made = visitor.visit_map(&mut fields)?;
        fields.finish()?;
        self.s.ascend();
        Ok(made)
    }

    fn opaque<V: Visitor<'de>>(self, name: &str, visitor: V) -> Result<V::Value, Error> {
        if self.at.tag != Tag::Opaque {
            return Err(self.mismatch(name));
        }
        let bytes = self.s.counted()?;
        self.s.charge(bytes.len())?;
        visitor.visit_borrowed_bytes(bytes)
    }

    fn held<V: Visitor<'de>>(self, names: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        let Some(&Plan::Interface { local }) = self.s.plans.plan(self.at) else {
            return Err(self.mismatch("interface"));
        };
        let Some((name, elem)) = self.s.content()? else { return Err(ErrorKind::Nil.into()) };
        if !names.contains(&name) {
            return Err(ErrorKind::UnknownName(name.to_owned()).into());
        }
        self.s.charge_boxed(size_of::<V::Value>())?;
        self.s.descend()?;
        let place = self.s.place;
        let local = self.s.plans.variant(local, name);
        let at = self.s.make(elem, local).map_err(|error| error.at_field(name))?;
        let made = visitor.visit_enum(Held { s: self.s, at, name, place })?;
        self.s.ascend();
        Ok(made)
    }
}

/// The fields of a struct. What is made is moved as little as can be, as it may be large: only one place returns.
#[inline]
fn in_order<'de, V: Visitor<'de>>(mut fields: InOrder<'_, '_, 'de>, visitor: V) -> Result<V::Value, Error> {
    fields.begin()?;
    let mut made = visitor.visit_seq(&mut fields);
    match &mut made {
        Ok(_) => {
            if let Err(error) = fields.finish() {
                made = Err(error);
            }
        }
        Err(error) => fields.refuse(error),
    }
    made
}

/// The same by their names.
#[inline]
fn named<'de, V: Visitor<'de>>(mut fields: Named<'_, '_, 'de>, visitor: V) -> Result<V::Value, Error> {
    let mut made = visitor.visit_map(&mut fields);
    if made.is_ok()
        && let Err(error) = fields.finish()
    {
        made = Err(error);
    }
    made
}

/// The elements of a slice or an array. Not of `De`, so that what is in it may stay in registers.
fn items<'de, V: Visitor<'de>>(s: &mut Session<'_, 'de>, at: At, visitor: V) -> Result<V::Value, Error> {
    let plans = s.plans;
    let Some(&Plan::Items { elem, len, size, most, is_plain }) = plans.plan(at) else {
        return Err(De { s, at }.mismatch("slice"));
    };
    let count = s.count_of(len)?;
    s.charge_boxed(size_of::<V::Value>())?;
    let most = match len {
        Some(len) => len,
        None => s.charge_items_of(size_of::<V::Value>(), count, size, most)?,
    };
    s.descend()?;
    let made = if is_plain {
        s.left = count;
        visitor.visit_seq(Numbers::new(s, elem.tag, count, most))
    } else {
        let mut items = Items { s, elem, left: count, count, most };
        let made = visitor.visit_seq(&mut items);
        let left = items.left;
        s.left = left;
        made
    };
    if made.is_ok() {
        if s.left > 0 {
            return Err(left_over(s.left));
        }
        s.ascend();
    }
    made
}

/// The elements of a `[]byte`.
fn byte_items<'de, V: Visitor<'de>>(s: &mut Session<'_, 'de>, visitor: V) -> Result<V::Value, Error> {
    let bytes = s.counted()?;
    s.charge_boxed(size_of::<V::Value>())?;
    s.charge(bytes.len())?;
    visitor.visit_seq(ByteItems(bytes.iter()))
}

macro_rules! numbers {
    ($($method:ident $name:literal;)*) => {
        $(#[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.number($name)?.$method(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for De<'_, '_, 'de> {
    type Error = Error;

    numbers! {
        deserialize_bool "bool";
        deserialize_i8 "int8";
        deserialize_i16 "int16";
        deserialize_i32 "int32";
        deserialize_i64 "int64";
        deserialize_i128 "int64";
        deserialize_u8 "uint8";
        deserialize_u16 "uint16";
        deserialize_u32 "uint32";
        deserialize_u64 "uint64";
        deserialize_u128 "uint64";
        deserialize_f32 "float32";
        deserialize_f64 "float64";
        deserialize_char "a character";
    }

    fn deserialize_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        match self.at.tag {
            Tag::Bool | Tag::Int | Tag::Uint | Tag::Float => self.number("")?.deserialize_any(visitor),
            Tag::Complex => {
                self.s.charge(LIST_COST)?;
                visitor.visit_seq(Complex::take(self.s)?)
            }
            Tag::Text => match self.text() {
                Ok(text) => visitor.visit_borrowed_str(text),
                Err(error) => Err(error),
            },
            // As elements, which more take than bytes: what keeps any of them keeps each by itself.
            Tag::Bytes | Tag::Opaque => {
                let bytes = self.s.counted()?;
                self.s.charge_list(bytes.len(), UNKNOWN_SIZE, on_trust(UNKNOWN_SIZE))?;
                visitor.visit_seq(ByteItems(bytes.iter()))
            }
            Tag::Slice | Tag::Array => self.items(visitor),
            Tag::Map => self.entries(visitor),
            Tag::Struct => self.all_fields(visitor),
            Tag::Interface => match self.s.content()? {
                None => visitor.visit_unit(),
                Some((_, elem)) => {
                    self.s.descend()?;
                    self.at = self.s.make(elem, None)?;
                    let place = self.s.place;
                    let made = De::new(self.s, self.at, place).deserialize_any(visitor)?;
                    self.s.ascend();
                    Ok(made)
                }
            },
            Tag::Unsupported => Err(ErrorKind::Corrupt("a value of no type").into()),
        }
    }

    #[inline]
    fn deserialize_str<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        self.s.charge_boxed(size_of::<V::Value>())?;
        visitor.visit_borrowed_str(self.text()?)
    }

    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.bytes(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.bytes(visitor)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.at.tag == Tag::Interface && self.s.rest.first() == Some(&0) {
            self.s.uint()?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.expect(Tag::Struct, "struct {}")?;
        self.s.skip(self.at)?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match token::read(name) {
            Some(Token::Value) => {
                let value = raw::value(self.s, self.at)?;
                slot::put(value);
                visitor.visit_unit()
            }
            Some(Token::Opaque { name, .. }) => self.opaque(name, visitor),
            Some(Token::Complex) => {
                self.expect(Tag::Complex, "complex")?;
                visitor.visit_seq(Complex::take(self.s)?)
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.at.tag {
            Tag::Slice => self.items(visitor),
            Tag::Bytes => byte_items(self.s, visitor),
            _ => Err(self.mismatch("slice")),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        let here = match (&self.s.types.graph.node(self.at.node).shape, self.at.tag) {
            (Shape::Array { len, .. }, Tag::Array) => *len,
            (_, Tag::Complex) if len == 2 => return visitor.visit_seq(Complex::take(self.s)?),
            _ => return Err(self.mismatch("array")),
        };
        if here != len {
            return Err(self.mismatch(&format!("array of {len}")));
        }
        self.items(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.at.tag {
            Tag::Map => self.entries(visitor),
            Tag::Struct => self.all_fields(visitor),
            _ => Err(self.mismatch("map")),
        }
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.expect(Tag::Struct, "struct")?;
        self.structure(fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.at.tag {
            Tag::Text => {
                let name: BorrowedStrDeserializer<'de, Error> = BorrowedStrDeserializer::new(self.text()?);
                visitor.visit_enum(name)
            }
            Tag::Interface => self.held(variants, visitor),
            _ => Err(self.mismatch("interface")),
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_any(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.s.skip(self.at)?;
        visitor.visit_unit()
    }
}

/// A byte of a `[]byte`, as an element.
pub(super) struct Byte(pub(super) u8);

impl<'de> Deserializer<'de> for Byte {
    type Error = Error;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u8(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

/// What a sequence that was not read to its end is: its Rust type has no room for the rest.
#[cold]
pub(super) fn left_over(left: usize) -> Error {
    Error::custom(format!("{left} elements more than the Rust type takes"))
}
