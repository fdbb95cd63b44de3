//! A listener of any kind.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use tokio::time::Instant;

use super::{Incoming, TcpListener, UnixListener};
use crate::addr::Addr;
use crate::conn::Conn;
use crate::error::Result;

/// What [`listen`](crate::listen) gives: a listener whose conns are of the kind of its network.
#[derive(Debug)]
#[non_exhaustive]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix stream or seqpacket socket.
    Unix(UnixListener),
}

impl Listener {
    /// Waits for a conn. Cancel-safe. See [`TcpListener`] for what becomes of errors.
    pub async fn accept(&self) -> Result<Conn> {
        match self {
            Listener::Tcp(listener) => listener.accept().await.map(Conn::from),
            Listener::Unix(listener) => listener.accept().await.map(Conn::from),
        }
    }

    /// The conns as a stream, which ends when the listener is closed.
    pub fn incoming(&self) -> Incoming<'_, Conn> {
        Incoming::new(|| self.accept())
    }

    /// The conns as a stream that owns the listener.
    pub fn into_incoming(self) -> Incoming<'static, Conn> {
        let listener = Arc::new(self);
        Incoming::new(move || {
            let listener = listener.clone();
            async move { listener.accept().await }
        })
    }

    /// The address listened on, with the port that the kernel chose where it was 0.
    pub fn local_addr(&self) -> Result<Addr> {
        match self {
            Listener::Tcp(listener) => listener.local_addr().map(Addr::from),
            Listener::Unix(listener) => listener.local_addr().map(Addr::from),
        }
    }

    /// Closes it: whoever waits in `accept` is woken with an error that [`Error::is_closed`](crate::Error::is_closed)
    /// knows. Conns that were accepted go on.
    pub fn close(&self) -> Result<()> {
        match self {
            Listener::Tcp(listener) => listener.close(),
            Listener::Unix(listener) => listener.close(),
        }
    }

    /// The moment after which `accept` fails with a timeout; `None` for never. Holds for calls that already wait.
    pub fn set_deadline(&self, deadline: impl Into<Option<Instant>>) {
        match self {
            Listener::Tcp(listener) => listener.set_deadline(deadline),
            Listener::Unix(listener) => listener.set_deadline(deadline),
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Listener::Tcp(listener) => listener.as_fd(),
            Listener::Unix(listener) => listener.as_fd(),
        }
    }
}
