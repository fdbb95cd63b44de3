//! `landline call` of a server of ours.

mod common;

use common::{Done, Running, landline, run};
use conntest::loopback::{RefusedPort, V4};
use landline_gob::go::{BigFloat, BigInt, BigRat, Time, Url};
use landline_rpc::{Error, Server, Wire};

/// A server on threads of its own, for as long as this lives.
struct Calculator {
    address: String,
    _serving: landline::Serving,
    _runtime: tokio::runtime::Runtime,
}

#[derive(serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "PascalCase")]
struct Args {
    a: i64,
    b: i64,
}

#[derive(serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    made: Option<Time>,
    sold: Time,
    number: Option<BigInt>,
    price: Option<BigRat>,
    weight: Option<BigFloat>,
    page: Option<Url>,
}

fn time() -> Option<Time> {
    Some("2024-02-29T12:30:45.5+01:00".parse().unwrap())
}

fn item() -> Item {
    Item {
        made: time(),
        sold: Time::default(),
        number: Some("12345678901234567890123".parse().unwrap()),
        price: Some("7/2".parse().unwrap()),
        weight: Some(BigFloat::from(0.1)),
        page: Some(Url::from("https://example.com/7")),
    }
}

impl Calculator {
    fn start(wire: Wire) -> Calculator {
        Calculator::at(wire, "tcp", "127.0.0.1:0")
    }

    fn at(wire: Wire, network: &str, address: &str) -> Calculator {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = Server::with_codec(wire)
            .register("Arith.Divide", |args: Args| async move {
                args.a.checked_div(args.b).ok_or("divide by zero")
            })
            .and_then(|server| {
                server.register("Arith.Double", |number: u64| async move { Ok::<_, Error>(number * 2) })
            })
            .and_then(|server| {
                server.register("Text.Echo", |text: String| async move { Ok::<_, Error>(text) })
            })
            .and_then(|server| server.register("Clock.Then", |(): ()| async move { Ok::<_, Error>(time()) }))
            .and_then(|server| server.register("Stock.Item", |(): ()| async move { Ok::<_, Error>(item()) }))
            .unwrap()
            .http(true);
        let serving = runtime
            .block_on(server.serve_with(&landline::Server::new().workers(1), network, address))
            .unwrap();
        let address = if network == "tcp" { serving.local_addr().to_string() } else { address.to_owned() };
        Calculator { address, _serving: serving, _runtime: runtime }
    }

    fn call(&self, options: &[&str], arguments: &[&str]) -> Done {
        run(&[&["call"], options, &[&self.address], arguments].concat())
    }
}

#[test]
fn json_goes_in_and_comes_out() {
    for (wire, options) in
        [(Wire::Gob, &[][..]), (Wire::Gob, &["--http"]), (Wire::Json, &["--codec", "json"])]
    {
        let calculator = Calculator::start(wire);
        let done = calculator.call(options, &["Arith.Divide", r#"{"A": 84, "B": -2}"#]).expect(0);
        assert_eq!((done.text(), done.stderr.as_str()), ("-42\n", ""), "{options:?}");
        let refused = calculator.call(options, &["Arith.Divide", r#"{"A": 84, "B": 0}"#]).expect(1);
        assert_eq!(refused.complaint(), "landline: Arith.Divide: divide by zero", "{options:?}");
    }
}

#[test]
fn a_path_is_a_unix_socket() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("calc.sock");
    let calculator = Calculator::at(Wire::Gob, "unix", path.to_str().unwrap());
    let done = calculator.call(&[], &["Arith.Divide", r#"{"A": 84, "B": -2}"#]).expect(0);
    assert_eq!(done.text(), "-42\n");
    let refused = run(&["call", "/nowhere/calc.sock", "X.Y"]).expect(1);
    let expected = "landline: dial unix /nowhere/calc.sock: connect: no such file or directory";
    assert_eq!(refused.complaint(), expected);
}

#[test]
fn a_type_says_what_the_json_cannot() {
    let calculator = Calculator::start(Wire::Gob);
    let refused = calculator.call(&[], &["Arith.Double", "21"]).expect(1);
    assert!(refused.complaint().starts_with("landline: Arith.Double: gob: "), "{}", refused.stderr);
    let done = calculator.call(&[], &["Arith.Double", "21", "--type", "uint"]).expect(0);
    assert_eq!(done.text(), "42\n");
}

#[test]
fn a_type_says_what_the_reply_does_not() {
    let calculator = Calculator::start(Wire::Gob);
    // As Go sends a reply, which is behind a pointer: bytes without a name.
    let done = calculator.call(&[], &["Clock.Then", "{}"]).expect(0);
    assert!(done.text().starts_with("\"AQ"), "{}", done.text());
    let done = calculator.call(&["--reply-type", "time.Time"], &["Clock.Then"]).expect(0);
    assert_eq!(done.text(), "\"2024-02-29T12:30:45.5+01:00\"\n");
    let of = "Item struct { Made, Sold time.Time; Number *big.Int; Price *big.Rat; Weight *big.Float; Page *url.URL; \
              None *big.Int }";
    let done = calculator.call(&["--reply-type", of], &["Stock.Item"]).expect(0);
    assert_eq!(
        done.text(),
        "{\"Made\":\"2024-02-29T12:30:45.5+01:00\",\"Sold\":\"0001-01-01T00:00:00Z\",\
          \"Number\":12345678901234567890123,\"Price\":\"7/2\",\"Weight\":\"0.1\",\
          \"Page\":\"https://example.com/7\",\"None\":null}\n"
    );
    for (of, method, expected) in [
        ("time.Time", "Stock.Item", "expected time.Time, found Item"),
        ("big.Rat", "Clock.Then", "expected big.Rat, found GobEncoder: "),
        ("struct { Number time.Time }", "Stock.Item", "Number: expected time.Time, found GobEncoder: "),
        ("url.URL", "Clock.Then", "expected url.URL, found GobEncoder"),
    ] {
        let refused = calculator.call(&["--reply-type", of], &[method]).expect(1);
        let expected = format!("landline: {method}: reply: gob: {expected}");
        assert!(refused.complaint().starts_with(&expected), "{}", refused.stderr);
    }
}

#[test]
fn a_message_beyond_the_limit_names_it() {
    for (wire, codec) in [(Wire::Gob, "gob"), (Wire::Json, "json")] {
        let calculator = Calculator::start(wire);
        let text = format!("\"{}\"", "x".repeat(2000));
        let options = ["--codec", codec, "--max-message", "1k"];
        let refused = calculator.call(&options, &["Text.Echo", &text]).expect(1);
        let complaint = refused.complaint();
        assert!(complaint.contains("a message of 20") && complaint.contains("(max_message)"), "{complaint}");
        assert!(complaint.contains(" bytes is beyond the limit of 1024 "), "{complaint}");
        let done =
            calculator.call(&["--codec", codec, "--max-message", "3k"], &["Text.Echo", &text]).expect(0);
        assert_eq!(done.text().len(), 2003);
    }
    // Of a reply, too: a struct of several texts is longer than the call for it.
    let calculator = Calculator::start(Wire::Gob);
    let refused = calculator.call(&["--max-message", "64"], &["Stock.Item"]).expect(1);
    assert!(refused.complaint().contains("is beyond the limit of 64 (max_message)"), "{}", refused.stderr);
}

#[test]
fn a_timeout_of_0_is_none() {
    let calculator = Calculator::start(Wire::Gob);
    let done = calculator.call(&["--timeout", "0"], &["Arith.Divide", r#"{"A": 84, "B": 2}"#]).expect(0);
    assert_eq!(done.text(), "42\n");
    // A server that says nothing is waited for until it hangs up.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let waiting = Running::start(&mut landline(&["call", "--timeout", "0", &address, "X.Y"]));
    let (mut conn, _) = silent.accept().unwrap();
    let mut request = [0; 16];
    std::io::Read::read_exact(&mut conn, &mut request).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    drop(conn);
    let done = waiting.end().expect(1);
    assert!(!done.complaint().contains("deadline"), "{}", done.stderr);
}

#[test]
fn a_server_that_is_not_there_or_is_something_else_is_status_1() {
    let port = RefusedPort::bind(V4).unwrap();
    let refused = run(&["call", &port.addr().to_string(), "X.Y"]).expect(1);
    let expected = format!("landline: dial tcp {}: connect: connection refused", port.addr());
    assert_eq!(refused.complaint(), expected);
    let calculator = Calculator::start(Wire::Json);
    // It takes gob for JSON that is none, and hangs up.
    let refused = calculator.call(&[], &["Arith.Double", "21"]).expect(1);
    assert!(refused.complaint().starts_with("landline: Arith.Double: "), "{}", refused.stderr);
}

#[test]
fn an_empty_list_needs_a_type() {
    let calculator = Calculator::start(Wire::Gob);
    for arguments in ["[]", r#"{"A": [[]]}"#] {
        let done = calculator.call(&[], &["Arith.Divide", arguments]).expect(2);
        assert!(done.complaint().contains("--type"), "{}", done.stderr);
    }
}

#[test]
fn a_server_that_says_nothing_is_not_waited_for_for_ever() {
    let help = run(&["call", "--help"]).expect(0);
    assert!(help.text().contains("[default: 30s]"), "{}", help.text());
    // A server of gob waits for more of what is no message to it.
    let calculator = Calculator::start(Wire::Gob);
    let options = ["--codec", "json", "--timeout", "300ms"];
    let done = calculator.call(&options, &["Arith.Divide", "{}"]).expect(1);
    assert!(done.complaint().contains("deadline"), "{}", done.stderr);
}
