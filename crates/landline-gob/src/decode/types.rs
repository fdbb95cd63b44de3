//! The types that a peer has described.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::descriptor::{Description, Kind};
use crate::error::{Error, ErrorKind};
use crate::limits::{Limit, Limits};
use crate::schema::{
    Elem, Field, Format, Graph, Naming, Node, Shape, Tag, basic, children, go_name, holds_interface,
    reachable,
};

/// The first id that a peer may define.
const FIRST_ID: i64 = 64;
/// How many ids from there on are looked up by their number. Go counts them.
const LOW: usize = 4096;

/// About how many bytes are kept for a decoder as such, an id, a type, and a field besides its name; and for a while
/// more for a field.
const DECODER_COST: usize = 8 << 10;
const ID_COST: usize = 80;
const TYPE_COST: usize = 240;
const FIELD_COST: usize = 72;
const FIELD_COST_MORE: usize = 112;

/// Of a type that is known to be whole.
#[derive(Clone, Copy, Debug)]
struct Ready {
    tag: Tag,
    holds_interface: bool,
}

#[derive(Debug)]
pub(super) struct Types {
    /// Shared with the dynamic values that were decoded.
    pub(super) graph: Arc<Graph>,
    /// Places of the ids that were defined or referred to: the low ones, one more than the place, or 0.
    low: Vec<u32>,
    /// And the others.
    high: HashMap<i64, u32>,
    count: usize,
    /// For each place, whether values may hold interface values, once it is known that they can be read.
    ready: Vec<Option<Ready>>,
    /// Places of which the types within are known to be what they are.
    settled: HashSet<u32>,
    /// For each place, whether values hold interfaces, as far as dynamic values have asked.
    holds: RefCell<Vec<Option<bool>>>,
    /// Bytes of descriptions, and about how many bytes of memory there are for them.
    received: usize,
    spent: usize,
}

impl Types {
    pub(super) fn new() -> Types {
        Types {
            graph: Arc::new(Graph::new()),
            low: Vec::new(),
            high: HashMap::new(),
            count: 0,
            ready: Vec::new(),
            settled: HashSet::new(),
            holds: RefCell::default(),
            received: 0,
            spent: DECODER_COST,
        }
    }

    /// The type of an id, which has been defined.
    #[inline]
    pub(super) fn find(&self, id: i64) -> Result<Elem, Error> {
        if let Some(place) = self.place_of(id)
            && let Some(node) = self.graph.find(place)
        {
            return Ok(Elem { node: place, tag: node.shape.tag(), pointers: 0 });
        }
        known(id).ok_or_else(|| ErrorKind::UnknownType(id).into())
    }

    #[inline]
    fn place_of(&self, id: i64) -> Option<u32> {
        match usize::try_from(id.wrapping_sub(FIRST_ID)) {
            Ok(low) if low < LOW => self.low.get(low)?.checked_sub(1),
            _ => self.high.get(&id).copied(),
        }
    }

    /// Takes in a description, which takes so many bytes.
    pub(super) fn define(
        &mut self,
        id: i64,
        description: Description,
        bytes: usize,
        limits: &Limits,
    ) -> Result<(), Error> {
        if id < FIRST_ID {
            return Err(ErrorKind::Corrupt("a type is defined under an id that is not free").into());
        }
        let place = self.place(id, limits)?;
        if self.graph.find(place).is_some() {
            return Err(ErrorKind::Corrupt("a type is defined twice").into());
        }
        self.received += bytes;
        self.charge(&description, limits)?;
        self.charge_copy(limits)?;
        let Description { name, own_id, kind } = description;
        let mut elem = |id| self.elem(id, limits);
        let shape = match kind {
            Kind::Array { elem: id, len } => {
                let len = usize::try_from(len)
                    .map_err(|_| Error::limit(Limit::Message, usize::MAX, limits.message))?;
                Shape::Array { elem: elem(id)?, len }
            }
            Kind::Slice { elem: id } => Shape::Slice { elem: elem(id)?, size: 0 },
            Kind::Map { key, value } => Shape::Map { key: elem(key)?, value: elem(value)?, size: 0 },
            Kind::Struct { fields } => {
                let fields: Result<Vec<Field>, Error> =
                    fields.into_iter().map(|(name, id)| Ok(Field::new(name, elem(id)?))).collect();
                Shape::Struct { fields: fields?.into(), local: None }
            }
            Kind::Opaque(by) => {
                Shape::Opaque(Format { by, addressed: false, along: Box::default(), other_id: own_id != id })
            }
        };
        let mut node = Node { naming: Naming::Unnamed, shape };
        let graph = Arc::make_mut(&mut self.graph);
        if !is_plain(&node.shape) || !(name.is_empty() || *name == *shape_name(graph, &node.shape)) {
            node.naming = Naming::Wire(name);
        }
        graph.fill(place, node);
        Ok(())
    }

    fn elem(&mut self, id: i64, limits: &Limits) -> Result<Elem, Error> {
        match known(id) {
            Some(elem) => Ok(elem),
            // What it is will be known when it is defined.
            None if id >= FIRST_ID => {
                Ok(Elem { node: self.place(id, limits)?, tag: Tag::Unsupported, pointers: 0 })
            }
            None => Err(ErrorKind::UnknownType(id).into()),
        }
    }

    fn place(&mut self, id: i64, limits: &Limits) -> Result<u32, Error> {
        if let Some(place) = self.place_of(id) {
            return Ok(place);
        }
        if self.count >= limits.types {
            return Err(Error::limit(Limit::Types, self.count + 1, limits.types));
        }
        self.count += 1;
        self.spent += ID_COST;
        self.charge_copy(limits)?;
        let place = Arc::make_mut(&mut self.graph).reserve();
        match usize::try_from(id.wrapping_sub(FIRST_ID)) {
            Ok(low) if low < LOW => {
                if low >= self.low.len() {
                    self.low.resize(low + 1, 0);
                }
                self.low[low] = place + 1;
            }
            _ => {
                self.high.insert(id, place);
            }
        }
        Ok(place)
    }

    /// The type of an id, if its values are known to hold no interfaces.
    #[inline(always)]
    pub(super) fn plain(&self, id: i64) -> Option<Elem> {
        let place = self.place_of(id)?;
        match self.ready.get(place as usize) {
            Some(Some(Ready { tag, holds_interface: false })) => {
                Some(Elem { node: place, tag: *tag, pointers: 0 })
            }
            _ => None,
        }
    }

    /// Makes sure that all a type is made of is defined, and says whether its values may hold interface values.
    #[inline]
    pub(super) fn prepare(&mut self, elem: Elem, limits: &Limits) -> Result<bool, Error> {
        if let Some(Some(ready)) = self.ready.get(elem.node as usize) {
            return Ok(ready.holds_interface);
        }
        self.prepare_new(elem, limits)
    }

    #[cold]
    fn prepare_new(&mut self, elem: Elem, limits: &Limits) -> Result<bool, Error> {
        if !elem.tag.is_composite() {
            return Ok(elem.tag == Tag::Interface);
        }
        check_nesting(&self.graph, elem.node, limits)?;
        for place in reachable(&self.graph, elem.node, children) {
            let Some(node) = self.graph.find(place) else {
                return Err(ErrorKind::UnknownType(self.id_of(place)).into());
            };
            if !node.shape.tag().is_composite() || !self.settled.insert(place) {
                continue;
            }
            let graph = &self.graph;
            let settled = |elem: Elem| Elem {
                tag: graph.find(elem.node).map_or(Tag::Unsupported, |node| node.shape.tag()),
                ..elem
            };
            let node = Node { naming: node.naming.clone(), shape: node.shape.map(settled) };
            Arc::make_mut(&mut self.graph).fill(place, node);
        }
        let holds = holds_interface(&self.graph, elem.node);
        self.ready.resize(self.graph.len(), None);
        self.ready[elem.node as usize] = Some(Ready { tag: elem.tag, holds_interface: holds });
        Ok(holds)
    }

    /// How many bytes of memory there are beyond what came with the descriptions; with those that plans take.
    pub(super) fn overspent(&self, plans: usize, limits: &Limits) -> usize {
        limits.overspent(self.spent.saturating_add(plans), self.received)
    }

    /// Takes a description into account.
    fn charge(&mut self, description: &Description, limits: &Limits) -> Result<(), Error> {
        let (mut kept, mut more) = (TYPE_COST + description.name.len(), description.name.len());
        if let Kind::Struct { fields } = &description.kind {
            for (name, _) in fields {
                kept += FIELD_COST + name.len();
                more += FIELD_COST_MORE + name.len();
            }
        }
        self.spent = self.spent.saturating_add(kept);
        limits.budget(0, self.overspent(more, limits)).map(|_| ())
    }

    /// A dynamic value that is kept keeps the types as they are, so that they are copied before they change.
    fn charge_copy(&mut self, limits: &Limits) -> Result<(), Error> {
        if Arc::strong_count(&self.graph) == 1 {
            return Ok(());
        }
        // And grow.
        self.spent = self.spent.saturating_add(2 * self.graph.len() * size_of::<usize>());
        limits.budget(0, self.overspent(0, limits)).map(|_| ())
    }

    /// Whether values of a type may hold interface values.
    pub(super) fn holds_interface(&self, elem: Elem) -> bool {
        if !elem.tag.is_composite() {
            return elem.tag == Tag::Interface;
        }
        let known = self.holds.borrow().get(elem.node as usize).copied().flatten();
        known.unwrap_or_else(|| {
            let found = holds_interface(&self.graph, elem.node);
            let mut holds = self.holds.borrow_mut();
            let len = self.graph.len().max(holds.len());
            holds.resize(len, None);
            holds[elem.node as usize] = Some(found);
            found
        })
    }

    /// The id of a place, for an error.
    fn id_of(&self, place: u32) -> i64 {
        let low = self.low.iter().position(|known| *known == place + 1);
        let high = || self.high.iter().find(|(_, known)| **known == place).map_or(0, |(id, _)| *id);
        low.map_or_else(high, |low| low as i64 + FIRST_ID)
    }
}

/// The types that need no description.
fn known(id: i64) -> Option<Elem> {
    Some(match id {
        1 => basic::BOOL,
        2 => basic::INT,
        3 => basic::UINT,
        4 => basic::FLOAT64,
        5 => basic::BYTES,
        6 => basic::STRING,
        7 => basic::COMPLEX128,
        8 => basic::ANY,
        _ => return None,
    })
}

/// Whether Go has only one type like this, if it has no name: there are no parts in it of which a description does not say
/// all, as it does not of the sizes of numbers and the packages of structs.
fn is_plain(shape: &Shape) -> bool {
    let plain = |elem: &Elem| [basic::BOOL, basic::STRING, basic::BYTES, basic::ANY].contains(elem);
    match shape {
        Shape::Slice { elem, .. } | Shape::Array { elem, .. } => plain(elem),
        Shape::Map { key, value, .. } => plain(key) && plain(value),
        _ => false,
    }
}

/// What Go calls a slice, an array or a map that has no name.
fn shape_name(graph: &Graph, shape: &Shape) -> String {
    let name = |elem: &Elem| go_name(graph, *elem, "");
    match shape {
        Shape::Slice { elem, .. } => format!("[]{}", name(elem)),
        Shape::Array { elem, len } => format!("[{len}]{}", name(elem)),
        Shape::Map { key, value, .. } => format!("map[{}]{}", name(key), name(value)),
        _ => String::new(),
    }
}

/// Bounds how deep types are within types, for what goes through them by recursion.
fn check_nesting(graph: &Graph, root: u32, limits: &Limits) -> Result<(), Error> {
    // Values cannot nest deeper than this, but types that are never used for one can.
    let deepest = limits.depth.max(64);
    let mut seen = vec![false; graph.len()];
    let mut open = vec![(root, 0)];
    while let Some((place, depth)) = open.pop() {
        if std::mem::replace(&mut seen[place as usize], true) {
            continue;
        }
        if depth > deepest {
            return Err(Error::limit(Limit::Depth, depth, deepest));
        }
        if let Some(node) = graph.find(place) {
            // In the order of a recursion: the first child on top.
            open.extend(children(&node.shape).iter().rev().map(|elem| (elem.node, depth + 1)));
        }
    }
    Ok(())
}
