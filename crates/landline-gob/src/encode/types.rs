//! The types of one stream: which are known, their ids, and their descriptions.
//!
//! Ids are given in the order in which Go gives them: a struct has its own before its fields, a slice, array or map after
//! what it is made of. Descriptions are sent in another order, parents first. A description has the name under which
//! the type was come upon first: as a field its full name in Go, as an element of a slice or alone its own, within an array
//! or a map none.

use std::collections::HashMap;

use super::descriptor;
use crate::error::Error;
use crate::schema::{
    Elem, Format, Graph, Naming, Node, Shape, Tag, Type, basic, basics, children, go_name, reachable,
    relatives, same,
};

/// The first id that is not taken by the types that both sides know.
const FIRST_ID: i64 = 64;

#[derive(Debug)]
pub(super) struct Types {
    pub(super) graph: Graph,
    /// For every place in the graph.
    sent: Vec<Sent>,
    /// Places by their names in Go.
    names: HashMap<String, Vec<u32>>,
    last_id: i64,
    package: Box<str>,
}

/// What the peer has been told of a type.
#[derive(Clone, Debug, Default)]
struct Sent {
    /// 0 for none yet.
    id: i64,
    name: Box<str>,
    /// Being given an id, after what it is made of.
    open: bool,
    described: bool,
}

/// As what a type was come upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum As {
    /// A value by itself, or what an interface holds.
    Value,
    Field,
    /// An element of a slice.
    Item,
    /// An element of an array, or the key or value of a map.
    Part,
}

impl Types {
    pub(super) fn new() -> Types {
        let graph = Graph::new();
        let sent = vec![Sent::default(); graph.len()];
        let mut types =
            Types { graph, sent, names: HashMap::new(), last_id: FIRST_ID - 1, package: "main".into() };
        for elem in [basic::ANY_SLICE, basic::ANY_MAP, basic::EMPTY] {
            types.names.insert(go_name(&types.graph, elem, ""), vec![elem.node]);
        }
        types
    }

    pub(super) fn set_package(&mut self, package: &str) {
        self.package = package.into();
    }

    /// Takes a type of another graph in: the same type gets the same place.
    pub(super) fn import(&mut self, of: &Type) -> Result<Elem, Error> {
        let root = self.import_from(&of.graph, of.root.node)?;
        Ok(Elem { pointers: of.root.pointers, ..root })
    }

    pub(super) fn import_from(&mut self, graph: &Graph, root: u32) -> Result<Elem, Error> {
        check(graph, root)?;
        let mut places: HashMap<u32, u32> = HashMap::new();
        let mut fresh = Vec::new();
        for place in reachable(graph, root, relatives) {
            if place < basics() {
                places.insert(place, place);
                continue;
            }
            let elem = Elem { node: place, tag: Tag::Struct, pointers: 0 };
            let named = self.names.entry(go_name(graph, elem, &self.package)).or_default();
            let known = named.iter().copied().find(|&known| same(graph, place, &self.graph, known));
            let local = known.unwrap_or_else(|| {
                let local = self.graph.reserve();
                named.push(local);
                fresh.push((place, local));
                local
            });
            places.insert(place, local);
        }
        self.sent.resize(self.graph.len(), Sent::default());
        // All at once: they refer to each other.
        for (place, local) in fresh {
            let node = graph.node(place);
            let shape = node.shape.map(|elem| Elem { node: places[&elem.node], ..elem });
            self.graph.fill(local, Node { naming: node.naming.clone(), shape });
        }
        Ok(self.graph.elem(places[&root]))
    }

    /// Gives ids to a type and all that it is made of, as far as they have none.
    pub(super) fn identify(&mut self, elem: Elem) {
        self.assign(elem, As::Value);
    }

    /// The bodies of the messages that describe a type and all that it is made of, as far as they were not sent.
    pub(super) fn describe(&mut self, elem: Elem, bodies: &mut Vec<Vec<u8>>) {
        if elem.tag.known_id().is_some()
            || std::mem::replace(&mut self.sent[elem.node as usize].described, true)
        {
            return;
        }
        let id = self.id(elem);
        let mut body = Vec::new();
        match &self.graph.node(elem.node).shape {
            Shape::Opaque(format) => {
                let format = format.clone();
                self.describe_opaque(elem, id, &format, &mut body);
                bodies.push(body);
                self.describe_along(&format, bodies);
            }
            shape => {
                let inner = children(shape);
                let sent = &self.sent[elem.node as usize];
                descriptor::put(&mut body, id, id, &sent.name, shape, |elem| self.id(elem));
                bodies.push(body);
                for elem in inner {
                    self.describe(elem, bodies);
                }
            }
        }
    }

    /// Through a pointer, Go finds a second type under the first one's id, without a name and with an id of its own.
    fn describe_opaque(&mut self, elem: Elem, id: i64, format: &Format, body: &mut Vec<u8>) {
        let wire = matches!(self.graph.node(elem.node).naming, Naming::Wire(_));
        let other = if wire { format.other_id } else { elem.pointers > 0 };
        let own = if other { self.next_id() } else { id };
        let name = if other && !wire { "" } else { &*self.sent[elem.node as usize].name };
        let shape = &self.graph.node(elem.node).shape;
        descriptor::put(body, id, own, name, shape, |_| 0);
    }

    fn describe_along(&mut self, format: &Format, bodies: &mut Vec<Vec<u8>>) {
        for name in &format.along {
            let naming = Naming::Go { package: Some("along".into()), name: name.clone() };
            let known = self.names.entry(format!("along.{name}")).or_default();
            let place = known.first().copied().unwrap_or_else(|| {
                let shape = Shape::Struct { fields: Box::default(), local: None };
                let place = self.graph.push(Node { naming, shape }).node;
                known.push(place);
                place
            });
            self.sent.resize(self.graph.len(), Sent::default());
            let elem = self.graph.elem(place);
            self.identify(elem);
            self.describe(elem, bodies);
        }
    }

    /// The id by which the peer knows a type, if it was told of it.
    #[inline]
    pub(super) fn known_id(&self, elem: Elem) -> Option<i64> {
        match self.sent.get(elem.node as usize) {
            Some(sent) if sent.described => Some(sent.id),
            _ => elem.tag.known_id(),
        }
    }

    /// The id by which the peer knows a type.
    pub(super) fn id(&self, elem: Elem) -> i64 {
        elem.tag.known_id().unwrap_or(self.sent[elem.node as usize].id)
    }

    fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    fn assign(&mut self, elem: Elem, upon: As) {
        let place = elem.node as usize;
        if elem.tag.known_id().is_some() || self.sent[place].id != 0 || self.sent[place].open {
            return;
        }
        self.sent[place].name = self.name(elem, upon);
        let shape = &self.graph.node(elem.node).shape;
        let parts = children(shape);
        match shape.tag() {
            Tag::Struct => {
                self.give(elem);
                for part in parts {
                    self.assign(part, As::Field);
                    self.give(part);
                }
            }
            Tag::Slice | Tag::Array | Tag::Map => {
                let upon = if elem.tag == Tag::Slice { As::Item } else { As::Part };
                self.sent[place].open = true;
                for part in &parts {
                    self.assign(*part, upon);
                }
                self.give(elem);
                for part in parts {
                    self.give(part);
                }
            }
            _ => self.give(elem),
        }
    }

    /// Gives an id to a type that has none, though it may be in the middle of being looked at.
    fn give(&mut self, elem: Elem) {
        if elem.tag.known_id().is_some() || self.sent[elem.node as usize].id != 0 {
            return;
        }
        let id = self.next_id();
        let sent = &mut self.sent[elem.node as usize];
        sent.id = id;
        sent.open = false;
    }

    fn name(&self, elem: Elem, upon: As) -> Box<str> {
        match &self.graph.node(elem.node).naming {
            Naming::Wire(name) => name.clone(),
            Naming::Go { name, .. } => match upon {
                As::Value | As::Field => name.clone(),
                As::Item if elem.pointers == 0 => name.clone(),
                As::Item | As::Part => Box::default(),
            },
            Naming::Unnamed if upon == As::Field => {
                go_name(&self.graph, Elem { pointers: 0, ..elem }, &self.package).into()
            }
            Naming::Unnamed => Box::default(),
        }
    }
}

/// Refuses a type that is, or contains, what gob does not have.
fn check(graph: &Graph, root: u32) -> Result<(), Error> {
    let found = reachable(graph, root, children);
    let unsupported = |place: &u32| match graph.find(*place).map(|node| &node.shape) {
        Some(Shape::Unsupported(why)) => Some((*place, why)),
        _ => None,
    };
    let Some((bad, why)) = found.iter().find_map(unsupported) else { return Ok(()) };
    let error = Error::unsupported(why.as_str());
    let mut fields = found.iter().flat_map(|place| graph.fields(*place));
    Err(match fields.find(|field| field.elem.node == bad) {
        Some(field) => error.at_field(&field.name),
        None => error,
    })
}
