//! UDP.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::task::{self, Poll};

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SocketAddrAny, SocketType, sockopt};
use tokio::io::ReadBuf;

use super::ancillary::Ancillary;
use super::ip_options::{self, IpOptions, Versions, ip_option_methods, sender};
use super::received::Received;
use super::shared::{buffer_methods, limit_methods, readiness_methods};
use super::{ConnKind, StreamConn};
use crate::addr::{Addr, canonical};
use crate::error::{Cause, Error, Operation, Result};
use crate::fd::{Beside, NetFd, PooledBuf};
use crate::network::{Family, Network};

/// A UDP socket, connected to a peer (dialed) or open to everyone (listened on).
///
/// All methods take `&self`: any number of tasks may receive, send, move deadlines and close at once; see
/// [`UdpConn::close`].
///
/// # Datagrams
/// Every send is one datagram, also an empty one, and every receive takes one. [`UdpConn::recv_from`] and
/// [`UdpConn::recv_msg`] say when it was longer than the buffer; [`UdpConn::recv`], which gives only a count, fails
/// with `EMSGSIZE` ("message too long") then: the beginning is in the buffer, the rest is lost.
///
/// # Families
/// A socket of the IPv6 wildcard address also serves IPv4, if its network is `udp`. IPv4 peers appear with their
/// plain addresses, never IPv4-mapped (RFC 4291 section 2.5.5.2), and are sent to by them.
///
/// # Refusal
/// When the host of a connected conn's peer answers that nobody listens there (ICMP port unreachable), the next
/// receive or send fails with [`Error::is_connection_refused`]. The conn stays usable.
///
/// # Cancellation
/// Dropping the future of a receive or send loses nothing: it has happened and was reported, or not happened.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> landline::Result<()> {
/// let server = landline::ListenConfig::new().listen_packet("udp", "127.0.0.1:0").await?;
/// let server = server.into_udp().expect("a UDP conn");
/// let client = landline::Dialer::new().dial_udp(&server.local_addr()?.to_string()).await?;
///
/// client.send(b"ping").await?;
/// let mut buffer = [0; 512];
/// let ping = server.recv_from(&mut buffer).await?;
/// assert_eq!(&buffer[..ping.len], b"ping");
/// assert_eq!(ping.from, client.local_addr()?);
/// assert!(!ping.truncated);
/// # Ok(()) }
/// ```
pub struct UdpConn {
    pub(super) fd: NetFd,
    rest: Box<Rest>,
}

/// On the heap, since futures hold conns by value, and a `Conn` is as large as the largest of its kinds.
#[derive(Default)]
struct Rest {
    errors: Beside,
    pauses: Beside,
    /// Asked of the kernel at most once, and only when somebody wants to know.
    domain: OnceLock<AddressFamily>,
    local: OnceLock<SocketAddr>,
    peer: OnceLock<SocketAddr>,
}

impl UdpConn {
    /// `peer` where it is already known.
    pub(crate) fn new(fd: NetFd, peer: Option<SocketAddr>) -> UdpConn {
        let peer = peer.map(|peer| OnceLock::from(canonical(peer))).unwrap_or_default();
        UdpConn { fd, rest: Box::new(Rest { peer, ..Rest::default() }) }
    }

    /// Takes over a UDP socket, bound or connected or neither, which is made non-blocking.
    ///
    /// # Errors
    /// If it is not a datagram socket of an IP family.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn from_owned_fd(fd: OwnedFd) -> Result<UdpConn> {
        let adopt = || -> Result<UdpConn, Cause> {
            let domain = sockopt::socket_domain(&fd)?;
            if domain != AddressFamily::INET && domain != AddressFamily::INET6 {
                return Err(Errno::AFNOSUPPORT.into());
            }
            if sockopt::socket_type(&fd)? != SocketType::DGRAM
                || sockopt::socket_protocol(&fd)? != Some(rustix::net::ipproto::UDP)
            {
                return Err(Errno::PROTOTYPE.into());
            }
            rustix::io::ioctl_fionbio(&fd, true)?;
            Ok(UdpConn::new(NetFd::new(fd)?, None))
        };
        adopt().map_err(|cause| failed(Operation::Dial, cause))
    }

    /// Takes over a std socket.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn from_std(socket: std::net::UdpSocket) -> Result<UdpConn> {
        UdpConn::from_owned_fd(socket.into())
    }

    /// Gives the socket to std, still non-blocking. Fails if it was closed.
    pub fn into_std(self) -> Result<std::net::UdpSocket> {
        self.into_owned_fd().map(std::net::UdpSocket::from)
    }

    /// Takes over a tokio socket.
    pub fn from_tokio(socket: tokio::net::UdpSocket) -> Result<UdpConn> {
        UdpConn::from_std(socket.into_std().map_err(|error| failed(Operation::Dial, error))?)
    }

    /// Gives the socket to tokio. Fails if it was closed.
    pub fn into_tokio(self) -> Result<tokio::net::UdpSocket> {
        tokio::net::UdpSocket::from_std(self.into_std()?).map_err(|error| failed(Operation::Set, error))
    }

    /// Takes the descriptor out; it stays open and non-blocking. Fails if it was closed.
    pub fn into_owned_fd(self) -> Result<OwnedFd> {
        self.rest.errors.end();
        self.fd.into_owned_fd().map_err(|cause| failed(Operation::Set, cause))
    }

    /// Receives a datagram, from the peer if the conn has one; returns its length, which may be 0. Fails with
    /// `EMSGSIZE` if it was longer than the buffer.
    pub async fn recv(&self, buffer: &mut [u8]) -> Result<usize> {
        self.named(Operation::Read, self.fd.recv(buffer).await)
    }

    pub(super) async fn recv_pooled(&self) -> Result<PooledBuf> {
        self.named(Operation::Read, self.fd.recv_pooled().await)
    }

    /// Receives a datagram and tells who sent it.
    pub async fn recv_from(&self, buffer: &mut [u8]) -> Result<Received<SocketAddr>> {
        self.receive(buffer, RecvFlags::empty()).await
    }

    /// Looks at the next datagram without taking it.
    pub async fn peek_from(&self, buffer: &mut [u8]) -> Result<Received<SocketAddr>> {
        self.receive(buffer, RecvFlags::PEEK).await
    }

    async fn receive(&self, buffer: &mut [u8], flags: RecvFlags) -> Result<Received<SocketAddr>> {
        let received = async {
            let message = self.fd.recv_from(buffer, flags).await?;
            Ok(Received::new(message.len, message.truncated, sender(message.from)?))
        };
        self.named(Operation::Read, received.await)
    }

    /// Sends a datagram to the conn's peer; returns its length. One longer than UDP can carry, 65,507 bytes over IPv4,
    /// is refused with `EMSGSIZE`; one longer than the way can carry is fragmented.
    pub async fn send(&self, datagram: &[u8]) -> Result<usize> {
        self.named(Operation::Write, self.fd.send(datagram).await)
    }

    /// Sends a datagram to `to`; returns its length.
    pub async fn send_to(&self, datagram: &[u8], to: SocketAddr) -> Result<usize> {
        let result = async {
            let addr = self.reachable(to)?;
            self.fd.send_to(datagram, &addr).await
        };
        result.await.map_err(|cause| self.error_to(to, cause))
    }

    /// [`UdpConn::recv`] into several buffers, in order.
    pub async fn recv_vectored(&self, buffers: &mut [std::io::IoSliceMut<'_>]) -> Result<usize> {
        self.named(Operation::Read, self.fd.recv_vectored(buffers).await)
    }

    /// [`UdpConn::send`] of several buffers as one datagram.
    pub async fn send_vectored(&self, buffers: &[std::io::IoSlice<'_>]) -> Result<usize> {
        self.named(Operation::Write, self.fd.send_vectored(buffers).await)
    }

    /// Receives a datagram and what was asked to be told of it; see [`Ancillary`].
    pub async fn recv_msg(&self, buffer: &mut [u8]) -> Result<(Received<SocketAddr>, Ancillary)> {
        let received = ip_options::recv_msg(&self.fd, buffer).await;
        self.named(Operation::Read, received)
    }

    /// Sends a datagram with what is given in `ancillary`, to `to` or to the conn's peer; returns its length.
    pub async fn send_msg(
        &self,
        datagram: &[u8],
        to: Option<SocketAddr>,
        ancillary: &Ancillary,
    ) -> Result<usize> {
        let sent = async {
            let version = match to {
                Some(to) => canonical(to).ip(),
                None => self.peer()?.ip(),
            };
            let control = ancillary.to_control(version)?;
            let to = to.map(|to| self.reachable(to)).transpose()?.map(SocketAddrAny::from);
            self.fd.send_msg(datagram, to.as_ref(), &control).await
        };
        sent.await.map_err(|cause| match to {
            Some(to) => self.error_to(to, cause),
            None => self.error(Operation::Write, cause),
        })
    }

    ip_option_methods!();

    fn ip_options(&self) -> Result<IpOptions<'_>, Cause> {
        let versions = if self.is_v6()? { Versions::Both } else { Versions::V4 };
        Ok(IpOptions { fd: &self.fd, versions })
    }

    readiness_methods!(fd);
    limit_methods!(fd);
    buffer_methods!(fd);

    /// Closes the conn: whoever waits on it is woken, and every later call fails with an error that
    /// [`Error::is_closed`] knows, a second close among them. Dropping the conn closes it too.
    pub fn close(&self) -> Result<()> {
        let closed = self.fd.close();
        // Afterwards, so that no read can begin another watch.
        self.rest.errors.end();
        self.named(Operation::Close, closed)
    }

    /// The local address. Its port is 0 if the socket was neither bound nor used to send.
    pub fn local_addr(&self) -> Result<SocketAddr> {
        self.local().map_err(|cause| self.error(Operation::Set, cause))
    }

    /// The peer's address; an error on a conn that has none.
    pub fn peer_addr(&self) -> Result<SocketAddr> {
        self.peer().map_err(|cause| self.error(Operation::Set, cause))
    }

    fn local(&self) -> Result<SocketAddr, Cause> {
        if let Some(addr) = self.rest.local.get() {
            return Ok(*addr);
        }
        let addr =
            self.fd.with_fd("getsockname", |fd| SocketAddr::try_from(rustix::net::getsockname(fd)?))?;
        match addr.port() {
            // The kernel will give it one when it first sends.
            0 => Ok(canonical(addr)),
            _ => Ok(*self.rest.local.get_or_init(|| canonical(addr))),
        }
    }

    pub(super) fn peer(&self) -> Result<SocketAddr, Cause> {
        if let Some(addr) = self.rest.peer.get() {
            return Ok(*addr);
        }
        let addr = self.fd.with_fd("getpeername", |fd| {
            SocketAddr::try_from(rustix::net::getpeername(fd)?.ok_or(Errno::NOTCONN)?)
        })?;
        Ok(*self.rest.peer.get_or_init(|| canonical(addr)))
    }

    /// Whether the socket is one of IPv6, which may serve IPv4 too.
    pub(super) fn is_v6(&self) -> Result<bool, Cause> {
        if let Some(domain) = self.rest.domain.get() {
            return Ok(*domain == AddressFamily::INET6);
        }
        let domain = self.fd.with_fd("getsockopt SO_DOMAIN", |fd| sockopt::socket_domain(fd))?;
        Ok(*self.rest.domain.get_or_init(|| domain) == AddressFamily::INET6)
    }

    /// The form of an address by which this socket reaches it: an IPv6 socket needs IPv4 addresses mapped.
    pub(super) fn reachable(&self, addr: SocketAddr) -> Result<SocketAddr, Cause> {
        let addr = canonical(addr);
        Ok(match addr.ip() {
            IpAddr::V4(ip) if self.is_v6()? => SocketAddr::from((ip.to_ipv6_mapped(), addr.port())),
            _ => addr,
        })
    }

    pub(super) fn named<T>(&self, operation: Operation, result: Result<T, Cause>) -> Result<T> {
        result.map_err(|cause| self.error(operation, cause))
    }

    #[cold]
    pub(super) fn error_to(&self, to: SocketAddr, cause: Cause) -> Error {
        failed(Operation::Write, cause).from_local(self.local().ok().map(Addr::from)).to_peer(Addr::from(to))
    }
}

/// For the [`Conn`](crate::Conn) that wraps it.
impl StreamConn for UdpConn {
    fn poll_read_shared(
        &self,
        cx: &mut task::Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), Cause>> {
        self.fd.poll_recv_or_error(cx, buffer, &self.rest.errors)
    }

    fn poll_write_shared(&self, cx: &mut task::Context<'_>, buffer: &[u8]) -> Poll<Result<usize, Cause>> {
        self.fd.poll_send_or_pause(cx, buffer, &self.rest.pauses)
    }

    fn poll_write_vectored_shared(
        &self,
        cx: &mut task::Context<'_>,
        buffers: &[std::io::IoSlice<'_>],
    ) -> Poll<Result<usize, Cause>> {
        self.fd.poll_send_vectored_or_pause(cx, buffers, &self.rest.pauses)
    }

    fn close_write_shared(&self) -> Result<(), Cause> {
        // There is no stream whose end the peer could be told of.
        Ok(())
    }

    fn close_read_quietly(&self) {
        // There is no stream to end.
    }

    fn conn_kind(&self) -> ConnKind<'_> {
        ConnKind::Messages { end: false }
    }

    #[cold]
    fn error(&self, operation: Operation, cause: Cause) -> Error {
        failed(operation, cause)
            .from_local(self.local().ok().map(Addr::from))
            .to_peer(self.peer().ok().map(Addr::from))
    }
}

fn failed(operation: Operation, cause: impl Into<Cause>) -> Error {
    Error::new(operation, cause).on(Network::Udp(Family::Any))
}

impl AsFd for UdpConn {
    /// The number stays valid for the borrow, but after a [`close`](UdpConn::close) it is no longer the socket.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl std::fmt::Debug for UdpConn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UdpConn").field("local", &self.local().ok()).field("peer", &self.peer().ok()).finish()
    }
}
