//! Finding the end of a value that may bring types of its own, and taking those in.
//!
//! Where an interface holds something of a type that the peer was not told of before, the description stands in the middle
//! of the value, and ends the message there. So such a value may go on over several messages, and where it ends is only
//! known when all of it has been looked at. This is done without recursion, and goes on where it stopped when more has come.

use super::descriptor;
use super::types::Types;
use crate::error::{Error, ErrorKind};
use crate::limits::{Limit, Limits};
use crate::number::{Bad, take_uint, to_int};
use crate::schema::{Elem, Shape, Tag};

#[derive(Debug)]
pub(super) struct Scan {
    stack: Vec<Level>,
    next: Next,
    /// How far the value has been looked at.
    at: usize,
    /// Where the message, or what else has a length before it, ends.
    limit: usize,
}

/// What comes next.
#[derive(Clone, Copy, Debug)]
enum Next {
    Value(Elem),
    /// More of what is on top of the stack.
    More,
    /// The id of what an interface holds, or a description of it.
    Content,
    /// The length of what follows a description.
    Length,
}

#[derive(Debug)]
enum Level {
    Struct {
        place: u32,
        next: usize,
    },
    Items {
        elem: Elem,
        left: u64,
    },
    Entries {
        key: Elem,
        value: Elem,
        left: u64,
        at_value: bool,
    },
    /// What an interface holds; where it is within something that ends at `outer`.
    Held {
        outer: usize,
    },
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scanned {
    /// The value takes so many bytes.
    Whole(usize),
    /// So many bytes have to be there before it can go on.
    Needs(usize),
}

impl Scan {
    /// Begins with a value that is followed by nothing up to `limit` in its first message.
    pub(super) fn new(elem: Elem, at: usize, limit: usize) -> Scan {
        Scan { stack: Vec::new(), next: Next::Value(elem), at, limit }
    }

    /// How far it has come.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Goes on; `input` is what it was before, and more.
    pub(super) fn run(&mut self, input: &[u8], types: &mut Types, limits: &Limits) -> Result<Scanned, Error> {
        loop {
            match self.next {
                Next::Value(elem) => self.value(elem, input, types, limits)?,
                Next::More => {
                    if self.stack.is_empty() {
                        return if self.at == self.limit {
                            Ok(Scanned::Whole(self.at))
                        } else {
                            Err(corrupt("a message goes on after its value"))
                        };
                    }
                    self.more(input, types)?;
                }
                Next::Content => self.content(input, types, limits)?,
                Next::Length => {
                    if let Some(needs) = self.length(input, limits)? {
                        return Ok(Scanned::Needs(needs));
                    }
                }
            }
        }
    }

    fn value(&mut self, elem: Elem, input: &[u8], types: &mut Types, limits: &Limits) -> Result<(), Error> {
        self.next = Next::More;
        let level = match elem.tag {
            Tag::Bool | Tag::Int | Tag::Uint | Tag::Float => return self.uint(input).map(|_| ()),
            Tag::Complex => {
                self.uint(input)?;
                return self.uint(input).map(|_| ());
            }
            Tag::Text | Tag::Bytes | Tag::Opaque => return self.counted(input).map(|_| ()),
            Tag::Interface => {
                let name = self.counted(input)?;
                if name > 0 {
                    self.next = Next::Content;
                }
                return Ok(());
            }
            Tag::Struct => Level::Struct { place: elem.node, next: 0 },
            Tag::Slice | Tag::Array | Tag::Map => {
                let count = self.uint(input)?;
                self.collection(elem, count, types)?
            }
            Tag::Unsupported => return Err(corrupt("a value of no type")),
        };
        if self.stack.len() >= limits.depth {
            return Err(Error::limit(Limit::Depth, self.stack.len() + 1, limits.depth));
        }
        self.stack.push(level);
        Ok(())
    }

    fn collection(&self, elem: Elem, count: u64, types: &Types) -> Result<Level, Error> {
        match &types.graph.node(elem.node).shape {
            Shape::Slice { elem, .. } => Ok(Level::Items { elem: *elem, left: count }),
            Shape::Array { elem, len } if *len as u64 == count => {
                Ok(Level::Items { elem: *elem, left: count })
            }
            Shape::Array { .. } => Err(corrupt("an array of another length than that of its type")),
            Shape::Map { key, value, .. } => {
                Ok(Level::Entries { key: *key, value: *value, left: count, at_value: false })
            }
            _ => Err(corrupt("a value of no type")),
        }
    }

    fn more(&mut self, input: &[u8], types: &Types) -> Result<(), Error> {
        let done = match self.stack.last_mut() {
            Some(Level::Items { left: 0, .. }) => true,
            Some(Level::Items { elem, left }) => {
                *left -= 1;
                self.next = Next::Value(*elem);
                false
            }
            Some(Level::Entries { left: 0, .. }) => true,
            Some(Level::Entries { key, value, left, at_value }) => {
                self.next = Next::Value(if *at_value { *value } else { *key });
                if *at_value {
                    *left -= 1;
                }
                *at_value = !*at_value;
                false
            }
            Some(Level::Struct { place, next }) => {
                let (place, number) = (*place, *next);
                let delta = self.uint(input)?;
                if delta > 0 {
                    let number = usize::try_from(delta - 1).ok().and_then(|delta| number.checked_add(delta));
                    let fields = types.graph.fields(place);
                    let field = number.and_then(|number| Some((number, fields.get(number)?)));
                    let (number, field) =
                        field.ok_or_else(|| corrupt("a field that the struct does not have"))?;
                    self.next = Next::Value(field.elem);
                    if let Some(Level::Struct { next, .. }) = self.stack.last_mut() {
                        *next = number + 1;
                    }
                }
                delta == 0
            }
            Some(Level::Held { outer }) => {
                if self.at != self.limit {
                    return Err(corrupt("what an interface holds is not as long as it says"));
                }
                self.limit = *outer;
                true
            }
            None => false,
        };
        if done {
            self.stack.pop();
        }
        Ok(())
    }

    fn content(&mut self, input: &[u8], types: &mut Types, limits: &Limits) -> Result<(), Error> {
        let id = to_int(self.uint(input)?);
        if id < 0 {
            let mut rest = &input[self.at..self.limit];
            let before = rest.len();
            let description = descriptor::take(&mut rest)?;
            self.at += before - rest.len();
            types.define(id.checked_neg().unwrap_or(i64::MAX), description, before - rest.len(), limits)?;
            if self.at != self.limit {
                return Err(corrupt("a message goes on after the description of a type"));
            }
            self.next = Next::Length;
            return Ok(());
        }
        let elem = types.find(id)?;
        types.prepare(elem, limits)?;
        let len = self.uint(input)?;
        let Some(end) = usize::try_from(len).ok().and_then(|len| self.at.checked_add(len)) else {
            return Err(Bad::Short.into());
        };
        if end > self.limit {
            return Err(Bad::Short.into());
        }
        if self.stack.len() >= limits.depth {
            return Err(Error::limit(Limit::Depth, self.stack.len() + 1, limits.depth));
        }
        self.stack.push(Level::Held { outer: self.limit });
        self.limit = end;
        if elem.tag != Tag::Struct && self.uint(input)? != 0 {
            return Err(corrupt("a value that is no struct and does not say so"));
        }
        self.next = Next::Value(elem);
        Ok(())
    }

    /// The rest follows, in a message or with another length of its own.
    fn length(&mut self, input: &[u8], limits: &Limits) -> Result<Option<usize>, Error> {
        let outer = self.stack.iter().rev().find_map(|level| match level {
            Level::Held { outer } => Some(*outer),
            _ => None,
        });
        let available = outer.unwrap_or(input.len());
        let mut rest = &input[self.at..available];
        let before = rest.len();
        let len = match take_uint(&mut rest) {
            Ok(len) => len,
            Err(Bad::Short) if outer.is_none() => return Ok(Some(input.len() + 1)),
            Err(bad) => return Err(bad.into()),
        };
        let begin = self.at + before - rest.len();
        let end = usize::try_from(len).ok().and_then(|len| begin.checked_add(len));
        let end = end.filter(|end| *end <= limits.message);
        let end = end.ok_or_else(|| {
            Error::limit(Limit::Message, usize::try_from(len).unwrap_or(usize::MAX), limits.message)
        })?;
        if end > available {
            return if outer.is_none() { Ok(Some(end)) } else { Err(Bad::Short.into()) };
        }
        self.at = begin;
        self.limit = end;
        self.next = Next::Content;
        Ok(None)
    }

    fn uint(&mut self, input: &[u8]) -> Result<u64, Error> {
        let mut rest = &input[self.at..self.limit];
        let before = rest.len();
        let value = take_uint(&mut rest)?;
        self.at += before - rest.len();
        Ok(value)
    }

    /// Passes over bytes that have their count before them, and gives it.
    fn counted(&mut self, input: &[u8]) -> Result<usize, Error> {
        let count = usize::try_from(self.uint(input)?).unwrap_or(usize::MAX);
        if count > self.limit - self.at {
            return Err(Bad::Short.into());
        }
        self.at += count;
        Ok(count)
    }
}

fn corrupt(text: &'static str) -> Error {
    ErrorKind::Corrupt(text).into()
}
