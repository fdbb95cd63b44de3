//! A listener of any kind.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use tokio::time::Instant;

use super::{Incoming, TcpListener, UnixListener};
use crate::addr::Addr;
use crate::conn::Conn;
use crate::error::Result;
use crate::network::{Family, Network};
use crate::socket::BoundPath;

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

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Listener {
        Listener::Tcp(listener)
    }
}

impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Listener {
        Listener::Unix(listener)
    }
}

/// A listening socket out of any reactor, on its way to those that will accept from it.
#[derive(Debug)]
pub(crate) struct ListeningSocket {
    /// Before the descriptor, so that it is dropped before it.
    pub(crate) bound: Option<BoundPath>,
    pub(crate) fd: OwnedFd,
    pub(crate) network: Network,
    pub(crate) local: Addr,
}

impl Listener {
    /// Takes it out of this runtime's reactor.
    pub(crate) fn into_socket(self) -> Result<ListeningSocket> {
        let local = self.local_addr()?;
        Ok(match self {
            Listener::Tcp(listener) => {
                let network = Network::Tcp(Family::Any);
                ListeningSocket { bound: None, fd: listener.into_owned_fd()?, network, local }
            }
            Listener::Unix(listener) => {
                let network = Network::Unix(listener.kind());
                let (fd, bound) = listener.into_parts()?;
                ListeningSocket { bound, fd, network, local }
            }
        })
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
