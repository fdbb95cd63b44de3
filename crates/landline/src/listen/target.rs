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

    #[test]
    fn wildcards_and_literals() {
        let shown = |family, host: Option<&str>| -> Vec<String> {
            binds(family, host.map(|host| host.parse::<IpAddr>().unwrap().into()))
                .iter()
                .map(|bind| format!("{} {:?}", bind.ip, bind.reach))
                .collect()
        };
        assert_eq!(shown(Family::Any, None), [":: Both", "0.0.0.0 OneFamily"]);
        assert_eq!(shown(Family::V4, None), ["0.0.0.0 OneFamily"]);
        assert_eq!(shown(Family::V6, None), [":: OneFamily"]);
        assert_eq!(shown(Family::Any, Some("::")), [":: Both"]);
        assert_eq!(shown(Family::V6, Some("::")), [":: OneFamily"]);
        assert_eq!(shown(Family::Any, Some("0.0.0.0")), ["0.0.0.0 OneFamily"]);
        assert_eq!(shown(Family::Any, Some("::1")), ["::1 OneFamily"]);
    }
}
