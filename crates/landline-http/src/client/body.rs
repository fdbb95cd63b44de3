//! What a request carries.

use std::any::Any;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use tokio::io::AsyncRead;
use tokio_util::io::ReaderStream;

use crate::files;

/// The body of a request: nothing, bytes, or a stream.
///
/// Bytes can be sent again, after a redirect or on another conn where the first was stale; a stream cannot, so a
/// redirect that wants its body again is not followed but returned.
#[derive(Default)]
pub struct Body(Kind);

#[derive(Default)]
enum Kind {
    #[default]
    Empty,
    Bytes(Bytes),
    Stream(UnsyncBoxBody<Bytes, io::Error>),
    /// Kept as it is for a server that has the kernel send it.
    File(files::Body),
}

impl Body {
    /// None.
    pub fn empty() -> Body {
        Body::default()
    }

    /// What a reader gives, up to its end. With a length, that many bytes are announced, and fewer or more fail the
    /// request; without one, the body is chunked.
    pub fn from_reader(reader: impl AsyncRead + Send + 'static, length: Option<u64>) -> Body {
        use futures_util::TryStreamExt as _;
        let stream =
            StreamBody::new(ReaderStream::with_capacity(Box::pin(reader), 32 * 1024).map_ok(Frame::data));
        Body(Kind::Stream(Sized { body: stream, length }.boxed_unsync()))
    }

    /// Any body, trailers too. A [`files::Body`] is still known to a [`Server`](crate::server::Server) for what it is.
    pub fn wrap<B>(body: B) -> Body
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut body = Some(body);
        let any: &mut dyn Any = &mut body;
        if let Some(file) = any.downcast_mut::<Option<files::Body>>().and_then(Option::take) {
            return Body(Kind::File(file));
        }
        match body {
            Some(body) => Body(Kind::Stream(body.map_err(io::Error::other).boxed_unsync())),
            None => Body::empty(),
        }
    }

    /// What of a file is in it, if it is nothing else; then it is empty.
    pub(crate) fn take_file(&mut self) -> Option<files::Body> {
        match &mut self.0 {
            Kind::File(file) => {
                let file = std::mem::take(file);
                self.0 = Kind::Empty;
                Some(file)
            }
            _ => None,
        }
    }

    /// The same again, where it can be had.
    pub(crate) fn again(&self) -> Option<Body> {
        match &self.0 {
            Kind::Empty => Some(Body::empty()),
            Kind::Bytes(bytes) => Some(Body(Kind::Bytes(bytes.clone()))),
            Kind::Stream(_) | Kind::File(_) => None,
        }
    }
}

impl From<()> for Body {
    fn from((): ()) -> Body {
        Body::empty()
    }
}

/// Of bytes, without a copy.
macro_rules! from_bytes {
    ($($bytes:ty),*) => { $(
        impl From<$bytes> for Body {
            fn from(bytes: $bytes) -> Body {
                let bytes = Bytes::from(bytes);
                if bytes.is_empty() { Body::empty() } else { Body(Kind::Bytes(bytes)) }
            }
        }
    )* };
}

from_bytes!(Bytes, Vec<u8>, String, &'static str, &'static [u8]);

impl HttpBody for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut self.0 {
            Kind::Empty => Poll::Ready(None),
            Kind::Bytes(bytes) => {
                let bytes = std::mem::take(bytes);
                self.0 = Kind::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Kind::Stream(stream) => Pin::new(stream).poll_frame(cx),
            Kind::File(file) => Pin::new(file).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Empty => true,
            Kind::Bytes(_) => false,
            Kind::Stream(stream) => stream.is_end_stream(),
            Kind::File(file) => file.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Stream(stream) => stream.size_hint(),
            Kind::File(file) => file.size_hint(),
        }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Kind::Empty => f.write_str("Body(empty)"),
            Kind::Bytes(bytes) => write!(f, "Body({} bytes)", bytes.len()),
            Kind::Stream(_) => f.write_str("Body(stream)"),
            Kind::File(file) => file.fmt(f),
        }
    }
}

/// A body of a length that is known.
struct Sized<B> {
    body: B,
    length: Option<u64>,
}

impl<B: HttpBody<Data = Bytes, Error = io::Error> + Unpin> HttpBody for Sized<B> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        let Some(left) = &mut self.length else { return Poll::Ready(frame) };
        Poll::Ready(match frame {
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                match left.checked_sub(length) {
                    Some(rest) => {
                        *left = rest;
                        Some(Ok(frame))
                    }
                    None => Some(Err(io::Error::other("the body is longer than announced"))),
                }
            }
            None if *left > 0 => Some(Err(io::Error::other("the body is shorter than announced"))),
            end => end,
        })
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// A body on its way out: told when it may go, and tells when it has gone.
pub(super) struct Outgoing {
    body: Body,
    progress: Progress,
}

/// What is known of a body on its way out; nothing where there is none, as of most requests.
#[derive(Clone)]
pub(super) struct Progress(Option<Arc<Mutex<State>>>);

#[derive(Default)]
struct State {
    /// The server has to say first that it wants it (100-continue).
    is_held: bool,
    is_sent: bool,
    /// Who waits for either.
    sender: Option<Waker>,
    watcher: Option<Waker>,
}

impl Outgoing {
    pub(super) fn new(body: Body, is_held: bool) -> (Outgoing, Progress) {
        let state = || Arc::new(Mutex::new(State { is_held, ..State::default() }));
        let progress = Progress((!body.is_end_stream()).then(state));
        (Outgoing { body, progress: progress.clone() }, progress)
    }

    pub(super) fn into_body(mut self) -> Body {
        std::mem::take(&mut self.body)
    }
}

impl Drop for Outgoing {
    /// Where the length is known, the end of the body is not asked for.
    fn drop(&mut self) {
        self.progress.set_sent();
    }
}

impl Progress {
    /// Lets the body go.
    pub(super) fn release(&self) {
        let Some(mut state) = self.state() else { return };
        state.is_held = false;
        if let Some(waker) = state.sender.take() {
            waker.wake();
        }
    }

    fn set_sent(&self) {
        let Some(mut state) = self.state() else { return };
        state.is_sent = true;
        if let Some(waker) = state.watcher.take() {
            waker.wake();
        }
    }

    /// Whether all of it was taken to be sent.
    pub(super) fn is_sent(&self) -> bool {
        self.state().is_none_or(|state| state.is_sent)
    }

    /// Waits until all of it was taken to be sent.
    pub(super) async fn sent(&self) {
        std::future::poll_fn(|cx| {
            let Some(mut state) = self.state() else { return Poll::Ready(()) };
            if state.is_sent {
                return Poll::Ready(());
            }
            state.watcher = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn state(&self) -> Option<MutexGuard<'_, State>> {
        self.0.as_ref().map(|state| state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl HttpBody for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(mut state) = self.progress.state()
            && state.is_held
        {
            state.sender = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.body.is_end_stream() {
            self.progress.set_sent();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
