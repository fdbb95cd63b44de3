//! The body of a response: streamed, decoded, timed, and the conn given back at its end.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, TryStreamExt};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use landline::Ended;
use tokio::io::AsyncRead;
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::io::{ReaderStream, StreamReader};

use super::body::Progress;
use super::conn::{ConnInfo, Lease};
use super::error::{Error, ErrorKind, Phase};
use super::route::Route;
use super::shelf::Shelf;
use super::trace::Trace;
use super::upgraded::Upgraded;

/// A conn in use; dropped before it is given back, it is closed and its place free.
pub(super) struct Held {
    pub(super) shelf: Arc<Shelf>,
    pub(super) route: Arc<Route>,
    pub(super) lease: Option<Lease>,
}

impl Held {
    /// Waits until the conn can carry another request, and gives it back; closes it if it cannot.
    fn poll_give_back(&mut self, cx: &mut Context<'_>, is_sent: bool) -> Poll<()> {
        if let Some(Lease::Single(single)) = &mut self.lease
            && is_sent
        {
            let is_usable = ready!(single.sender.poll_ready(cx)).is_ok();
            if is_usable && let Some(Lease::Single(single)) = self.lease.take() {
                self.shelf.give_back(&self.route, single);
            }
        }
        self.release();
        Poll::Ready(())
    }

    fn release(&mut self) {
        if let Some(Lease::Single(single)) = self.lease.take() {
            drop(single);
            self.shelf.lost(&self.route);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.release();
    }
}

/// The body of a response, as it comes.
///
/// It is a [`Body`](http_body::Body), a [`Stream`] of [`Bytes`], and can be read whole with [`ResponseBody::bytes`]. What
/// came compressed with gzip, Brotli or Zstandard is given decompressed; trailers are given of what did not.
///
/// # Cancellation
/// Dropping it before its end closes an HTTP/1.1 conn and resets a stream of HTTP/2. At its end the conn carries the next
/// request.
pub struct ResponseBody(Inner);

enum Inner {
    /// There is none: the conn speaks another protocol now.
    Upgraded(Box<(Upgraded, ConnInfo)>),
    Plain(Box<Raw>),
    Decoded(Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>, Box<ConnInfo>),
}

/// How the bytes of a body are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Plain,
    Gzip,
    Brotli,
    Zstd,
}

impl Coding {
    /// Of the value of `Content-Encoding`; `None` for what is not known, or several.
    pub(super) fn parse(value: &[u8]) -> Option<Coding> {
        match value.trim_ascii().to_ascii_lowercase().as_slice() {
            b"" | b"identity" => Some(Coding::Plain),
            b"gzip" | b"x-gzip" => Some(Coding::Gzip),
            b"br" => Some(Coding::Brotli),
            b"zstd" => Some(Coding::Zstd),
            _ => None,
        }
    }
}

/// The window that a decoder of Zstandard must have at most, 8 MiB (RFC 9659 section 3).
const ZSTD_WINDOW_LOG: u32 = 23;

impl ResponseBody {
    pub(super) fn new(raw: Box<Raw>, coding: Coding) -> ResponseBody {
        fn decoded(reader: impl AsyncRead + Send + 'static, info: Box<ConnInfo>) -> ResponseBody {
            ResponseBody(Inner::Decoded(Box::pin(ReaderStream::with_capacity(reader, 16 * 1024)), info))
        }
        if coding == Coding::Plain {
            return ResponseBody(Inner::Plain(raw));
        }
        let info = Box::new(raw.info.clone());
        let reader = StreamReader::new(raw.into_data_stream().map_err(io::Error::from));
        match coding {
            Coding::Gzip => {
                let mut decoder = GzipDecoder::new(reader);
                decoder.multiple_members(true);
                decoded(decoder, info)
            }
            Coding::Brotli => {
                let mut decoder = BrotliDecoder::new(reader);
                // So that it reads to the end of what it is given.
                decoder.multiple_members(true);
                decoded(decoder, info)
            }
            Coding::Zstd | Coding::Plain => {
                let mut decoder =
                    ZstdDecoder::with_params(reader, &[DParameter::window_log_max(ZSTD_WINDOW_LOG)]);
                decoder.multiple_members(true);
                decoded(decoder, info)
            }
        }
    }

    pub(super) fn upgraded(upgraded: Upgraded, info: ConnInfo) -> ResponseBody {
        ResponseBody(Inner::Upgraded(Box::new((upgraded, info))))
    }

    /// How the response came, whether or not the body has been read.
    ///
    /// It is not among the response's extensions, where it would cost every response three allocations, whoever looks or not.
    ///
    /// ```no_run
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let response = landline_http::client::Client::new().get("https://example.com/").await?;
    /// if let Some(tls) = &response.body().conn_info().tls {
    ///     println!("{tls}");
    /// }
    /// # Ok(()) }
    /// ```
    pub fn conn_info(&self) -> &ConnInfo {
        match &self.0 {
            Inner::Upgraded(upgraded) => &upgraded.1,
            Inner::Plain(raw) => &raw.info,
            Inner::Decoded(_, info) => info,
        }
    }

    /// The conn of a response with status 101, which speaks what its `Upgrade` header says from now on; what is left of
    /// a body of any other response is given back. The client has nothing more to do with the conn.
    pub fn into_upgraded(self) -> Result<Upgraded, ResponseBody> {
        match self.0 {
            Inner::Upgraded(upgraded) => Ok(upgraded.0),
            body => Err(ResponseBody(body)),
        }
    }

    /// All of it, but no more than so many bytes.
    ///
    /// # Errors
    /// [`ErrorKind::TooLong`] where there is more.
    pub async fn bytes(mut self, most: usize) -> Result<Bytes, Error> {
        let mut all = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            if chunk.len() > most - all.len() {
                return Err(Error::new(ErrorKind::TooLong(most as u64)));
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }

    /// All of it as text, but no more than so many bytes; what is not UTF-8 is replaced.
    pub async fn text(self, most: usize) -> Result<String, Error> {
        Ok(String::from_utf8_lossy(&self.bytes(most).await?).into_owned())
    }

    /// The next piece; `None` at the end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        while let Some(frame) = self.frame().await {
            if let Ok(data) = frame?.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match &mut self.0 {
            Inner::Upgraded(_) => Poll::Ready(None),
            Inner::Plain(raw) => Pin::new(&mut **raw).poll_frame(cx),
            Inner::Decoded(stream, _) => {
                let chunk = ready!(stream.as_mut().poll_next(cx));
                Poll::Ready(chunk.map(|chunk| chunk.map(Frame::data).map_err(undo)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Upgraded(_) => true,
            Inner::Plain(raw) => raw.is_end_stream(),
            Inner::Decoded(..) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Upgraded(_) => SizeHint::with_exact(0),
            Inner::Plain(raw) => raw.size_hint(),
            Inner::Decoded(..) => SizeHint::default(),
        }
    }
}

impl Stream for ResponseBody {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        loop {
            match ready!(self.as_mut().poll_frame(cx)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
            }
        }
    }
}

impl std::fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match &self.0 {
            Inner::Upgraded(_) => "ResponseBody(upgraded)",
            Inner::Plain(_) => "ResponseBody(plain)",
            Inner::Decoded(..) => "ResponseBody(compressed)",
        })
    }
}

/// Our own error, where it went through a decoder.
fn undo(error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => Error::new(ErrorKind::Body(error)),
    }
}

/// A body as it comes over the conn.
pub(super) struct Raw {
    pub(super) info: ConnInfo,
    pub(super) body: Incoming,
    pub(super) held: Held,
    pub(super) progress: Progress,
    pub(super) limits: BodyLimits,
    pub(super) trace: Trace,
    pub(super) received: u64,
    pub(super) state: RawState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RawState {
    Reading,
    /// The body has ended, the conn is not back yet.
    Returning,
    Over,
}

/// What ends a body before its end.
pub(super) struct BodyLimits {
    /// The whole request's context.
    pub(super) ended: Option<Pin<Box<dyn Future<Output = Ended> + Send>>>,
    /// Between two pieces.
    pub(super) between: Option<(Duration, Pin<Box<Sleep>>)>,
}

impl BodyLimits {
    pub(super) fn new(
        ended: Option<Pin<Box<dyn Future<Output = Ended> + Send>>>,
        between: Option<Duration>,
    ) -> BodyLimits {
        BodyLimits { ended, between: between.map(|between| (between, Box::pin(sleep(between)))) }
    }

    fn poll_passed(&mut self, cx: &mut Context<'_>) -> Option<Error> {
        if let Some(ended) = &mut self.ended
            && let Poll::Ready(ended) = ended.as_mut().poll(cx)
        {
            return Some(Error::new(ErrorKind::Ended(ended)));
        }
        if let Some((_, timer)) = &mut self.between
            && timer.as_mut().poll(cx).is_ready()
        {
            return Some(Error::new(ErrorKind::Timeout(Phase::Body)));
        }
        None
    }

    fn moved(&mut self) {
        if let Some((between, timer)) = &mut self.between {
            timer.as_mut().reset(Instant::now() + *between);
        }
    }
}

impl Raw {
    fn fail(&mut self, error: Error) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.state = RawState::Over;
        self.held.release();
        self.trace.failed("body", &error);
        Poll::Ready(Some(Err(error)))
    }
}

impl HttpBody for Raw {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let raw = &mut *self;
        if raw.state == RawState::Reading {
            match Pin::new(&mut raw.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    raw.received += frame.data_ref().map_or(0, |data| data.len() as u64);
                    raw.limits.moved();
                    return Poll::Ready(Some(Ok(frame)));
                }
                Poll::Ready(Some(Err(error))) => return raw.fail(error.into()),
                Poll::Ready(None) => {
                    let received = raw.received;
                    raw.trace.done("body", || format!("{received} bytes"));
                    raw.state = RawState::Returning;
                }
                Poll::Pending => {}
            }
        }
        if raw.state == RawState::Returning && raw.held.poll_give_back(cx, raw.progress.is_sent()).is_ready()
        {
            raw.state = RawState::Over;
        }
        if raw.state == RawState::Over {
            return Poll::Ready(None);
        }
        match raw.limits.poll_passed(cx) {
            // All of it is there, only the conn is slow to come back.
            Some(_) if raw.state == RawState::Returning => {
                raw.state = RawState::Over;
                raw.held.release();
                Poll::Ready(None)
            }
            Some(error) => raw.fail(error),
            None => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.state == RawState::Over
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Raw {
    /// Gives the conn of a response without a body back at once.
    pub(super) async fn settle(&mut self) {
        let received = std::future::poll_fn(|cx| Pin::new(&mut *self).poll_frame(cx)).await;
        debug_assert!(received.is_none(), "nothing comes after the end");
    }
}
