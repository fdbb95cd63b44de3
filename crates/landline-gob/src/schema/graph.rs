//! The graph of types.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, LazyLock};

/// What kind of type it is; what is written follows from this alone but for the types within.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Tag {
    Bool,
    Int,
    Uint,
    Float,
    Complex,
    Text,
    Bytes,
    Interface,
    Slice,
    Array,
    Map,
    Struct,
    Opaque,
    Unsupported,
}

impl Tag {
    /// The id that both sides know without a description.
    pub(crate) fn known_id(self) -> Option<i64> {
        Some(match self {
            Tag::Bool => 1,
            Tag::Int => 2,
            Tag::Uint => 3,
            Tag::Float => 4,
            Tag::Bytes => 5,
            Tag::Text => 6,
            Tag::Complex => 7,
            Tag::Interface => 8,
            _ => return None,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Tag::Bool => "bool",
            Tag::Int => "int",
            Tag::Uint => "uint",
            Tag::Float => "float",
            Tag::Complex => "complex",
            Tag::Text => "string",
            Tag::Bytes => "[]byte",
            Tag::Interface => "interface",
            Tag::Slice => "slice",
            Tag::Array => "array",
            Tag::Map => "map",
            Tag::Struct => "struct",
            Tag::Opaque => "encoder of its own",
            Tag::Unsupported => "nothing that gob has",
        }
    }

    /// Whether it can hold other types.
    pub(crate) fn is_composite(self) -> bool {
        matches!(self, Tag::Slice | Tag::Array | Tag::Map | Tag::Struct)
    }
}

/// A type in the place where it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Elem {
    pub(crate) node: u32,
    pub(crate) tag: Tag,
    /// How many pointers to it: an `Option` in Rust. They are not on the wire, but in the names of types.
    pub(crate) pointers: u8,
}

/// One type.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) naming: Naming,
    pub(crate) shape: Shape,
}

/// How a type is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// It is written out: `[]int`.
    Unnamed,
    /// It has a name, in the given package or in that of the encoder.
    Go { package: Option<Box<str>>, name: Box<str> },
    /// A peer has described it under this name, which is sent on as it is.
    Wire(Box<str>),
}

#[derive(Debug)]
pub(crate) enum Shape {
    Bool,
    Int(u8),
    Uint(u8),
    Float(u8),
    Complex(u8),
    Text,
    Bytes,
    Interface {
        variants: Box<[Variant]>,
        /// Whether it takes content that says of itself what it is.
        open: bool,
    },
    Slice {
        elem: Elem,
        /// Bytes of an element in Rust, where that is known.
        size: usize,
    },
    Array {
        elem: Elem,
        len: usize,
    },
    Map {
        key: Elem,
        value: Elem,
        /// Bytes of an entry in Rust, where that is known.
        size: usize,
    },
    Struct {
        fields: Box<[Field]>,
        local: Option<Local>,
    },
    Opaque(Format),
    Unsupported(String),
}

#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: Box<str>,
    /// More names that the Rust type knows it by.
    pub(crate) aliases: Box<[Box<str>]>,
    pub(crate) elem: Elem,
    /// The address of the name by which serde gave it last, so that names need not be compared again.
    pub(crate) key: AtomicUsize,
    /// Which of its names that was: 0 not known yet, then one more than the place among all its names.
    pub(crate) chosen: AtomicUsize,
}

impl Field {
    pub(crate) fn new(name: impl Into<Box<str>>, elem: Elem) -> Field {
        Field::with_aliases(name.into(), Box::default(), elem)
    }

    pub(crate) fn with_aliases(name: Box<str>, aliases: Box<[Box<str>]>, elem: Elem) -> Field {
        Field { name, aliases, elem, key: AtomicUsize::new(0), chosen: AtomicUsize::new(0) }
    }
}

/// How a struct's `Deserialize` wants its fields.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    /// Every name, aliases too, with the place of its field.
    pub(crate) names: Box<[(&'static str, u16)]>,
    /// Whether it takes the fields in order, without their names.
    pub(crate) in_order: bool,
}

/// What an interface may hold, by the name under which Go has registered it.
#[derive(Clone, Debug)]
pub(crate) struct Variant {
    pub(crate) name: Box<str>,
    pub(crate) content: Content,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    Type(Elem),
    /// Nothing that could be sent; the text says why.
    Unsupported(String),
}

/// A type that Go encodes by a method of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) by: Method,
    /// Whether the method is on the pointer: then a field is sent even when it is zero.
    pub(crate) addressed: bool,
    /// Structs without fields that Go describes along with it, as url.Userinfo with url.URL.
    pub(crate) along: Box<[Box<str>]>,
    /// Whether the peer that described it gave it another id within the description.
    pub(crate) other_id: bool,
}

/// The method by which Go encodes a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Method {
    Gob,
    Binary,
    Text,
}

impl Shape {
    /// The same with other types in it.
    pub(crate) fn map(&self, to: impl Fn(Elem) -> Elem) -> Shape {
        match self {
            Shape::Bool => Shape::Bool,
            Shape::Int(bits) => Shape::Int(*bits),
            Shape::Uint(bits) => Shape::Uint(*bits),
            Shape::Float(bits) => Shape::Float(*bits),
            Shape::Complex(bits) => Shape::Complex(*bits),
            Shape::Text => Shape::Text,
            Shape::Bytes => Shape::Bytes,
            Shape::Interface { variants, open } => {
                let variants = variants.iter().map(|variant| Variant {
                    name: variant.name.clone(),
                    content: match &variant.content {
                        Content::Type(elem) => Content::Type(to(*elem)),
                        Content::Unsupported(why) => Content::Unsupported(why.clone()),
                    },
                });
                Shape::Interface { variants: variants.collect(), open: *open }
            }
            Shape::Slice { elem, size } => Shape::Slice { elem: to(*elem), size: *size },
            Shape::Array { elem, len } => Shape::Array { elem: to(*elem), len: *len },
            Shape::Map { key, value, size } => Shape::Map { key: to(*key), value: to(*value), size: *size },
            Shape::Struct { fields, local } => {
                let fields = fields.iter().map(|field| {
                    Field::with_aliases(field.name.clone(), field.aliases.clone(), to(field.elem))
                });
                Shape::Struct { fields: fields.collect(), local: local.clone() }
            }
            Shape::Opaque(format) => Shape::Opaque(format.clone()),
            Shape::Unsupported(why) => Shape::Unsupported(why.clone()),
        }
    }

    pub(crate) fn tag(&self) -> Tag {
        match self {
            Shape::Bool => Tag::Bool,
            Shape::Int(_) => Tag::Int,
            Shape::Uint(_) => Tag::Uint,
            Shape::Float(_) => Tag::Float,
            Shape::Complex(_) => Tag::Complex,
            Shape::Text => Tag::Text,
            Shape::Bytes => Tag::Bytes,
            Shape::Interface { .. } => Tag::Interface,
            Shape::Slice { .. } => Tag::Slice,
            Shape::Array { .. } => Tag::Array,
            Shape::Map { .. } => Tag::Map,
            Shape::Struct { .. } => Tag::Struct,
            Shape::Opaque(_) => Tag::Opaque,
            Shape::Unsupported(_) => Tag::Unsupported,
        }
    }
}

/// Types that refer to each other by their place. The first are the basic types, the same in every graph.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    /// A place without a node was referred to and is not described yet.
    nodes: Vec<Option<Arc<Node>>>,
}

impl Graph {
    pub(crate) fn new() -> Graph {
        Graph { nodes: BASICS.clone() }
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// A new place, to be filled later.
    pub(crate) fn reserve(&mut self) -> u32 {
        let node = u32::try_from(self.nodes.len()).expect("fewer types than bytes of memory");
        self.nodes.push(None);
        node
    }

    pub(crate) fn fill(&mut self, place: u32, node: Node) {
        self.nodes[place as usize] = Some(Arc::new(node));
    }

    pub(crate) fn push(&mut self, node: Node) -> Elem {
        let tag = node.shape.tag();
        let place = self.reserve();
        self.fill(place, node);
        Elem { node: place, tag, pointers: 0 }
    }

    #[inline]
    pub(crate) fn find(&self, place: u32) -> Option<&Node> {
        self.nodes.get(place as usize)?.as_deref()
    }

    /// A type that is known to be described.
    #[inline]
    pub(crate) fn node(&self, place: u32) -> &Node {
        self.find(place).expect("types are described before they are used")
    }

    #[inline]
    pub(crate) fn elem(&self, place: u32) -> Elem {
        Elem { node: place, tag: self.node(place).shape.tag(), pointers: 0 }
    }

    #[inline]
    pub(crate) fn fields(&self, place: u32) -> &[Field] {
        match &self.node(place).shape {
            Shape::Struct { fields, .. } => fields,
            _ => &[],
        }
    }
}

/// Go's basic types, and a few that are made of them.
pub(crate) mod basic {
    use super::{Elem, Tag};

    macro_rules! basics {
        ($($(#[$about:meta])* $name:ident = $place:literal $tag:ident;)*) => {
            $($(#[$about])* pub(crate) const $name: Elem = Elem { node: $place, tag: Tag::$tag, pointers: 0 };)*
        };
    }

    basics! {
        BOOL = 0 Bool;
        INT = 1 Int;
        INT8 = 2 Int;
        INT16 = 3 Int;
        INT32 = 4 Int;
        INT64 = 5 Int;
        UINT = 6 Uint;
        UINT8 = 7 Uint;
        UINT16 = 8 Uint;
        UINT32 = 9 Uint;
        UINT64 = 10 Uint;
        FLOAT32 = 12 Float;
        FLOAT64 = 13 Float;
        COMPLEX64 = 14 Complex;
        COMPLEX128 = 15 Complex;
        STRING = 16 Text;
        BYTES = 17 Bytes;
        ANY = 18 Interface;
        ANY_SLICE = 19 Slice;
        ANY_MAP = 20 Map;
        EMPTY = 21 Struct;
    }

    /// The names of those that are one word in Go, by their place.
    pub(crate) const WORDS: [&str; 17] = [
        "bool",
        "int",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "uintptr",
        "float32",
        "float64",
        "complex64",
        "complex128",
        "string",
    ];
}

static BASICS: LazyLock<Vec<Option<Arc<Node>>>> = LazyLock::new(|| {
    [
        Shape::Bool,
        Shape::Int(64),
        Shape::Int(8),
        Shape::Int(16),
        Shape::Int(32),
        Shape::Int(64),
        Shape::Uint(64),
        Shape::Uint(8),
        Shape::Uint(16),
        Shape::Uint(32),
        Shape::Uint(64),
        Shape::Uint(64),
        Shape::Float(32),
        Shape::Float(64),
        Shape::Complex(64),
        Shape::Complex(128),
        Shape::Text,
        Shape::Bytes,
        Shape::Interface { variants: Box::default(), open: true },
        Shape::Slice { elem: basic::ANY, size: 0 },
        Shape::Map { key: basic::STRING, value: basic::ANY, size: 0 },
        Shape::Struct { fields: Box::default(), local: None },
    ]
    .into_iter()
    .map(|shape| Some(Arc::new(Node { naming: Naming::Unnamed, shape })))
    .collect()
});

/// How many places the basic types take.
pub(crate) fn basics() -> u32 {
    BASICS.len() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_types_are_where_their_names_say() {
        let graph = Graph::new();
        for (elem, word) in [
            (basic::BOOL, "bool"),
            (basic::INT, "int"),
            (basic::INT64, "int64"),
            (basic::UINT, "uint"),
            (basic::FLOAT64, "float64"),
            (basic::COMPLEX128, "complex128"),
            (basic::STRING, "string"),
        ] {
            assert_eq!(basic::WORDS[elem.node as usize], word);
        }
        for place in 0..basics() {
            assert!(graph.find(place).is_some());
        }
        for elem in [basic::BYTES, basic::ANY, basic::ANY_SLICE, basic::ANY_MAP, basic::EMPTY, basic::STRING]
        {
            assert_eq!(graph.elem(elem.node), elem);
        }
    }
}
