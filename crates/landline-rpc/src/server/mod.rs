//! The server: services, and the conns they are called on.

mod calls;
mod debug;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod http;
mod method;
mod registry;
mod session;

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use landline::{Serving, ToNetwork};
use landline_gob::Encode;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio_util::sync::PollSemaphore;

use crate::codec::{Codec, Wire};
use crate::error::Error;
use crate::handshake::HANDSHAKE;
use http::Opening;
use method::Entry;
pub use registry::RegisterError;
use registry::Registry;
use session::{Broken, Drain, Session};

/// A server: methods by name, limits, and how to serve. Cheap to clone; a clone that is changed is another server.
///
/// Methods are async functions from their arguments to a reply or an error. What derives serde's traits can be either.
/// The error's text is what the client is told.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use landline_rpc::{Client, Error, Server};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// #[serde(rename_all = "PascalCase")]
/// struct Args {
///     a: i64,
///     b: i64,
/// }
///
/// let server = Server::new()
///     .register("Arith.Multiply", |args: Args| async move { Ok::<_, Error>(args.a * args.b) })?
///     .register("Arith.Divide", |args: Args| async move {
///         args.a.checked_div(args.b).ok_or("divide by zero")
///     })?;
/// let serving = server.serve("tcp", "127.0.0.1:0").await?;
///
/// let client = Client::dial("tcp", &serving.local_addr().to_string()).await?;
/// let product: i64 = client.call("Arith.Multiply", &Args { a: 6, b: 7 }).await?;
/// assert_eq!(product, 42);
/// let error = client.call::<_, i64>("Arith.Divide", &Args { a: 6, b: 0 }).await.unwrap_err();
/// assert_eq!(error.to_string(), "divide by zero");
/// # Ok(()) }
/// ```
///
/// # How calls are made
/// All calls of a conn run in the task of that conn, side by side, and are answered as they get done, in any order. A
/// handler that does not wait for anything costs no task and no wakeup. One that computes for long holds up its conn, and
/// every other conn on its thread; such work belongs into `tokio::task::spawn_blocking`. One that panics is answered with
/// an error, and nothing else happens (unless the program aborts on panic). When a conn breaks, the handlers of its calls
/// are dropped; when the client only ends its side, they go on and are answered.
///
/// # Limits
/// | limit | default | at the limit |
/// |---|---|---|
/// | [`max_message`](Server::max_message) | 64 MiB | the conn is closed |
/// | [`max_calls_per_conn`](Server::max_calls_per_conn) | 10,000 | no more is read from the conn until a call has ended |
/// | [`max_calls`](Server::max_calls) | none | the same, for all conns |
/// | [`max_unsent`](Server::max_unsent) | 256 KiB | the same, until the client has taken its replies |
///
/// So a client that stops reading holds up its own calls and nothing else: once they are answered there is nothing left of
/// it but its replies, at most one for each of its calls. Limits on conns and on silence are those of
/// [`landline::Server`]; see [`serve_with`](Server::serve_with).
pub struct Server<C: Codec = Wire> {
    codec: C,
    registry: Arc<Registry<C::Server>>,
    limits: Limits,
    gate: Option<Arc<Semaphore>>,
    http: bool,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    message: usize,
    calls_per_conn: usize,
    unsent: usize,
}

/// The longest message, in bytes, unless something else is asked for.
pub(crate) const MESSAGE: usize = 64 << 20;

/// How long a conn that has been served is kept for the client to take what was sent.
const LINGER: Duration = Duration::from_secs(1);

impl Server {
    /// A server without methods, that speaks gob as Go's `net/rpc` does.
    pub fn new() -> Server {
        Server::with_codec(Wire::Gob)
    }
}

impl Default for Server {
    fn default() -> Server {
        Server::new()
    }
}

impl<C: Codec> Clone for Server<C> {
    fn clone(&self) -> Server<C> {
        Server {
            codec: self.codec.clone(),
            registry: self.registry.clone(),
            limits: self.limits,
            gate: self.gate.clone(),
            http: self.http,
        }
    }
}

impl<C: Codec> fmt::Debug for Server<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let methods = self.registry.by_service();
        let names = methods.values().flat_map(|methods| methods.values().map(|entry| &entry.name));
        f.debug_struct("Server").field("methods", &names.collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

impl<C: Codec> Server<C> {
    /// A server without methods, that speaks `codec`.
    pub fn with_codec(codec: C) -> Server<C> {
        let limits = Limits { message: MESSAGE, calls_per_conn: 10_000, unsent: 256 << 10 };
        Server { codec, registry: Arc::default(), limits, gate: None, http: false }
    }

    /// The same methods and limits, spoken to by another codec of the same kind: `server.codec(Wire::Json)`.
    #[must_use]
    pub fn codec(mut self, codec: C) -> Server<C> {
        self.codec = codec;
        self
    }

    /// Registers a method under its whole name, `Service.Method`.
    ///
    /// # Errors
    /// When the name is not of that form, or is registered already.
    pub fn register<A, R, E, H, F>(mut self, name: &str, handler: H) -> Result<Server<C>, RegisterError>
    where
        A: DeserializeOwned + Send + 'static,
        R: Encode + Send + 'static,
        E: fmt::Display + 'static,
        H: Fn(A) -> F + Send + Sync + 'static,
        F: Future<Output = Result<R, E>> + Send + 'static,
    {
        Arc::make_mut(&mut self.registry).insert(Entry::new(name, handler))?;
        Ok(self)
    }

    /// Registers a method of a service that has state, which each call gets a share of.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU64, Ordering};
    /// use std::sync::Arc;
    /// use landline_rpc::{Error, Server};
    ///
    /// #[derive(Default)]
    /// struct Counter(AtomicU64);
    ///
    /// impl Counter {
    ///     async fn add(self: Arc<Self>, count: u64) -> Result<u64, Error> {
    ///         Ok(self.0.fetch_add(count, Ordering::Relaxed) + count)
    ///     }
    ///
    ///     async fn reset(self: Arc<Self>, _: ()) -> Result<(), Error> {
    ///         self.0.store(0, Ordering::Relaxed);
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let counter = Arc::new(Counter::default());
    /// let server = Server::new()
    ///     .register_on(&counter, "Counter.Add", Counter::add)?
    ///     .register_on(&counter, "Counter.Reset", Counter::reset)?;
    /// # drop(server);
    /// # Ok::<(), landline_rpc::RegisterError>(())
    /// ```
    ///
    /// # Errors
    /// As [`register`](Server::register).
    pub fn register_on<S, A, R, E, H, F>(
        self,
        service: &Arc<S>,
        name: &str,
        handler: H,
    ) -> Result<Server<C>, RegisterError>
    where
        S: Send + Sync + 'static,
        A: DeserializeOwned + Send + 'static,
        R: Encode + Send + 'static,
        E: fmt::Display + 'static,
        H: Fn(Arc<S>, A) -> F + Send + Sync + 'static,
        F: Future<Output = Result<R, E>> + Send + 'static,
    {
        let service = service.clone();
        self.register(name, move |args| handler(service.clone(), args))
    }

    /// The longest message in bytes, of requests and of replies. A longer request ends its conn; instead of a longer
    /// reply, an error is sent.
    #[must_use]
    pub fn max_message(mut self, bytes: usize) -> Server<C> {
        self.limits.message = bytes;
        self
    }

    /// How many calls of one conn may go on at once; at least one.
    ///
    /// Methods that wait for a later call on the same conn need that one to begin too.
    #[must_use]
    pub fn max_calls_per_conn(mut self, calls: usize) -> Server<C> {
        self.limits.calls_per_conn = calls.max(1);
        self
    }

    /// How many calls of all conns together may go on at once; at least one. It holds for this server and its clones.
    #[must_use]
    pub fn max_calls(mut self, calls: usize) -> Server<C> {
        self.gate = Some(Arc::new(Semaphore::new(calls.clamp(1, Semaphore::MAX_PERMITS))));
        self
    }

    /// How many bytes of replies may wait for a client to take them before no more of its calls are begun.
    #[must_use]
    pub fn max_unsent(mut self, bytes: usize) -> Server<C> {
        self.limits.unsent = bytes;
        self
    }

    /// Whether clients may come by HTTP too: with `CONNECT /_goRPC_`, as Go's `rpc.DialHTTP` does, after which the conn
    /// is like any other. `GET /debug/rpc` then shows what can be called and how often it was. Off by default.
    ///
    /// Clients that do not speak HTTP are served as before: the two can be told apart by their first bytes.
    #[must_use]
    pub fn http(mut self, http: bool) -> Server<C> {
        self.http = http;
        self
    }

    /// Listens and serves on every core, with the defaults of [`landline::Server`]. The server ends with the
    /// [`Serving`], whose [`shutdown`](Serving::shutdown) drains it: every call that has come is answered, and then the
    /// conns are closed.
    ///
    /// # Errors
    /// If it cannot listen, or a worker cannot be started.
    pub async fn serve(&self, network: impl ToNetwork, address: &str) -> landline::Result<Serving> {
        self.serve_with(&landline::Server::new(), network, address).await
    }

    /// [`serve`](Server::serve) on a number of cores, within limits and with timeouts as `transport` has them.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let transport = landline::Server::new().workers(1).max_conns(100);
    /// let server = landline_rpc::Server::new();
    /// let serving = server.serve_with(&transport, "tcp", "127.0.0.1:0").await?;
    /// # drop(serving);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`serve`](Server::serve).
    pub async fn serve_with(
        &self,
        transport: &landline::Server,
        network: impl ToNetwork,
        address: &str,
    ) -> landline::Result<Serving> {
        self.serve_bound(transport.bind(network, address).await?).await
    }

    /// [`serve`](Server::serve) on what listens already.
    ///
    /// # Errors
    /// If a worker cannot be started.
    pub async fn serve_bound(&self, bound: landline::serve::Bound) -> landline::Result<Serving> {
        let server = self.clone();
        bound
            .serve_with(move |worker| {
                let (server, draining) = (server.clone(), worker.draining());
                move |conn| {
                    let (server, draining) = (server.clone(), draining.clone());
                    let drain = Box::pin(async move { draining.begun().await });
                    // What went wrong with one conn concerns nobody but its client, who has been told or is gone.
                    async move { drop(server.run(conn, Some(drain)).await) }
                }
            })
            .await
    }

    /// Serves one conn, a stream of any kind, until its client ends it, and closes it.
    ///
    /// Dropping the future closes the conn, and drops the handlers of its calls.
    ///
    /// # Errors
    /// When the conn breaks, or what comes is not what the codec understands.
    pub async fn serve_conn(&self, conn: impl AsyncRead + AsyncWrite + Unpin) -> Result<(), Error> {
        self.run(conn, None).await
    }

    /// [`serve_conn`](Server::serve_conn) until `drain` is done: then what has come is answered, and the conn is closed.
    ///
    /// # Errors
    /// As [`serve_conn`](Server::serve_conn).
    pub async fn serve_conn_until(
        &self,
        conn: impl AsyncRead + AsyncWrite + Unpin,
        drain: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), Error> {
        self.run(conn, Some(Box::pin(drain))).await
    }

    async fn run<Io>(&self, mut conn: Io, mut drain: Option<Drain>) -> Result<(), Error>
    where
        Io: AsyncRead + AsyncWrite + Unpin,
    {
        let mut received = Vec::new();
        if self.http {
            let opening = http::accept(&mut conn, &mut received, || debug::page(&self.registry));
            let draining = async {
                match &mut drain {
                    Some(drain) => drain.await,
                    None => std::future::pending().await,
                }
            };
            let opened = tokio::select! {
                biased;
                opened = tokio::time::timeout(HANDSHAKE, opening) => opened,
                () = draining => return Ok(()),
            };
            match opened {
                Ok(Ok(Opening::Rpc)) => {}
                Ok(Ok(Opening::Answered)) => {
                    close(conn).await;
                    return Ok(());
                }
                Ok(Err(error)) => return Err(error.into()),
                Err(_) => return Err(io::Error::from(io::ErrorKind::TimedOut).into()),
            }
        }
        let codec = self.codec.server(self.limits.message);
        let gate = self.gate.clone().map(PollSemaphore::new);
        let served = {
            let registry = self.registry.clone();
            let mut session = Session::new(&mut conn, codec, registry, self.limits, gate, &received, drain);
            poll_fn(|cx| session.poll(cx)).await
        };
        match served {
            Ok(()) => {
                close(conn).await;
                Ok(())
            }
            Err(Broken::Io(error)) => Err(error.into()),
            Err(Broken::Codec(fault)) => {
                close(conn).await;
                Err(Error::Protocol(fault.to_string()))
            }
        }
    }
}

/// Ends a conn so that its peer gets all that was sent: closing a socket with bytes that were not read takes back those
/// that are under way (RFC 9293, 3.6).
async fn close(mut conn: impl AsyncRead + AsyncWrite + Unpin) {
    let ending = async {
        if conn.shutdown().await.is_ok() {
            let mut rest = [0; 512];
            while let Ok(1..) = conn.read(&mut rest).await {}
        }
    };
    let _ = tokio::time::timeout(LINGER, ending).await;
}
