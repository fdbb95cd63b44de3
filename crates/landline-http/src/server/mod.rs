//! A server: landline keeps, limits, watches and drains the conns, hyper speaks HTTP/1.1 and HTTP/2 over them.

mod body;
mod caller;
mod conn;
mod counters;
mod direct;
pub mod events;
mod exchange;
mod handle;
mod io;
mod linger;
mod plain;
mod portion;
mod refuse;
mod send_file;
mod service;
mod settings;
mod state;
mod stream;
mod tls;
mod upgrade;
mod watch;

use std::error::Error as StdError;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use landline::ToNetwork;
use landline::serve::Bound;
use rustls::ServerConfig;
use tower_service::Service;

pub use body::{RequestBody, TooLong};
#[cfg(any(test, fuzzing))]
pub(crate) use direct::fuzzing::head as fuzz_head;

pub use caller::Caller;
pub use counters::Counters;
pub use exchange::Outcome;
pub use handle::{Handle, PathValues, Router, Sound, handle};
pub use tls::{PeerCertificates, Tls};
pub use upgrade::{Place, Upgraded};

use counters::Counts;
use settings::Settings;
use watch::Worker;

/// Serves HTTP on every core: HTTP/1.1 and HTTP/2 on one port, told apart by TLS (ALPN) or by the first bytes.
///
/// A handler is any `tower` service from a [`Request`] to a [`Response`], such as an axum `Router` or a [`Router`] of this
/// crate, or an async function ([`handle`]). It is cloned for each worker and each request, and its futures stay on their
/// worker, so they need not be `Send`. Where it panics the answer is 500.
///
/// The defaults are safe for a port that anybody can reach; each limit has a setter, which says it. Beside them are those
/// of [`landline::Server`], which [`Server::transport`] takes: conns in total and for each peer, accept rate, drain, hot
/// restart. What breaks the framing of HTTP/1.1 is answered with 400, or the conn closed, and has no handler. What RFC 9113
/// calls an error ends the stream or the conn of HTTP/2; where it has a code of its own for it, that may be
/// `PROTOCOL_ERROR` instead. Two such errors are let pass: a first frame that is not SETTINGS, and pseudo-headers among
/// trailers, which handlers do not see.
///
/// A response's head carries `Date`. Whoever listens to `tracing` for the target `landline_http::access` at `INFO` hears of
/// every request; [`Serving::http_counters`] count them.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// use http::Response;
/// use landline_http::Body;
/// use landline_http::client::Client;
/// use landline_http::server::{Server, handle};
///
/// let hello = handle(async |_| Response::new(Body::from("hello\n")));
/// let serving = Server::new().serve("tcp", "127.0.0.1:0", hello).await?;
///
/// let response = Client::new().get(&format!("http://{}/", serving.local_addr())).await?;
/// assert_eq!(response.into_body().text(1024).await?, "hello\n");
/// serving.shutdown(Duration::from_secs(5)).await;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Server {
    transport: landline::Server,
    settings: Settings,
    tls: Option<Arc<ServerConfig>>,
}

/// The handle of a server that runs; dropped, it ends without a drain. All that [`landline::serve::Serving`] can, and
/// counters of requests.
#[derive(Debug)]
pub struct Serving {
    serving: landline::serve::Serving,
    counts: Arc<Mutex<Vec<Arc<Counts>>>>,
}

impl std::ops::Deref for Serving {
    type Target = landline::serve::Serving;

    fn deref(&self) -> &landline::serve::Serving {
        &self.serving
    }
}

impl Serving {
    /// What was done up to now, by all workers.
    pub fn http_counters(&self) -> Counters {
        let mut all = Counters::default();
        for counts in self.counts.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            counts.add_to(&mut all);
        }
        all
    }
}

impl Server {
    /// The defaults, which each setter names.
    pub fn new() -> Server {
        Server::default()
    }

    /// The server of conns below: how many workers, how many conns, where it listens and how it restarts.
    #[must_use]
    pub fn transport(mut self, transport: landline::Server) -> Server {
        self.transport = transport;
        self
    }

    /// Speaks TLS; see [`Tls`] for certificates from files. Without ALPN in it the first bytes tell the protocol.
    ///
    /// Whoever speaks HTTP without TLS is answered with 400, and a line that says so, as Go does; and the operator is told by a
    /// warning, at most once a minute for each worker.
    #[must_use]
    pub fn tls(mut self, config: impl Into<Arc<ServerConfig>>) -> Server {
        self.tls = Some(config.into());
        self
    }

    /// How long a client may take for the head of a request, from its first byte; for the first, from the conn's
    /// beginning. 10 s by default. Then the conn is closed. Times are looked at twice a second, so up to 1 s more.
    #[must_use]
    pub fn head_timeout(mut self, timeout: Duration) -> Server {
        self.settings.head_timeout = timeout;
        self
    }

    /// How long a conn may be kept without a request; 2 min by default.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Server {
        self.settings.idle_timeout = timeout;
        self
    }

    /// How long a client may send nothing while a handler waits for a body; 30 s by default. Then the conn is cut. In HTTP/2
    /// whatever the client sends counts, for any of its requests.
    #[must_use]
    pub fn body_timeout(mut self, timeout: Duration) -> Server {
        self.settings.body_timeout = timeout;
        self
    }

    /// How long a client may take nothing of a response; 30 s by default. Then the conn is cut.
    ///
    /// In HTTP/2 a client may take all there is, and open no window for more of a response (RFC 9113 section 5.2). Its stream is
    /// reset then with `CANCEL`, and the others go on; only where the last 16 KiB of it, or less, are all that is left, the
    /// conn is cut. Times in which the conn itself took no more do not count, as then all its streams wait for each other.
    #[must_use]
    pub fn write_timeout(mut self, timeout: Duration) -> Server {
        self.settings.write_timeout = timeout;
        self
    }

    /// How long a TLS handshake may take; 10 s by default.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Server {
        self.settings.handshake_timeout = timeout;
        self
    }

    /// How long a client that is still sending, a body that is refused or not read, is heard and ignored when it has its
    /// answer and the conn ends; 30 s by default, of which it may be silent for 5 s, and up to 256 MiB. A conn closed before
    /// would be reset by what still comes, and the client might lose the answer for it (RFC 9112 section 9.6). With zero it is
    /// closed at once.
    ///
    /// A drain waits for this, too: for up to 5 s where a client says nothing and does not close either. A conn of HTTP/2 is
    /// treated so only where a body was refused or given up within the last 5 s before its end: what came of an earlier one was
    /// passed over meanwhile.
    #[must_use]
    pub fn linger_timeout(mut self, timeout: Duration) -> Server {
        self.settings.linger_timeout = timeout;
        self
    }

    /// How much of a response is kept for a client that is slow to take it, in bytes, beside what the kernel has; 256 KiB by
    /// default. With as much the body is not asked for more, so it may become more by one frame of the body's. In HTTP/2 it is
    /// for each request.
    #[must_use]
    pub fn write_buffer(mut self, bytes: usize) -> Server {
        self.settings.write_buffer = bytes;
        self
    }

    /// The longest head of a request in HTTP/1.1, in bytes; 1 MiB by default, and never less than 8 KiB. A longer one is
    /// answered with 431, though up to twice as much may pass where it comes in one piece, as a buffer doubles to take it.
    #[must_use]
    pub fn max_head(mut self, bytes: usize) -> Server {
        self.settings.max_head = bytes;
        self
    }

    /// The longest body of a request, in bytes; 1 GiB by default. One announced as longer is answered with 413; one that
    /// turns out to be longer fails with [`TooLong`].
    #[must_use]
    pub fn max_body(mut self, bytes: u64) -> Server {
        self.settings.max_body = bytes;
        self
    }

    /// How many requests one conn may carry; no limit by default.
    ///
    /// With the last the client is told that there will be no more. In HTTP/2 it may have sent others by then, and may go on:
    /// these have no handler, and their streams are reset with `REFUSED_STREAM`, so that they may be asked elsewhere (RFC 9113
    /// section 8.7). With more of them than [`Server::max_streams`] the conn is cut.
    #[must_use]
    pub fn max_requests_per_conn(mut self, requests: u32) -> Server {
        self.settings.max_requests = requests;
        self
    }

    /// Whether a client of HTTP/1.1 that has shut down its side after a request is still answered. Off by default: that it
    /// has left is noticed at once then, and its handler dropped, which else goes on until it has something to write.
    #[must_use]
    pub fn half_close(mut self, on: bool) -> Server {
        self.settings.half_close = on;
        self
    }

    /// How many requests of one conn may be under way in HTTP/2; 200 by default.
    #[must_use]
    pub fn max_streams(mut self, streams: u32) -> Server {
        self.settings.http2.max_streams = streams;
        self
    }

    /// The longest list of header fields in HTTP/2, in bytes as RFC 9113 section 6.5.2 counts; 64 KiB by default.
    #[must_use]
    pub fn max_header_list(mut self, bytes: u32) -> Server {
        self.settings.http2.max_header_list = bytes;
        self
    }

    /// How many streams a client may have reset before a handler saw them, until others are served; 20 by default. More is
    /// an attack (CVE-2023-44487), and ends the conn with `ENHANCE_YOUR_CALM`.
    #[must_use]
    pub fn max_pending_resets(mut self, resets: usize) -> Server {
        self.settings.http2.max_resets = resets;
        self
    }

    /// How many streams of one conn the server may reset because the client broke the rules; 1024 by default. More is an
    /// attack (CVE-2025-8671), and ends the conn with `ENHANCE_YOUR_CALM`.
    #[must_use]
    pub fn max_error_resets(mut self, resets: usize) -> Server {
        self.settings.http2.max_error_resets = resets;
        self
    }

    /// How often a PING asks in HTTP/2 whether the client is still there (RFC 9113 section 6.7), while it says nothing by
    /// itself; every 30 s by default, and `None` never. See [`Server::ping_timeout`].
    #[must_use]
    pub fn ping_interval(mut self, interval: impl Into<Option<Duration>>) -> Server {
        self.settings.http2.ping_interval = interval.into();
        self
    }

    /// How long the answer to a PING may take; 20 s by default. Then the conn ends, and with it whatever is under way.
    #[must_use]
    pub fn ping_timeout(mut self, timeout: Duration) -> Server {
        self.settings.http2.ping_timeout = timeout;
        self
    }

    /// Whether clients of HTTP/2 may use extended CONNECT, with which WebSockets open (RFC 8441); off by default. Such a
    /// request is a `CONNECT` with a scheme, a path and, among its extensions, the `hyper::ext::Protocol` that it is for. A
    /// handler agrees with a 200, and takes the stream by [`Upgraded::of`], in a task of its own; any other answer refuses.
    ///
    /// The conn goes on for as long as the stream does. How long a tunnel may be silent is the handler's matter.
    ///
    /// ```
    /// # use http::{Request, Response, StatusCode};
    /// # use landline_http::Body;
    /// # use landline_http::server::{RequestBody, Upgraded};
    /// async fn echo(mut request: Request<RequestBody>) -> Response<Body> {
    ///     let protocol = request.extensions().get::<hyper::ext::Protocol>();
    ///     let mut response = Response::new(Body::empty());
    ///     if protocol.is_none_or(|protocol| protocol.as_str() != "echo") {
    ///         *response.status_mut() = StatusCode::NOT_IMPLEMENTED;
    ///         return response;
    ///     }
    ///     let upgraded = Upgraded::of(&mut request);
    ///     tokio::spawn(async move {
    ///         let (mut reader, mut writer) = tokio::io::split(upgraded.await?);
    ///         tokio::io::copy(&mut reader, &mut writer).await
    ///     });
    ///     response
    /// }
    /// ```
    #[must_use]
    pub fn extended_connect(mut self, on: bool) -> Server {
        self.settings.http2.extended_connect = on;
        self
    }

    /// Listens and serves, on threads of its own, until the [`Serving`] ends or is dropped. Networks and addresses are
    /// those of [`landline::ListenConfig::listen`].
    ///
    /// # Errors
    /// If it cannot listen, or a worker cannot be started.
    pub async fn serve<S, B>(
        &self,
        network: impl ToNetwork,
        address: &str,
        service: S,
    ) -> landline::Result<Serving>
    where
        S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<Box<dyn StdError + Send + Sync>>,
        S::Future: 'static,
        B: Body + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        self.serve_bound(self.transport.bind(network, address).await?, service).await
    }

    /// Serves what listens already; see [`landline::Server::bind`] and [`landline::Server::bind_listeners`].
    ///
    /// # Errors
    /// If a worker cannot be started.
    pub async fn serve_bound<S, B>(&self, bound: Bound, service: S) -> landline::Result<Serving>
    where
        S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<Box<dyn StdError + Send + Sync>>,
        S::Future: 'static,
        B: Body + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let (settings, tls) = (Arc::new(self.settings), self.tls.clone());
        let all: Arc<Mutex<Vec<Arc<Counts>>>> = Arc::default();
        let counts = all.clone();
        // Only cloned, by each worker once; so it need not be `Sync`.
        let service = Mutex::new(service);
        let serving = bound
            .serve_with(move |worker| {
                let own = Arc::new(Counts::default());
                counts.lock().unwrap_or_else(PoisonError::into_inner).push(own.clone());
                let serving = Rc::new(conn::Serving {
                    worker: Rc::new(Worker::new(worker.draining())),
                    settings: settings.clone(),
                    counts: own,
                    tls: tls.clone(),
                    plain: plain::Plain::default(),
                    service: service.lock().unwrap_or_else(PoisonError::into_inner).clone(),
                });
                move |conn| serving.clone().serve(conn)
            })
            .await?;
        Ok(Serving { serving, counts: all })
    }
}
