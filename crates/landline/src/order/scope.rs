//! How far an address reaches (RFC 6724 section 3.1).

use std::net::{IpAddr, Ipv6Addr};

/// The scopes of RFC 4007, the nearest first; their numbers are those of multicast addresses (RFC 4291 section 2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Scope(pub(super) u8);

impl Scope {
    pub(super) const LINK_LOCAL: Scope = Scope(0x2);
    pub(super) const SITE_LOCAL: Scope = Scope(0x5);
    pub(super) const GLOBAL: Scope = Scope(0xe);

    /// The scope of an address. Loopback counts as link-local (section 3.4), and so do the link-local addresses of
    /// IPv4; private IPv4 addresses and those of RFC 4193 are global (sections 3.1 and 3.2).
    pub(super) fn of(ip: IpAddr) -> Scope {
        match ip {
            IpAddr::V4(ip) if ip.is_loopback() || ip.is_link_local() => Scope::LINK_LOCAL,
            IpAddr::V4(_) => Scope::GLOBAL,
            IpAddr::V6(ip) if ip.is_multicast() => Scope(ip.octets()[1] & 0xf),
            IpAddr::V6(ip) if ip.is_loopback() || ip.is_unicast_link_local() => Scope::LINK_LOCAL,
            IpAddr::V6(ip) if is_site_local(ip) => Scope::SITE_LOCAL,
            IpAddr::V6(_) => Scope::GLOBAL,
        }
    }
}

/// `fec0::/10`, deprecated by RFC 3879 and still told apart by RFC 6724.
fn is_site_local(ip: Ipv6Addr) -> bool {
    ip.segments()[0] & 0xffc0 == 0xfec0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_of_unicast_and_multicast_addresses() {
        for (ip, scope) in [
            ("127.0.0.1", Scope::LINK_LOCAL),
            ("169.254.13.78", Scope::LINK_LOCAL),
            ("10.1.2.3", Scope::GLOBAL),
            ("100.64.0.1", Scope::GLOBAL),
            ("198.51.100.1", Scope::GLOBAL),
            ("::1", Scope::LINK_LOCAL),
            ("fe80::1", Scope::LINK_LOCAL),
            ("febf::1", Scope::LINK_LOCAL),
            ("fec0::1", Scope::SITE_LOCAL),
            ("feff::1", Scope::SITE_LOCAL),
            ("fd00::1", Scope::GLOBAL),
            ("2001:db8::1", Scope::GLOBAL),
            ("ff01::1", Scope(0x1)),
            ("ff02::1", Scope::LINK_LOCAL),
            ("ff05::1", Scope::SITE_LOCAL),
            ("ff18::1", Scope(0x8)),
            ("ff0e::1", Scope::GLOBAL),
        ] {
            assert_eq!(Scope::of(ip.parse().unwrap()), scope, "{ip}");
        }
    }
}
