//! JSON-RPC 1.0 as Go has it (`net/rpc/jsonrpc`): objects one after another, with one parameter.

use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

use landline_gob::Encode;
use serde::de::{DeserializeOwned, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::json_frame::{Found, Frame};
use super::{Fault, Header, ReplyHeader, ReplyReader, RequestWriter, ServerCodec};

/// What is received: objects, found whole.
struct Objects {
    frame: Frame,
    most: usize,
}

impl Objects {
    fn new(most: usize) -> Objects {
        Objects { frame: Frame::default(), most }
    }

    /// The object that `input` begins with, after white space, which is taken; nothing when not all of it is there.
    fn next<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<&'i str>, Fault> {
        let found = self.frame.find(input);
        let seen = match found {
            Found::Whole(end) => end,
            Found::Partial => self.frame.seen(),
            Found::Other(byte) => {
                let byte = byte.escape_ascii();
                return Err(Fault::fatal(format!("expected a JSON object, found '{byte}'")));
            }
        };
        if seen > self.most {
            return Err(Fault::fatal(too_long(seen, self.most)));
        }
        match found {
            Found::Whole(end) => std::str::from_utf8(&input[..end]).map(Some).map_err(Fault::fatal),
            _ => Ok(None),
        }
    }
}

/// Where a part of an object is in it.
fn range_of(part: &RawValue, whole: &str) -> Range<usize> {
    let begin = part.get().as_ptr().addr() - whole.as_ptr().addr();
    begin..begin + part.get().len()
}

/// Passes over the object that `input` begins with and gives the part of it.
fn pass<'i>(input: &mut &'i [u8], end: usize, part: Option<Range<usize>>) -> Result<Option<&'i str>, Fault> {
    let (object, rest) = input.split_at(end);
    *input = rest;
    part.map(|part| std::str::from_utf8(&object[part]).map_err(Fault::fatal)).transpose()
}

#[cold]
fn too_long(len: usize, most: usize) -> String {
    format!("a message of {len} bytes is beyond the limit of {most} (max_message)")
}

/// Appends a message and the newline that Go has after each; nothing of it if it cannot be written, or is too long.
fn append(out: &mut Vec<u8>, most: usize, message: &impl Serialize) -> Result<(), Fault> {
    let begin = out.len();
    let mut written = serde_json::to_writer(&mut *out, message).map_err(Fault::new);
    if written.is_ok() && out.len() - begin > most {
        written = Err(Fault::new(too_long(out.len() - begin, most)));
    }
    match written {
        Ok(()) => out.push(b'\n'),
        Err(_) => out.truncate(begin),
    }
    written
}

/// The one parameter in a list of them.
struct One<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for One<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<One<T>, D::Error> {
        struct First<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for First<T> {
            type Value = One<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list with one parameter")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<One<T>, A::Error> {
                let first = list.next_element()?;
                let first = first.ok_or_else(|| serde::de::Error::invalid_length(0, &self))?;
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(One(first))
            }
        }
        deserializer.deserialize_seq(First(PhantomData))
    }
}

/// Any value is a `()`, so that methods without arguments or replies get along with Go's empty structs.
fn unit<T: 'static>() -> Option<T> {
    let mut unit = Some(());
    (&mut unit as &mut dyn Any).downcast_mut::<Option<T>>().and_then(Option::take)
}

/// Writes a `()` as Go's empty struct.
struct Plain<'a, T>(&'a T);

impl<T: Serialize> Serialize for Plain<'_, T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Empty {}
        if typeid::of::<T>() == TypeId::of::<()>() {
            Empty {}.serialize(serializer)
        } else {
            self.0.serialize(serializer)
        }
    }
}

/// The mark of sequence numbers that stand for an id.
const STANDS_FOR: u64 = 1 << 63;

pub(super) struct JsonServer {
    objects: Objects,
    /// Of the request whose header was taken: where it ends, and where its parameters are.
    current: Option<(usize, Option<Range<usize>>)>,
    /// Ids that are no numbers, or larger than those that stand for themselves.
    ids: HashMap<u64, Option<Box<RawValue>>>,
    next: u64,
}

#[derive(Deserialize)]
struct Received<'a> {
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Reply<'a, R> {
    id: Id<'a>,
    result: Option<R>,
    error: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Id<'a> {
    Number(u64),
    Raw(Option<&'a RawValue>),
}

impl JsonServer {
    pub(super) fn new(most: usize) -> JsonServer {
        JsonServer { objects: Objects::new(most), current: None, ids: HashMap::new(), next: STANDS_FOR }
    }

    /// The number by which the server knows the call.
    fn sequence(&mut self, id: Option<&RawValue>) -> u64 {
        let text = id.map_or("null", RawValue::get);
        // As Go would write it, and so the reply will have the same bytes.
        let is_plain = text == "0" || !text.starts_with('0');
        if let Ok(number) = text.parse::<u64>()
            && is_plain
            && number < STANDS_FOR
            && !text.starts_with('+')
        {
            return number;
        }
        let sequence = self.next;
        self.next = STANDS_FOR | sequence.wrapping_add(1);
        self.ids.insert(sequence, id.map(ToOwned::to_owned));
        sequence
    }

    fn write<R: Serialize>(
        &mut self,
        sequence: u64,
        result: Option<R>,
        error: Option<&str>,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let most = self.objects.most;
        if sequence < STANDS_FOR {
            return append(out, most, &Reply { id: Id::Number(sequence), result, error });
        }
        let id = self.ids.get(&sequence).and_then(Option::as_deref);
        append(out, most, &Reply { id: Id::Raw(id), result, error })?;
        self.ids.remove(&sequence);
        Ok(())
    }
}

impl ServerCodec for JsonServer {
    fn header<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Header<'i>>, Fault> {
        let Some(object) = self.objects.next(input)? else { return Ok(None) };
        let received: Received<'i> = serde_json::from_str(object).map_err(Fault::fatal)?;
        let params = received.params.map(|params| range_of(params, object));
        self.current = Some((object.len(), params));
        let sequence = self.sequence(received.id);
        Ok(Some(Header { method: received.method.unwrap_or_default(), sequence }))
    }

    fn args<A: DeserializeOwned + 'static>(&mut self, input: &mut &[u8]) -> Result<Option<A>, Fault> {
        let Some((end, params)) = self.current.take() else { return Ok(None) };
        let Some(params) = pass(input, end, params)? else {
            return Err(Fault::new("jsonrpc: request body missing params"));
        };
        if TypeId::of::<A>() == TypeId::of::<()>() {
            return Ok(unit());
        }
        serde_json::from_str::<One<A>>(params).map(|One(args)| Some(args)).map_err(Fault::new)
    }

    fn skip(&mut self, input: &mut &[u8]) -> Result<bool, Fault> {
        let Some((end, _)) = self.current.take() else { return Ok(false) };
        pass(input, end, None)?;
        Ok(true)
    }

    fn reply<R: Encode + 'static>(
        &mut self,
        header: &Header<'_>,
        reply: &R,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        self.write(header.sequence, Some(Plain(reply)), None, out)
    }

    fn error(&mut self, header: &Header<'_>, error: &str, out: &mut Vec<u8>) {
        if self.write(header.sequence, None::<()>, Some(error), out).is_err() {
            // Only a text longer than a message may be fails.
            let _ = self.write(header.sequence, None::<()>, Some("error too long to be sent"), out);
        }
    }
}

pub(super) struct JsonRequests {
    most: usize,
}

#[derive(Serialize)]
struct Request<'a, A> {
    method: &'a str,
    params: [A; 1],
    id: u64,
}

impl JsonRequests {
    pub(super) fn new(most: usize) -> JsonRequests {
        JsonRequests { most }
    }

    pub(super) fn request_plain(
        &mut self,
        header: &Header<'_>,
        args: &impl Serialize,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let request = Request { method: &header.method, params: [Plain(args)], id: header.sequence };
        append(out, self.most, &request)
    }
}

impl RequestWriter for JsonRequests {
    fn request<A: Encode>(&mut self, header: &Header<'_>, args: &A, out: &mut Vec<u8>) -> Result<(), Fault> {
        self.request_plain(header, args, out)
    }
}

pub(super) struct JsonReplies {
    objects: Objects,
    /// Of the reply whose header was taken: where it ends, and where the result is.
    current: Option<(usize, Option<Range<usize>>)>,
}

#[derive(Deserialize)]
struct Response<'a> {
    id: Option<u64>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

impl JsonReplies {
    pub(super) fn new(most: usize) -> JsonReplies {
        JsonReplies { objects: Objects::new(most), current: None }
    }
}

impl ReplyReader for JsonReplies {
    fn header<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<ReplyHeader<'i>>, Fault> {
        let Some(object) = self.objects.next(input)? else { return Ok(None) };
        let response: Response<'i> = serde_json::from_str(object).map_err(Fault::fatal)?;
        let error = match response.error {
            None => None,
            Some(error) => {
                let text = serde_json::from_str::<Cow<'i, str>>(error.get());
                let text = text.map_err(|_| Fault::fatal(format!("invalid error {error}")))?;
                Some(if text.is_empty() { Cow::Borrowed("unspecified error") } else { text })
            }
        };
        let Some(sequence) = response.id else {
            let said = error.map_or(String::new(), |error| format!(": {error}"));
            return Err(Fault::fatal(format!("a reply to no call{said}")));
        };
        self.current = Some((object.len(), response.result.map(|result| range_of(result, object))));
        Ok(Some(ReplyHeader { sequence, error }))
    }

    fn reply<R: DeserializeOwned + 'static>(&mut self, input: &mut &[u8]) -> Result<Option<R>, Fault> {
        let Some((end, result)) = self.current.take() else { return Ok(None) };
        let result = pass(input, end, result)?;
        if TypeId::of::<R>() == TypeId::of::<()>() {
            return Ok(unit());
        }
        serde_json::from_str(result.unwrap_or("null")).map(Some).map_err(Fault::new)
    }

    fn skip(&mut self, input: &mut &[u8]) -> Result<bool, Fault> {
        let Some((end, _)) = self.current.take() else { return Ok(false) };
        pass(input, end, None)?;
        Ok(true)
    }
}
