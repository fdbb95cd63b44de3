//! How a type is described to the peer: as a value of a struct that both sides know.

use std::sync::atomic::Ordering::Relaxed;

use crate::number::{put_int, put_uint};
use crate::schema::{Elem, Field, Method, Shape};

/// Writes the body of a message that defines the type `id`.
///
/// `own` is the id that the description repeats, `name` the name in it, and `id_of` knows the ids of its parts.
pub(super) fn put(
    body: &mut Vec<u8>,
    id: i64,
    own: i64,
    name: &str,
    shape: &Shape,
    id_of: impl Fn(Elem) -> i64,
) {
    put_int(body, -id);
    // The struct has one field for each kind of type, of which one is there: 1 more than its number is its delta.
    let kind = match shape {
        Shape::Array { .. } => 1,
        Shape::Slice { .. } => 2,
        Shape::Struct { .. } => 3,
        Shape::Map { .. } => 4,
        Shape::Opaque(format) => match format.by {
            Method::Gob => 5,
            Method::Binary => 6,
            Method::Text => 7,
        },
        _ => unreachable!("all other types are known to both sides"),
    };
    put_uint(body, kind);
    common(body, name, own);
    match shape {
        Shape::Array { elem, len } => {
            put_uint(body, 1);
            put_int(body, id_of(*elem));
            if *len > 0 {
                put_uint(body, 1);
                put_int(body, i64::try_from(*len).unwrap_or(i64::MAX));
            }
        }
        Shape::Slice { elem, .. } => {
            put_uint(body, 1);
            put_int(body, id_of(*elem));
        }
        Shape::Struct { fields, .. } if !fields.is_empty() => {
            put_uint(body, 1);
            put_uint(body, fields.len() as u64);
            for field in fields {
                text(body, 1, sent_name(field));
                put_uint(body, 1);
                put_int(body, id_of(field.elem));
                body.push(0);
            }
        }
        Shape::Map { key, value, .. } => {
            put_uint(body, 1);
            put_int(body, id_of(*key));
            put_uint(body, 1);
            put_int(body, id_of(*value));
        }
        _ => {}
    }
    body.extend([0, 0]);
}

/// The first field of each: the name, which may be empty, and the id.
fn common(body: &mut Vec<u8>, name: &str, id: i64) {
    put_uint(body, 1);
    if name.is_empty() {
        put_uint(body, 2);
    } else {
        text(body, 1, name);
        put_uint(body, 1);
    }
    put_int(body, id);
    body.push(0);
}

fn text(body: &mut Vec<u8>, delta: u64, text: &str) {
    put_uint(body, delta);
    put_uint(body, text.len() as u64);
    body.extend_from_slice(text.as_bytes());
}

/// Of a field's names, the one by which it was given when that was seen; from now on it is no other.
fn sent_name(field: &Field) -> &str {
    match field.chosen.compare_exchange(0, 1, Relaxed, Relaxed) {
        Err(number) if number > 1 => &field.aliases[number - 2],
        _ => &field.name,
    }
}
