//! The fields of structs: what the peer has left out, or does not have, is zero.

use std::mem::size_of;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess};

use super::de::De;
use super::plan::{At, NO_FIELD, Plan, StructPlan};
use super::session::Session;
use super::zero::Zero;
use crate::error::{Error, ErrorKind};

fn struct_plan<'a>(s: &'a Session<'_, '_>, at: At) -> Option<&'a StructPlan> {
    match s.plans.plan(at) {
        Plan::Struct(plan) => Some(plan),
        _ => None,
    }
}

/// Where a struct of the peer's is being read.
struct Cursor {
    at: At,
    fields: usize,
    /// The field whose value comes next; nothing at the end.
    field: Option<u32>,
}

impl Cursor {
    #[inline]
    fn new(s: &mut Session<'_, '_>, at: At) -> Result<Cursor, Error> {
        let fields = struct_plan(s, at).map_or(0, |plan| plan.fields.len());
        Ok(Cursor { at, fields, field: s.next_field(None, fields)? })
    }

    #[inline]
    fn advance(&mut self, s: &mut Session<'_, '_>) -> Result<(), Error> {
        self.field = s.next_field(self.field, self.fields)?;
        Ok(())
    }

    fn plan(&self, s: &Session<'_, '_>, field: u32) -> At {
        struct_plan(s, self.at).map_or(self.at, |plan| plan.fields[field as usize].at)
    }

    fn name<'a>(&self, s: &Session<'a, '_>, field: u32) -> &'a str {
        &s.types.graph.fields(self.at.node)[field as usize].name
    }

    /// Passes over a field.
    #[cold]
    fn skip(&mut self, s: &mut Session<'_, '_>, field: u32) -> Result<(), Error> {
        let at = self.plan(s, field);
        s.skip(at).map_err(|error| error.at_field(self.name(s, field)))?;
        self.advance(s)
    }

    fn skip_rest(&mut self, s: &mut Session<'_, '_>) -> Result<(), Error> {
        while let Some(field) = self.field {
            self.skip(s, field)?;
        }
        Ok(())
    }

    #[inline]
    fn value<'de, S: DeserializeSeed<'de>>(
        &mut self,
        s: &mut Session<'_, 'de>,
        field: u32,
        at: At,
        seed: S,
    ) -> Result<S::Value, Error> {
        match seed.deserialize(De::new(s, at, size_of::<S::Value>())) {
            Ok(value) => {
                self.advance(s)?;
                Ok(value)
            }
            Err(error) => Err(error.at_field(self.name(s, field))),
        }
    }
}

/// The fields in the order of the Rust struct, which is the peer's.
pub(super) struct InOrder<'s, 'd, 'de> {
    s: &'s mut Session<'d, 'de>,
    cursor: Cursor,
    next: usize,
}

impl<'s, 'd, 'de> InOrder<'s, 'd, 'de> {
    #[inline]
    pub(super) fn new(s: &'s mut Session<'d, 'de>, at: At) -> Result<Self, Error> {
        let cursor = Cursor::new(s, at)?;
        Ok(InOrder { s, cursor, next: 0 })
    }

    #[inline]
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        self.cursor.skip_rest(self.s)
    }
}

impl<'de> SeqAccess<'de> for InOrder<'_, '_, 'de> {
    type Error = Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        let Some(plan) = struct_plan(self.s, self.cursor.at) else { return Ok(None) };
        let Some(local) = plan.locals.get(self.next).copied() else { return Ok(None) };
        self.next += 1;
        self.s.nil = None;
        loop {
            match self.cursor.field {
                Some(field) if field == local.wire => {
                    return self.cursor.value(self.s, field, local.at, seed).map(Some);
                }
                Some(field) if field < local.wire && local.wire != NO_FIELD => {
                    self.cursor.skip(self.s, field)?;
                }
                _ => return zero(self.s, local.name, seed),
            }
        }
    }
}

/// The zero of a field; nothing where there is none, so that serde takes its default, if it has one.
#[inline]
fn zero<'de, S: DeserializeSeed<'de>>(
    s: &mut Session<'_, 'de>,
    name: &'static str,
    seed: S,
) -> Result<Option<S::Value>, Error> {
    match seed.deserialize(Zero::new(s)) {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), ErrorKind::Nil) && error.path().is_empty() => {
            s.nil = Some(name);
            Ok(None)
        }
        Err(error) => Err(error.at_field(name)),
    }
}

/// The fields by their names, in the order of the peer, and then those that it left out.
pub(super) struct Named<'s, 'd, 'de> {
    s: &'s mut Session<'d, 'de>,
    cursor: Cursor,
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
    pub(super) fn new(s: &'s mut Session<'d, 'de>, at: At) -> Result<Self, Error> {
        let locals = struct_plan(s, at).map_or(0, |plan| plan.locals.len());
        let cursor = Cursor::new(s, at)?;
        Ok(Named { s, cursor, had: vec![false; locals], next: 0, value: None })
    }

    pub(super) fn finish(&mut self) -> Result<(), Error> {
        self.cursor.skip_rest(self.s)
    }

    fn next_name(&mut self) -> Result<Option<&'static str>, Error> {
        while let Some(field) = self.cursor.field {
            let local = struct_plan(self.s, self.cursor.at).and_then(|plan| {
                let local = usize::from(plan.fields[field as usize].local?);
                Some((local, plan.locals[local].name))
            });
            match local {
                Some((local, name)) => {
                    self.had[local] = true;
                    self.value = Some(Given::Field(field));
                    return Ok(Some(name));
                }
                None => self.cursor.skip(self.s, field)?,
            }
        }
        while let Some(had) = self.had.get(self.next) {
            self.next += 1;
            if !had && let Some(plan) = struct_plan(self.s, self.cursor.at) {
                let name = plan.locals[self.next - 1].name;
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
                let at = self.cursor.plan(self.s, field);
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
    cursor: Cursor,
    /// The field that is next in turn, whether the peer has left it out or not.
    next: u32,
    /// Only these, when they are known.
    names: Option<&'static [&'static str]>,
}

impl<'s, 'd, 'de> AllFields<'s, 'd, 'de> {
    pub(super) fn new(s: &'s mut Session<'d, 'de>, at: At) -> Result<Self, Error> {
        let cursor = Cursor::new(s, at)?;
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
        while (self.next as usize) < self.cursor.fields {
            let field = self.next;
            let name = self.cursor.name(self.s, field);
            self.next += 1;
            if self.names.is_none_or(|names| names.contains(&name)) {
                let name: serde::de::value::StrDeserializer<'_, Error> =
                    serde::de::IntoDeserializer::into_deserializer(name);
                return seed.deserialize(name).map(Some);
            }
            if self.cursor.field == Some(field) {
                self.cursor.skip(self.s, field)?;
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let Some(field) = self.next.checked_sub(1) else {
            return Err(Error::custom("a value without its name"));
        };
        let at = self.cursor.plan(self.s, field);
        if self.cursor.field == Some(field) {
            return self.cursor.value(self.s, field, at, seed);
        }
        let name = self.cursor.name(self.s, field);
        seed.deserialize(Zero::of(self.s, at)).map_err(|error| error.at_field(name))
    }
}
