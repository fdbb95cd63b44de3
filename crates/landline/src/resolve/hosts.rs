//! `/etc/hosts` (hosts(5)), both ways.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use super::special::{ZoneIndex, literal};
use crate::addr::{AddressErrorKind, ScopedIp};

/// The longest name kept: none longer can be a domain name, and it bounds what a lookup copies.
const NAME: usize = 255;

/// The file's entries, ready to be looked up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hosts {
    by_name: HashMap<Box<str>, Entry>,
    by_address: HashMap<ScopedIp, Vec<Arc<str>>>,
    unknown_zones: bool,
}

/// What the file says of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    addresses: Vec<ScopedIp>,
    canonical: Arc<str>,
}

impl Entry {
    /// Its addresses in the order of the file, each once.
    pub(crate) fn addresses(&self) -> &[ScopedIp] {
        &self.addresses
    }

    /// The first name of the first line that has it, in lower case; with a final dot if it has a dot at all, as in Go,
    /// because nothing else tells a local name such as `myhost` from a domain name.
    pub(crate) fn canonical(&self) -> &str {
        &self.canonical
    }
}

impl Hosts {
    /// Reads the file's text: on each line an address and its names. Lines that begin with no address, and names of
    /// more than 255 octets, are passed over.
    pub(crate) fn parse(text: &[u8], zone_index: ZoneIndex<'_>) -> Hosts {
        let mut hosts = Hosts::default();
        for line in String::from_utf8_lossy(text).lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut fields = line.split_ascii_whitespace();
            let Some(address) = fields.next() else { continue };
            match literal(address, zone_index) {
                Ok(Some(address)) => hosts.add(address, fields),
                Ok(None) => {}
                Err(error) => hosts.unknown_zones |= matches!(error.kind(), AddressErrorKind::UnknownZone(_)),
            }
        }
        // Repeats are dropped at the end, and in one go each: lists of blocked hosts have one address with very many
        // names, and comparing each with all would take for ever.
        hosts.by_name.values_mut().for_each(|entry| drop_repeats(&mut entry.addresses));
        hosts.by_address.values_mut().for_each(drop_repeats);
        hosts
    }

    fn add<'a>(&mut self, address: ScopedIp, names: impl Iterator<Item = &'a str>) {
        let mut canonical = None;
        for name in names.filter(|name| (1..=NAME).contains(&key(name).len())) {
            let lower = name.to_ascii_lowercase();
            let canonical = canonical.get_or_insert_with(|| presented(&lower));
            self.by_address.entry(address).or_default().push(presented(name));
            self.by_name
                .entry(key(&lower).into())
                .or_insert_with(|| Entry { addresses: Vec::new(), canonical: canonical.clone() })
                .addresses
                .push(address);
        }
    }

    /// The entry of a name, in any case, absolute or not.
    pub(crate) fn entry(&self, name: &str) -> Option<&Entry> {
        let name = key(name);
        let mut lower = [0; NAME];
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name.as_bytes());
        lower.make_ascii_lowercase();
        self.by_name.get(std::str::from_utf8(lower).ok()?)
    }

    /// The names of an address in the order of the file, each once, written as there, with a final dot added to those
    /// that have a dot.
    pub(crate) fn names(&self, address: ScopedIp) -> &[Arc<str>] {
        self.by_address.get(&address).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether addresses were passed over because their zones name no interface, so that reading it again later may
    /// give more.
    pub(crate) fn has_unknown_zones(&self) -> bool {
        self.unknown_zones
    }
}

fn key(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

fn presented(name: &str) -> Arc<str> {
    if name.contains('.') && !name.ends_with('.') { format!("{name}.").into() } else { name.into() }
}

fn drop_repeats<T: Clone + Eq + Hash>(list: &mut Vec<T>) {
    if list.len() > 1 {
        let mut seen = HashSet::with_capacity(list.len());
        list.retain(|each| seen.insert(each.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn zone(name: &str) -> Option<u32> {
        match name {
            "lo0" => Some(1),
            "en0" => Some(2),
            _ => name.parse().ok(),
        }
    }

    fn parse(text: &str) -> Hosts {
        Hosts::parse(text.as_bytes(), &zone)
    }

    fn addresses(hosts: &Hosts, name: &str) -> Vec<String> {
        hosts
            .entry(name)
            .map(|entry| entry.addresses().iter().map(ToString::to_string).collect())
            .unwrap_or_default()
    }

    fn names(hosts: &Hosts, address: &str) -> Vec<String> {
        let address = literal(address, &zone).unwrap().unwrap();
        hosts.names(address).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn names_lead_to_addresses_and_back() {
        let hosts = parse(
            "127.0.0.1\tlocalhost\n\
             ::1 localhost ip6-localhost # the same over IPv6\n\
             \t192.0.2.10   Www.Example.com www  # trailing\r\n\
             192.0.2.11 www\n\
             192.0.2.11 www mail.example.com.\n\
             #192.0.2.12 commented\n\
             fe80::1%lo0 localhost\n\
             fe80::2%3 numbered",
        );
        assert_eq!(addresses(&hosts, "localhost"), ["127.0.0.1", "::1", "fe80::1%1"]);
        assert_eq!(addresses(&hosts, "LOCALHOST."), ["127.0.0.1", "::1", "fe80::1%1"]);
        assert_eq!(addresses(&hosts, "www"), ["192.0.2.10", "192.0.2.11"]);
        assert_eq!(addresses(&hosts, "www.example.COM"), ["192.0.2.10"]);
        assert_eq!(addresses(&hosts, "mail.example.com"), ["192.0.2.11"]);
        assert_eq!(addresses(&hosts, "numbered"), ["fe80::2%3"]);
        assert_eq!(addresses(&hosts, "commented"), [""; 0]);
        assert_eq!(names(&hosts, "127.0.0.1"), ["localhost"]);
        assert_eq!(names(&hosts, "::1"), ["localhost", "ip6-localhost"]);
        assert_eq!(names(&hosts, "192.0.2.10"), ["Www.Example.com.", "www"]);
        assert_eq!(names(&hosts, "192.0.2.11"), ["www", "mail.example.com."]);
        assert_eq!(names(&hosts, "fe80::1%lo0"), ["localhost"]);
        assert_eq!(names(&hosts, "192.0.2.1"), [""; 0]);
    }

    #[test]
    fn the_first_name_of_the_first_line_is_canonical() {
        let hosts = parse("192.0.2.1 Host.Example host\n192.0.2.2 other host\n192.0.2.3 single alias");
        for (name, canonical) in [
            ("host", "host.example."),
            ("host.example", "host.example."),
            ("other", "other"),
            ("alias", "single"),
        ] {
            assert_eq!(hosts.entry(name).expect(name).canonical(), canonical);
        }
    }

    #[test]
    fn lines_that_say_nothing_are_passed_over() {
        let long = "x".repeat(256);
        let hosts = parse(&format!(
            "192.0.2.1 .\n \t\n#\n127.0.0.1\n127.0.1 a\n999.0.0.1 a\nexample.com a\n1.2.3.4%en0 a\n0x7f.1 a\n192.0.2.1 {long}\n"
        ));
        assert_eq!(hosts, Hosts::default());
        assert!(hosts.entry(&long).is_none());
        assert!(hosts.entry("").is_none());
    }

    #[test]
    fn a_zone_without_an_interface_is_remembered() {
        let hosts = parse("fe80::1%gone a\n192.0.2.1 b");
        assert!(hosts.has_unknown_zones());
        assert_eq!(addresses(&hosts, "a"), [""; 0]);
        assert_eq!(addresses(&hosts, "b"), ["192.0.2.1"]);
    }

    #[test]
    fn a_long_list_of_blocked_hosts_is_read_in_linear_time() {
        let mut text = String::new();
        for number in 0..50_000 {
            text.push_str(&format!("0.0.0.0 ads{number}.example\n0.0.0.0 same\n"));
        }
        let hosts = parse(&text);
        assert_eq!(addresses(&hosts, "ads49999.example"), ["0.0.0.0"]);
        assert_eq!(addresses(&hosts, "same"), ["0.0.0.0"]);
        assert_eq!(names(&hosts, "0.0.0.0").len(), 50_001);
    }

    #[test]
    fn text_that_is_not_utf8_spoils_only_its_own_line() {
        let hosts = Hosts::parse(b"192.0.2.1 \xff\xfe\n192.0.2.2 good\n", &zone);
        assert_eq!(addresses(&hosts, "good"), ["192.0.2.2"]);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), name in any::<String>()) {
            let _ = Hosts::parse(&bytes, &zone).entry(&name);
        }

        #[test]
        fn what_is_written_is_found(
            lines in proptest::collection::vec((any::<std::net::IpAddr>(), "[A-Za-z][A-Za-z0-9.-]{0,20}[a-z]"), 0..20)
        ) {
            let text: String = lines.iter().map(|(ip, name)| format!("{ip}\t{name}\n")).collect();
            let hosts = parse(&text);
            for (ip, name) in &lines {
                let entry = hosts.entry(name).unwrap();
                prop_assert!(entry.addresses().contains(&(*ip).into()));
                prop_assert!(hosts.names((*ip).into()).iter().any(|each| key(each) == key(name)));
            }
        }
    }
}
