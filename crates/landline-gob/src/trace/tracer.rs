//! The deserializer that writes down what it is asked for.

use serde::Deserializer;
use serde::de::{Error as _, Visitor};

use super::access::{Entry, Fields, Items, NamedFields, Same};
use super::samples::{BOOLS, BYTES, CHARS, FLOATS, INTS, TEXTS, UINTS};
use super::state::{DEEPEST, Key, Mode, Trace};
use super::variants::VisitVariant;
use crate::error::{Error, Signal};
use crate::go::token;
use crate::schema::{Elem, Field, Local, Node, Shape, Tag, basic, naming};

/// Answers one question of a `Deserialize`, and finds out one type by it.
pub(super) struct Tracer<'t> {
    pub(super) trace: &'t mut Trace,
    /// Only a value is wanted, the smallest there is; what it is is known.
    minimal: bool,
    found: &'t mut Option<Elem>,
}

impl<'t> Tracer<'t> {
    pub(super) fn new(trace: &'t mut Trace, minimal: bool, found: &'t mut Option<Elem>) -> Tracer<'t> {
        Tracer { trace, minimal, found }
    }

    fn leaf<'de, T: Copy, V: Visitor<'de>>(
        self,
        elem: Elem,
        choices: &[T],
        visit: impl FnOnce(V, T) -> Result<V::Value, Error>,
        visitor: V,
    ) -> Result<V::Value, Error> {
        *self.found = Some(elem);
        let sample = self.trace.sample(choices);
        visit(visitor, sample)
    }

    fn int<'de, V: Visitor<'de>>(self, elem: Elem, visitor: V) -> Result<V::Value, Error> {
        let elem = if typeid::of::<V::Value>() == typeid::of::<isize>() { basic::INT } else { elem };
        self.leaf(elem, &INTS, Visitor::visit_i64, visitor)
    }

    fn uint<'de, V: Visitor<'de>>(self, elem: Elem, visitor: V) -> Result<V::Value, Error> {
        let elem = if typeid::of::<V::Value>() == typeid::of::<usize>() { basic::UINT } else { elem };
        self.leaf(elem, &UINTS, Visitor::visit_u64, visitor)
    }

    fn unsupported<'de, V: Visitor<'de>>(self, why: String, visitor: V) -> Result<V::Value, Error> {
        *self.found = Some(self.trace.unnamed(Shape::Unsupported(why)));
        visitor.visit_unit()
    }

    fn deeper<R>(
        &mut self,
        within: impl FnOnce(&mut Trace, &mut Option<Elem>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        if self.trace.depth == DEEPEST {
            return Err(Error::unsupported("a type that contains itself without being a struct"));
        }
        self.trace.depth += 1;
        let made = within(self.trace, self.found)?;
        self.trace.depth -= 1;
        Ok(made)
    }

    /// A struct, or a variant with fields.
    pub(super) fn structure<'de, V: Visitor<'de>>(
        mut self,
        name: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let key = Key::new::<V>(name, names);
        let place = self.trace.place(key);
        *self.found = Some(Elem { node: place, tag: Tag::Struct, pointers: 0 });
        let look = !self.minimal && self.trace.visited.insert(place);
        let mode = self.trace.modes.get(&key).cloned().unwrap_or_default();
        self.deeper(|trace, _| match mode {
            Mode::InOrder => {
                let mut fields = Fields { trace, minimal: !look, most: names.len(), found: Vec::new() };
                let made = visitor.visit_seq(&mut fields);
                let found = fields.found;
                if made.is_err() && found.is_empty() && !names.is_empty() {
                    trace.modes.insert(key, Mode::ByName { aliases: Default::default(), in_order: false });
                    trace.learned = true;
                } else if made.is_ok() && found.len() < names.len() {
                    // Fewer fields than names: some are aliases, which only show when fields are named.
                    trace.modes.insert(key, Mode::ByName { aliases: Default::default(), in_order: true });
                    trace.learned = true;
                    return Err(Error::custom("fields have aliases"));
                }
                let made = made?;
                if look {
                    let local = Local {
                        names: names.iter().zip(0..).map(|(name, place)| (*name, place)).collect(),
                        in_order: true,
                    };
                    let fields =
                        names.iter().zip(found).map(|(name, elem)| Field::new(*name, elem)).collect();
                    let shape = Shape::Struct { fields, local: Some(local) };
                    trace.graph.fill(place, Node { naming: naming(name), shape });
                }
                Ok(made)
            }
            Mode::ByName { aliases, in_order } => {
                let mut fields = NamedFields {
                    trace,
                    minimal: !look,
                    names,
                    aliases: &aliases,
                    next: 0,
                    named: None,
                    found: Vec::new(),
                };
                let made = visitor.visit_map(&mut fields);
                let NamedFields { named, found, .. } = fields;
                if let (Err(error), Some(alias)) = (&made, named)
                    && error.signal() == Signal::DuplicateField
                {
                    let mut aliases = aliases;
                    aliases.insert(alias);
                    trace.modes.insert(key, Mode::ByName { aliases, in_order });
                    trace.learned = true;
                }
                let made = made?;
                if look {
                    trace.graph.fill(place, by_name(name, names, &found, in_order));
                }
                Ok(made)
            }
        })
    }
}

/// A struct of fields each of which is known by the name at its place and by those up to the next one's.
fn by_name(
    name: &'static str,
    names: &'static [&'static str],
    found: &[(usize, Elem)],
    in_order: bool,
) -> Node {
    let mut fields = Vec::new();
    let mut local = Vec::new();
    for (number, (first, elem)) in found.iter().enumerate() {
        let end = found.get(number + 1).map_or(names.len(), |(next, _)| *next);
        let aliases = names[first + 1..end].iter().map(|name| Box::from(*name)).collect();
        fields.push(Field::with_aliases(names[*first].into(), aliases, *elem));
        local.extend(names[*first..end].iter().map(|name| (*name, number as u16)));
    }
    let local = Some(Local { names: local.into(), in_order });
    Node { naming: naming(name), shape: Shape::Struct { fields: fields.into(), local } }
}

macro_rules! ints {
    ($($method:ident $through:ident $elem:ident;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.$through(basic::$elem, visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for Tracer<'_> {
    type Error = Error;

    ints! {
        deserialize_i8 int INT8;
        deserialize_i16 int INT16;
        deserialize_i32 int INT32;
        deserialize_i64 int INT64;
        deserialize_u8 uint UINT8;
        deserialize_u16 uint UINT16;
        deserialize_u32 uint UINT32;
        deserialize_u64 uint UINT64;
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        *self.found =
            Some(self.trace.unnamed(Shape::Unsupported("gob has no integers of 128 bits".to_owned())));
        visitor.visit_i64(0)
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        *self.found =
            Some(self.trace.unnamed(Shape::Unsupported("gob has no integers of 128 bits".to_owned())));
        visitor.visit_u64(0)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        // What takes anything is to Go what an empty interface is.
        *self.found = Some(basic::ANY);
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.unsupported("what is read to be ignored cannot be written".to_owned(), visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.leaf(basic::BOOL, &BOOLS, Visitor::visit_bool, visitor)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.leaf(basic::FLOAT32, &FLOATS, Visitor::visit_f64, visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.leaf(basic::FLOAT64, &FLOATS, Visitor::visit_f64, visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.leaf(basic::INT32, &CHARS, Visitor::visit_char, visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.leaf(basic::STRING, &TEXTS, Visitor::visit_borrowed_str, visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.leaf(basic::BYTES, &BYTES, Visitor::visit_borrowed_bytes, visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        if self.minimal {
            *self.found = Some(basic::ANY);
            return visitor.visit_none();
        }
        self.deeper(|trace, found| {
            let made = visitor.visit_some(Tracer::new(trace, false, found))?;
            if let Some(elem) = found.as_mut().filter(|elem| elem.tag != Tag::Interface) {
                elem.pointers = elem.pointers.saturating_add(1);
            }
            Ok(made)
        })
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        *self.found = Some(basic::EMPTY);
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let local = Some(Local { names: Box::default(), in_order: true });
        *self.found = Some(self.trace.intern(naming(name), Shape::Struct { fields: Box::default(), local }));
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if let Some(elem) = token::elem_of(name, |naming, shape| self.trace.intern(naming, shape)) {
            *self.found = Some(elem);
            // For those of ours, nothing is zero.
            return visitor.visit_unit();
        }
        let place = self.trace.place(Key::new::<V>(name, &[]));
        let look = !self.minimal && self.trace.visited.insert(place);
        self.deeper(|trace, found| {
            let mut inner = None;
            let made = visitor.visit_newtype_struct(Tracer::new(trace, !look, &mut inner))?;
            *found = inner.map(|inner| {
                if look {
                    let elem = trace.renamed(place, inner, naming(name));
                    trace.newtypes.insert(place, elem);
                    return elem;
                }
                // Not known yet when it is within itself; then it is a collection, or it had no end.
                let within = Elem { node: place, tag: Tag::Unsupported, pointers: 0 };
                trace.newtypes.get(&place).copied().unwrap_or(within)
            });
            Ok(made)
        })
    }

    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        let minimal = self.minimal;
        self.deeper(|trace, found| {
            let mut items = Items { trace, minimal, left: !minimal, found: None };
            let made = visitor.visit_seq(&mut items)?;
            if let Some((elem, size)) = items.found {
                *found = Some(trace.unnamed(Shape::Slice { elem, size }));
            } else if minimal {
                *found = Some(basic::ANY_SLICE);
            }
            Ok(made)
        })
    }

    fn deserialize_tuple<V: Visitor<'de>>(mut self, len: usize, visitor: V) -> Result<V::Value, Error> {
        let minimal = self.minimal;
        self.deeper(|trace, found| {
            let mut items = Same { trace, minimal, left: len, found: None, differ: false };
            let made = visitor.visit_seq(&mut items)?;
            let shape = match items.found {
                _ if items.differ => {
                    Shape::Unsupported("Go has no tuples: use a struct, or elements of one type".to_owned())
                }
                Some(elem) => Shape::Array { elem, len },
                None => Shape::Unsupported("an array of no elements does not say of what".to_owned()),
            };
            *found = Some(trace.unnamed(shape));
            Ok(made)
        })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let place = self.trace.place(Key::new::<V>(name, &[]));
        let mut inner = None;
        let made = Tracer::new(self.trace, self.minimal, &mut inner).deserialize_tuple(len, visitor)?;
        if let Some(inner) = inner.filter(|_| !self.minimal) {
            let elem = self.trace.renamed(place, inner, naming(name));
            self.trace.newtypes.insert(place, elem);
        }
        *self.found = self.trace.newtypes.get(&place).copied().or(inner);
        Ok(made)
    }

    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        let minimal = self.minimal;
        self.deeper(|trace, found| {
            let mut entry = Entry { trace, left: !minimal, key: None, value: None };
            let made = visitor.visit_map(&mut entry)?;
            if let (Some((key, key_size)), Some((value, value_size))) = (entry.key, entry.value) {
                *found = Some(trace.unnamed(Shape::Map { key, value, size: key_size + value_size }));
            } else if minimal {
                *found = Some(basic::ANY_MAP);
            }
            Ok(made)
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.structure(name, fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if variants.is_empty() {
            return self.unsupported(format!("{name} has no variants"), visitor);
        }
        let place = self.trace.place(Key::new::<V>(name, variants));
        // Whether it is an interface or a text is known at the end.
        *self.found = Some(Elem { node: place, tag: Tag::Interface, pointers: 0 });
        let look = !self.minimal;
        self.deeper(|trace, _| {
            let choice = trace.choose(place, name, variants, look);
            let made =
                visitor.visit_enum(VisitVariant { trace, place, choice, name: variants[choice.index] })?;
            trace.chosen(place, choice);
            Ok(made)
        })
    }
}
