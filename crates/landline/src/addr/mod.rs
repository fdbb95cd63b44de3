//! Addresses: what a conn is bound to or talks to, and the text forms they are given in.

mod host_port;
mod scoped;
mod target;
mod unix;

use std::fmt;
use std::net::{IpAddr, SocketAddr};

pub use host_port::{AddressError, AddressErrorKind, join_host_port, split_host_port};
pub use scoped::ScopedIp;
pub(crate) use scoped::{ZoneIndex, zone_index};
pub use unix::UnixAddr;

pub(crate) use target::{Host, Port, Target, admitted};

/// One end of a conn, of any network.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Addr {
    /// TCP or UDP: an IP address, its scope, and a port.
    Socket(SocketAddr),
    /// Raw IP: an address without a port.
    Ip(ScopedIp),
    /// A Unix domain socket.
    Unix(UnixAddr),
    /// One end of an in-memory [`pipe`](crate::pipe).
    Pipe,
}

impl Addr {
    /// The socket address, for TCP and UDP.
    pub fn as_socket(&self) -> Option<SocketAddr> {
        match self {
            Addr::Socket(addr) => Some(*addr),
            _ => None,
        }
    }

    /// The IP address, for TCP, UDP and raw IP.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Addr::Socket(addr) => Some(addr.ip()),
            Addr::Ip(addr) => Some(addr.ip),
            _ => None,
        }
    }

    /// The port, for TCP and UDP.
    pub fn port(&self) -> Option<u16> {
        self.as_socket().map(|addr| addr.port())
    }

    /// The Unix address, for Unix sockets.
    pub fn as_unix(&self) -> Option<&UnixAddr> {
        match self {
            Addr::Unix(addr) => Some(addr),
            _ => None,
        }
    }
}

/// `192.0.2.1:80`, `[2001:db8::1]:80`, `192.0.2.1`, `/run/socket`, `@abstract`, `pipe`.
impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Addr::Socket(addr) => addr.fmt(f),
            Addr::Ip(addr) => addr.fmt(f),
            Addr::Unix(addr) => addr.fmt(f),
            Addr::Pipe => f.write_str("pipe"),
        }
    }
}

impl From<SocketAddr> for Addr {
    fn from(addr: SocketAddr) -> Addr {
        Addr::Socket(addr)
    }
}

impl From<ScopedIp> for Addr {
    fn from(addr: ScopedIp) -> Addr {
        Addr::Ip(addr)
    }
}

impl From<UnixAddr> for Addr {
    fn from(addr: UnixAddr) -> Addr {
        Addr::Unix(addr)
    }
}

/// The IPv4-mapped form of an IPv6 socket address turned into plain IPv4; anything else unchanged.
pub(crate) fn canonical(addr: SocketAddr) -> SocketAddr {
    match addr.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::from((ip, addr.port())),
        IpAddr::V6(_) => addr,
    }
}
