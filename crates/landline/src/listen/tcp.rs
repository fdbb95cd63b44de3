//! Listening for TCP.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;

use rustix::io::Errno;
use rustix::net::{SocketType, sockopt};
use tokio::time::Instant;

use super::accept::Acceptor;
use super::incoming::Incoming;
use crate::addr::Addr;
use crate::conn::TcpConn;
use crate::error::{Cause, Error, Operation, Result};
use crate::network::{Family, Network};

/// A listening TCP socket.
///
/// Any number of tasks may accept at once. Conns come with the options of the listener (`TCP_NODELAY`, keep-alive),
/// which the kernel hands down without a further system call; a listener taken over from elsewhere, as by
/// [`TcpListener::from_std`], keeps the options that it came with.
///
/// # When accepting fails
/// A conn that broke off while it was queued is passed over. Without descriptors or memory (`EMFILE`, `ENFILE`,
/// `ENOBUFS`, `ENOMEM`) accepting pauses, 5 ms at first and 1 s at most, while conns stay queued; when descriptors have
/// been out for more than a second, a descriptor held in reserve serves to close queued conns one by one, so that
/// their clients learn of it. An error is returned only if the listener itself is of no more use, or was closed, or
/// at its deadline.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> landline::Result<()> {
/// let listener = landline::ListenConfig::new().listen_tcp("127.0.0.1:0").await?;
/// let client = landline::Dialer::new().dial_tcp(&listener.local_addr()?.to_string()).await?;
/// let conn = listener.accept().await?;
/// assert_eq!(conn.peer_addr()?, client.local_addr()?);
/// # Ok(()) }
/// ```
pub struct TcpListener {
    acceptor: Acceptor,
    local: OnceLock<SocketAddr>,
}

impl TcpListener {
    pub(crate) fn new(fd: OwnedFd) -> std::io::Result<TcpListener> {
        Ok(TcpListener { acceptor: Acceptor::new(fd)?, local: OnceLock::new() })
    }

    /// Takes over a listening TCP socket, which is made non-blocking.
    ///
    /// # Errors
    /// If it is not a stream socket, or does not listen.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn from_owned_fd(fd: OwnedFd) -> Result<TcpListener> {
        let adopt = || -> Result<TcpListener, Cause> {
            if sockopt::socket_type(&fd)? != SocketType::STREAM || !sockopt::socket_acceptconn(&fd)? {
                return Err(Errno::INVAL.into());
            }
            SocketAddr::try_from(rustix::net::getsockname(&fd)?)?;
            rustix::io::ioctl_fionbio(&fd, true)?;
            Ok(TcpListener::new(fd)?)
        };
        adopt().map_err(|cause| Error::new(Operation::Listen, cause).on(Network::Tcp(Family::Any)))
    }

    /// Takes over a listening std socket.
    pub fn from_std(listener: std::net::TcpListener) -> Result<TcpListener> {
        TcpListener::from_owned_fd(listener.into())
    }

    /// Gives the socket to std, still listening and non-blocking.
    pub fn into_std(self) -> Result<std::net::TcpListener> {
        self.into_owned_fd().map(std::net::TcpListener::from)
    }

    /// Takes over a listening tokio socket.
    pub fn from_tokio(listener: tokio::net::TcpListener) -> Result<TcpListener> {
        match listener.into_std() {
            Ok(listener) => TcpListener::from_std(listener),
            Err(error) => Err(Error::new(Operation::Listen, error).on(Network::Tcp(Family::Any))),
        }
    }

    /// Gives the socket to tokio.
    pub fn into_tokio(self) -> Result<tokio::net::TcpListener> {
        tokio::net::TcpListener::from_std(self.into_std()?)
            .map_err(|error| Error::new(Operation::Set, error).on(Network::Tcp(Family::Any)))
    }

    /// Takes the descriptor out; it goes on listening.
    pub fn into_owned_fd(self) -> Result<OwnedFd> {
        let TcpListener { acceptor, .. } = self;
        acceptor
            .into_owned_fd()
            .map_err(|cause| Error::new(Operation::Set, cause).on(Network::Tcp(Family::Any)))
    }

    /// Waits for a conn. Cancel-safe: dropping the future loses none.
    pub async fn accept(&self) -> Result<TcpConn> {
        match self.acceptor.accept().await {
            Ok((fd, peer)) => {
                let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok());
                Ok(TcpConn::new(fd, peer))
            }
            Err(cause) => Err(self.error(Operation::Accept, cause)),
        }
    }

    /// The conns as a stream, which ends when the listener is closed.
    pub fn incoming(&self) -> Incoming<'_, TcpConn> {
        Incoming::new(|| self.accept())
    }

    /// The address listened on, with the port that the kernel chose where it was 0.
    pub fn local_addr(&self) -> Result<SocketAddr> {
        self.local().map_err(|cause| self.error(Operation::Set, cause))
    }

    fn local(&self) -> Result<SocketAddr, Cause> {
        if let Some(addr) = self.local.get() {
            return Ok(*addr);
        }
        let addr = self
            .acceptor
            .fd()
            .with_fd("getsockname", |fd| SocketAddr::try_from(rustix::net::getsockname(fd)?))?;
        Ok(*self.local.get_or_init(|| addr))
    }

    /// Closes it: whoever waits in `accept` is woken with an error that [`Error::is_closed`] knows, and the port is
    /// free again. Conns that are queued are reset; conns that were accepted go on.
    pub fn close(&self) -> Result<()> {
        let local = self.local();
        self.acceptor.fd().close().map_err(|cause| {
            Error::new(Operation::Close, cause)
                .on(Network::Tcp(Family::Any))
                .to_peer(local.ok().map(Addr::from))
        })
    }

    /// The moment after which `accept` fails with a timeout; `None` for never. Holds for calls that already wait.
    pub fn set_deadline(&self, deadline: impl Into<Option<Instant>>) {
        self.acceptor.fd().set_read_deadline(deadline.into());
    }

    #[cold]
    fn error(&self, operation: Operation, cause: Cause) -> Error {
        Error::new(operation, cause).on(Network::Tcp(Family::Any)).to_peer(self.local().ok().map(Addr::from))
    }
}

impl AsFd for TcpListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.acceptor.fd().as_fd()
    }
}

impl std::fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TcpListener").field("local_addr", &self.local().ok()).finish()
    }
}
