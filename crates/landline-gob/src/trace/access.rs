//! What collections and structs are given while they are looked at.

use std::collections::HashSet;
use std::mem::size_of;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess};

use super::state::Trace;
use super::tracer::Tracer;
use crate::error::Error;
use crate::schema::Elem;

impl Trace {
    /// Makes one part of a type, at a place of its own, and finds out what it is.
    fn part<'de, S: DeserializeSeed<'de>>(
        &mut self,
        at: usize,
        minimal: bool,
        seed: S,
    ) -> Result<(S::Value, Elem), Error> {
        let mut found = None;
        self.path.push(at as u32);
        let made = seed.deserialize(Tracer::new(self, minimal, &mut found))?;
        self.path.pop();
        let elem = found.ok_or_else(|| {
            Error::unsupported(format!("{} asks for nothing", std::any::type_name::<S::Value>()))
        })?;
        Ok((made, elem))
    }
}

/// The fields of a struct in order.
pub(super) struct Fields<'t> {
    pub(super) trace: &'t mut Trace,
    pub(super) minimal: bool,
    pub(super) most: usize,
    pub(super) found: Vec<Elem>,
}

impl<'de> SeqAccess<'de> for Fields<'_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        if self.found.len() == self.most {
            return Ok(None);
        }
        // Counted although it may fail: it was asked for.
        let at = self.found.len();
        self.found.push(crate::schema::basic::EMPTY);
        let (made, elem) = self.trace.part(at, self.minimal, seed)?;
        self.found[at] = elem;
        Ok(Some(made))
    }
}

/// The fields of a struct by their names, without aliases.
pub(super) struct NamedFields<'t> {
    pub(super) trace: &'t mut Trace,
    pub(super) minimal: bool,
    pub(super) names: &'static [&'static str],
    pub(super) aliases: &'t HashSet<usize>,
    pub(super) next: usize,
    /// The name that was given last, as long as nobody has asked for its value.
    pub(super) named: Option<usize>,
    pub(super) found: Vec<(usize, Elem)>,
}

impl<'de> MapAccess<'de> for NamedFields<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        while self.aliases.contains(&self.next) {
            self.next += 1;
        }
        let Some(name) = self.names.get(self.next) else { return Ok(None) };
        self.named = Some(self.next);
        self.next += 1;
        seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let at = self.named.take().ok_or_else(|| Error::custom("a value without its name"))?;
        let (made, elem) = self.trace.part(at, self.minimal, seed)?;
        self.found.push((at, elem));
        Ok(made)
    }
}

/// One element of a sequence, or none.
pub(super) struct Items<'t> {
    pub(super) trace: &'t mut Trace,
    pub(super) minimal: bool,
    pub(super) left: bool,
    /// The element's type and its size in Rust.
    pub(super) found: Option<(Elem, usize)>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        if !std::mem::take(&mut self.left) {
            return Ok(None);
        }
        let (made, elem) = self.trace.part(0, self.minimal, seed)?;
        self.found = Some((elem, size_of::<S::Value>()));
        Ok(Some(made))
    }
}

/// So many elements, which should be of one type.
pub(super) struct Same<'t> {
    pub(super) trace: &'t mut Trace,
    pub(super) minimal: bool,
    pub(super) left: usize,
    pub(super) found: Option<Elem>,
    pub(super) differ: bool,
}

impl<'de> SeqAccess<'de> for Same<'_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let (made, elem) = self.trace.part(self.left, self.minimal, seed)?;
        self.differ |= self.found.is_some_and(|found| found != elem);
        self.found = Some(elem);
        Ok(Some(made))
    }
}

/// One entry of a map, or none.
pub(super) struct Entry<'t> {
    pub(super) trace: &'t mut Trace,
    pub(super) left: bool,
    pub(super) key: Option<(Elem, usize)>,
    pub(super) value: Option<(Elem, usize)>,
}

impl<'de> MapAccess<'de> for Entry<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        if !std::mem::take(&mut self.left) {
            return Ok(None);
        }
        let (made, elem) = self.trace.part(0, false, seed)?;
        self.key = Some((elem, size_of::<K::Value>()));
        Ok(Some(made))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let (made, elem) = self.trace.part(1, false, seed)?;
        self.value = Some((elem, size_of::<V::Value>()));
        Ok(made)
    }
}
