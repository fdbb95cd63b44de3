//! Dynamic values in other formats, and within Rust types.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserializer, Visitor};
use serde::ser::{Error as _, SerializeMap, SerializeSeq, SerializeStruct};
use serde::{Deserialize, Serialize, Serializer};

use super::{Value, infer, slot, text, walk};
use crate::error::Error;
use crate::go::token;
use crate::number::{take_uint, to_float, to_int};
use crate::schema::{Elem, Graph, Shape, Tag, Type};

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        slot::put(self.clone());
        let done = serializer.serialize_newtype_struct(token::VALUE, &Whole { value: self, typed: false });
        // Other formats leave it there.
        slot::take();
        done
    }
}

/// A value with its types, for other formats; see [`Value::typed`].
#[derive(Clone, Copy, Debug)]
pub struct Typed<'a>(pub(super) &'a Value);

impl Serialize for Typed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Typed", 2)?;
        object.serialize_field("type", &self.0.gob_type().to_string())?;
        object.serialize_field("value", &Whole { value: self.0, typed: true })?;
        object.end()
    }
}

struct Whole<'a> {
    value: &'a Value,
    typed: bool,
}

impl Serialize for Whole<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        slot::take();
        let rest = Cell::new(self.value.bytes());
        let Value { graph, elem, is_declared, .. } = self.value;
        Part { graph, elem: *elem, rest: &rest, typed: self.typed, is_declared: *is_declared }
            .serialize(serializer)
    }
}

/// The value that `rest` begins with; serializing it passes over it.
#[derive(Clone, Copy)]
struct Part<'a> {
    graph: &'a Arc<Graph>,
    elem: Elem,
    rest: &'a Cell<&'a [u8]>,
    typed: bool,
    /// Whether fields that were left out can be looked into.
    is_declared: bool,
}

impl<'a> Part<'a> {
    fn of(self, elem: Elem) -> Part<'a> {
        Part { elem, ..self }
    }

    fn take<T, E: serde::ser::Error>(
        &self,
        take: impl FnOnce(&mut &'a [u8]) -> Result<T, Error>,
    ) -> Result<T, E> {
        let mut rest = self.rest.get();
        let taken = take(&mut rest).map_err(E::custom)?;
        self.rest.set(rest);
        Ok(taken)
    }

    fn uint<E: serde::ser::Error>(&self) -> Result<u64, E> {
        self.take(|rest| Ok(take_uint(rest)?))
    }
}

impl Serialize for Part<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.graph.node(self.elem.node).shape {
            Shape::Bool => serializer.serialize_bool(self.uint()? != 0),
            Shape::Int(_) => serializer.serialize_i64(to_int(self.uint()?)),
            Shape::Uint(_) => serializer.serialize_u64(self.uint()?),
            Shape::Float(_) => float(to_float(self.uint()?), serializer),
            Shape::Complex(_) => {
                let parts = [to_float(self.uint()?), to_float(self.uint()?)];
                parts.map(Float).serialize(serializer)
            }
            Shape::Text => {
                let bytes = self.take(walk::counted)?;
                serializer.serialize_str(&String::from_utf8_lossy(bytes))
            }
            Shape::Bytes | Shape::Opaque(_) => {
                let bytes = self.take(walk::counted)?;
                text_of(self.graph, self.elem, bytes, serializer)
            }
            Shape::Interface { .. } if self.rest.get().first() == Some(&0) => {
                self.uint::<S::Error>()?;
                serializer.serialize_none()
            }
            Shape::Interface { .. } => {
                let (name, elem) = self.take(|rest| walk::content(self.graph, rest))?;
                // It brings its type along.
                let held = Part { is_declared: false, ..self.of(elem) };
                if !self.typed {
                    return held.serialize(serializer);
                }
                let mut object = serializer.serialize_struct("Typed", 2)?;
                object.serialize_field("type", &String::from_utf8_lossy(name))?;
                object.serialize_field("value", &held)?;
                object.end()
            }
            Shape::Slice { elem, .. } | Shape::Array { elem, .. } => {
                let count = self.uint()?;
                let mut list = serializer.serialize_seq(Some(count as usize))?;
                for _ in 0..count {
                    list.serialize_element(&self.of(*elem))?;
                }
                list.end()
            }
            Shape::Map { key, value, .. } => {
                let count = self.uint()?;
                if !matches!(key.tag, Tag::Text | Tag::Int | Tag::Uint | Tag::Bool) {
                    let mut pairs = serializer.serialize_seq(Some(count as usize))?;
                    for _ in 0..count {
                        pairs.serialize_element(&(self.of(*key), self.of(*value)))?;
                    }
                    return pairs.end();
                }
                let mut map = serializer.serialize_map(Some(count as usize))?;
                for _ in 0..count {
                    map.serialize_entry(&self.of(*key), &self.of(*value))?;
                }
                map.end()
            }
            Shape::Struct { fields, .. } => {
                let mut object = serializer.serialize_map(Some(fields.len()))?;
                let mut last = None;
                let mut next = self.take(|rest| walk::field(rest, &mut last))?;
                for (number, field) in fields.iter().enumerate() {
                    if next == Some(number) {
                        object.serialize_entry(&*field.name, &self.of(field.elem))?;
                        next = self.take(|rest| walk::field(rest, &mut last))?;
                    } else {
                        let zero = Zero {
                            graph: self.graph,
                            elem: field.elem,
                            is_declared: self.is_declared,
                            outer: None,
                        };
                        object.serialize_entry(&*field.name, &zero)?;
                    }
                }
                object.end()
            }
            Shape::Unsupported(why) => Err(S::Error::custom(why)),
        }
    }
}

/// Bytes in their text, or number, for people.
fn text_of<S: Serializer>(
    graph: &Arc<Graph>,
    elem: Elem,
    bytes: &[u8],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    if !serializer.is_human_readable() {
        return serializer.serialize_bytes(bytes);
    }
    match text::number_of_bytes(graph, elem, bytes) {
        Some(number) => match (i64::try_from(number), u64::try_from(number)) {
            (Ok(number), _) => serializer.serialize_i64(number),
            (_, Ok(number)) => serializer.serialize_u64(number),
            _ => serializer.serialize_i128(number),
        },
        None => serializer.serialize_str(&text::text_of_bytes(graph, elem, bytes)),
    }
}

/// A field that was left out: what it must have been, or nothing where it may have been behind a pointer.
struct Zero<'a> {
    graph: &'a Arc<Graph>,
    elem: Elem,
    /// Whether it may be looked into: not where a peer has described the type, who says nothing of pointers.
    is_declared: bool,
    /// What it is in, as far as that was left out too.
    outer: Option<&'a Zero<'a>>,
}

impl Zero<'_> {
    /// Whether a type contains itself: Go has no such types, but they can be written down.
    fn is_within_itself(&self) -> bool {
        std::iter::successors(self.outer, |zero| zero.outer).any(|zero| zero.elem.node == self.elem.node)
    }
}

impl Serialize for Zero<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.elem.pointers > 0 {
            return serializer.serialize_none();
        }
        let within = |elem: Elem| Zero { elem, outer: Some(self), ..*self };
        let is_looked_into = self.is_declared && !self.is_within_itself();
        match is_looked_into.then(|| &self.graph.node(self.elem.node).shape) {
            Some(Shape::Struct { fields, .. }) => {
                let mut object = serializer.serialize_map(Some(fields.len()))?;
                for field in fields {
                    object.serialize_entry(&*field.name, &within(field.elem))?;
                }
                return object.end();
            }
            Some(Shape::Array { elem, len }) => {
                let mut list = serializer.serialize_seq(Some(*len))?;
                for _ in 0..*len {
                    list.serialize_element(&within(*elem))?;
                }
                return list.end();
            }
            Some(Shape::Opaque(_)) => {
                if let Some(bytes) = text::zero_bytes(self.graph, self.elem) {
                    return text_of(self.graph, self.elem, &bytes, serializer);
                }
            }
            _ => {}
        }
        match self.elem.tag {
            Tag::Bool => serializer.serialize_bool(false),
            Tag::Int => serializer.serialize_i64(0),
            Tag::Uint => serializer.serialize_u64(0),
            Tag::Float => serializer.serialize_f64(0.0),
            Tag::Complex => [0.0, 0.0].serialize(serializer),
            Tag::Text | Tag::Bytes => serializer.serialize_str(""),
            Tag::Slice => serializer.serialize_seq(Some(0))?.end(),
            Tag::Map => serializer.serialize_map(Some(0))?.end(),
            _ => serializer.serialize_none(),
        }
    }
}

struct Float(f64);

impl Serialize for Float {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        float(self.0, serializer)
    }
}

/// JSON has no numbers for these, so they are the texts that Go prints for them.
fn float<S: Serializer>(value: f64, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        _ if value.is_finite() || !serializer.is_human_readable() => serializer.serialize_f64(value),
        _ if value.is_nan() => serializer.serialize_str("NaN"),
        f64::INFINITY => serializer.serialize_str("+Inf"),
        _ => serializer.serialize_str("-Inf"),
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_newtype_struct(token::VALUE, ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    /// From gob: the value is beside us.
    fn visit_unit<E: serde::de::Error>(self) -> Result<Value, E> {
        Ok(slot::take().unwrap_or_else(Value::nil))
    }

    /// From another format.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let plain = infer::Plain::deserialize(deserializer)?;
        infer::value(&plain).map_err(serde::de::Error::custom)
    }
}

impl Serialize for Type {
    /// As a text in Go's syntax.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
