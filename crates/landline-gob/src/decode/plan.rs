//! What to do with the values of a peer's type for a Rust type: found out once, and then only looked up.

use std::any::TypeId;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;

use super::session::on_trust;
use super::types::Types;
use crate::arena::Arena;
use crate::error::{Error, shortened};
use crate::hash::ByTypeId;
use crate::limits::Limit;
use crate::schema::{Content, Elem, Field, Graph, Shape, Tag, go_name};
use crate::trace;

/// What there is at a place in a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    pub(super) tag: Tag,
    /// The place of the peer's type.
    pub(super) node: u32,
    /// The place of what is to be done, for types with others in them. With three bytes it all fits into one register,
    /// and 16 million are more than the limits on memory let anyone have.
    plan: [u8; 3],
}

impl At {
    pub(super) const fn new(elem: Elem, plan: u32) -> At {
        let [a, b, c, _] = plan.to_le_bytes();
        At { tag: elem.tag, node: elem.node, plan: [a, b, c] }
    }

    #[inline(always)]
    fn plan(self) -> u32 {
        let [a, b, c] = self.plan;
        u32::from_le_bytes([a, b, c, 0])
    }
}

/// More plans than this have no place.
const MOST_PLANS: u32 = 1 << 24;

#[derive(Debug)]
pub(super) enum Plan {
    /// The types do not fit each other.
    Never(Error),
    Items {
        elem: At,
        len: Option<usize>,
        size: usize,
        /// For how many elements room is made on the word of the input.
        most: usize,
        /// Whether they are nothing but numbers to both sides.
        is_plain: bool,
    },
    Entries {
        key: At,
        value: At,
        size: usize,
    },
    Struct(StructPlan),
    Interface {
        local: Option<Local>,
    },
}

#[derive(Debug)]
pub(super) struct StructPlan {
    /// The place of the peer's type.
    pub(super) node: u32,
    /// For every field of the peer's.
    pub(super) fields: Box<[WireField]>,
    /// For every field of the Rust struct, the number of the peer's.
    pub(super) locals: Box<[LocalField]>,
    /// How many names the Rust struct gives to serde; nothing when what it wants is not known.
    pub(super) names: Option<usize>,
    /// Whether the fields can be given in the order of the Rust struct.
    pub(super) in_order: bool,
    /// Bytes of memory that all the fields may take by their names, where what takes them is not known.
    pub(super) cost: usize,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct WireField {
    pub(super) at: At,
    /// The number of the field in the Rust struct.
    pub(super) local: Option<u16>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct LocalField {
    pub(super) name: &'static str,
    /// The number of the peer's field, counted from 1.
    pub(super) wire: u32,
    pub(super) at: At,
    /// Whether it is nothing but a number, or nothing but a text, to both sides.
    pub(super) is_plain: bool,
}

/// For a field that the peer's struct does not have.
pub(super) const NO_FIELD: u32 = u32::MAX;
const NOTHING: At = At::new(Elem { node: 0, tag: Tag::Unsupported, pointers: 0 }, 0);

/// How many of the peer's types are looked through for one of ours, before others are looked up by more.
const MOST_ROOTS: usize = 16;

/// A Rust type, by its graph and its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Local {
    graph: u32,
    elem: Elem,
}

/// It grows while values are decoded, as what interfaces hold is only known then.
#[derive(Debug)]
pub(super) struct Plans {
    list: Arena<Plan>,
    known: RefCell<HashMap<(u32, Option<Local>), u32>>,
    roots: HashMap<TypeId, Vec<(u32, At)>, ByTypeId>,
    /// The root that was asked for last: its Rust type, the peer's, and what is to be done.
    last_root: Option<(TypeId, At)>,
    graphs: Vec<Arc<Graph>>,
    locals: HashMap<TypeId, Option<Local>, ByTypeId>,
    /// About how many bytes of memory they take.
    spent: Cell<usize>,
}

impl Plans {
    pub(super) fn new() -> Plans {
        Plans {
            list: Arena::new(),
            known: RefCell::default(),
            roots: HashMap::default(),
            last_root: None,
            graphs: Vec::new(),
            locals: HashMap::default(),
            spent: Cell::new(0),
        }
    }

    pub(super) fn spent(&self) -> usize {
        self.spent.get()
    }

    #[inline]
    pub(super) fn plan(&self, at: At) -> Option<&Plan> {
        self.list.find(at.plan())
    }

    #[inline]
    pub(super) fn struct_plan(&self, at: At) -> Option<&StructPlan> {
        match self.plan(at) {
            Some(Plan::Struct(plan)) => Some(plan),
            _ => None,
        }
    }

    /// What to do with a value of the peer's type for a `T`.
    #[inline]
    pub(super) fn root<'de, T: Deserialize<'de>>(&mut self, types: &Types, elem: Elem) -> Result<At, Error> {
        let id = typeid::of::<T>();
        match self.last_root {
            Some((known, at)) if known == id && at.node == elem.node => Ok(at),
            _ => self.other_root::<T>(id, types, elem),
        }
    }

    #[inline(never)]
    fn other_root<'de, T: Deserialize<'de>>(
        &mut self,
        id: TypeId,
        types: &Types,
        elem: Elem,
    ) -> Result<At, Error> {
        let known = self.roots.get(&id).and_then(|known| known.iter().find(|(node, _)| *node == elem.node));
        let at = match known {
            Some((_, at)) => *at,
            None => {
                let local = self.local::<T>(id);
                let at = self.make(types, elem, local)?;
                let roots = self.roots.entry(id).or_default();
                if roots.len() < MOST_ROOTS {
                    roots.push((elem.node, at));
                }
                at
            }
        };
        self.last_root = Some((id, at));
        Ok(at)
    }

    /// What a `T` is; nothing when that could not be found out, and it has to be asked as it goes.
    fn local<'de, T: Deserialize<'de>>(&mut self, id: TypeId) -> Option<Local> {
        if let Some(local) = self.locals.get(&id) {
            return *local;
        }
        let local = trace::type_of::<T>().ok().map(|found| {
            self.graphs.push(found.graph);
            Local { graph: self.graphs.len() as u32 - 1, elem: found.root }
        });
        self.locals.insert(id, local);
        local
    }

    /// For a value of a type that is only known when it comes.
    pub(super) fn make(&self, types: &Types, elem: Elem, local: Option<Local>) -> Result<At, Error> {
        let local = local.filter(|local| self.says_what_it_is(*local));
        if let Some(local) = local {
            self.check(types, elem, local)?;
        }
        let at = |plan| At::new(elem, plan);
        if !elem.tag.is_composite() && elem.tag != Tag::Interface {
            return Ok(at(0));
        }
        let known = self.known.borrow().get(&(elem.node, local)).copied();
        let plan = known.unwrap_or_else(|| {
            let plan = self.list.reserve();
            // Known before it is made, as it may be within itself.
            self.known.borrow_mut().insert((elem.node, local), plan);
            let made = self.made(types, elem, local).unwrap_or_else(Plan::Never);
            let parts = match &made {
                Plan::Struct(plan) => size_of_val(&*plan.fields) + size_of_val(&*plan.locals),
                _ => 0,
            };
            self.spent.set(self.spent.get().saturating_add(PLAN_COST + parts));
            self.list.set(plan, made);
            plan
        });
        match self.list.find(plan) {
            _ if plan >= MOST_PLANS => Err(Error::limit(Limit::Types, plan as usize, MOST_PLANS as usize)),
            Some(Plan::Never(error)) => Err(error.again()),
            _ => Ok(at(plan)),
        }
    }

    fn made(&self, types: &Types, elem: Elem, local: Option<Local>) -> Result<Plan, Error> {
        let graph = local.map(|local| self.graphs[local.graph as usize].clone());
        let shape = local.zip(graph.as_ref()).map(|(local, graph)| &graph.node(local.elem.node).shape);
        let items = |elem: At, len, size, local: Option<Local>| {
            let is_plain = elem.tag != Tag::Text && self.is_plain(elem.tag, local);
            Plan::Items { elem, len, size, most: on_trust(size), is_plain }
        };
        let within = |elem: &Elem| local.map(|local| Local { elem: *elem, ..local });
        Ok(match (&types.graph.node(elem.node).shape, shape) {
            (Shape::Slice { elem, .. }, Some(Shape::Slice { elem: local, size })) => {
                items(self.make(types, *elem, within(local))?, None, *size, within(local))
            }
            (Shape::Slice { elem, .. }, _) => items(self.make(types, *elem, None)?, None, UNKNOWN_SIZE, None),
            (Shape::Array { elem, len }, Some(Shape::Array { elem: local, .. })) => {
                items(self.make(types, *elem, within(local))?, Some(*len), 0, within(local))
            }
            (Shape::Array { elem, len }, _) => {
                items(self.make(types, *elem, None)?, Some(*len), UNKNOWN_SIZE, None)
            }
            (
                Shape::Map { key, value, .. },
                Some(Shape::Map { key: local_key, value: local_value, size }),
            ) => Plan::Entries {
                key: self.make(types, *key, within(local_key))?,
                value: self.make(types, *value, within(local_value))?,
                size: *size,
            },
            (Shape::Map { key, value, .. }, _) => Plan::Entries {
                key: self.make(types, *key, None)?,
                value: self.make(types, *value, None)?,
                size: 2 * UNKNOWN_SIZE,
            },
            (
                Shape::Struct { fields, .. },
                Some(Shape::Struct { fields: local_fields, local: Some(wants) }),
            ) => {
                let place_of = |name: &str| {
                    wants.names.iter().find(|(known, _)| *known == name).map(|(_, place)| *place)
                };
                let mut locals: Vec<LocalField> = Vec::new();
                for (name, place) in &wants.names {
                    if usize::from(*place) == locals.len() {
                        locals.push(LocalField { name, wire: NO_FIELD, at: NOTHING, is_plain: false });
                    }
                }
                let mut plans = Vec::with_capacity(fields.len());
                for (number, field) in fields.iter().enumerate() {
                    let local = place_of(&field.name);
                    let wanted = local.and_then(|local| within(&local_fields[usize::from(local)].elem));
                    let made = self.make(types, field.elem, wanted);
                    let at = made.map_err(|error| error.at_field(&field.name))?;
                    if let Some(local) = local {
                        let local = &mut locals[usize::from(local)];
                        (local.wire, local.at) = (number as u32 + 1, at);
                        local.is_plain = self.is_plain(at.tag, wanted);
                    }
                    plans.push(WireField { at, local });
                }
                if !fields.is_empty()
                    && !locals.is_empty()
                    && locals.iter().all(|local| local.wire == NO_FIELD)
                {
                    return Err(no_field_in_common(fields, &locals));
                }
                let known = locals.iter().map(|local| local.wire).filter(|wire| *wire != NO_FIELD);
                let in_order = wants.in_order && known.is_sorted();
                Plan::Struct(StructPlan {
                    node: elem.node,
                    fields: plans.into(),
                    locals: locals.into(),
                    names: Some(wants.names.len()),
                    in_order,
                    cost: 0,
                })
            }
            (Shape::Struct { fields, .. }, _) => {
                let mut plans = Vec::with_capacity(fields.len());
                let mut cost = 0_usize;
                for field in fields {
                    let list = if field.elem.tag == Tag::Complex { LIST_COST } else { 0 };
                    cost = cost.saturating_add(ENTRY_COST + field.name.len() + list);
                    plans.push(WireField { at: self.make(types, field.elem, None)?, local: None });
                }
                Plan::Struct(StructPlan {
                    node: elem.node,
                    fields: plans.into(),
                    locals: Box::default(),
                    names: None,
                    in_order: false,
                    cost,
                })
            }
            (Shape::Interface { .. }, _) => Plan::Interface { local },
            _ => Plan::Interface { local: None },
        })
    }

    /// What the variant of an enum holds.
    pub(super) fn variant(&self, of: Option<Local>, name: &str) -> Option<Local> {
        let of = of?;
        match &self.graphs[of.graph as usize].node(of.elem.node).shape {
            Shape::Interface { variants, .. } => {
                let variant = variants.iter().find(|variant| &*variant.name == name)?;
                match &variant.content {
                    Content::Type(elem) => Some(Local { elem: *elem, ..of }),
                    Content::Unsupported(_) => None,
                }
            }
            _ => None,
        }
    }

    /// Whether a Rust type is one thing, and not whatever it is given.
    fn says_what_it_is(&self, local: Local) -> bool {
        let graph = &self.graphs[local.graph as usize];
        !matches!(
            graph.find(local.elem.node).map(|node| &node.shape),
            None | Some(Shape::Unsupported(_) | Shape::Interface { open: true, .. })
        )
    }

    /// Whether it is nothing but a number, or nothing but a text, to both sides.
    fn is_plain(&self, tag: Tag, local: Option<Local>) -> bool {
        matches!(tag, Tag::Bool | Tag::Int | Tag::Uint | Tag::Float | Tag::Text)
            && local.is_some_and(|local| self.says_what_it_is(local))
    }

    /// Refuses types that never fit, whatever the values.
    fn check(&self, types: &Types, elem: Elem, local: Local) -> Result<(), Error> {
        let graph = &self.graphs[local.graph as usize];
        let fits = match (&types.graph.node(elem.node).shape, &graph.node(local.elem.node).shape) {
            (Shape::Array { len, .. }, Shape::Array { len: local, .. }) => len == local,
            (Shape::Opaque(format), Shape::Opaque(local)) => format.by == local.by,
            (shape, local) => shape.tag() == local.tag(),
        };
        if fits {
            return Ok(());
        }
        let expected = go_name(graph, Elem { pointers: 0, ..local.elem }, "main");
        Err(Error::mismatch(expected, wire_name(types, elem)))
    }
}

/// Bytes of an element in Rust when its type is not known; what serde keeps of such is about as large.
pub(super) const UNKNOWN_SIZE: usize = 32;
/// Bytes of a small list of such.
pub(super) const LIST_COST: usize = 4 * UNKNOWN_SIZE;
/// Bytes of an entry of a map with such, besides what its name has.
const ENTRY_COST: usize = 128;
/// About how many bytes a plan takes, besides the fields in it.
const PLAN_COST: usize = 240;

/// A peer's type, for people.
pub(super) fn wire_name(types: &Types, elem: Elem) -> String {
    match elem.tag {
        Tag::Int | Tag::Uint | Tag::Float | Tag::Complex => elem.tag.name().to_owned(),
        _ => go_name(&types.graph, elem, "main"),
    }
}

fn no_field_in_common(fields: &[Field], locals: &[LocalField]) -> Error {
    /// As many as anyone reads.
    const SHOWN: usize = 32;
    fn list<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
        let more = if names.len() > SHOWN { ", ..." } else { "" };
        let shown: Vec<&str> = names.take(SHOWN).map(shortened).collect();
        format!("a struct of {}{more}", shown.join(", "))
    }
    let expected = list(locals.iter().map(|local| local.name));
    let found = list(fields.iter().map(|field| &*field.name));
    Error::mismatch(expected, format!("{found}: no field in common"))
}
