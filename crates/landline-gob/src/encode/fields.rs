//! Structs.

use std::ops::Range;
use std::sync::atomic::Ordering::Relaxed;

use serde::Serialize;
use serde::ser::{SerializeStruct, SerializeStructVariant};

use super::pen::{Pen, Place};
use super::position::{Detached, Numbered, Position};
use super::ser::Ser;
use crate::error::Error;
use crate::number::put_uint;
use crate::schema::{Field, Graph, Shape};

/// The fields of a struct, as a rule in their order.
pub(super) struct StructFields<'p> {
    graph: &'p Graph,
    pen: &'p mut Pen,
    fields: &'p [Field],
    /// The place at which the next field is expected.
    next: usize,
    /// The field of what this one is in that was written last.
    outer: u32,
    /// For structs that need not know the order of the type they were given.
    by_name: Option<Box<ByName<'p>>>,
    content: bool,
}

impl<'p> StructFields<'p> {
    #[inline(always)]
    pub(super) fn begin<P: Position>(ser: Ser<'p, P>) -> Result<Self, Error> {
        let graph = ser.graph;
        let Shape::Struct { fields, .. } = &graph.node(ser.elem.node).shape else {
            return Err(Error::mismatch(ser.name(), "a struct"));
        };
        let Ser { pen, position, .. } = ser;
        pen.descend()?;
        position.open(pen);
        let by_name = if pen.given { Some(ByName::boxed(fields, pen)) } else { None };
        let outer = std::mem::replace(&mut pen.last, Numbered::NONE);
        Ok(StructFields { graph, pen, fields, next: 0, outer, by_name, content: false })
    }

    pub(super) fn into_content(self) -> Self {
        StructFields { content: true, ..self }
    }

    #[inline(always)]
    fn field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        if let Some(by_name) = &mut self.by_name {
            return by_name.field(self.graph, self.pen, key, value);
        }
        let field = self.find(key)?;
        let position = Numbered((self.next - 1) as u32);
        match value.serialize(Ser::new(self.graph, self.pen, field.elem, position)) {
            Ok(()) => Ok(()),
            Err(error) => Err(error.at_field(key)),
        }
    }

    /// The field of that name, after those that were given before.
    #[inline(always)]
    fn find(&mut self, key: &'static str) -> Result<&'p Field, Error> {
        if let Some(field) = self.fields.get(self.next)
            && field.key.load(Relaxed) == key.as_ptr().addr()
            && field.name.len() == key.len()
        {
            self.next += 1;
            return Ok(field);
        }
        self.find_by_name(key)
    }

    #[cold]
    fn find_by_name(&mut self, key: &'static str) -> Result<&'p Field, Error> {
        let left = &self.fields[self.next.min(self.fields.len())..];
        for (passed, field) in left.iter().enumerate() {
            if *field.name == *key {
                if field.aliases.is_empty() {
                    // Texts of the program stay where they are: the same place and length are the same text.
                    field.key.store(key.as_ptr().addr(), Relaxed);
                } else {
                    choose(field, 1)?;
                }
            } else if let Some(alias) = field.aliases.iter().position(|alias| **alias == *key) {
                choose(field, alias + 2)?;
            } else {
                continue;
            }
            self.next += passed + 1;
            return Ok(field);
        }
        Err(Error::unsupported(format!(
            "the field {key} is written, and is not read at this place: gob knows structs by their Deserialize"
        )))
    }

    #[inline(always)]
    fn finish(self) -> Result<(), Error> {
        let StructFields { pen, outer, by_name, content, .. } = self;
        pen.last = outer;
        match by_name {
            Some(by_name) => by_name.finish(pen),
            None => pen.bytes.push(0),
        }
        pen.ascend();
        if content {
            pen.end_content();
        }
        Ok(())
    }
}

/// Notes by which of its names a field is written. It cannot change once the peer was told.
fn choose(field: &Field, number: usize) -> Result<(), Error> {
    match field.chosen.compare_exchange(0, number, Relaxed, Relaxed) {
        Err(other) if other != number => Err(Error::unsupported(format!(
            "the field {} has aliases, and was described to the peer by another of its names",
            field.name
        ))),
        _ => Ok(()),
    }
}

impl SerializeStruct for StructFields<'_> {
    type Ok = ();
    type Error = Error;

    #[inline(always)]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        self.field(key, value)
    }

    fn end(self) -> Result<(), Error> {
        self.finish()
    }
}

impl SerializeStructVariant for StructFields<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        self.field(key, value)
    }

    fn end(self) -> Result<(), Error> {
        self.finish()
    }
}

/// Fields in any order, put in that of the type at the end.
pub(super) struct ByName<'p> {
    fields: &'p [Field],
    place: Place,
    pieces: Vec<(u32, Range<usize>)>,
}

impl<'p> ByName<'p> {
    pub(super) fn new(fields: &'p [Field], place: Place) -> Self {
        ByName { fields, place, pieces: Vec::new() }
    }

    #[cold]
    #[inline(never)]
    fn boxed(fields: &'p [Field], pen: &Pen) -> Box<Self> {
        Box::new(ByName::new(fields, pen.here()))
    }

    pub(super) fn field<T: Serialize + ?Sized>(
        &mut self,
        graph: &Graph,
        pen: &mut Pen,
        name: &str,
        value: &T,
    ) -> Result<(), Error> {
        let Some(number) = self.fields.iter().position(|field| &*field.name == name) else {
            return Err(Error::mismatch("a field of the type", format!("the field {name}")));
        };
        if self.pieces.iter().any(|(known, _)| *known as usize == number) {
            return Err(Error::mismatch("each field once", "it again").at_field(name));
        }
        let start = pen.bytes.len();
        let ser = Ser::new(graph, pen, self.fields[number].elem, Detached);
        value.serialize(ser).map_err(|error| error.at_field(name))?;
        if pen.bytes.len() > start {
            self.pieces.push((number as u32, start..pen.bytes.len()));
        }
        Ok(())
    }

    pub(super) fn finish(mut self, pen: &mut Pen) {
        self.pieces.sort_by_key(|(number, _)| *number);
        let mut last = Numbered::NONE;
        let pieces: Vec<_> = self
            .pieces
            .into_iter()
            .map(|(number, piece)| {
                let mut head = Vec::new();
                put_uint(&mut head, number.wrapping_sub(last).into());
                last = number;
                (head, piece)
            })
            .collect();
        pen.rearrange(self.place, &pieces);
        pen.bytes.push(0);
    }
}
