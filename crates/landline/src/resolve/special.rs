//! Names that are answered from their text alone: IP literals, and names that must not leak into the DNS.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::name::is_within;
pub(crate) use crate::addr::ZoneIndex;
use crate::addr::{AddressError, ScopedIp};

/// A name that the DNS must not be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reserved {
    /// `localhost` and what is below it: always this host (RFC 6761 section 6.3).
    Localhost,
    /// `invalid` and below: never exists (RFC 6761 section 6.4).
    Invalid,
    /// `onion` and below: Tor's, and never asked of the DNS (RFC 7686 section 2).
    Onion,
}

impl Reserved {
    /// What `name`, absolute or not, is reserved for.
    pub(crate) fn of(name: &str) -> Option<Reserved> {
        let name = name.strip_suffix('.').unwrap_or(name);
        [("localhost", Reserved::Localhost), ("invalid", Reserved::Invalid), ("onion", Reserved::Onion)]
            .into_iter()
            .find_map(|(domain, reserved)| is_within(name, domain).then_some(reserved))
    }

    /// The addresses it stands for; none where it does not exist.
    pub(crate) fn addresses(self) -> &'static [IpAddr] {
        match self {
            Reserved::Localhost => &[IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)],
            Reserved::Invalid | Reserved::Onion => &[],
        }
    }

    /// Which rule says so.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Reserved::Localhost => "localhost is this host (RFC 6761 section 6.3)",
            Reserved::Invalid => ".invalid names do not exist (RFC 6761 section 6.4)",
            Reserved::Onion => ".onion names must not be asked of the DNS (RFC 7686)",
        }
    }
}

/// The address that `text` writes out, with its zone by name or number; `None` if it is no IP literal.
///
/// The error is for a literal whose zone names no interface, or that must not have one.
pub(crate) fn literal(text: &str, zone_index: ZoneIndex<'_>) -> Result<Option<ScopedIp>, AddressError> {
    ScopedIp::parse_literal_in(text, zone_index).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn zone(name: &str) -> Option<u32> {
        match name {
            "eth0" => Some(2),
            _ => name.parse().ok().filter(|&index| index != 0),
        }
    }

    #[test]
    fn reserved_names_are_known_in_any_form() {
        for (name, reserved) in [
            ("localhost", Some(Reserved::Localhost)),
            ("LocalHost.", Some(Reserved::Localhost)),
            ("a.b.localhost", Some(Reserved::Localhost)),
            ("localhost.localdomain", None),
            ("mylocalhost", None),
            ("localhost.example", None),
            ("invalid", Some(Reserved::Invalid)),
            ("x.INVALID.", Some(Reserved::Invalid)),
            ("xinvalid", None),
            ("abc.onion", Some(Reserved::Onion)),
            ("Onion.", Some(Reserved::Onion)),
            ("onion.example", None),
            ("", None),
            (".", None),
        ] {
            assert_eq!(Reserved::of(name), reserved, "{name}");
        }
        assert_eq!(Reserved::Localhost.addresses().len(), 2);
        assert!(Reserved::Onion.addresses().is_empty());
    }

    #[test]
    fn literals_are_those_go_takes() {
        for (text, ip) in [
            ("127.0.0.1", "127.0.0.1"),
            ("::1", "::1"),
            ("2001:DB8::1", "2001:db8::1"),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
            ("fe80::1%eth0", "fe80::1%2"),
            ("fe80::1%7", "fe80::1%7"),
        ] {
            assert_eq!(literal(text, &zone).unwrap().expect(text).to_string(), ip);
        }
        for text in ["", "10.1", "010.0.0.1", "1.2.3.4.", "0x7f.1", "[::1]", "a%eth0", "::1:"] {
            assert_eq!(literal(text, &zone), Ok(None), "{text}");
        }
    }

    #[test]
    fn an_unknown_zone_is_an_error_that_names_it() {
        for (text, error) in [
            ("fe80::1%nonesuch", "address fe80::1%nonesuch: no interface for zone \"nonesuch\""),
            ("::1%", "address ::1%: no interface for zone \"\""),
            ("1.2.3.4%eth0", "address 1.2.3.4%eth0: an IPv4 address has no zone"),
        ] {
            assert_eq!(literal(text, &zone).unwrap_err().to_string(), error);
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = (Reserved::of(&text), literal(&text, &zone));
        }
    }
}
