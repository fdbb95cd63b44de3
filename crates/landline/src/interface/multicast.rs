//! The multicast groups that an interface has joined, from `/proc/net/igmp` and `/proc/net/igmp6`.

use std::net::IpAddr;

/// The IPv4 groups that the interface has joined, from the text of `/proc/net/igmp`: a line for each interface that
/// begins with its index, and indented lines below it that begin with the group, printed as a number of this host.
pub(super) fn parse_igmp(text: &str, index: u32) -> Vec<IpAddr> {
    let mut groups = Vec::new();
    let mut current = None;
    // The first line is a heading.
    for line in text.lines().skip(1) {
        let Some(word) = line.split_ascii_whitespace().next() else { continue };
        if line.starts_with(|first: char| first.is_ascii_digit()) {
            current = word.parse().ok();
        } else if current == Some(index) && word.len() == 8 {
            groups.extend(u32::from_str_radix(word, 16).ok().map(|group| IpAddr::from(group.to_ne_bytes())));
        }
    }
    groups
}

/// The IPv6 groups, from the text of `/proc/net/igmp6`: index, name and group, one a line.
pub(super) fn parse_igmp6(text: &str, index: u32) -> Vec<IpAddr> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let its_index: u32 = words.next()?.parse().ok()?;
            let group = words.nth(1).filter(|group| group.len() == 32)?;
            let group = u128::from_str_radix(group, 16).ok()?;
            (its_index == index).then(|| IpAddr::from(group.to_be_bytes()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Linux 6.18 prints it on a little-endian host, and the group's number turned round where this one is not.
    fn igmp() -> String {
        let all_hosts = format!("{:08X}", u32::from_ne_bytes([224, 0, 0, 1]));
        let mdns = format!("{:08X}", u32::from_ne_bytes([224, 0, 0, 251]));
        format!(
            "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n\
             1\tlo        :     1      V3\n\t\t\t\t{all_hosts}     1 0:00000000\t\t0\n\
             4\teth0      :     2      V3\n\t\t\t\t{mdns}     1 0:00000000\t\t0\n\
             \t\t\t\t{all_hosts}     1 0:00000000\t\t0\n"
        )
    }

    const IGMP6: &str = "\
1    lo              ff020000000000000000000000000001     1 0000000C 0
4    eth0            ff0200000000000000000001ff000002     1 00000004 0
4    eth0            ff020000000000000000000000000001     1 0000000C 0
";

    fn texts(groups: &[IpAddr]) -> Vec<String> {
        groups.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn groups_are_those_below_the_interfaces_line() {
        assert_eq!(texts(&parse_igmp(&igmp(), 1)), ["224.0.0.1"]);
        assert_eq!(texts(&parse_igmp(&igmp(), 4)), ["224.0.0.251", "224.0.0.1"]);
        assert!(parse_igmp(&igmp(), 2).is_empty());
    }

    #[test]
    fn ipv6_groups_are_those_with_the_interfaces_index() {
        assert_eq!(texts(&parse_igmp6(IGMP6, 1)), ["ff02::1"]);
        assert_eq!(texts(&parse_igmp6(IGMP6, 4)), ["ff02::1:ff00:2", "ff02::1"]);
        assert!(parse_igmp6(IGMP6, 2).is_empty());
    }

    #[test]
    fn what_does_not_look_like_a_group_is_passed_over() {
        for text in
            ["", "\n\n", "Idx\n1\n\tXYZ\n\t010000E0FF\n", "x y z\n1 lo\n1 lo ff02\n99999999999 lo ff02\n"]
        {
            assert!(parse_igmp(text, 1).is_empty(), "{text:?}");
            assert!(parse_igmp6(text, 1).is_empty(), "{text:?}");
        }
    }
}
