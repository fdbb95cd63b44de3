//! Which source address the kernel would use for a destination, found out without sending a packet.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::sources::{Kernel, Marks, plain};
use crate::addr::ScopedIp;
use crate::interface;

/// UDP sockets, opened when first needed, and connected to one destination after another. Connecting one makes the kernel
/// choose a route and with it the source address, and sends nothing.
#[derive(Default)]
pub(super) struct Sockets {
    v4: Socket,
    v6: Socket,
}

#[derive(Default)]
enum Socket {
    #[default]
    Unopened,
    Open {
        fd: OwnedFd,
        /// A connected socket keeps its source until it is disconnected.
        connected: bool,
    },
    /// The host lacks this family, or the process has no descriptor left.
    Unavailable,
}

impl Kernel for Sockets {
    fn source(&mut self, destination: ScopedIp) -> Option<ScopedIp> {
        let IpAddr::V4(ip) = destination.ip else {
            return self.v6.open(AddressFamily::INET6)?.source(destination.with_port(0));
        };
        // An IPv6 socket that is open anyway answers for IPv4 too, and spares the calls for another. It does not
        // under the sysctl net.ipv6.bindv6only, hence a refusal is not believed.
        let mapped = SocketAddr::new(ip.to_ipv6_mapped().into(), 0);
        if let Some(source) = self.v6.source(mapped) {
            return Some(source);
        }
        self.v4.open(AddressFamily::INET)?.source(destination.with_port(0))
    }

    fn marks(&mut self, sources: &[ScopedIp]) -> Vec<Marks> {
        let Ok(all) = interface::ipv6_addr_flags(sources) else {
            // Where netlink is forbidden, as in a seccomp sandbox, rules 3 and 4 have nothing to go by.
            return vec![Marks::default(); sources.len()];
        };
        all.into_iter()
            .map(|flags| match flags {
                Some(flags) => Marks { deprecated: flags.is_deprecated(), home: flags.is_home() },
                None => Marks::default(),
            })
            .collect()
    }
}

impl Socket {
    fn open(&mut self, family: AddressFamily) -> Option<&mut Socket> {
        if let Socket::Unopened = self {
            *self = match rustix::net::socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None) {
                Ok(fd) => Socket::Open { fd, connected: false },
                Err(_) => Socket::Unavailable,
            };
        }
        matches!(self, Socket::Open { .. }).then_some(self)
    }

    /// The source for `destination`; `None` if there is no route to it, or no socket to ask.
    fn source(&mut self, destination: SocketAddr) -> Option<ScopedIp> {
        let Socket::Open { fd, connected } = self else { return None };
        if *connected {
            rustix::net::connect_unspec(&*fd).ok()?;
            *connected = false;
        }
        rustix::net::connect(&*fd, &destination).ok()?;
        *connected = true;
        let source = SocketAddr::try_from(rustix::net::getsockname(&*fd).ok()?).ok()?;
        Some(plain(source)).filter(|source| !source.ip.is_unspecified())
    }
}

#[cfg(test)]
mod tests {
    use super::super::order;
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn has_ipv6_loopback() -> bool {
        std::net::UdpSocket::bind("[::1]:0").is_ok()
    }

    #[test]
    fn loopback_reaches_itself_from_itself_and_ipv6_goes_first() {
        let ordered = order(&addresses(&["127.0.0.1:80", "[::1]:80", "127.0.0.1:81"]));
        let shown: Vec<_> = ordered
            .iter()
            .map(|ordered| {
                (ordered.address.to_string(), ordered.source.map(|ip| ip.to_string()), ordered.decided_by)
            })
            .collect();
        let v4 = |port: u16| (format!("127.0.0.1:{port}"), Some("127.0.0.1".to_owned()), None);
        if has_ipv6_loopback() {
            assert_eq!(shown, [("[::1]:80".to_owned(), Some("::1".to_owned()), Some(6)), v4(80), v4(81)]);
        } else {
            let last_v4 = (v4(81).0, v4(81).1, Some(1));
            assert_eq!(shown, [v4(80), last_v4, ("[::1]:80".to_owned(), None, None)]);
        }
    }

    /// The source of one destination must not stick to the socket when it is asked for the next.
    #[test]
    fn a_reused_socket_chooses_anew() {
        let own: Vec<ScopedIp> = interface::interfaces()
            .unwrap()
            .iter()
            .filter(|interface| interface.flags().is_up())
            .flat_map(|interface| interface.addrs().unwrap())
            .filter(|addr| !addr.is_tentative())
            .map(|addr| addr.scoped())
            .collect();
        let mut sockets = Sockets::default();
        for round in 0..2 {
            for &ip in &own {
                assert_eq!(sockets.source(ip), Some(ip), "in round {round}, one of {own:?}");
            }
        }
        let mut v4 = Sockets::default();
        for &ip in own.iter().filter(|own| own.ip.is_ipv4()) {
            assert_eq!(v4.source(ip), Some(ip), "without an IPv6 socket, one of {own:?}");
        }
    }

    #[test]
    fn addresses_without_a_route_have_no_source() {
        // A link-local destination needs a zone (RFC 4007 section 6).
        let ordered = order(&addresses(&["[fe80::1]:80", "127.0.0.1:80"]));
        assert_eq!(ordered[0].address, "127.0.0.1:80".parse().unwrap());
        assert_eq!(ordered[0].decided_by, Some(1));
        assert_eq!(ordered[1].source, None);
    }
}
