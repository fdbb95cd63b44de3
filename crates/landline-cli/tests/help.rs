//! What the program says about itself, and to those who put a command wrongly.

mod common;

use common::run;

#[test]
fn help_of_every_command() {
    for (name, arguments) in [
        ("landline", &["--help"][..]),
        ("tour", &["tour", "--help"]),
        ("dial", &["dial", "--help"]),
        ("listen", &["listen", "--help"]),
        ("lookup", &["lookup", "--help"]),
        ("forward", &["forward", "--help"]),
        ("proxy", &["proxy", "--help"]),
        ("call", &["call", "--help"]),
        ("gob", &["gob", "--help"]),
        ("get", &["get", "--help"]),
        ("serve", &["serve", "--help"]),
    ] {
        let done = run(arguments).expect(0);
        assert_eq!(done.stderr, "");
        let longest = done.text().lines().map(|line| line.chars().count()).max().unwrap_or(0);
        assert!(longest <= 120, "{name}: a line of {longest}\n{}", done.text());
        insta::assert_snapshot!(format!("help_{name}"), done.text());
    }
}

#[test]
fn the_version_is_the_packages() {
    assert_eq!(run(&["--version"]).expect(0).text(), concat!("landline ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn bad_usage_is_status_2_and_names_the_input() {
    for (arguments, named) in [
        (&["frobnicate"][..], "frobnicate"),
        (&["tour", "--json", "--html", "x"], "--json"),
        (&["tour", "extra"], "extra"),
        (&["dial", "tcp"], "ADDRESS"),
        (&["call", "localhost:1"], "METHOD"),
        (&["gob", "one", "two"], "two"),
        (&["gob", "--json"], "--json"),
        (&["call", "localhost", "X.Y"], "localhost"),
        (&["call", "localhost:1", "X.Y", "{"], "{: not JSON: "),
        (&["call", "localhost:1", "X.Y", "--type", "chan int"], "--type chan int: "),
        (&["call", "localhost:1", "X.Y", "7", "--type", "string"], "--type string: "),
        (&["call", "localhost:1", "X.Y", "--codec", "json", "--type", "int"], "--type"),
        (&["call", "localhost:1", "X.Y", "--codec", "xml"], "xml"),
        (&["call", "localhost:1", "X.Y", "--reply-type", "[]"], "--reply-type []: "),
        (&["call", "localhost:1", "X.Y", "--codec", "json", "--reply-type", "int"], "--reply-type"),
        (&["call", "localhost:1", "X.Y", "--max-message", "0"], "--max-message 0: "),
        (&["call", "localhost:1", "X.Y", "--timeout", "-1s"], "--timeout -1s: "),
        (&["gob", "--max-message", "1T"], "--max-message 1T: "),
        (&["dial", "tcp9", "localhost:1"], "tcp9"),
        (&["dial", "tcp", "localhost"], "localhost"),
        (&["dial", "tcp", "[::1:80"], "[::1:80"),
        (&["dial", "tcp", "localhost:1", "--timeout", "soon"], "soon"),
        (&["dial", "tcp", "localhost:1", "--timeout", "5x"], "--timeout 5x: "),
        (&["dial", "tcp", "localhost:1", "--race", "on"], "on"),
        (&["dial", "tcp", "localhost:1", "--keep-alive", "1s"], "1s"),
        (&["dial", "tcp", "localhost:1", "--server", "dns.example"], "dns.example"),
        (&["dial", "tcp", "localhost:1", "--local", "nowhere"], "nowhere"),
        (&["dial", "tcp", "localhost:1", "--json", "--html", "x"], "--html"),
        (&["listen", "tpc", ":0"], "tpc"),
        (&["listen", "tcp", "127.0.0.1:65536"], "65536"),
        (&["listen", "tcp", ":0", "--echo", "--exec", "cat"], "--exec"),
        (&["listen", "udp", "127.0.0.1:0", "--exec", "cat"], "--exec"),
        (&["listen", "udp", "127.0.0.1:0", "--echo", "--max-conns", "1"], "--max-conns"),
        (&["listen", "tcp", ":0", "--echo", "--max-conns", "0"], "--max-conns"),
        (&["lookup", "ip"], "lookup ip: a NAME goes after the KIND"),
        (&["lookup", "example.test"], "a KIND goes before the NAME, as in: lookup ip example.test"),
        (&["lookup"], "missing"),
        (&["dial", "tcp", "localhost:1", "--timeout", "-1s"], "--timeout -1s: "),
        (&["dial", "tcp", "localhost:1", "--timeout", "0"], "--timeout 0: "),
        (&["dial", "tcp", "localhost:1", "--timeout"], "--timeout"),
        (
            &["dial", "tcp", "localhost:1", "--timeou", "1s"],
            "--timeou: unknown option; did you mean --timeout?",
        ),
        (&["dial", "tcp", "localhost:1", "--mptcp=3"], "--mptcp"),
        (&["dial", "tcp", "localhost:1", "--json", "--json"], "--json is given more than once"),
        (&["dial", "tcp", "localhost:1", "--keep-alive", "0s,0s,0"], "--keep-alive 0s,0s,0: "),
        (&["dial", "tcp", "localhost:1", "--keep-alive", "1s,1s,1000"], "--keep-alive 1s,1s,1000: "),
        (&["dial", "tcp", "localhost:1", "--interface", "nosuch0"], "--interface nosuch0: "),
        (&["dial", "tcp", "localhost:1", "--server", "::1:53"], "[::1]:53"),
        (&["dial", "tcp", "127.0.0.1:1", "--local", "::1"], "--local ::1"),
        (&["dial", "udp", "127.0.0.1:1", "--mptcp"], "--mptcp"),
        (&["dial", "udp", "127.0.0.1:1", "--fast-open"], "--fast-open"),
        (&["dial", "unix", "/x", "--keep-alive", "off"], "--keep-alive"),
        (&["dial", "unix", "/x", "--interface", "lo"], "--interface"),
        (&["dial", "unix", "/x", "--server", "127.0.0.1"], "--server"),
        (&["listen", "tcp", ":0", "--exec", ""], "--exec"),
        (&["dial", "tcp", "127.0.0.1:nosuchsvc"], "nosuchsvc"),
        (&["listen", "tcp", ":http2x"], "http2x"),
        (&["lookup", "port", "99999"], "99999"),
        (&["lookup", "ip", ""], "''"),
        (&["lookup", "ip", "sp ace"], "sp ace"),
        (&["lookup", "addr", "notanip"], "notanip"),
        (&["dial", "tcp", "bad..name:80"], "bad..name"),
        (&["lookup", "ip", "localhost", "mx"], "mx"),
        (&["lookup", "soa", "localhost"], "soa"),
        (&["proxy", ":0", "--allow", ""], "an empty rule"),
        (&["proxy", ":0", "--deny", ""], "an empty rule"),
        (&["proxy", ":0", "--deny", "[]:443"], "an empty rule"),
    ] {
        let done = run(arguments).expect(2);
        assert!(done.complaint().starts_with("landline: "), "{arguments:?}: {}", done.stderr);
        assert!(done.complaint().contains(named), "{arguments:?}: {}", done.stderr);
        assert_eq!(done.text(), "", "{arguments:?}");
    }
}

#[test]
fn without_a_command_it_shows_what_there_is() {
    let done = run(&[]).expect(2);
    assert!(done.stderr.contains("Usage:"), "{}", done.stderr);
}
