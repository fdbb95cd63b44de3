//! Types as Go writes them.

use std::fmt::{self, Write as _};

use super::graph::{Elem, Graph, Method, Naming, Shape, basic};
use crate::go;

/// A type without a name of its own cannot contain itself in Go; in Rust it can.
const DEEPEST: usize = 64;
/// Nor can its name be of any length; but types that a peer has described can be in each other so often that theirs has
/// no end in sight. Bytes of a name, and of a definition, from which on the rest is left out.
const LONGEST_NAME: usize = 16 << 10;
const LONGEST_DEFINITION: usize = 256 << 10;

/// The name by which Go knows a type: `[]*main.Point`, `map[string]int`.
///
/// `package` is that of named types that do not say theirs.
pub(crate) fn go_name(graph: &Graph, elem: Elem, package: &str) -> String {
    let mut out = String::new();
    write_name(graph, elem, package, 0, &mut out);
    out
}

fn write_name(graph: &Graph, elem: Elem, package: &str, depth: usize, out: &mut String) {
    out.extend(std::iter::repeat_n('*', elem.pointers.into()));
    if let Some(word) = basic::WORDS.get(elem.node as usize) {
        out.push_str(word);
        return;
    }
    let is_long = depth >= DEEPEST || out.len() >= LONGEST_NAME;
    let Some(node) = graph.find(elem.node).filter(|_| !is_long) else {
        out.push_str("...");
        return;
    };
    match &node.naming {
        Naming::Go { package: own, name } => {
            out.push_str(own.as_deref().unwrap_or(package));
            out.push('.');
            out.push_str(name);
            return;
        }
        // The name of what is written out says how a peer came upon it, and not what it is.
        Naming::Wire(name) if is_identifier(name) => {
            out.push_str(name);
            return;
        }
        Naming::Wire(_) | Naming::Unnamed => {}
    }
    match &node.shape {
        Shape::Slice { elem, .. } => {
            out.push_str("[]");
            write_name(graph, *elem, package, depth + 1, out);
        }
        Shape::Array { elem, len } => {
            let _ = write!(out, "[{len}]");
            write_name(graph, *elem, package, depth + 1, out);
        }
        Shape::Map { key, value, .. } => {
            out.push_str("map[");
            write_name(graph, *key, package, depth + 1, out);
            out.push(']');
            write_name(graph, *value, package, depth + 1, out);
        }
        Shape::Struct { fields, .. } if fields.is_empty() => out.push_str("struct {}"),
        Shape::Struct { fields, .. } => {
            for (number, field) in fields.iter().enumerate() {
                out.push_str(if number == 0 { "struct { " } else { "; " });
                out.push_str(&field.name);
                out.push(' ');
                write_name(graph, field.elem, package, depth + 1, out);
                if out.len() >= LONGEST_NAME {
                    break;
                }
            }
            out.push_str(" }");
        }
        shape => out.push_str(plain(shape)),
    }
}

/// The word for a shape without parts.
fn plain(shape: &Shape) -> &'static str {
    match shape {
        Shape::Int(8) => "int8",
        Shape::Int(16) => "int16",
        Shape::Int(32) => "int32",
        Shape::Int(_) => "int64",
        Shape::Uint(8) => "uint8",
        Shape::Uint(16) => "uint16",
        Shape::Uint(32) => "uint32",
        Shape::Uint(_) => "uint64",
        Shape::Float(32) => "float32",
        Shape::Float(_) => "float64",
        Shape::Complex(64) => "complex64",
        Shape::Complex(_) => "complex128",
        Shape::Bytes => "[]uint8",
        Shape::Interface { .. } => "interface {}",
        Shape::Opaque(format) => method(format.by),
        Shape::Bool => "bool",
        Shape::Text => "string",
        _ => "...",
    }
}

/// What stands for a type that is encoded by a method of its own.
pub(crate) fn method(by: Method) -> &'static str {
    match by {
        Method::Gob => "GobEncoder",
        Method::Binary => "BinaryMarshaler",
        Method::Text => "TextMarshaler",
    }
}

pub(crate) fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && chars.all(|c| c.is_alphanumeric() || c == '_' || c == '.')
        && name != "struct"
        && name != "map"
}

/// Writes a type as its definition: named types once with what they are, and then by their names.
pub(crate) fn write_definition(graph: &Graph, elem: Elem, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut out = Bounded { f, left: LONGEST_DEFINITION, is_full: false };
    let written = Definition { graph, written: vec![false; graph.len()] }.elem(elem, 0, &mut out);
    match written {
        Err(_) if out.is_full => f.write_str("..."),
        written => written,
    }
}

/// Writes so many bytes, and refuses more.
struct Bounded<'a, 'f> {
    f: &'a mut fmt::Formatter<'f>,
    left: usize,
    is_full: bool,
}

impl fmt::Write for Bounded<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        match self.left.checked_sub(text.len()) {
            Some(left) => {
                self.left = left;
                self.f.write_str(text)
            }
            None => {
                self.is_full = true;
                Err(fmt::Error)
            }
        }
    }
}

struct Definition<'a> {
    graph: &'a Graph,
    written: Vec<bool>,
}

impl Definition<'_> {
    fn elem(&mut self, elem: Elem, depth: usize, f: &mut Bounded<'_, '_>) -> fmt::Result {
        for _ in 0..elem.pointers {
            f.write_char('*')?;
        }
        if let Some(word) = basic::WORDS.get(elem.node as usize) {
            return f.write_str(word);
        }
        let graph = self.graph;
        let Some(node) = graph.find(elem.node).filter(|_| depth < DEEPEST) else { return f.write_str("...") };
        let name = match &node.naming {
            Naming::Go { package: Some(package), name } => Some(format!("{package}.{name}")),
            Naming::Go { package: None, name } => Some(name.to_string()),
            Naming::Wire(name) if is_identifier(name) => Some(name.to_string()),
            _ => None,
        };
        if let Some(name) = name {
            f.write_str(&name)?;
            if std::mem::replace(&mut self.written[elem.node as usize], true) {
                return Ok(());
            }
            if matches!(node.shape, Shape::Opaque(_)) && go::format_of(&name).is_some() {
                return Ok(());
            }
            f.write_char(' ')?;
        }
        match &node.shape {
            Shape::Slice { elem, .. } => {
                f.write_str("[]")?;
                self.elem(*elem, depth + 1, f)
            }
            Shape::Array { elem, len } => {
                write!(f, "[{len}]")?;
                self.elem(*elem, depth + 1, f)
            }
            Shape::Map { key, value, .. } => {
                f.write_str("map[")?;
                self.elem(*key, depth + 1, f)?;
                f.write_char(']')?;
                self.elem(*value, depth + 1, f)
            }
            Shape::Struct { fields, .. } if fields.is_empty() => f.write_str("struct {}"),
            Shape::Struct { fields, .. } => {
                for (number, field) in fields.iter().enumerate() {
                    f.write_str(if number == 0 { "struct { " } else { "; " })?;
                    write!(f, "{} ", field.name)?;
                    self.elem(field.elem, depth + 1, f)?;
                }
                f.write_str(" }")
            }
            Shape::Interface { variants, .. } if !variants.is_empty() => {
                let names: Vec<&str> = variants.iter().map(|variant| &*variant.name).collect();
                write!(f, "interface {{ {} }}", names.join(" | "))
            }
            shape => f.write_str(plain(shape)),
        }
    }
}
