//! Slices, arrays and maps.

use std::cmp::Ordering;
use std::mem;
use std::ops::Range;

use serde::Serialize;
use serde::ser::{
    Error as _, SerializeMap, SerializeSeq, SerializeTuple, SerializeTupleStruct, SerializeTupleVariant,
};

use super::fields::ByName;
use super::pen::{Pen, Place};
use super::plain::{Byte, Plain, Wire};
use super::position::{Element, Key, Position};
use super::ser::Ser;
use crate::error::Error;
use crate::number::{LONGEST, put_uint, take_uint, to_float, to_int, write_uint};
use crate::schema::{Elem, Graph, Shape, Tag, basic};

/// The elements of a slice or an array, one after the other.
pub(super) struct Items<'p, P> {
    graph: &'p Graph,
    pen: &'p mut Pen,
    elem: Elem,
    kind: Kind,
    /// Whether an interface holds it.
    content: bool,
    len: Option<usize>,
    count: usize,
    later: Option<Box<Later<P>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Each,
    Bytes,
}

/// What comes before the elements, when it cannot be written because their number, or whether they are all zero, is not
/// known.
struct Later<P> {
    /// Nothing when it has been written.
    position: Option<P>,
    place: Place,
    complex: bool,
}

impl<'p, P: Position> Items<'p, P> {
    #[inline(always)]
    pub(super) fn begin(ser: Ser<'p, P>, len: Option<usize>) -> Result<Self, Error> {
        let (elem, kind) = match (&ser.graph.node(ser.elem.node).shape, len) {
            (Shape::Slice { elem, .. }, Some(_)) => (*elem, Kind::Each),
            (Shape::Bytes, Some(_)) => (basic::UINT8, Kind::Bytes),
            _ => return Self::begin_other(ser, len),
        };
        let len = len.unwrap_or_default();
        let Ser { graph, pen, position, .. } = ser;
        pen.descend()?;
        if !(P::OMITS && len == 0) {
            position.put(pen, len as u64);
        }
        Ok(Items { graph, pen, elem, kind, content: false, len: Some(len), count: 0, later: None })
    }

    #[cold]
    #[inline(never)]
    fn begin_other(ser: Ser<'p, P>, len: Option<usize>) -> Result<Self, Error> {
        match &ser.graph.node(ser.elem.node).shape {
            Shape::Slice { elem, .. } => Self::begin_later(ser, *elem, Kind::Each),
            Shape::Bytes => Self::begin_later(ser, basic::UINT8, Kind::Bytes),
            Shape::Array { elem, len: fixed } => {
                if let Some(len) = len
                    && len != *fixed
                {
                    return Err(Error::mismatch(format!("{fixed} elements"), len.to_string()));
                }
                let (elem, fixed) = (*elem, *fixed);
                let Ser { graph, pen, position, .. } = ser;
                pen.descend()?;
                // Unlike a slice, an array is never left out.
                position.open(pen);
                pen.uint(fixed as u64);
                let len = Some(fixed);
                Ok(Items { graph, pen, elem, kind: Kind::Each, content: false, len, count: 0, later: None })
            }
            Shape::Complex(_) if len.is_none_or(|len| len == 2) => {
                let mut items = Self::begin_later(ser, basic::FLOAT64, Kind::Each)?;
                items.len = Some(2);
                if let Some(later) = &mut items.later {
                    later.complex = true;
                }
                Ok(items)
            }
            Shape::Interface { open: true, .. } => {
                let Ser { graph, pen, position, .. } = ser;
                position.open(pen);
                pen.counted(b"[]interface {}");
                pen.begin_content(basic::ANY_SLICE);
                match len {
                    Some(len) => {
                        pen.descend()?;
                        pen.uint(len as u64);
                        let (elem, len) = (basic::ANY, Some(len));
                        Ok(Items {
                            graph,
                            pen,
                            elem,
                            kind: Kind::Each,
                            content: true,
                            len,
                            count: 0,
                            later: None,
                        })
                    }
                    None => {
                        let place = pen.here();
                        let later = Some(Box::new(Later { position: None, place, complex: false }));
                        pen.descend()?;
                        let elem = basic::ANY;
                        Ok(Items { graph, pen, elem, kind: Kind::Each, content: true, len, count: 0, later })
                    }
                }
            }
            _ => Err(Error::mismatch(ser.name(), "a sequence")),
        }
    }

    #[cold]
    fn begin_later(ser: Ser<'p, P>, elem: Elem, kind: Kind) -> Result<Self, Error> {
        let Ser { graph, pen, position, .. } = ser;
        pen.descend()?;
        let later = Later { position: Some(position), place: pen.here(), complex: false };
        let later = Some(Box::new(later));
        Ok(Items { graph, pen, elem, kind, content: false, len: None, count: 0, later })
    }

    pub(super) fn into_content(self) -> Self {
        Items { content: true, ..self }
    }

    #[inline(always)]
    fn item<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), Error> {
        let done = match self.kind {
            Kind::Bytes => {
                let mut byte = 0;
                item.serialize(Plain(Byte(&mut byte))).map(|()| self.pen.bytes.push(byte))
            }
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

    #[inline(always)]
    fn finish(self) -> Result<(), Error> {
        let Items { pen, content, len, count, later, .. } = self;
        if let Some(len) = len
            && len != count
        {
            return Err(miscounted(len, count));
        }
        if let Some(later) = later {
            Self::finish_later(pen, *later, count)?;
        }
        pen.ascend();
        if content {
            pen.end_content();
        }
        Ok(())
    }

    #[cold]
    fn finish_later(pen: &mut Pen, later: Later<P>, count: usize) -> Result<(), Error> {
        let Later { position, place, complex } = later;
        let mut head = Vec::new();
        if complex {
            let mut parts = &pen.bytes[place.byte..];
            let zero = to_float(take_uint(&mut parts)?) == 0.0 && to_float(take_uint(&mut parts)?) == 0.0;
            if P::OMITS && zero {
                pen.retract(place);
                return Ok(());
            }
        } else {
            put_uint(&mut head, count as u64);
        }
        if let Some(position) = position {
            if P::OMITS && count == 0 {
                return Ok(());
            }
            let count = mem::take(&mut head);
            position.head(&mut pen.last, &mut head);
            head.extend(count);
        }
        pen.insert(place, &head);
        Ok(())
    }
}

/// The same of all elements at once.
#[inline(always)]
pub(super) fn collect<P: Position, I: Iterator>(ser: Ser<'_, P>, items: I) -> Result<(), Error>
where
    I::Item: Serialize,
{
    let len = match items.size_hint() {
        (least, Some(most)) if least == most => least,
        _ => return collect_other(ser, items, None),
    };
    match ser.elem.tag {
        Tag::Bytes => collect_bytes(ser, len, items),
        Tag::Slice => match &ser.graph.node(ser.elem.node).shape {
            Shape::Slice { elem, .. } => collect_slice(ser, *elem, len, items),
            _ => collect_other(ser, items, Some(len)),
        },
        _ => collect_other(ser, items, Some(len)),
    }
}

#[inline(always)]
fn collect_slice<P: Position, I: Iterator>(
    ser: Ser<'_, P>,
    elem: Elem,
    len: usize,
    mut items: I,
) -> Result<(), Error>
where
    I::Item: Serialize,
{
    let Ser { graph, pen, position, .. } = ser;
    pen.descend()?;
    if !(P::OMITS && len == 0) {
        position.put(pen, len as u64);
    }
    let mut count = 0;
    if matches!(elem.tag, Tag::Int | Tag::Uint | Tag::Float) && !pen.given {
        count = collect_numbers(graph, pen, elem, len, &mut items)?;
    }
    for item in items {
        put_item(graph, pen, elem, count, &item)?;
        count += 1;
    }
    pen.ascend();
    if count == len { Ok(()) } else { Err(miscounted(len, count)) }
}

/// Numbers one after the other, until one of them is something else, which is put, too. Gives how many it has put.
///
/// They are written where they belong without a look at the vector between two of them.
#[inline(always)]
fn collect_numbers<I: Iterator>(
    graph: &Graph,
    pen: &mut Pen,
    elem: Elem,
    len: usize,
    items: &mut I,
) -> Result<usize, Error>
where
    I::Item: Serialize,
{
    /// Numbers for which room is made at once, so that it is never far more than they need.
    const TOGETHER: usize = 256;
    let mut count = 0;
    loop {
        let start = pen.bytes.len();
        pen.bytes.resize(start + LONGEST * TOGETHER.min(len - count), 0);
        let mut room = &mut pen.bytes[start..];
        let mut other = None;
        while let Some(place) = room.first_chunk_mut()
            && let Some(item) = items.next()
        {
            let mut number = 0;
            if item.serialize(Plain(Wire { tag: elem.tag, number: &mut number })).is_err() {
                other = Some(item);
                break;
            }
            let len = write_uint(place, number);
            room = &mut mem::take(&mut room)[len..];
            count += 1;
        }
        let left = room.len();
        pen.bytes.truncate(pen.bytes.len() - left);
        if let Some(item) = other {
            put_item(graph, pen, elem, count, &item)?;
            return Ok(count + 1);
        }
        if left >= LONGEST || count >= len {
            return Ok(count);
        }
    }
}

#[inline(always)]
fn put_item<T: Serialize>(
    graph: &Graph,
    pen: &mut Pen,
    elem: Elem,
    index: usize,
    item: &T,
) -> Result<(), Error> {
    item.serialize(Ser::new(graph, pen, elem, Element)).map_err(|error| error.at_index(index))
}

#[inline(always)]
fn collect_bytes<P: Position, I: Iterator>(ser: Ser<'_, P>, len: usize, items: I) -> Result<(), Error>
where
    I::Item: Serialize,
{
    let Ser { pen, position, .. } = ser;
    if !(P::OMITS && len == 0) {
        position.put(pen, len as u64);
    }
    let start = pen.bytes.len();
    pen.bytes.resize(start + len, 0);
    let mut count = 0;
    // Without a look at what may come after them: so it is a copy where they are bytes already.
    for (byte, item) in pen.bytes[start..].iter_mut().zip(items) {
        if let Err(error) = item.serialize(Plain(Byte(byte))) {
            return Err(error.at_index(count));
        }
        count += 1;
    }
    if count == len { Ok(()) } else { Err(miscounted(len, count)) }
}

#[cold]
#[inline(never)]
fn collect_other<P: Position, I: Iterator>(ser: Ser<'_, P>, items: I, len: Option<usize>) -> Result<(), Error>
where
    I::Item: Serialize,
{
    let mut list = Items::begin(ser, len)?;
    for item in items {
        list.item(&item)?;
    }
    list.finish()
}

#[cold]
fn miscounted(len: usize, count: usize) -> Error {
    Error::custom(format!("a sequence says that it has {len} elements, and has {count}"))
}

macro_rules! items {
    ($($trait:ident $method:ident;)*) => {
        $(impl<P: Position> $trait for Items<'_, P> {
            type Ok = ();
            type Error = Error;

            #[inline(always)]
            fn $method<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), Error> {
                self.item(item)
            }

            #[inline(always)]
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
                position.open(pen);
                let to = To::Fields { fields: ByName::new(fields, pen.here()), name: String::new() };
                return Ok(Entries { graph, pen, to, count: 0, content: false });
            }
            Shape::Interface { open: true, .. } => (basic::STRING, basic::ANY, true),
            _ => return Err(Error::mismatch(ser.name(), "a map")),
        };
        let Ser { pen, position, .. } = ser;
        pen.descend()?;
        // Unlike a slice, a map without entries is sent: to Go it is not the same as none.
        position.open(pen);
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
