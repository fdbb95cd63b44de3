//! Enums: one variant a pass.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, EnumAccess, VariantAccess, Visitor};

use super::access::Same;
use super::state::Trace;
use super::tracer::Tracer;
use crate::error::Error;
use crate::schema::{Content, Elem, Naming, Node, Shape, Variant, naming};

/// What is known of the variants of an enum.
#[derive(Debug)]
pub(super) struct Variants {
    name: &'static str,
    names: &'static [&'static str],
    seen: Vec<State>,
    /// How many enums within enums each variant took when it was made with the fewest.
    heights: Vec<Option<u32>>,
    /// How many of this enum are within each other just now.
    depth: usize,
}

#[derive(Clone, Debug)]
enum State {
    New,
    Open,
    Unit,
    Type(Elem),
    Unsupported(String),
}

/// The variant to be made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    pub(super) index: usize,
    /// Whether it is looked at, or only made.
    look: bool,
}

impl Variants {
    pub(super) fn begin_pass(&mut self) {
        self.depth = 0;
        for state in &mut self.seen {
            if matches!(state, State::Open) {
                *state = State::New;
            }
        }
    }

    pub(super) fn fail(&mut self, index: usize, why: String) {
        self.seen[index] = State::Unsupported(why);
    }

    /// An enum without content is to Go a text; any other is an interface.
    pub(super) fn into_node(self) -> Node {
        if self.seen.iter().all(|state| matches!(state, State::Unit)) {
            return Node { naming: naming(self.name), shape: Shape::Text };
        }
        let variants = self.names.iter().zip(self.seen).map(|(name, state)| {
            let content = match state {
                State::Type(elem) => Content::Type(elem),
                State::Unit => Content::Unsupported("it has no content".to_owned()),
                State::Unsupported(why) => Content::Unsupported(why),
                State::New | State::Open => Content::Unsupported("it cannot be made".to_owned()),
            };
            Variant { name: (*name).into(), content }
        });
        Node {
            naming: naming(self.name),
            shape: Shape::Interface { variants: variants.collect(), open: false },
        }
    }
}

impl Trace {
    pub(super) fn choose(
        &mut self,
        place: u32,
        name: &'static str,
        names: &'static [&'static str],
        look: bool,
    ) -> Choice {
        let variants = self.enums.entry(place).or_insert_with(|| Variants {
            name,
            names,
            seen: vec![State::New; names.len()],
            heights: vec![None; names.len()],
            depth: 0,
        });
        let new = variants.seen.iter().position(|state| matches!(state, State::New)).filter(|_| look);
        let choice = match new {
            Some(index) => {
                variants.seen[index] = State::Open;
                self.exploring.push((place, index));
                Choice { index, look: true }
            }
            None => {
                // The one that ends soonest, so that this ends; or else another one at each level, until one does.
                let heights = variants.heights.iter().enumerate();
                let lowest = heights.filter_map(|(index, height)| Some(((*height)?, index))).min();
                let index = lowest.map_or(variants.depth % variants.seen.len(), |(_, index)| index);
                Choice { index, look: false }
            }
        };
        variants.depth += 1;
        self.heights.push(0);
        choice
    }

    pub(super) fn chosen(&mut self, place: u32, choice: Choice) {
        let height = 1 + self.heights.pop().unwrap_or(0);
        if let Some(above) = self.heights.last_mut() {
            *above = height.max(*above);
        }
        let Some(variants) = self.enums.get_mut(&place) else { return };
        let known = &mut variants.heights[choice.index];
        *known = Some(known.map_or(height, |known| known.min(height)));
        variants.depth -= 1;
        if choice.look {
            self.exploring.pop();
            if matches!(variants.seen[choice.index], State::Open) {
                variants.seen[choice.index] = State::Unsupported("it asks for nothing".to_owned());
            }
        }
        self.more |= variants.seen.iter().any(|state| matches!(state, State::New));
    }
}

/// Hands one variant to the visitor of an enum.
pub(super) struct VisitVariant<'t> {
    pub(super) trace: &'t mut Trace,
    pub(super) place: u32,
    pub(super) choice: Choice,
    pub(super) name: &'static str,
}

impl VisitVariant<'_> {
    fn found(self, state: State) {
        if let Some(variants) = self.trace.enums.get_mut(&self.place).filter(|_| self.choice.look) {
            variants.seen[self.choice.index] = state;
        }
    }

    fn type_found(self, found: Option<Elem>) {
        if let Some(elem) = found {
            self.found(State::Type(elem));
        }
    }
}

impl<'de> EnumAccess<'de> for VisitVariant<'_> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let value = seed.deserialize(BorrowedStrDeserializer::<Error>::new(self.name))?;
        Ok((value, self))
    }
}

impl<'de> VariantAccess<'de> for VisitVariant<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        self.found(State::Unit);
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        let mut found = None;
        self.trace.path.push(self.choice.index as u32);
        let made = seed.deserialize(Tracer::new(self.trace, !self.choice.look, &mut found))?;
        self.trace.path.pop();
        self.type_found(found);
        Ok(made)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        let look = self.choice.look;
        let mut items = Same { trace: self.trace, minimal: !look, left: len, found: None, differ: false };
        let made = visitor.visit_seq(&mut items)?;
        let found = items.found.filter(|_| !items.differ);
        match found {
            Some(elem) if look => {
                let array = self.trace.intern(Naming::Unnamed, Shape::Array { elem, len });
                self.found(State::Type(array));
            }
            _ => self.found(State::Unsupported("Go has no tuples".to_owned())),
        }
        Ok(made)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let mut found = None;
        self.trace.path.push(self.choice.index as u32);
        let made =
            Tracer::new(self.trace, !self.choice.look, &mut found).structure(self.name, fields, visitor)?;
        self.trace.path.pop();
        self.type_found(found);
        Ok(made)
    }
}
