//! TCP.

use std::io::IoSlice;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::{self, Poll};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{SendFlags, sockopt};
use tokio::io::ReadBuf;

use super::shared::{buffer_methods, half_close_methods, limit_methods, read_write_methods};
use super::tcp_info::TcpInfo;
use super::{ConnKind, Named, StreamConn, impl_async_io};
use crate::addr::{Addr, canonical};
use crate::error::{Cause, Error, Operation, Result};
use crate::fd::{Ends, NetFd, ReadOnce};
use crate::network::{Family, Network};
use crate::socket::{KeepAlive, Traced};
use crate::sys;

/// A TCP connection.
///
/// All methods take `&self`: any number of tasks may read, write, move deadlines and close at once; see
/// [`TcpConn::close`]. It also implements tokio's `AsyncRead` and `AsyncWrite`, for itself and for `&TcpConn`, where
/// one task at a time may wait in each direction.
///
/// # Cancellation
/// Dropping the future of a read, write or peek loses nothing: bytes were either moved and reported, or not moved.
/// Only the `_all` methods may have moved a part.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> landline::Result<()> {
/// use std::time::Duration;
/// use tokio::time::Instant;
///
/// let listener = landline::listen("tcp", "127.0.0.1:0").await?;
/// let conn = landline::Dialer::new().dial_tcp(&listener.local_addr()?.to_string()).await?;
/// conn.write_all(b"hello").await?;
///
/// // Nobody answers: the read ends at its deadline.
/// conn.set_read_deadline(Instant::now() + Duration::from_millis(10));
/// let error = conn.read(&mut [0; 16]).await.unwrap_err();
/// assert!(error.is_timeout());
/// # Ok(()) }
/// ```
pub struct TcpConn {
    fd: NetFd,
}

impl TcpConn {
    /// `peer` where it is already known, so that it is still known after the peer has gone.
    pub(crate) fn new(fd: NetFd, peer: Option<SocketAddr>) -> TcpConn {
        if let Some(peer) = peer {
            let _ = fd.ends().peer.set(canonical(peer));
        }
        TcpConn { fd }
    }

    /// Takes over a connected TCP socket, which is made non-blocking.
    ///
    /// # Errors
    /// If it is not a stream socket of an IP family, or not connected.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn from_owned_fd(fd: OwnedFd) -> Result<TcpConn> {
        let adopt = || -> Result<TcpConn, Cause> {
            let kind = sockopt::socket_type(&fd)?;
            if kind != rustix::net::SocketType::STREAM {
                return Err(Errno::PROTOTYPE.into());
            }
            let peer = SocketAddr::try_from(rustix::net::getpeername(&fd)?.ok_or(Errno::NOTCONN)?)?;
            rustix::io::ioctl_fionbio(&fd, true)?;
            Ok(TcpConn::new(NetFd::new(fd)?, Some(peer)))
        };
        adopt().map_err(|cause| Error::new(Operation::Dial, cause).on(Network::Tcp(Family::Any)))
    }

    /// Takes over a connected std socket.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn from_std(stream: std::net::TcpStream) -> Result<TcpConn> {
        TcpConn::from_owned_fd(stream.into())
    }

    /// Gives the socket to std, still non-blocking. Fails if it was closed.
    pub fn into_std(self) -> Result<std::net::TcpStream> {
        self.into_owned_fd().map(std::net::TcpStream::from)
    }

    /// Takes a connected tokio socket over.
    pub fn from_tokio(stream: tokio::net::TcpStream) -> Result<TcpConn> {
        match stream.into_std() {
            Ok(stream) => TcpConn::from_std(stream),
            Err(error) => Err(Error::new(Operation::Dial, error).on(Network::Tcp(Family::Any))),
        }
    }

    /// Gives the socket to tokio. Fails if it was closed.
    pub fn into_tokio(self) -> Result<tokio::net::TcpStream> {
        tokio::net::TcpStream::from_std(self.into_std()?)
            .map_err(|error| Error::new(Operation::Set, error).on(Network::Tcp(Family::Any)))
    }

    /// Takes the descriptor out; it stays open, connected and non-blocking. Fails if it was closed.
    pub fn into_owned_fd(self) -> Result<OwnedFd> {
        self.fd
            .into_owned_fd()
            .map_err(|cause| Error::new(Operation::Set, cause).on(Network::Tcp(Family::Any)))
    }

    read_write_methods!(fd);
    half_close_methods!(fd);
    limit_methods!(fd);
    buffer_methods!(fd);

    /// Reads what has arrived without taking it: the next read gives the same bytes again.
    pub async fn peek(&self, buffer: &mut [u8]) -> Result<usize> {
        self.named(Operation::Read, self.fd.peek(buffer).await)
    }

    /// Closes the conn: whoever waits on it is woken, and every later call fails with an error that
    /// [`Error::is_closed`] knows, a second close among them. Dropping the conn closes it too.
    ///
    /// Unread bytes make the kernel send a reset in place of an orderly end (RFC 2525 section 2.17).
    pub fn close(&self) -> Result<()> {
        self.named(Operation::Close, self.fd.close())
    }

    /// The local address; of an IPv4 conn its IPv4 address, though the listener be of both families.
    pub fn local_addr(&self) -> Result<SocketAddr> {
        self.local().map_err(|cause| self.error(Operation::Set, cause))
    }

    /// The peer's address; an IPv4 peer's is never IPv4-mapped.
    pub fn peer_addr(&self) -> Result<SocketAddr> {
        self.peer().map_err(|cause| self.error(Operation::Set, cause))
    }

    fn local(&self) -> Result<SocketAddr, Cause> {
        let Ends { local, .. } = self.fd.ends();
        if let Some(addr) = local.get() {
            return Ok(**addr);
        }
        let addr =
            self.fd.with_fd("getsockname", |fd| SocketAddr::try_from(rustix::net::getsockname(fd)?))?;
        Ok(**local.get_or_init(|| Box::new(canonical(addr))))
    }

    fn peer(&self) -> Result<SocketAddr, Cause> {
        let Ends { peer, .. } = self.fd.ends();
        if let Some(addr) = peer.get() {
            return Ok(*addr);
        }
        let addr = self.fd.with_fd("getpeername", |fd| {
            SocketAddr::try_from(rustix::net::getpeername(fd)?.ok_or(Errno::NOTCONN)?)
        })?;
        Ok(*peer.get_or_init(|| canonical(addr)))
    }

    /// Whether small writes are sent at once, without waiting to be joined with later ones (`TCP_NODELAY`, tcp(7)).
    /// On by default.
    pub fn nodelay(&self) -> Result<bool> {
        self.option("getsockopt TCP_NODELAY", |fd| sockopt::tcp_nodelay(fd))
    }

    /// Sets [`TcpConn::nodelay`].
    pub fn set_nodelay(&self, nodelay: bool) -> Result<()> {
        self.option("setsockopt TCP_NODELAY", |fd| sockopt::set_tcp_nodelay(fd, nodelay))
    }

    /// Writes all of `buffer` and says that more follows at once (`MSG_MORE`, send(2)): what does not fill a segment is
    /// held back, and sent together with the next write or [`copy`](crate::copy()); a header this way shares its segment
    /// with the beginning of the file behind it. Without a next write it is sent after some 200 ms. After an error or a
    /// cancel, an unknown part has been written.
    pub fn write_all_more<'a>(&'a self, buffer: &'a [u8]) -> impl Future<Output = Result<()>> {
        Named::new(self, Operation::Write, self.fd.write_all_with::<{ SendFlags::MORE.bits() }>(buffer))
    }

    /// Whether the conn is corked (`TCP_CORK`, tcp(7)). Off by default.
    pub fn cork(&self) -> Result<bool> {
        self.option("getsockopt TCP_CORK", |fd| sockopt::tcp_cork(fd))
    }

    /// Corks the conn, or sends what was held back. While it is corked only full segments are sent, whatever
    /// [`TcpConn::nodelay`] says, so that many small writes become few segments; what is held back for 200 ms is sent all
    /// the same. Where the writes follow each other in one place, one
    /// [`write_all_vectored`](TcpConn::write_all_vectored) costs less.
    pub fn set_cork(&self, cork: bool) -> Result<()> {
        self.option("setsockopt TCP_CORK", |fd| sockopt::set_tcp_cork(fd, cork))
    }

    /// What a close does with bytes not yet acknowledged (`SO_LINGER`, socket(7)): `None`, the default, sends them
    /// in the background; zero drops them and resets the conn; any other duration, in whole seconds, makes the close
    /// **block its thread** until they are sent or the time has passed.
    pub fn linger(&self) -> Result<Option<Duration>> {
        self.option("getsockopt SO_LINGER", |fd| sockopt::socket_linger(fd))
    }

    /// Sets [`TcpConn::linger`].
    pub fn set_linger(&self, linger: Option<Duration>) -> Result<()> {
        self.option("setsockopt SO_LINGER", |fd| sockopt::set_socket_linger(fd, linger))
    }

    /// The keep-alive probes of this conn: off, or how they are sent.
    pub fn keep_alive(&self) -> Result<KeepAlive> {
        self.option("getsockopt SO_KEEPALIVE", KeepAlive::of)
    }

    /// Turns keep-alive probes on or off; what is not given keeps the value the conn has.
    pub fn set_keep_alive(&self, keep_alive: KeepAlive) -> Result<()> {
        let set = match keep_alive {
            KeepAlive::Off => {
                self.fd.with_fd("setsockopt SO_KEEPALIVE", |fd| sockopt::set_socket_keepalive(fd, false))
            }
            // Asked for here, so that its failure is an error.
            _ => self.fd.with_open(|fd| keep_alive.spelled_out().apply(fd, Traced::SILENT)),
        };
        self.named(Operation::Set, set)
    }

    /// What the kernel knows of the conn: state, round-trip time, losses, rates (`TCP_INFO`, tcp(7)).
    pub fn tcp_info(&self) -> Result<TcpInfo> {
        self.option("getsockopt TCP_INFO", sys::tcp_info).map(|raw| TcpInfo::from_raw(&raw))
    }

    #[cfg(feature = "tls")]
    pub(super) fn check(&self, direction: crate::fd::Direction) -> Result<(), Cause> {
        self.fd.with_open(|_| self.fd.check(direction))
    }

    fn named<T>(&self, operation: Operation, result: Result<T, Cause>) -> Result<T> {
        result.map_err(|cause| self.error(operation, cause))
    }
}

impl StreamConn for TcpConn {
    fn poll_read_shared(
        &self,
        cx: &mut task::Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), Cause>> {
        self.fd.poll_read(cx, buffer)
    }

    fn poll_write_shared(&self, cx: &mut task::Context<'_>, buffer: &[u8]) -> Poll<Result<usize, Cause>> {
        self.fd.poll_write(cx, buffer)
    }

    fn poll_write_vectored_shared(
        &self,
        cx: &mut task::Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<Result<usize, Cause>> {
        self.fd.poll_write_vectored(cx, buffers)
    }

    fn close_write_shared(&self) -> Result<(), Cause> {
        self.fd.close_write()
    }

    fn close_read_quietly(&self) {
        // Nobody is left to tell where it fails.
        let _ = self.fd.close_read();
    }

    fn conn_kind(&self) -> ConnKind<'_> {
        ConnKind::Socket(&self.fd, ReadOnce::Bytes)
    }

    #[cold]
    fn error(&self, operation: Operation, cause: Cause) -> Error {
        Error::new(operation, cause)
            .on(Network::Tcp(Family::Any))
            .from_local(self.local().ok().map(Addr::from))
            .to_peer(self.peer().ok().map(Addr::from))
    }
}

impl_async_io!(TcpConn);

impl AsFd for TcpConn {
    /// The number stays valid for the borrow, but after a [`close`](TcpConn::close) it is no longer the socket.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl std::fmt::Debug for TcpConn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TcpConn").field("local", &self.local().ok()).field("peer", &self.peer().ok()).finish()
    }
}
