//! Reverse names: `1.2.0.192.in-addr.arpa.` (RFC 1035 section 3.5) and the nibbles of `ip6.arpa.` (RFC 3596 section
//! 2.5).

use std::fmt::Write;
use std::net::IpAddr;

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

#[cfg(test)]
mod tests {
    use super::*;

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
    }
}
