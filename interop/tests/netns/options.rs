//! What a dial can be told, as the network and the kernel see it.

use landline_interop::{Pair, Report, Running, finish};

#[track_caller]
fn dial(pair: &Pair, options: &[&str], address: &str) -> Report {
    let mut line = vec!["dial", "--json"];
    line.extend(options);
    line.extend(["tcp", address]);
    Report::of(&finish(&mut pair.landline(&line)))
}

#[test]
fn a_dial_leaves_from_the_address_and_port_it_is_told() {
    let Some(pair) = Pair::new() else { return };
    let _server = pair.echo("tcp", ":8080");
    pair.near.run("ip addr add 192.0.2.77/24 dev eth0");
    // Without the port of one dial the next could not bind it again at once.
    for (local, expected) in [("192.0.2.77", "192.0.2.77:"), ("192.0.2.77:4000", "192.0.2.77:4000")] {
        let report = dial(&pair, &["--local", local], "far.example:8080");
        assert_eq!(report.peer(), "192.0.2.2:8080", "the IPv6 address is left out: {report:?}");
        assert!(report.local().starts_with(expected), "{report:?}");
    }
    let report = dial(&pair, &["--local", "192.0.2.78"], "192.0.2.2:8080");
    assert_eq!(
        report.message(),
        "dial tcp 192.0.2.78:0->192.0.2.2:8080: bind: cannot assign requested address"
    );
    let report = dial(&pair, &["--local", "192.0.2.77"], "[2001:db8:77::2]:8080");
    assert_eq!(report.status(), "failed");
    assert!(report.message().contains("no suitable address"), "{report:?}");
}

#[test]
fn a_dial_keeps_to_its_interface() {
    let Some(pair) = Pair::new() else { return };
    let _server = pair.echo("tcp", ":8080");
    let report = dial(&pair, &["--interface", "eth0"], "far.example:8080");
    assert_eq!(report.status(), "connected", "{report:?}");
    let report = dial(&pair, &["--interface", "lo", "--timeout", "500ms"], "192.0.2.2:8080");
    assert_eq!(report.status(), "failed", "the far host is not there: {report:?}");
    let refused = finish(&mut pair.landline(&["dial", "--interface", "eth7", "tcp", "192.0.2.2:8080"]));
    assert_eq!(refused.code, 2, "{refused:?}");
    assert_eq!(refused.stderr, "landline: --interface eth7: no such network interface\n");
}

#[test]
fn an_address_of_the_link_is_dialed_with_its_zone() {
    let Some(pair) = Pair::new() else { return };
    let _server = pair.echo("tcp", ":8080");
    let link_local = pair.far.link_local("eth0");
    let report = dial(&pair, &[], &format!("[{link_local}%eth0]:8080"));
    assert_eq!(report.status(), "connected", "{report:?}");
    let report = dial(&pair, &[], &format!("[{link_local}%eth7]:8080"));
    assert_eq!(report.status(), "failed");
    assert!(report.message().contains("eth7"), "{report:?}");
}

#[test]
fn multipath_and_fast_open_connect_to_a_peer_without_them() {
    let Some(pair) = Pair::new() else { return };
    let _server = pair.echo("tcp", ":8080");
    for option in ["--mptcp", "--fast-open"] {
        let done = landline_interop::finish_with_input(
            &mut pair.landline(&["dial", option, "tcp", "far.example:8080"]),
            b"hello\n",
        );
        assert_eq!(done.success(), "hello\n", "{option}");
    }
}

#[test]
fn keep_alive_is_on_unless_told_otherwise() {
    let Some(pair) = Pair::new() else { return };
    let _server = pair.echo("tcp", ":8080");
    for (options, kept) in [(&[][..], true), (&["--keep-alive", "off"], false)] {
        let mut line = vec!["dial"];
        line.extend(options);
        line.extend(["tcp", "192.0.2.2:8080"]);
        let mut talk = Running::start(&mut pair.landline(&line));
        talk.say("hello\n");
        assert_eq!(talk.next_line(), "hello");
        let sockets = pair.near.run("ss -Htno state established");
        assert_eq!(sockets.contains("timer:(keepalive,"), kept, "{options:?}: {sockets}");
    }
}

#[test]
fn a_port_that_was_just_used_can_be_listened_on_again() {
    let Some(pair) = Pair::new() else { return };
    for _ in 0..3 {
        let mut server = pair.echo("tcp", ":8080");
        let mut talk = Running::start(&mut pair.landline(&["dial", "tcp", "far.example:8080"]));
        talk.say("hello\n");
        assert_eq!(talk.next_line(), "hello");
        // The server goes first, and its end of the conn stays in FIN-WAIT or TIME-WAIT.
        server.stop();
    }
    assert!(pair.far.run("ss -Htan sport = 8080").contains("WAIT"), "the port was in use");
}
