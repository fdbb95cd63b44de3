//! The records a lookup gives back, and the zone-file form they print in (RFC 1035 section 5.1).

use std::fmt;

use super::text::{self, Quoted};

/// A type of record that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::upper_case_acronyms)] // As the registry writes them.
pub(crate) enum RecordType {
    A,
    Ns,
    Cname,
    Ptr,
    Mx,
    Txt,
    Aaaa,
    Srv,
    Svcb,
    Https,
}

impl RecordType {
    /// As the IANA registry and every tool write it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            RecordType::A => "A",
            RecordType::Ns => "NS",
            RecordType::Cname => "CNAME",
            RecordType::Ptr => "PTR",
            RecordType::Mx => "MX",
            RecordType::Txt => "TXT",
            RecordType::Aaaa => "AAAA",
            RecordType::Srv => "SRV",
            RecordType::Svcb => "SVCB",
            RecordType::Https => "HTTPS",
        }
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A mail exchanger (MX, RFC 1035 section 3.3.9); prints as `10 mail.example.`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Mx {
    /// Lower is tried first.
    pub preference: u16,
    /// The host, absolute, with its trailing dot; `.` says that the domain takes no mail (RFC 7505).
    pub exchange: String,
}

/// Where a service runs (SRV, RFC 2782); prints as `priority weight port target`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Srv {
    /// Lower is tried first.
    pub priority: u16,
    /// The share of the clients among those of the same priority.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The host, absolute, with its trailing dot; `.` says that the service is not offered.
    pub target: String,
}

/// A text record (TXT, RFC 1035 section 3.3.14); prints as its quoted strings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Txt {
    /// The strings, each of at most 255 bytes, which need not be UTF-8.
    pub strings: Vec<Vec<u8>>,
}

impl Mx {
    /// A record with these fields.
    pub fn new(preference: u16, exchange: impl Into<String>) -> Mx {
        Mx { preference, exchange: exchange.into() }
    }
}

impl Srv {
    /// A record with these fields.
    pub fn new(priority: u16, weight: u16, port: u16, target: impl Into<String>) -> Srv {
        Srv { priority, weight, port, target: target.into() }
    }
}

impl Txt {
    /// A record with these strings.
    pub fn new(strings: impl IntoIterator<Item = impl Into<Vec<u8>>>) -> Txt {
        Txt { strings: strings.into_iter().map(Into::into).collect() }
    }

    /// The strings joined without anything between them, as SPF, DKIM and most other users of TXT read them;
    /// bytes that are not UTF-8 become U+FFFD.
    ///
    /// ```
    /// assert_eq!(landline::Txt::new(["v=spf1 ", "-all"]).text(), "v=spf1 -all");
    /// ```
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.strings.concat()).into_owned()
    }
}

impl fmt::Display for Mx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.preference, self.exchange)
    }
}

impl fmt::Display for Srv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.priority, self.weight, self.port, self.target)
    }
}

impl fmt::Display for Txt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::joined(f, " ", self.strings.iter().map(|string| Quoted(string)))
    }
}

/// Puts MX records in the order in which to try them: by preference, chance deciding between equals (RFC 5321
/// section 5.1). `random(n)` gives a number from 0 to `n`, both included.
pub(crate) fn order_mx(records: &mut [Mx], mut random: impl FnMut(u32) -> u32) {
    shuffle(records, &mut random);
    records.sort_by_key(|record| record.preference);
}

/// Puts SRV records in the order in which to try them, by the algorithm of RFC 2782: by priority, and among equals by
/// drawing without return, each with the chance its weight gives it. `random` is as for [`order_mx`].
pub(crate) fn order_srv(records: &mut [Srv], mut random: impl FnMut(u32) -> u32) {
    shuffle(records, &mut random);
    // Those of weight 0 come first of their priority, so that they are drawn only when the draw is 0.
    records.sort_by_key(|record| (record.priority, record.weight != 0));
    for same in records.chunk_by_mut(|one, next| one.priority == next.priority) {
        let mut left = same;
        while left.len() > 1 {
            let total = left.iter().map(|record| u32::from(record.weight)).sum();
            let draw = random(total);
            let mut sum = 0;
            let drawn = left
                .iter()
                .position(|record| {
                    sum += u32::from(record.weight);
                    sum >= draw
                })
                .unwrap_or(0);
            // Moved to the front, the others keeping their order.
            left[..=drawn].rotate_right(1);
            left = &mut left[1..];
        }
    }
}

fn shuffle<T>(items: &mut [T], random: &mut impl FnMut(u32) -> u32) {
    for last in (1..items.len()).rev() {
        let other = random(u32::try_from(last).unwrap_or(u32::MAX)) as usize;
        items.swap(last, other.min(last));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn srv(priority: u16, weight: u16, port: u16) -> Srv {
        Srv::new(priority, weight, port, "host.example.")
    }

    #[test]
    fn records_print_as_in_a_zone_file() {
        assert_eq!(Mx::new(10, "mail.example.").to_string(), "10 mail.example.");
        assert_eq!(Srv::new(1, 2, 443, "web.example.").to_string(), "1 2 443 web.example.");
        assert_eq!(
            Txt::new([b"a \"b\" \\ c".to_vec(), b"\x00\xff;".to_vec(), vec![]]).to_string(),
            r#""a \"b\" \\ c" "\000\255;" """#
        );
    }

    #[test]
    fn a_weight_is_the_chance_to_be_first() {
        let mut firsts = HashMap::new();
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..10_000 {
            let mut records = [srv(1, 0, 1), srv(1, 10, 2), srv(1, 30, 3), srv(0, 1, 4)];
            order_srv(&mut records, |most| rng.u32(0..=most));
            assert_eq!(records[0].port, 4, "the lowest priority number comes first");
            *firsts.entry(records[1].port).or_insert(0) += 1;
        }
        // The draw is one of 0..=40: 0 takes the record of weight 0, 1 to 10 the second, the rest the third.
        for (port, expected) in [(1, 10_000 / 41), (2, 100_000 / 41), (3, 300_000 / 41)] {
            let seen: i32 = firsts[&port];
            assert!((seen - expected).abs() < 300, "port {port}: {seen} times, {expected} expected");
        }
    }

    #[test]
    fn equal_preferences_are_drawn_by_chance() {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut firsts = 0;
        for _ in 0..1_000 {
            let mut records = [Mx::new(20, "c."), Mx::new(10, "a."), Mx::new(10, "b.")];
            order_mx(&mut records, |most| rng.u32(0..=most));
            assert_eq!(records[2].exchange, "c.");
            firsts += i32::from(records[0].exchange == "a.");
        }
        assert!((400..600).contains(&firsts), "{firsts}");
    }

    proptest! {
        #[test]
        fn ordering_loses_nothing_and_keeps_priorities_apart(
            given in prop::collection::vec((0..4u16, any::<u16>(), any::<u16>()), 0..20),
            seed: u64,
        ) {
            let given: Vec<Srv> = given.into_iter().map(|(p, w, port)| srv(p, w, port)).collect();
            let mut ordered = given.clone();
            let mut rng = fastrand::Rng::with_seed(seed);
            order_srv(&mut ordered, |most| rng.u32(0..=most));
            prop_assert!(ordered.is_sorted_by_key(|record| record.priority));
            let key = |record: &Srv| (record.priority, record.weight, record.port);
            let sorted = |mut records: Vec<Srv>| { records.sort_by_key(key); records };
            prop_assert_eq!(sorted(ordered), sorted(given));
        }
    }
}
