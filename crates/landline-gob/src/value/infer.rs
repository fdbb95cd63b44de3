//! Guessing the type of what comes from a format without types.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Serialize, Serializer};

use super::Value;
use crate::error::Error;
use crate::schema::{Elem, Field, Graph, Naming, Node, Shape, Tag, Type, basic};

/// What such a format has.
#[derive(Debug)]
pub(super) enum Plain {
    Nil,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Plain>),
    Object(Vec<(String, Plain)>),
}

pub(super) fn value(plain: &Plain) -> Result<Value, Error> {
    if matches!(plain, Plain::Nil) {
        return Ok(Value::nil());
    }
    let mut graph = Graph::new();
    let root = elem(&mut graph, &Guess::of(plain));
    Value::of_type(&Type { graph: Arc::new(graph), root }, plain)
}

/// What something may be, and what several things may all be.
#[derive(Clone, PartialEq)]
enum Guess {
    /// Nothing was seen that would say.
    Unknown,
    Basic(Elem),
    List(Box<Guess>),
    Object(Vec<(String, Guess)>),
}

impl Guess {
    fn of(plain: &Plain) -> Guess {
        match plain {
            Plain::Nil => Guess::Unknown,
            Plain::Bool(_) => Guess::Basic(basic::BOOL),
            Plain::Int(_) => Guess::Basic(basic::INT),
            Plain::Uint(_) => Guess::Basic(basic::UINT),
            Plain::Float(_) => Guess::Basic(basic::FLOAT64),
            Plain::Text(_) => Guess::Basic(basic::STRING),
            Plain::Bytes(_) => Guess::Basic(basic::BYTES),
            Plain::List(items) => {
                let all = items.iter().map(Guess::of).fold(Guess::Unknown, Guess::with);
                Guess::List(Box::new(all))
            }
            Plain::Object(fields) => {
                let mut seen = HashSet::new();
                let fields = fields.iter().filter(|(name, _)| seen.insert(name.as_str()));
                Guess::Object(fields.map(|(name, field)| (name.clone(), Guess::of(field))).collect())
            }
        }
    }

    /// What can be both: anything at the worst.
    fn with(self, other: Guess) -> Guess {
        match (self, other) {
            (Guess::Unknown, other) | (other, Guess::Unknown) => other,
            (Guess::Basic(a), Guess::Basic(b)) if a == b => Guess::Basic(a),
            (Guess::Basic(a), Guess::Basic(b)) if is_number(a) && is_number(b) => {
                Guess::Basic(basic::FLOAT64)
            }
            (Guess::List(a), Guess::List(b)) => Guess::List(Box::new(a.with(*b))),
            (Guess::Object(mut all), Guess::Object(more)) => {
                for (name, guess) in more {
                    match all.iter_mut().find(|(known, _)| *known == name) {
                        Some((_, known)) => {
                            let before = std::mem::replace(known, Guess::Unknown);
                            *known = before.with(guess);
                        }
                        None => all.push((name, guess)),
                    }
                }
                Guess::Object(all)
            }
            _ => Guess::Basic(basic::ANY),
        }
    }
}

fn is_number(elem: Elem) -> bool {
    matches!(elem.tag, Tag::Int | Tag::Uint | Tag::Float)
}

fn elem(graph: &mut Graph, guess: &Guess) -> Elem {
    let shape = match guess {
        Guess::Unknown => return basic::ANY,
        Guess::Basic(elem) => return *elem,
        Guess::List(items) => Shape::Slice { elem: elem(graph, items), size: 0 },
        Guess::Object(fields) => {
            let fields = fields.iter().map(|(name, guess)| Field::new(name.as_str(), elem(graph, guess)));
            Shape::Struct { fields: fields.collect(), local: None }
        }
    };
    graph.push(Node { naming: Naming::Unnamed, shape })
}

impl Serialize for Plain {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Plain::Nil => serializer.serialize_none(),
            Plain::Bool(value) => serializer.serialize_bool(*value),
            Plain::Int(value) => serializer.serialize_i64(*value),
            Plain::Uint(value) => serializer.serialize_u64(*value),
            Plain::Float(value) => serializer.serialize_f64(*value),
            Plain::Text(value) => serializer.serialize_str(value),
            Plain::Bytes(value) => serializer.serialize_bytes(value),
            Plain::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(item)?;
                }
                list.end()
            }
            Plain::Object(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (name, field) in fields {
                    map.serialize_entry(name, field)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Plain, D::Error> {
        deserializer.deserialize_any(PlainVisitor)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Plain;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Plain, E> {
        Ok(Plain::Nil)
    }

    fn visit_none<E>(self) -> Result<Plain, E> {
        Ok(Plain::Nil)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Plain, D::Error> {
        Plain::deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Plain, D::Error> {
        Plain::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Plain, E> {
        Ok(Plain::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Plain, E> {
        Ok(Plain::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Plain, E> {
        Ok(i64::try_from(value).map_or(Plain::Uint(value), Plain::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Plain, E> {
        Ok(Plain::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Plain, E> {
        Ok(Plain::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Plain, E> {
        Ok(Plain::Text(value))
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Plain, E> {
        Ok(Plain::Bytes(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Plain, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Plain::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Plain, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Plain::Object(fields))
    }
}
