//! Unix domain sockets.

use std::io::IoSlice;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::task::{self, Poll};

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, sockopt};
use tokio::io::ReadBuf;

use super::received::Received;
use super::shared::{buffer_methods, half_close_methods, limit_methods, read_write_methods};
use super::unix_fd::UnixFd;
use super::{ConnKind, StreamConn, impl_async_io};
use crate::addr::{Addr, UnixAddr};
use crate::error::{Cause, Error, Operation, Result};
use crate::fd::NetFd;
use crate::network::{Network, UnixKind};
use crate::socket::BoundPath;

/// A Unix domain socket (unix(7)): a stream, a connection of records (seqpacket), or a socket for datagrams, which may
/// be connected or not; [`UnixConn::kind`] tells.
///
/// All methods take `&self`: any number of tasks may read, write, move deadlines and close at once; see
/// [`UnixConn::close`]. It also implements tokio's `AsyncRead` and `AsyncWrite`, for itself and for `&UnixConn`, where
/// one task at a time may wait in each direction.
///
/// # Messages
/// On seqpacket and datagram sockets every write is one message, also an empty one, and every read takes one. A read
/// whose buffer is too small for the message fails with `EMSGSIZE` ("message too long"): the beginning is in the
/// buffer, the rest is lost, and the next read gives the next message. [`UnixConn::recv_from`] and
/// [`UnixConn::recv_msg`] report it without an error. An empty record reads as `Ok(0)`, as the end does.
///
/// # Files
/// A socket that landline bound to a path removes the file when it is closed or dropped; see
/// [`UnixConn::set_unlink_on_close`].
///
/// # Cancellation
/// Dropping the future of a read, write, receive or send loses nothing: it has happened and was reported, or not
/// happened. Only the `_all` methods may have moved a part.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> landline::Result<()> {
/// use landline::{UnixConn, UnixKind};
///
/// let (ours, theirs) = UnixConn::pair(UnixKind::Seqpacket)?;
/// ours.write(b"one").await?;
/// ours.write(b"two").await?;
/// let mut record = [0; 16];
/// assert_eq!(theirs.read(&mut record).await?, 3);
/// # Ok(()) }
/// ```
pub struct UnixConn {
    /// Before the descriptor, so that the path is dropped before it. On the heap, since futures hold conns by value, and
    /// a `Conn` is as large as the largest of its kinds.
    rest: Box<Rest>,
    pub(super) fd: UnixFd,
}

struct Rest {
    bound: Option<BoundPath>,
    /// Asked of the kernel only when somebody wants to know.
    local: OnceLock<UnixAddr>,
    peer: OnceLock<UnixAddr>,
}

impl UnixConn {
    /// `peer` where it is already known; `bound` if the socket was bound to a path by us.
    pub(crate) fn new(
        fd: NetFd,
        kind: UnixKind,
        peer: Option<UnixAddr>,
        bound: Option<BoundPath>,
    ) -> UnixConn {
        let peer = peer.map(OnceLock::from).unwrap_or_default();
        let rest = Box::new(Rest { bound, local: OnceLock::new(), peer });
        UnixConn { rest, fd: UnixFd::new(fd, kind) }
    }

    /// Two connected sockets without names (socketpair(2)).
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn pair(kind: UnixKind) -> Result<(UnixConn, UnixConn)> {
        let pair = || -> Result<_, Cause> {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let (left, right) = rustix::net::socketpair(AddressFamily::UNIX, socket_type(kind), flags, None)
                .map_err(|error| Cause::System { call: "socketpair", error })?;
            let conn = |fd| NetFd::new(fd).map(|fd| UnixConn::new(fd, kind, Some(UnixAddr::Unnamed), None));
            Ok((conn(left)?, conn(right)?))
        };
        pair().map_err(|cause| Error::new(Operation::Dial, cause).on(Network::Unix(kind)))
    }

    /// Takes over a Unix socket of any kind, which is made non-blocking. A file it is bound to is not removed with it.
    ///
    /// # Errors
    /// If it is not a Unix socket, or listens, or is a stream or seqpacket socket that is not connected.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn from_owned_fd(fd: OwnedFd) -> Result<UnixConn> {
        let adopt = || -> Result<UnixConn, Cause> {
            if sockopt::socket_domain(&fd)? != AddressFamily::UNIX {
                return Err(Errno::AFNOSUPPORT.into());
            }
            let kind = match sockopt::socket_type(&fd)? {
                SocketType::STREAM => UnixKind::Stream,
                SocketType::DGRAM => UnixKind::Datagram,
                SocketType::SEQPACKET => UnixKind::Seqpacket,
                _ => return Err(Errno::PROTOTYPE.into()),
            };
            let peer = match rustix::net::getpeername(&fd) {
                Ok(peer) => Some(UnixAddr::from_any(peer)),
                Err(Errno::NOTCONN) if kind == UnixKind::Datagram => None,
                Err(error) => return Err(error.into()),
            };
            rustix::io::ioctl_fionbio(&fd, true)?;
            Ok(UnixConn::new(NetFd::new(fd)?, kind, peer, None))
        };
        adopt().map_err(|cause| Error::new(Operation::Dial, cause).on(Network::Unix(UnixKind::Stream)))
    }

    /// Takes over a connected std socket.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn from_std(stream: std::os::unix::net::UnixStream) -> Result<UnixConn> {
        UnixConn::from_owned_fd(stream.into())
    }

    /// Takes over a std datagram socket, connected or not.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn from_std_datagram(socket: std::os::unix::net::UnixDatagram) -> Result<UnixConn> {
        UnixConn::from_owned_fd(socket.into())
    }

    /// Takes over a connected tokio socket.
    pub fn from_tokio(stream: tokio::net::UnixStream) -> Result<UnixConn> {
        let stream = stream.into_std().map_err(|error| failed(Operation::Dial, UnixKind::Stream, error))?;
        UnixConn::from_std(stream)
    }

    /// Takes over a tokio datagram socket, connected or not.
    pub fn from_tokio_datagram(socket: tokio::net::UnixDatagram) -> Result<UnixConn> {
        let socket = socket.into_std().map_err(|error| failed(Operation::Dial, UnixKind::Datagram, error))?;
        UnixConn::from_std_datagram(socket)
    }

    /// Gives a stream to std, still non-blocking. Fails if it was closed or is not a stream.
    pub fn into_std(self) -> Result<std::os::unix::net::UnixStream> {
        self.expect_kind(UnixKind::Stream)?;
        self.into_owned_fd().map(Into::into)
    }

    /// Gives a datagram socket to std, still non-blocking. Fails if it was closed or is of another kind.
    pub fn into_std_datagram(self) -> Result<std::os::unix::net::UnixDatagram> {
        self.expect_kind(UnixKind::Datagram)?;
        self.into_owned_fd().map(Into::into)
    }

    /// Gives a stream to tokio. Fails if it was closed or is not a stream.
    pub fn into_tokio(self) -> Result<tokio::net::UnixStream> {
        tokio::net::UnixStream::from_std(self.into_std()?)
            .map_err(|error| failed(Operation::Set, UnixKind::Stream, error))
    }

    /// Gives a datagram socket to tokio. Fails if it was closed or is of another kind.
    pub fn into_tokio_datagram(self) -> Result<tokio::net::UnixDatagram> {
        tokio::net::UnixDatagram::from_std(self.into_std_datagram()?)
            .map_err(|error| failed(Operation::Set, UnixKind::Datagram, error))
    }

    /// Takes the descriptor out; it stays open and non-blocking, and so does the file it is bound to. Fails if it was
    /// closed.
    pub fn into_owned_fd(self) -> Result<OwnedFd> {
        let kind = self.kind();
        self.set_unlink_on_close(false);
        self.fd.into_net_fd().into_owned_fd().map_err(|cause| failed(Operation::Set, kind, cause))
    }

    fn expect_kind(&self, kind: UnixKind) -> Result<()> {
        if self.kind() == kind { Ok(()) } else { Err(self.error(Operation::Set, Errno::PROTOTYPE.into())) }
    }

    read_write_methods!(fd);
    half_close_methods!(fd);
    limit_methods!(fd);
    buffer_methods!(fd);

    /// Whether it is a stream, a socket for datagrams, or a connection of records.
    pub fn kind(&self) -> UnixKind {
        self.fd.kind()
    }

    /// Reads what has arrived without taking it: the next read gives the same bytes again. Of a message that is longer
    /// than the buffer, its beginning.
    pub async fn peek(&self, buffer: &mut [u8]) -> Result<usize> {
        self.named(Operation::Read, self.fd.peek(buffer).await)
    }

    /// Receives one message and tells who sent it. On a stream, reads what has arrived, which is never truncated.
    pub async fn recv_from(&self, buffer: &mut [u8]) -> Result<Received<UnixAddr>> {
        self.receive(buffer, RecvFlags::empty()).await
    }

    /// Looks at the next message without taking it.
    pub async fn peek_from(&self, buffer: &mut [u8]) -> Result<Received<UnixAddr>> {
        self.receive(buffer, RecvFlags::PEEK).await
    }

    async fn receive(&self, buffer: &mut [u8], flags: RecvFlags) -> Result<Received<UnixAddr>> {
        let received = if self.fd.is_stream() {
            // Here MSG_TRUNC would throw the bytes away (tcp(7), unix(7)).
            let count = match flags {
                RecvFlags::PEEK => self.fd.peek(buffer).await,
                _ => self.fd.read(buffer).await,
            };
            count.map(|count| Received::new(count, false, self.peer().unwrap_or(UnixAddr::Unnamed)))
        } else {
            let message = self.fd.recv_from(buffer, flags).await;
            message.map(|message| {
                Received::new(message.len, message.truncated, UnixAddr::from_any(message.from))
            })
        };
        self.named(Operation::Read, received)
    }

    /// Sends one message to `to`, from a datagram socket that is not connected; returns its length. Waits while the
    /// receiver's queue is full, asking again from every 1 ms to every 64 ms, since the kernel gives no sign when it
    /// has room.
    pub async fn send_to(&self, message: &[u8], to: &UnixAddr) -> Result<usize> {
        let result = match to.to_raw() {
            Ok(raw) => {
                let flags = rustix::net::SendFlags::NOSIGNAL;
                self.fd
                    .send_asking_again(|fd| {
                        self.fd.sent_message(rustix::net::sendto(fd, message, flags, &raw))
                    })
                    .await
            }
            Err(error) => Err(error.into()),
        };
        result.map_err(|cause| {
            failed(Operation::Write, self.kind(), cause)
                .from_local(self.local().ok().and_then(named_addr))
                .to_peer(Addr::from(to.clone()))
        })
    }

    /// Closes the conn: whoever waits on it is woken, and every later call fails with an error that
    /// [`Error::is_closed`] knows, a second close among them. Dropping the conn closes it too.
    pub fn close(&self) -> Result<()> {
        if let (Some(bound), false) = (&self.rest.bound, self.fd.is_closed()) {
            bound.unlink();
        }
        self.named(Operation::Close, self.fd.close())
    }

    /// Whether closing or dropping the conn removes the file it is bound to.
    pub fn unlink_on_close(&self) -> bool {
        self.rest.bound.as_ref().is_some_and(BoundPath::is_unlinked_on_close)
    }

    /// Sets [`UnixConn::unlink_on_close`]. On by default for sockets that landline bound to a path; without effect on
    /// all others. Only the process that bound the socket removes the file, and only if it still is the one it made.
    pub fn set_unlink_on_close(&self, unlink: bool) {
        if let Some(bound) = &self.rest.bound {
            bound.set_unlink_on_close(unlink);
        }
    }

    /// The local address; [`UnixAddr::Unnamed`] if the socket was never bound.
    pub fn local_addr(&self) -> Result<UnixAddr> {
        self.local().map_err(|cause| self.error(Operation::Set, cause))
    }

    /// The peer's address; [`UnixAddr::Unnamed`] if the peer was never bound. An error on a datagram socket that is not
    /// connected.
    pub fn peer_addr(&self) -> Result<UnixAddr> {
        self.peer().map_err(|cause| self.error(Operation::Set, cause))
    }

    fn local(&self) -> Result<UnixAddr, Cause> {
        if let Some(addr) = self.rest.local.get() {
            return Ok(addr.clone());
        }
        let addr = self
            .fd
            .with_fd("getsockname", |fd| Ok(UnixAddr::from_any(Some(rustix::net::getsockname(fd)?))))?;
        match addr {
            // The kernel may yet give it a name.
            UnixAddr::Unnamed => Ok(addr),
            _ => Ok(self.rest.local.get_or_init(|| addr).clone()),
        }
    }

    fn peer(&self) -> Result<UnixAddr, Cause> {
        if let Some(addr) = self.rest.peer.get() {
            return Ok(addr.clone());
        }
        let addr =
            self.fd.with_fd("getpeername", |fd| Ok(UnixAddr::from_any(rustix::net::getpeername(fd)?)))?;
        Ok(self.rest.peer.get_or_init(|| addr).clone())
    }

    #[cfg(feature = "tls")]
    pub(super) fn check(&self, direction: crate::fd::Direction) -> Result<(), Cause> {
        self.fd.with_open(|_| self.fd.check(direction))
    }

    pub(super) fn named<T>(&self, operation: Operation, result: Result<T, Cause>) -> Result<T> {
        result.map_err(|cause| self.error(operation, cause))
    }
}

impl StreamConn for UnixConn {
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
        match self.kind() {
            UnixKind::Stream => ConnKind::Socket(&self.fd, UnixFd::READ_STREAM),
            UnixKind::Seqpacket => ConnKind::Messages { end: true },
            UnixKind::Datagram => ConnKind::Messages { end: false },
        }
    }

    #[cold]
    fn error(&self, operation: Operation, cause: Cause) -> Error {
        failed(operation, self.kind(), cause)
            .from_local(self.local().ok().and_then(named_addr))
            .to_peer(self.peer().ok().and_then(named_addr))
    }
}

impl_async_io!(UnixConn);

fn failed(operation: Operation, kind: UnixKind, cause: impl Into<Cause>) -> Error {
    Error::new(operation, cause).on(Network::Unix(kind))
}

fn socket_type(kind: UnixKind) -> SocketType {
    match kind {
        UnixKind::Stream => SocketType::STREAM,
        UnixKind::Datagram => SocketType::DGRAM,
        UnixKind::Seqpacket => SocketType::SEQPACKET,
    }
}

/// An address that can be printed.
fn named_addr(addr: UnixAddr) -> Option<Addr> {
    (addr != UnixAddr::Unnamed).then(|| Addr::from(addr))
}

impl AsFd for UnixConn {
    /// The number stays valid for the borrow, but after a [`close`](UnixConn::close) it is no longer the socket.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl std::fmt::Debug for UnixConn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnixConn")
            .field("kind", &self.kind())
            .field("local", &self.local().ok())
            .field("peer", &self.peer().ok())
            .finish()
    }
}
