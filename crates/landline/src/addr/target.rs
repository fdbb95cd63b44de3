//! What an address means on a network: pure code, no lookup.

use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{AddressError, AddressErrorKind, ScopedIp, UnixAddr, split_host_port};
use crate::network::{Family, Network};

/// Where a dial is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Unix(UnixAddr),
    /// A descriptor this process already has: `fd:N` or `systemd:NAME`.
    Inherited,
    Host {
        host: Host,
        port: Port,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Literal(ScopedIp),
    Name(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    Number(u16),
    /// A service name, to be looked up.
    Service(String),
}

impl Target {
    /// Reads `host:port` for TCP and UDP, a host for raw IP, and a path or `@name` for Unix sockets.
    ///
    /// An empty or wildcard host means this host: the loopback address of the wildcard's family, or of the network's;
    /// IPv4 where both will do, as in Go.
    pub(crate) fn parse(network: Network, address: &str) -> Result<Target, AddressError> {
        let refuse = |kind| Err(AddressError::new(address, kind));
        if address.starts_with("fd:") || address.starts_with("systemd:") {
            return Ok(Target::Inherited);
        }
        if address.is_empty() {
            return refuse(AddressErrorKind::Missing);
        }
        let (family, host, port) = match network {
            Network::Unix(_) => {
                return match UnixAddr::parse(OsStr::new(address))? {
                    UnixAddr::Unnamed => refuse(AddressErrorKind::Missing),
                    addr => Ok(Target::Unix(addr)),
                };
            }
            Network::Ip(family, _) => (family, address, Port::Number(0)),
            Network::Tcp(family) | Network::Udp(family) => {
                let (host, port) = split_host_port(address)?;
                (family, host, Port::parse(port, address)?)
            }
        };
        let host = match Host::parse(host)? {
            Host::Literal(ip) => Host::Literal(
                admitted(family, ip)
                    .map(loopback_for_wildcard)
                    .ok_or_else(|| AddressError::new(host, AddressErrorKind::NoSuitableAddress))?,
            ),
            Host::Name(name) if name.is_empty() => Host::Literal(match family {
                Family::V6 => IpAddr::V6(Ipv6Addr::LOCALHOST).into(),
                Family::Any | Family::V4 => IpAddr::V4(Ipv4Addr::LOCALHOST).into(),
            }),
            name => name,
        };
        Ok(Target::Host { host, port })
    }
}

impl Host {
    /// An IP literal with or without a zone, or anything else as a name.
    pub(crate) fn parse(host: &str) -> Result<Host, AddressError> {
        match ScopedIp::parse_literal(host) {
            Some(literal) => literal.map(Host::Literal),
            None => Ok(Host::Name(host.to_owned())),
        }
    }
}

impl Port {
    /// A number from 0 to 65535, empty for 0, or a service name; `address` is what an error names.
    pub(crate) fn parse(port: &str, address: &str) -> Result<Port, AddressError> {
        let numeric = port.bytes().all(|byte| byte.is_ascii_digit());
        match port.parse() {
            _ if port.is_empty() => Ok(Port::Number(0)),
            Ok(number) if numeric => Ok(Port::Number(number)),
            _ if numeric || port.starts_with(['+', '-']) => {
                Err(AddressError::new(address, AddressErrorKind::UnknownPort(port.to_owned())))
            }
            _ => Ok(Port::Service(port.to_owned())),
        }
    }
}

/// The address in the form that `family` uses, IPv4-mapped ones as IPv4; `None` if the family has it not. The wildcard
/// `::` stands for that of IPv4 too, as in Go.
pub(crate) fn admitted(family: Family, ip: ScopedIp) -> Option<ScopedIp> {
    match ip.ip.to_canonical() {
        IpAddr::V6(wildcard) if wildcard.is_unspecified() && family == Family::V4 => {
            Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED).into())
        }
        canonical if !family.admits(canonical) => None,
        IpAddr::V4(v4) => Some(IpAddr::V4(v4).into()),
        IpAddr::V6(_) => Some(ip),
    }
}

fn loopback_for_wildcard(ip: ScopedIp) -> ScopedIp {
    match ip.ip {
        ip if !ip.is_unspecified() => {}
        IpAddr::V4(_) => return IpAddr::V4(Ipv4Addr::LOCALHOST).into(),
        IpAddr::V6(_) => return IpAddr::V6(Ipv6Addr::LOCALHOST).into(),
    }
    ip
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialed(network: &str, address: &str) -> String {
        match Target::parse(network.parse().unwrap(), address) {
            Ok(Target::Host { host: Host::Literal(ip), port: Port::Number(port) }) => {
                ip.with_port(port).to_string()
            }
            Ok(Target::Host { host: Host::Literal(ip), port: Port::Service(service) }) => {
                format!("{ip} {service}")
            }
            Ok(Target::Host { host: Host::Name(name), .. }) => format!("name {name}"),
            Ok(Target::Unix(addr)) => format!("unix {addr}"),
            Ok(Target::Inherited) => "inherited".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    /// The peers that Go 1.27.3's sockets have (getpeername(2)) after `net.Dial` of these, and its refusals.
    ///
    /// One differs: of `[::]` on a network of both families Go tries 127.0.0.1 too, after ::1.
    #[test]
    fn wildcards_and_mapped_addresses_mean_what_they_mean_in_go() {
        let unsuitable = |host: &str| format!("address {host}: no suitable address found");
        for (address, any, v4, v6) in [
            (":9", "127.0.0.1:9", "127.0.0.1:9", "[::1]:9"),
            ("[]:9", "127.0.0.1:9", "127.0.0.1:9", "[::1]:9"),
            ("0.0.0.0:9", "127.0.0.1:9", "127.0.0.1:9", &*unsuitable("0.0.0.0")),
            ("[::]:9", "[::1]:9", "127.0.0.1:9", "[::1]:9"),
            ("127.0.0.1:9", "127.0.0.1:9", "127.0.0.1:9", &unsuitable("127.0.0.1")),
            ("[::1]:9", "[::1]:9", &unsuitable("::1"), "[::1]:9"),
            ("[::ffff:127.0.0.1]:9", "127.0.0.1:9", "127.0.0.1:9", &unsuitable("::ffff:127.0.0.1")),
            ("[::ffff:0.0.0.0]:9", "127.0.0.1:9", "127.0.0.1:9", &unsuitable("::ffff:0.0.0.0")),
            ("", "missing address", "missing address", "missing address"),
        ] {
            for base in ["tcp", "udp"] {
                for (suffix, meaning) in [("", any), ("4", v4), ("6", v6)] {
                    let network = format!("{base}{suffix}");
                    assert_eq!(dialed(&network, address), meaning, "{network} {address}");
                }
            }
        }
    }

    #[test]
    fn addresses_and_what_they_mean() {
        for (network, address, meaning) in [
            ("tcp", "127.0.0.1:80", "127.0.0.1:80"),
            ("tcp", "[::1]:80", "[::1]:80"),
            ("tcp", "127.0.0.1:http", "127.0.0.1 http"),
            ("tcp", "example.com:80", "name example.com"),
            ("tcp", "127.0.0.1:", "127.0.0.1:0"),
            ("tcp", "127.0.0.1:65536", "address 127.0.0.1:65536: unknown port \"65536\""),
            ("tcp", "127.0.0.1:-1", "address 127.0.0.1:-1: unknown port \"-1\""),
            ("tcp", "127.0.0.1:+1", "address 127.0.0.1:+1: unknown port \"+1\""),
            ("tcp", "127.0.0.1", "address 127.0.0.1: missing port in address"),
            ("udp", "::1:53", "address ::1:53: too many colons in address"),
            ("ip4:icmp", "127.0.0.1", "127.0.0.1:0"),
            ("ip6:58", "::1", "[::1]:0"),
            ("ip4:icmp", "example.com", "name example.com"),
            ("unix", "/run/x", "unix /run/x"),
            ("unixgram", "@x", "unix @x"),
            ("unix", "", "missing address"),
            ("tcp", "fd:3", "inherited"),
            ("tcp", "systemd:web", "inherited"),
        ] {
            assert_eq!(dialed(network, address), meaning, "{network} {address}");
        }
    }
}
