//! The networks are what the other tests take them for.

use std::path::Path;

use landline_interop::{Namespace, namespaces};

#[test]
fn two_namespaces_see_each_other_over_their_cable_and_nothing_else() {
    if !namespaces() {
        return;
    }
    let (near, far) = (Namespace::new(), Namespace::new());
    Namespace::connect([
        (&near, "eth0", &["192.0.2.1/24", "2001:db8:77::1/64"]),
        (&far, "eth0", &["192.0.2.2/24", "2001:db8:77::2/64"]),
    ]);
    assert!(near.run("ip route get 192.0.2.2").contains("dev eth0"));
    assert!(near.run("ip -6 route get 2001:db8:77::2").contains("dev eth0"));
    assert_eq!(near.run("ip -o link").lines().count(), 2, "loopback and the cable");
}

#[test]
fn files_and_kernel_parameters_are_seen_inside_only() {
    if !namespaces() {
        return;
    }
    let namespace = Namespace::new();
    namespace.etc("resolv.conf", "nameserver 192.0.2.53\n");
    namespace.sysctl("net.ipv4.tcp_syn_retries", "1");
    assert_eq!(namespace.run("cat /etc/resolv.conf"), "nameserver 192.0.2.53\n");
    assert_eq!(namespace.run("cat /proc/sys/net/ipv4/tcp_syn_retries").trim(), "1");
    let outside = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    assert!(!outside.contains("192.0.2.53"));
}

#[test]
fn a_dropped_namespace_leaves_no_name_and_no_files() {
    if !namespaces() {
        return;
    }
    let namespace = Namespace::new();
    namespace.etc("hosts", "192.0.2.1 host.example\n");
    namespace.filter_input("udp dport 9000 drop");
    assert!(namespace.run("nft list ruleset").contains("udp dport 9000 drop"));
    let name = namespace.run("ip netns identify").trim().to_owned();
    let (named, files) = (Path::new("/run/netns").join(&name), Path::new("/etc/netns").join(&name));
    assert!(named.exists() && files.exists());
    drop(namespace);
    assert!(!named.exists() && !files.exists());
}
