//! Going through the bytes of a dynamic value.
//!
//! They are gob, but for interfaces: those hold the name of a type, the place of the type in the graph, and the value.
//! They were checked when the value was made, so errors here are for the compiler.

use crate::error::{Error, ErrorKind};
use crate::number::take_uint;
use crate::schema::{Elem, Graph, Shape, Tag};

#[cold]
pub(crate) fn broken() -> Error {
    ErrorKind::Corrupt("a dynamic value that is broken").into()
}

/// Whether a type may be or have an interface, as far as can be told without looking.
pub(crate) fn may_hold_interface(tag: Tag) -> bool {
    tag.is_composite() || tag == Tag::Interface
}

pub(crate) fn counted<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], Error> {
    let count = take_uint(bytes)? as usize;
    let (counted, rest) = bytes.split_at_checked(count).ok_or_else(broken)?;
    *bytes = rest;
    Ok(counted)
}

/// The name and type of what an interface holds, which must not be nil.
pub(crate) fn content<'a>(graph: &Graph, bytes: &mut &'a [u8]) -> Result<(&'a [u8], Elem), Error> {
    let name = counted(bytes)?;
    let place = u32::try_from(take_uint(bytes)?).map_err(|_| broken())?;
    if graph.find(place).is_none() {
        return Err(broken());
    }
    Ok((name, graph.elem(place)))
}

/// The field that comes next, after the one of the number `last`; nothing at the end.
pub(crate) fn field(bytes: &mut &[u8], last: &mut Option<usize>) -> Result<Option<usize>, Error> {
    match take_uint(bytes)? as usize {
        0 => Ok(None),
        delta => {
            *last = Some(last.map_or(delta - 1, |last| last + delta));
            Ok(*last)
        }
    }
}

/// Passes over a value.
pub(crate) fn skip(graph: &Graph, elem: Elem, bytes: &mut &[u8]) -> Result<(), Error> {
    match &graph.node(elem.node).shape {
        Shape::Bool | Shape::Int(_) | Shape::Uint(_) | Shape::Float(_) => {
            take_uint(bytes)?;
        }
        Shape::Complex(_) => {
            take_uint(bytes)?;
            take_uint(bytes)?;
        }
        Shape::Text | Shape::Bytes | Shape::Opaque(_) => {
            counted(bytes)?;
        }
        Shape::Interface { .. } if bytes.first() == Some(&0) => *bytes = &bytes[1..],
        Shape::Interface { .. } => {
            let (_, elem) = content(graph, bytes)?;
            skip(graph, elem, bytes)?;
        }
        Shape::Slice { elem, .. } | Shape::Array { elem, .. } => {
            for _ in 0..take_uint(bytes)? {
                skip(graph, *elem, bytes)?;
            }
        }
        Shape::Map { key, value, .. } => {
            for _ in 0..take_uint(bytes)? {
                skip(graph, *key, bytes)?;
                skip(graph, *value, bytes)?;
            }
        }
        Shape::Struct { fields, .. } => {
            let mut last = None;
            while let Some(number) = field(bytes, &mut last)? {
                skip(graph, fields.get(number).ok_or_else(broken)?.elem, bytes)?;
            }
        }
        Shape::Unsupported(_) => return Err(broken()),
    }
    Ok(())
}
