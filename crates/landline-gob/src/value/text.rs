//! Texts that stand for bytes in formats that have only texts.

use super::base64;
use crate::error::Error;
use crate::go;
use crate::schema::{Elem, Graph, Naming, Shape, go_name, naming_text};

/// The bytes of a type that was encoded by a method of its own, or of a `[]byte`, from the text for them.
pub(crate) fn bytes_of_text(graph: &Graph, elem: Elem, text: &str) -> Result<Vec<u8>, Error> {
    let node = graph.node(elem.node);
    let name = naming_text(&node.naming);
    if matches!(node.shape, Shape::Opaque(_))
        && let Some(bytes) = go::bytes_of_text(&name, text)
    {
        return bytes.map_err(|why| Error::mismatch(name, format!("{text:?}: {why}")));
    }
    let wanted = || format!("base64 for {}", go_name(graph, elem, "main"));
    base64::decode(text).ok_or_else(|| Error::mismatch(wanted(), format!("{text:?}")))
}

/// The text for such bytes.
pub(super) fn text_of_bytes(graph: &Graph, elem: Elem, bytes: &[u8]) -> String {
    let node = graph.node(elem.node);
    let known = match &node.naming {
        Naming::Go { package: Some(package), name } => go::text_of_bytes(&format!("{package}.{name}"), bytes),
        Naming::Wire(name) => go::text_of_bytes(name, bytes),
        _ => None,
    };
    known.filter(|_| matches!(node.shape, Shape::Opaque(_))).unwrap_or_else(|| base64::encode(bytes))
}

/// The number that such bytes are, where they are one in Go's JSON and it fits.
pub(super) fn number_of_bytes(graph: &Graph, elem: Elem, bytes: &[u8]) -> Option<i128> {
    let node = graph.node(elem.node);
    matches!(node.shape, Shape::Opaque(_)).then(|| go::number_of_bytes(&naming_text(&node.naming), bytes))?
}

/// The bytes of the zero value of a type that is ready here.
pub(super) fn zero_bytes(graph: &Graph, elem: Elem) -> Option<Vec<u8>> {
    go::zero_bytes(&naming_text(&graph.node(elem.node).naming))
}
