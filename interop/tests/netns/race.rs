//! Dials to a host with two addresses, one of which does not work.

use landline_interop::{Pair, Report, finish};

/// The delay of RFC 8305 section 8, in microseconds, and what a busy machine may add.
const DELAY_US: u64 = 250_000;
const SLACK_US: u64 = 50_000;

#[test]
fn a_black_holed_first_address_costs_the_attempt_delay_and_no_more() {
    let Some(pair) = Pair::new() else { return };
    let _server = pair.echo("tcp", "[::]:8080");
    pair.far.filter_input("ip6 daddr 2001:db8:77::2 tcp dport 8080 drop");

    let report = Report::of(&finish(&mut pair.landline(&["dial", "--json", "tcp", "far.example:8080"])));
    assert_eq!(
        (report.code, report.status(), report.peer()),
        (0, "connected", "192.0.2.2:8080"),
        "{report:?}"
    );
    let [first, second] = &report.attempts()[..] else { panic!("two attempts: {report:?}") };
    assert_eq!((first.peer.as_str(), first.fate.as_str()), ("[2001:db8:77::2]:8080", "abandoned"));
    assert_eq!((second.fate.as_str(), second.reason.as_str()), ("won", "delay_passed"));
    let delay = second.start_us - first.start_us;
    assert!((DELAY_US..=DELAY_US + SLACK_US).contains(&delay), "{delay} us: {report:?}");
    assert!((250..=300 + SLACK_US / 1000).contains(&report.total_ms()), "{report:?}");
}

#[test]
fn a_refused_first_address_costs_nothing() {
    let Some(pair) = Pair::new() else { return };
    let _server = pair.echo("tcp4", "0.0.0.0:8080");

    let direct = Report::of(&finish(&mut pair.landline(&["dial", "--json", "tcp", "192.0.2.2:8080"])));
    let report = Report::of(&finish(&mut pair.landline(&["dial", "--json", "tcp", "far.example:8080"])));
    assert_eq!((report.code, report.peer()), (0, "192.0.2.2:8080"), "{report:?}");
    let [first, second] = &report.attempts()[..] else { panic!("two attempts: {report:?}") };
    assert_eq!((first.peer.as_str(), first.fate.as_str()), ("[2001:db8:77::2]:8080", "failed"));
    assert_eq!((second.fate.as_str(), second.reason.as_str()), ("won", "previous_failed"));
    assert!(report.total_ms() < direct.total_ms() + 20 + SLACK_US / 1000, "{direct:?} {report:?}");
}

#[test]
fn an_error_names_every_address_that_refused() {
    let Some(pair) = Pair::new() else { return };
    let done = finish(&mut pair.landline(&["dial", "--json", "tcp", "far.example:8080"]));
    let report = Report::of(&done);
    assert_eq!((report.code, report.status()), (1, "failed"), "{report:?}");
    assert_eq!(report.error()["refused"], true, "{report:?}");
    assert_eq!(report.error()["timeout"], false, "{report:?}");
    let (first, second) = ("[2001:db8:77::2]:8080", "192.0.2.2:8080");
    assert_eq!(report.error()["attempts"][0]["address"], first, "{report:?}");
    assert_eq!(report.error()["attempts"][1]["address"], second, "{report:?}");
    for text in [first, second, "connection refused", "far.example:8080"] {
        assert!(done.stderr.contains(text), "{text}: {done:?}");
    }
    assert_eq!(done.stderr.lines().count(), 1, "{done:?}");
}

#[test]
fn addresses_dialed_one_after_another_share_the_time() {
    let Some(pair) = Pair::new() else { return };
    let _server = pair.echo("tcp", "[::]:8080");
    pair.far.filter_input("ip6 daddr 2001:db8:77::2 tcp dport 8080 drop");

    let line = ["dial", "--json", "--race", "off", "--timeout", "5s", "tcp", "far.example:8080"];
    let report = Report::of(&finish(&mut pair.landline(&line)));
    assert_eq!((report.code, report.peer()), (0, "192.0.2.2:8080"), "{report:?}");
    let [first, second] = &report.attempts()[..] else { panic!("two attempts: {report:?}") };
    assert_eq!((first.fate.as_str(), second.fate.as_str()), ("failed", "won"));
    // Two addresses in 5 s, and as Go does, no share is less than 2 s.
    let share = second.start_us - first.start_us;
    assert!((2_450_000..=2_500_000 + SLACK_US).contains(&share), "{share} us: {report:?}");
}

#[test]
fn no_attempt_is_left_behind_when_time_is_up() {
    let Some(pair) = Pair::new() else { return };
    pair.far.filter_input("tcp dport 8080 drop");
    let line = ["dial", "--json", "--timeout", "700ms", "tcp", "far.example:8080"];
    let report = Report::of(&finish(&mut pair.landline(&line)));
    assert_eq!((report.code, report.status()), (1, "failed"), "{report:?}");
    assert_eq!(report.error()["timeout"], true, "{report:?}");
    assert_eq!(report.attempts().len(), 2, "{report:?}");
    assert!((700..900).contains(&report.total_ms()), "{report:?}");
    // The kernel would go on with SYN-SENT sockets for minutes.
    let left = pair.near.run("ss -Htan");
    assert_eq!(left, "", "sockets left behind");
}
