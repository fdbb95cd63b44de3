//! When two types of different graphs are one.

use std::collections::HashSet;

use super::graph::{Content, Elem, Graph, Node, Shape};

/// Whether two types are called the same and are made of the same, all the way down.
///
/// Recursive types are the same when nothing that can be reached differs.
pub(crate) fn same(graph: &Graph, place: u32, other: &Graph, other_place: u32) -> bool {
    let mut seen = HashSet::new();
    let mut open = vec![(place, other_place)];
    while let Some(pair) = open.pop() {
        if !seen.insert(pair) {
            continue;
        }
        let (Some(a), Some(b)) = (graph.find(pair.0), other.find(pair.1)) else { return false };
        let Some(pairs) = alike(a, b) else { return false };
        for (a, b) in pairs {
            if a.pointers != b.pointers || a.tag != b.tag {
                return false;
            }
            open.push((a.node, b.node));
        }
    }
    true
}

/// The pairs that have to be the same too, or nothing when the types differ in themselves.
fn alike(a: &Node, b: &Node) -> Option<Vec<(Elem, Elem)>> {
    if a.naming != b.naming {
        return None;
    }
    let pairs = match (&a.shape, &b.shape) {
        (Shape::Bool, Shape::Bool) | (Shape::Text, Shape::Text) | (Shape::Bytes, Shape::Bytes) => Vec::new(),
        (Shape::Int(a), Shape::Int(b))
        | (Shape::Uint(a), Shape::Uint(b))
        | (Shape::Float(a), Shape::Float(b))
        | (Shape::Complex(a), Shape::Complex(b))
            if a == b =>
        {
            Vec::new()
        }
        (Shape::Interface { variants: a, open: a_open }, Shape::Interface { variants: b, open: b_open })
            if a_open == b_open && a.len() == b.len() =>
        {
            let mut pairs = Vec::new();
            for (a, b) in a.iter().zip(b) {
                match (&a.content, &b.content) {
                    (Content::Type(a_type), Content::Type(b_type)) if a.name == b.name => {
                        pairs.push((*a_type, *b_type));
                    }
                    (Content::Unsupported(_), Content::Unsupported(_)) if a.name == b.name => {}
                    _ => return None,
                }
            }
            pairs
        }
        (Shape::Slice { elem: a, .. }, Shape::Slice { elem: b, .. }) => vec![(*a, *b)],
        (Shape::Array { elem: a, len: a_len }, Shape::Array { elem: b, len: b_len }) if a_len == b_len => {
            vec![(*a, *b)]
        }
        (Shape::Map { key: a_key, value: a_value, .. }, Shape::Map { key: b_key, value: b_value, .. }) => {
            vec![(*a_key, *b_key), (*a_value, *b_value)]
        }
        (Shape::Struct { fields: a, .. }, Shape::Struct { fields: b, .. }) if a.len() == b.len() => {
            let mut pairs = Vec::new();
            for (a, b) in a.iter().zip(b) {
                if a.name != b.name || a.aliases != b.aliases {
                    return None;
                }
                pairs.push((a.elem, b.elem));
            }
            pairs
        }
        (Shape::Opaque(a), Shape::Opaque(b)) if a == b => Vec::new(),
        _ => return None,
    };
    Some(pairs)
}
