//! Conns whose network changes under them.

use landline_interop::{Namespace, Pair, Report, Running, finish, finish_with_input, namespaces, program};

/// A conversation with the echo server that has been seen to work.
fn conversation(pair: &Pair, address: &str) -> Running {
    let mut talk = Running::start(&mut pair.landline(&["dial", "tcp", address]));
    talk.say("before\n");
    assert_eq!(talk.next_line(), "before");
    talk
}

#[test]
fn a_reset_in_mid_stream_is_an_error() {
    let Some(pair) = Pair::new() else { return };
    let _server = pair.echo("tcp", ":8080");
    let mut talk = conversation(&pair, "192.0.2.2:8080");
    pair.far.filter_input("tcp dport 8080 reject with tcp reset");
    talk.say("after\n");
    let (status, complaints) = talk.wait();
    assert_eq!(status.code(), Some(1), "{complaints}");
    assert!(complaints.contains("connection reset by peer"), "{complaints}");
    assert!(complaints.contains("192.0.2.2:8080"), "{complaints}");
}

#[test]
fn a_stream_comes_whole_through_losses() {
    let Some(pair) = Pair::new() else { return };
    let _server = pair.echo("tcp", ":8080");
    // Single packets are lost, not the long ones that the kernel passes on between hosts as near as these.
    for host in [&pair.near, &pair.far] {
        host.run("ip link set eth0 gso_max_segs 1");
    }
    pair.far.filter_input("tcp dport 8080 numgen inc mod 13 == 5 counter drop");
    pair.near.filter_input("tcp sport 8080 numgen inc mod 17 == 7 counter drop");
    let mut sent = String::new();
    for number in 0_u64..60_000 {
        sent.push_str(&format!("{:016x}\n", (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    }
    for address in ["192.0.2.2:8080", "[2001:db8:77::2]:8080"] {
        let done = finish_with_input(&mut pair.landline(&["dial", "tcp", address]), sent.as_bytes());
        assert!(done.success() == sent, "{} of {} bytes came back", done.stdout.len(), sent.len());
    }
    for host in [&pair.near, &pair.far] {
        let rules = host.run("nft list ruleset");
        assert!(rules.contains("counter packets") && !rules.contains("counter packets 0 "), "{rules}");
    }
}

#[test]
fn a_conn_that_dies_in_silence_is_noticed_by_keep_alive() {
    let Some(pair) = Pair::new() else { return };
    let _server = pair.echo("tcp", ":8080");
    let mut talk =
        Running::start(&mut pair.landline(&["dial", "--keep-alive", "1s,1s,2", "tcp", "192.0.2.2:8080"]));
    talk.say("before\n");
    assert_eq!(talk.next_line(), "before");
    pair.far.filter_input("tcp dport 8080 drop");
    let (status, complaints) = talk.wait();
    assert_eq!(status.code(), Some(1), "{complaints}");
    assert!(complaints.contains("connection timed out"), "{complaints}");
}

#[test]
fn a_listener_on_every_address_is_reached_by_both_families() {
    let Some(pair) = Pair::new() else { return };
    // The system's default must not decide: Go clears IPV6_V6ONLY itself.
    for (port, bindv6only) in [(8080, "0"), (8081, "1")] {
        pair.far.sysctl("net.ipv6.bindv6only", bindv6only);
        let _server = pair.echo("tcp", &format!(":{port}"));
        for host in ["192.0.2.2", "[2001:db8:77::2]"] {
            let address = format!("{host}:{port}");
            let report = Report::of(&finish(&mut pair.landline(&["dial", "--json", "tcp", &address])));
            assert_eq!((report.code, report.peer()), (0, address.as_str()), "{report:?}");
        }
    }
}

#[test]
fn a_listener_of_one_family_is_not_reached_by_the_other() {
    let Some(pair) = Pair::new() else { return };
    for (network, refused, served) in [
        ("tcp4", "[2001:db8:77::2]:8080", "192.0.2.2:8080"),
        ("tcp6", "192.0.2.2:8080", "[2001:db8:77::2]:8080"),
    ] {
        let _server = pair.echo(network, ":8080");
        for (address, code) in [(refused, 1), (served, 0)] {
            let report = Report::of(&finish(&mut pair.landline(&["dial", "--json", "tcp", address])));
            assert_eq!(report.code, code, "{network}: {report:?}");
        }
    }
}

#[test]
fn a_host_without_ipv6_can_listen() {
    let (Some(program), true) = (program(), namespaces()) else { return };
    let host = Namespace::new();
    host.sysctl("net.ipv6.conf.all.disable_ipv6", "1");
    host.sysctl("net.ipv6.conf.lo.disable_ipv6", "1");
    let mut server = Running::start(host.command(&program).args(["listen", "tcp", ":8080", "--echo"]));
    server.next_line();
    let done = finish(host.command(&program).args(["dial", "--json", "tcp", "127.0.0.1:8080"]));
    assert_eq!(Report::of(&done).status(), "connected", "{done:?}");
}
