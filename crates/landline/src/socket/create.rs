//! `socket()`, `bind()` and `listen()`.

use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, Protocol, SocketFlags, SocketType};

use super::traced::Traced;
use crate::addr::Addr;
use crate::error::Cause;
use crate::network::{Network, Protocol as IpProtocol, UnixKind};

/// MPTCP, RFC 8684; in the kernel since 5.6.
const IPPROTO_MPTCP: u32 = 262;

/// Makes the socket on which `network` reaches, or listens at, `addr`. MPTCP falls back to TCP where the kernel has
/// it not or forbids it.
pub(crate) fn create(
    network: Network,
    addr: &Addr,
    mptcp: bool,
    traced: Traced<'_>,
) -> Result<OwnedFd, Cause> {
    let family = match addr {
        Addr::Unix(_) => AddressFamily::UNIX,
        _ if addr.ip().is_some_and(|ip| ip.is_ipv4()) => AddressFamily::INET,
        _ => AddressFamily::INET6,
    };
    let (kind, protocol) = match network {
        Network::Tcp(_) => (SocketType::STREAM, None),
        Network::Udp(_) => (SocketType::DGRAM, None),
        Network::Ip(_, protocol) => (SocketType::RAW, protocol_of(u32::from(protocol.0))),
        Network::Unix(UnixKind::Stream) => (SocketType::STREAM, None),
        Network::Unix(UnixKind::Datagram) => (SocketType::DGRAM, None),
        Network::Unix(UnixKind::Seqpacket) => (SocketType::SEQPACKET, None),
    };
    if mptcp && matches!(network, Network::Tcp(_)) {
        match socket(family, kind, protocol_of(IPPROTO_MPTCP), "MPTCP", traced) {
            Ok(fd) => return Ok(fd),
            Err(Cause::System {
                error: error @ (Errno::PROTONOSUPPORT | Errno::NOPROTOOPT | Errno::PERM | Errno::INVAL),
                ..
            }) => traced.fell_back(|| format!("TCP in place of MPTCP: {}", crate::error::errno_text(error))),
            Err(cause) => return Err(cause),
        }
    }
    let made = socket(family, kind, protocol, network.base_name(), traced);
    match (network, &made) {
        // The kernel lets some who may not open raw sockets send echo requests (icmp(7)). Where it does not, the first
        // error says best what is missing.
        (Network::Ip(_, IpProtocol::ICMP | IpProtocol::ICMPV6), Err(Cause::System { error, .. }))
            if *error == Errno::PERM =>
        {
            let ping = socket(family, SocketType::DGRAM, protocol, "ping", traced);
            if ping.is_ok() {
                traced
                    .fell_back(|| "a ping socket in place of a raw one: operation not permitted".to_owned());
            }
            ping.or(made)
        }
        _ => made,
    }
}

fn socket(
    family: AddressFamily,
    kind: SocketType,
    protocol: Option<Protocol>,
    what: &str,
    traced: Traced<'_>,
) -> Result<OwnedFd, Cause> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let result = rustix::net::socket_with(family, kind, flags, protocol);
    let detail = || {
        let family = match family {
            AddressFamily::INET => "IPv4 ",
            AddressFamily::INET6 => "IPv6 ",
            _ => "",
        };
        format!("{family}{what}")
    };
    traced.call("socket", detail, result)
}

/// Zero stands for none, which the kernel refuses for raw sockets.
fn protocol_of(number: u32) -> Option<Protocol> {
    std::num::NonZeroU32::new(number).map(Protocol::from_raw)
}

/// Binds to a local address.
pub(crate) fn bind(fd: &impl AsFd, addr: &Addr, traced: Traced<'_>) -> Result<(), Cause> {
    let result = match addr {
        Addr::Socket(addr) => rustix::net::bind(fd, addr),
        Addr::Ip(addr) => rustix::net::bind(fd, &addr.with_port(0)),
        Addr::Unix(addr) => addr.to_raw().and_then(|raw| rustix::net::bind(fd, &raw)),
        Addr::Pipe => Err(Errno::AFNOSUPPORT),
    };
    traced.call("bind", || addr.to_string(), result)
}

/// Makes it listen.
pub(crate) fn listen(fd: &impl AsFd, backlog: u32, traced: Traced<'_>) -> Result<(), Cause> {
    let result = rustix::net::listen(fd, i32::try_from(backlog).unwrap_or(i32::MAX));
    traced.call("listen", || format!("backlog {backlog}"), result)
}
