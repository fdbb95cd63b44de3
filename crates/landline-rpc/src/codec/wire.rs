//! The codecs that Go has, as one type.

use landline_gob::{Encode, Value};
use serde::de::DeserializeOwned;

use super::gob::{GobReplies, GobRequests, GobServer};
use super::json::{JsonReplies, JsonRequests, JsonServer};
use super::{Codec, Fault, Header, ReplyHeader, ReplyReader, RequestWriter, ServerCodec};

/// The codecs that Go has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Wire {
    /// gob, the codec of Go's `net/rpc`.
    #[default]
    Gob,
    /// JSON-RPC 1.0, the codec of Go's `net/rpc/jsonrpc`.
    ///
    /// serde's rules hold for what is in it: names are matched exactly, and a field that is not sent needs serde's
    /// `default`.
    Json,
}

impl Codec for Wire {
    type Server = WireServer;
    type Requests = WireRequests;
    type Replies = WireReplies;

    fn server(&self, most: usize) -> WireServer {
        WireServer(match self {
            Wire::Gob => Either::Gob(GobServer::new(most)),
            Wire::Json => Either::Json(JsonServer::new(most)),
        })
    }

    fn requests(&self, most: usize) -> WireRequests {
        WireRequests(match self {
            Wire::Gob => Either::Gob(GobRequests::new(most)),
            Wire::Json => Either::Json(JsonRequests::new(most)),
        })
    }

    fn replies(&self, most: usize) -> WireReplies {
        WireReplies(match self {
            Wire::Gob => Either::Gob(GobReplies::new(most)),
            Wire::Json => Either::Json(JsonReplies::new(most)),
        })
    }
}

enum Either<G, J> {
    Gob(G),
    Json(J),
}

/// Calls one or the other.
macro_rules! either {
    ($either:expr, $codec:ident => $call:expr) => {
        match $either {
            Either::Gob($codec) => $call,
            Either::Json($codec) => $call,
        }
    };
}

macro_rules! opaque_debug {
    ($($name:ident)*) => {
        $(impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let wire = match &self.0 {
                    Either::Gob(_) => Wire::Gob,
                    Either::Json(_) => Wire::Json,
                };
                f.debug_tuple(stringify!($name)).field(&wire).finish()
            }
        })*
    };
}

opaque_debug!(WireServer WireRequests WireReplies);

/// The server's end of a [`Wire`].
pub struct WireServer(Either<GobServer, JsonServer>);

impl ServerCodec for WireServer {
    #[inline]
    fn header<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Header<'i>>, Fault> {
        either!(&mut self.0, codec => codec.header(input))
    }

    #[inline]
    fn args<A: DeserializeOwned + 'static>(&mut self, input: &mut &[u8]) -> Result<Option<A>, Fault> {
        either!(&mut self.0, codec => codec.args(input))
    }

    fn skip(&mut self, input: &mut &[u8]) -> Result<bool, Fault> {
        either!(&mut self.0, codec => codec.skip(input))
    }

    #[inline]
    fn reply<R: Encode + 'static>(
        &mut self,
        header: &Header<'_>,
        reply: &R,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        either!(&mut self.0, codec => codec.reply(header, reply, out))
    }

    fn error(&mut self, header: &Header<'_>, error: &str, out: &mut Vec<u8>) {
        either!(&mut self.0, codec => codec.error(header, error, out));
    }
}

/// The writing half of the client's end of a [`Wire`].
pub struct WireRequests(Either<GobRequests, JsonRequests>);

impl WireRequests {
    /// Appends a request whose arguments are a dynamic value, as what they are.
    pub(crate) fn request_value(
        &mut self,
        header: &Header<'_>,
        args: &Value,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        match &mut self.0 {
            Either::Gob(codec) => codec.request_value(header, args, out),
            Either::Json(codec) => codec.request_plain(header, args, out),
        }
    }
}

impl RequestWriter for WireRequests {
    #[inline]
    fn request<A: Encode>(&mut self, header: &Header<'_>, args: &A, out: &mut Vec<u8>) -> Result<(), Fault> {
        either!(&mut self.0, codec => codec.request(header, args, out))
    }
}

/// The reading half of the client's end of a [`Wire`].
pub struct WireReplies(Either<GobReplies, JsonReplies>);

impl ReplyReader for WireReplies {
    #[inline]
    fn header<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<ReplyHeader<'i>>, Fault> {
        either!(&mut self.0, codec => codec.header(input))
    }

    #[inline]
    fn reply<R: DeserializeOwned + 'static>(&mut self, input: &mut &[u8]) -> Result<Option<R>, Fault> {
        either!(&mut self.0, codec => codec.reply(input))
    }

    fn skip(&mut self, input: &mut &[u8]) -> Result<bool, Fault> {
        either!(&mut self.0, codec => codec.skip(input))
    }
}
