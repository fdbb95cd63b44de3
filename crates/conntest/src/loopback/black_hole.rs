//! An address that swallows connection attempts.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Duration, timeout};

use super::bound;

/// A TCP address where `connect` neither succeeds nor fails, as behind a firewall that drops packets.
///
/// It is a listening socket whose accept queue is full: Linux then drops the first packet of every further
/// connection, and the client repeats it in vain (after 1 s, 2 s, 4 s, …) until it gives up: with the usual
/// `tcp_syn_retries` after more than two minutes.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// use conntest::loopback::{BlackHole, V4};
/// use std::time::Duration;
///
/// let hole = BlackHole::bind(V4).await?;
/// let dial = tokio::net::TcpStream::connect(hole.addr());
/// assert!(tokio::time::timeout(Duration::from_millis(50), dial).await.is_err());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct BlackHole {
    addr: SocketAddr,
    _listener: TcpListener,
    _queued: Vec<TcpStream>,
}

/// How long a connection over loopback may take before it counts as swallowed. It is made within `connect` itself,
/// so that only a machine under heavy load needs any of it.
const SWALLOWED: Duration = Duration::from_millis(50);
/// With the smallest backlog one connection fills the queue; more are needed only if the kernel rounds it up.
const MOST: usize = 64;

impl BlackHole {
    /// Digs one at `addr`, such as [`V4`](super::V4) or [`V6`](super::V6); returns when an attempt to connect to it
    /// has been seen to hang for 50 ms.
    pub async fn bind(addr: SocketAddr) -> io::Result<BlackHole> {
        // listen(2): a backlog of 0 admits one.
        let listener = bound(addr)?.listen(0)?;
        let addr = listener.local_addr()?;
        let mut queued = Vec::new();
        while let Ok(connected) = timeout(SWALLOWED, TcpStream::connect(addr)).await {
            queued.push(connected?);
            if queued.len() > MOST {
                return Err(io::Error::other(format!("{addr} still accepts after {MOST} connections")));
            }
        }
        Ok(BlackHole { addr, _listener: listener, _queued: queued })
    }

    /// Where it is.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}
