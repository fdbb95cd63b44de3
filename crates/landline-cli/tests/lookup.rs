//! `landline lookup` of a name server that answers as scripted.

mod common;

use std::net::IpAddr;

use common::{Done, Running, landline, run};
use conntest::dns::{Record, RecordType, Reply, Server, Transport};
use rustix::process::Signal;

/// A name server on a thread of its own, for as long as this lives.
struct NameServer {
    runtime: tokio::runtime::Runtime,
    server: conntest::dns::Running,
    address: String,
}

impl NameServer {
    fn start(server: Server) -> NameServer {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = runtime.block_on(server.start()).unwrap();
        let address = server.addr().to_string();
        NameServer { runtime, server, address }
    }

    /// Runs a lookup that asks it.
    fn lookup(&self, arguments: &[&str]) -> Done {
        run(&[&["lookup", "--server", &self.address], arguments].concat())
    }
}

fn example() -> NameServer {
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    NameServer::start(
        Server::new()
            .host("host.test", [ip("192.0.2.1"), ip("2001:db8::1")])
            .alias("www.host.test", "host.test")
            .on("host.test", RecordType::MX, Reply::records([Record::mx(10, "mail.host.test")]))
            .on("host.test", RecordType::NS, Reply::records([Record::ns("ns.host.test")]))
            .on("host.test", RecordType::TXT, Reply::records([Record::txt(["a \"quoted\"", "\x1b[2J"])]))
            .on("_x._tcp.host.test", RecordType::SRV, Reply::records([Record::srv(1, 2, 443, "host.test")]))
            .on("host.test", RecordType::HTTPS, Reply::records([Record::https(1, ".", [])]))
            .on_any_type("broken.test", Reply::server_failure())
            .on_any_type("silent.test", Reply::silence())
            .otherwise(Reply::no_such_name()),
    )
}

#[test]
fn each_kind_prints_its_answers_as_a_zone_file_has_them() {
    let server = example();
    for (kind, name, expected) in [
        ("ip4", "host.test", "192.0.2.1\n"),
        ("ip6", "host.test", "2001:db8::1\n"),
        ("cname", "www.host.test", "host.test.\n"),
        ("mx", "host.test", "10 mail.host.test.\n"),
        ("ns", "host.test", "ns.host.test.\n"),
        ("srv", "_x._tcp.host.test", "_x._tcp.host.test.\n1 2 443 host.test.\n"),
        ("https", "host.test", "1 .\n"),
        ("txt", "host.test", "\"a \\\"quoted\\\"\" \"\\027[2J\"\n"),
        ("ip", "192.0.2.7", "192.0.2.7\n"),
        ("port", "http", "80\n"),
        ("port", "domain/udp", "53\n"),
        ("port", "tcp/HTTP", "80\n"),
        ("port", "ntp", "123\n"),
        ("port", "443", "443\n"),
    ] {
        let done = server.lookup(&[kind, name]).expect(0);
        assert_eq!((done.text(), done.stderr.as_str()), (expected, ""), "{kind} {name}");
    }
    for kind in ["ip", "host"] {
        let done = server.lookup(&[kind, "host.test"]).expect(0);
        let mut lines: Vec<&str> = done.text().lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["192.0.2.1", "2001:db8::1"], "{kind}");
    }
}

#[test]
fn several_are_printed_in_order_though_the_first_is_slow() {
    let server = example();
    let done = server
        .lookup(&["--timeout", "500ms", "ip4", "silent.test", "mx", "host.test", "ns", "host.test"])
        .expect(1);
    assert_eq!(done.text(), "mx host.test 10 mail.host.test.\nns host.test ns.host.test.\n");
    assert!(done.complaint().contains("silent.test"), "{}", done.stderr);
    // The others did not wait for it.
    let log = server.server.log();
    let position = |record_type| log.iter().position(|query| query.record_type == record_type);
    assert!(position(RecordType::MX).is_some() && position(RecordType::NS).is_some());
}

#[test]
fn json_is_one_object_a_line_with_results_or_errors() {
    let server = example();
    let done = server
        .lookup(&["--json", "--timeout", "500ms", "mx", "host.test", "ip", "none.test", "ip", "silent.test"])
        .expect(1);
    let lines: Vec<serde_json::Value> =
        done.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(
        lines[0],
        serde_json::json!({"kind": "mx", "name": "host.test", "result": ["10 mail.host.test."]})
    );
    for (line, name, not_found, timeout) in
        [(&lines[1], "none.test", true, false), (&lines[2], "silent.test", false, true)]
    {
        assert_eq!(line["kind"], "ip");
        assert_eq!(line["name"], name);
        assert!(line["error"].as_str().unwrap().contains(name), "{line}");
        assert_eq!((&line["not_found"], &line["timeout"]), (&not_found.into(), &timeout.into()), "{line}");
        assert_eq!(line["temporary"], timeout);
        assert_eq!(line["server"], server.address.as_str());
        assert!(line.get("result").is_none());
    }
}

#[test]
fn a_name_that_does_not_exist_is_status_1_in_one_line() {
    let server = example();
    let done = server.lookup(&["ip", "none.test"]).expect(1);
    assert_eq!(done.text(), "");
    assert_eq!(done.complaint(), format!("landline: lookup none.test on {}: no such host", server.address));
}

#[test]
fn a_service_that_does_not_exist_is_status_1_too() {
    let done = run(&["lookup", "port", "nosuchsvc"]).expect(1);
    assert_eq!(done.complaint(), "landline: lookup ip/nosuchsvc: unknown port");
    let done = run(&["lookup", "--json", "port", "nosuchsvc/tcp"]).expect(1);
    let line: serde_json::Value = serde_json::from_str(done.text()).unwrap();
    assert_eq!((&line["kind"], &line["name"]), (&"port".into(), &"nosuchsvc/tcp".into()));
    assert_eq!((&line["not_found"], &line["temporary"]), (&true.into(), &false.into()), "{line}");
}

#[test]
fn tcp_asks_over_tcp_only() {
    let server = example();
    server.lookup(&["--tcp", "ip4", "host.test"]).expect(0);
    let log = server.server.log();
    assert!(!log.is_empty() && log.iter().all(|query| query.transport == Transport::Tcp));
}

#[test]
fn strict_fails_where_half_an_answer_would_do() {
    let server = NameServer::start(
        Server::new().on("half.test", RecordType::A, Reply::addresses([[192, 0, 2, 1]])).on(
            "half.test",
            RecordType::AAAA,
            Reply::server_failure(),
        ),
    );
    assert_eq!(server.lookup(&["ip", "half.test"]).expect(0).text(), "192.0.2.1\n");
    let done = server.lookup(&["--strict", "ip", "half.test"]).expect(1);
    assert!(done.complaint().contains("half.test"), "{}", done.stderr);
}

#[test]
fn explain_draws_each_question_on_stderr() {
    let server = example();
    let done = server.lookup(&["--explain", "mx", "host.test"]).expect(0);
    assert_eq!(done.text(), "10 mail.host.test.\n");
    assert!(done.stderr.starts_with("lookup mx host.test: 1 answer in "), "{}", done.stderr);
    assert!(done.stderr.contains(&format!("MX host.test. from {}/udp", server.address)), "{}", done.stderr);
}

#[test]
fn ctrl_c_ends_a_lookup_that_waits() {
    let server = example();
    let running =
        Running::start(&mut landline(&["lookup", "--server", &server.address, "ip", "silent.test"]));
    server.runtime.block_on(server.server.received(1));
    running.signal(Signal::INT);
    let done = running.end().expect(130);
    assert_eq!((done.text(), done.stderr.as_str()), ("", ""));
}

#[test]
fn a_reader_that_goes_away_is_no_error_and_a_full_disk_is() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let done = Running::start(landline(&["lookup", "ip", "192.0.2.1"]).stdout(writer)).end().expect(0);
    assert_eq!(done.stderr, "");
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let done = Running::start(landline(&["lookup", "ip", "192.0.2.1"]).stdout(full)).end().expect(1);
    assert_eq!(done.complaint(), "landline: standard output: No space left on device");
}

#[test]
fn an_address_is_no_name_and_a_name_no_address() {
    let server = example();
    let done = server.lookup(&["addr", "host.test"]).expect(2);
    assert!(done.complaint().contains("host.test"), "{}", done.stderr);
    let done = server.lookup(&["ip", "a..b"]).expect(2);
    assert!(done.complaint().contains("a..b"), "{}", done.stderr);
    let done = server.lookup(&["--json", "ip", "a..b"]).expect(1);
    assert!(done.text().contains("a..b"), "{}", done.text());
}
