//! A dynamic value as one of another type, by the rules by which Go decodes.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Value, walk};
use crate::error::Error;
use crate::go;
use crate::number::{put_uint, take_uint, to_float, to_int};
use crate::schema::{
    Elem, Format, Graph, Node, Shape, Tag, Type, basics, go_name, naming_text, reachable, relatives,
};

pub(super) fn convert(value: &Value, of: &Type) -> Result<Value, Error> {
    let mut converter = Converter {
        from: &value.graph,
        of: &of.graph,
        to: (*of.graph).clone(),
        places: HashMap::new(),
        fields: HashMap::new(),
    };
    let mut bytes = Vec::with_capacity(value.bytes.len());
    converter.value(value.elem, of.root, &mut value.bytes(), &mut bytes)?;
    Ok(Value {
        graph: Arc::new(converter.to),
        elem: of.root,
        bytes: bytes.into(),
        holds_interface: value.holds_interface,
        is_declared: true,
    })
}

struct Converter<'a> {
    from: &'a Graph,
    of: &'a Graph,
    /// The types wanted, and behind them those of what interfaces hold.
    to: Graph,
    /// Where types of the one graph are in the other.
    places: HashMap<u32, u32>,
    /// Fields of structs, by what they are in and what is wanted.
    fields: HashMap<(u32, u32), Places>,
}

type Places = Arc<[Option<usize>]>;

impl Converter<'_> {
    /// Takes a value of a type, and appends it as one of the type wanted. Values are no deeper than decoders allow.
    fn value(&mut self, elem: Elem, wanted: Elem, bytes: &mut &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        let (from, of) = (self.from, self.of);
        match (&from.node(elem.node).shape, &of.node(wanted.node).shape) {
            (Shape::Int(_), Shape::Int(bits)) => {
                let number = take_uint(bytes)?;
                let value = to_int(number);
                if value >> (bits - 1) != value >> 63 {
                    return Err(Error::overflow(value, &self.wanted(wanted)));
                }
                put_uint(out, number);
            }
            (Shape::Uint(_), Shape::Uint(bits)) => {
                let number = take_uint(bytes)?;
                if number > u64::MAX >> (64 - bits) {
                    return Err(Error::overflow(number, &self.wanted(wanted)));
                }
                put_uint(out, number);
            }
            (Shape::Float(_), Shape::Float(32)) => {
                let number = take_uint(bytes)?;
                let value = to_float(number);
                if value.is_finite() && value.abs() > f32::MAX.into() {
                    return Err(Error::overflow(value, &self.wanted(wanted)));
                }
                put_uint(out, number);
            }
            (Shape::Opaque(format), Shape::Opaque(expected)) => {
                let content = walk::counted(bytes)?;
                self.check_opaque((elem, format), (wanted, expected), content)?;
                put_uint(out, content.len() as u64);
                out.extend_from_slice(content);
            }
            (Shape::Slice { elem, .. }, Shape::Slice { elem: wanted, .. }) => {
                self.items(*elem, *wanted, bytes, out)?;
            }
            (Shape::Array { elem, len }, Shape::Array { elem: wanted, len: wanted_len })
                if len == wanted_len =>
            {
                self.items(*elem, *wanted, bytes, out)?;
            }
            (Shape::Map { key, value, .. }, Shape::Map { key: wanted_key, value: wanted_value, .. }) => {
                let count = take_uint(bytes)?;
                put_uint(out, count);
                for entry in 0..count as usize {
                    self.value(*key, *wanted_key, bytes, out).map_err(|error| error.at_entry(entry))?;
                    self.value(*value, *wanted_value, bytes, out).map_err(|error| error.at_entry(entry))?;
                }
            }
            (Shape::Struct { .. }, Shape::Struct { .. }) => self.fields(elem, wanted, bytes, out)?,
            (Shape::Interface { .. }, Shape::Interface { .. }) => self.copy(elem, bytes, out)?,
            // Alike as far as the wire goes.
            (shape, expected) if shape.tag() == expected.tag() && !shape.tag().is_composite() => {
                self.copy(elem, bytes, out)?;
            }
            _ => return Err(Error::mismatch(self.wanted(wanted), self.found(elem))),
        }
        Ok(())
    }

    fn items(&mut self, elem: Elem, wanted: Elem, bytes: &mut &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        let count = take_uint(bytes)?;
        put_uint(out, count);
        for index in 0..count as usize {
            self.value(elem, wanted, bytes, out).map_err(|error| error.at_index(index))?;
        }
        Ok(())
    }

    /// Fields are matched by their names; those that are not wanted are left out.
    fn fields(
        &mut self,
        elem: Elem,
        wanted: Elem,
        bytes: &mut &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let places = self.places_of_fields(elem, wanted)?;
        let (fields, expected) = (self.from.fields(elem.node), self.of.fields(wanted.node));
        let (mut last, mut pieces) = (None, Vec::new());
        while let Some(number) = walk::field(bytes, &mut last)? {
            let field = fields.get(number).ok_or_else(walk::broken)?;
            match places[number] {
                Some(place) => {
                    let mut piece = Vec::new();
                    self.value(field.elem, expected[place].elem, bytes, &mut piece)
                        .map_err(|error| error.at_field(&field.name))?;
                    pieces.push((place, piece));
                }
                None => walk::skip(self.from, field.elem, bytes)?,
            }
        }
        pieces.sort_by_key(|(place, _)| *place);
        let mut next = 0;
        for (place, piece) in pieces {
            put_uint(out, (place + 1 - next) as u64);
            out.extend_from_slice(&piece);
            next = place + 1;
        }
        out.push(0);
        Ok(())
    }

    /// Where each field of a struct is in the one wanted. Of several of one name, which only a peer can have, the first.
    fn places_of_fields(&mut self, elem: Elem, wanted: Elem) -> Result<Places, Error> {
        if let Some(known) = self.fields.get(&(elem.node, wanted.node)) {
            return Ok(known.clone());
        }
        let (fields, expected) = (self.from.fields(elem.node), self.of.fields(wanted.node));
        let mut left: HashMap<&str, usize> =
            expected.iter().enumerate().map(|(place, field)| (&*field.name, place)).collect();
        let places: Places = fields.iter().map(|field| left.remove(&*field.name)).collect();
        if !fields.is_empty() && !expected.is_empty() && places.iter().all(Option::is_none) {
            let found = format!("{}: no field in common", self.found(elem));
            return Err(Error::mismatch(self.wanted(wanted), found));
        }
        self.fields.insert((elem.node, wanted.node), places.clone());
        Ok(places)
    }

    /// Appends a value as what it is.
    fn copy(&mut self, elem: Elem, bytes: &mut &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        let whole = *bytes;
        match &self.from.node(elem.node).shape {
            Shape::Interface { .. } if bytes.first() != Some(&0) => {
                let (name, elem) = walk::content(self.from, bytes)?;
                put_uint(out, name.len() as u64);
                out.extend_from_slice(name);
                put_uint(out, self.bring(elem.node).into());
                return self.copy(elem, bytes, out);
            }
            Shape::Slice { elem, .. } | Shape::Array { elem, .. } => {
                let count = take_uint(bytes)?;
                put_uint(out, count);
                for _ in 0..count {
                    self.copy(*elem, bytes, out)?;
                }
                return Ok(());
            }
            Shape::Map { key, value, .. } => {
                let count = take_uint(bytes)?;
                put_uint(out, count);
                for _ in 0..count {
                    self.copy(*key, bytes, out)?;
                    self.copy(*value, bytes, out)?;
                }
                return Ok(());
            }
            Shape::Struct { fields, .. } => {
                let mut number = usize::MAX;
                loop {
                    let delta = take_uint(bytes)?;
                    put_uint(out, delta);
                    if delta == 0 {
                        return Ok(());
                    }
                    number = number.wrapping_add(delta as usize);
                    self.copy(fields.get(number).ok_or_else(walk::broken)?.elem, bytes, out)?;
                }
            }
            _ => walk::skip(self.from, elem, bytes)?,
        }
        out.extend_from_slice(&whole[..whole.len() - bytes.len()]);
        Ok(())
    }

    /// Brings a type, and all that it is made of, into the other graph; its place there.
    fn bring(&mut self, place: u32) -> u32 {
        if place < basics() {
            return place;
        }
        if let Some(&known) = self.places.get(&place) {
            return known;
        }
        let mut fresh = reachable(self.from, place, relatives);
        fresh.retain(|place| *place >= basics() && !self.places.contains_key(place));
        for &place in &fresh {
            let local = self.to.reserve();
            self.places.insert(place, local);
        }
        for place in fresh {
            let Node { naming, shape } = self.from.node(place);
            let shape =
                shape.map(|elem| Elem { node: *self.places.get(&elem.node).unwrap_or(&elem.node), ..elem });
            self.to.fill(self.places[&place], Node { naming: naming.clone(), shape });
        }
        self.places[&place]
    }

    /// Whether the bytes of a type with an encoding of its own are of the type wanted, as far as that can be told.
    fn check_opaque(
        &self,
        (elem, format): (Elem, &Format),
        (wanted, expected): (Elem, &Format),
        bytes: &[u8],
    ) -> Result<(), Error> {
        if format.by != expected.by {
            return Err(Error::mismatch(self.wanted(wanted), self.found(elem)));
        }
        match go::check(&naming_text(&self.of.node(wanted.node).naming), bytes) {
            Ok(()) => Ok(()),
            Err(why) => Err(Error::mismatch(self.wanted(wanted), format!("{}: {why}", self.found(elem)))),
        }
    }

    fn wanted(&self, elem: Elem) -> String {
        go_name(self.of, Elem { pointers: 0, ..elem }, "main")
    }

    /// Numbers of the wire have no size.
    fn found(&self, elem: Elem) -> String {
        match elem.tag {
            Tag::Int | Tag::Uint | Tag::Float | Tag::Complex => elem.tag.name().to_owned(),
            _ => go_name(self.from, elem, "main"),
        }
    }
}
