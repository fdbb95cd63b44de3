//! One conn, from its first byte to its last.

use std::error::Error as StdError;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::TokioTimer;
use landline::{Conn, TlsConn};
use tower_service::Service;

use super::body::RequestBody;
use super::counters::Counts;
use super::io::Io;
use super::service::Handler;
use super::settings::Settings;
use super::state::{Busy, Secured, State};
use super::tls::PeerCertificates;
use super::watch::{Watch, Worker};

type BoxError = Box<dyn StdError + Send + Sync>;

/// What every HTTP/2 client says first (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What all conns of a worker are served with.
pub(super) struct Serving<S> {
    pub(super) worker: Rc<Worker>,
    pub(super) settings: Arc<Settings>,
    pub(super) counts: Arc<Counts>,
    pub(super) tls: Option<Arc<rustls::ServerConfig>>,
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
                let accepting = TlsConn::accept(conn, config.clone());
                let accepting = tokio::time::timeout(self.settings.handshake_timeout, accepting);
                let accepted = tokio::select! {
                    accepted = accepting => accepted,
                    // Nothing was asked for yet.
                    () = self.worker.draining.begun() => return,
                };
                match accepted {
                    Ok(Ok(tls)) => {
                        let alpn = tls.alpn_protocol();
                        let certificates = tls.peer_certificates().and_then(PeerCertificates::new);
                        (Conn::from(tls), alpn, Some(Secured { certificates }))
                    }
                    Ok(Err(error)) => return tracing::debug!(target: "landline_http", %error, "TLS"),
                    Err(_) => return self.counts.late.add(1),
                }
            }
        };
        let state = Arc::new(State::new(conn, secured, &self.worker, self.counts.clone()));
        let watch = self.worker.watch(&state, &self.settings);
        let cut = CutOnDrop(&state);
        let spoken = match alpn.as_deref() {
            Some(b"h2") => Spoken::Http2,
            Some(b"http/1.1") => Spoken::Http1,
            _ => Spoken::Unknown,
        };
        let ended = self.clone().speak(&state, spoken).await;
        if let Err(error) = ended {
            let peer = state.peer.as_ref().map(tracing::field::display);
            tracing::debug!(target: "landline_http", peer, error, "conn");
        }
        until_given_back(&state, watch).await;
        drop(cut);
    }

    /// What speaks is boxed, so that a conn that waits for its first byte is small.
    async fn speak(self: Rc<Self>, state: &Arc<State>, spoken: Spoken) -> Result<(), BoxError> {
        let mut ahead = Bytes::new();
        let mut spoken = spoken;
        while spoken == Spoken::Unknown {
            ahead = match hear(state, ahead).await? {
                Some(heard) => heard,
                None => return Ok(()),
            };
            spoken = self::spoken(&ahead);
        }
        if spoken == Spoken::Http2 {
            state.speaks_http2();
            return Box::pin(self.speak_http2(Io::new(state.clone(), ahead))).await;
        }
        loop {
            match Box::pin(self.clone().speak_http1(Io::new(state.clone(), ahead))).await? {
                Spent::Over => return Ok(()),
                Spent::Parked(unread) => ahead = unread,
            }
            if ahead.is_empty() {
                // Without a buffer and a parser, until there is something for them to do.
                ahead = match hear(state, ahead).await? {
                    Some(heard) => heard,
                    None => return Ok(()),
                };
            }
        }
    }

    fn handler(&self, state: &Arc<State>) -> Handler<S> {
        Handler { service: self.service.clone(), state: state.clone(), settings: self.settings.clone() }
    }

    async fn speak_http1(self: Rc<Self>, io: Io) -> Result<Spent, BoxError> {
        let state = io.state.clone();
        let handler = self.handler(&state);
        let mut conn = http1::Builder::new()
            // Of the time it takes the watch knows.
            .header_read_timeout(None::<Duration>)
            .max_buf_size(self.settings.max_head.max(8192))
            .half_close(self.settings.half_close)
            .serve_connection(io, handler);
        let step = drive(&state, |cx, ends| {
            if ends {
                Pin::new(&mut conn).graceful_shutdown();
            }
            match Pin::new(&mut conn).poll(cx) {
                Poll::Ready(ended) => Poll::Ready(ended.map(|()| Step::Over)),
                Poll::Pending if state.wants_upgrade() => Poll::Ready(Ok(Step::Upgrade)),
                Poll::Pending if state.take_parking() => Poll::Ready(Ok(Step::Park)),
                Poll::Pending => Poll::Pending,
            }
        });
        let step = step.await?;
        match step {
            Step::Over => Ok(Spent::Over),
            Step::Park => Ok(Spent::Parked(conn.into_parts().read_buf)),
            Step::Upgrade => {
                let mut conn = pin!(conn.with_upgrades());
                drive(&state, |cx, ends| {
                    if ends {
                        conn.as_mut().graceful_shutdown();
                    }
                    conn.as_mut().poll(cx)
                })
                .await?;
                Ok(Spent::Over)
            }
        }
    }

    async fn speak_http2(self: Rc<Self>, io: Io) -> Result<(), BoxError> {
        let state = io.state.clone();
        let limits = self.settings.http2;
        let mut builder = http2::Builder::new(OnThread(state.clone()));
        if limits.extended_connect {
            builder.enable_connect_protocol();
        }
        let conn = builder
            .max_concurrent_streams(limits.max_streams)
            .max_header_list_size(limits.max_header_list)
            .max_pending_accept_reset_streams(limits.max_resets)
            .max_local_error_reset_streams(limits.max_error_resets)
            .timer(TokioTimer::new())
            .keep_alive_interval(limits.ping_interval)
            .keep_alive_timeout(limits.ping_timeout)
            .serve_connection(io, self.handler(&state));
        let mut conn = pin!(conn);
        drive(&state, |cx, ends| {
            if ends {
                conn.as_mut().graceful_shutdown();
            }
            conn.as_mut().poll(cx)
        })
        .await?;
        Ok(())
    }
}

enum Step {
    Over,
    Park,
    Upgrade,
}

/// What is left of a spell of HTTP/1.1.
enum Spent {
    Over,
    /// The conn has been idle; these bytes of it were read.
    Parked(Bytes),
}

/// Polls a conn to its end; once with `true`, when it is to take no more requests.
async fn drive<T>(state: &State, mut poll: impl FnMut(&mut Context<'_>, bool) -> Poll<T>) -> T {
    let mut told = false;
    poll_fn(|cx| {
        state.drive(cx);
        let ends = state.is_ending() && !told;
        told |= ends;
        poll(cx, ends)
    })
    .await
}

/// More bytes behind `heard`; `None` where none will come: at the end of the stream, or when the conn is to end.
async fn hear(state: &State, heard: Bytes) -> Result<Option<Bytes>, BoxError> {
    let mut reading = pin!(state.conn.read_pooled());
    let read = poll_fn(|cx| {
        state.drive(cx);
        // Whoever was not heard yet loses nothing.
        if state.is_ending() && heard.is_empty() {
            return Poll::Ready(None);
        }
        reading.as_mut().poll(cx).map(Some)
    });
    let Some(bytes) = read.await.transpose()? else { return Ok(None) };
    state.read(bytes.len());
    if bytes.is_empty() {
        return Ok(None);
    }
    if heard.is_empty() {
        return Ok(Some(Bytes::copy_from_slice(&bytes)));
    }
    Ok(Some([&heard, &bytes[..]].concat().into()))
}

/// Waits until nobody else has the conn: a handler that was given it by an upgrade may.
async fn until_given_back(state: &Arc<State>, _watch: Rc<Watch>) {
    state.leaves();
    poll_fn(|cx| {
        state.drive(cx);
        if state.is_taken() { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
}

/// Whoever has the conn still when its place is given up finds it closed.
struct CutOnDrop<'a>(&'a State);

impl Drop for CutOnDrop<'_> {
    fn drop(&mut self) {
        if self.0.is_taken() {
            drop(self.0.conn.close());
        }
    }
}

/// Streams of HTTP/2 run on the worker's own thread, as their conn does. While one does, the conn is not idle: a tunnel
/// (RFC 9113 section 8.5) may outlast its request.
#[derive(Clone)]
struct OnThread(Arc<State>);

impl<F: Future + 'static> hyper::rt::Executor<F> for OnThread {
    fn execute(&self, future: F) {
        let busy = Busy::new(self.0.clone());
        drop(tokio::task::spawn_local(async move {
            drop(future.await);
            drop(busy);
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
