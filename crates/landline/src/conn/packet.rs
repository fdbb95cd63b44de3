//! The conn that `listen_packet` gives, whatever its network.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::io::Errno;
use tokio::time::Instant;

use super::received::Received;
use super::{Conn, IpConn, UdpConn, UnixConn};
use crate::addr::Addr;
use crate::context::Context;
use crate::error::{Error, Operation, Result};
use crate::network::{Family, Network};

/// A conn of any network that keeps message boundaries and need not be connected: `udp`, `ip` or `unixgram`.
///
/// What it can do is what they all can; for more, match on it or use [`PacketConn::as_udp`] and its like. Any number of
/// tasks may use it at once.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> landline::Result<()> {
/// use landline::PacketConn;
///
/// let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
/// let conn = PacketConn::from(landline::UdpConn::from_std(socket)?);
/// conn.send_to(b"to myself", &conn.local_addr()?).await?;
/// let mut buffer = [0; 512];
/// let message = conn.recv_from(&mut buffer).await?;
/// assert_eq!(&buffer[..message.len], b"to myself");
/// assert_eq!(message.from, conn.local_addr()?);
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum PacketConn {
    /// UDP.
    Udp(UdpConn),
    /// A Unix datagram socket.
    Unix(UnixConn),
    /// Raw IP, or a ping socket.
    Ip(IpConn),
}

/// Does the same with whichever conn it is.
macro_rules! each {
    ($self:expr, $conn:ident => $do:expr) => {
        match $self {
            PacketConn::Udp($conn) => $do,
            PacketConn::Unix($conn) => $do,
            PacketConn::Ip($conn) => $do,
        }
    };
}

impl PacketConn {
    /// Receives one message and tells who sent it. Of raw IP, the payload without IP header.
    pub async fn recv_from(&self, buffer: &mut [u8]) -> Result<Received<Addr>> {
        each!(self, conn => conn.recv_from(buffer).await.map(|message| message.map_from(Addr::from)))
    }

    /// Sends one message to `to`; returns its length. Of raw IP, the payload. An address of another network is refused
    /// with `EAFNOSUPPORT`.
    pub async fn send_to(&self, message: &[u8], to: &Addr) -> Result<usize> {
        match (self, to) {
            (PacketConn::Udp(conn), Addr::Socket(to)) => conn.send_to(message, *to).await,
            (PacketConn::Unix(conn), Addr::Unix(to)) => conn.send_to(message, to).await,
            (PacketConn::Ip(conn), Addr::Ip(to)) => conn.send_to(message, *to).await,
            _ => Err(Error::new(Operation::Write, Errno::AFNOSUPPORT)
                .on(self.network())
                .from_local(self.local_addr().ok())
                .to_peer(to.clone())),
        }
    }

    /// Closes the conn: whoever waits on it is woken, and every later call fails with an error that
    /// [`Error::is_closed`] knows, a second close among them. Dropping the conn closes it too.
    pub fn close(&self) -> Result<()> {
        each!(self, conn => conn.close())
    }

    /// Sets, moves or (with `None`) removes the moment after which receives and sends fail with a timeout, those that
    /// already wait included.
    pub fn set_deadline(&self, deadline: impl Into<Option<Instant>>) {
        let deadline = deadline.into();
        each!(self, conn => conn.set_deadline(deadline));
    }

    /// [`PacketConn::set_deadline`] for receives.
    pub fn set_read_deadline(&self, deadline: impl Into<Option<Instant>>) {
        let deadline = deadline.into();
        each!(self, conn => conn.set_read_deadline(deadline));
    }

    /// [`PacketConn::set_deadline`] for sends.
    pub fn set_write_deadline(&self, deadline: impl Into<Option<Instant>>) {
        let deadline = deadline.into();
        each!(self, conn => conn.set_write_deadline(deadline));
    }

    /// Ties the conn's I/O to a context; see [`Conn::bind_context`].
    pub fn bind_context(&self, context: &Context) {
        each!(self, conn => conn.bind_context(context));
    }

    /// The local address.
    pub fn local_addr(&self) -> Result<Addr> {
        each!(self, conn => conn.local_addr().map(Addr::from))
    }

    /// The network, without the IP version.
    pub fn network(&self) -> Network {
        match self {
            PacketConn::Udp(_) => Network::Udp(Family::Any),
            PacketConn::Unix(conn) => Network::Unix(conn.kind()),
            PacketConn::Ip(conn) => Network::Ip(Family::Any, conn.protocol()),
        }
    }

    /// The size of the receive buffer in bytes, as the kernel counts it: twice what was asked for (socket(7)).
    pub fn recv_buffer_size(&self) -> Result<usize> {
        each!(self, conn => conn.recv_buffer_size())
    }

    /// Asks for a receive buffer of `bytes`; the kernel bounds it by `net.core.rmem_max`.
    pub fn set_recv_buffer_size(&self, bytes: usize) -> Result<()> {
        each!(self, conn => conn.set_recv_buffer_size(bytes))
    }
}

/// From the conn of one network, and back: `as_…`, and `into_…`, which gives the conn back if it is another.
macro_rules! convert {
    ($variant:ident, $conn:ty, $as:ident, $into:ident, $name:literal) => {
        impl PacketConn {
            #[doc = concat!("The conn as ", $name, ", if it is that.")]
            pub fn $as(&self) -> Option<&$conn> {
                match self {
                    PacketConn::$variant(conn) => Some(conn),
                    _ => None,
                }
            }

            #[doc = concat!("Takes the conn as ", $name, ", or gives it back if it is not that.")]
            #[allow(clippy::result_large_err)] // It is the conn itself.
            pub fn $into(self) -> Result<$conn, PacketConn> {
                match self {
                    PacketConn::$variant(conn) => Ok(conn),
                    other => Err(other),
                }
            }
        }
    };
}

convert!(Udp, UdpConn, as_udp, into_udp, "UDP");
convert!(Unix, UnixConn, as_unix, into_unix, "a Unix datagram socket");
convert!(Ip, IpConn, as_ip, into_ip, "raw IP or a ping socket");

impl From<UdpConn> for PacketConn {
    fn from(conn: UdpConn) -> PacketConn {
        PacketConn::Udp(conn)
    }
}

impl From<IpConn> for PacketConn {
    fn from(conn: IpConn) -> PacketConn {
        PacketConn::Ip(conn)
    }
}

/// A conn of a network of packets as it is; any other is given back.
impl TryFrom<Conn> for PacketConn {
    type Error = Conn;

    fn try_from(conn: Conn) -> Result<PacketConn, Conn> {
        match conn {
            Conn::Udp(conn) => Ok(PacketConn::Udp(conn)),
            Conn::Ip(conn) => Ok(PacketConn::Ip(conn)),
            Conn::Unix(conn) if Network::Unix(conn.kind()).is_packet() => Ok(PacketConn::Unix(conn)),
            other => Err(other),
        }
    }
}

impl From<PacketConn> for Conn {
    fn from(conn: PacketConn) -> Conn {
        each!(conn, conn => conn.into())
    }
}

impl AsFd for PacketConn {
    /// The number stays valid for the borrow, but after a [`close`](PacketConn::close) it is no longer the socket.
    fn as_fd(&self) -> BorrowedFd<'_> {
        each!(self, conn => conn.as_fd())
    }
}
