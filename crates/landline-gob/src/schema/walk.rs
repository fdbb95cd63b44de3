//! Going through types without recursion, because a peer may have described them.

use super::graph::{Content, Elem, Graph, Shape};

/// The types that are part of the description of a type, in the order in which Go describes them.
pub(crate) fn children(shape: &Shape) -> Vec<Elem> {
    match shape {
        Shape::Slice { elem, .. } | Shape::Array { elem, .. } => vec![*elem],
        Shape::Map { key, value, .. } => vec![*key, *value],
        Shape::Struct { fields, .. } => fields.iter().map(|field| field.elem).collect(),
        _ => Vec::new(),
    }
}

/// The same, with what interfaces may hold.
pub(crate) fn relatives(shape: &Shape) -> Vec<Elem> {
    match shape {
        Shape::Interface { variants, .. } => variants
            .iter()
            .filter_map(|variant| match &variant.content {
                Content::Type(elem) => Some(*elem),
                Content::Unsupported(_) => None,
            })
            .collect(),
        shape => children(shape),
    }
}

/// All that can be reached from a type, itself first, parents before children.
pub(crate) fn reachable(graph: &Graph, root: u32, next: impl Fn(&Shape) -> Vec<Elem>) -> Vec<u32> {
    let mut seen = vec![false; graph.len()];
    let mut found = Vec::new();
    let mut open = vec![root];
    while let Some(place) = open.pop() {
        if std::mem::replace(&mut seen[place as usize], true) {
            continue;
        }
        found.push(place);
        if let Some(node) = graph.find(place) {
            open.extend(next(&node.shape).iter().rev().map(|elem| elem.node));
        }
    }
    found
}

/// Whether values of a type may hold interface values, and so bring types of their own.
pub(crate) fn holds_interface(graph: &Graph, root: u32) -> bool {
    reachable(graph, root, children)
        .into_iter()
        .any(|place| matches!(graph.find(place), Some(node) if matches!(node.shape, Shape::Interface { .. })))
}
