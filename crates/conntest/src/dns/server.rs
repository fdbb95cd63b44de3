//! A server by its script, and one that runs.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::unconstrained;

use super::log::Log;
use super::name::Name;
use super::query::Query;
use super::record::RecordType;
use super::reply::Reply;
use super::script::{Delivery, EdnsSupport, Script};
use super::{tcp, udp};
use crate::loopback::{EndOnDrop, V4, bound, on_free_port};

/// A DNS server to be: what it answers, and where.
///
/// A question is a name, in any case, and a type. Where several replies are scripted for the same question they are
/// given in turn, and the last again and again. A name scripted with other types only has no data; any other name does
/// not exist, unless [`otherwise`](Server::otherwise) says something else.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// use conntest::dns::{Record, RecordType, Reply, Server};
///
/// let server = Server::new()
///     .host("www.example", ["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()])
///     .alias("example", "www.example")
///     .on("flaky.example", RecordType::A, Reply::silence())
///     .on("flaky.example", RecordType::A, Reply::records([Record::a([192, 0, 2, 2])]))
///     .start()
///     .await?;
/// println!("a resolver may now ask {}", server.addr());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Server {
    script: Script,
    addr: SocketAddr,
    listens: Listens,
}

/// Over which transports a server can be reached. Where it does not listen, clients are refused: over TCP by a reset,
/// over UDP by ICMP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Listens {
    /// Both, on the same port.
    #[default]
    UdpAndTcp,
    /// UDP alone.
    Udp,
    /// TCP alone.
    Tcp,
}

impl Server {
    /// A server on a free port of `127.0.0.1` that says of every name that it does not exist.
    #[allow(clippy::new_without_default)] // It starts nothing yet, but is no plain value either.
    pub fn new() -> Server {
        Server { script: Script::new(), addr: V4, listens: Listens::default() }
    }

    /// Where to listen; port 0, the default, lets it find one that is free.
    pub fn bind(mut self, addr: SocketAddr) -> Server {
        self.addr = addr;
        self
    }

    /// Over which transports to listen; both by default.
    pub fn listens(mut self, listens: Listens) -> Server {
        self.listens = listens;
        self
    }

    /// The reply, or the next reply, to a question.
    #[track_caller]
    pub fn on(mut self, name: &str, record_type: RecordType, reply: Reply) -> Server {
        self.script.add(Name::of(name), Some(record_type), reply);
        self
    }

    /// The reply, or the next reply, to questions of all types for which the name has none of their own.
    #[track_caller]
    pub fn on_any_type(mut self, name: &str, reply: Reply) -> Server {
        self.script.add(Name::of(name), None, reply);
        self
    }

    /// A host with these addresses: A and AAAA, and no data for other types.
    #[track_caller]
    pub fn host(self, name: &str, addresses: impl IntoIterator<Item = IpAddr>) -> Server {
        self.on_any_type(name, Reply::addresses(addresses))
    }

    /// Makes `name` an alias of `target`, whose own replies, or further aliases, are given in the same answer. Aliases
    /// may form loops; an answer then holds each of the loop's records once.
    #[track_caller]
    pub fn alias(mut self, name: &str, target: &str) -> Server {
        self.script.alias(Name::of(name), Name::of(target));
        self
    }

    /// The reply for names that are not scripted; [`Reply::no_such_name`] by default.
    pub fn otherwise(mut self, reply: Reply) -> Server {
        self.script.otherwise(reply);
        self
    }

    /// Does not answer the `number`th query it receives, counted from 1 over all names and transports.
    pub fn drop_query(mut self, number: u64) -> Server {
        self.script.drop_query(number);
        self
    }

    /// What it knows of EDNS; all by default.
    pub fn edns(mut self, edns: EdnsSupport) -> Server {
        self.script.edns(edns);
        self
    }

    /// Starts it, in tasks of this tokio runtime.
    pub async fn start(self) -> io::Result<Running> {
        let (udp, tcp) = match self.listens {
            Listens::Udp => (Some(UdpSocket::bind(self.addr).await?), None),
            Listens::Tcp => (None, Some(bound(self.addr)?.listen(1024)?)),
            Listens::UdpAndTcp if self.addr.port() != 0 => both(self.addr).await?,
            Listens::UdpAndTcp => on_free_port(|port| both(SocketAddr::new(self.addr.ip(), port))).await?,
        };
        let addr = match (&udp, &tcp) {
            (Some(udp), _) => udp.local_addr()?,
            (None, Some(tcp)) => tcp.local_addr()?,
            (None, None) => self.addr,
        };
        let (alive, ended) = mpsc::channel(1);
        let shared = Arc::new(Shared { script: Mutex::new(self.script), log: Log::default(), _alive: alive });
        let mut tasks = Vec::new();
        if let Some(socket) = udp {
            // A datagram that finds the socket's buffer full is lost: each turn empties it, however long that takes.
            tasks.push(tokio::spawn(unconstrained(udp::serve(socket, shared.clone()))));
        }
        if let Some(listener) = tcp {
            tasks.push(tokio::spawn(tcp::serve(listener, shared.clone())));
        }
        let tasks = tasks.iter().map(|task| EndOnDrop(task.abort_handle())).collect();
        Ok(Running { addr, shared, tasks, ended })
    }
}

async fn both(addr: SocketAddr) -> io::Result<(Option<UdpSocket>, Option<TcpListener>)> {
    Ok((Some(UdpSocket::bind(addr).await?), Some(bound(addr)?.listen(1024)?)))
}

/// A server that runs until this is dropped.
#[derive(Debug)]
pub struct Running {
    addr: SocketAddr,
    shared: Arc<Shared>,
    tasks: Vec<EndOnDrop>,
    ended: mpsc::Receiver<Infallible>,
}

impl Running {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// All queries received so far, the first first.
    pub fn log(&self) -> Vec<Query> {
        self.shared.log.queries()
    }

    /// The queries received so far for `name`.
    #[track_caller]
    pub fn log_of(&self, name: &str) -> Vec<Query> {
        let name = Name::of(name);
        self.log().into_iter().filter(|query| query.question == name).collect()
    }

    /// The messages received so far that could not be read as a query, and were not answered.
    pub fn unreadable(&self) -> Vec<Vec<u8>> {
        self.shared.log.unreadable_messages()
    }

    /// Waits until `count` queries have been received since the start, or since the log was cleared.
    pub async fn received(&self, count: usize) {
        self.shared.log.until_received(count).await;
    }

    /// Forgets the queries received so far.
    pub fn clear_log(&self) {
        self.shared.log.clear();
    }

    /// From now on replies to the question like this, and no longer as scripted before.
    #[track_caller]
    pub fn now(&self, name: &str, record_type: RecordType, reply: Reply) {
        let name = Name::of(name);
        let mut script = self.shared.script();
        script.remove(&name, Some(record_type));
        script.add(name, Some(record_type), reply);
    }

    /// Stops it and waits until its sockets are closed. Dropping it stops it too, a moment later.
    pub async fn stop(self) {
        let Running { shared, tasks, mut ended, .. } = self;
        drop((shared, tasks));
        // Nothing is ever sent: this is the end of the last task.
        ended.recv().await;
    }
}

/// What the tasks of a server have in common.
#[derive(Debug)]
pub(super) struct Shared {
    script: Mutex<Script>,
    log: Log,
    _alive: mpsc::Sender<Infallible>,
}

impl Shared {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides what to do for a message and logs it; `None` if it is no query.
    pub(super) fn decide(&self, raw: &[u8], query: Option<Query>) -> Option<(u64, Vec<Delivery>)> {
        let Some(query) = query else {
            self.log.unreadable(raw);
            return None;
        };
        let decided = self.script().deliveries(&query);
        // Logged after the decision: who waits for the log may change the script, but not under this query.
        self.log.received(query);
        Some(decided)
    }

    /// Waits until a delivery is due.
    pub(super) async fn due(&self, delivery: &Delivery) {
        if delivery.after_answers > 0 {
            self.log.until_done_after(delivery.query, delivery.after_answers).await;
        }
        if !delivery.delay.is_zero() {
            tokio::time::sleep(delivery.delay).await;
        }
    }

    /// All has been done for the query with this number.
    pub(super) fn done(&self, number: u64) {
        self.log.done(number);
    }
}
