//! Which targets may be reached: pure, and asked again for every address that a name turns out to have.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::str::FromStr;

use ipnet::IpNet;

/// What is let through.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    pub(crate) allow: Vec<Rule>,
    pub(crate) deny: Vec<Rule>,
    /// Private, link-local and other addresses that are not everybody's are refused.
    pub(crate) guards_private: bool,
    /// Addresses of this host, which count as private.
    pub(crate) own: Vec<IpAddr>,
}

/// A target, or many: `NAME`, `.NAME`, `ADDRESS`, `NETWORK` or `*`, each with `:PORT` or `:LOW-HIGH` or without, or a
/// port alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    text: String,
    what: What,
    ports: RangeInclusive<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Everything,
    Network(IpNet),
    /// The name itself, if wanted, and all below it.
    Name {
        name: String,
        itself: bool,
    },
}

/// Why a target may not be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Denial(String);

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Denial {}

impl Rules {
    /// What can be said before a name is resolved: nothing is looked up that no address could make reachable.
    pub(crate) fn check_name(&self, name: &str, port: u16) -> Result<(), Denial> {
        match self.deny.iter().find(|rule| rule.matches(Some(name), None, port)) {
            Some(rule) => Err(rule.denial()),
            None => Ok(()),
        }
    }

    /// What holds of an address, and of the name that it was found by, where there was one.
    pub(crate) fn check(&self, name: Option<&str>, ip: IpAddr, port: u16) -> Result<(), Denial> {
        let ip = ip.to_canonical();
        if let Some(rule) = self.deny.iter().find(|rule| rule.matches(name, Some(ip), port)) {
            return Err(rule.denial());
        }
        let mut allowed = self.allow.iter().filter(|rule| rule.matches(name, Some(ip), port));
        if !self.allow.is_empty() && allowed.clone().next().is_none() {
            return Err(Denial("no rule allows it".to_owned()));
        }
        // A name is not enough: whoever owns it decides where it leads.
        let is_meant = allowed.any(|rule| matches!(rule.what, What::Network(_)));
        if self.guards_private && !is_meant && (is_private(ip) || self.own.contains(&ip)) {
            return Err(Denial(format!("{ip} is a private address")));
        }
        Ok(())
    }
}

impl Rule {
    fn matches(&self, name: Option<&str>, ip: Option<IpAddr>, port: u16) -> bool {
        self.ports.contains(&port)
            && match &self.what {
                What::Everything => true,
                What::Network(network) => ip.is_some_and(|ip| network.contains(&ip)),
                What::Name { name: of, itself } => name.is_some_and(|name| {
                    let name = name.trim_end_matches('.').to_ascii_lowercase();
                    match name.strip_suffix(of.as_str()) {
                        Some("") => *itself,
                        Some(below) => below.ends_with('.'),
                        None => false,
                    }
                }),
            }
    }

    fn denial(&self) -> Denial {
        Denial(format!("denied by the rule {}", self.text))
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Rule, String> {
        // An empty variable of a script is no wish to let everybody through, or nobody.
        if text.trim().is_empty() || text.starts_with("[]") {
            return Err("an empty rule; * is everything".to_owned());
        }
        let (what, ports) = split(text);
        let ports = match ports {
            None => 0..=u16::MAX,
            Some(ports) => {
                parse_ports(ports).ok_or_else(|| format!("{ports:?} is neither a port nor LOW-HIGH"))?
            }
        };
        Ok(Rule { text: text.to_owned(), what: parse_what(what)?, ports })
    }
}

/// A bare IPv6 address or network has colons that begin no port; with one, it stands in brackets.
fn split(text: &str) -> (&str, Option<&str>) {
    if let Some((inside, after)) = text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        return (inside, after.strip_prefix(':'));
    }
    match text.rsplit_once(':') {
        Some((what, ports)) if !what.contains(':') => (what, Some(ports)),
        _ => (text, None),
    }
}

fn parse_ports(text: &str) -> Option<RangeInclusive<u16>> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let (low, high) = (low.parse().ok()?, high.parse().ok()?);
    (low <= high).then_some(low..=high)
}

fn parse_what(text: &str) -> Result<What, String> {
    if text.is_empty() || text == "*" {
        return Ok(What::Everything);
    }
    if let Ok(network) = text.parse::<IpNet>() {
        return Ok(What::Network(network));
    }
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(What::Network(ip.to_canonical().into()));
    }
    let name = text.trim_end_matches('.').to_ascii_lowercase();
    let below = name.strip_prefix("*.").or_else(|| name.strip_prefix('.'));
    let of = below.unwrap_or(&name);
    let is_name = |of: &str| of.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    // What ends in a number was meant to be an address.
    let last = of.rsplit('.').next().unwrap_or_default();
    if of.is_empty() || !is_name(of) || last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("{text:?} is neither a name, an address, a network nor *"));
    }
    Ok(What::Name { name: of.to_owned(), itself: below.is_none() })
}

/// Whether an address is not one that everybody on the Internet reaches alike (RFC 6890), or leads to one that is not.
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_private_v4(ip),
        IpAddr::V6(ip) => is_private_v6(ip),
    }
}

fn is_private_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    match (a, b) {
        // This network, private use, loopback, multicast, reserved and broadcast.
        (0 | 10 | 127 | 224..=255, _) => true,
        // Shared by carriers (RFC 6598), link-local, private use.
        (100, 64..=127) | (169, 254) | (172, 16..=31) | (192, 168) => true,
        // Protocol assignments, benchmarks.
        (192, 0) => c == 0,
        (198, 18 | 19) => true,
        _ => false,
    }
}

fn is_private_v6(ip: Ipv6Addr) -> bool {
    let segments = ip.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_private_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // NAT64 (RFC 6052) and 6to4 (RFC 3056) lead to the IPv4 address within.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        [0x2002, high, low, ..] => embedded(high, low),
        // NAT64 of the network's own (RFC 8215); Teredo (RFC 4380), which leads anywhere; unspecified, loopback and
        // addresses that were IPv4-compatible.
        [0x64, 0xff9b, 1, ..] | [0x2001, 0, ..] | [0, 0, 0, 0, 0, 0, ..] => true,
        // Unique local, link-local, site-local, multicast.
        [first, ..] => {
            first & 0xfe00 == 0xfc00
                || first & 0xffc0 == 0xfe80
                || first & 0xffc0 == 0xfec0
                || first & 0xff00 == 0xff00
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(allow: &[&str], deny: &[&str], guards_private: bool) -> Rules {
        let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Rules {
            allow: parse(allow),
            deny: parse(deny),
            guards_private,
            own: vec!["203.0.113.9".parse().unwrap()],
        }
    }

    fn passes(rules: &Rules, name: &str, ip: &str, port: u16) -> bool {
        let name = (!name.is_empty()).then_some(name);
        rules.check(name, ip.parse().unwrap(), port).is_ok()
    }

    #[test]
    fn without_rules_everything_passes_and_the_guard_refuses_what_is_private() {
        for (ip, private) in [
            ("198.51.100.1", false),
            ("2a00::1", false),
            ("127.0.0.1", true),
            ("10.1.2.3", true),
            ("172.31.0.1", true),
            ("172.32.0.1", false),
            ("192.168.0.1", true),
            ("169.254.169.254", true),
            ("100.64.0.1", true),
            ("100.128.0.1", false),
            ("0.0.0.0", true),
            ("224.0.0.1", true),
            ("255.255.255.255", true),
            ("192.0.0.8", true),
            ("192.0.1.8", false),
            ("::1", true),
            ("::", true),
            ("fe80::1", true),
            ("fd00::1", true),
            ("ff02::1", true),
            ("::ffff:10.0.0.1", true),
            ("::ffff:198.51.100.1", false),
            ("64:ff9b::10.0.0.1", true),
            ("64:ff9b::198.51.100.1", false),
            ("2002:a00:1::1", true),
            ("2002:c633:6401::1", false),
            ("2001::1", true),
            ("203.0.113.9", true),
        ] {
            assert!(passes(&rules(&[], &[], false), "", ip, 80), "{ip}");
            assert_eq!(passes(&rules(&[], &[], true), "", ip, 80), !private, "{ip}");
        }
    }

    #[test]
    fn denying_beats_allowing_and_an_allowance_leaves_out_the_rest() {
        let rules = rules(
            &["example.com:443", "10.0.0.0/8", ":8000-8999"],
            &["secret.example.com", "10.6.6.6"],
            false,
        );
        for (name, ip, port, expected) in [
            ("example.com", "198.51.100.1", 443, true),
            ("www.Example.com.", "198.51.100.1", 443, true),
            ("example.com", "198.51.100.1", 80, false),
            ("notexample.com", "198.51.100.1", 443, false),
            ("secret.example.com", "198.51.100.1", 443, false),
            ("a.secret.example.com", "198.51.100.1", 443, false),
            ("anything", "10.1.2.3", 22, true),
            ("anything", "10.6.6.6", 22, false),
            ("", "198.51.100.1", 8443, true),
            ("", "198.51.100.1", 9000, false),
        ] {
            assert_eq!(passes(&rules, name, ip, port), expected, "{name} {ip} {port}");
        }
        assert!(rules.check_name("secret.example.com", 443).is_err());
        assert!(rules.check_name("other.example", 443).is_ok(), "its addresses may be allowed");
    }

    #[test]
    fn a_name_that_is_allowed_opens_no_private_address_but_a_network_does() {
        let by_name = rules(&["rebound.example"], &[], true);
        assert!(passes(&by_name, "rebound.example", "198.51.100.1", 80));
        assert!(!passes(&by_name, "rebound.example", "127.0.0.1", 80));
        let by_network = rules(&["rebound.example", "10.0.0.0/8"], &[], true);
        assert!(passes(&by_network, "rebound.example", "10.0.0.1", 80));
        assert!(!passes(&by_network, "rebound.example", "127.0.0.1", 80));
        assert!(!passes(&rules(&["*"], &[], true), "", "127.0.0.1", 80));
    }

    #[test]
    fn forms_of_rules() {
        for (text, ip, port, expected) in [
            ("2001:db8::/32", "2001:db8::1", 1, true),
            ("[2001:db8::/32]:443", "2001:db8::1", 443, true),
            ("[2001:db8::/32]:443", "2001:db8::1", 80, false),
            ("2001:db8::1", "2001:db8::1", 1, true),
            ("10.0.0.0/8:443", "10.0.0.1", 443, true),
            ("10.0.0.0/8:443", "10.0.0.1", 80, false),
            (":443", "198.51.100.1", 443, true),
            ("*:1-1023", "198.51.100.1", 1024, false),
            ("*", "198.51.100.1", 1, true),
        ] {
            assert_eq!(passes(&rules(&[text], &[], false), "", ip, port), expected, "{text} {ip} {port}");
        }
        assert!(!passes(&rules(&[".example.com"], &[], false), "example.com", "198.51.100.1", 1));
        assert!(passes(&rules(&["*.example.com"], &[], false), "a.example.com", "198.51.100.1", 1));
        for text in
            ["example.com:", "example.com:x", "example.com:9-1", "10.0.0.0/33", "10.0.0", "a b", "a/b", "."]
        {
            assert!(text.parse::<Rule>().is_err(), "{text}");
        }
    }
}
