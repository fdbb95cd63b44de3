//! An address of an interface.

use std::fmt;
use std::net::IpAddr;

use rustix::io::Errno;

use super::flags::AddrFlags;
use super::netlink::{self, Question};
use crate::addr::ScopedIp;

/// An address of an interface, with the prefix of the network it is in. Prints as `192.0.2.2/24`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InterfaceAddr {
    ip: IpAddr,
    prefix_len: u8,
    interface_index: u32,
    scope: AddrScope,
    flags: AddrFlags,
    peer: Option<IpAddr>,
    broadcast: Option<IpAddr>,
}

/// How far an address is valid, as the kernel has it (ip-address(8)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AddrScope {
    /// Everywhere.
    Global,
    /// Within the site; IPv6 only, and deprecated.
    Site,
    /// On this link: `fe80::/10`, usually `169.254.0.0/16`.
    Link,
    /// Inside this host: loopback.
    Host,
    /// A scope of the administrator's own making (`/etc/iproute2/rt_scopes`).
    Other(u8),
}

/// `sizeof(struct ifaddrmsg)`: family, prefix length, flags and scope in a byte each, and the index.
const ADDRESS_HEADER: usize = 8;
// IFA_… of linux/if_addr.h
const ADDRESS: u16 = 1;
const LOCAL: u16 = 2;
const BROADCAST: u16 = 4;
const FLAGS: u16 = 8;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

impl InterfaceAddr {
    /// The address.
    pub fn ip(&self) -> IpAddr {
        self.ip
    }

    /// The address with the zone it needs for use: the interface's index where it is a link-local IPv6 address.
    pub fn scoped(&self) -> ScopedIp {
        match self.ip {
            IpAddr::V6(ip) if ip.is_unicast_link_local() => {
                ScopedIp { ip: self.ip, scope_id: self.interface_index }
            }
            _ => ScopedIp::from(self.ip),
        }
    }

    /// The length of the network's prefix in bits.
    pub fn prefix_len(&self) -> u8 {
        self.prefix_len
    }

    /// The index of the interface it belongs to.
    pub fn interface_index(&self) -> u32 {
        self.interface_index
    }

    /// How far it is valid.
    pub fn scope(&self) -> AddrScope {
        self.scope
    }

    /// The other end of a point-to-point link, where one is set.
    pub fn peer(&self) -> Option<IpAddr> {
        self.peer
    }

    /// The network's broadcast address, where one is set.
    pub fn broadcast(&self) -> Option<IpAddr> {
        self.broadcast
    }

    /// Whether it is past its preferred lifetime, so that no new conn should use it (RFC 4862 section 5.5.4).
    pub fn is_deprecated(&self) -> bool {
        self.flags.is_deprecated()
    }

    /// Whether it cannot be used yet, because another host might have it (RFC 4862 section 5.4), or because one has.
    pub fn is_tentative(&self) -> bool {
        self.flags.is_tentative()
    }

    /// Whether it is a temporary IPv6 address, made for privacy (RFC 8981).
    pub fn is_temporary(&self) -> bool {
        self.ip.is_ipv6() && self.flags.is_temporary()
    }

    /// From the body of an `RTM_NEWADDR`.
    pub(super) fn parse(body: &[u8]) -> Option<InterfaceAddr> {
        let &[family, prefix_len, flags, scope] = body.first_chunk()?;
        let mut parsed = InterfaceAddr {
            ip: IpAddr::from([0; 4]),
            prefix_len,
            interface_index: netlink::number(body, 4)?,
            scope: AddrScope::new(scope),
            flags: AddrFlags(u32::from(flags)),
            peer: None,
            broadcast: None,
        };
        let (mut address, mut local) = (None, None);
        for (kind, value) in netlink::attributes(body, ADDRESS_HEADER) {
            match kind {
                ADDRESS => address = parse_ip(family, value),
                LOCAL => local = parse_ip(family, value),
                BROADCAST => parsed.broadcast = parse_ip(family, value),
                FLAGS => parsed.flags = AddrFlags(netlink::number(value, 0)?),
                _ => {}
            }
        }
        // Of a point-to-point link, IFA_ADDRESS is the other end; otherwise the two are the same, or one is missing.
        parsed.ip = local.or(address)?;
        parsed.peer = address.filter(|&address| address != parsed.ip);
        Some(parsed)
    }
}

/// All addresses of all interfaces.
pub(super) fn dump() -> Result<Vec<InterfaceAddr>, Errno> {
    netlink::dump(Question::Address, InterfaceAddr::parse)
}

/// The state of IPv6 addresses of this host; `None` for one that is not. Two calls, and two for their socket.
pub(crate) fn ipv6_addr_flags(addrs: &[ScopedIp]) -> Result<Vec<Option<AddrFlags>>, Errno> {
    let questions: Vec<Vec<u8>> = addrs
        .iter()
        .map(|addr| {
            let mut body = vec![AF_INET6, 0, 0, 0];
            body.extend(addr.scope_id.to_ne_bytes());
            match addr.ip {
                IpAddr::V4(ip) => netlink::push_attribute(&mut body, ADDRESS, &ip.to_ipv6_mapped().octets()),
                IpAddr::V6(ip) => netlink::push_attribute(&mut body, ADDRESS, &ip.octets()),
            }
            body
        })
        .collect();
    let answers = netlink::ask(Question::Address, &questions, InterfaceAddr::parse)?;
    Ok(answers.into_iter().map(|answer| answer.ok().map(|addr| addr.flags)).collect())
}

fn parse_ip(family: u8, value: &[u8]) -> Option<IpAddr> {
    match family {
        AF_INET => <[u8; 4]>::try_from(value).ok().map(IpAddr::from),
        AF_INET6 => <[u8; 16]>::try_from(value).ok().map(IpAddr::from),
        _ => None,
    }
}

impl AddrScope {
    /// The numbers of linux/rtnetlink.h.
    fn new(scope: u8) -> AddrScope {
        match scope {
            0 => AddrScope::Global,
            200 => AddrScope::Site,
            253 => AddrScope::Link,
            254 => AddrScope::Host,
            other => AddrScope::Other(other),
        }
    }
}

impl fmt::Display for InterfaceAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.prefix_len)
    }
}

/// The words of ip-address(8).
impl fmt::Display for AddrScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AddrScope::Global => f.write_str("global"),
            AddrScope::Site => f.write_str("site"),
            AddrScope::Link => f.write_str("link"),
            AddrScope::Host => f.write_str("host"),
            AddrScope::Other(scope) => write!(f, "{scope}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(family: u8, prefix_len: u8, scope: u8, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = vec![family, prefix_len, 0x80, scope, 0, 0, 0, 0];
        body[4..8].copy_from_slice(&7_u32.to_ne_bytes());
        for (kind, value) in attributes {
            netlink::push_attribute(&mut body, *kind, value);
        }
        body
    }

    #[test]
    fn an_ipv4_address_has_its_broadcast() {
        let body = message(
            AF_INET,
            24,
            0,
            &[(ADDRESS, &[192, 0, 2, 2]), (LOCAL, &[192, 0, 2, 2]), (BROADCAST, &[192, 0, 2, 255])],
        );
        let addr = InterfaceAddr::parse(&body).unwrap();
        assert_eq!(addr.to_string(), "192.0.2.2/24");
        assert_eq!(addr.broadcast(), Some(IpAddr::from([192, 0, 2, 255])));
        assert_eq!((addr.peer(), addr.interface_index(), addr.scope()), (None, 7, AddrScope::Global));
        assert!(!addr.is_deprecated() && !addr.is_tentative() && !addr.is_temporary());
    }

    #[test]
    fn a_point_to_point_address_has_its_peer() {
        let body = message(AF_INET, 32, 0, &[(ADDRESS, &[192, 0, 2, 9]), (LOCAL, &[192, 0, 2, 2])]);
        let addr = InterfaceAddr::parse(&body).unwrap();
        assert_eq!(addr.ip(), IpAddr::from([192, 0, 2, 2]));
        assert_eq!(addr.peer(), Some(IpAddr::from([192, 0, 2, 9])));
    }

    #[test]
    fn a_link_local_address_carries_its_zone_and_its_state() {
        let ip: std::net::Ipv6Addr = "fe80::1".parse().unwrap();
        let state = (0x80_u32 | 0x20 | 0x40 | 0x1).to_ne_bytes();
        let body = message(AF_INET6, 64, 253, &[(ADDRESS, &ip.octets()), (FLAGS, &state)]);
        let addr = InterfaceAddr::parse(&body).unwrap();
        assert_eq!(addr.scoped().to_string(), "fe80::1%7");
        assert_eq!(addr.scope(), AddrScope::Link);
        assert!(addr.is_deprecated() && addr.is_tentative() && addr.is_temporary());
    }

    #[test]
    fn messages_without_an_address_are_passed_over() {
        assert_eq!(InterfaceAddr::parse(&[]), None);
        assert_eq!(InterfaceAddr::parse(&message(AF_INET, 24, 0, &[])), None);
        assert_eq!(InterfaceAddr::parse(&message(AF_INET6, 24, 0, &[(ADDRESS, &[1, 2, 3, 4])])), None);
        assert_eq!(
            InterfaceAddr::parse(&message(AF_INET, 24, 0, &[(ADDRESS, &[1; 4]), (FLAGS, &[1])])),
            None
        );
        assert_eq!(InterfaceAddr::parse(&message(1, 24, 0, &[(ADDRESS, &[1, 2, 3, 4])])), None);
    }
}
