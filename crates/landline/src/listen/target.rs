//! Where to listen: pure code, no lookup and no socket.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::addr::ScopedIp;
use crate::network::Family;

/// Where to bind, and for IPv6 whether IPv4 is to be heard too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bind {
    pub(crate) ip: ScopedIp,
    pub(crate) reach: Reach,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// One family: IPv4, or IPv6 alone (`IPV6_V6ONLY`).
    OneFamily,
    /// IPv6, and IPv4 by IPv4-mapped addresses (RFC 3493 section 3.7), whatever `net.ipv6.bindv6only` says.
    Both,
}

/// The ways to bind, best first: the second is for a host that has no IPv6.
///
/// No host means the wildcard address: of both families where the network admits both, of the network's otherwise.
/// `[::]` on a network of both families hears both, as in Go; `0.0.0.0` is IPv4 and no more, as operators who write
/// it mean (Go would hear both).
pub(crate) fn binds(family: Family, host: Option<ScopedIp>) -> Vec<Bind> {
    let one = |ip: ScopedIp| Bind { ip, reach: Reach::OneFamily };
    let v4 = IpAddr::V4(Ipv4Addr::UNSPECIFIED).into();
    let v6 = IpAddr::V6(Ipv6Addr::UNSPECIFIED).into();
    match (host, family) {
        (None, Family::V4) => vec![one(v4)],
        (None, Family::V6) => vec![one(v6)],
        (None, Family::Any) => vec![Bind { ip: v6, reach: Reach::Both }, one(v4)],
        (Some(ip), Family::Any) if ip == v6 => vec![Bind { ip, reach: Reach::Both }],
        (Some(ip), _) => vec![one(ip)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::admitted;

    /// What a listener for a literal or an empty host is bound to.
    fn bound(family: Family, host: &str) -> String {
        let host = match host {
            "" => None,
            literal => match admitted(family, literal.parse::<IpAddr>().unwrap().into()) {
                Some(ip) => Some(ip),
                None => return "refused".to_owned(),
            },
        };
        let Bind { ip, reach } = binds(family, host)[0];
        match reach {
            Reach::Both => format!("{ip} and IPv4"),
            Reach::OneFamily => ip.to_string(),
        }
    }

    /// What the sockets of Go 1.27.3 are bound to after `net.Listen` and `net.ListenPacket` of these (getsockname(2),
    /// and IPV6_V6ONLY, which matters to a wildcard only).
    #[test]
    fn literals_and_wildcards_are_bound_as_in_go() {
        for (host, any, v4, v6) in [
            ("", ":: and IPv4", "0.0.0.0", "::"),
            ("::", ":: and IPv4", "0.0.0.0", "::"),
            ("127.0.0.1", "127.0.0.1", "127.0.0.1", "refused"),
            ("::1", "::1", "refused", "::1"),
            ("::ffff:127.0.0.1", "127.0.0.1", "127.0.0.1", "refused"),
        ] {
            for (family, is) in [(Family::Any, any), (Family::V4, v4), (Family::V6, v6)] {
                assert_eq!(bound(family, host), is, "{family:?} {host:?}");
            }
        }
    }

    /// Go binds `:: and IPv4` on a network of both families; see [`binds`].
    #[test]
    fn the_wildcard_of_ipv4_is_ipv4_alone() {
        for host in ["0.0.0.0", "::ffff:0.0.0.0"] {
            assert_eq!(bound(Family::Any, host), "0.0.0.0");
            assert_eq!(bound(Family::V4, host), "0.0.0.0");
            assert_eq!(bound(Family::V6, host), "refused");
        }
    }

    #[test]
    fn only_an_empty_host_has_a_second_choice() {
        for family in [Family::Any, Family::V4, Family::V6] {
            for host in [None, Some("::"), Some("0.0.0.0"), Some("::1")] {
                let host = host.map(|host| ScopedIp::from(host.parse::<IpAddr>().unwrap()));
                let second = binds(family, host).get(1).map(|bind| bind.ip.to_string());
                let expected = (family == Family::Any && host.is_none()).then(|| "0.0.0.0".to_owned());
                assert_eq!(second, expected, "{family:?} {host:?}");
            }
        }
    }
}
