//! Dynamic values.

use std::sync::Arc;

use super::pen::Pen;
use super::position::Position;
use super::ser::Ser;
use crate::error::Error;
use crate::number::take_uint;
use crate::schema::{Elem, Graph, Naming, Shape, Tag, go_name};
use crate::value::{Value, slot, walk};

/// Writes the dynamic value that is on its way through serde.
#[cold]
pub(super) fn put<P: Position>(ser: Ser<'_, P>) -> Result<(), Error> {
    let value = slot::take().ok_or_else(|| Error::unsupported("a dynamic value that is not one"))?;
    if ser.elem.tag != Tag::Interface {
        return Err(Error::mismatch(ser.name(), "a dynamic value, which is for interfaces"));
    }
    let mut bytes = value.bytes();
    if value.elem.tag == Tag::Interface {
        if bytes == [0] {
            return ser.nothing();
        }
        let Ser { pen, position, .. } = ser;
        position.open(pen);
        return content(&value.graph, &mut bytes, pen);
    }
    let name = registered(&value)?;
    let Ser { pen, position, .. } = ser;
    position.open(pen);
    pen.counted(name.as_bytes());
    let elem = pen.place_of(&value.graph, value.elem.node)?;
    pen.begin_content(elem);
    copy(&value.graph, value.elem, &mut bytes, pen)?;
    pen.end_content();
    Ok(())
}

/// The name under which Go has registered a type of its own, from the start or by convention.
fn registered(value: &Value) -> Result<String, Error> {
    match &value.graph.node(value.elem.node).naming {
        Naming::Go { name, .. } | Naming::Wire(name) if !name.is_empty() && value.elem.tag == Tag::Struct => {
            Err(Error::unsupported(format!(
                "{name} in an interface needs a registered name: Value::registered"
            )))
        }
        // Integers of the wire have no size; those of the basic types have.
        _ => Ok(go_name(&value.graph, Elem { pointers: 0, ..value.elem }, "main")),
    }
}

/// Writes a value that is not nil, with what it holds and so brings into interfaces.
pub(super) fn copy(graph: &Arc<Graph>, elem: Elem, bytes: &mut &[u8], pen: &mut Pen) -> Result<(), Error> {
    let whole = *bytes;
    match &graph.node(elem.node).shape {
        Shape::Interface { .. } => match bytes.first() {
            Some(0) => {
                walk::skip(graph, elem, bytes)?;
                pen.bytes.push(0);
            }
            _ => content(graph, bytes, pen)?,
        },
        Shape::Slice { elem, .. } | Shape::Array { elem, .. } if walk::may_hold_interface(elem.tag) => {
            let count = take_uint(bytes)?;
            pen.uint(count);
            pen.descend()?;
            for _ in 0..count {
                copy(graph, *elem, bytes, pen)?;
            }
            pen.ascend();
        }
        Shape::Map { key, value, .. } => {
            let count = take_uint(bytes)?;
            pen.uint(count);
            pen.descend()?;
            for _ in 0..count {
                copy(graph, *key, bytes, pen)?;
                copy(graph, *value, bytes, pen)?;
            }
            pen.ascend();
        }
        Shape::Struct { fields, .. } => {
            pen.descend()?;
            let mut number = usize::MAX;
            loop {
                let delta = take_uint(bytes)?;
                pen.uint(delta);
                if delta == 0 {
                    break;
                }
                number = number.wrapping_add(delta as usize);
                let field = fields.get(number).ok_or_else(walk::broken)?;
                copy(graph, field.elem, bytes, pen)?;
            }
            pen.ascend();
        }
        _ => {
            walk::skip(graph, elem, bytes)?;
            pen.bytes.extend_from_slice(&whole[..whole.len() - bytes.len()]);
        }
    }
    Ok(())
}

/// What an interface holds: the registered name, the place of the type, the value.
fn content(graph: &Arc<Graph>, bytes: &mut &[u8], pen: &mut Pen) -> Result<(), Error> {
    let (name, elem) = walk::content(graph, bytes)?;
    pen.counted(name);
    let local = pen.place_of(graph, elem.node)?;
    pen.descend()?;
    pen.begin_content(local);
    copy(graph, elem, bytes, pen)?;
    pen.end_content();
    pen.ascend();
    Ok(())
}
