//! The conn that dialing gives, whatever its network.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::{self, Poll};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, ipproto, sockopt};
use tokio::io::ReadBuf;
use tokio::time::Instant;

#[cfg(feature = "tls")]
use super::TlsConn;
use super::halves::{self, OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use super::{
    AnyCall, ConnKind, Either, IpConn, Pipe, StreamConn, TcpConn, UdpConn, UnixConn, apart, impl_async_io,
};
use crate::addr::Addr;
use crate::context::Context;
use crate::error::{Cause, Error, Operation, Result};
use crate::fd::PooledBuf;
use crate::network::{Family, Network};

/// A conn of any network.
///
/// What it can do is what they all can; for more, match on it or use [`Conn::as_tcp`] and its like. On networks that
/// keep message boundaries (`udp`, `ip`, `unixgram`, `unixpacket`) every write is one message and every read takes
/// one; a message longer than the read's buffer is an error (`EMSGSIZE`), with its beginning in the buffer. Of raw
/// IPv4, a read gives the packet with its IPv4 header; see [`IpConn`].
///
/// It implements tokio's `AsyncRead` and `AsyncWrite`, for itself and for `&Conn`, where one task at a time may wait in
/// each direction. All its own methods may be called from any number of tasks at once.
#[derive(Debug)]
#[non_exhaustive]
pub enum Conn {
    /// TCP.
    Tcp(TcpConn),
    /// A Unix socket of any kind.
    Unix(UnixConn),
    /// UDP.
    Udp(UdpConn),
    /// Raw IP, or a ping socket.
    Ip(IpConn),
    /// One end of an in-memory pipe.
    Pipe(Pipe),
    /// TLS over another conn, such as the one to a proxy.
    #[cfg(feature = "tls")]
    Tls(TlsConn),
}

/// Does the same with whichever conn it is.
macro_rules! each {
    ($self:expr, $conn:ident => $do:expr) => {
        match $self {
            Conn::Tcp($conn) => $do,
            Conn::Unix($conn) => $do,
            Conn::Udp($conn) => $do,
            Conn::Ip($conn) => $do,
            Conn::Pipe($conn) => $do,
            #[cfg(feature = "tls")]
            Conn::Tls($conn) => $do,
        }
    };
}

impl Conn {
    /// Takes over a socket of any of these networks, connected where the network needs it, and makes it non-blocking.
    ///
    /// # Errors
    /// If it is no socket, or one that listens, or of a network that landline does not have.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn from_owned_fd(fd: OwnedFd) -> Result<Conn> {
        let kind = || -> rustix::io::Result<_> {
            Ok((sockopt::socket_domain(&fd)?, sockopt::socket_type(&fd)?, sockopt::socket_protocol(&fd)?))
        };
        match kind().map_err(|error| Error::new(Operation::Dial, error))? {
            (AddressFamily::UNIX, ..) => UnixConn::from_owned_fd(fd).map(Conn::Unix),
            (_, SocketType::STREAM, _) => TcpConn::from_owned_fd(fd).map(Conn::Tcp),
            (_, SocketType::DGRAM, Some(ipproto::UDP)) => UdpConn::from_owned_fd(fd).map(Conn::Udp),
            _ => IpConn::from_owned_fd(fd).map(Conn::Ip),
        }
    }

    /// Takes the descriptor out; it stays open and non-blocking. Fails if it was closed, and for a pipe and TLS,
    /// which have none of their own.
    pub fn into_owned_fd(self) -> Result<OwnedFd> {
        match self {
            Conn::Tcp(conn) => conn.into_owned_fd(),
            Conn::Unix(conn) => conn.into_owned_fd(),
            Conn::Udp(conn) => conn.into_owned_fd(),
            Conn::Ip(conn) => conn.into_owned_fd(),
            Conn::Pipe(conn) => Err(conn.error(Operation::Set, Errno::BADF.into())),
            // What is below speaks TLS.
            #[cfg(feature = "tls")]
            Conn::Tls(conn) => Err(conn.error(Operation::Set, Errno::BADF.into())),
        }
    }

    /// Reads what has arrived, up to the size of `buffer`, waiting for at least one byte, or one message. `Ok(0)` is
    /// the end of the stream, an empty message, or an empty buffer.
    #[inline]
    pub fn read<'a>(&'a self, buffer: &'a mut [u8]) -> impl Future<Output = Result<usize>> {
        match self {
            Conn::Tcp(conn) => AnyCall::left(conn.read(buffer)),
            Conn::Unix(conn) => AnyCall::right(Either::left(conn.read(buffer))),
            Conn::Pipe(conn) => AnyCall::right(Either::right(apart(conn.read(buffer)))),
            #[cfg(feature = "tls")]
            Conn::Tls(conn) => AnyCall::right(Either::right(apart(conn.read(buffer)))),
            Conn::Udp(conn) => AnyCall::right(Either::right(apart(conn.recv(buffer)))),
            Conn::Ip(conn) => AnyCall::right(Either::right(apart(conn.recv(buffer)))),
        }
    }

    /// Reads what has arrived, or one message, into a buffer of the thread's, which is borrowed only when there is
    /// something to read: a conn that waits here holds no buffer. Empty at the end of the stream, or of an empty message.
    ///
    /// Up to 16 KiB of a stream are read; a message may have up to 64 KiB.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> landline::Result<()> {
    /// let (ours, theirs) = landline::UnixConn::pair(landline::UnixKind::Stream)?;
    /// ours.write_all(b"hello").await?;
    /// let bytes = landline::Conn::from(theirs).read_pooled().await?;
    /// assert_eq!(*bytes, *b"hello");
    /// # Ok(()) }
    /// ```
    #[inline]
    pub fn read_pooled(&self) -> impl Future<Output = Result<PooledBuf>> {
        match self {
            Conn::Tcp(conn) => AnyCall::left(conn.read_pooled()),
            Conn::Unix(conn) => AnyCall::right(Either::left(conn.read_pooled())),
            Conn::Pipe(conn) => AnyCall::right(Either::right(apart(conn.read_pooled()))),
            #[cfg(feature = "tls")]
            Conn::Tls(conn) => AnyCall::right(Either::right(apart(conn.read_pooled()))),
            Conn::Udp(conn) => AnyCall::right(Either::right(apart(conn.recv_pooled()))),
            Conn::Ip(conn) => AnyCall::right(Either::right(apart(conn.recv_pooled()))),
        }
    }

    /// Waits until there is something to read, the end of the stream included, without a buffer.
    pub async fn readable(&self) -> Result<()> {
        match self {
            Conn::Tcp(conn) => conn.readable().await,
            Conn::Unix(conn) => conn.readable().await,
            Conn::Pipe(conn) => conn.readable().await,
            #[cfg(feature = "tls")]
            Conn::Tls(conn) => apart(conn.readable()).await,
            Conn::Udp(conn) => apart(conn.readable()).await,
            Conn::Ip(conn) => apart(conn.readable()).await,
        }
    }

    /// Waits until something can be written.
    pub async fn writable(&self) -> Result<()> {
        match self {
            Conn::Tcp(conn) => conn.writable().await,
            Conn::Unix(conn) => conn.writable().await,
            Conn::Pipe(conn) => conn.writable().await,
            #[cfg(feature = "tls")]
            Conn::Tls(conn) => apart(conn.writable()).await,
            Conn::Udp(conn) => apart(conn.writable()).await,
            Conn::Ip(conn) => apart(conn.writable()).await,
        }
    }

    /// Reads into several buffers, in order.
    pub async fn read_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> Result<usize> {
        match self {
            Conn::Tcp(conn) => conn.read_vectored(buffers).await,
            Conn::Unix(conn) => conn.read_vectored(buffers).await,
            Conn::Pipe(conn) => apart(conn.read_vectored(buffers)).await,
            #[cfg(feature = "tls")]
            Conn::Tls(conn) => apart(conn.read_vectored(buffers)).await,
            Conn::Udp(conn) => apart(conn.recv_vectored(buffers)).await,
            Conn::Ip(conn) => apart(conn.recv_vectored(buffers)).await,
        }
    }

    /// Writes some of `buffer`, waiting until at least one byte, or the message, has been taken; returns how many
    /// bytes were.
    #[inline]
    pub fn write<'a>(&'a self, buffer: &'a [u8]) -> impl Future<Output = Result<usize>> {
        match self {
            Conn::Tcp(conn) => AnyCall::left(conn.write(buffer)),
            Conn::Unix(conn) => AnyCall::right(Either::left(conn.write(buffer))),
            Conn::Pipe(conn) => AnyCall::right(Either::right(apart(conn.write(buffer)))),
            #[cfg(feature = "tls")]
            Conn::Tls(conn) => AnyCall::right(Either::right(apart(conn.write(buffer)))),
            Conn::Udp(conn) => AnyCall::right(Either::right(apart(conn.send(buffer)))),
            Conn::Ip(conn) => AnyCall::right(Either::right(apart(conn.send(buffer)))),
        }
    }

    /// Writes all of `buffer`. After an error or a cancel, an unknown part has been written.
    #[inline]
    pub fn write_all<'a>(&'a self, buffer: &'a [u8]) -> impl Future<Output = Result<()>> {
        match self {
            Conn::Tcp(conn) => AnyCall::left(conn.write_all(buffer)),
            Conn::Unix(conn) => AnyCall::right(Either::left(conn.write_all(buffer))),
            Conn::Pipe(conn) => AnyCall::right(Either::right(apart(conn.write_all(buffer)))),
            #[cfg(feature = "tls")]
            Conn::Tls(conn) => AnyCall::right(Either::right(apart(conn.write_all(buffer)))),
            Conn::Udp(conn) => {
                AnyCall::right(Either::right(apart(async { conn.send(buffer).await.map(|_| ()) })))
            }
            Conn::Ip(conn) => {
                AnyCall::right(Either::right(apart(async { conn.send(buffer).await.map(|_| ()) })))
            }
        }
    }

    /// Writes some of the buffers' bytes, in order, or all as one message.
    pub async fn write_vectored(&self, buffers: &[IoSlice<'_>]) -> Result<usize> {
        match self {
            Conn::Tcp(conn) => conn.write_vectored(buffers).await,
            Conn::Unix(conn) => conn.write_vectored(buffers).await,
            Conn::Pipe(conn) => apart(conn.write_vectored(buffers)).await,
            #[cfg(feature = "tls")]
            Conn::Tls(conn) => apart(conn.write_vectored(buffers)).await,
            Conn::Udp(conn) => apart(conn.send_vectored(buffers)).await,
            Conn::Ip(conn) => apart(conn.send_vectored(buffers)).await,
        }
    }

    /// Writes all bytes of any number of buffers; the slices are advanced as they are written. After an error or a
    /// cancel, an unknown part has been written.
    pub async fn write_all_vectored(&self, buffers: &mut [IoSlice<'_>]) -> Result<()> {
        match self {
            Conn::Tcp(conn) => conn.write_all_vectored(buffers).await,
            Conn::Unix(conn) => conn.write_all_vectored(buffers).await,
            Conn::Pipe(conn) => apart(conn.write_all_vectored(buffers)).await,
            #[cfg(feature = "tls")]
            Conn::Tls(conn) => apart(conn.write_all_vectored(buffers)).await,
            Conn::Udp(conn) => apart(conn.send_vectored(buffers)).await.map(|_| ()),
            Conn::Ip(conn) => apart(conn.send_vectored(buffers)).await.map(|_| ()),
        }
    }

    /// Closes the conn: whoever waits on it is woken, and every later call fails with an error that
    /// [`Error::is_closed`] knows, a second close among them. Dropping the conn closes it too.
    pub fn close(&self) -> Result<()> {
        each!(self, conn => conn.close())
    }

    /// Ends the reading side of a stream: reads return what has arrived, then `Ok(0)`. Of UDP and raw IP, which have
    /// no stream to end, an error.
    pub fn close_read(&self) -> Result<()> {
        match self {
            Conn::Tcp(conn) => conn.close_read(),
            Conn::Unix(conn) => conn.close_read(),
            Conn::Pipe(conn) => conn.close_read(),
            #[cfg(feature = "tls")]
            Conn::Tls(conn) => conn.close_read(),
            Conn::Udp(_) | Conn::Ip(_) => Err(self.no_half_close()),
        }
    }

    /// Ends the writing side of a stream: the peer reads what was written, then the end of the stream. Of UDP and raw
    /// IP, which have no stream to end, an error; tokio's `shutdown` does nothing there.
    pub fn close_write(&self) -> Result<()> {
        match self {
            Conn::Tcp(conn) => conn.close_write(),
            Conn::Unix(conn) => conn.close_write(),
            Conn::Pipe(conn) => conn.close_write(),
            #[cfg(feature = "tls")]
            Conn::Tls(conn) => conn.close_write(),
            Conn::Udp(_) | Conn::Ip(_) => Err(self.no_half_close()),
        }
    }

    fn no_half_close(&self) -> Error {
        self.error(Operation::Close, Cause::System { call: "shutdown", error: Errno::OPNOTSUPP })
    }

    /// Sets, moves or (with `None`) removes the moment after which reads and writes fail with a timeout. It holds for
    /// calls that already wait, in any task; a moment that has passed fails them at once. Later reads and writes fail
    /// too until it is moved. The conn stays open.
    pub fn set_deadline(&self, deadline: impl Into<Option<Instant>>) {
        let deadline = deadline.into();
        each!(self, conn => conn.set_deadline(deadline));
    }

    /// [`Conn::set_deadline`] for reads.
    pub fn set_read_deadline(&self, deadline: impl Into<Option<Instant>>) {
        let deadline = deadline.into();
        each!(self, conn => conn.set_read_deadline(deadline));
    }

    /// [`Conn::set_deadline`] for writes.
    pub fn set_write_deadline(&self, deadline: impl Into<Option<Instant>>) {
        let deadline = deadline.into();
        each!(self, conn => conn.set_write_deadline(deadline));
    }

    /// Ties the conn's I/O to a context: when it is cancelled, waiting and later calls fail with
    /// [`Cause::Canceled`] and its cause; when its deadline passes, with a timeout. Deadlines of the conn's own hold
    /// besides. Binding to another context replaces the first; to the background, unties.
    pub fn bind_context(&self, context: &Context) {
        each!(self, conn => conn.bind_context(context));
    }

    /// The local address.
    #[allow(clippy::useless_conversion)] // Only of a pipe.
    pub fn local_addr(&self) -> Result<Addr> {
        each!(self, conn => conn.local_addr().map(Addr::from))
    }

    /// The peer's address; an error on a conn that has no peer.
    #[allow(clippy::useless_conversion)] // Only of a pipe.
    pub fn peer_addr(&self) -> Result<Addr> {
        each!(self, conn => conn.peer_addr().map(Addr::from))
    }

    /// The network, without the IP version: `tcp`, `udp`, `unix` … A pipe is on none.
    pub fn network(&self) -> Option<Network> {
        match self {
            Conn::Tcp(_) => Some(Network::Tcp(Family::Any)),
            Conn::Unix(conn) => Some(Network::Unix(conn.kind())),
            Conn::Udp(_) => Some(Network::Udp(Family::Any)),
            Conn::Ip(conn) => Some(Network::Ip(Family::Any, conn.protocol())),
            Conn::Pipe(_) => None,
            #[cfg(feature = "tls")]
            Conn::Tls(conn) => conn.below().network(),
        }
    }

    /// The descriptor, which all but a pipe and TLS have. The number stays valid for the borrow, but after a
    /// [`close`](Conn::close) it is no longer the socket.
    pub fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Conn::Tcp(conn) => Some(conn.as_fd()),
            Conn::Unix(conn) => Some(conn.as_fd()),
            Conn::Udp(conn) => Some(conn.as_fd()),
            Conn::Ip(conn) => Some(conn.as_fd()),
            Conn::Pipe(_) => None,
            #[cfg(feature = "tls")]
            Conn::Tls(_) => None,
        }
    }

    /// Whether I/O may begin in this direction: not closed, and no limit reached.
    #[cfg(feature = "tls")]
    pub(super) fn check(&self, direction: crate::fd::Direction) -> Result<(), Cause> {
        match self {
            Conn::Tcp(conn) => conn.check(direction),
            Conn::Unix(conn) => conn.check(direction),
            Conn::Pipe(conn) => conn.check(direction),
            Conn::Tls(conn) => conn.check(direction),
            // No stream; its own calls look.
            Conn::Udp(_) | Conn::Ip(_) => Ok(()),
        }
    }

    /// Two halves that borrow the conn.
    pub fn split(&self) -> (ReadHalf<'_, Conn>, WriteHalf<'_, Conn>) {
        halves::split_borrowed(self)
    }

    /// Two halves that own the conn together and can go to different tasks.
    pub fn into_split(self) -> (OwnedReadHalf<Conn>, OwnedWriteHalf<Conn>) {
        halves::split_owned(self)
    }
}

/// From the conn of one network, and back: `as_…`, and `into_…`, which gives the conn back if it is another.
macro_rules! convert {
    ($variant:ident, $conn:ty, $as:ident, $into:ident, $name:literal) => {
        impl Conn {
            #[doc = concat!("The conn as ", $name, ", if it is that.")]
            pub fn $as(&self) -> Option<&$conn> {
                match self {
                    Conn::$variant(conn) => Some(conn),
                    _ => None,
                }
            }

            #[doc = concat!("Takes the conn as ", $name, ", or gives it back if it is not that.")]
            #[allow(clippy::result_large_err)] // It is the conn itself.
            pub fn $into(self) -> Result<$conn, Conn> {
                match self {
                    Conn::$variant(conn) => Ok(conn),
                    other => Err(other),
                }
            }
        }

        impl From<$conn> for Conn {
            fn from(conn: $conn) -> Conn {
                Conn::$variant(conn)
            }
        }
    };
}

convert!(Tcp, TcpConn, as_tcp, into_tcp, "TCP");
convert!(Unix, UnixConn, as_unix, into_unix, "a Unix socket");
convert!(Udp, UdpConn, as_udp, into_udp, "UDP");
convert!(Ip, IpConn, as_ip, into_ip, "raw IP or a ping socket");
convert!(Pipe, Pipe, as_pipe, into_pipe, "a pipe");
#[cfg(feature = "tls")]
convert!(Tls, TlsConn, as_tls, into_tls, "TLS");

impl StreamConn for Conn {
    fn poll_read_shared(
        &self,
        cx: &mut task::Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), Cause>> {
        each!(self, conn => conn.poll_read_shared(cx, buffer))
    }

    fn poll_write_shared(&self, cx: &mut task::Context<'_>, buffer: &[u8]) -> Poll<Result<usize, Cause>> {
        each!(self, conn => conn.poll_write_shared(cx, buffer))
    }

    fn poll_write_vectored_shared(
        &self,
        cx: &mut task::Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<Result<usize, Cause>> {
        each!(self, conn => conn.poll_write_vectored_shared(cx, buffers))
    }

    fn close_write_shared(&self) -> Result<(), Cause> {
        each!(self, conn => conn.close_write_shared())
    }

    fn poll_flush_shared(&self, cx: &mut task::Context<'_>) -> Poll<Result<(), Cause>> {
        each!(self, conn => conn.poll_flush_shared(cx))
    }

    fn poll_close_write_shared(&self, cx: &mut task::Context<'_>) -> Poll<Result<(), Cause>> {
        each!(self, conn => conn.poll_close_write_shared(cx))
    }

    fn close_read_quietly(&self) {
        each!(self, conn => conn.close_read_quietly());
    }

    fn conn_kind(&self) -> ConnKind<'_> {
        each!(self, conn => conn.conn_kind())
    }

    fn error(&self, operation: Operation, cause: Cause) -> Error {
        each!(self, conn => conn.error(operation, cause))
    }
}

impl_async_io!(Conn);

#[cfg(test)]
mod tests {
    use super::*;

    /// Futures hold conns by value, those of an `async fn` twice.
    #[test]
    fn a_conn_is_small() {
        assert!(size_of::<Conn>() <= 24, "{}", size_of::<Conn>());
        assert_eq!(size_of::<TcpConn>(), 8);
    }
}
