//! The fields of structs: what the peer has left out, or does not have, is zero.

use std::mem::size_of;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess};

use super::de::De;
use super::one_field::OneField;
use super::plan::{At, LocalField, NO_FIELD, StructPlan};
use super::session::{Session, text_of};
use super::zero::Zero;
use crate::error::{Error, ErrorKind};
use crate::number::{Bad, LONGEST, uint_of};

/// Where a struct of the peer's is being read.
pub(super) struct Cursor<'d> {
    plan: &'d StructPlan,
    /// The field whose value comes next, counted from 1; at the end that which was last. That there is such a field is
    /// only looked at where it is not the one that is expected.
    next: u32,
    /// By how much it is after the one before; 0 at the end.
    delta: u32,
}

impl<'d> Cursor<'d> {
    /// Before the first.
    #[inline]
    fn before(plan: &'d StructPlan) -> Cursor<'d> {
        Cursor { plan, next: 0, delta: 0 }
    }

    #[inline]
    fn new(s: &mut Session<'d, '_>, plan: &'d StructPlan) -> Result<Cursor<'d>, Error> {
        let mut cursor = Cursor::before(plan);
        cursor.advance(s)?;
        Ok(cursor)
    }

    /// The field whose value comes next; nothing at the end.
    #[inline]
    fn field(&self) -> Result<Option<u32>, Error> {
        if self.delta == 0 {
            return Ok(None);
        }
        let field = self.next.wrapping_sub(1);
        if field as usize >= self.plan.fields.len() {
            return Err(ErrorKind::Corrupt("a field that the struct does not have").into());
        }
        Ok(Some(field))
    }

    /// Whether the value of that field comes next.
    #[inline]
    fn is_at(&self, field: u32) -> bool {
        self.delta > 0 && self.next == field + 1
    }

    /// Goes on to the next field.
    #[inline(always)]
    pub(super) fn advance(&mut self, s: &mut Session<'d, '_>) -> Result<(), Error> {
        self.advance_from(s, s.rest)
    }

    /// The same where so much is left of the input. Hardly ever is a field far from the one before.
    #[inline(always)]
    fn advance_from<'de>(&mut self, s: &mut Session<'d, 'de>, rest: &'de [u8]) -> Result<(), Error> {
        match rest.split_first() {
            Some((&delta, rest)) if delta < 0x80 => {
                s.rest = rest;
                self.step(delta);
                Ok(())
            }
            _ => self.advance_far(s, rest),
        }
    }

    #[inline(always)]
    fn step(&mut self, delta: u8) {
        self.delta = delta.into();
        self.next = self.next.wrapping_add(self.delta);
    }

    #[cold]
    #[inline(never)]
    fn advance_far<'de>(&mut self, s: &mut Session<'d, 'de>, rest: &'de [u8]) -> Result<(), Error> {
        let (delta, rest) = uint_of(rest)?;
        s.rest = rest;
        self.delta = u32::try_from(delta).unwrap_or(NO_FIELD);
        let next = u64::from(self.next).saturating_add(delta);
        self.next = u32::try_from(next).unwrap_or(NO_FIELD).min(NO_FIELD - 1);
        Ok(())
    }

    /// The number that is the value of this field. With the number of the next, as both are read faster together.
    #[inline(always)]
    pub(super) fn number(&mut self, s: &mut Session<'d, '_>) -> Result<u64, Error> {
        match s.rest.split_first_chunk() {
            Some((&[number, delta], rest)) if number | delta < 0x80 => {
                s.rest = rest;
                self.step(delta);
                Ok(number.into())
            }
            _ => self.long_number(s),
        }
    }

    /// The same of what is longer than a byte, apart so that it is there only once.
    #[inline(never)]
    fn long_number(&mut self, s: &mut Session<'d, '_>) -> Result<u64, Error> {
        // As many bytes as there may be: then nothing has to be asked of the end of the input but once.
        if let Some(window) = s.rest.first_chunk::<{ LONGEST + 1 }>() {
            let (number, count) = match *window {
                [0xff, a, ..] => (a.into(), 1),
                [0xfe, a, b, ..] => (u16::from_be_bytes([a, b]).into(), 2),
                [0xfd, a, b, c, ..] => (u32::from_be_bytes([0, a, b, c]).into(), 3),
                [0xfc, a, b, c, d, ..] => (u32::from_be_bytes([a, b, c, d]).into(), 4),
                [0xf8, a, b, c, d, e, f, g, h, ..] => (u64::from_be_bytes([a, b, c, d, e, f, g, h]), 8),
                _ => return self.any_number(s),
            };
            let delta = window[count + 1];
            if delta < 0x80 {
                s.rest = &s.rest[count + 2..];
                self.step(delta);
                return Ok(number);
            }
        }
        self.any_number(s)
    }

    /// The same wherever it is, and however far the next field.
    #[inline(never)]
    fn any_number(&mut self, s: &mut Session<'d, '_>) -> Result<u64, Error> {
        let (number, rest) = uint_of(s.rest)?;
        self.advance_from(s, rest)?;
        Ok(number)
    }

    /// The text that is the value of this field, where what is made of it takes so many bytes besides.
    #[inline(never)]
    pub(super) fn text<'de>(&mut self, s: &mut Session<'d, 'de>, boxed: usize) -> Result<&'de str, Error> {
        let (count, rest) = uint_of(s.rest)?;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let Some((bytes, rest)) = rest.split_at_checked(count) else { return Err(Bad::Short.into()) };
        let text = text_of(bytes)?;
        s.charge(bytes.len() + boxed)?;
        match self.advance_from(s, rest) {
            Ok(()) => Ok(text),
            Err(error) => Err(error),
        }
    }

    fn name(&self, s: &Session<'d, '_>, field: u32) -> &'d str {
        &s.types.graph.fields(self.plan.node)[field as usize].name
    }

    /// Passes over a field.
    #[cold]
    fn skip(&mut self, s: &mut Session<'d, '_>, field: u32) -> Result<(), Error> {
        let at = self.plan.fields[field as usize].at;
        s.skip(at).map_err(|error| error.at_field(self.name(s, field)))?;
        self.advance(s)
    }

    #[inline]
    fn skip_rest(&mut self, s: &mut Session<'d, '_>) -> Result<(), Error> {
        while let Some(field) = self.field()? {
            self.skip(s, field)?;
        }
        Ok(())
    }

    #[inline]
    fn value<'de, S: DeserializeSeed<'de>>(
        &mut self,
        s: &mut Session<'d, 'de>,
        field: u32,
        at: At,
        seed: S,
    ) -> Result<S::Value, Error> {
        match seed.deserialize(De::new(s, at, size_of::<S::Value>())) {
            Ok(value) => {
                self.advance(s)?;
                Ok(value)
            }
            Err(error) => Err(self.at_field(s, field, error)),
        }
    }

    #[cold]
    #[inline(never)]
    fn at_field(&self, s: &Session<'d, '_>, field: u32, error: Error) -> Error {
        error.at_field(self.name(s, field))
    }

    /// Passes over fields up to that one, and says whether it is there.
    #[cold]
    #[inline(never)]
    fn seek(&mut self, s: &mut Session<'d, '_>, wanted: u32) -> Result<bool, Error> {
        while let Some(field) = self.field()? {
            if self.next >= wanted || wanted == NO_FIELD {
                return Ok(self.next == wanted);
            }
            self.skip(s, field)?;
        }
        Ok(false)
    }
}

/// The fields in the order of the Rust struct, which is the peer's.
pub(super) struct InOrder<'s, 'd, 'de> {
    s: &'s mut Session<'d, 'de>,
    cursor: Cursor<'d>,
    locals: std::slice::Iter<'d, LocalField>,
    /// Whether the field that was read last was refused.
    refused: bool,
}

impl<'s, 'd, 'de> InOrder<'s, 'd, 'de> {
    #[inline]
    pub(super) fn new(s: &'s mut Session<'d, 'de>, plan: &'d StructPlan) -> Self {
        InOrder { s, cursor: Cursor::before(plan), locals: plan.locals.iter(), refused: false }
    }

    /// Goes to the first. Not in [`new`](InOrder::new), as to move what was just written in parts takes long.
    #[inline]
    pub(super) fn begin(&mut self) -> Result<(), Error> {
        self.cursor.advance(self.s)
    }

    /// Passes over what is left.
    #[inline]
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        self.cursor.skip_rest(self.s)?;
        self.s.ascend();
        Ok(())
    }

    /// Says where a struct was refused, and better why, if that was for want of a field.
    #[cold]
    #[inline(never)]
    pub(super) fn refuse(&mut self, error: &mut Error) {
        let left = self.locals.len();
        if self.refused {
            let locals = &self.cursor.plan.locals;
            let wire = locals[locals.len() - left - 1].wire;
            error.within_field(self.cursor.name(self.s, wire - 1));
            return;
        }
        match self.s.nil.take() {
            Some((name, asked)) if asked == left => *error = Error::from(ErrorKind::Nil).at_field(name),
            _ => {}
        }
    }
}

impl<'de> SeqAccess<'de> for InOrder<'_, '_, 'de> {
    type Error = Error;

    #[inline(always)]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        let Some(local) = self.locals.next() else { return Ok(None) };
        if self.cursor.next == local.wire { self.element(local, seed) } else { self.late(local, seed) }
    }
}

impl<'d, 'de> InOrder<'_, 'd, 'de> {
    #[inline(always)]
    fn element<S: DeserializeSeed<'de>>(
        &mut self,
        local: &'d LocalField,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        let place = size_of::<S::Value>();
        match seed.deserialize(OneField { s: self.s, cursor: &mut self.cursor, local, place }) {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                // Where that is, is said later: here it would take more of what is to be kept by a call.
                self.refused = true;
                Err(error)
            }
        }
    }

    /// A field that does not come next: it is after some that only the peer has, or is not there.
    #[cold]
    #[inline(never)]
    fn late<S: DeserializeSeed<'de>>(
        &mut self,
        local: &'d LocalField,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        if self.cursor.seek(self.s, local.wire)? {
            return self.element(local, seed);
        }
        zero(self.s, local.name, self.locals.len(), seed)
    }
}

/// The zero of a field; nothing where there is none, so that serde takes its default, if it has one.
#[inline(never)]
fn zero<'de, S: DeserializeSeed<'de>>(
    s: &mut Session<'_, 'de>,
    name: &'static str,
    left: usize,
    seed: S,
) -> Result<Option<S::Value>, Error> {
    match seed.deserialize(Zero::new(s)) {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), ErrorKind::Nil) && error.path().is_empty() => {
            s.nil = Some((name, left));
            Ok(None)
        }
        Err(error) => Err(error.at_field(name)),
    }
}

/// The fields by their names, in the order of the peer, and then those that it left out.
pub(super) struct Named<'s, 'd, 'de> {
    s: &'s mut Session<'d, 'de>,
    cursor: Cursor<'d>,
    /// Which fields of the Rust struct it has had.
    had: Vec<bool>,
    next: usize,
    value: Option<Given>,
}

#[derive(Clone, Copy)]
enum Given {
    Field(u32),
    Zero(&'static str),
}

impl<'s, 'd, 'de> Named<'s, 'd, 'de> {
    pub(super) fn new(s: &'s mut Session<'d, 'de>, plan: &'d StructPlan) -> Result<Self, Error> {
        let cursor = Cursor::new(s, plan)?;
        Ok(Named { s, cursor, had: vec![false; plan.locals.len()], next: 0, value: None })
    }

    pub(super) fn finish(&mut self) -> Result<(), Error> {
        self.cursor.skip_rest(self.s)?;
        self.s.ascend();
        Ok(())
    }

    fn next_name(&mut self) -> Result<Option<&'static str>, Error> {
        while let Some(field) = self.cursor.field()? {
            match self.cursor.plan.fields[field as usize].local.map(usize::from) {
                Some(local) => {
                    self.had[local] = true;
                    self.value = Some(Given::Field(field));
                    return Ok(Some(self.cursor.plan.locals[local].name));
                }
                None => self.cursor.skip(self.s, field)?,
            }
        }
        while let Some(had) = self.had.get(self.next) {
            self.next += 1;
            if !had {
                let name = self.cursor.plan.locals[self.next - 1].name;
                self.value = Some(Given::Zero(name));
                return Ok(Some(name));
            }
        }
        Ok(None)
    }
}

impl<'de> MapAccess<'de> for Named<'_, '_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let name = self.next_name()?;
        name.map(|name| seed.deserialize(BorrowedStrDeserializer::new(name))).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        match self.value.take() {
            Some(Given::Field(field)) => {
                let at = self.cursor.plan.fields[field as usize].at;
                self.cursor.value(self.s, field, at, seed)
            }
            Some(Given::Zero(name)) => {
                seed.deserialize(Zero::new(self.s)).map_err(|error| error.at_field(name))
            }
            None => Err(Error::custom("a value without its name")),
        }
    }
}

/// All fields of the peer's struct by their names: for what takes anything, and what it is not known of what it takes.
pub(super) struct AllFields<'s, 'd, 'de> {
    s: &'s mut Session<'d, 'de>,
    cursor: Cursor<'d>,
    /// The field that is next in turn, whether the peer has left it out or not.
    next: u32,
    /// Only these, when they are known.
    names: Option<&'static [&'static str]>,
}

impl<'s, 'd, 'de> AllFields<'s, 'd, 'de> {
    pub(super) fn new(s: &'s mut Session<'d, 'de>, plan: &'d StructPlan) -> Result<Self, Error> {
        let cursor = Cursor::new(s, plan)?;
        Ok(AllFields { s, cursor, next: 0, names: None })
    }

    /// Without those that have other names.
    pub(super) fn of(self, names: &'static [&'static str]) -> Self {
        AllFields { names: Some(names), ..self }
    }

    pub(super) fn finish(&mut self) -> Result<(), Error> {
        self.cursor.skip_rest(self.s)
    }
}

impl<'de> MapAccess<'de> for AllFields<'_, '_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        while (self.next as usize) < self.cursor.plan.fields.len() {
            let field = self.next;
            let name = self.cursor.name(self.s, field);
            self.next += 1;
            if self.names.is_none_or(|names| names.contains(&name)) {
                let name: serde::de::value::StrDeserializer<'_, Error> =
                    serde::de::IntoDeserializer::into_deserializer(name);
                return seed.deserialize(name).map(Some);
            }
            if self.cursor.is_at(field) {
                self.cursor.skip(self.s, field)?;
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let Some(field) = self.next.checked_sub(1) else {
            return Err(Error::custom("a value without its name"));
        };
        let at = self.cursor.plan.fields[field as usize].at;
        if self.cursor.is_at(field) {
            return self.cursor.value(self.s, field, at, seed);
        }
        let name = self.cursor.name(self.s, field);
        seed.deserialize(Zero::of(self.s, at)).map_err(|error| error.at_field(name))
    }
}
