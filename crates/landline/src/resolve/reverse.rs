//! Reverse names: `1.2.0.192.in-addr.arpa.` (RFC 1035 section 3.5) and the nibbles of `ip6.arpa.` (RFC 3596 section
//! 2.5), both ways.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::name::Name;

const IN_ADDR: &str = ".in-addr.arpa";
const IP6: &str = ".ip6.arpa";

/// The name whose PTR records hold the names of `ip`. An IPv4-mapped address is looked up as the IPv4 address it is.
pub(crate) fn reverse_name(ip: IpAddr) -> Name {
    let mut text = String::with_capacity(74);
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            // Writing to a string does not fail.
            let _ = write!(text, "{d}.{c}.{b}.{a}{IN_ADDR}.");
        }
        IpAddr::V6(ip) => {
            for octet in ip.octets().iter().rev() {
                let _ = write!(text, "{:x}.{:x}.", octet & 15, octet >> 4);
            }
            text.push_str(&IP6[1..]);
            text.push('.');
        }
    }
    Name::from_valid(text)
}

/// The address whose reverse name this is, absolute or not; `None` for other names, those of networks included.
pub(crate) fn address_of(name: &str) -> Option<IpAddr> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if let Some(digits) = strip_suffix(name, IN_ADDR) {
        let mut octets = digits.split('.').map(decimal);
        let mut octet = || octets.next().flatten();
        let [d, c, b, a] = [octet()?, octet()?, octet()?, octet()?];
        return octets.next().is_none().then_some(Ipv4Addr::new(a, b, c, d).into());
    }
    let digits = strip_suffix(name, IP6)?;
    let mut bits = 0u128;
    let mut count = 0;
    for label in digits.split('.') {
        let nibble = match label.as_bytes() {
            [digit] => char::from(*digit).to_digit(16)?,
            _ => return None,
        };
        if count == 32 {
            return None;
        }
        bits |= u128::from(nibble) << (4 * count);
        count += 1;
    }
    (count == 32).then(|| Ipv6Addr::from_bits(bits).into())
}

/// An octet as reverse names write it: without leading zeros.
fn decimal(label: &str) -> Option<u8> {
    let plain = label.bytes().all(|byte| byte.is_ascii_digit()) && (label == "0" || !label.starts_with('0'));
    if plain { label.parse().ok() } else { None }
}

fn strip_suffix<'a>(name: &'a str, suffix: &str) -> Option<&'a str> {
    let at = name.len().checked_sub(suffix.len())?;
    let end = name.get(at..)?;
    if end.eq_ignore_ascii_case(suffix) { name.get(..at) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_examples_of_the_rfcs() {
        for (ip, name) in [
            ("10.2.0.52", "52.0.2.10.in-addr.arpa."),
            ("::ffff:10.2.0.52", "52.0.2.10.in-addr.arpa."),
            (
                "4321:0:1:2:3:4:567:89ab",
                "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa.",
            ),
        ] {
            assert_eq!(reverse_name(ip.parse().unwrap()).as_str(), name);
        }
        assert_eq!(address_of("52.0.2.10.IN-ADDR.ARPA"), Some("10.2.0.52".parse().unwrap()));
    }

    #[test]
    fn names_that_are_no_address_are_not_taken_for_one() {
        let short = format!("{}ip6.arpa", "0.".repeat(31));
        let long = format!("{}ip6.arpa", "0.".repeat(33));
        let wide = format!("{}00.ip6.arpa", "0.".repeat(31));
        for name in [
            "in-addr.arpa.",
            "10.in-addr.arpa.",
            "2.0.10.in-addr.arpa.",
            "1.52.0.2.10.in-addr.arpa.",
            "256.0.2.10.in-addr.arpa.",
            "052.0.2.10.in-addr.arpa.",
            "+5.0.2.10.in-addr.arpa.",
            "a.0.2.10.in-addr.arpa.",
            "1.2.3.4",
            "1.2.3.4xin-addr.arpa",
            "é.ip6.arpa",
            "",
            &short,
            &long,
            &wide,
        ] {
            assert_eq!(address_of(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn there_and_back(ip in any::<IpAddr>()) {
            prop_assert_eq!(address_of(reverse_name(ip).as_str()), Some(ip.to_canonical()));
        }

        #[test]
        fn no_text_panics(text in "([0-9a-fé.]{0,70})(\\.in-addr\\.arpa|\\.ip6\\.arpa)?") {
            let _ = address_of(&text);
        }
    }
}
