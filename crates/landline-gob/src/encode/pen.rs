//! What a value is written with.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::types::Types;
use crate::error::{Error, ErrorKind, Signal};
use crate::limits::Limit;
use crate::number::{LONGEST, int_len, put_int, put_uint, put_uint_and_bytes, put_uints};
use crate::schema::{Elem, Graph, Tag};

/// The bytes of one value, but for what belongs between them where interfaces hold something.
///
/// Type ids and descriptions are left for [`Pen::finish`]: a value that turns out to be no gob leaves no trace, and
/// the entries of maps can be put in order before it is known which comes first.
#[derive(Debug, Default)]
pub(super) struct Pen {
    pub(super) bytes: Vec<u8>,
    marks: Vec<Mark>,
    depth: usize,
    /// The field of the innermost struct that was written last, by how many it has after it.
    pub(super) last: u32,
    pub(super) deepest: usize,
    pub(super) sorted: bool,
    /// Whether the type was given: then what is written may be of another kind that can become it.
    pub(super) given: bool,
    /// Types that dynamic values have brought, by their graph and place there.
    pub(super) brought: HashMap<(usize, u32), Elem>,
    /// What has to be brought before this value can be written.
    pub(super) wanted: Option<(Arc<Graph>, u32)>,
}

/// A place in what has been written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) byte: usize,
    mark: usize,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    at: usize,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    /// What an interface holds begins here.
    Begin(Elem),
    End,
}

impl Pen {
    #[inline]
    pub(super) fn begin(&mut self, given: bool) {
        self.bytes.clear();
        self.marks.clear();
        self.depth = 0;
        self.given = given;
        self.wanted = None;
    }

    /// Goes one level deeper, if that is not too deep.
    #[inline]
    pub(super) fn descend(&mut self) -> Result<(), Error> {
        if self.depth == self.deepest {
            return Err(Error::limit(Limit::Depth, self.depth + 1, self.deepest));
        }
        self.depth += 1;
        Ok(())
    }

    #[inline]
    pub(super) fn ascend(&mut self) {
        self.depth -= 1;
    }

    #[inline]
    pub(super) fn uint(&mut self, value: u64) {
        put_uint(&mut self.bytes, value);
    }

    #[inline]
    pub(super) fn counted(&mut self, bytes: &[u8]) {
        put_uint(&mut self.bytes, bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    /// A field, by how many are left after it, that is a number.
    ///
    /// Never inlined, as the next, so that what is around them is small enough to be.
    #[inline(never)]
    pub(super) fn field(&mut self, left: u32, value: u64) {
        put_uints(&mut self.bytes, self.last.wrapping_sub(left), value);
        self.last = left;
    }

    /// A field that is bytes, with their count before them.
    #[inline(never)]
    pub(super) fn field_of_bytes(&mut self, left: u32, bytes: &[u8]) {
        put_uint_and_bytes(&mut self.bytes, self.last.wrapping_sub(left), bytes);
        self.last = left;
    }

    /// Begins what an interface holds, after the name of its type.
    pub(super) fn begin_content(&mut self, elem: Elem) {
        self.marks.push(Mark { at: self.bytes.len(), what: What::Begin(elem) });
        if elem.tag != Tag::Struct {
            self.bytes.push(0);
        }
    }

    pub(super) fn end_content(&mut self) {
        self.marks.push(Mark { at: self.bytes.len(), what: What::End });
    }

    /// Where a type of a dynamic value is among ours.
    pub(super) fn place_of(&mut self, graph: &Arc<Graph>, place: u32) -> Result<Elem, Error> {
        if let Some(elem) = self.brought.get(&(Arc::as_ptr(graph).addr(), place)) {
            return Ok(*elem);
        }
        self.wanted = Some((graph.clone(), place));
        Err(Error::signalling(
            Signal::Import,
            ErrorKind::Other("a type that was not brought along".to_owned()),
        ))
    }

    /// Where the next bytes will be.
    #[inline]
    pub(super) fn here(&self) -> Place {
        Place { byte: self.bytes.len(), mark: self.marks.len() }
    }

    /// Puts bytes before those that were written from `place` on.
    pub(super) fn insert(&mut self, place: Place, bytes: &[u8]) {
        self.bytes.splice(place.byte..place.byte, bytes.iter().copied());
        for mark in &mut self.marks[place.mark..] {
            mark.at += bytes.len();
        }
    }

    /// Takes everything back that was written from `place` on.
    pub(super) fn retract(&mut self, place: Place) {
        self.bytes.truncate(place.byte);
        self.marks.truncate(place.mark);
    }

    /// Puts pieces that make up all from `place` on into the order given, each after a head of its own.
    pub(super) fn rearrange(&mut self, place: Place, pieces: &[(Vec<u8>, Range<usize>)]) {
        let old_marks = self.marks.split_off(place.mark);
        let old = self.bytes.split_off(place.byte);
        for (head, piece) in pieces {
            self.bytes.extend_from_slice(head);
            let moved = self.bytes.len();
            self.bytes.extend_from_slice(&old[piece.start - place.byte..piece.end - place.byte]);
            // A mark at the end of a piece belongs to it, for it ends what has begun there; one at the start would
            // belong to the piece before, for every piece begins with bytes that no interface holds.
            let within = old_marks.iter().filter(|mark| mark.at > piece.start && mark.at <= piece.end);
            self.marks.extend(within.map(|mark| Mark { at: mark.at - piece.start + moved, ..*mark }));
        }
    }

    /// Writes the value as one message or, where interfaces bring types, as several.
    #[inline]
    pub(super) fn finish(&mut self, types: &mut Types, root: Elem, out: &mut Vec<u8>) {
        let id = types.known_id(root).unwrap_or_else(|| introduce(types, root, out));
        if self.marks.is_empty() {
            out.reserve(2 * LONGEST + self.bytes.len());
            put_uint(out, (int_len(id) + self.bytes.len()) as u64);
            put_int(out, id);
            out.extend_from_slice(&self.bytes);
        } else {
            self.finish_with_contents(types, id, out);
        }
    }

    /// A description is sent where it is needed, in the middle of a value, and ends the message, or what else has
    /// a length before it, there. Further ones and the rest of the value follow with lengths of their own.
    fn finish_with_contents(&self, types: &mut Types, id: i64, out: &mut Vec<u8>) {
        let mut outer = Vec::new();
        let mut start = out.len();
        let mut copied = 0;
        put_int(out, id);
        for mark in &self.marks {
            out.extend_from_slice(&self.bytes[copied..mark.at]);
            copied = mark.at;
            match mark.what {
                What::Begin(elem) => {
                    let mut bodies = Vec::new();
                    types.identify(elem);
                    types.describe(elem, &mut bodies);
                    for body in &bodies {
                        out.extend_from_slice(body);
                        close(out, start);
                        start = out.len();
                    }
                    put_int(out, types.id(elem));
                    outer.push(start);
                    start = out.len();
                }
                What::End => {
                    close(out, start);
                    start = outer.pop().unwrap_or_default();
                }
            }
        }
        out.extend_from_slice(&self.bytes[copied..]);
        close(out, start);
    }
}

/// Describes a type to the peer, and gives its id.
#[cold]
fn introduce(types: &mut Types, root: Elem, out: &mut Vec<u8>) -> i64 {
    let mut bodies = Vec::new();
    types.identify(root);
    types.describe(root, &mut bodies);
    for body in &bodies {
        put_uint(out, body.len() as u64);
        out.extend_from_slice(body);
    }
    types.id(root)
}

/// Puts the length before what begins at `start`.
fn close(out: &mut Vec<u8>, start: usize) {
    let mut head = Vec::with_capacity(LONGEST);
    put_uint(&mut head, (out.len() - start) as u64);
    out.splice(start..start, head);
}
