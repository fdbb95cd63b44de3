//! Bodies, as they come from the peer and go to it.

use std::error::Error as StdError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;

use super::exchange::Exchange;
use super::send_file::{self, Next, Stretch};
use super::state::State;
use crate::files;

type BoxError = Box<dyn StdError + Send + Sync>;

/// What a request carries, as it arrives; nothing is read before it is asked for.
///
/// Its errors: the peer went, or broke the framing; it sent nothing for too long
/// ([`Server::body_timeout`](super::Server::body_timeout)); or [`TooLong`], behind which the rest is not read and the conn
/// ends.
#[derive(Debug)]
pub struct RequestBody {
    body: Incoming,
    state: Arc<State>,
    left: u64,
    /// There while more is waited for.
    waiting: Option<Waiting>,
    /// Until all has come; dropped behind `body`, so that hyper knows first.
    unread: Option<Unread>,
}

/// Keeps a conn from being taken for idle: a handler may answer and read on in a task of its own, and what is still to come
/// of the body must not be heard as a request.
#[derive(Debug)]
struct Unread(Arc<State>);

impl Drop for Unread {
    fn drop(&mut self) {
        self.0.done();
    }
}

#[derive(Debug)]
struct Waiting(Arc<State>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.ends_to_wait();
    }
}

/// A body is longer than the server allows ([`Server::max_body`](super::Server::max_body)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl std::fmt::Display for TooLong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the body is longer than is allowed")
    }
}

impl StdError for TooLong {}

impl RequestBody {
    pub(super) fn new(body: Incoming, state: Arc<State>, most: u64) -> RequestBody {
        let unread = (!body.is_end_stream()).then(|| {
            state.busy();
            Unread(state.clone())
        });
        RequestBody { body, state, left: most, waiting: None, unread }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match polled {
            Poll::Ready(_) => self.waiting = None,
            Poll::Pending if self.waiting.is_none() => {
                self.state.begins_to_wait();
                self.waiting = Some(Waiting(self.state.clone()));
            }
            Poll::Pending => {}
        }
        if matches!(polled, Poll::Ready(None)) {
            self.unread = None;
        }
        polled.map(|frame| {
            let frame = match frame? {
                Ok(frame) => frame,
                Err(error) => return Some(Err(error.into())),
            };
            let length = frame.data_ref().map_or(0, |data| data.len() as u64);
            match self.left.checked_sub(length) {
                Some(left) => {
                    self.left = left;
                    Some(Ok(frame))
                }
                None => {
                    self.state.end();
                    Some(Err(TooLong.into()))
                }
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

pin_project! {
    /// A response's body on its way out, or the words of the server's own.
    pub(super) struct Sent<B> {
        #[pin]
        kind: Kind<B>,
        // Until the last of a file takes it along.
        exchange: Option<Exchange>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<B> {
        Handler { #[pin] body: B },
        File { body: files::Body },
        Words { words: Option<&'static str> },
    }
}

impl<B: Body + 'static> Sent<B> {
    pub(super) fn by_handler(body: B, mut exchange: Exchange) -> Sent<B> {
        exchange.expects(body.size_hint().exact());
        let kind = match send_file::unwrapped(body, exchange.state()) {
            Ok(body) => Kind::File { body },
            Err(Some(body)) => Kind::Handler { body },
            Err(None) => Kind::Words { words: None },
        };
        Sent { kind, exchange: Some(exchange) }
    }
}

impl<B> Sent<B> {
    pub(super) fn words(words: &'static str, mut exchange: Exchange) -> Sent<B> {
        exchange.complete();
        Sent {
            kind: Kind::Words { words: Some(words).filter(|words| !words.is_empty()) },
            exchange: Some(exchange),
        }
    }
}

impl<B> Body for Sent<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = Portion<B::Data>;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, BoxError>>> {
        let this = self.project();
        let body = match this.kind.project() {
            KindProjection::Words { words } => {
                let frame = words.take().map(|words| Ok(Frame::data(Portion::Words(words.as_bytes()))));
                return Poll::Ready(frame);
            }
            KindProjection::File { body } => {
                let polled = send_file::poll_next(body, this.exchange, cx);
                let polled = polled.map_ok(|frame| {
                    frame.map_data(|next| match next {
                        Next::Stretch(stretch) => Portion::Stretch(stretch),
                        Next::Read(bytes) => Portion::Read(bytes),
                    })
                });
                return account(this.exchange, polled);
            }
            KindProjection::Handler { body } => body,
        };
        // It is a handler's as well, and its panic the end of its conn alone.
        let Ok(polled) = catch_unwind(AssertUnwindSafe(|| body.poll_frame(cx))) else {
            if let Some(exchange) = this.exchange {
                exchange.state().counts.panicked.add(1);
            }
            return Poll::Ready(Some(Err("the body of the response panicked".into())));
        };
        account(this.exchange, polled.map_ok(|frame| frame.map_data(Portion::Body)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Handler { body } => body.is_end_stream(),
            Kind::File { body } => body.is_end_stream(),
            Kind::Words { words } => words.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Handler { body } => body.size_hint(),
            Kind::File { body } => body.size_hint(),
            Kind::Words { words } => SizeHint::with_exact(words.map_or(0, str::len) as u64),
        }
    }
}

/// Notes what a body gave; the exchange is not there where a stretch has it, and notes it as it goes.
fn account<D: Buf, E: Into<BoxError>>(
    exchange: &mut Option<Exchange>,
    polled: Poll<Option<Result<Frame<D>, E>>>,
) -> Poll<Option<Result<Frame<D>, BoxError>>> {
    if let (Some(exchange), Poll::Ready(polled)) = (exchange, &polled) {
        match polled {
            None => exchange.complete(),
            Some(Ok(frame)) => exchange.sent(frame.data_ref().map_or(0, Buf::remaining)),
            Some(Err(_)) => {}
        }
    }
    polled.map_err(Into::into)
}

/// Some bytes of any of them.
pub(super) enum Portion<D> {
    Body(D),
    Read(Bytes),
    Stretch(Box<Stretch>),
    Words(&'static [u8]),
}

impl<D: Buf> Buf for Portion<D> {
    fn remaining(&self) -> usize {
        match self {
            Portion::Body(data) => data.remaining(),
            Portion::Read(bytes) => bytes.len(),
            Portion::Stretch(stretch) => stretch.remaining(),
            Portion::Words(words) => words.len(),
        }
    }

    fn chunk(&self) -> &[u8] {
        match self {
            Portion::Body(data) => data.chunk(),
            Portion::Read(bytes) => bytes,
            Portion::Stretch(stretch) => stretch.chunk(),
            Portion::Words(words) => words,
        }
    }

    fn advance(&mut self, count: usize) {
        match self {
            Portion::Body(data) => data.advance(count),
            Portion::Read(bytes) => bytes.advance(count),
            Portion::Stretch(stretch) => stretch.advance(count),
            Portion::Words(words) => words.advance(count),
        }
    }

    fn chunks_vectored<'a>(&'a self, parts: &mut [std::io::IoSlice<'a>]) -> usize {
        match self {
            Portion::Body(data) => data.chunks_vectored(parts),
            Portion::Read(bytes) => bytes.chunks_vectored(parts),
            Portion::Stretch(stretch) => stretch.chunks_vectored(parts),
            Portion::Words(words) => words.chunks_vectored(parts),
        }
    }
}
