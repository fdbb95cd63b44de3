//! How to serve.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::bound::Bound;
use super::peers::Peers;
use super::places::Places;
use super::rate::Rate;
use super::restart::Point;
use super::serving::Serving;
use super::spread::Spread;
use super::state::Limits;
use super::watch::{Rules, Timeouts};
use crate::conn::Conn;
use crate::error::{Error, Operation, Result};
use crate::listen::{ListenConfig, Listener};
use crate::network::{Network, ToNetwork};

/// How to serve: on how many threads, how conns are spread over them, and within which limits. Every default is usable;
/// cheap to clone.
///
/// Each worker is a thread with a single-threaded tokio runtime, and so a reactor, of its own. A conn is accepted, served
/// and closed on one thread, and its handler need not be `Send`. To serve inside a runtime that is there already, see
/// [`Server::serve_here`] and [`Server::serve_local`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> landline::Result<()> {
/// use std::time::Duration;
/// use landline::{Conn, Server};
///
/// async fn echo(conn: Conn) -> landline::Result<()> {
///     // Waits without holding a buffer, and borrows one of the worker's when there is something to read.
///     loop {
///         let bytes = conn.read_pooled().await?;
///         if bytes.is_empty() {
///             return Ok(());
///         }
///         conn.write_all(&bytes).await?;
///     }
/// }
///
/// let server = Server::new().workers(2).max_conns(10_000).idle_timeout(Duration::from_secs(60));
/// let serving = server.serve("tcp", "127.0.0.1:0", echo).await?;
///
/// let conn = landline::dial("tcp", &serving.local_addr().to_string()).await?;
/// conn.write_all(b"hello").await?;
/// let mut answer = [0; 16];
/// assert_eq!(conn.read(&mut answer).await?, 5);
///
/// drop(conn);
/// let drained = serving.shutdown(Duration::from_secs(5)).await;
/// assert_eq!(drained.cut, 0);
/// # Ok(()) }
/// ```
///
/// # Handlers
/// A handler is called with each conn and returns a future, which is the conn's life: when it is done, the conn has been
/// served. What it returns is dropped, so errors worth telling are its own to tell. A handler that panics, in its call or
/// in its future, ends its own conn and nothing else (unless the program aborts on panic). One that blocks its thread
/// holds up every conn of its worker, those in its queue included; such work belongs into `tokio::task::spawn_blocking`.
///
/// A conn belongs to the runtime of its worker. Handed to another thread or runtime it works there too, until the worker
/// ends; one that nobody has waited for by then belongs to the runtime in which somebody first does.
///
/// # Limits
/// | limit | at the limit |
/// |---|---|
/// | [`max_conns`](Server::max_conns) | accepting pauses until a conn ends; new ones wait in the kernel's queue |
/// | [`max_conns_per_peer`](Server::max_conns_per_peer) | a further conn is closed as soon as it is accepted |
/// | [`accept_rate`](Server::accept_rate) | accepting is delayed; new conns wait in the kernel's queue |
/// | [`first_byte_timeout`](Server::first_byte_timeout), [`idle_timeout`](Server::idle_timeout) | reads and writes of the conn fail with a timeout |
/// | descriptors, memory | accepting pauses, and after a second closes queued conns one by one; see [`TcpListener`](crate::TcpListener) |
///
/// What happened at each is counted; see [`Serving::counters`].
#[derive(Clone, Debug, Default)]
pub struct Server {
    workers: Option<NonZeroUsize>,
    spread: Spread,
    listen: ListenConfig,
    max_conns: Option<usize>,
    max_conns_per_peer: Option<usize>,
    accept_rate: Option<u32>,
    timeouts: Timeouts,
    restart: Option<Point>,
}

impl Server {
    /// The defaults: a worker for each CPU that the process may use, [`Spread::Balanced`], no limits, and the defaults of
    /// [`ListenConfig`].
    pub fn new() -> Server {
        Server::default()
    }

    /// How many threads serve; at least one.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Server {
        self.workers = NonZeroUsize::new(workers.max(1));
        self
    }

    /// How conns are spread over the workers.
    #[must_use]
    pub fn spread(mut self, spread: Spread) -> Server {
        self.spread = spread;
        self
    }

    /// How many conns are served at once, by all workers together. At that number, no further ones are accepted until one
    /// has ended; the kernel holds them in the listener's queue, whose length is [`ListenConfig::backlog`].
    #[must_use]
    pub fn max_conns(mut self, conns: usize) -> Server {
        self.max_conns = Some(conns);
        self
    }

    /// How many conns one peer may have at once. A further one is closed as soon as it is accepted, and counted.
    ///
    /// A peer is an IPv4 address, or an IPv6 network of 64 bits, which is the least that one host is given. Peers of Unix
    /// sockets are not told apart, and not limited.
    #[must_use]
    pub fn max_conns_per_peer(mut self, conns: usize) -> Server {
        self.max_conns_per_peer = Some(conns);
        self
    }

    /// How many conns are accepted a second, by all workers together; at least one. They are spaced evenly; after a quiet
    /// time a hundredth of them, at least one, may come at once. Others wait in the kernel's queue.
    #[must_use]
    pub fn accept_rate(mut self, per_second: u32) -> Server {
        self.accept_rate = Some(per_second);
        self
    }

    /// How long a conn may take to send its first byte. After that, its reads and writes fail with a timeout
    /// ([`Error::is_timeout`]), those that wait included; a handler that does not end then, though it is left at least a
    /// second, is dropped.
    ///
    /// It is kept to an eighth, and costs no timer of the conn's own: the worker looks at its conns now and then. With
    /// TLS, the first byte is that of the handshake.
    #[must_use]
    pub fn first_byte_timeout(mut self, timeout: Duration) -> Server {
        self.timeouts.first_byte = Some(timeout);
        self
    }

    /// How long a conn may go without a byte that comes in or goes out, whatever its handler does meanwhile. After that,
    /// as after a [`first_byte_timeout`](Server::first_byte_timeout).
    ///
    /// It never comes early, and late by less than half of the timeout.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Server {
        self.timeouts.idle = Some(timeout);
        self
    }

    /// How to listen.
    ///
    /// Where every worker has a socket of its own, `SO_REUSEPORT` is set without being asked for, and yet an address that
    /// another process has is refused. With [`ListenConfig::reuse_port`] it is shared.
    #[must_use]
    pub fn listen_config(mut self, config: ListenConfig) -> Server {
        self.listen = config;
        self
    }

    /// Takes over from the server that runs, and is ready to be taken over from in turn: the next process that serves with
    /// the same `address` gets this one's sockets, and no conn is lost.
    ///
    /// The two meet at a Unix socket, a path or `@name` (unix(7)), that only processes of the same user, and root, may
    /// use. A server that finds another there is sent its sockets (`SCM_RIGHTS`), those of every network and address that
    /// it asks for with the same words; others it opens itself. When it serves, the old server is told, stops accepting,
    /// lets its conns finish within `drain`, cuts what is left, and ends: its [`Serving::wait`] and
    /// [`Serving::drain_on_signals`] return. What is queued in the kernel meanwhile is accepted by the new one. If the new
    /// one dies before it serves, the old one goes on; if the old one is told to end before that, the new one has the
    /// sockets, and the files of Unix sockets stay.
    ///
    /// Spread over fewer or more workers, the sockets stay as many as they were.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use landline::{Conn, Server};
    /// # async fn greet(conn: Conn) -> landline::Result<()> { conn.write_all(b"hello\n").await }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> landline::Result<()> {
    /// // Start the new version of the program beside the old one, and this is all there is to do.
    /// let server = Server::new().restart_at("/run/greeter.restart", Duration::from_secs(60));
    /// let serving = server.serve("tcp", ":8080", greet).await?;
    /// serving.drain_on_signals(Duration::from_secs(10)).await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn restart_at(mut self, address: &str, drain: Duration) -> Server {
        self.restart = Some(Point { address: address.into(), drain });
        self
    }

    /// Listens and serves, on threads of its own, until the [`Serving`] ends or is dropped. Networks and addresses are
    /// those of [`ListenConfig::listen`].
    ///
    /// # Errors
    /// If it cannot listen, or a worker cannot be started.
    pub async fn serve<H, F>(&self, network: impl ToNetwork, address: &str, handler: H) -> Result<Serving>
    where
        H: Fn(Conn) -> F + Send + Sync + 'static,
        F: Future + 'static,
    {
        self.bind(network, address).await?.serve(handler).await
    }

    /// Serves what listens already, such as sockets that are inherited or shared out by a test, on threads of its own.
    ///
    /// # Errors
    /// If there is no listener, or a worker cannot be started.
    pub async fn serve_on<H, F>(
        &self,
        listeners: impl IntoIterator<Item = impl Into<Listener>>,
        handler: H,
    ) -> Result<Serving>
    where
        H: Fn(Conn) -> F + Send + Sync + 'static,
        F: Future + 'static,
    {
        self.bind_listeners(listeners)?.serve(handler).await
    }

    /// Listens and serves inside the current runtime, where every conn becomes a task of its own. Of the runtime's many
    /// threads any may run it, so handlers are `Send`; the server has one worker, whatever was asked for.
    ///
    /// # Errors
    /// If it cannot listen.
    pub async fn serve_here<H, F>(
        &self,
        network: impl ToNetwork,
        address: &str,
        handler: H,
    ) -> Result<Serving>
    where
        H: Fn(Conn) -> F + Send + Sync + 'static,
        F: Future + Send + 'static,
    {
        self.bind(network, address).await?.serve_here(handler).await
    }

    /// [`Server::serve_here`] on the current thread, with handlers that need not be `Send`.
    ///
    /// # Panics
    /// Outside of tokio's `LocalRuntime` and `LocalSet`.
    pub async fn serve_local<H, F>(
        &self,
        network: impl ToNetwork,
        address: &str,
        handler: H,
    ) -> Result<Serving>
    where
        H: Fn(Conn) -> F + 'static,
        F: Future + 'static,
    {
        self.bind(network, address).await?.serve_local(handler).await
    }

    /// Listens, and serves nothing yet: conns queue in the kernel until the [`Bound`] is told how to serve them.
    pub async fn bind(&self, network: impl ToNetwork, address: &str) -> Result<Bound> {
        let network = parsed(&network, address)?;
        Bound::open(self.clone(), network, address).await
    }

    /// The same for what listens already.
    ///
    /// # Errors
    /// If there is no listener.
    pub fn bind_listeners(&self, listeners: impl IntoIterator<Item = impl Into<Listener>>) -> Result<Bound> {
        Bound::adopt(self.clone(), listeners.into_iter().map(Into::into))
    }

    pub(super) fn count(&self) -> usize {
        self.workers.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get)
    }

    pub(super) fn chosen_spread(&self) -> Spread {
        self.spread
    }

    pub(super) fn chosen_listen_config(&self) -> &ListenConfig {
        &self.listen
    }

    pub(super) fn restart_point(&self) -> Option<&Point> {
        self.restart.as_ref()
    }

    pub(super) fn limits(&self) -> Limits {
        Limits {
            conns: self.max_conns.map(Places::at_most),
            per_peer: self.max_conns_per_peer.map(Peers::at_most),
            rate: self.accept_rate.map(Rate::per_second),
            silence: Rules::new(self.timeouts),
        }
    }
}

pub(super) fn parsed(network: &impl ToNetwork, address: &str) -> Result<Network> {
    network.to_network().map_err(|error| Error::new(Operation::Listen, error).to_text(address))
}
