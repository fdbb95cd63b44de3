//! Types written in Go's syntax.

use std::collections::HashMap;
use std::sync::Arc;

use super::graph::{Elem, Field, Format, Graph, Method, Naming, Node, Shape, Tag, basic};
use super::public::Type;
use crate::error::{Error, ErrorKind};
use crate::go;

/// Deeper than anyone writes by hand.
const DEEPEST: usize = 64;

/// Reads a whole text as one type.
pub(super) fn parse(text: &str) -> Result<Type, Error> {
    let mut parser = Parser {
        text,
        rest: text,
        graph: Graph::new(),
        names: HashMap::new(),
        undefined: Vec::new(),
        depth: 0,
    };
    let root = parser.elem()?;
    parser.space();
    if !parser.rest.is_empty() {
        return Err(parser.expected("the end"));
    }
    if let Some(name) = parser.undefined.first() {
        return Err(ErrorKind::Other(format!("{text}: {name} is not defined")).into());
    }
    Ok(Type { graph: Arc::new(parser.graph), root })
}

struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
    graph: Graph,
    names: HashMap<&'a str, Elem>,
    undefined: Vec<&'a str>,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn elem(&mut self) -> Result<Elem, Error> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.expected("fewer types within types"));
        }
        let elem = self.elem_within();
        self.depth -= 1;
        elem
    }

    fn elem_within(&mut self) -> Result<Elem, Error> {
        self.space();
        if self.eat("*") {
            let mut elem = self.elem()?;
            elem.pointers = elem.pointers.saturating_add(1);
            return Ok(elem);
        }
        if self.rest.starts_with(['[']) {
            let shape = self.slice_or_array()?;
            return Ok(self.unnamed(shape));
        }
        let word = self.word().ok_or_else(|| self.expected("a type"))?;
        match word {
            "map" => {
                let shape = self.map()?;
                Ok(self.unnamed(shape))
            }
            "struct" => {
                let shape = self.structure()?;
                Ok(self.unnamed(shape))
            }
            "interface" => {
                self.must("{")?;
                self.must("}")?;
                Ok(basic::ANY)
            }
            name => self.named(name),
        }
    }

    fn unnamed(&mut self, shape: Shape) -> Elem {
        match shape {
            Shape::Bytes => basic::BYTES,
            shape => self.graph.push(Node { naming: Naming::Unnamed, shape }),
        }
    }

    fn slice_or_array(&mut self) -> Result<Shape, Error> {
        self.must("[")?;
        if self.eat("]") {
            let elem = self.elem()?;
            return Ok(match elem {
                basic::UINT8 => Shape::Bytes,
                elem => Shape::Slice { elem, size: 0 },
            });
        }
        let digits = self.rest.len() - self.rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let len = self.rest[..digits].parse().map_err(|_| self.expected("the length of an array"))?;
        self.rest = &self.rest[digits..];
        self.must("]")?;
        Ok(Shape::Array { elem: self.elem()?, len })
    }

    fn map(&mut self) -> Result<Shape, Error> {
        self.must("[")?;
        let key = self.elem()?;
        self.must("]")?;
        Ok(Shape::Map { key, value: self.elem()?, size: 0 })
    }

    fn structure(&mut self) -> Result<Shape, Error> {
        self.must("{")?;
        let mut fields: Vec<Field> = Vec::new();
        while !self.eat("}") {
            let mut names = Vec::new();
            loop {
                names.push(self.word().ok_or_else(|| self.expected("the name of a field"))?);
                if !self.eat(",") {
                    break;
                }
            }
            let elem = self.elem()?;
            for name in names {
                if fields.iter().any(|field| &*field.name == name) {
                    return Err(self.expected("fields of different names"));
                }
                fields.push(Field::new(name, elem));
            }
            if !self.eat(";") {
                self.must("}")?;
                break;
            }
        }
        Ok(Shape::Struct { fields: fields.into(), local: None })
    }

    /// A basic type, one of those that are ready, a name defined elsewhere, or one that is defined here.
    fn named(&mut self, name: &'a str) -> Result<Elem, Error> {
        let basic = match name {
            "byte" => Some(basic::UINT8),
            "rune" => Some(basic::INT32),
            "any" | "error" => Some(basic::ANY),
            word => basic::WORDS
                .iter()
                .position(|known| *known == word)
                .map(|place| self.graph.elem(place as u32)),
        };
        if let Some(elem) = basic {
            return Ok(elem);
        }
        let naming = naming(name);
        if let Some(format) = go::format_of(name) {
            if let Some(&elem) = self.names.get(name) {
                return Ok(elem);
            }
            let elem = self.graph.push(Node { naming, shape: Shape::Opaque(format) });
            self.names.insert(name, elem);
            return Ok(elem);
        }
        if !self.begins_type() {
            if let Some(&elem) = self.names.get(name) {
                return Ok(elem);
            }
            let elem = Elem { node: self.graph.reserve(), tag: Tag::Struct, pointers: 0 };
            self.undefined.push(name);
            self.names.insert(name, elem);
            return Ok(elem);
        }
        self.define(name, naming)
    }

    fn define(&mut self, name: &'a str, naming: Naming) -> Result<Elem, Error> {
        let place = match self.names.get(name) {
            Some(elem) if self.undefined.contains(&name) => elem.node,
            Some(_) => return Err(self.expected(&format!("{name} to be defined once"))),
            None => self.graph.reserve(),
        };
        self.undefined.retain(|undefined| *undefined != name);
        // Known while it is defined, for recursion; what it is can be told from how it begins.
        let tag = self.tag_ahead();
        if tag != Tag::Struct && self.names.contains_key(name) {
            return Err(self.expected(&format!("{name} to be defined where it is used first")));
        }
        let elem = Elem { node: place, tag, pointers: 0 };
        self.names.insert(name, elem);
        let shape = self.shape()?;
        if shape.tag() != tag {
            return Err(self.expected("a type that is written out"));
        }
        self.graph.fill(place, Node { naming, shape });
        Ok(elem)
    }

    /// What a name is defined as.
    fn shape(&mut self) -> Result<Shape, Error> {
        self.space();
        if self.rest.starts_with('[') {
            return self.slice_or_array();
        }
        let word = self.word().ok_or_else(|| self.expected("a type"))?;
        Ok(match word {
            "map" => self.map()?,
            "struct" => self.structure()?,
            "interface" => {
                self.must("{")?;
                self.must("}")?;
                Shape::Interface { variants: Box::default(), open: true }
            }
            "GobEncoder" => opaque(Method::Gob),
            "BinaryMarshaler" => opaque(Method::Binary),
            "TextMarshaler" => opaque(Method::Text),
            name => {
                let elem = self.named(name)?;
                match &self.graph.find(elem.node).map(|node| &node.shape) {
                    Some(Shape::Bool) => Shape::Bool,
                    Some(Shape::Int(bits)) => Shape::Int(*bits),
                    Some(Shape::Uint(bits)) => Shape::Uint(*bits),
                    Some(Shape::Float(bits)) => Shape::Float(*bits),
                    Some(Shape::Complex(bits)) => Shape::Complex(*bits),
                    Some(Shape::Text) => Shape::Text,
                    _ => return Err(self.expected("a type that is written out")),
                }
            }
        })
    }

    fn begins_type(&mut self) -> bool {
        self.space();
        self.rest.starts_with(|c: char| c == '[' || c.is_alphabetic() || c == '_')
    }

    fn tag_ahead(&mut self) -> Tag {
        let before = self.rest;
        let tag = match self.word() {
            None if before.starts_with("[]byte") || before.starts_with("[]uint8") => Tag::Bytes,
            None if before.starts_with("[]") => Tag::Slice,
            None => Tag::Array,
            Some("map") => Tag::Map,
            Some("struct") => Tag::Struct,
            Some("interface") => Tag::Interface,
            Some("GobEncoder" | "BinaryMarshaler" | "TextMarshaler") => Tag::Opaque,
            Some("byte") => Tag::Uint,
            Some("rune") => Tag::Int,
            Some(word) => match basic::WORDS.iter().position(|known| *known == word) {
                Some(place) => self.graph.elem(place as u32).tag,
                None => Tag::Unsupported,
            },
        };
        self.rest = before;
        tag
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, token: &str) -> bool {
        self.space();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn must(&mut self, token: &str) -> Result<(), Error> {
        if self.eat(token) { Ok(()) } else { Err(self.expected(token)) }
    }

    /// A word, which may be qualified by a package: `big.Int`.
    fn word(&mut self) -> Option<&'a str> {
        self.space();
        let end = self
            .rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.' || c == '/'))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        let begins = |c: char| c.is_alphabetic() || c == '_';
        if !word.starts_with(begins) {
            return None;
        }
        self.rest = rest;
        Some(word)
    }

    fn expected(&self, what: &str) -> Error {
        let at = self.text.len() - self.rest.len();
        ErrorKind::Other(format!("{}: expected {what} at character {}", self.text, at + 1)).into()
    }
}

fn opaque(by: Method) -> Shape {
    Shape::Opaque(Format { by, addressed: false, along: Box::default(), other_id: false })
}

/// A name and its package: `main.Point`; what follows a bracket are the arguments of a generic type.
pub(crate) fn naming(name: &str) -> Naming {
    if name.is_empty() {
        return Naming::Unnamed;
    }
    let end = name.find('[').unwrap_or(name.len());
    match name[..end].rfind('.') {
        Some(dot) => Naming::Go { package: Some(name[..dot].into()), name: name[dot + 1..].into() },
        None => Naming::Go { package: None, name: name.into() },
    }
}

/// The name that [`naming`] has read, or that a peer has given.
pub(crate) fn naming_text(naming: &Naming) -> String {
    match naming {
        Naming::Go { package: Some(package), name } => format!("{package}.{name}"),
        Naming::Go { package: None, name } | Naming::Wire(name) => name.to_string(),
        Naming::Unnamed => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).to_string()
    }

    #[test]
    fn what_is_written_is_read() {
        for text in [
            "int",
            "[]uint8",
            "[3]string",
            "map[string][]int",
            "Args struct { A int; B []string }",
            "Node struct { Value int; Next *Node; Kids []*Node }",
            "struct { T time.Time; B *big.Int; Again time.Time }",
            "Names []string",
            "Color uint8",
            "shapes.Square struct { Side float64; Any interface {} }",
            "struct {}",
            "Op GobEncoder",
        ] {
            assert_eq!(shown(&shown(text)), shown(text), "{text}");
        }
        assert_eq!(shown(" struct{A,B int;C []byte;}"), "struct { A int; B int; C []uint8 }");
        assert_eq!(shown("map[string]any"), "map[string]interface {}");
        assert_eq!(shown("struct { A Color int32; B Color }"), "struct { A Color int32; B Color }");
    }

    #[test]
    fn what_is_no_type_is_refused_by_its_place() {
        for (text, part) in [
            ("", "expected a type at character 1"),
            ("[]", "expected a type at character 3"),
            ("Point", "Point is not defined"),
            ("struct { A int", "expected } at character 15"),
            ("struct { A int; A int }", "expected fields of different names"),
            ("int int", "expected the end at character 5"),
            ("[99999999999999999999999]int", "expected the length of an array at character 2"),
            ("map[string", "expected ] at character 11"),
            ("A B struct { C int }", "expected"),
            (&"[]".repeat(1000), "expected fewer types"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
