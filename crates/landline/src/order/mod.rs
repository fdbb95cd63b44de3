//! Step 3: the addresses of a name in the order in which they should be tried, RFC 6724 section 6.
//!
//! [`order`] asks the kernel which source address it would use for each destination, and [`sort`] decides.

mod policy;
mod probe;
mod scope;
mod sources;

use std::net::{IpAddr, SocketAddr};

pub(crate) use policy::PolicyTable;
pub(crate) use sources::{Sources, order};

use crate::addr::ScopedIp;
use crate::explain::OrderedAddress;
use policy::common_prefix_length;
use scope::Scope;

/// The address this host would send from, and what the rules need to know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) ip: ScopedIp,
    /// Past its preferred lifetime (RFC 4862 section 5.5.4).
    pub(crate) deprecated: bool,
    /// A mobile host's home address (RFC 6275); an address that is not marked as one counts as care-of address, as
    /// it does in Linux's own choice of sources. On a host that does not move no address is marked.
    pub(crate) home: bool,
    /// Behind a tunnel from IPv6 to IPv4 or the other way.
    pub(crate) encapsulated: bool,
}

impl From<ScopedIp> for Source {
    fn from(ip: ScopedIp) -> Source {
        Source { ip, deprecated: false, home: false, encapsulated: false }
    }
}

/// A destination together with the source it would be reached from, `None` if it cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) address: SocketAddr,
    pub(crate) source: Option<Source>,
}

/// Puts the candidates in the order of RFC 6724 section 6, the best first.
///
/// Addresses that no rule tells apart stay as they were given (rule 10), and so do those that cannot be reached.
///
/// Rule 9, the longest matching prefix, is applied to IPv6 alone and to no more than the 64 bits in front of the
/// interface identifier. For IPv4 it would undo the rotation of DNS answers and prefer, from behind NAT, whatever
/// happens to begin with a 10. Go 1.27 does the same.
pub(crate) fn sort(candidates: &[Candidate], policy: &PolicyTable) -> Vec<OrderedAddress> {
    let Some(first) = candidates.first() else { return Vec::new() };
    let first_family = is_ipv4(first.address);
    let mut keyed: Vec<(Key, OrderedAddress)> = candidates
        .iter()
        .map(|&Candidate { address, source }| {
            let family = u32::from(is_ipv4(address) != first_family);
            let key = Key::new(address.ip(), source, family, policy);
            (key, OrderedAddress { address, source: source.map(|source| source.ip.ip), decided_by: None })
        })
        .collect();
    keyed.sort_by_key(|&(key, _)| key);
    for index in 1..keyed.len() {
        keyed[index - 1].1.decided_by = keyed[index - 1].0.decided_before(keyed[index].0);
    }
    keyed.into_iter().map(|(_, ordered)| ordered).collect()
}

fn is_ipv4(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_ipv4()
}

/// What each rule sees in a destination, the first rule first, less being better.
///
/// RFC 6724 compares pairs. Comparing keys comes to the same, and cannot run in circles whatever the table says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key([u32; 10]);

/// The position in a [`Key`] that is no rule: rule 9 compares within a family only, so where a policy table lets the
/// families tie, the one that was given first stays first.
const FAMILY: usize = 8;

impl Key {
    fn new(destination: IpAddr, source: Option<Source>, family: u32, policy: &PolicyTable) -> Key {
        let destination = destination.to_canonical();
        let Some(source) = source else {
            return Key([1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        };
        let source_ip = source.ip.ip.to_canonical();
        let scope = Scope::of(destination);
        let (entry, source_entry) = (policy.entry(destination), policy.entry(source_ip));
        let same_label = matches!((entry, source_entry), (Some(a), Some(b)) if a.label == b.label);
        let matching_prefix = match (destination, source_ip) {
            (IpAddr::V6(a), IpAddr::V6(b)) => common_prefix_length(a, b).min(64),
            _ => 0,
        };
        Key([
            0,                                                    // 1 avoid unusable destinations
            u32::from(Scope::of(source_ip) != scope),             // 2 prefer matching scope
            u32::from(source.deprecated),                         // 3 avoid deprecated addresses
            u32::from(!source.home),                              // 4 prefer home addresses
            u32::from(!same_label),                               // 5 prefer matching label
            u32::MAX - entry.map_or(0, |entry| entry.precedence), // 6 prefer higher precedence
            u32::from(source.encapsulated),                       // 7 prefer native transport
            u32::from(scope.0),                                   // 8 prefer smaller scope
            family,                                               // not a rule
            64 - matching_prefix,                                 // 9 use longest matching prefix
        ])
    }

    /// The rule that put this one before `other`, which follows it.
    fn decided_before(self, other: Key) -> Option<u8> {
        match self.0.iter().zip(&other.0).position(|(a, b)| a != b)? {
            FAMILY => None,
            at if at > FAMILY => Some(9),
            at => Some(at as u8 + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::policy::PolicyEntry;
    use super::*;
    use proptest::prelude::*;
    use std::cmp::Ordering;

    fn candidate(destination: &str, source: impl Into<Option<Source>>) -> Candidate {
        Candidate { address: SocketAddr::new(destination.parse().unwrap(), 443), source: source.into() }
    }

    fn from(source: &str) -> Source {
        Source::from(ScopedIp::from(source.parse::<IpAddr>().unwrap()))
    }

    fn addresses(ordered: &[OrderedAddress]) -> Vec<String> {
        ordered.iter().map(|ordered| ordered.address.ip().to_string()).collect()
    }

    fn rules(ordered: &[OrderedAddress]) -> Vec<Option<u8>> {
        ordered.iter().map(|ordered| ordered.decided_by).collect()
    }

    /// Whether the two come out in this order, whichever way round they are given, and by which rule.
    #[track_caller]
    fn assert_before(first: Candidate, second: Candidate, rule: u8) {
        for given in [[first, second], [second, first]] {
            let ordered = sort(&given, &PolicyTable::default());
            assert_eq!(ordered[0].address, first.address, "given {given:?}");
            assert_eq!(ordered[0].decided_by, Some(rule), "given {given:?}");
            assert_eq!(ordered[1].decided_by, None);
        }
    }

    /// The nine examples of RFC 6724 section 10.2, with the source that each destination has there.
    #[test]
    fn the_examples_of_the_rfc_come_out_as_it_says() {
        let with_home = Source { home: true, ..from("2001:db8:3::1") };
        let deprecated = Source { deprecated: true, ..from("fe80::2") };
        for (first, source, second, second_source, rule) in [
            ("2001:db8:1::1", from("2001:db8:1::2"), "198.51.100.121", from("169.254.13.78"), 2),
            ("198.51.100.121", from("198.51.100.117"), "2001:db8:1::1", from("fe80::1"), 2),
            ("2001:db8:1::1", from("2001:db8:1::2"), "10.1.2.3", from("10.1.2.4"), 6),
            ("fe80::1", from("fe80::2"), "2001:db8:1::1", from("2001:db8:1::2"), 8),
            ("2001:db8:1::1", with_home, "fe80::1", from("fe80::2"), 4),
            ("2001:db8:1::1", from("2001:db8:1::2"), "fe80::1", deprecated, 3),
            ("2001:db8:1::1", from("2001:db8:1::2"), "2001:db8:3ffe::1", from("2001:db8:3f44::2"), 9),
            ("2002:c633:6401::1", from("2002:c633:6401::2"), "2001:db8:1::1", from("2002:c633:6401::2"), 5),
            ("2001:db8:1::1", from("2001:db8:1::2"), "2002:c633:6401::1", from("2002:c633:6401::2"), 6),
        ] {
            assert_before(candidate(first, source), candidate(second, second_source), rule);
        }
    }

    /// What Go 1.27.3 answers for the same destinations and sources.
    #[test]
    fn pairs_come_out_as_in_go() {
        for (first, source, second, second_source, rule) in [
            ("198.51.100.1", "198.51.100.4", "fd00::1", "fd00::2", 6),
            ("10.1.2.3", "10.1.2.4", "fd00::1", "fd00::2", 6),
            ("::1", "::1", "127.0.0.1", "127.0.0.1", 6),
            ("::1", "::1", "fe80::1", "fe80::2", 6),
            ("127.0.0.1", "127.0.0.1", "198.51.100.1", "198.51.100.2", 8),
            ("2001:db8::1", "2001:db8::2", "::ffff:198.51.100.1", "::ffff:198.51.100.2", 6),
            ("2000::1", "2001:db8::2", "4000::1", "2001:db8::2", 9),
            ("2001:db8::1", "2001:db8::2", "fec0::1", "fec0::2", 6),
            ("ff02::1", "fe80::2", "ff0e::1", "2001:db8::2", 8),
            ("255.255.255.255", "10.0.0.1", "0.0.0.0", "127.0.0.1", 2),
        ] {
            assert_before(candidate(first, from(source)), candidate(second, from(second_source)), rule);
        }
    }

    #[test]
    fn what_cannot_be_reached_comes_last_and_otherwise_stays() {
        assert_before(candidate("192.0.2.1", from("192.0.2.2")), candidate("2001:db8::1", None), 1);
        for given in [["192.0.2.1", "::1"], ["::1", "192.0.2.1"]] {
            let ordered = sort(&given.map(|ip| candidate(ip, None)), &PolicyTable::default());
            assert_eq!(addresses(&ordered), given);
            assert_eq!(ordered[0].decided_by, None);
        }
    }

    #[test]
    fn native_transport_goes_before_a_tunnel() {
        let tunnel = Source { encapsulated: true, ..from("2001:db8:2::2") };
        assert_before(
            candidate("2001:db8:1::1", from("2001:db8:1::2")),
            candidate("2001:db8:2::1", tunnel),
            7,
        );
    }

    /// Addresses of golang.org/issue/13283, from behind NAT.
    #[test]
    fn ipv4_addresses_keep_the_rotation_of_the_answer() {
        let given = ["54.83.193.112", "184.72.238.214", "23.23.172.185", "75.101.148.21", "10.9.9.9"];
        let ordered = sort(&given.map(|ip| candidate(ip, from("10.2.3.4"))), &PolicyTable::default());
        assert_eq!(addresses(&ordered), given);
        assert!(ordered.iter().all(|ordered| ordered.decided_by.is_none()));
    }

    #[test]
    fn the_interface_identifier_is_no_prefix() {
        let source = from("2001:db8::8000:0:0:2");
        let given = ["2001:db8::1:0:0:1", "2001:db8::8000:0:0:1"];
        let ordered = sort(&given.map(|ip| candidate(ip, source)), &PolicyTable::default());
        assert_eq!(addresses(&ordered), given);
    }

    #[test]
    fn families_that_a_table_makes_equal_stay_as_given_without_mixing_the_rules() {
        let flat = PolicyTable::new([PolicyEntry {
            prefix: std::net::Ipv6Addr::UNSPECIFIED,
            length: 0,
            precedence: 1,
            label: 1,
        }]);
        let far = candidate("2001:db9::1", from("2001:db8::2"));
        let v4 = candidate("198.51.100.1", from("198.51.100.2"));
        let near = candidate("2001:db8::1", from("2001:db8::2"));
        let ordered = sort(&[far, v4, near], &flat);
        assert_eq!(addresses(&ordered), ["2001:db8::1", "2001:db9::1", "198.51.100.1"]);
        assert_eq!(rules(&ordered), [Some(9), None, None]);
        let ordered = sort(&[v4, far, near], &flat);
        assert_eq!(addresses(&ordered), ["198.51.100.1", "2001:db8::1", "2001:db9::1"]);
        assert_eq!(rules(&ordered), [None, Some(9), None]);
    }

    /// The rules as section 6 states them, pair by pair, to hold the keys against.
    fn by_the_letter(a: &Candidate, b: &Candidate, policy: &PolicyTable) -> (Ordering, Option<u8>) {
        let (Some(source_a), Some(source_b)) = (a.source, b.source) else {
            let order = b.source.is_some().cmp(&a.source.is_some());
            return (order, order.is_ne().then_some(1));
        };
        let (da, db) = (a.address.ip().to_canonical(), b.address.ip().to_canonical());
        let (sa, sb) = (source_a.ip.ip.to_canonical(), source_b.ip.ip.to_canonical());
        let prefer = |a: bool, b: bool| b.cmp(&a);
        let label = |ip| policy.entry(ip).map(|entry| entry.label);
        let precedence = |ip| policy.entry(ip).map_or(0, |entry| entry.precedence);
        let prefix = |d, s| match (d, s) {
            (IpAddr::V6(d), IpAddr::V6(s)) => common_prefix_length(d, s).min(64),
            _ => 0,
        };
        let rules = [
            (2, prefer(Scope::of(da) == Scope::of(sa), Scope::of(db) == Scope::of(sb))),
            (3, prefer(!source_a.deprecated, !source_b.deprecated)),
            (4, prefer(source_a.home, source_b.home)),
            (5, prefer(label(sa) == label(da), label(sb) == label(db))),
            (6, precedence(db).cmp(&precedence(da))),
            (7, prefer(!source_a.encapsulated, !source_b.encapsulated)),
            (8, Scope::of(da).cmp(&Scope::of(db))),
            (
                9,
                if da.is_ipv6() && db.is_ipv6() {
                    prefix(db, sb).cmp(&prefix(da, sa))
                } else {
                    Ordering::Equal
                },
            ),
        ];
        match rules.iter().find(|(_, order)| order.is_ne()) {
            Some(&(rule, order)) => (order, Some(rule)),
            None => (Ordering::Equal, None),
        }
    }

    fn any_ip() -> impl Strategy<Value = IpAddr> {
        let v6 = |prefix: u128, bits: u32| {
            any::<u128>()
                .prop_map(move |low| IpAddr::from((prefix | (low & (u128::MAX >> bits))).to_be_bytes()))
        };
        prop_oneof![
            any::<[u8; 4]>().prop_map(IpAddr::from),
            prop_oneof![Just([127, 0, 0, 1]), Just([169, 254, 1, 1]), Just([10, 0, 0, 1])]
                .prop_map(IpAddr::from),
            any::<[u8; 16]>().prop_map(IpAddr::from),
            Just("::1".parse().unwrap()),
            v6(0x2001_0db8 << 96, 60),
            v6(0x2002 << 112, 16),
            v6(0xfe80 << 112, 64),
            v6(0xfd00 << 112, 60),
            v6(0xff00 << 112, 8),
            v6(0xffff << 32, 96),
        ]
    }

    fn any_candidate() -> impl Strategy<Value = Candidate> {
        let source =
            (any_ip(), prop::bool::weighted(0.2), prop::bool::weighted(0.2), prop::bool::weighted(0.2));
        (any_ip(), prop::option::weighted(0.8, source)).prop_map(|(ip, source)| Candidate {
            address: SocketAddr::new(ip, 443),
            source: source.map(|(ip, deprecated, home, encapsulated)| Source {
                ip: ip.into(),
                deprecated,
                home,
                encapsulated,
            }),
        })
    }

    /// Gives each candidate a port of its own, by which it is known again in the result.
    fn numbered(mut candidates: Vec<Candidate>) -> Vec<Candidate> {
        for (number, candidate) in (0..).zip(&mut candidates) {
            candidate.address.set_port(number);
        }
        candidates
    }

    fn in_result_order(ordered: &[OrderedAddress], given: &[Candidate]) -> Vec<Candidate> {
        ordered.iter().map(|ordered| given[usize::from(ordered.address.port())]).collect()
    }

    proptest! {
        #[test]
        fn the_result_is_a_permutation_and_sorting_it_again_changes_nothing(
            given in prop::collection::vec(any_candidate(), 0..12).prop_map(numbered)
        ) {
            let policy = PolicyTable::default();
            let ordered = sort(&given, &policy);
            let mut ports: Vec<u16> = ordered.iter().map(|ordered| ordered.address.port()).collect();
            ports.sort_unstable();
            prop_assert!(ports.iter().copied().eq(0..given.len() as u16));
            for (ordered, candidate) in ordered.iter().zip(in_result_order(&ordered, &given)) {
                prop_assert_eq!(ordered.address, candidate.address);
                prop_assert_eq!(ordered.source, candidate.source.map(|source| source.ip.ip));
            }

            prop_assert_eq!(&sort(&given, &policy), &ordered);
            prop_assert_eq!(&sort(&in_result_order(&ordered, &given), &policy), &ordered);
        }

        #[test]
        fn the_keys_say_what_the_letter_of_the_rules_says(
            given in prop::collection::vec(any_candidate(), 2).prop_map(numbered)
        ) {
            let policy = PolicyTable::default();
            let (order, rule) = by_the_letter(&given[0], &given[1], &policy);
            let ordered = sort(&given, &policy);
            prop_assert_eq!(ordered[0].address.port(), u16::from(order.is_gt()));
            prop_assert_eq!(ordered[0].decided_by, rule);
        }

        /// Also with a table under which the families tie, where comparing pair by pair could run in circles.
        #[test]
        fn no_later_address_is_better_than_an_earlier_one(
            given in prop::collection::vec(any_candidate(), 0..8).prop_map(numbered)
        ) {
            let flat = PolicyTable::new([PolicyEntry {
                prefix: std::net::Ipv6Addr::UNSPECIFIED, length: 0, precedence: 1, label: 1,
            }]);
            for policy in [PolicyTable::default(), flat] {
                let ordered = in_result_order(&sort(&given, &policy), &given);
                for (index, earlier) in ordered.iter().enumerate() {
                    for later in &ordered[index + 1..] {
                        let (order, rule) = by_the_letter(earlier, later, &policy);
                        prop_assert!(order.is_le(), "{earlier:?} went before {later:?} against rule {rule:?}");
                    }
                }
            }
        }
    }
}
