//! The type that users see.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::Deserialize;

use super::graph::{Elem, Graph, Naming, Shape};
use super::{names, parse};
use crate::error::Error;
use crate::trace;

/// A gob type: that of a Rust type, one written out in Go's syntax, or one that a peer has described.
///
/// ```
/// use landline_gob::Type;
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// #[serde(rename_all = "PascalCase")]
/// struct Args {
///     a: isize,
///     b: Vec<String>,
/// }
///
/// let of_rust = Type::of::<Args>()?;
/// let written: Type = "Args struct { A int; B []string }".parse()?;
/// assert_eq!(of_rust.to_string(), "Args struct { A int; B []string }");
/// assert_eq!(of_rust, written);
/// # Ok::<(), landline_gob::Error>(())
/// ```
///
/// The syntax is Go's. A name followed by a type defines it, there where it is used first; `interface {}` or `any` is an
/// interface. The types that this crate has ready, such as `time.Time`, are known by their names in Go.
#[derive(Clone)]
pub struct Type {
    pub(crate) graph: Arc<Graph>,
    pub(crate) root: Elem,
}

/// What a [`Type`] is, and what it is made of.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TypeKind<'a> {
    /// `bool`
    Bool,
    /// A signed integer of any size.
    Int,
    /// An unsigned integer of any size.
    Uint,
    /// A float of any size.
    Float,
    /// A complex number of any size.
    Complex,
    /// `string`
    String,
    /// `[]byte`
    Bytes,
    /// Any interface type.
    Interface,
    /// `[]T`
    Slice(Type),
    /// `[N]T`, with N.
    Array(Type, usize),
    /// `map[K]V`
    Map(Type, Type),
    /// `struct { … }`
    Struct(StructFields<'a>),
    /// A type that Go encodes by a method of its own, `GobEncode`, `MarshalBinary` or `MarshalText`: bytes.
    Opaque,
    /// A Rust type that has no like in gob; the text says why.
    Unsupported(&'a str),
}

/// The fields of a struct in order: the name and type of each.
#[derive(Clone)]
pub struct StructFields<'a> {
    of: &'a Type,
    next: usize,
}

impl Type {
    /// The type that a Rust type is in gob.
    ///
    /// Found by watching what `T::deserialize` asks for, once in the life of the program.
    ///
    /// # Errors
    ///
    /// When nothing in gob is like the type, as with tuples of different types and 128-bit integers, or when it accepts none
    /// of the values with which it is tried.
    pub fn of<T: Deserialize<'static>>() -> Result<Type, Error> {
        trace::type_of::<T>()
    }

    /// The name of a named type, without its package.
    pub fn name(&self) -> Option<&str> {
        match &self.graph.find(self.root.node)?.naming {
            Naming::Unnamed => None,
            Naming::Go { name, .. } | Naming::Wire(name) => {
                Some(name).map(|name| &**name).filter(|name| !name.is_empty())
            }
        }
    }

    /// What it is.
    pub fn kind(&self) -> TypeKind<'_> {
        let of = |elem: &Elem| Type { graph: self.graph.clone(), root: *elem };
        match &self.graph.node(self.root.node).shape {
            Shape::Bool => TypeKind::Bool,
            Shape::Int(_) => TypeKind::Int,
            Shape::Uint(_) => TypeKind::Uint,
            Shape::Float(_) => TypeKind::Float,
            Shape::Complex(_) => TypeKind::Complex,
            Shape::Text => TypeKind::String,
            Shape::Bytes => TypeKind::Bytes,
            Shape::Interface { .. } => TypeKind::Interface,
            Shape::Slice { elem, .. } => TypeKind::Slice(of(elem)),
            Shape::Array { elem, len } => TypeKind::Array(of(elem), *len),
            Shape::Map { key, value, .. } => TypeKind::Map(of(key), of(value)),
            Shape::Struct { .. } => TypeKind::Struct(StructFields { of: self, next: 0 }),
            Shape::Opaque(_) => TypeKind::Opaque,
            Shape::Unsupported(why) => TypeKind::Unsupported(why),
        }
    }
}

impl<'a> Iterator for StructFields<'a> {
    type Item = (&'a str, Type);

    fn next(&mut self) -> Option<(&'a str, Type)> {
        let field = self.of.graph.fields(self.of.root.node).get(self.next)?;
        self.next += 1;
        Some((&field.name, Type { graph: self.of.graph.clone(), root: field.elem }))
    }
}

impl fmt::Debug for StructFields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.clone()).finish()
    }
}

impl fmt::Display for Type {
    /// In Go's syntax, which [`Type::from_str`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        names::write_definition(&self.graph, self.root, f)
    }
}

impl fmt::Debug for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Type({self})")
    }
}

impl PartialEq for Type {
    /// Whether the two are called the same and are made of the same, all the way down.
    fn eq(&self, other: &Type) -> bool {
        self.root.pointers == other.root.pointers
            && super::same(&self.graph, self.root.node, &other.graph, other.root.node)
    }
}

impl FromStr for Type {
    type Err = Error;

    fn from_str(text: &str) -> Result<Type, Error> {
        parse::parse(text)
    }
}
