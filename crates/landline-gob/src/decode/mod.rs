//! Gob to Rust values.

mod access;
mod de;
mod descriptor;
mod fields;
mod numbers;
mod one_field;
mod plan;
mod raw;
mod reader;
mod scan;
mod session;
mod types;
mod variant;
mod zero;

use std::mem::size_of;
use std::sync::Arc;

use serde::Deserialize;

use crate::error::{Error, ErrorKind};
use crate::limits::{Limit, Limits};
use crate::number::{Bad, take_uint, to_int, uint_of};
use crate::schema::{Elem, Tag, Type};
use crate::value::Value;
use de::De;
use plan::{At, Plans};
use scan::{Scan, Scanned};
use session::Session;
use types::Types;

pub use reader::Reader;

/// Reads the values of one stream, and remembers the types that were described on it.
///
/// It does no I/O: it takes values from the front of what the caller has received, and asks for more where that is not
/// enough. [`Reader`] reads from an [`std::io::Read`].
///
/// ```
/// use landline_gob::Decoder;
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// #[serde(rename_all = "PascalCase")]
/// struct Point {
///     x: i64,
///     y: i64,
/// }
///
/// // What Go writes for Point{22, 33}.
/// let received = b"\x1e\x7f\x03\x01\x01\x05Point\x01\xff\x80\x00\x01\x02\
///                  \x01\x01X\x01\x04\x00\x01\x01Y\x01\x04\x00\x00\x00\x07\xff\x80\x01\x2c\x01\x42\x00";
/// let mut decoder = Decoder::new();
/// let mut input = &received[..20];
/// assert!(decoder.decode::<Point>(&mut input)?.is_none());
/// let mut input = &received[..];
/// let point: Point = decoder.decode(&mut input)?.expect("all of it is there");
/// assert_eq!((point.x, point.y, input.len()), (22, 33, 0));
/// # Ok::<(), landline_gob::Error>(())
/// ```
///
/// Each value may be decoded as a type of its own, as which one may depend on those before it:
///
/// ```
/// use landline_gob::{Decoder, Encoder};
///
/// let mut stream = Vec::new();
/// let mut encoder = Encoder::new();
/// encoder.encode(&"count".to_owned(), &mut stream)?;
/// encoder.encode(&3_u8, &mut stream)?;
/// encoder.encode(&vec![1.5, 2.5], &mut stream)?;
///
/// let mut decoder = Decoder::new();
/// let mut input = &stream[..];
/// match decoder.decode(&mut input)? {
///     Some("count") => assert_eq!(decoder.decode::<u64>(&mut input)?, Some(3)),
///     _ => assert!(decoder.skip(&mut input)?),
/// }
/// assert_eq!(decoder.decode(&mut input)?, Some(vec![1.5, 2.5]));
/// # Ok::<(), landline_gob::Error>(())
/// ```
///
/// # What fits what
///
/// By the rules of Go. Fields of structs are matched by their names, in any order; those that only the peer has are passed
/// over, those that it does not have or did not send are zero: `0`, `false`, empty, `None`. (serde's `default` is asked only
/// for enums, which have no zero.) Signed integers go into signed ones, unsigned into unsigned, floats into floats, as long as
/// they fit. An `Option` or a `Box` is whatever is in it. Everything else is an error, after which the stream goes on.
#[derive(Debug)]
pub struct Decoder {
    types: Types,
    plans: Plans,
    limits: Limits,
    /// Bytes of the stream before the input.
    offset: u64,
    /// What is left of a message after a description in it.
    open: Option<usize>,
    /// A value whose end was not there yet: where it begins in the input, its type, how far it was looked at.
    scan: Option<(usize, Elem, Scan)>,
    missing: usize,
}

/// A whole value.
struct Found<'de> {
    elem: Elem,
    /// Without the length and the type before it.
    bytes: &'de [u8],
    /// Where in the stream it begins.
    offset: u64,
    /// What is after it.
    rest: &'de [u8],
}

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder::new()
    }
}

impl Decoder {
    /// The decoder of a new stream.
    #[must_use]
    pub fn new() -> Decoder {
        Decoder {
            types: Types::new(),
            plans: Plans::new(),
            limits: Limits::default(),
            offset: 0,
            open: None,
            scan: None,
            missing: 1,
        }
    }

    /// How much of the peer's word it takes.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Decoder {
        self.limits = limits;
        self
    }

    /// Takes a value from the front of `input`; nothing when not all of it is there yet.
    ///
    /// `input` then begins with what has not been taken, and with that and more behind it this is to be called again.
    /// Descriptions of types may have been taken from it all the same.
    ///
    /// # Errors
    ///
    /// When the value does not fit a `T`: then it has been taken, and the next can be. When the stream is broken or goes
    /// beyond a limit, [`Error::is_fatal`] says so, and nothing more can be decoded.
    pub fn decode<'de, T: Deserialize<'de>>(&mut self, input: &mut &'de [u8]) -> Result<Option<T>, Error> {
        let found = match self.find_plain(input) {
            Some(found) => found,
            None => match self.find(input)? {
                Some(found) => found,
                None => return Ok(None),
            },
        };
        self.pass(input, &found);
        let at =
            self.plans.root::<T>(&self.types, found.elem).map_err(|error| error.at_offset(found.offset))?;
        let mut session = Session::new(found.bytes, &self.types, &self.plans, &self.limits)
            .map_err(|error| error.at_offset(found.offset))?;
        let mut decoded = root(&mut session, at);
        let left = session.rest.len();
        // Large values are not moved more than need be.
        if decoded.is_ok() && left > 0 {
            decoded = Err(corrupt("a message goes on after its value"));
        }
        match decoded {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(error.at_offset(found.offset + (found.bytes.len() - left) as u64)),
        }
    }

    /// Takes a value from the front of `input` whatever it is; nothing when not all of it is there yet.
    ///
    /// # Errors
    ///
    /// As [`decode`](Decoder::decode).
    pub fn decode_value(&mut self, input: &mut &[u8]) -> Result<Option<Value>, Error> {
        let Some(found) = self.find(input)? else { return Ok(None) };
        self.pass(input, &found);
        let at =
            self.plans.make(&self.types, found.elem, None).map_err(|error| error.at_offset(found.offset))?;
        let mut session = Session::new(found.bytes, &self.types, &self.plans, &self.limits)
            .map_err(|error| error.at_offset(found.offset))?;
        let decoded = prefix(&mut session, at).and_then(|()| raw::value(&mut session, at));
        let left = session.rest.len();
        match decoded {
            Ok(value) if left == 0 => Ok(Some(value)),
            Ok(_) => Err(corrupt("a message goes on after its value")),
            Err(error) => Err(error),
        }
        .map_err(|error| error.at_offset(found.offset + (found.bytes.len() - left) as u64))
    }

    /// Passes over a value at the front of `input`, and says whether all of it was there.
    ///
    /// Types that it brings along are remembered.
    ///
    /// # Errors
    ///
    /// When the stream is broken.
    pub fn skip(&mut self, input: &mut &[u8]) -> Result<bool, Error> {
        let Some(found) = self.find(input)? else { return Ok(false) };
        self.pass(input, &found);
        Ok(true)
    }

    /// The type of the value at the front of `input`; nothing when not all of it is there yet. The value stays there.
    ///
    /// # Errors
    ///
    /// When the stream is broken.
    pub fn peek(&mut self, input: &mut &[u8]) -> Result<Option<Type>, Error> {
        let Some(Found { elem, .. }) = self.find(input)? else { return Ok(None) };
        Ok(Some(Type { graph: Arc::clone(&self.types.graph), root: elem }))
    }

    /// How long the input has to be at least before there is any use in calling again, after it was found too short.
    pub fn needs(&self) -> usize {
        self.missing
    }

    /// How much of the stream has been taken, in bytes.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether a message was begun: then its rest must follow.
    fn is_within(&self) -> bool {
        self.open.is_some()
    }

    fn pass<'de>(&mut self, input: &mut &'de [u8], found: &Found<'de>) {
        self.offset += (input.len() - found.rest.len()) as u64;
        *input = found.rest;
        self.open = None;
        self.scan = None;
    }

    /// The value at the front of the input, if it is one that is found at once: all of it is there, and it is of a type
    /// that is known and holds no interfaces.
    #[inline(always)]
    fn find_plain<'de>(&self, input: &&'de [u8]) -> Option<Found<'de>> {
        if self.scan.is_some() || self.open.is_some() {
            return None;
        }
        let (len, rest) = uint_of(input).ok()?;
        let len = usize::try_from(len).ok()?;
        if len > self.limits.message {
            return None;
        }
        let (whole, after) = rest.split_at_checked(len)?;
        let (id, bytes) = uint_of(whole).ok()?;
        let elem = self.types.plain(to_int(id))?;
        let offset = self.offset + (input.len() - after.len() - bytes.len()) as u64;
        Some(Found { elem, bytes, offset, rest: after })
    }

    /// Takes descriptions from the front of the input, up to a value.
    #[inline(never)]
    fn find<'de>(&mut self, input: &mut &'de [u8]) -> Result<Option<Found<'de>>, Error> {
        if let Some(scan) = self.scan.take() {
            return self.scan(input, scan);
        }
        loop {
            let whole = *input;
            let mut rest = whole;
            let Some(len) = self.message(&mut rest)? else { return Ok(None) };
            let (mut body, after) = rest.split_at(len);
            let here = self.offset + (whole.len() - rest.len()) as u64;
            let id = match take_uint(&mut body) {
                Ok(id) => to_int(id),
                Err(bad) => return Err(Error::from(bad).at_offset(here).fatal()),
            };
            let used = |body: &[u8]| (len - body.len()) as u64;
            if id >= 0 {
                let elem = self.types.find(id).map_err(|error| error.at_offset(here).fatal())?;
                let holds =
                    self.types.prepare(elem, &self.limits).map_err(|error| error.at_offset(here).fatal())?;
                let offset = here + used(body);
                if !holds {
                    return Ok(Some(Found { elem, bytes: body, offset, rest: after }));
                }
                let begin = whole.len() - body.len() - after.len();
                let mut scan = Scan::new(elem, 0, body.len());
                if elem.tag != Tag::Struct {
                    if body.first() != Some(&0) {
                        return Err(corrupt("a value that is no struct and does not say so")
                            .at_offset(offset)
                            .fatal());
                    }
                    scan = Scan::new(elem, 1, body.len());
                }
                return self.scan(whole, (begin, elem, scan));
            }
            let before = body.len();
            let taken = descriptor::take(&mut body);
            let defined = taken.and_then(|description| {
                let id = id.checked_neg().unwrap_or(i64::MAX);
                self.types.define(id, description, before - body.len(), &self.limits)
            });
            defined.map_err(|error| error.at_offset(here + used(body)).fatal())?;
            self.offset = here + used(body);
            self.open = (!body.is_empty()).then_some(body.len());
            *input = &rest[len - body.len()..];
        }
    }

    /// The length of the message that begins the input, once all of it is there.
    fn message(&mut self, rest: &mut &[u8]) -> Result<Option<usize>, Error> {
        if let Some(open) = self.open {
            self.missing = open;
            return Ok((rest.len() >= open).then_some(open));
        }
        let before = rest.len();
        let len = match take_uint(rest) {
            Ok(len) => len,
            Err(Bad::Short) => {
                self.missing = before + 1;
                return Ok(None);
            }
            Err(bad) => return Err(Error::from(bad).at_offset(self.offset).fatal()),
        };
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if len > self.limits.message {
            let error = Error::limit(Limit::Message, len, self.limits.message);
            return Err(error.at_offset(self.offset).fatal());
        }
        self.missing = before - rest.len() + len;
        Ok((rest.len() >= len).then_some(len))
    }

    /// Looks for the end of a value that may bring types.
    fn scan<'de>(
        &mut self,
        input: &'de [u8],
        (begin, elem, mut scan): (usize, Elem, Scan),
    ) -> Result<Option<Found<'de>>, Error> {
        let value = &input[begin.min(input.len())..];
        match scan.run(value, &mut self.types, &self.limits) {
            Ok(Scanned::Whole(len)) => {
                let (bytes, rest) = value.split_at(len);
                // Kept until the value is passed: its types are only taken in once.
                self.scan = Some((begin, elem, scan));
                Ok(Some(Found { elem, bytes, offset: self.offset + begin as u64, rest }))
            }
            Ok(Scanned::Needs(len)) => {
                self.missing = begin + len;
                self.scan = Some((begin, elem, scan));
                Ok(None)
            }
            Err(error) => Err(error.at_offset(self.offset + (begin + scan.at()) as u64).fatal()),
        }
    }
}

#[inline]
fn root<'de, T: Deserialize<'de>>(session: &mut Session<'_, 'de>, at: At) -> Result<T, Error> {
    prefix(session, at)?;
    T::deserialize(De::new(session, at, size_of::<T>()))
}

/// A value that is no struct has a zero before it, as if it were the first field of one.
#[inline]
fn prefix(session: &mut Session<'_, '_>, at: At) -> Result<(), Error> {
    if at.tag != Tag::Struct && session.uint()? != 0 {
        return Err(corrupt("a value that is no struct and does not say so"));
    }
    Ok(())
}

fn corrupt(text: &'static str) -> Error {
    ErrorKind::Corrupt(text).into()
}

/// Decodes one value, which is a whole stream.
///
/// # Errors
///
/// As [`Decoder::decode`], when the stream ends within the value, and when it goes on after it.
///
/// ```
/// assert_eq!(landline_gob::from_slice::<&str>(&[5, 12, 0, 2, b'h', b'i'])?, "hi");
/// # Ok::<(), landline_gob::Error>(())
/// ```
pub fn from_slice<'de, T: Deserialize<'de>>(mut input: &'de [u8]) -> Result<T, Error> {
    let mut decoder = Decoder::new();
    match decoder.decode(&mut input)? {
        Some(value) if input.is_empty() => Ok(value),
        Some(_) => Err(corrupt("the stream goes on after its value").at_offset(decoder.offset())),
        None => {
            Err(Error::from(ErrorKind::Truncated).at_offset(decoder.offset() + input.len() as u64).fatal())
        }
    }
}
