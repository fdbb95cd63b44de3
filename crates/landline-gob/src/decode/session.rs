//! The bytes of one value while it is decoded, and what bounds that.

use ascii::AsAsciiStr;

use super::descriptor;
use super::plan::{At, Local, Plan, Plans};
use super::types::Types;
use crate::error::{Error, ErrorKind};
use crate::limits::{Limit, Limits};
use crate::number::{Bad, take_uint, to_float, to_int};
use crate::schema::{Elem, Tag};

/// Room is made for no more bytes than this on the word of the input, as in serde.
const MOST_ON_TRUST: usize = 1 << 20;

/// Bytes of a list. What is larger than this and a little is a table that hashes, which has its keys with it.
const LIST: usize = size_of::<Vec<u8>>();

/// For how many elements of a size room is made on the word of the input.
#[inline]
pub(super) fn on_trust(size: usize) -> usize {
    (MOST_ON_TRUST / size.max(1)).max(8)
}

/// The same for a table that hashes: as many as there is room for before it has to be twice as large.
#[inline]
pub(super) fn on_trust_in_table(size: usize) -> usize {
    (1 << on_trust(size).ilog2()) / 8 * 7
}

/// Bytes as text. Most are ASCII, and to see that they are takes a fifth of what std takes, which goes byte by byte through
/// short ones.
#[inline(always)]
pub(super) fn text_of(bytes: &[u8]) -> Result<&str, Error> {
    match bytes.as_ascii_str() {
        Ok(text) => Ok(text.as_str()),
        Err(_) => other_text_of(bytes),
    }
}

#[inline(never)]
fn other_text_of(bytes: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(bytes).map_err(|_| ErrorKind::Corrupt("a string that is not UTF-8").into())
}

pub(super) struct Session<'d, 'de> {
    pub(super) rest: &'de [u8],
    pub(super) types: &'d Types,
    pub(super) plans: &'d Plans,
    /// How many more levels it may nest.
    levels: usize,
    deepest: usize,
    /// How many more bytes of memory it may take.
    budget: usize,
    /// How many it may take in all.
    allowed: usize,
    /// A field that has no zero and was not there, and how many were still to be asked for.
    pub(super) nil: Option<(&'static str, usize)>,
    /// How many elements of the slice that was read last were not asked for.
    pub(super) left: usize,
    /// How many bytes the Rust value that is next has where it will be.
    pub(super) place: usize,
}

impl<'d, 'de> Session<'d, 'de> {
    #[inline(always)]
    pub(super) fn new(
        rest: &'de [u8],
        types: &'d Types,
        plans: &'d Plans,
        limits: &Limits,
    ) -> Result<Session<'d, 'de>, Error> {
        let overspent = types.overspent(plans.spent(), limits);
        let budget = limits.budget(rest.len(), overspent)?;
        let levels = limits.depth;
        Ok(Session {
            rest,
            types,
            plans,
            levels,
            deepest: levels,
            budget,
            allowed: budget,
            nil: None,
            left: 0,
            place: 0,
        })
    }

    #[inline(always)]
    pub(super) fn uint(&mut self) -> Result<u64, Error> {
        Ok(take_uint(&mut self.rest)?)
    }

    #[inline]
    pub(super) fn int(&mut self) -> Result<i64, Error> {
        self.uint().map(to_int)
    }

    #[inline]
    pub(super) fn float(&mut self) -> Result<f64, Error> {
        self.uint().map(to_float)
    }

    /// Bytes with their count before them.
    #[inline]
    pub(super) fn counted(&mut self) -> Result<&'de [u8], Error> {
        let count = usize::try_from(self.uint()?).unwrap_or(usize::MAX);
        match self.rest.split_at_checked(count) {
            Some((bytes, rest)) => {
                self.rest = rest;
                Ok(bytes)
            }
            None => Err(Bad::Short.into()),
        }
    }

    /// A string.
    #[inline(never)]
    pub(super) fn text(&mut self) -> Result<&'de str, Error> {
        let text = text_of(self.counted()?)?;
        self.charge(text.len())?;
        Ok(text)
    }

    /// How many elements follow: each takes a byte at least.
    #[inline]
    pub(super) fn count(&mut self) -> Result<usize, Error> {
        let count = usize::try_from(self.uint()?).unwrap_or(usize::MAX);
        if count > self.rest.len() { Err(Bad::Short.into()) } else { Ok(count) }
    }

    #[inline]
    pub(super) fn descend(&mut self) -> Result<(), Error> {
        if self.levels == 0 {
            return Err(Error::limit(Limit::Depth, self.deepest + 1, self.deepest));
        }
        self.levels -= 1;
        Ok(())
    }

    #[inline]
    pub(super) fn ascend(&mut self) {
        self.levels += 1;
    }

    /// Takes bytes of memory into account.
    #[inline]
    pub(super) fn charge(&mut self, bytes: usize) -> Result<(), Error> {
        match self.budget.checked_sub(bytes) {
            Some(left) => {
                self.budget = left;
                Ok(())
            }
            None => {
                let taken = self.allowed - self.budget;
                Err(Error::limit(Limit::Memory, taken.saturating_add(bytes), self.allowed))
            }
        }
    }

    /// Takes a value that has its own place on the heap into account, which shows by its being larger than its place.
    #[inline]
    pub(super) fn charge_boxed(&mut self, bytes: usize) -> Result<(), Error> {
        if bytes > self.place { self.charge(bytes) } else { Ok(()) }
    }

    /// Takes the elements of a list or a set into account, which of them shows by its size; and for how many room may
    /// be made.
    #[inline]
    pub(super) fn charge_items_of(
        &mut self,
        of: usize,
        count: usize,
        size: usize,
        most: usize,
    ) -> Result<usize, Error> {
        if of > LIST + 8 {
            self.charge_entries(count, size)?;
            return Ok(on_trust_in_table(size));
        }
        self.charge_list(count, size, most)?;
        Ok(most)
    }

    /// Takes the elements of a `Vec` into account, with what it is larger than they need; there is room for `most` of
    /// them from the start.
    #[inline]
    pub(super) fn charge_list(&mut self, count: usize, size: usize, most: usize) -> Result<(), Error> {
        if count <= most {
            return self.charge(count * size);
        }
        // From there on it doubles as it grows.
        let mut room = most;
        while room < count {
            room *= 2;
        }
        self.charge(room.saturating_mul(size))
    }

    /// Takes the entries of a map into account: one that hashes has room for a power of two of them, of which it leaves
    /// an eighth free.
    pub(super) fn charge_entries(&mut self, count: usize, size: usize) -> Result<(), Error> {
        if count == 0 {
            return Ok(());
        }
        let room = (count.saturating_mul(8) / 7 + 1).next_power_of_two().max(4);
        let table = room.saturating_mul(size + 1);
        // One that grows is there twice for a while, before and after.
        self.charge(if count > on_trust_in_table(size) { table.saturating_add(table / 2) } else { table })
    }

    /// What is to be done with what an interface holds; that takes memory too, when it is not known yet.
    pub(super) fn make(&mut self, elem: Elem, local: Option<Local>) -> Result<At, Error> {
        let before = self.plans.spent();
        let at = self.plans.make(self.types, elem, local)?;
        self.charge(self.plans.spent() - before)?;
        Ok(at)
    }

    /// The number of the next field of a struct, after `last`; nothing at its end.
    #[inline(always)]
    pub(super) fn next_field(&mut self, last: Option<u32>, fields: usize) -> Result<Option<u32>, Error> {
        let delta = self.uint()?;
        if delta == 0 {
            return Ok(None);
        }
        let number = last.map_or(delta - 1, |last| u64::from(last).saturating_add(delta));
        if number >= fields as u64 {
            return Err(ErrorKind::Corrupt("a field that the struct does not have").into());
        }
        Ok(Some(number as u32))
    }

    /// The name of what an interface holds, and its type; nothing when it is nil.
    ///
    /// Descriptions on the way were taken in when the end of the value was looked for.
    pub(super) fn content(&mut self) -> Result<Option<(&'de str, Elem)>, Error> {
        let name = self.counted()?;
        if name.is_empty() {
            return Ok(None);
        }
        let name =
            std::str::from_utf8(name).map_err(|_| ErrorKind::Corrupt("the name of a type is not UTF-8"))?;
        let id = loop {
            match self.int()? {
                id if id >= 0 => break id,
                _ => {
                    descriptor::take(&mut self.rest)?;
                    self.uint()?;
                }
            }
        };
        let elem = self.types.find(id)?;
        self.uint()?;
        if elem.tag != Tag::Struct && self.uint()? != 0 {
            return Err(ErrorKind::Corrupt("a value that is no struct and does not say so").into());
        }
        Ok(Some((name, elem)))
    }

    /// Passes over a value.
    pub(super) fn skip(&mut self, at: At) -> Result<(), Error> {
        match at.tag {
            Tag::Bool | Tag::Int | Tag::Uint | Tag::Float => {
                self.uint()?;
            }
            Tag::Complex => {
                self.uint()?;
                self.uint()?;
            }
            Tag::Text | Tag::Bytes | Tag::Opaque => {
                self.counted()?;
            }
            Tag::Interface => {
                if let Some((_, elem)) = self.content()? {
                    self.descend()?;
                    let at = self.make(elem, None)?;
                    self.skip(at)?;
                    self.ascend();
                }
            }
            Tag::Slice | Tag::Array | Tag::Map | Tag::Struct => {
                self.descend()?;
                self.skip_parts(at)?;
                self.ascend();
            }
            Tag::Unsupported => return Err(ErrorKind::Corrupt("a value of no type").into()),
        }
        Ok(())
    }

    fn skip_parts(&mut self, at: At) -> Result<(), Error> {
        match self.plans.plan(at) {
            Some(Plan::Items { elem, len, .. }) => {
                let count = self.count_of(*len)?;
                for _ in 0..count {
                    self.skip(*elem)?;
                }
            }
            Some(Plan::Entries { key, value, .. }) => {
                for _ in 0..self.count()? {
                    self.skip(*key)?;
                    self.skip(*value)?;
                }
            }
            Some(Plan::Struct(plan)) => {
                let mut last = None;
                while let Some(number) = self.next_field(last, plan.fields.len())? {
                    last = Some(number);
                    self.skip(plan.fields[number as usize].at)?;
                }
            }
            Some(Plan::Interface { .. } | Plan::Never(_)) | None => {}
        }
        Ok(())
    }

    /// How many elements follow, which for an array is known.
    #[inline]
    pub(super) fn count_of(&mut self, len: Option<usize>) -> Result<usize, Error> {
        let count = self.count()?;
        if len.is_some_and(|len| len != count) {
            return Err(ErrorKind::Corrupt("an array of another length than that of its type").into());
        }
        Ok(count)
    }
}
