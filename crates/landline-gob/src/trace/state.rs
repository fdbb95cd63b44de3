//! What the passes through one type have found out so far.

use std::any::TypeId;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::Deserialize;

use super::tracer::Tracer;
use super::variants::Variants;
use crate::error::{Error, ErrorKind};
use crate::schema::{Elem, Graph, Local, Naming, Node, Shape, Tag, Type, basic};

/// Each pass finds out something, so this is not reached but by types that never answer the same twice.
const MOST_PASSES: usize = 10_000;
/// Types within types; by far deeper than any that a person writes.
pub(super) const DEEPEST: usize = 120;

/// A struct or enum of the program: who reads it, and under which name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// Visitors are types of their own for every `Deserialize` and for all arguments of generic ones.
    visitor: TypeId,
    name: &'static str,
    fields: (usize, usize),
}

impl Key {
    pub(super) fn new<V>(name: &'static str, fields: &'static [&'static str]) -> Key {
        Key { visitor: typeid::of::<V>(), name, fields: (fields.as_ptr().addr(), fields.len()) }
    }
}

/// How a struct is to be given its fields.
#[derive(Clone, Debug, Default)]
pub(super) enum Mode {
    /// In order, without names.
    #[default]
    InOrder,
    /// By names: those of its fields, of which these, by their places, are the aliases of the one before.
    ByName { aliases: HashSet<usize>, in_order: bool },
}

/// Places within the type, from the outside in: field numbers and the like.
pub(super) type Path = Vec<u32>;

#[derive(Debug)]
pub(super) struct Trace {
    pub(super) graph: Graph,
    places: HashMap<Key, u32>,
    /// Types of this pass: those that come again are only made, not looked at.
    pub(super) visited: HashSet<u32>,
    pub(super) modes: HashMap<Key, Mode>,
    pub(super) enums: HashMap<u32, Variants>,
    /// Which made-up value each leaf is given.
    samples: HashMap<Path, usize>,
    pub(super) path: Path,
    last_leaf: Option<(Path, usize)>,
    /// Variants that are being looked at, and of which the innermost is to blame should nothing help.
    pub(super) exploring: Vec<(u32, usize)>,
    /// For each enum that is being made, how many enums within enums it has taken so far.
    pub(super) heights: Vec<u32>,
    /// What the tuple structs that have been seen are.
    pub(super) newtypes: HashMap<u32, Elem>,
    /// This pass failed, and the next will do better.
    pub(super) learned: bool,
    /// There are variants that no pass has seen.
    pub(super) more: bool,
    pub(super) depth: usize,
}

impl Trace {
    /// Finds out what `T` is.
    pub(super) fn run<'de, T: Deserialize<'de>>() -> Result<Type, Error> {
        let mut trace = Trace {
            graph: Graph::new(),
            places: HashMap::new(),
            visited: HashSet::new(),
            modes: HashMap::new(),
            enums: HashMap::new(),
            samples: HashMap::new(),
            path: Vec::new(),
            last_leaf: None,
            exploring: Vec::new(),
            heights: Vec::new(),
            newtypes: HashMap::new(),
            learned: false,
            more: false,
            depth: 0,
        };
        for _ in 0..MOST_PASSES {
            trace.begin_pass();
            let mut found = None;
            let made = T::deserialize(Tracer::new(&mut trace, false, &mut found));
            match made {
                Ok(_) if trace.more => {}
                Ok(_) => return trace.finish(found, std::any::type_name::<T>()),
                Err(_) if trace.learned || trace.next_sample() => {}
                Err(error) => trace.give_up(&error, std::any::type_name::<T>())?,
            }
        }
        Err(Error::unsupported(format!("{} never answers the same twice", std::any::type_name::<T>())))
    }

    fn begin_pass(&mut self) {
        self.visited.clear();
        self.path.clear();
        self.exploring.clear();
        self.heights.clear();
        self.last_leaf = None;
        self.learned = false;
        self.more = false;
        self.depth = 0;
        for variants in self.enums.values_mut() {
            variants.begin_pass();
        }
    }

    /// Gives the leaf that was made last another value the next time.
    fn next_sample(&mut self) -> bool {
        let Some((path, choices)) = self.last_leaf.take() else { return false };
        let sample = self.samples.entry(path).or_insert(0);
        *sample += 1;
        *sample < choices
    }

    /// Nothing helps: leaves out the variant in which it happened, or the whole type.
    fn give_up(&mut self, error: &Error, name: &str) -> Result<(), Error> {
        let why = match error.kind() {
            ErrorKind::Unsupported(why) => why.clone(),
            _ => format!("{name} accepts none of the values it was tried with, at last: {error}"),
        };
        let Some((place, index)) = self.exploring.pop() else { return Err(Error::unsupported(why)) };
        if let Some(variants) = self.enums.get_mut(&place) {
            variants.fail(index, why);
        }
        Ok(())
    }

    fn finish(mut self, found: Option<Elem>, name: &str) -> Result<Type, Error> {
        let root = found.ok_or_else(|| Error::unsupported(format!("{name} asks for nothing")))?;
        for (place, variants) in std::mem::take(&mut self.enums) {
            self.graph.fill(place, variants.into_node());
        }
        self.settle();
        let root = Elem { tag: self.graph.find(root.node).map_or(root.tag, |node| node.shape.tag()), ..root };
        Ok(Type { graph: Arc::new(self.graph), root })
    }

    /// The place of a struct or enum, the same in every pass.
    pub(super) fn place(&mut self, key: Key) -> u32 {
        let graph = &mut self.graph;
        *self.places.entry(key).or_insert_with(|| graph.reserve())
    }

    /// The made-up value for the leaf that is being made.
    pub(super) fn sample<T: Copy>(&mut self, choices: &[T]) -> T {
        let sample = self.samples.get(&self.path).copied().unwrap_or(0).min(choices.len() - 1);
        self.last_leaf = Some((self.path.clone(), choices.len()));
        choices[sample]
    }

    /// A type that is written out, the same place for the same type.
    pub(super) fn unnamed(&mut self, shape: Shape) -> Elem {
        match &shape {
            Shape::Slice { elem, .. }
                if elem.tag == Tag::Uint && elem.pointers == 0 && self.is_byte(*elem) =>
            {
                return basic::BYTES;
            }
            _ => {}
        }
        self.intern(Naming::Unnamed, shape)
    }

    /// Whether a type is one of eight bits, whatever its name.
    fn is_byte(&self, elem: Elem) -> bool {
        matches!(self.graph.find(elem.node), Some(node) if matches!(node.shape, Shape::Uint(8)))
    }

    pub(super) fn intern(&mut self, naming: Naming, shape: Shape) -> Elem {
        let found = (0..self.graph.len() as u32).find(|&place| {
            self.graph.find(place).is_some_and(|node| node.naming == naming && alike(&node.shape, &shape))
        });
        match found {
            Some(place) => Elem { node: place, tag: shape.tag(), pointers: 0 },
            None => self.graph.push(Node { naming, shape }),
        }
    }

    /// What a tuple struct of one field, at a place of its own, makes of what is within.
    ///
    /// Names are lost on what is not described, and on what an interface or another method of encoding is.
    pub(super) fn renamed(&mut self, place: u32, inner: Elem, naming: Naming) -> Elem {
        if inner.pointers > 0
            || matches!(inner.tag, Tag::Bytes | Tag::Interface | Tag::Opaque | Tag::Unsupported)
        {
            return inner;
        }
        // Unfilled only when the type contains itself, and then it has its name already.
        let Some(node) = self.graph.find(inner.node) else { return inner };
        let shape = node.shape.map(|elem| elem);
        self.graph.fill(place, Node { naming, shape });
        Elem { node: place, ..inner }
    }

    /// Tags of types that were not known yet where they were used are put right.
    fn settle(&mut self) {
        for place in 0..self.graph.len() as u32 {
            let graph = &self.graph;
            let Some(node) = graph.find(place) else { continue };
            let settled = |elem: Elem| Elem {
                tag: graph.find(elem.node).map_or(Tag::Unsupported, |node| node.shape.tag()),
                ..elem
            };
            let node = Node { naming: node.naming.clone(), shape: node.shape.map(settled) };
            self.graph.fill(place, node);
        }
    }
}

/// Whether two types of one graph that are called the same are one: their parts are at the same places.
fn alike(a: &Shape, b: &Shape) -> bool {
    match (a, b) {
        (Shape::Bool, Shape::Bool) | (Shape::Text, Shape::Text) => true,
        (Shape::Int(a), Shape::Int(b))
        | (Shape::Uint(a), Shape::Uint(b))
        | (Shape::Float(a), Shape::Float(b))
        | (Shape::Complex(a), Shape::Complex(b)) => a == b,
        (Shape::Slice { elem: a, size: a_size }, Shape::Slice { elem: b, size: b_size }) => {
            a == b && a_size == b_size
        }
        (Shape::Array { elem: a, len: a_len }, Shape::Array { elem: b, len: b_len }) => {
            a == b && a_len == b_len
        }
        (
            Shape::Map { key: a_key, value: a_value, size: a_size },
            Shape::Map { key: b_key, value: b_value, size: b_size },
        ) => a_key == b_key && a_value == b_value && a_size == b_size,
        (Shape::Struct { fields: a, local: a_local }, Shape::Struct { fields: b, local: b_local }) => {
            a.len() == b.len()
                && a_local.is_some() == b_local.is_some()
                && a.iter()
                    .zip(b)
                    .all(|(a, b)| a.name == b.name && a.aliases == b.aliases && a.elem == b.elem)
                && names(a_local) == names(b_local)
        }
        (Shape::Opaque(a), Shape::Opaque(b)) => a == b,
        (Shape::Unsupported(a), Shape::Unsupported(b)) => a == b,
        _ => false,
    }
}

fn names(local: &Option<Local>) -> Option<(&[(&'static str, u16)], bool)> {
    local.as_ref().map(|local| (&*local.names, local.in_order))
}
