//! Slices, arrays and maps.

use std::cmp::Ordering;
use std::ops::Range;

use serde::Serialize;
use serde::ser::{
    Error as _, SerializeMap, SerializeSeq, SerializeTuple, SerializeTupleStruct, SerializeTupleVariant,
};

use super::fields::ByName;
use super::pen::{Pen, Place};
use super::position::{Byte, Element, Key, Position};
use super::ser::Ser;
use crate::error::Error;
use crate::number::{put_uint, take_uint, to_float, to_int};
use crate::schema::{Elem, Graph, Shape, Tag, basic};

/// The elements of a slice or an array, one after the other.
pub(super) struct Items<'p, P> {
    graph: &'p Graph,
    pen: &'p mut Pen,
    elem: Elem,
    kind: Kind,
    len: Option<usize>,
    count: usize,
    /// What comes before the elements, when it is not written because their number, or whether they are all zero,
    /// is not known.
    position: Option<P>,
    place: Place,
    /// Whether an interface holds it.
    content: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Each,
    Bytes,
    Complex,
    /// A field without elements, which is left out.
    Omitted,
}

impl<'p, P: Position> Items<'p, P> {
    #[inline]
    pub(super) fn begin(ser: Ser<'p, P>, len: Option<usize>) -> Result<Self, Error> {
        let Ser { graph, elem: of, .. } = ser;
        let (elem, kind, fixed) = match &graph.node(of.node).shape {
            Shape::Slice { elem, .. } => (*elem, Kind::Each, None),
            Shape::Bytes => (basic::UINT8, Kind::Bytes, None),
            Shape::Array { elem, len } => (*elem, Kind::Each, Some(*len)),
            Shape::Complex(_) => (basic::FLOAT64, Kind::Complex, Some(2)),
            Shape::Interface { open: true, .. } => return Self::any(ser, len),
            _ => return Err(Error::mismatch(ser.name(), "a sequence")),
        };
        if let (Some(fixed), Some(len)) = (fixed, len)
            && fixed != len
        {
            return Err(Error::mismatch(format!("{fixed} elements"), len.to_string()));
        }
        Self::with(ser, elem, kind, fixed.or(len), fixed.is_some(), false)
    }

    /// What an interface that takes anything holds.
    #[cold]
    fn any(ser: Ser<'p, P>, len: Option<usize>) -> Result<Self, Error> {
        let Ser { graph, pen, position, .. } = ser;
        position.open(&mut pen.bytes);
        pen.counted(b"[]interface {}");
        pen.begin_content(basic::ANY_SLICE);
        pen.descend()?;
        let place = pen.here();
        if let Some(len) = len {
            pen.uint(len as u64);
        }
        Ok(Items {
            graph,
            pen,
            elem: basic::ANY,
            kind: Kind::Each,
            len,
            count: 0,
            position: None,
            place,
            content: true,
        })
    }

    #[inline]
    fn with(
        ser: Ser<'p, P>,
        elem: Elem,
        kind: Kind,
        len: Option<usize>,
        fixed: bool,
        content: bool,
    ) -> Result<Self, Error> {
        let Ser { graph, pen, position, .. } = ser;
        pen.descend()?;
        let place = pen.here();
        let mut items =
            Items { graph, pen, elem, kind, len, count: 0, position: Some(position), place, content };
        match len {
            _ if kind == Kind::Complex => {}
            Some(0) if P::OMITS && !fixed => items.kind = Kind::Omitted,
            Some(len) => {
                if let Some(position) = items.position.take() {
                    position.open(&mut items.pen.bytes);
                }
                items.pen.uint(len as u64);
            }
            None => {}
        }
        Ok(items)
    }

    pub(super) fn into_content(self) -> Self {
        Items { content: true, ..self }
    }

    #[inline]
    fn item<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), Error> {
        let done = match self.kind {
            Kind::Bytes => item.serialize(Ser::new(self.graph, self.pen, self.elem, Byte)),
            _ => item.serialize(Ser::new(self.graph, self.pen, self.elem, Element)),
        };
        match done {
            Ok(()) => {
                self.count += 1;
                Ok(())
            }
            Err(error) => Err(error.at_index(self.count)),
        }
    }

    fn finish(self) -> Result<(), Error> {
        let Items { pen, kind, len, count, position, place, content, .. } = self;
        if let Some(len) = len.filter(|len| *len != count) {
            return Err(Error::custom(format!(
                "a sequence says that it has {len} elements, and has {count}"
            )));
        }
        match position {
            Some(position) if kind == Kind::Complex => {
                let mut parts = &pen.bytes[place.byte..];
                let (real, imaginary) = (to_float(take_uint(&mut parts)?), to_float(take_uint(&mut parts)?));
                if P::OMITS && real == 0.0 && imaginary == 0.0 {
                    pen.retract(place);
                } else {
                    let mut head = Vec::new();
                    position.open(&mut head);
                    pen.insert(place, &head);
                }
            }
            Some(position) if len.is_none() && (count > 0 || !P::OMITS) => {
                let mut head = Vec::new();
                position.open(&mut head);
                put_uint(&mut head, count as u64);
                pen.insert(place, &head);
            }
            Some(_) => {}
            None if len.is_none() => {
                let mut head = Vec::new();
                put_uint(&mut head, count as u64);
                pen.insert(place, &head);
            }
            None => {}
        }
        pen.ascend();
        if content {
            pen.end_content();
        }
        Ok(())
    }
}

macro_rules! items {
    ($($trait:ident $method:ident;)*) => {
        $(impl<P: Position> $trait for Items<'_, P> {
            type Ok = ();
            type Error = Error;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), Error> {
                self.item(item)
            }

            fn end(self) -> Result<(), Error> {
                self.finish()
            }
        })*
    };
}

items! {
    SerializeSeq serialize_element;
    SerializeTuple serialize_element;
    SerializeTupleStruct serialize_field;
    SerializeTupleVariant serialize_field;
}

/// The entries of a map, or the fields of a struct by their names.
pub(super) struct Entries<'p> {
    graph: &'p Graph,
    pen: &'p mut Pen,
    to: To<'p>,
    count: usize,
    content: bool,
}

enum To<'p> {
    Map {
        key: Elem,
        value: Elem,
        len: Option<usize>,
        place: Place,
        /// When they are to be put in order: where each begins, its key ends, and it ends.
        entries: Option<Vec<(Range<usize>, usize)>>,
        key_end: usize,
    },
    Fields {
        fields: ByName<'p>,
        name: String,
    },
}

impl<'p> Entries<'p> {
    pub(super) fn begin<P: Position>(ser: Ser<'p, P>, len: Option<usize>) -> Result<Self, Error> {
        let Ser { graph, elem: of, .. } = ser;
        let (key, value, content) = match &graph.node(of.node).shape {
            Shape::Map { key, value, .. } => (*key, *value, false),
            Shape::Struct { fields, .. } => {
                let Ser { pen, position, .. } = ser;
                pen.descend()?;
                position.open(&mut pen.bytes);
                let to = To::Fields { fields: ByName::new(fields, pen.here()), name: String::new() };
                return Ok(Entries { graph, pen, to, count: 0, content: false });
            }
            Shape::Interface { open: true, .. } => (basic::STRING, basic::ANY, true),
            _ => return Err(Error::mismatch(ser.name(), "a map")),
        };
        let Ser { pen, position, .. } = ser;
        pen.descend()?;
        // Unlike a slice, a map without entries is sent: to Go it is not the same as none.
        position.open(&mut pen.bytes);
        if content {
            pen.counted(b"map[string]interface {}");
            pen.begin_content(basic::ANY_MAP);
        }
        if let Some(len) = len {
            pen.uint(len as u64);
        }
        let entries = pen.sorted.then(Vec::new);
        let to = To::Map { key, value, len, place: pen.here(), entries, key_end: 0 };
        Ok(Entries { graph, pen, to, count: 0, content })
    }
}

impl SerializeMap for Entries<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, given: &T) -> Result<(), Error> {
        match &mut self.to {
            To::Map { key, entries, key_end, .. } => {
                let start = self.pen.bytes.len();
                given
                    .serialize(Ser::new(self.graph, self.pen, *key, Key))
                    .map_err(|error| error.at_entry(self.count))?;
                *key_end = self.pen.bytes.len();
                if let Some(entries) = entries {
                    entries.push((start..start, *key_end));
                }
            }
            To::Fields { name, .. } => {
                let place = self.pen.here();
                given.serialize(Ser::new(self.graph, self.pen, basic::STRING, Element))?;
                let mut text = &self.pen.bytes[place.byte..];
                take_uint(&mut text)?;
                name.clear();
                name.push_str(&String::from_utf8_lossy(text));
                self.pen.retract(place);
            }
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, given: &T) -> Result<(), Error> {
        match &mut self.to {
            To::Map { value, entries, .. } => {
                given
                    .serialize(Ser::new(self.graph, self.pen, *value, Element))
                    .map_err(|error| error.at_entry(self.count))?;
                if let Some((entry, _)) = entries.as_mut().and_then(|entries| entries.last_mut()) {
                    entry.end = self.pen.bytes.len();
                }
            }
            To::Fields { fields, name } => fields.field(self.graph, self.pen, name, given)?,
        }
        self.count += 1;
        Ok(())
    }

    fn end(self) -> Result<(), Error> {
        let Entries { graph, pen, to, count, content } = self;
        match to {
            To::Map { key, len, place, entries, .. } => {
                if let Some(mut entries) = entries.filter(|entries| entries.len() > 1) {
                    let shape = &graph.node(key.node).shape;
                    entries.sort_by(|(a, a_end), (b, b_end)| {
                        by_key(shape.tag(), &pen.bytes[a.start..*a_end], &pen.bytes[b.start..*b_end])
                    });
                    let pieces: Vec<_> = entries.into_iter().map(|(piece, _)| (Vec::new(), piece)).collect();
                    pen.rearrange(place, &pieces);
                }
                match len {
                    Some(len) if len != count => {
                        return Err(Error::custom(format!(
                            "a map says that it has {len} entries, and has {count}"
                        )));
                    }
                    Some(_) => {}
                    None => {
                        let mut head = Vec::new();
                        put_uint(&mut head, count as u64);
                        pen.insert(place, &head);
                    }
                }
            }
            To::Fields { fields, .. } => fields.finish(pen),
        }
        pen.ascend();
        if content {
            pen.end_content();
        }
        Ok(())
    }
}

/// Which of two keys, as they are written, comes first: numbers by their size, texts by their bytes.
fn by_key(tag: Tag, mut a: &[u8], mut b: &[u8]) -> Ordering {
    let mut numbers = || Some((take_uint(&mut a).ok()?, take_uint(&mut b).ok()?));
    let by_number = match tag {
        Tag::Int => numbers().map(|(a, b)| to_int(a).cmp(&to_int(b))),
        Tag::Bool | Tag::Uint => numbers().map(|(a, b)| a.cmp(&b)),
        Tag::Float => numbers().map(|(a, b)| to_float(a).total_cmp(&to_float(b))),
        // Past the length.
        Tag::Text => numbers().map(|_| Ordering::Equal),
        _ => None,
    };
    by_number.filter(|order| order.is_ne()).unwrap_or_else(|| a.cmp(b))
}
