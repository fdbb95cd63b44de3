//! `/etc/services` (services(5)): ports by name.

use std::collections::HashMap;

use crate::addr::{AddressError, AddressErrorKind};
use crate::error::{Cause, LookupError, LookupErrorKind};
use crate::network::Network;

/// The longest service name kept.
const NAME: usize = 63;

/// The file's entries for TCP and UDP, ready to be looked up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Services {
    tcp: HashMap<Box<str>, u16>,
    udp: HashMap<Box<str>, u16>,
}

/// Whose ports are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PortProtocol {
    Tcp,
    Udp,
    /// TCP's, else UDP's.
    Either,
}

impl PortProtocol {
    fn as_str(self) -> &'static str {
        match self {
            PortProtocol::Tcp => "tcp",
            PortProtocol::Udp => "udp",
            PortProtocol::Either => "ip",
        }
    }
}

impl From<Network> for PortProtocol {
    fn from(network: Network) -> PortProtocol {
        match network {
            Network::Tcp(_) => PortProtocol::Tcp,
            Network::Udp(_) => PortProtocol::Udp,
            Network::Ip(..) | Network::Unix(_) => PortProtocol::Either,
        }
    }
}

/// The port that `service` writes out or names; 0 if it is empty. Names are found in any case.
///
/// The error is for a number outside 0 to 65535, or a name that is not known.
pub(crate) fn lookup_port(protocol: PortProtocol, service: &str, services: &Services) -> Result<u16, Cause> {
    if service.is_empty() {
        return Ok(0);
    }
    let digits = service.strip_prefix(['+', '-']).unwrap_or(service);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let number = if service.starts_with('-') { format!("-{digits}") } else { digits.to_owned() };
        return match number.parse::<i64>().ok().and_then(|number| u16::try_from(number).ok()) {
            Some(port) => Ok(port),
            None => {
                let kind = AddressErrorKind::Invalid("invalid port".to_owned());
                Err(AddressError::new(service, kind).into())
            }
        };
    }
    services.port(protocol, service).ok_or_else(|| {
        let name = format!("{}/{service}", protocol.as_str());
        LookupError::new(name, LookupErrorKind::UnknownPort).into()
    })
}

impl Services {
    /// Reads the file's text: on each line `NAME PORT/PROTOCOL ALIAS…`. Lines of other protocols, and those that do not
    /// look like that, are passed over. Of two lines for a name the first counts, as in getservbyname(3).
    pub(crate) fn parse(text: &[u8]) -> Services {
        let mut services = Services::default();
        for line in String::from_utf8_lossy(text).lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut fields = line.split_ascii_whitespace();
            let (Some(name), Some(port)) = (fields.next(), fields.next()) else { continue };
            let Some((port, protocol)) = port.split_once('/') else { continue };
            let Ok(port @ 1..) = port.parse::<u16>() else { continue };
            let ports = match protocol {
                "tcp" => &mut services.tcp,
                "udp" => &mut services.udp,
                _ => continue,
            };
            for name in std::iter::once(name).chain(fields).filter(|name| name.len() <= NAME) {
                ports.entry(name.to_ascii_lowercase().into()).or_insert(port);
            }
        }
        services
    }

    /// The port of a service, from the file or else from the built-in table.
    fn port(&self, protocol: PortProtocol, name: &str) -> Option<u16> {
        let mut lower = [0; NAME];
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name.as_bytes());
        lower.make_ascii_lowercase();
        let name = std::str::from_utf8(lower).ok()?;
        let tcp = || self.tcp.get(name).copied().or_else(|| built_in(TCP, name));
        let udp = || self.udp.get(name).copied().or_else(|| built_in(UDP, name));
        match protocol {
            PortProtocol::Tcp => tcp(),
            PortProtocol::Udp => udp(),
            PortProtocol::Either => tcp().or_else(udp),
        }
    }
}

fn built_in(table: &[(&str, u16)], name: &str) -> Option<u16> {
    table.iter().find(|(each, _)| *each == name).map(|&(_, port)| port)
}

/// What programs name where there is no file, as in small containers: Go's list and a few more of the IANA "Service
/// Name and Transport Protocol Port Number Registry".
const TCP: &[(&str, u16)] = &[
    ("domain", 53),
    ("domain-s", 853),
    ("echo", 7),
    ("ftp", 21),
    ("ftps", 990),
    ("gopher", 70),
    ("http", 80),
    ("http-alt", 8080),
    ("https", 443),
    ("imap", 143),
    ("imap2", 143),
    ("imap3", 220),
    ("imaps", 993),
    ("ldap", 389),
    ("ldaps", 636),
    ("mysql", 3306),
    ("pop3", 110),
    ("pop3s", 995),
    ("postgresql", 5432),
    ("smtp", 25),
    ("socks", 1080),
    ("ssh", 22),
    ("submission", 587),
    ("submissions", 465),
    ("telnet", 23),
];

const UDP: &[(&str, u16)] = &[
    ("bootpc", 68),
    ("bootps", 67),
    ("domain", 53),
    ("echo", 7),
    ("https", 443),
    ("mdns", 5353),
    ("ntp", 123),
    ("snmp", 161),
    ("syslog", 514),
    ("tftp", 69),
];

#[cfg(test)]
mod tests {
    use super::*;
    use PortProtocol::{Either, Tcp, Udp};
    use proptest::prelude::*;

    const FILE: &str = "\
        # comment\n\
        tcpmux\t\t1/tcp\t\t\t# TCP port service multiplexer\n\
        domain 53/tcp\n\
        domain 53/udp\n\
        http 8888/tcp WWW # moved\n\
        http 80/tcp\n\
        only-udp 700/udp alias-udp\r\n\
        sctponly 9/sctp\n\
        zero 0/tcp\n\
        big 65536/tcp\n\
        noslash 12\n\
        slash 12/\n\
        lonely\n\
        minus -1/tcp\n";

    fn port(protocol: PortProtocol, service: &str) -> Result<u16, String> {
        lookup_port(protocol, service, &Services::parse(FILE.as_bytes())).map_err(|error| error.to_string())
    }

    #[test]
    fn names_and_aliases_are_found_in_any_case() {
        for (protocol, service, expected) in [
            (Tcp, "tcpmux", 1),
            (Tcp, "HTTP", 8888),
            (Tcp, "www", 8888),
            (Udp, "Domain", 53),
            (Udp, "alias-udp", 700),
            (Either, "only-udp", 700),
            (Either, "http", 8888),
            // Not in the file.
            (Tcp, "https", 443),
            (Udp, "ntp", 123),
            (Either, "ntp", 123),
        ] {
            assert_eq!(port(protocol, service), Ok(expected), "{protocol:?} {service}");
        }
    }

    #[test]
    fn numbers_are_taken_as_they_are() {
        for (service, expected) in
            [("", 0), ("0", 0), ("-0", 0), ("80", 80), ("+80", 80), ("0080", 80), ("65535", 65535)]
        {
            assert_eq!(port(Tcp, service), Ok(expected), "{service}");
        }
    }

    #[test]
    fn refusals_name_the_input() {
        for (service, message) in [
            ("65536", "address 65536: invalid port"),
            ("-1", "address -1: invalid port"),
            ("99999999999999999999", "address 99999999999999999999: invalid port"),
            ("+", "address +: invalid port"),
            ("80x", "lookup tcp/80x: unknown port"),
            ("nonesuch", "lookup tcp/nonesuch: unknown port"),
            ("ntp", "lookup tcp/ntp: unknown port"),
            ("sctponly", "lookup tcp/sctponly: unknown port"),
            ("zero", "lookup tcp/zero: unknown port"),
            ("big", "lookup tcp/big: unknown port"),
            ("noslash", "lookup tcp/noslash: unknown port"),
            ("slash", "lookup tcp/slash: unknown port"),
            ("minus", "lookup tcp/minus: unknown port"),
            ("http ", "lookup tcp/http : unknown port"),
            ("+-5", "lookup tcp/+-5: unknown port"),
        ] {
            assert_eq!(port(Tcp, service).unwrap_err(), message);
        }
        assert_eq!(port(Udp, "tcpmux").unwrap_err(), "lookup udp/tcpmux: unknown port");
        assert_eq!(port(Either, "nonesuch").unwrap_err(), "lookup ip/nonesuch: unknown port");
        assert!(port(Tcp, &"x".repeat(1000)).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), service in any::<String>()) {
            let _ = lookup_port(Either, &service, &Services::parse(&bytes));
        }
    }
}
