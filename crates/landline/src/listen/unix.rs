//! Listening on Unix domain sockets.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;

use rustix::io::Errno;
use rustix::net::{SocketAddrUnix, SocketType, sockopt};
use tokio::time::Instant;

use super::accept::Acceptor;
use super::incoming::Incoming;
use crate::addr::{Addr, UnixAddr};
use crate::conn::UnixConn;
use crate::error::{Cause, Error, Operation, Result};
use crate::network::{Network, UnixKind};
use crate::socket::BoundPath;

/// A listening Unix stream or seqpacket socket.
///
/// What [`TcpListener`](crate::TcpListener) says of many tasks and of errors holds here too. The file of a socket that
/// landline bound is removed when the listener is closed or dropped; see [`UnixListener::set_unlink_on_close`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> landline::Result<()> {
/// let listener = landline::ListenConfig::new().listen_unix("").await?; // the kernel chooses an abstract name
/// let client = landline::Dialer::new().dial_unix(&listener.local_addr()?.to_string()).await?;
/// let conn = listener.accept().await?;
/// client.write_all(b"hello").await?;
/// assert_eq!(conn.read(&mut [0; 16]).await?, 5);
/// # Ok(()) }
/// ```
pub struct UnixListener {
    /// Before the descriptor, so that it is dropped before it.
    bound: Option<BoundPath>,
    acceptor: Acceptor,
    kind: UnixKind,
    local: OnceLock<UnixAddr>,
}

impl UnixListener {
    /// `bound` if the socket was bound to a path by us.
    pub(crate) fn new(
        fd: OwnedFd,
        kind: UnixKind,
        bound: Option<BoundPath>,
    ) -> std::io::Result<UnixListener> {
        Ok(UnixListener { bound, acceptor: Acceptor::new(fd)?, kind, local: OnceLock::new() })
    }

    /// Takes over a listening Unix socket, which is made non-blocking. Its file stays when it is closed.
    ///
    /// # Errors
    /// If it is of another type than stream or seqpacket, or does not listen.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn from_owned_fd(fd: OwnedFd) -> Result<UnixListener> {
        let adopt = || -> Result<UnixListener, Cause> {
            let kind = match sockopt::socket_type(&fd)? {
                SocketType::STREAM => UnixKind::Stream,
                SocketType::SEQPACKET => UnixKind::Seqpacket,
                _ => return Err(Errno::PROTOTYPE.into()),
            };
            SocketAddrUnix::try_from(rustix::net::getsockname(&fd)?)?;
            if !sockopt::socket_acceptconn(&fd)? {
                return Err(Errno::INVAL.into());
            }
            rustix::io::ioctl_fionbio(&fd, true)?;
            Ok(UnixListener::new(fd, kind, None)?)
        };
        adopt().map_err(|cause| Error::new(Operation::Listen, cause).on(Network::Unix(UnixKind::Stream)))
    }

    /// Takes over a listening std socket. Its file stays when it is closed.
    pub fn from_std(listener: std::os::unix::net::UnixListener) -> Result<UnixListener> {
        UnixListener::from_owned_fd(listener.into())
    }

    /// Gives the socket to std, still listening and non-blocking. Its file stays.
    pub fn into_std(self) -> Result<std::os::unix::net::UnixListener> {
        self.into_owned_fd().map(std::os::unix::net::UnixListener::from)
    }

    /// Takes the descriptor out; it goes on listening, and its file stays.
    pub fn into_owned_fd(self) -> Result<OwnedFd> {
        self.set_unlink_on_close(false);
        self.into_parts().map(|(fd, _)| fd)
    }

    /// The descriptor, and the file that is to be removed with it.
    pub(super) fn into_parts(self) -> Result<(OwnedFd, Option<BoundPath>)> {
        let network = self.network();
        let UnixListener { acceptor, bound, .. } = self;
        let fd = acceptor.into_owned_fd().map_err(|cause| Error::new(Operation::Set, cause).on(network))?;
        Ok((fd, bound))
    }

    /// Stream or seqpacket.
    pub fn kind(&self) -> UnixKind {
        self.kind
    }

    /// Waits for a conn. Cancel-safe: dropping the future loses none.
    pub async fn accept(&self) -> Result<UnixConn> {
        match self.acceptor.accept().await {
            Ok((fd, peer)) => {
                let peer = peer
                    .and_then(|peer| SocketAddrUnix::try_from(peer).ok())
                    .map_or(UnixAddr::Unnamed, |peer| UnixAddr::from_raw(&peer));
                Ok(UnixConn::new(fd, self.kind, Some(peer), None))
            }
            Err(cause) => Err(self.error(Operation::Accept, cause)),
        }
    }

    /// The conns as a stream, which ends when the listener is closed.
    pub fn incoming(&self) -> Incoming<'_, UnixConn> {
        Incoming::new(|| self.accept())
    }

    /// The address listened on, with the abstract name that the kernel chose where none was given.
    pub fn local_addr(&self) -> Result<UnixAddr> {
        self.local().map_err(|cause| self.error(Operation::Set, cause))
    }

    fn local(&self) -> Result<UnixAddr, Cause> {
        if let Some(addr) = self.local.get() {
            return Ok(addr.clone());
        }
        let addr = self.acceptor.fd().with_fd("getsockname", |fd| {
            SocketAddrUnix::try_from(rustix::net::getsockname(fd)?).map(|raw| UnixAddr::from_raw(&raw))
        })?;
        Ok(self.local.get_or_init(|| addr).clone())
    }

    /// Closes it: whoever waits in `accept` is woken with an error that [`Error::is_closed`] knows, and the file is
    /// removed if landline made it. Conns that are queued are reset; conns that were accepted go on.
    pub fn close(&self) -> Result<()> {
        let local = self.local();
        if let Some(bound) = &self.bound {
            bound.unlink();
        }
        self.acceptor.fd().close().map_err(|cause| {
            Error::new(Operation::Close, cause).on(self.network()).to_peer(local.ok().map(Addr::from))
        })
    }

    /// Whether the socket's file is removed with it: true if landline bound it. See unix(7).
    pub fn unlink_on_close(&self) -> bool {
        self.bound.as_ref().is_some_and(BoundPath::is_unlinked_on_close)
    }

    /// Keeps, or no longer keeps, the socket's file when it is closed; no effect if landline did not make it.
    pub fn set_unlink_on_close(&self, unlink: bool) {
        if let Some(bound) = &self.bound {
            bound.set_unlink_on_close(unlink);
        }
    }

    /// The moment after which `accept` fails with a timeout; `None` for never. Holds for calls that already wait.
    pub fn set_deadline(&self, deadline: impl Into<Option<Instant>>) {
        self.acceptor.fd().set_read_deadline(deadline.into());
    }

    fn network(&self) -> Network {
        Network::Unix(self.kind)
    }

    #[cold]
    fn error(&self, operation: Operation, cause: Cause) -> Error {
        Error::new(operation, cause).on(self.network()).to_peer(self.local().ok().map(Addr::from))
    }
}

impl AsFd for UnixListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.acceptor.fd().as_fd()
    }
}

impl std::fmt::Debug for UnixListener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnixListener").field("local_addr", &self.local().ok()).finish()
    }
}
