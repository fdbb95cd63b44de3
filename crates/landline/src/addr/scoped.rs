//! An IP address with its zone.

use std::fmt;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::str::FromStr;

use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::{AddressError, AddressErrorKind};

/// An IP address with the zone that a link-local IPv6 address needs (RFC 4007).
///
/// In text the zone follows a `%`, as the interface's name or its index.
///
/// ```
/// use landline::ScopedIp;
///
/// let ip: ScopedIp = "fe80::1%lo".parse().unwrap();
/// assert_eq!(ip.to_string(), format!("fe80::1%{}", ip.scope_id));
/// assert_eq!("fe80::1%nonesuch0".parse::<ScopedIp>().unwrap_err().to_string(),
///            "address fe80::1%nonesuch0: no interface for zone \"nonesuch0\"");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScopedIp {
    /// The address.
    pub ip: IpAddr,
    /// The interface index of the zone, 0 for none; always 0 for IPv4.
    pub scope_id: u32,
}

impl ScopedIp {
    /// This address with a port.
    pub fn with_port(self, port: u16) -> SocketAddr {
        match self.ip {
            IpAddr::V4(ip) => SocketAddr::from((ip, port)),
            IpAddr::V6(ip) => SocketAddr::V6(SocketAddrV6::new(ip, port, 0, self.scope_id)),
        }
    }
}

impl From<IpAddr> for ScopedIp {
    fn from(ip: IpAddr) -> ScopedIp {
        ScopedIp { ip, scope_id: 0 }
    }
}

/// Drops the port.
impl From<SocketAddr> for ScopedIp {
    fn from(addr: SocketAddr) -> ScopedIp {
        match addr {
            SocketAddr::V4(addr) => ScopedIp { ip: IpAddr::V4(*addr.ip()), scope_id: 0 },
            SocketAddr::V6(addr) => ScopedIp { ip: IpAddr::V6(*addr.ip()), scope_id: addr.scope_id() },
        }
    }
}

/// The address, with `%index` where it has a zone.
impl fmt::Display for ScopedIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scope_id {
            0 => write!(f, "{}", self.ip),
            zone => write!(f, "{}%{zone}", self.ip),
        }
    }
}

/// Without a zone nothing is asked of the kernel. A zone is the name of an interface of this host, or else an index,
/// which is taken as it is, whether or not it is in use.
impl FromStr for ScopedIp {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<ScopedIp, AddressError> {
        ScopedIp::parse_literal(text).unwrap_or_else(|| {
            Err(AddressError::new(text, AddressErrorKind::Invalid("not an IP address".to_owned())))
        })
    }
}

/// Finds the index of the interface that a zone names, or whose number it is.
pub(crate) type ZoneIndex<'a> = &'a dyn Fn(&str) -> Option<u32>;

impl ScopedIp {
    /// The address that `text` writes out, with or without a zone; `None` for any other text, which may then be a name.
    ///
    /// As in Go, only the dotted quad of decimal numbers without leading zeros is an IPv4 address: what `inet_aton`
    /// makes of `10.1` or `010.0.0.1` depends on whom one asks.
    pub(crate) fn parse_literal(text: &str) -> Option<Result<ScopedIp, AddressError>> {
        ScopedIp::parse_literal_in(text, &zone_index)
    }

    /// The same on a host whose interfaces are those that `zone_index` knows.
    pub(crate) fn parse_literal_in(
        text: &str,
        zone_index: ZoneIndex<'_>,
    ) -> Option<Result<ScopedIp, AddressError>> {
        let Some((ip, zone)) = text.split_once('%') else {
            return text.parse::<IpAddr>().ok().map(|ip| Ok(ip.into()));
        };
        let ip: IpAddr = ip.parse().ok()?;
        let refuse = |kind| Err(AddressError::new(text, kind));
        if ip.is_ipv4() {
            return Some(refuse(AddressErrorKind::Invalid("an IPv4 address has no zone".to_owned())));
        }
        Some(match zone_index(zone) {
            Some(scope_id) => Ok(ScopedIp { ip, scope_id }),
            None => refuse(AddressErrorKind::UnknownZone(zone.to_owned())),
        })
    }
}

/// The index of the interface of this host that a zone names, or else the number that it is. The name goes first,
/// because an interface may be called `2`.
pub(crate) fn zone_index(zone: &str) -> Option<u32> {
    if zone.is_empty() {
        return None;
    }
    // netdevice(7): any socket will do; unlike one for IP, a Unix socket can always be had.
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None);
    if let Ok(index) = socket.and_then(|socket| rustix::net::netdevice::name_to_index(&socket, zone)) {
        return Some(index);
    }
    // No interface has the index 0.
    let is_number = zone.bytes().all(|byte| byte.is_ascii_digit());
    zone.parse().ok().filter(|&index| is_number && index != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ScopedIp, String> {
        text.parse::<ScopedIp>().map_err(|error| error.to_string())
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_without_a_zone_have_scope_zero() {
        for text in ["127.0.0.1", "::1", "fe80::1", "::ffff:192.0.2.1"] {
            assert_eq!(parse(text), Ok(ScopedIp { ip: ip(text), scope_id: 0 }));
        }
    }

    #[test]
    fn a_zone_is_the_name_of_an_interface_or_a_number() {
        let lo = std::fs::read_to_string("/sys/class/net/lo/ifindex").unwrap().trim().parse().unwrap();
        for (text, scope_id) in [
            ("fe80::1%lo", lo),
            ("ff02::1%lo", lo),
            ("::1%lo", lo),
            ("fe80::1%2", 2),
            ("fe80::1%4294967295", u32::MAX),
        ] {
            let (without, _) = text.split_once('%').unwrap();
            assert_eq!(parse(text), Ok(ScopedIp { ip: ip(without), scope_id }), "{text}");
        }
    }

    #[test]
    fn a_zone_that_is_no_interface_is_refused_by_name() {
        for zone in [
            "nonesuch0",
            "",
            "lo%lo",
            "0",
            "-1",
            "+1",
            "4294967296",
            "a-name-longer-than-an-interface-has",
            "l\0o",
            "lo ",
        ] {
            let text = format!("fe80::1%{zone}");
            let error = text.parse::<ScopedIp>().unwrap_err();
            assert_eq!(error.kind(), &AddressErrorKind::UnknownZone(zone.to_owned()));
            assert_eq!(error.address(), text);
        }
    }

    #[test]
    fn ipv4_has_no_zones() {
        assert_eq!(
            parse("127.0.0.1%lo"),
            Err("address 127.0.0.1%lo: an IPv4 address has no zone".to_owned())
        );
    }

    #[test]
    fn what_is_no_address_is_told_apart_from_an_address_with_a_bad_zone() {
        for name in ["", "localhost", "%lo", "localhost%lo", "1.2.3", "01.2.3.4", "[::1]", "::1::", "127.1"] {
            assert_eq!(ScopedIp::parse_literal(name), None, "{name}");
            assert_eq!(parse(name).unwrap_err().rsplit(": ").next(), Some("not an IP address"));
        }
        assert!(ScopedIp::parse_literal("fe80::1%nonesuch0").is_some_and(|parsed| parsed.is_err()));
    }

    #[test]
    fn what_is_printed_is_parsed_again() {
        for scoped in [ScopedIp { ip: ip("fe80::1"), scope_id: 77 }, ip("192.0.2.1").into()] {
            assert_eq!(parse(&scoped.to_string()), Ok(scoped));
        }
    }
}
