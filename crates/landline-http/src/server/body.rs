//! Bodies, as they come from the peer and go to it.

use std::error::Error as StdError;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;

use super::exchange::Exchange;
use super::portion::{Data, Portion};
use super::send_file::{self, Next};
use super::state::State;
use crate::files;

type BoxError = Box<dyn StdError + Send + Sync>;

/// What a request carries, as it arrives; nothing is read before it is asked for.
///
/// A handler may answer early and read on in a task of its own. Of HTTP/1.1, trailers that come when all of the response has
/// gone are told only with the next request on the conn: hyper 1.12 keeps its end of the body until then.
///
/// Its errors: the peer went, or broke the framing; it sent nothing for too long
/// ([`Server::body_timeout`](super::Server::body_timeout)); or [`TooLong`], behind which the rest is not read and the conn
/// ends.
#[derive(Debug)]
pub struct RequestBody {
    /// None of a request that is its head alone.
    body: Option<Incoming>,
    /// Until all has come; dropped behind `body`, so that hyper knows first.
    unread: Option<Unread>,
}

/// How much of a response's body h2 is given at once: a frame (RFC 9113 section 4.2). What it was given of the last is out of
/// our hands.
const PIECE: usize = 16 << 10;

/// Keeps a conn from being taken for idle: a handler may answer and read on in a task of its own, and what is still to come
/// of the body must not be heard as a request.
#[derive(Debug)]
struct Unread {
    state: Arc<State>,
    /// How much may still come, in bytes.
    left: u64,
    /// More is waited for.
    is_waiting: bool,
    /// All has come.
    is_whole: bool,
}

impl Unread {
    fn waits(&mut self, is_waiting: bool) {
        match (self.is_waiting, is_waiting) {
            (false, true) => self.state.begins_to_wait(),
            (true, false) => self.state.ends_to_wait(),
            _ => {}
        }
        self.is_waiting = is_waiting;
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        self.waits(false);
        if !self.is_whole {
            self.state.leaves_unread();
        }
        self.state.done();
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
    pub(super) fn new(body: Incoming, state: &Arc<State>, most: u64) -> RequestBody {
        let unread = (!body.is_end_stream()).then(|| {
            state.busy();
            Unread { state: state.clone(), left: most, is_waiting: false, is_whole: false }
        });
        RequestBody { body: Some(body), unread }
    }

    /// Of a request without.
    pub(super) fn none() -> RequestBody {
        RequestBody { body: None, unread: None }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        // Where the response has gone already, hyper goes on to the next head with the last bytes of the body, and tells of
        // no end until it has come.
        let RequestBody { body, unread, .. } = &mut *self;
        let (Some(body), Some(reading)) = (body, unread.as_mut()) else { return Poll::Ready(None) };
        let polled = Pin::new(&mut *body).poll_frame(cx);
        reading.waits(polled.is_pending());
        let frame = match ready!(polled) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
            None => {
                reading.is_whole = true;
                *unread = None;
                return Poll::Ready(None);
            }
        };
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        let left = reading.left.checked_sub(length);
        reading.left = left.unwrap_or_default();
        reading.is_whole = frame.is_trailers() || body.is_end_stream();
        if left.is_none() {
            reading.state.end();
        }
        // What follows one that is too long would follow a hole.
        if reading.is_whole || left.is_none() {
            *unread = None;
        }
        Poll::Ready(Some(left.map(|_| frame).ok_or_else(|| TooLong.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.unread.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}

pin_project! {
    /// A response's body on its way out, or the words of the server's own.
    pub(super) struct Sent<B>
    where
        B: Body,
    {
        #[pin]
        kind: Kind<B>,
        // What the body gave, and hyper was not given yet.
        rest: Option<B::Data>,
        // Until the last of a file takes it along.
        exchange: Option<Exchange>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<B> {
        Handler { #[pin] body: B },
        // One that was polled before hyper had it, and how long it was.
        Held { body: Pin<Box<Option<B>>>, length: u64 },
        File { body: Box<files::Body> },
        Words { words: Option<&'static str> },
    }
}

impl<B: Body + 'static> Sent<B> {
    pub(super) fn by_handler(body: B, exchange: Exchange) -> Sent<B> {
        exchange.expects(body.size_hint().exact());
        let kind = match send_file::unwrapped(body, exchange.state()) {
            Ok(body) => Kind::File { body: Box::new(body) },
            Err(Some(body)) => Kind::Handler { body },
            Err(None) => Kind::Words { words: None },
        };
        Sent { kind, rest: None, exchange: Some(exchange) }
    }

    /// The body of a handler's, if it is one of which nothing was asked for yet.
    #[inline(always)]
    pub(super) fn into_body(self) -> Result<(B, Exchange), Sent<B>> {
        match self {
            Sent { kind: Kind::Handler { body }, rest: None, exchange: Some(exchange) } => {
                Ok((body, exchange))
            }
            other => Err(other),
        }
    }

    /// The same again where it is, with what it has given.
    pub(super) fn held(
        body: Pin<Box<Option<B>>>,
        length: u64,
        given: Option<B::Data>,
        exchange: Exchange,
    ) -> Sent<B> {
        Sent { kind: Kind::Held { body, length }, rest: given, exchange: Some(exchange) }
    }

    pub(super) fn words(words: &'static str, exchange: Exchange) -> Sent<B> {
        exchange.complete();
        let words = Some(words).filter(|words| !words.is_empty());
        Sent { kind: Kind::Words { words }, rest: None, exchange: Some(exchange) }
    }
}

/// A body is a handler's as well, and its panic the end of its conn alone.
pub(super) fn catch_panic<T>(exchange: &Exchange, poll: impl FnOnce() -> T) -> Result<T, BoxError> {
    catch_unwind(AssertUnwindSafe(poll)).map_err(|_| {
        exchange.state().counts.panicked.add(1);
        "the body of the response panicked".into()
    })
}

/// The next of what a body gave: all of it, but for a long one in HTTP/2.
fn piece<D: Buf>(rest: &mut Option<D>, exchange: &Exchange) -> Option<Portion<D>> {
    let mut data = rest.take()?;
    let stream = exchange.stream();
    let data = if stream.is_some() && data.remaining() > PIECE {
        let piece = data.copy_to_bytes(PIECE);
        *rest = Some(data);
        Data::Piece(piece)
    } else {
        Data::Body(data)
    };
    let portion = Portion::new(data, stream);
    exchange.sent(portion.remaining());
    if exchange.state().speaks_http1() {
        exchange.state().queued(portion.remaining());
    }
    Some(portion)
}

/// What comes next of a file, of which the exchange hears unless a stretch has it.
fn note_next<D: Buf>(
    next: Option<io::Result<Frame<Next>>>,
    exchange: &Option<Exchange>,
) -> Option<Result<Frame<Portion<D>>, BoxError>> {
    let of = |next| match next {
        Next::Stretch(stretch) => Portion::new(Data::Stretch(stretch), None),
        Next::Read(bytes) => Portion::new(Data::Piece(bytes), None),
    };
    let frame = next.map(|next| next.map(|frame| frame.map_data(of)));
    match (exchange, &frame) {
        (Some(exchange), None) => exchange.complete(),
        (Some(exchange), Some(Ok(frame))) => exchange.sent(frame.data_ref().map_or(0, Buf::remaining)),
        _ => {}
    }
    frame.map(|frame| frame.map_err(Into::into))
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
                let stream = this.exchange.as_ref().and_then(Exchange::stream);
                let portion = words.take().map(|words| Portion::new(Data::Words(words.as_bytes()), stream));
                return Poll::Ready(portion.map(|portion| Ok(Frame::data(portion))));
            }
            KindProjection::File { body } => {
                let polled = send_file::poll_next(body, this.exchange, cx);
                return polled.map(|next| note_next(next, this.exchange));
            }
            KindProjection::Handler { body } => body,
            KindProjection::Held { body, .. } => match body.as_mut().as_pin_mut() {
                Some(body) => body,
                None => return Poll::Ready(None),
            },
        };
        // Only a file's is taken along.
        let Some(exchange) = this.exchange else { return Poll::Ready(None) };
        if let Some(piece) = piece(this.rest, exchange) {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if exchange.state().is_queue_full(cx) {
            return Poll::Pending;
        }
        let polled = match catch_panic(exchange, || body.poll_frame(cx)) {
            Ok(polled) => polled,
            Err(error) => return Poll::Ready(Some(Err(error))),
        };
        polled.map(|frame| match frame {
            None => {
                exchange.complete();
                None
            }
            Some(Err(error)) => Some(Err(error.into())),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    *this.rest = Some(data);
                    piece(this.rest, exchange).map(|piece| Ok(Frame::data(piece)))
                }
                Err(frame) => frame.into_trailers().ok().map(|trailers| Ok(Frame::trailers(trailers))),
            },
        })
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_none()
            && match &self.kind {
                Kind::Handler { body } => body.is_end_stream(),
                Kind::Held { body, .. } => {
                    body.as_ref().as_ref().get_ref().as_ref().is_none_or(B::is_end_stream)
                }
                Kind::File { body } => body.is_end_stream(),
                Kind::Words { words } => words.is_none(),
            }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Handler { body } => body.size_hint(),
            Kind::Held { length, .. } => SizeHint::with_exact(*length),
            Kind::File { body } => body.size_hint(),
            Kind::Words { words } => SizeHint::with_exact(words.map_or(0, str::len) as u64),
        }
    }
}
