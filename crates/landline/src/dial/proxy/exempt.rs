//! What `no_proxy` exempts.

use std::net::IpAddr;

use ipnet::IpNet;

use super::environment::parse_ip;
use crate::addr::split_host_port;

/// The entries of `no_proxy`; see [`ProxyEnvironment`](super::ProxyEnvironment) for their forms.
#[derive(Clone, Debug, Default)]
pub(super) struct Exempt {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    what: What,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Everything,
    Network(IpNet),
    Address(IpAddr),
    /// The name itself, if wanted, and what is below it.
    Name {
        name: String,
        itself: bool,
    },
}

impl Exempt {
    /// Entries that mean nothing are left out, as everywhere: the list is often shared among programs.
    pub(super) fn parse(list: &str) -> Exempt {
        let entries = list.split(|ch: char| ch == ',' || ch.is_whitespace());
        Exempt { entries: entries.filter_map(|entry| Entry::parse(&entry.to_lowercase())).collect() }
    }

    /// `host` is in lower case and without brackets; `ip` is what it is if it is an address.
    pub(super) fn matches(&self, host: &str, ip: Option<IpAddr>, port: u16) -> bool {
        self.entries.iter().any(|entry| {
            entry.port.is_none_or(|only| only == port)
                && match (&entry.what, ip) {
                    (What::Everything, _) => true,
                    (What::Network(network), Some(ip)) => network.contains(&ip),
                    (What::Address(address), Some(ip)) => *address == ip,
                    (What::Name { name, itself }, None) => match host.strip_suffix(name.as_str()) {
                        Some("") => *itself,
                        Some(below) => below.ends_with('.'),
                        None => false,
                    },
                    _ => false,
                }
        })
    }
}

impl Entry {
    fn parse(text: &str) -> Option<Entry> {
        if text == "*" {
            return Some(Entry { what: What::Everything, port: None });
        }
        if let Ok(network) = text.parse::<IpNet>() {
            return Some(Entry { what: What::Network(canonical(network)), port: None });
        }
        // A bare IPv6 address is no host and port, though it has colons.
        let (host, port) = match (text.parse::<IpAddr>(), split_host_port(text)) {
            (Err(_), Ok((host, port))) => (host, Some(port.parse().ok()?)),
            _ => (text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text), None),
        };
        if let Some(ip) = parse_ip(host) {
            return Some(Entry { what: What::Address(ip), port });
        }
        let host = host.trim_end_matches('.');
        let below = host.strip_prefix("*.").or_else(|| host.strip_prefix('.'));
        let name = below.unwrap_or(host).to_owned();
        if name.is_empty() {
            return None;
        }
        Some(Entry { what: What::Name { name, itself: below.is_none() }, port })
    }
}

/// A network of IPv4-mapped addresses as the network of IPv4 that it is.
fn canonical(network: IpNet) -> IpNet {
    match (network.addr().to_canonical(), network.prefix_len().checked_sub(96)) {
        (IpAddr::V4(v4), Some(length)) if network.addr().is_ipv6() => {
            IpNet::new(v4.into(), length).unwrap_or(network)
        }
        _ => network,
    }
}
