//! The policy table (RFC 6724 section 2.1): which precedence and which label an address has.

use std::net::{IpAddr, Ipv6Addr};

/// Gives every address a precedence and a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PolicyTable {
    /// Longest prefix first, so that the first match is the best one.
    entries: Vec<PolicyEntry>,
}

/// One line of a policy table. IPv4 addresses are looked up in their IPv4-mapped form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PolicyEntry {
    pub(crate) prefix: Ipv6Addr,
    /// In bits, at most 128.
    pub(crate) length: u8,
    /// A destination of higher precedence is preferred.
    pub(crate) precedence: u32,
    /// A destination is preferred whose source has the same label.
    pub(crate) label: u32,
}

/// The table every host has unless its administrator gives it another (RFC 6724 section 2.1).
const DEFAULT: [(Ipv6Addr, u8, u32, u32); 9] = [
    (Ipv6Addr::LOCALHOST, 128, 50, 0),
    (Ipv6Addr::UNSPECIFIED, 0, 40, 1),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, 35, 4),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, 30, 2),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, 5, 5),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, 3, 13),
    (Ipv6Addr::UNSPECIFIED, 96, 1, 3),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, 1, 11),
    (Ipv6Addr::new(0x3ffe, 0, 0, 0, 0, 0, 0, 0), 16, 1, 12),
];

impl PolicyTable {
    /// A table of these entries, in any order.
    pub(crate) fn new(entries: impl IntoIterator<Item = PolicyEntry>) -> PolicyTable {
        let mut entries: Vec<_> = entries.into_iter().collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.length));
        PolicyTable { entries }
    }

    /// The entry with the longest prefix that `ip` begins with.
    pub(super) fn entry(&self, ip: IpAddr) -> Option<&PolicyEntry> {
        let ip = to_v6(ip);
        self.entries.iter().find(|entry| common_prefix_length(entry.prefix, ip) >= u32::from(entry.length))
    }
}

impl Default for PolicyTable {
    fn default() -> PolicyTable {
        PolicyTable::new(DEFAULT.map(|(prefix, length, precedence, label)| PolicyEntry {
            prefix,
            length,
            precedence,
            label,
        }))
    }
}

/// How many leading bits two addresses share.
pub(super) fn common_prefix_length(a: Ipv6Addr, b: Ipv6Addr) -> u32 {
    (a.to_bits() ^ b.to_bits()).leading_zeros()
}

fn to_v6(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_decides() {
        let table = PolicyTable::default();
        for (ip, precedence, label) in [
            ("::1", 50, 0),
            ("2001:db8::1", 40, 1),
            ("fe80::1", 40, 1),
            ("ff02::1", 40, 1),
            ("127.0.0.1", 35, 4),
            ("192.0.2.1", 35, 4),
            ("::ffff:192.0.2.1", 35, 4),
            ("2002:c000:201::1", 30, 2),
            ("2001:0:1::1", 5, 5),
            ("fd00::1", 3, 13),
            ("::192.0.2.1", 1, 3),
            ("::", 1, 3),
            ("fec0::1", 1, 11),
            ("3ffe::1", 1, 12),
        ] {
            let entry = table.entry(ip.parse().unwrap()).expect(ip);
            assert_eq!((entry.precedence, entry.label), (precedence, label), "{ip}");
        }
    }

    #[test]
    fn a_table_may_leave_addresses_out() {
        let only_ula = PolicyTable::new([PolicyEntry {
            prefix: "fc00::".parse().unwrap(),
            length: 7,
            precedence: 60,
            label: 1,
        }]);
        assert!(only_ula.entry("fd12::1".parse().unwrap()).is_some());
        assert!(only_ula.entry("192.0.2.1".parse().unwrap()).is_none());
    }
}
