//! Go's own codec (`net/rpc`): each message is two gob values, a header and a body, on one gob stream each way.

use std::any::{Any, TypeId};
use std::borrow::Cow;

use landline_gob::{Decoder, Encode, Encoder, Error, Limits, Value};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Fault, Header, ReplyHeader, ReplyReader, RequestWriter, ServerCodec};

/// `rpc.Request`.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Request")]
struct Request<'a> {
    #[serde(rename = "ServiceMethod", borrow)]
    method: &'a str,
    #[serde(rename = "Seq")]
    sequence: u64,
}

/// `rpc.Response`.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Response")]
struct Response<'a> {
    #[serde(rename = "ServiceMethod", borrow)]
    method: &'a str,
    #[serde(rename = "Seq")]
    sequence: u64,
    #[serde(rename = "Error", borrow)]
    error: Cow<'a, str>,
}

/// The body that goes with an error, and in place of a `()`: `struct{}`, which has no name.
#[derive(Serialize, Deserialize)]
#[serde(rename = "")]
struct Nothing {}

/// What is written on a conn.
struct Writer(Encoder);

impl Writer {
    fn new(most: usize) -> Writer {
        Writer(Encoder::new().limits(Limits::default().message(most)))
    }

    /// Writes a header and a body; if the body cannot be written, the header is taken back.
    ///
    /// What the header brought along, the description of its type, stays: the encoder will not send it again.
    #[inline]
    fn message<H: Encode>(
        &mut self,
        header: &H,
        out: &mut Vec<u8>,
        body: impl FnOnce(&mut Encoder, &mut Vec<u8>) -> Result<(), Error>,
    ) -> Result<(), Fault> {
        self.0.encode(header, out).map_err(Fault::new)?;
        let end = out.len();
        body(&mut self.0, out).map_err(|error| {
            out.truncate(end);
            let mut again = Vec::new();
            if self.0.encode(header, &mut again).is_ok() {
                out.truncate(end - again.len());
            }
            Fault::new(error)
        })
    }
}

/// Encodes what gob has no like of, `()`, as a struct without fields.
#[inline]
fn body<T: Encode>(encoder: &mut Encoder, value: &T, out: &mut Vec<u8>) -> Result<(), Error> {
    if typeid::of::<T>() == TypeId::of::<()>() {
        encoder.encode(&Nothing {}, out)
    } else {
        encoder.encode(value, out)
    }
}

/// Decodes a value: into a dynamic one whatever it is, into a `()` nothing.
#[inline]
fn take<T: DeserializeOwned + 'static>(decoder: &mut Decoder, input: &mut &[u8]) -> Result<Option<T>, Fault> {
    if TypeId::of::<T>() == TypeId::of::<()>() {
        let mut unit = decoder.skip(input).map_err(fault)?.then_some(());
        return Ok((&mut unit as &mut dyn Any).downcast_mut::<Option<T>>().and_then(Option::take));
    }
    if TypeId::of::<T>() == TypeId::of::<Value>() {
        let mut value = decoder.decode_value(input).map_err(fault)?;
        return Ok((&mut value as &mut dyn Any).downcast_mut::<Option<T>>().and_then(Option::take));
    }
    decoder.decode(input).map_err(fault)
}

#[cold]
#[allow(clippy::needless_pass_by_value)] // For `map_err`.
fn fault(error: Error) -> Fault {
    Fault { text: error.to_string(), fatal: error.is_fatal() }
}

#[cold]
fn fatal(error: Error) -> Fault {
    Fault::fatal(error)
}

fn decoder(most: usize) -> Decoder {
    Decoder::new().limits(Limits::default().message(most))
}

pub(super) struct GobServer {
    decoder: Decoder,
    writer: Writer,
}

impl GobServer {
    pub(super) fn new(most: usize) -> GobServer {
        GobServer { decoder: decoder(most), writer: Writer::new(most) }
    }
}

impl ServerCodec for GobServer {
    #[inline]
    fn header<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Header<'i>>, Fault> {
        let request = self.decoder.decode::<Request<'i>>(input).map_err(fatal)?;
        Ok(request.map(|Request { method, sequence }| Header { method: Cow::Borrowed(method), sequence }))
    }

    #[inline]
    fn args<A: DeserializeOwned + 'static>(&mut self, input: &mut &[u8]) -> Result<Option<A>, Fault> {
        take(&mut self.decoder, input)
    }

    fn skip(&mut self, input: &mut &[u8]) -> Result<bool, Fault> {
        self.decoder.skip(input).map_err(fatal)
    }

    #[inline]
    fn reply<R: Encode + 'static>(
        &mut self,
        header: &Header<'_>,
        reply: &R,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let response =
            Response { method: &header.method, sequence: header.sequence, error: Cow::Borrowed("") };
        if let Some(value) = (reply as &dyn Any).downcast_ref::<Value>() {
            return self.writer.message(&response, out, |encoder, out| encoder.encode_value(value, out));
        }
        self.writer.message(&response, out, |encoder, out| body(encoder, reply, out))
    }

    fn error(&mut self, header: &Header<'_>, error: &str, out: &mut Vec<u8>) {
        let response =
            Response { method: &header.method, sequence: header.sequence, error: Cow::Borrowed(error) };
        let written = self.writer.message(&response, out, |encoder, out| encoder.encode(&Nothing {}, out));
        if written.is_err() {
            // Only a text longer than a message may be fails.
            let response = Response { error: Cow::Borrowed("error too long to be sent"), ..response };
            let _ = self.writer.message(&response, out, |encoder, out| encoder.encode(&Nothing {}, out));
        }
    }
}

pub(super) struct GobRequests(Writer);

impl GobRequests {
    pub(super) fn new(most: usize) -> GobRequests {
        GobRequests(Writer::new(most))
    }

    pub(super) fn request_value(
        &mut self,
        header: &Header<'_>,
        args: &Value,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let request = Request { method: &header.method, sequence: header.sequence };
        self.0.message(&request, out, |encoder, out| encoder.encode_value(args, out))
    }
}

impl RequestWriter for GobRequests {
    #[inline]
    fn request<A: Encode>(&mut self, header: &Header<'_>, args: &A, out: &mut Vec<u8>) -> Result<(), Fault> {
        let request = Request { method: &header.method, sequence: header.sequence };
        self.0.message(&request, out, |encoder, out| body(encoder, args, out))
    }
}

pub(super) struct GobReplies(Decoder);

impl GobReplies {
    pub(super) fn new(most: usize) -> GobReplies {
        GobReplies(decoder(most))
    }
}

impl ReplyReader for GobReplies {
    #[inline]
    fn header<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<ReplyHeader<'i>>, Fault> {
        let response = self.0.decode::<Response<'i>>(input).map_err(fatal)?;
        Ok(response.map(|Response { sequence, error, .. }| ReplyHeader {
            sequence,
            error: (!error.is_empty()).then_some(error),
        }))
    }

    #[inline]
    fn reply<R: DeserializeOwned + 'static>(&mut self, input: &mut &[u8]) -> Result<Option<R>, Fault> {
        take(&mut self.0, input)
    }

    fn skip(&mut self, input: &mut &[u8]) -> Result<bool, Fault> {
        self.0.skip(input).map_err(fatal)
    }
}
