//! Dynamic values: the bytes as they came, but for what is between them where interfaces hold something.

use std::sync::Arc;

use super::plan::At;
use super::session::Session;
use crate::error::Error;
use crate::number::put_uint;
use crate::schema::{Elem, Shape};
use crate::value::Value;

/// Takes the value that comes next as a dynamic one.
pub(super) fn value(s: &mut Session<'_, '_>, at: At) -> Result<Value, Error> {
    let elem = Elem { node: at.node, tag: at.tag, pointers: 0 };
    let holds = s.types.holds_interface(elem);
    let before = s.rest;
    let bytes = if holds {
        let mut bytes = Vec::new();
        copy(s, elem, &mut bytes)?;
        bytes.into()
    } else {
        s.skip(at)?;
        Arc::from(&before[..before.len() - s.rest.len()])
    };
    s.charge(size_of::<Value>() + before.len() - s.rest.len())?;
    Ok(Value { graph: s.types.graph.clone(), elem, bytes, holds_interface: holds, is_declared: false })
}

/// Copies a value: what an interface holds is there by the place of its type, without lengths and descriptions.
fn copy(s: &mut Session<'_, '_>, elem: Elem, out: &mut Vec<u8>) -> Result<(), Error> {
    let before = s.rest;
    match &s.types.graph.node(elem.node).shape {
        Shape::Interface { .. } => match s.content()? {
            None => out.push(0),
            Some((name, elem)) => {
                put_uint(out, name.len() as u64);
                out.extend_from_slice(name.as_bytes());
                put_uint(out, elem.node.into());
                s.descend()?;
                copy(s, elem, out)?;
                s.ascend();
            }
        },
        Shape::Slice { elem, .. } => items(s, *elem, None, out)?,
        Shape::Array { elem, len } => items(s, *elem, Some(*len), out)?,
        Shape::Map { key, value, .. } => {
            let count = s.count()?;
            put_uint(out, count as u64);
            s.descend()?;
            for _ in 0..count {
                copy(s, *key, out)?;
                copy(s, *value, out)?;
            }
            s.ascend();
        }
        Shape::Struct { fields, .. } => {
            s.descend()?;
            let mut last = None;
            while let Some(number) = s.next_field(last, fields.len())? {
                put_uint(out, u64::from(number) + 1 - last.map_or(0, |last| u64::from(last) + 1));
                last = Some(number);
                let field = &fields[number as usize];
                copy(s, field.elem, out).map_err(|error| error.at_field(&field.name))?;
            }
            out.push(0);
            s.ascend();
        }
        _ => {
            s.skip(At::new(elem, 0))?;
            out.extend_from_slice(&before[..before.len() - s.rest.len()]);
        }
    }
    Ok(())
}

fn items(s: &mut Session<'_, '_>, elem: Elem, len: Option<usize>, out: &mut Vec<u8>) -> Result<(), Error> {
    let count = s.count_of(len)?;
    put_uint(out, count as u64);
    s.descend()?;
    for _ in 0..count {
        copy(s, elem, out)?;
    }
    s.ascend();
    Ok(())
}
