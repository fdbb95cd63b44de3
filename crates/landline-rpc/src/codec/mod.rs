//! Codecs: how calls and replies are written on a conn.
//!
//! A codec does no I/O. It takes whole messages off the front of the bytes that have been received, and appends to those
//! that are to be sent; what comes when, and to whom, is the engine's matter. So one's own codec is four small types, and
//! is tested with slices:
//!
//! | trait | whose end | what it does |
//! |---|---|---|
//! | [`Codec`] | both | makes the others, one for each conn |
//! | [`ServerCodec`] | the server's | reads requests, writes replies |
//! | [`RequestWriter`] | the client's | writes requests |
//! | [`ReplyReader`] | the client's | reads replies |

mod gob;
mod json;
mod json_frame;
mod wire;

use std::borrow::Cow;
use std::fmt;

use landline_gob::Encode;
use serde::de::DeserializeOwned;

pub use wire::{Wire, WireReplies, WireRequests, WireServer};

/// How calls and replies are written on a conn, for both ends.
pub trait Codec: Clone + Send + Sync + 'static {
    /// The server's end of a conn.
    type Server: ServerCodec;
    /// The writing half of the client's end.
    type Requests: RequestWriter;
    /// The reading half of the client's end.
    type Replies: ReplyReader;

    /// The server's end of a new conn, that takes no message longer than `most` bytes.
    fn server(&self, most: usize) -> Self::Server;

    /// The writing half of the client's end of a new conn, that writes no message longer than `most` bytes.
    fn requests(&self, most: usize) -> Self::Requests;

    /// The reading half of the client's end of a new conn, that takes no message longer than `most` bytes.
    fn replies(&self, most: usize) -> Self::Replies;
}

/// What precedes the arguments of a call, or its reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// `Service.Method`.
    pub method: Cow<'a, str>,
    /// Which call it is: a number of the client's choosing, that the reply carries too.
    pub sequence: u64,
}

/// What a client learns of a reply before the reply itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyHeader<'a> {
    /// Which call it answers.
    pub sequence: u64,
    /// What went wrong, if something did. There is then no reply, but still a body, which is to be skipped.
    pub error: Option<Cow<'a, str>>,
}

/// The server's end of a conn: takes requests and writes replies.
///
/// Its calls come in this order: [`header`](ServerCodec::header) until it gives one; then
/// [`args`](ServerCodec::args) or [`skip`](ServerCodec::skip), with whatever type the method takes, until that is
/// done. Whoever finds that not all is there yet gives nothing, leaves `input` with what it has not taken, and is called
/// again with that and more. [`reply`](ServerCodec::reply) and [`error`](ServerCodec::error) may come at any time.
pub trait ServerCodec: Send + 'static {
    /// Takes the header of the next request from the front of `input`.
    ///
    /// # Errors
    /// When this is no request; the conn is closed.
    fn header<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Header<'i>>, Fault>;

    /// Takes the arguments of the request whose header was taken.
    ///
    /// # Errors
    /// When they do not fit an `A`: then they have been taken, and the fault is answered to the caller. After a
    /// [fatal](Fault::fatal) one the conn is closed.
    fn args<A: DeserializeOwned + 'static>(&mut self, input: &mut &[u8]) -> Result<Option<A>, Fault>;

    /// Passes over the arguments of the request whose header was taken, and says whether all of them were there.
    ///
    /// # Errors
    /// When the conn is of no more use.
    fn skip(&mut self, input: &mut &[u8]) -> Result<bool, Fault>;

    /// Appends a reply.
    ///
    /// # Errors
    /// When it cannot be written. Nothing is appended then that has to be completed, and [`error`](ServerCodec::error)
    /// is called with what went wrong.
    fn reply<R: Encode + 'static>(
        &mut self,
        header: &Header<'_>,
        reply: &R,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault>;

    /// Appends an error, which is not empty, instead of a reply.
    fn error(&mut self, header: &Header<'_>, error: &str, out: &mut Vec<u8>);
}

/// The writing half of a client's end of a conn.
pub trait RequestWriter: Send + 'static {
    /// Appends a request.
    ///
    /// # Errors
    /// When the arguments cannot be written. Nothing is appended then that has to be completed.
    fn request<A: Encode>(&mut self, header: &Header<'_>, args: &A, out: &mut Vec<u8>) -> Result<(), Fault>;
}

/// The reading half of a client's end of a conn; its calls come in the order of those of a [`ServerCodec`].
pub trait ReplyReader: Send + 'static {
    /// Takes the header of the next reply from the front of `input`.
    ///
    /// # Errors
    /// When this is no reply; the conn is closed.
    fn header<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<ReplyHeader<'i>>, Fault>;

    /// Takes the reply whose header was taken.
    ///
    /// # Errors
    /// When it does not fit an `R`: then it has been taken, and the caller learns of it. After a
    /// [fatal](Fault::fatal) fault the conn is closed.
    fn reply<R: DeserializeOwned + 'static>(&mut self, input: &mut &[u8]) -> Result<Option<R>, Fault>;

    /// Passes over the body of the reply whose header was taken, and says whether all of it was there.
    ///
    /// # Errors
    /// When the conn is of no more use.
    fn skip(&mut self, input: &mut &[u8]) -> Result<bool, Fault>;
}

/// Why a codec could not read or write a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    text: String,
    fatal: bool,
}

impl Fault {
    /// One message is at fault; the next can be read.
    pub fn new(text: impl fmt::Display) -> Fault {
        Fault { text: text.to_string(), fatal: false }
    }

    /// What follows makes no sense any more, and the conn is closed.
    pub fn fatal(text: impl fmt::Display) -> Fault {
        Fault { text: text.to_string(), fatal: true }
    }

    /// Whether the conn is of no more use.
    pub fn is_fatal(&self) -> bool {
        self.fatal
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Fault {}
