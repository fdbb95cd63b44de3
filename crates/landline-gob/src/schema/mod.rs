//! Types: what a Rust type is in Go's terms, what an encoder has to describe, what a peer has described.
//!
//! A [`Graph`] holds types that refer to each other by their place in it, so that types may be recursive.

pub(crate) mod graph;
mod names;
mod parse;
mod public;
mod same;
mod walk;

pub(crate) use graph::{
    Content, Elem, Field, Format, Graph, Local, Method, Naming, Node, Shape, Tag, Variant, basic, basics,
};
pub(crate) use names::go_name;
pub(crate) use parse::{naming, naming_text};
pub(crate) use same::same;
pub(crate) use walk::{children, holds_interface, reachable, relatives};

pub use public::{StructFields, Type, TypeKind};
