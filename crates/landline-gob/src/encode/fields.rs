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
///
/// It is never borrowed as a whole by what is not inlined, so that it stays in registers.
pub(super) struct StructFields<'p> {
    graph: &'p Graph,
    pen: &'p mut Pen,
    /// The fields that were not written yet, the first of which is expected next; none when they come by name.
    left: &'p [Field],
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
        let (left, by_name) = match pen.given {
            false => (&**fields, None),
            true => (&[][..], Some(ByName::boxed(fields, pen))),
        };
        let outer = std::mem::replace(&mut pen.last, left.len() as u32);
        Ok(StructFields { graph, pen, left, outer, by_name, content: false })
    }

    pub(super) fn into_content(self) -> Self {
        StructFields { content: true, ..self }
    }

    #[inline(always)]
    fn field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        let expected = self.left.split_first();
        let (field, left) = match expected {
            Some((field, left))
                if field.key.load(Relaxed) == key.as_ptr().addr() && field.name.len() == key.len() =>
            {
                (field, left)
            }
            _ => match &mut self.by_name {
                Some(by_name) => return by_name.field(self.graph, self.pen, key, value),
                None => find(self.left, key)?,
            },
        };
        self.left = left;
        let position = Numbered { left: left.len() as u32 };
        match value.serialize(Ser::new(self.graph, self.pen, field.elem, position)) {
            Ok(()) => Ok(()),
            Err(error) => Err(error.at_field(key)),
        }
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

/// The field of that name, and those after it.
#[cold]
#[inline(never)]
fn find<'p>(left: &'p [Field], key: &'static str) -> Result<(&'p Field, &'p [Field]), Error> {
    let mut after = left;
    while let Some((field, rest)) = after.split_first() {
        after = rest;
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
        return Ok((field, after));
    }
    Err(Error::unsupported(format!(
        "the field {key} is written, and is not read at this place: gob knows structs by their Deserialize"
    )))
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

    #[inline(always)]
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

    #[cold]
    #[inline(never)]
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
        // Before the first.
        let mut last = u32::MAX;
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
