//! One conn, from its first byte to its last.

use std::cell::Cell;
use std::error::Error as StdError;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::TokioTimer;
use landline::Conn;
use tokio::io::{AsyncRead as _, ReadBuf};
use tower_service::Service;

use super::body::RequestBody;
use super::counters::Counts;
use super::direct::{Direct, Left};
use super::exchange::Lives;
use super::io::Io;
use super::linger::{linger, may_send_more};
use super::plain::{self, Accepted, Plain};
use super::service::{Handler, OfHttp1};
use super::settings::Settings;
use super::state::{Secured, State};
use super::stream::OnThread;
use super::tls::PeerCertificates;
use super::watch::Worker;

type BoxError = Box<dyn StdError + Send + Sync>;

/// What every HTTP/2 client says first (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What all conns of a worker are served with.
pub(super) struct Serving<S> {
    pub(super) worker: Rc<Worker>,
    pub(super) settings: Arc<Settings>,
    pub(super) counts: Arc<Counts>,
    pub(super) tls: Option<Arc<rustls::ServerConfig>>,
    pub(super) plain: Plain,
    pub(super) service: S,
}

/// Which protocol a conn speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spoken {
    Http1,
    Http2,
    /// Nothing yet, or the beginning of the preface.
    Unknown,
}

fn spoken(heard: &[u8]) -> Spoken {
    match heard.len().min(PREFACE.len()) {
        len if heard[..len] != PREFACE[..len] => Spoken::Http1,
        len if len == PREFACE.len() => Spoken::Http2,
        _ => Spoken::Unknown,
    }
}

/// The longest beginning of a head that is kept here, in bytes.
const LONGEST_BEGINNING: usize = 4096;
/// As many as hyper allows.
const MOST_HEADERS: usize = 100;

/// Whether this is a part of a head with nothing wrong in it, as the parser that hyper uses sees it.
fn is_beginning(heard: &[u8]) -> bool {
    if heard.is_empty() || heard.len() > LONGEST_BEGINNING || heard.ends_with(b"\r\n\r\n") {
        return false;
    }
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    matches!(httparse::Request::new(&mut headers).parse(heard), Ok(httparse::Status::Partial))
}

impl<S, B> Serving<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>> + Clone + 'static,
    S::Error: Into<BoxError>,
    S::Future: 'static,
    B: Body + 'static,
    B::Data: 'static,
    B::Error: Into<BoxError>,
{
    pub(super) async fn serve(self: Rc<Self>, conn: Conn) {
        let (conn, alpn, secured) = match &self.tls {
            None => (conn, None, None),
            Some(config) => {
                // Boxed, as all the time after it the conn has no use for the room.
                let accepting = Box::pin(plain::accept(conn, config.clone()));
                let accepting = tokio::time::timeout(self.settings.handshake_timeout, accepting);
                let accepted = tokio::select! {
                    accepted = accepting => accepted,
                    // Nothing was asked for yet.
                    () = self.worker.draining.begun() => return,
                };
                match accepted {
                    Ok(Ok(Accepted::Tls(tls))) => {
                        let alpn = tls.alpn_protocol();
                        let certificates = tls.peer_certificates().and_then(PeerCertificates::new);
                        (Conn::from(tls), alpn, Some(Secured { certificates }))
                    }
                    Ok(Ok(Accepted::Plain(conn, answer))) => {
                        return self.plain.refuse(conn, answer, self.settings.linger_timeout).await;
                    }
                    Ok(Ok(Accepted::Neither)) => return,
                    Ok(Err(error)) => return tracing::debug!(target: "landline_http", %error, "TLS"),
                    Err(_) => return self.counts.late.add(1),
                }
            }
        };
        let conn = Arc::new(conn);
        let state = State::new(&conn, secured, &self.worker, self.counts.clone(), &self.settings);
        let state = Arc::new(state);
        let _watch = self.worker.watch(&state, &self.settings);
        let mut lease = Lease::new(&state);
        let spoken = match alpn.as_deref() {
            Some(b"h2") => Spoken::Http2,
            Some(b"http/1.1") => Spoken::Http1,
            _ => Spoken::Unknown,
        };
        let ended = self.clone().speak(&state, &conn, spoken).await;
        if let Err(error) = &ended {
            let peer = state.peer.as_ref().map(tracing::field::display);
            tracing::debug!(target: "landline_http", peer, error, "conn");
        }
        if state.is_taken() {
            lease.bind(&conn);
            drop(conn);
            lease.until_given_back().await;
        } else if !self.settings.linger_timeout.is_zero() && may_send_more(&state, &conn, &ended) {
            state.leaves();
            Box::pin(linger(&conn, self.settings.linger_timeout)).await;
        }
    }

    /// What speaks is boxed, so that a conn that waits for its first byte is small.
    async fn speak(
        self: Rc<Self>,
        state: &Arc<State>,
        conn: &Arc<Conn>,
        spoken: Spoken,
    ) -> Result<(), BoxError> {
        let io = |ahead| Io::new(state.clone(), conn.clone(), ahead);
        let mut ahead = Bytes::new();
        let mut spoken = spoken;
        while spoken == Spoken::Unknown {
            ahead = match hear(state, conn, ahead).await? {
                Some(heard) => heard,
                None => return Ok(()),
            };
            spoken = self::spoken(&ahead);
        }
        if spoken == Spoken::Http2 {
            state.speaks_http2();
            return Box::pin(self.speak_http2(state, io(ahead))).await;
        }
        loop {
            // A head that comes bit by bit is waited for without hyper, which takes 8 KiB at once.
            while is_beginning(&ahead) {
                ahead = match hear(state, conn, ahead).await? {
                    Some(heard) => heard,
                    None => return Ok(()),
                };
            }
            let handler = Rc::new(self.handler(state, None));
            let left = match state.is_socket {
                true => Box::pin(Direct::new(&handler, &self.worker, conn).run(ahead)).await?,
                false => Left::Heard(ahead),
            };
            ahead = match left {
                Left::Over => return Ok(()),
                Left::Parked => Bytes::new(),
                Left::Heard(heard) if is_beginning(&heard) => {
                    ahead = heard;
                    continue;
                }
                Left::Heard(heard) => {
                    match Box::pin(self.clone().speak_http1(state, conn, io(heard), handler)).await? {
                        Spent::Over => return Ok(()),
                        Spent::Parked(unread) => unread,
                    }
                }
            };
            state.has_rested();
            if ahead.is_empty() {
                // Without a buffer and a parser, until there is something for them to do.
                ahead = match hear(state, conn, ahead).await? {
                    Some(heard) => heard,
                    None => return Ok(()),
                };
            } else {
                state.heads_since_idle();
            }
            state.speaks_again();
        }
    }

    fn handler(&self, state: &Arc<State>, streams: Option<OnThread>) -> Handler<S, B> {
        let (service, settings) = (self.service.clone(), self.settings.clone());
        let (state, lives, begun) = (state.clone(), Lives::new(state.clone()), Cell::new(None));
        Handler { service, state, lives, settings, streams, begun }
    }

    async fn speak_http1(
        self: Rc<Self>,
        state: &Arc<State>,
        connected: &Conn,
        io: Io,
        handler: Rc<Handler<S, B>>,
    ) -> Result<Spent, BoxError> {
        let mut conn = http1::Builder::new()
            // Of the time it takes the watch knows.
            .header_read_timeout(None::<Duration>)
            .max_buf_size(self.settings.max_head.max(8192))
            // Whether the peer has left is looked for here, where an answer takes time: hyper would do so before it has asked
            // the handler, and into a buffer of its own, as the request is still in the last.
            .half_close(true)
            .serve_connection(io, OfHttp1(handler))
            .with_upgrades();
        let step = drive(state, |cx, ends| {
            if ends {
                Pin::new(&mut conn).graceful_shutdown();
            }
            state.listens(false);
            match Pin::new(&mut conn).poll(cx) {
                Poll::Ready(ended) => Poll::Ready(Ok(ended.map(|()| Step::Over)?)),
                Poll::Pending if state.take_parking() => Poll::Ready(Ok(Step::Park)),
                Poll::Pending if self.settings.half_close => Poll::Pending,
                Poll::Pending => poll_left(state, connected, cx).map(Err),
            }
        });
        let step = step.await?;
        // There is nothing of an upgraded conn.
        let unread = conn.into_parts().map_or(Bytes::new(), |parts| match state.early.take() {
            None => without_empty_lines(&parts.read_buf),
            Some(early) => without_empty_lines(&[&parts.read_buf[..], &early[..]].concat()),
        });
        match step {
            Step::Park => return Ok(Spent::Parked(unread)),
            // A request that has no answer, and may have more behind it.
            Step::Over if !unread.is_empty() => state.leaves_unread(),
            Step::Over => {}
        }
        Ok(Spent::Over)
    }

    async fn speak_http2(self: Rc<Self>, state: &Arc<State>, io: Io) -> Result<(), BoxError> {
        let (limits, streams) = (self.settings.http2, OnThread::new(state.clone()));
        let mut builder = http2::Builder::new(streams.clone());
        if limits.extended_connect {
            builder.enable_connect_protocol();
        }
        let conn = builder
            .max_concurrent_streams(limits.max_streams)
            .max_header_list_size(limits.max_header_list)
            .max_pending_accept_reset_streams(limits.max_resets)
            .max_local_error_reset_streams(limits.max_error_resets)
            .max_send_buf_size(self.settings.write_buffer.clamp(1, 1 << 30))
            .timer(TokioTimer::new())
            .keep_alive_interval(limits.ping_interval)
            .keep_alive_timeout(limits.ping_timeout)
            .serve_connection(io, self.handler(state, Some(streams)));
        let mut conn = pin!(conn);
        drive(state, |cx, ends| {
            if ends {
                conn.as_mut().graceful_shutdown();
            }
            conn.as_mut().poll(cx).map_err(Into::into)
        })
        .await
    }
}

enum Step {
    Over,
    Park,
}

/// What is left of a spell of HTTP/1.1.
enum Spent {
    Over,
    /// The conn has been idle; these bytes of it were read.
    Parked(Bytes),
}

/// Of those before a request is nothing to be made (RFC 9112 section 2.2). A copy, so that nothing of the buffer is kept in
/// which it lies, and which may be empty.
fn without_empty_lines(bytes: &[u8]) -> Bytes {
    let is_text = |byte: &u8| !b"\r\n".contains(byte);
    let begin = bytes.iter().position(is_text).unwrap_or(bytes.len());
    Bytes::copy_from_slice(&bytes[begin..])
}

/// Polls a conn to its end; once with `true`, when it is to take no more requests.
pub(super) async fn drive<T>(
    state: &State,
    mut poll: impl FnMut(&mut Context<'_>, bool) -> Poll<Result<T, BoxError>>,
) -> Result<T, BoxError> {
    let (mut told, mut driver) = (false, None);
    poll_fn(|cx| {
        state.drive(cx, &mut driver);
        if state.is_cut() {
            return Poll::Ready(Err(CUT.into()));
        }
        let ends = state.is_ending() && !told;
        told |= ends;
        poll(cx, ends)
    })
    .await
}

/// How much is heard of a peer that speaks while it is being answered, in bytes, before hyper asks for it.
const EARLY: usize = 512;

/// Ready, with why, when the peer has left while it is being answered. What it says meanwhile is kept for hyper, which does not
/// listen then.
fn poll_left(state: &State, conn: &Conn, cx: &mut Context<'_>) -> Poll<BoxError> {
    while state.only_answers() && !state.is_listening() && !state.early.is_there() {
        let mut room = [0; EARLY];
        let mut buffer = ReadBuf::new(&mut room);
        match ready!(Pin::new(&mut &*conn).poll_read(cx, &mut buffer)) {
            Ok(()) if buffer.filled().is_empty() => return Poll::Ready(LEFT.into()),
            Ok(()) => {
                state.read(buffer.filled().len());
                state.early.keep(Bytes::copy_from_slice(buffer.filled()));
            }
            Err(error) => return Poll::Ready(error.into()),
        }
    }
    Poll::Pending
}

/// Why a conn ended whose peer did not wait for its answer.
const LEFT: &str = "the peer has left before it was answered";

/// Why a conn ended that the watch has ended.
const CUT: &str = "it took too long";

/// More bytes behind `heard`; `None` where none will come: at the end of the stream, or when the conn is to end.
async fn hear(state: &State, conn: &Conn, heard: Bytes) -> Result<Option<Bytes>, BoxError> {
    let mut reading = pin!(conn.read_pooled());
    let mut driver = None;
    let read = poll_fn(|cx| {
        state.drive(cx, &mut driver);
        if state.is_cut() {
            return Poll::Ready(Err(CUT.into()));
        }
        match reading.as_mut().poll(cx) {
            // Whoever was not heard yet loses nothing.
            Poll::Pending if state.is_ending() && heard.is_empty() => Poll::Ready(Ok(None)),
            read => read.map(|read| Ok(Some(read?))),
        }
    });
    let read: Result<_, BoxError> = read.await;
    let Some(bytes) = read? else { return Ok(None) };
    state.read(bytes.len());
    if bytes.is_empty() {
        return Ok(None);
    }
    if heard.is_empty() {
        return Ok(Some(Bytes::copy_from_slice(&bytes)));
    }
    Ok(Some([&heard, &bytes[..]].concat().into()))
}

/// A conn's stay with the server. Whoever has it still when its place is given up finds that it has ended.
struct Lease<'a> {
    state: &'a State,
    /// What the conn is bound to once it has left HTTP.
    context: Option<landline::Context>,
}

impl Lease<'_> {
    fn new(state: &State) -> Lease<'_> {
        Lease { state, context: None }
    }

    /// Of a conn that somebody else has.
    fn bind(&mut self, conn: &Conn) {
        let context = landline::Context::background().with_cause("the server has ended");
        conn.bind_context(&context);
        self.context = Some(context);
    }

    /// Waits until nobody else has the conn.
    async fn until_given_back(&self) {
        self.state.leaves();
        let mut driver = None;
        poll_fn(|cx| {
            self.state.drive(cx, &mut driver);
            if self.state.is_taken() { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if let Some(context) = &self.context
            && self.state.is_taken()
        {
            context.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_beginning_of_a_head_and_what_is_more_or_none() {
        for beginning in ["G", "GET / HT", "GET / HTTP/1.1\r\nHost: a\r\n", "\r\nGET /"] {
            assert!(is_beginning(beginning.as_bytes()), "{beginning:?}");
        }
        let long = format!("GET /{}", "a".repeat(LONGEST_BEGINNING));
        let whole = "GET / HTTP/1.1\r\n\r\n";
        let more = format!("{whole}GET");
        for other in
            ["", whole, &more, &long, "GET / HTTP/3\r\n", "\u{16}\u{3}\u{1}", "GET / HTTP/1.1\r\na b: c\r\n"]
        {
            assert!(!is_beginning(other.as_bytes()), "{other:?}");
        }
    }

    #[test]
    fn only_empty_lines_are_passed_over() {
        for (bytes, rest) in [("", ""), ("\r\n", ""), ("\n\r\nGET", "GET"), ("GET \r\n", "GET \r\n")] {
            assert_eq!(without_empty_lines(bytes.as_bytes()), rest, "{bytes:?}");
        }
    }

    #[test]
    fn the_preface_is_told_from_everything_else() {
        assert_eq!(spoken(b""), Spoken::Unknown);
        assert_eq!(spoken(&PREFACE[..7]), Spoken::Unknown);
        assert_eq!(spoken(PREFACE), Spoken::Http2);
        assert_eq!(spoken(&[PREFACE, b"more"].concat()), Spoken::Http2);
        for other in [&b"G"[..], b"PRI /", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\rX", b"\x16\x03\x01"] {
            assert_eq!(spoken(other), Spoken::Http1, "{other:?}");
        }
    }
}
