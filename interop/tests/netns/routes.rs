//! What the network answers, or does not, and what the error says of it.

use landline_interop::{Pair, Report, finish};

#[track_caller]
fn dial(pair: &Pair, address: &str) -> Report {
    Report::of(&finish(&mut pair.landline(&["dial", "--json", "tcp", address])))
}

#[test]
fn routes_that_say_no_are_told_apart() {
    let Some(pair) = Pair::new() else { return };
    for (kind, four, six) in [
        ("blackhole", "198.18.0.0/24", "2001:db8:b::/64"),
        ("unreachable", "198.18.1.0/24", "2001:db8:c::/64"),
        ("prohibit", "198.18.2.0/24", "2001:db8:d::/64"),
    ] {
        pair.near.run(&format!("ip route add {kind} {four}"));
        pair.near.run(&format!("ip -6 route add {kind} {six}"));
    }
    for (address, reason) in [
        ("198.18.0.1:80", "connect: invalid argument"),
        ("198.18.1.1:80", "connect: no route to host"),
        ("198.18.2.1:80", "connect: permission denied"),
        ("198.18.3.1:80", "connect: network is unreachable"),
        ("[2001:db8:b::1]:80", "connect: invalid argument"),
        ("[2001:db8:c::1]:80", "connect: no route to host"),
        ("[2001:db8:d::1]:80", "connect: permission denied"),
        ("[2001:db8:e::1]:80", "connect: network is unreachable"),
    ] {
        let report = dial(&pair, address);
        assert_eq!(report.code, 1, "{report:?}");
        assert_eq!(report.message(), format!("dial tcp {address}: {reason}"));
        assert_eq!(report.error()["timeout"], false, "{report:?}");
        assert!(report.total_ms() < 1000, "at once: {report:?}");
    }
}

#[test]
fn an_address_without_a_route_comes_last() {
    let Some(pair) = Pair::new() else { return };
    let _server = pair.echo("tcp", "[::]:8080");
    pair.near.etc("hosts", "2001:db8:e::1 half.example\n192.0.2.2 half.example\n");
    // RFC 6724 section 6, rule 1: an unusable destination is avoided.
    let report = dial(&pair, "half.example:8080");
    assert_eq!((report.code, report.peer()), (0, "192.0.2.2:8080"), "{report:?}");
    assert_eq!(report.attempts().len(), 1, "{report:?}");
}

#[test]
fn a_host_that_is_silent_is_given_up_when_the_kernel_does() {
    let Some(pair) = Pair::new() else { return };
    pair.near.sysctl("net.ipv4.tcp_syn_retries", "1");
    pair.far.filter_input("tcp dport 8080 drop");
    let report = dial(&pair, "192.0.2.2:8080");
    assert_eq!(report.message(), "dial tcp 192.0.2.2:8080: connect: connection timed out");
    assert_eq!(report.error()["timeout"], true, "{report:?}");
}

#[test]
fn refusals_by_icmp_are_told_apart() {
    let Some(pair) = Pair::new() else { return };
    for (port, kind, reason) in [
        (8081, "icmpx type admin-prohibited", "connect: no route to host"),
        (8082, "icmpx type host-unreachable", "connect: no route to host"),
        (8083, "icmpx type port-unreachable", "connect: connection refused"),
        (8084, "icmpx type no-route", "connect: network is unreachable"),
        (8085, "tcp reset", "connect: connection refused"),
    ] {
        pair.far.filter_input(&format!("tcp dport {port} reject with {kind}"));
        let report = dial(&pair, &format!("192.0.2.2:{port}"));
        assert_eq!(report.message(), format!("dial tcp 192.0.2.2:{port}: {reason}"));
    }
}

#[test]
fn without_a_link_nothing_is_waited_for() {
    let Some(pair) = Pair::new() else { return };
    pair.near.run("ip link set eth0 down");
    let report = dial(&pair, "far.example:8080");
    assert_eq!(report.code, 1, "{report:?}");
    assert!(report.message().contains("network is unreachable"), "{report:?}");
    assert!(report.total_ms() < 1000, "{report:?}");
}

#[test]
fn without_ipv6_the_ipv4_address_is_dialed_at_once() {
    let Some(pair) = Pair::new() else { return };
    let _server = pair.echo("tcp", ":8080");
    pair.near.sysctl("net.ipv6.conf.all.disable_ipv6", "1");
    pair.near.sysctl("net.ipv6.conf.default.disable_ipv6", "1");
    pair.near.sysctl("net.ipv6.conf.lo.disable_ipv6", "1");
    let report = dial(&pair, "far.example:8080");
    assert_eq!((report.code, report.peer()), (0, "192.0.2.2:8080"), "{report:?}");
    assert_eq!(report.attempts()[0].peer, "192.0.2.2:8080", "{report:?}");
    assert!(report.total_ms() < 250, "no race is needed: {report:?}");
}

#[test]
fn ports_that_have_run_out_are_an_error_of_their_own() {
    let Some(pair) = Pair::new() else { return };
    let _server = pair.echo("tcp", ":8080");
    pair.near.sysctl("net.ipv4.ip_local_port_range", "50000 50001");
    // Each of the two takes one port and, as the active closer, keeps it in TIME-WAIT.
    let held: Vec<_> = (0..2)
        .map(|_| {
            let mut talk =
                landline_interop::Running::start(&mut pair.landline(&["dial", "tcp", "192.0.2.2:8080"]));
            talk.say("here\n");
            assert_eq!(talk.next_line(), "here");
            talk
        })
        .collect();
    let report = dial(&pair, "192.0.2.2:8080");
    assert_eq!(
        report.message(),
        "dial tcp 192.0.2.2:8080: connect: cannot assign requested address",
        "{held:?}"
    );
}
