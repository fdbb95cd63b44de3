//! What nss-myhostname(8) answers: this host's own name and addresses, both ways.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::name::is_within;
use crate::addr::ScopedIp;
use crate::interface::{InterfaceAddr, interface_addrs};

/// Stands for a host without addresses, and for it alone.
const UNCONFIGURED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// The addresses of this host, those of its loopback included; none where the kernel may not be asked.
pub(crate) fn local_addresses() -> Vec<ScopedIp> {
    interface_addrs().map(|all| all.iter().map(InterfaceAddr::scoped).collect()).unwrap_or_default()
}

/// The addresses of `name`, if it is the host's: those in `local` that other hosts could use, global ones first; or, on
/// a host without any, two that lead to itself.
pub(crate) fn addresses(name: &str, hostname: &str, local: &[ScopedIp]) -> Vec<ScopedIp> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if is_within(name, "localhost") || is_within(name, "localhost.localdomain") {
        return vec![IpAddr::from(Ipv4Addr::LOCALHOST).into(), IpAddr::from(Ipv6Addr::LOCALHOST).into()];
    }
    if hostname.is_empty() || !name.eq_ignore_ascii_case(hostname) {
        return Vec::new();
    }
    let mut addresses: Vec<ScopedIp> = outward(local).collect();
    addresses.sort_by_key(|address| is_link_local(address.ip));
    if addresses.is_empty() {
        addresses = vec![IpAddr::from(UNCONFIGURED).into(), IpAddr::from(Ipv6Addr::LOCALHOST).into()];
    }
    addresses
}

/// The name of `ip`, if it is one of this host.
pub(crate) fn name_of(ip: IpAddr, hostname: &str, local: &[ScopedIp]) -> Option<String> {
    let ip = ip.to_canonical();
    let own = ip == IpAddr::V4(UNCONFIGURED) || outward(local).any(|address| address.ip == ip);
    if own && !hostname.is_empty() {
        Some(hostname.to_owned())
    } else if ip == IpAddr::V4(Ipv4Addr::LOCALHOST) || ip == IpAddr::V6(Ipv6Addr::LOCALHOST) {
        Some("localhost".to_owned())
    } else {
        None
    }
}

fn outward(local: &[ScopedIp]) -> impl Iterator<Item = ScopedIp> {
    local.iter().copied().filter(|address| !address.ip.is_loopback())
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> ScopedIp {
        text.parse::<IpAddr>().unwrap().into()
    }

    fn answer(name: &str, local: &[ScopedIp]) -> Vec<String> {
        addresses(name, "myhost", local).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_hosts_name_stands_for_its_addresses_global_ones_first() {
        let link = ScopedIp { ip: "fe80::1".parse().unwrap(), scope_id: 2 };
        let local = [ip("127.0.0.1"), ip("::1"), link, ip("192.0.2.7"), ip("2001:db8::7")];
        for name in ["myhost", "MyHost", "myhost."] {
            assert_eq!(answer(name, &local), ["192.0.2.7", "2001:db8::7", "fe80::1%2"], "{name}");
        }
        assert_eq!(answer("other", &local), [""; 0]);
        assert_eq!(answer("myhost.example", &local), [""; 0]);
        assert_eq!(addresses("", "", &local), []);
    }

    #[test]
    fn the_loopback_is_among_the_addresses_of_this_host() {
        let local = local_addresses();
        assert!(local.contains(&ip("127.0.0.1")), "{local:?}");
        assert_eq!(name_of("127.0.0.1".parse().unwrap(), "", &local).as_deref(), Some("localhost"));
    }

    #[test]
    fn a_host_without_addresses_still_reaches_itself() {
        assert_eq!(answer("myhost", &[ip("127.0.0.1"), ip("::1")]), ["127.0.0.2", "::1"]);
    }

    #[test]
    fn localhost_in_all_its_forms() {
        for name in ["localhost", "a.localhost", "localhost.localdomain", "a.LocalHost.LocalDomain."] {
            assert_eq!(answer(name, &[]), ["127.0.0.1", "::1"], "{name}");
        }
    }

    #[test]
    fn its_addresses_lead_back_to_the_name() {
        let local = [ip("127.0.0.1"), ip("192.0.2.7")];
        for (address, name) in [
            ("192.0.2.7", Some("myhost")),
            ("::ffff:192.0.2.7", Some("myhost")),
            ("127.0.0.2", Some("myhost")),
            ("127.0.0.1", Some("localhost")),
            ("::1", Some("localhost")),
            ("127.0.0.3", None),
            ("192.0.2.8", None),
        ] {
            assert_eq!(name_of(address.parse().unwrap(), "myhost", &local).as_deref(), name, "{address}");
        }
    }
}
