//! A look at a dynamic value.

use std::fmt;
use std::sync::Arc;

use super::walk;
use crate::error::Error;
use crate::number::{take_uint, to_float, to_int};
use crate::schema::{Elem, Graph, Shape, Tag, Type};

/// What a [`Value`](crate::Value), or a part of one, is.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum View<'a> {
    /// An interface that holds nothing.
    Nil,
    /// A boolean.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    Uint(u64),
    /// A float.
    Float(f64),
    /// A complex number: its real and imaginary parts.
    Complex(f64, f64),
    /// A string. Go's need not be UTF-8; such are [`View::Bytes`].
    String(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A slice or an array.
    Items(Items<'a>),
    /// A map.
    Map(Entries<'a>),
    /// A struct.
    Struct(Fields<'a>),
    /// What an interface holds.
    Held(Held<'a>),
    /// The bytes of a type that Go encodes by a method of its own, as `time.Time`.
    Opaque(&'a [u8]),
}

impl<'a> View<'a> {
    /// Takes a look at the value that `bytes` begin with, and passes over it.
    pub(super) fn of(graph: &'a Arc<Graph>, elem: Elem, bytes: &mut &'a [u8]) -> View<'a> {
        // The bytes were checked when the value was made.
        View::try_of(graph, elem, bytes).unwrap_or(View::Nil)
    }

    fn try_of(graph: &'a Arc<Graph>, elem: Elem, bytes: &mut &'a [u8]) -> Result<View<'a>, Error> {
        let part = Part { graph, elem, bytes };
        Ok(match elem.tag {
            Tag::Bool => View::Bool(take_uint(bytes)? != 0),
            Tag::Int => View::Int(to_int(take_uint(bytes)?)),
            Tag::Uint => View::Uint(take_uint(bytes)?),
            Tag::Float => View::Float(to_float(take_uint(bytes)?)),
            Tag::Complex => View::Complex(to_float(take_uint(bytes)?), to_float(take_uint(bytes)?)),
            Tag::Text => {
                let text = walk::counted(bytes)?;
                std::str::from_utf8(text).map_or(View::Bytes(text), View::String)
            }
            Tag::Bytes => View::Bytes(walk::counted(bytes)?),
            Tag::Opaque => View::Opaque(walk::counted(bytes)?),
            Tag::Interface if bytes.first() == Some(&0) => {
                walk::skip(graph, elem, bytes)?;
                View::Nil
            }
            Tag::Interface => {
                let (name, elem) = walk::content(graph, bytes)?;
                let part = Part { graph, elem, bytes };
                walk::skip(graph, elem, bytes)?;
                View::Held(Held { name: std::str::from_utf8(name).unwrap_or_default(), part })
            }
            Tag::Slice | Tag::Array => {
                walk::skip(graph, elem, bytes)?;
                let mut rest = part.bytes;
                let left = take_uint(&mut rest)? as usize;
                let (Shape::Slice { elem, .. } | Shape::Array { elem, .. }) = &graph.node(elem.node).shape
                else {
                    return Err(walk::broken());
                };
                View::Items(Items { left, rest: Part { graph, elem: *elem, bytes: rest } })
            }
            Tag::Map => {
                walk::skip(graph, elem, bytes)?;
                let mut rest = part.bytes;
                let left = take_uint(&mut rest)? as usize;
                let Shape::Map { key, value, .. } = &graph.node(elem.node).shape else {
                    return Err(walk::broken());
                };
                View::Map(Entries { left, key: *key, rest: Part { graph, elem: *value, bytes: rest } })
            }
            Tag::Struct => {
                walk::skip(graph, elem, bytes)?;
                View::Struct(Fields { last: None, of: part })
            }
            Tag::Unsupported => return Err(walk::broken()),
        })
    }
}

/// Bytes that begin with a value of a type.
#[derive(Clone, Copy)]
struct Part<'a> {
    graph: &'a Arc<Graph>,
    elem: Elem,
    bytes: &'a [u8],
}

impl<'a> Part<'a> {
    fn view(mut self) -> View<'a> {
        View::of(self.graph, self.elem, &mut self.bytes)
    }

    fn next(&mut self) -> View<'a> {
        View::of(self.graph, self.elem, &mut self.bytes)
    }
}

/// The elements of a slice or an array.
#[derive(Clone)]
pub struct Items<'a> {
    left: usize,
    rest: Part<'a>,
}

impl<'a> Iterator for Items<'a> {
    type Item = View<'a>;

    fn next(&mut self) -> Option<View<'a>> {
        self.left = self.left.checked_sub(1)?;
        Some(self.rest.next())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Items<'_> {}

/// The entries of a map, in the order of the stream.
#[derive(Clone)]
pub struct Entries<'a> {
    left: usize,
    key: Elem,
    rest: Part<'a>,
}

impl<'a> Iterator for Entries<'a> {
    type Item = (View<'a>, View<'a>);

    fn next(&mut self) -> Option<(View<'a>, View<'a>)> {
        self.left = self.left.checked_sub(1)?;
        let key = View::of(self.rest.graph, self.key, &mut self.rest.bytes);
        Some((key, self.rest.next()))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Entries<'_> {}

/// The fields of a struct that are there: the name and value of each. Go leaves out those that are zero.
#[derive(Clone)]
pub struct Fields<'a> {
    last: Option<usize>,
    of: Part<'a>,
}

impl<'a> Fields<'a> {
    /// The field of that name, if it is there.
    pub fn get(&self, name: &str) -> Option<View<'a>> {
        self.clone().find(|(known, _)| *known == name).map(|(_, view)| view)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a str, View<'a>);

    fn next(&mut self) -> Option<(&'a str, View<'a>)> {
        let number = walk::field(&mut self.of.bytes, &mut self.last).ok()??;
        let field = self.of.graph.fields(self.of.elem.node).get(number)?;
        Some((&field.name, View::of(self.of.graph, field.elem, &mut self.of.bytes)))
    }
}

/// What an interface holds.
#[derive(Clone)]
pub struct Held<'a> {
    name: &'a str,
    part: Part<'a>,
}

impl<'a> Held<'a> {
    /// The name under which Go has registered its type.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// A look at it.
    pub fn view(&self) -> View<'a> {
        self.part.view()
    }

    /// Its type.
    pub fn gob_type(&self) -> Type {
        Type { graph: self.part.graph.clone(), root: self.part.elem }
    }
}

impl PartialEq for Items<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.clone().eq(other.clone())
    }
}

impl PartialEq for Entries<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.clone().eq(other.clone())
    }
}

impl PartialEq for Fields<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.clone().eq(other.clone())
    }
}

impl PartialEq for Held<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.gob_type() == other.gob_type() && self.view() == other.view()
    }
}

impl fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            View::Nil => f.write_str("nil"),
            View::Bool(value) => write!(f, "{value}"),
            View::Int(value) => write!(f, "{value}"),
            View::Uint(value) => write!(f, "{value}"),
            View::Float(value) => write!(f, "{value:?}"),
            View::Complex(real, imaginary) => write!(f, "({real:?}{imaginary:+?}i)"),
            View::String(value) => write!(f, "{value:?}"),
            View::Bytes(bytes) | View::Opaque(bytes) => write!(f, "b\"{}\"", bytes.escape_ascii()),
            View::Items(items) => f.debug_list().entries(items.clone()).finish(),
            View::Map(entries) => f.debug_map().entries(entries.clone()).finish(),
            View::Struct(fields) => {
                let mut shown = f.debug_struct("");
                for (name, value) in fields.clone() {
                    shown.field(name, &value);
                }
                shown.finish()
            }
            View::Held(held) => write!(f, "{}({:?})", held.name, held.view()),
        }
    }
}

macro_rules! debug {
    ($($view:ident)*) => {
        $(impl fmt::Debug for $view<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_list().entries(self.clone()).finish()
            }
        })*
    };
}

debug! { Items Entries Fields }

impl fmt::Debug for Held<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({:?})", self.name, self.view())
    }
}
