//! Raw IP, and ping sockets.

use std::io::{IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::task::{self, Poll};

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SocketAddrAny, SocketFlags, SocketType, sockopt};
use tokio::io::ReadBuf;

use super::ancillary::Ancillary;
use super::ip_options::{self, IpOptions, Versions, ip_option_methods, sender};
use super::received::Received;
use super::shared::{buffer_methods, limit_methods, readiness_methods};
use super::{ConnKind, StreamConn};
use crate::addr::{Addr, ScopedIp};
use crate::error::{Cause, Error, Operation, Result};
use crate::fd::{Beside, NetFd, PooledBuf};
use crate::network::{Family, Network, Protocol};
use crate::sys::{self, Incoming};

/// A socket of one IP protocol: a raw socket (raw(7)), or for ICMP a ping socket (icmp(7)).
///
/// All methods take `&self`: any number of tasks may receive, send, move deadlines and close at once.
///
/// # Headers
/// What is sent is the payload; the kernel puts the IP header before it. Of what is received over raw IPv4,
/// [`IpConn::recv_from`] gives the payload, and [`IpConn::recv`] and [`IpConn::recv_msg`] give the packet with its
/// IPv4 header, as in Go. Over IPv6, and on ping sockets, there is never a header.
///
/// # Permission
/// A raw socket needs `CAP_NET_RAW`. Where that is missing, dialing or listening on `ip4:icmp` or `ip6:ipv6-icmp`
/// falls back to a ping socket, which the kernel allows to the groups of `net.ipv4.ping_group_range`;
/// [`IpConn::is_ping`] tells, and [`IpConn::ping`] makes one in any case. It differs from a raw socket:
/// - Only echo requests can be sent, and only the replies to them are received: no errors, and not the requests of
///   others.
/// - The kernel owns the identifier: it overwrites the one in each request, keeps the replies of others away, and
///   gives it as [`IpConn::echo_id`]. It also fills in the checksum.
///
/// # Messages
/// Every send is one packet, and every receive takes one. [`IpConn::recv_from`] says when it was longer than the
/// buffer; [`IpConn::recv`], which gives only a count, fails with `EMSGSIZE` then.
///
/// # Cancellation
/// Dropping the future of a receive or send loses nothing: it has happened and was reported, or not happened.
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> landline::Result<()> {
/// use std::net::{IpAddr, Ipv4Addr};
/// use landline::IpConn;
///
/// // An echo request (RFC 792); identifier and checksum are the kernel's.
/// let conn = IpConn::ping(IpAddr::V4(Ipv4Addr::UNSPECIFIED).into())?;
/// conn.send_to(&[8, 0, 0, 0, 0, 0, 0, 1], IpAddr::V4(Ipv4Addr::LOCALHOST)).await?;
/// let mut reply = [0; 512];
/// let received = conn.recv_from(&mut reply).await?;
/// println!("{} bytes from {}", received.len, received.from);
/// # Ok(()) }
/// ```
pub struct IpConn {
    pub(super) fd: NetFd,
    rest: Box<Rest>,
}

/// On the heap, since futures hold conns by value, and a `Conn` is as large as the largest of its kinds.
struct Rest {
    protocol: Protocol,
    errors: Beside,
    pauses: Beside,
    /// Asked of the kernel at most once, and only when it matters.
    shape: OnceLock<Shape>,
    local: OnceLock<ScopedIp>,
    peer: OnceLock<ScopedIp>,
}

#[derive(Clone, Copy)]
struct Shape {
    domain: AddressFamily,
    kind: SocketType,
}

impl IpConn {
    /// `peer` where it is already known.
    pub(crate) fn new(fd: NetFd, protocol: Protocol, peer: Option<ScopedIp>) -> IpConn {
        let peer = peer.map(OnceLock::from).unwrap_or_default();
        let (errors, pauses) = (Beside::default(), Beside::default());
        let (shape, local) = (OnceLock::new(), OnceLock::new());
        IpConn { fd, rest: Box::new(Rest { protocol, errors, pauses, shape, local, peer }) }
    }

    /// A ping socket that sends from `local`, or with the wildcard address from whichever suits; to be used with
    /// [`IpConn::send_to`]. Needs no capability, but the permission of `net.ipv4.ping_group_range`.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn ping(local: ScopedIp) -> Result<IpConn> {
        let (domain, protocol, number) = match local.ip {
            std::net::IpAddr::V4(_) => (AddressFamily::INET, Protocol::ICMP, rustix::net::ipproto::ICMP),
            std::net::IpAddr::V6(_) => (AddressFamily::INET6, Protocol::ICMPV6, rustix::net::ipproto::ICMPV6),
        };
        let make = || -> Result<IpConn, Cause> {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let fd = rustix::net::socket_with(domain, SocketType::DGRAM, flags, Some(number))
                .map_err(|error| Cause::System { call: "socket", error })?;
            rustix::net::bind(&fd, &local.with_port(0))
                .map_err(|error| Cause::System { call: "bind", error })?;
            Ok(IpConn::new(NetFd::new(fd)?, protocol, None))
        };
        make().map_err(|cause| failed(Operation::Listen, protocol, cause).to_peer(Addr::from(local)))
    }

    /// Takes over a raw or ping socket, which is made non-blocking.
    ///
    /// # Errors
    /// If it is neither.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn from_owned_fd(fd: OwnedFd) -> Result<IpConn> {
        let mut protocol = Protocol(0);
        let adopt = || -> Result<IpConn, Cause> {
            let domain = sockopt::socket_domain(&fd)?;
            if domain != AddressFamily::INET && domain != AddressFamily::INET6 {
                return Err(Errno::AFNOSUPPORT.into());
            }
            let number = sockopt::socket_protocol(&fd)?.map_or(0, |number| number.as_raw().get());
            protocol = Protocol(u8::try_from(number).map_err(|_| Errno::PROTOTYPE)?);
            let ping = matches!(protocol, Protocol::ICMP | Protocol::ICMPV6);
            match sockopt::socket_type(&fd)? {
                SocketType::RAW => {}
                SocketType::DGRAM if ping => {}
                _ => return Err(Errno::PROTOTYPE.into()),
            }
            rustix::io::ioctl_fionbio(&fd, true)?;
            Ok(IpConn::new(NetFd::new(fd)?, protocol, None))
        };
        adopt().map_err(|cause| failed(Operation::Dial, protocol, cause))
    }

    /// Takes the descriptor out; it stays open and non-blocking. Fails if it was closed.
    pub fn into_owned_fd(self) -> Result<OwnedFd> {
        let protocol = self.rest.protocol;
        self.rest.errors.end();
        self.fd.into_owned_fd().map_err(|cause| failed(Operation::Set, protocol, cause))
    }

    /// Receives a packet, from the peer if the conn has one; returns its length. Over raw IPv4 it begins with the IPv4
    /// header. Fails with `EMSGSIZE` if it was longer than the buffer.
    pub async fn recv(&self, buffer: &mut [u8]) -> Result<usize> {
        self.named(Operation::Read, self.fd.recv(buffer).await)
    }

    pub(super) async fn recv_pooled(&self) -> Result<PooledBuf> {
        self.named(Operation::Read, self.fd.recv_pooled().await)
    }

    /// [`IpConn::recv`] into several buffers, in order.
    pub async fn recv_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> Result<usize> {
        self.named(Operation::Read, self.fd.recv_vectored(buffers).await)
    }

    /// Receives a packet's payload, without IP header, and tells who sent it.
    pub async fn recv_from(&self, buffer: &mut [u8]) -> Result<Received<ScopedIp>> {
        let received = async {
            let shape = self.shape()?;
            if shape.domain == AddressFamily::INET && shape.kind == SocketType::RAW {
                return self.recv_payload(buffer).await;
            }
            let message = self.fd.recv_from(buffer, RecvFlags::empty()).await?;
            Ok(Received::new(message.len, message.truncated, ScopedIp::from(sender(message.from)?)))
        };
        self.named(Operation::Read, received.await)
    }

    /// Receives the IPv4 header beside the buffer, so that it takes no room in it.
    async fn recv_payload(&self, buffer: &mut [u8]) -> Result<Received<ScopedIp>, Cause> {
        let room = buffer.len();
        let mut header = [0; SHORTEST_HEADER];
        // What the options (RFC 791 section 3.1) push out at the end of the buffer.
        let mut pushed = [0; LONGEST_HEADER - SHORTEST_HEADER];
        let Incoming { bytes, from, .. } = self
            .fd
            .recv_io(|fd| {
                let mut buffers =
                    [IoSliceMut::new(&mut header), IoSliceMut::new(buffer), IoSliceMut::new(&mut pushed)];
                sys::recv_msg(fd, &mut buffers, &mut [], RecvFlags::TRUNC)
            })
            .await?;
        let options = options_length(&header);
        let length = bytes.saturating_sub(SHORTEST_HEADER + options);
        if options > 0 {
            shift(buffer, &pushed, options);
        }
        Ok(Received::new(length.min(room), length > room, ScopedIp::from(sender(from)?)))
    }

    /// Sends a payload to the conn's peer; returns its length.
    pub async fn send(&self, payload: &[u8]) -> Result<usize> {
        self.named(Operation::Write, self.fd.send(payload).await)
    }

    /// [`IpConn::send`] of several buffers as one payload.
    pub async fn send_vectored(&self, buffers: &[IoSlice<'_>]) -> Result<usize> {
        self.named(Operation::Write, self.fd.send_vectored(buffers).await)
    }

    /// Sends a payload to `to`; returns its length.
    pub async fn send_to(&self, payload: &[u8], to: impl Into<ScopedIp>) -> Result<usize> {
        let to = to.into();
        let sent = self.fd.send_to(payload, &to.with_port(0)).await;
        sent.map_err(|cause| self.error_to(to, cause))
    }

    /// Receives a packet and what was asked to be told of it; see [`Ancillary`]. Over raw IPv4 it begins with the IPv4
    /// header.
    pub async fn recv_msg(&self, buffer: &mut [u8]) -> Result<(Received<ScopedIp>, Ancillary)> {
        let received = ip_options::recv_msg(&self.fd, buffer).await;
        let received = received.map(|(received, ancillary)| (received.map_from(ScopedIp::from), ancillary));
        self.named(Operation::Read, received)
    }

    /// Sends a payload with what is given in `ancillary`, to `to` or to the conn's peer; returns its length.
    pub async fn send_msg(
        &self,
        payload: &[u8],
        to: Option<ScopedIp>,
        ancillary: &Ancillary,
    ) -> Result<usize> {
        let sent = async {
            let version = match to {
                Some(to) => to.ip,
                None => self.peer()?.ip,
            };
            let control = ancillary.to_control(version)?;
            let to = to.map(|to| SocketAddrAny::from(to.with_port(0)));
            self.fd.send_msg(payload, to.as_ref(), &control).await
        };
        sent.await.map_err(|cause| match to {
            Some(to) => self.error_to(to, cause),
            None => self.error(Operation::Write, cause),
        })
    }

    ip_option_methods!();

    fn ip_options(&self) -> Result<IpOptions<'_>, Cause> {
        let versions = match self.shape()?.domain {
            AddressFamily::INET => Versions::V4,
            _ => Versions::V6,
        };
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

    /// The protocol in the IP header.
    pub fn protocol(&self) -> Protocol {
        self.rest.protocol
    }

    /// Whether it is a ping socket.
    pub fn is_ping(&self) -> Result<bool> {
        let shape = self.named(Operation::Set, self.shape())?;
        Ok(shape.kind == SocketType::DGRAM)
    }

    /// The identifier that a ping socket's requests carry, and the replies to them; `None` on a raw socket, where the
    /// sender chooses it. On a ping socket that is neither bound nor connected it is 0 until the first request.
    pub fn echo_id(&self) -> Result<Option<u16>> {
        if !self.is_ping()? {
            return Ok(None);
        }
        let id = self.fd.with_fd("getsockname", |fd| SocketAddr::try_from(rustix::net::getsockname(fd)?));
        self.named(Operation::Set, id.map(|addr| Some(addr.port())))
    }

    /// The local address, the wildcard address if it is bound to none.
    pub fn local_addr(&self) -> Result<ScopedIp> {
        self.local().map_err(|cause| self.error(Operation::Set, cause))
    }

    /// The peer's address; an error on a conn that has none, and on a raw socket that was taken over connected, since
    /// the kernel does not tell.
    pub fn peer_addr(&self) -> Result<ScopedIp> {
        self.peer().map_err(|cause| self.error(Operation::Set, cause))
    }

    fn local(&self) -> Result<ScopedIp, Cause> {
        if let Some(addr) = self.rest.local.get() {
            return Ok(*addr);
        }
        let addr =
            self.fd.with_fd("getsockname", |fd| SocketAddr::try_from(rustix::net::getsockname(fd)?))?;
        Ok(*self.rest.local.get_or_init(|| addr.into()))
    }

    fn peer(&self) -> Result<ScopedIp, Cause> {
        if let Some(addr) = self.rest.peer.get() {
            return Ok(*addr);
        }
        let addr = self.fd.with_fd("getpeername", |fd| {
            SocketAddr::try_from(rustix::net::getpeername(fd)?.ok_or(Errno::NOTCONN)?)
        })?;
        Ok(*self.rest.peer.get_or_init(|| addr.into()))
    }

    fn shape(&self) -> Result<Shape, Cause> {
        if let Some(shape) = self.rest.shape.get() {
            return Ok(*shape);
        }
        let shape = self.fd.with_fd("getsockopt", |fd| {
            Ok(Shape { domain: sockopt::socket_domain(fd)?, kind: sockopt::socket_type(fd)? })
        })?;
        Ok(*self.rest.shape.get_or_init(|| shape))
    }

    pub(super) fn named<T>(&self, operation: Operation, result: Result<T, Cause>) -> Result<T> {
        result.map_err(|cause| self.error(operation, cause))
    }

    #[cold]
    pub(super) fn error_to(&self, to: ScopedIp, cause: Cause) -> Error {
        failed(Operation::Write, self.rest.protocol, cause)
            .from_local(self.local().ok().map(Addr::from))
            .to_peer(Addr::from(to))
    }
}

/// For the [`Conn`](crate::Conn) that wraps it.
impl StreamConn for IpConn {
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
        buffers: &[IoSlice<'_>],
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
        failed(operation, self.rest.protocol, cause)
            .from_local(self.local().ok().map(Addr::from))
            .to_peer(self.peer().ok().map(Addr::from))
    }
}

fn failed(operation: Operation, protocol: Protocol, cause: Cause) -> Error {
    Error::new(operation, cause).on(Network::Ip(Family::Any, protocol))
}

/// IPv4 headers have at least 20 bytes, and at most 60 (RFC 791 section 3.1).
const SHORTEST_HEADER: usize = 20;
const LONGEST_HEADER: usize = 60;

/// How many bytes of options the header has that begins so.
fn options_length(header: &[u8; SHORTEST_HEADER]) -> usize {
    (usize::from(header[0] & 0x0f) * 4).saturating_sub(SHORTEST_HEADER)
}

/// Moves the bytes of `buffer` and then of `pushed` to the front by `by`.
fn shift(buffer: &mut [u8], pushed: &[u8], by: usize) {
    let kept = buffer.len().saturating_sub(by);
    let missing = buffer.len() - kept;
    buffer.copy_within(missing.., 0);
    let skipped = by - missing;
    buffer[kept..].copy_from_slice(&pushed[skipped..skipped + missing]);
}

impl AsFd for IpConn {
    /// The number stays valid for the borrow, but after a [`close`](IpConn::close) it is no longer the socket.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl std::fmt::Debug for IpConn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IpConn")
            .field("protocol", &self.rest.protocol)
            .field("local", &self.local().ok())
            .field("peer", &self.peer().ok())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_counted_in_words_of_four_bytes() {
        for (first, options) in [(0x45, 0), (0x46, 4), (0x4f, 40), (0x40, 0)] {
            let mut header = [0; SHORTEST_HEADER];
            header[0] = first;
            assert_eq!(options_length(&header), options);
        }
    }

    #[test]
    fn what_was_pushed_out_comes_back() {
        for (size, by) in [(8, 4), (8, 8), (4, 8), (8, 0), (0, 4)] {
            let all: Vec<u8> = (0..).take(size + 40).collect();
            let mut buffer = all[..size].to_vec();
            shift(&mut buffer, &all[size..], by);
            assert_eq!(buffer, all[by..by + size], "{size} bytes by {by}");
        }
    }
}
