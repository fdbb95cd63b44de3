//! One attempt at one address: the only place where a dial makes a socket. DNS queries come straight here.

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt;

use crate::addr::Addr;
use crate::error::{Cause, Error, Operation, Result};
use crate::explain::{Explainer, What};
use crate::fd::NetFd;
use crate::network::Network;
use crate::socket::{self, BoundPath, Handshake, SocketOptions, Traced};
use crate::sys;

/// How often a TCP socket that connected to itself is tried again; two retries, as in Go.
const SELF_CONNECT_RETRIES: u32 = 2;

/// What an attempt needs besides its address.
#[derive(Clone, Copy)]
pub(crate) struct Single<'a> {
    pub(crate) network: Network,
    pub(crate) local: Option<&'a Addr>,
    pub(crate) options: &'a SocketOptions,
    pub(crate) explainer: &'a Explainer,
}

/// What a successful attempt gives.
pub(crate) struct Connected {
    pub(crate) fd: NetFd,
    /// The file of a Unix socket bound to a path of its own; removed with a failed attempt.
    pub(crate) bound: Option<BoundPath>,
}

impl Single<'_> {
    /// Makes the socket, connects it and registers it with the reactor. Dropping the future closes it.
    pub(crate) async fn connect(&self, attempt: u32, peer: &Addr) -> Result<Connected> {
        self.try_connect(Traced { explainer: self.explainer, attempt }, peer).await.map_err(|cause| {
            Error::new(Operation::Dial, cause)
                .on(self.network)
                .from_local(self.local.cloned())
                .to_peer(peer.clone())
        })
    }

    async fn try_connect(&self, traced: Traced<'_>, peer: &Addr) -> Result<Connected, Cause> {
        let mut retries = 0;
        loop {
            let fd = socket::create(self.network, peer, self.options.mptcp, traced)?;
            self.options.apply(self.network, peer, &fd, traced)?;
            if self.options.fast_open && matches!(self.network, Network::Tcp(_)) {
                // Asked for "with fallback": without it the handshake is an ordinary one.
                if let Err(Cause::System { error, .. }) =
                    traced.require("TCP_FASTOPEN_CONNECT", sys::set_fast_open_connect(&fd))
                {
                    let text = crate::error::errno_text(error);
                    traced.fell_back(|| format!("ordinary handshake in place of TCP Fast Open: {text}"));
                }
            }
            let mut bound = None;
            if let Some(local) = self.local {
                if local.port() == Some(0) {
                    // The kernel then takes the peer into account when it chooses the port (ip(7)).
                    traced.prefer("IP_BIND_ADDRESS_NO_PORT", sys::set_bind_address_no_port(&fd));
                }
                socket::bind(&fd, local, traced)?;
                bound = local.as_unix().and_then(BoundPath::of);
            }
            let (fd, handshake) = socket::connect(fd, peer, traced).await?;
            if handshake == Handshake::Answered || !self.connected_to_itself(&fd, peer, traced) {
                return Ok(Connected { fd, bound });
            }
            traced.explainer.tell(|| What::SelfConnect { attempt: traced.attempt });
            // Without a lasting TIME-WAIT, which would keep the next attempt, and others, from the port.
            let _ = fd.with_fd("setsockopt", |fd| sockopt::set_socket_linger(fd, Some(Duration::ZERO)));
            if retries == SELF_CONNECT_RETRIES {
                // Nobody listens there, or the kernel would not have given the port away.
                return Err(Cause::System { call: "connect", error: Errno::CONNREFUSED });
            }
            retries += 1;
        }
    }

    /// TCP allows two ends to open one connection at the same time (RFC 9293 section 3.5), and on one host the two
    /// can be one socket: dialing a local port at which nobody listens succeeds when the kernel happens to give the
    /// socket that very port. Only a port that the kernel hands out can be hit, so elsewhere only then is it looked
    /// at; a host's own address is not told from a stranger's without asking.
    fn connected_to_itself(&self, fd: &NetFd, peer: &Addr, traced: Traced<'_>) -> bool {
        let (Network::Tcp(_), Some(peer)) = (self.network, peer.as_socket()) else { return false };
        let bound = self.local.and_then(Addr::port).is_some_and(|port| port != 0);
        // A control hook may have bound the socket to any port.
        let possible =
            peer.ip().is_loopback() || self.options.control.is_some() || is_handed_out(peer.port());
        if bound || !possible {
            return false;
        }
        let local = fd.with_open(|fd| {
            let local = rustix::net::getsockname(fd).and_then(SocketAddr::try_from);
            let detail = || local.map_or_else(|_| String::new(), |local| local.to_string());
            traced.call("getsockname", detail, local)
        });
        local.is_ok_and(|local| local.port() == peer.port() && local.ip() == peer.ip())
    }
}

/// Whether the kernel gives this port to a socket that is not bound (`net.ipv4.ip_local_port_range`, ip(7)). A connect
/// takes every second port, for as long as one of them is free, but then the others as well.
fn is_handed_out(port: u16) -> bool {
    static RANGE: OnceLock<(u16, u16)> = OnceLock::new();
    let &(low, high) = RANGE.get_or_init(|| {
        std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
            .ok()
            .and_then(|text| parse_range(&text))
            .unwrap_or((1, u16::MAX))
    });
    (low..=high).contains(&port)
}

fn parse_range(text: &str) -> Option<(u16, u16)> {
    let mut numbers = text.split_whitespace().map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_port_range_is_read() {
        assert_eq!(parse_range("32768\t60999\n"), Some((32768, 60999)));
        assert_eq!(parse_range("x"), None);
        assert_eq!(parse_range("1"), None);
    }
}
