//! `landline call` of a server of ours.

mod common;

use common::{Done, run};
use conntest::loopback::{RefusedPort, V4};
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

impl Calculator {
    fn start(wire: Wire) -> Calculator {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = Server::with_codec(wire)
            .register("Arith.Divide", |args: Args| async move {
                args.a.checked_div(args.b).ok_or("divide by zero")
            })
            .and_then(|server| {
                server.register("Arith.Double", |number: u64| async move { Ok::<_, Error>(number * 2) })
            })
            .unwrap()
            .http(true);
        let serving = runtime
            .block_on(server.serve_with(&landline::Server::new().workers(1), "tcp", "127.0.0.1:0"))
            .unwrap();
        Calculator { address: serving.local_addr().to_string(), _serving: serving, _runtime: runtime }
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
fn a_type_says_what_the_json_cannot() {
    let calculator = Calculator::start(Wire::Gob);
    let refused = calculator.call(&[], &["Arith.Double", "21"]).expect(1);
    assert!(refused.complaint().starts_with("landline: Arith.Double: gob: "), "{}", refused.stderr);
    let done = calculator.call(&[], &["Arith.Double", "21", "--type", "uint"]).expect(0);
    assert_eq!(done.text(), "42\n");
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
