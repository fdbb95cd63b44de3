//! Calls between Go and us, both ways, on every wire that Go has.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use conntest::dns::{Record, RecordType, Reply, Server as NameServer};
use landline::Resolver;
use landline::resolve::{Config, LookupOrder, Source};
use landline_interop::{Running, finish, go_program, program};
use landline_rpc::{Client, ClientConfig, Error, Reconnect, Server, Wire};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

#[allow(dead_code)] // The crate's own tests use all of it.
#[path = "../../../crates/landline-rpc/tests/common/gate.rs"]
mod gate;

use gate::Gate;

/// As long as a loaded machine may need.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Args {
    #[serde(default)]
    a: i64,
    #[serde(default)]
    b: i64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Quotient {
    quo: i64,
    rem: i64,
}

/// The same as the program in Go.
fn server(wire: Wire) -> (Server, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let divide = |args: Args| async move {
        match (args.a.checked_div(args.b), args.a.checked_rem(args.b)) {
            (Some(quo), Some(rem)) => Ok(Quotient { quo, rem }),
            _ => Err("divide by zero"),
        }
    };
    let server = Server::with_codec(wire)
        .register("Arith.Multiply", |args: Args| async move { Ok::<_, Error>(args.a * args.b) })
        .and_then(|server| server.register("Arith.Divide", divide))
        .and_then(|server| {
            server.register("Arith.Panic", |args: Args| async move {
                assert!(args.a < 0, "{} is not negative", args.a);
                Ok::<_, Error>(Quotient::default())
            })
        })
        .and_then(|server| server.register("Text.Echo", |text: String| async move { Ok::<_, Error>(text) }))
        .and_then(|server| server.register("Text.Nothing", |(): ()| async move { Ok::<(), Error>(()) }))
        .and_then(|server| server.register_on(&gate, "Gate.Wait", Gate::wait))
        .expect("the names are good");
    (server.http(true).max_calls_per_conn(200_000), gate)
}

async fn serve(server: &Server) -> (landline::Serving, String) {
    let transport = landline::Server::new().workers(1);
    let serving = server.serve_with(&transport, "tcp", "127.0.0.1:0").await.expect("there is a free port");
    let address = serving.local_addr().to_string();
    (serving, address)
}

fn wire(codec: &str) -> Wire {
    if codec == "json" { Wire::Json } else { Wire::Gob }
}

#[tokio::test]
async fn a_client_in_go_gets_the_same_from_our_server_as_from_its_own() {
    let Some(go) = go_program("rpc") else { return };
    for codec in ["gob", "json", "http"] {
        let (server, _) = server(wire(codec));
        let (_serving, address) = serve(&server).await;
        let go = go.clone();
        let calls = move || finish(Command::new(go).args(["call", codec, "tcp", &address, "all"]));
        let done = tokio::task::spawn_blocking(calls).await.unwrap();
        let expected = "\
multiply 42 <nil>
multiply 0 <nil>
multiply -15 <nil>
divide {3 2} <nil>
Arith.Divide true divide by zero
Arith.Missing true rpc: can't find method Arith.Missing
Missing.Divide true rpc: can't find service Missing.Divide
Divide true rpc: service/method request ill-formed: Divide
Arith.Panic true rpc: the method panicked: 7 is not negative
wrong arguments true true
nothing <nil>
big true <nil>
concurrently 0 \n\
close <nil>
after connection is shut down
";
        assert_eq!(done.success(), expected, "{codec}");
    }
}

#[tokio::test]
async fn our_client_gets_replies_and_errors_from_servers_in_go() {
    let Some(go) = go_program("rpc") else { return };
    for codec in ["gob", "json", "http"] {
        let mut running = Running::start(Command::new(&go).args(["serve", codec, "tcp", "127.0.0.1:0"]));
        let config = ClientConfig::new().codec(wire(codec)).http(codec == "http").timeout(PATIENCE);
        let client = config.dial("tcp", &running.next_line()).await.unwrap();
        for (a, b) in [(6, 7), (0, 7), (-3, 5)] {
            assert_eq!(
                client.call::<_, i64>("Arith.Multiply", &Args { a, b }).await.unwrap(),
                a * b,
                "{codec}"
            );
        }
        let quotient: Quotient = client.call("Arith.Divide", &Args { a: 17, b: 5 }).await.unwrap();
        assert_eq!(quotient, Quotient { quo: 3, rem: 2 }, "{codec}");
        for (method, expected) in [
            ("Arith.Divide", "divide by zero"),
            ("Arith.Missing", "rpc: can't find method Arith.Missing"),
            ("Missing.Divide", "rpc: can't find service Missing.Divide"),
            ("Divide", "rpc: service/method request ill-formed: Divide"),
        ] {
            let error = client.call::<_, Quotient>(method, &Args { a: 7, b: 0 }).await.unwrap_err();
            assert!(matches!(&error, Error::Service(text) if text == expected), "{codec} {method}: {error}");
        }
        let error = client.call::<_, i64>("Arith.Multiply", &"text".to_owned()).await.unwrap_err();
        assert!(matches!(error, Error::Service(_)), "{codec}: {error:?}");
        client.call::<_, ()>("Text.Nothing", &()).await.unwrap();
        let big = "0123456789abcdef".repeat(1 << 18);
        assert!(client.call::<_, String>("Text.Echo", &big).await.unwrap() == big, "{codec}");
        let mut calls = JoinSet::new();
        for caller in 0..64 {
            let client = client.clone();
            calls.spawn(async move {
                for number in 0..50 {
                    let args = Args { a: caller, b: number };
                    assert_eq!(
                        client.call::<_, i64>("Arith.Multiply", &args).await.unwrap(),
                        caller * number
                    );
                }
            });
        }
        calls.join_all().await;
    }
}

#[tokio::test]
async fn what_speaks_no_rpc_is_told_from_what_does() {
    let Some(go) = go_program("rpc") else { return };
    let mut running = Running::start(Command::new(&go).args(["serve", "http", "tcp", "127.0.0.1:0"]));
    let address = running.next_line();
    let error = ClientConfig::new().http_path("/elsewhere").dial("tcp", &address).await.unwrap_err();
    assert_eq!(error.to_string(), "HTTP handshake: unexpected HTTP response: 404 Not Found");
    assert!(error.is_unsent());
}

#[tokio::test]
async fn calls_fail_when_a_server_in_go_is_killed() {
    let Some(go) = go_program("rpc") else { return };
    let mut running = Running::start(Command::new(&go).args(["serve", "gob", "tcp", "127.0.0.1:0"]));
    let config = ClientConfig::new().reconnect(Reconnect::Never);
    let client = config.dial("tcp", &running.next_line()).await.unwrap();
    let call = client.call::<_, u64>("Gate.Wait", &5_u64);
    let (result, ()) = tokio::join!(call, async {
        // It has the call, as it has answered one that came after.
        client.call::<_, i64>("Arith.Multiply", &Args { a: 1, b: 1 }).await.unwrap();
        running.stop();
    });
    let error = result.unwrap_err();
    assert!(error.is_disconnect() && !error.is_unsent(), "{error:?}");
}

#[tokio::test]
async fn a_server_in_go_that_is_halted_gets_no_more_calls_until_it_goes_on() {
    let Some(go) = go_program("rpc") else { return };
    let start = || Running::start(Command::new(&go).args(["serve", "gob", "tcp", "127.0.0.1:0"]));
    let (mut halted, mut other) = (start(), start());
    let port = |line: String| line.rsplit_once(':').unwrap().1.parse().unwrap();
    let ports = [port(halted.next_line()), port(other.next_line())];
    let records = ports.map(|port| Record::srv(1, 1, port, "localhost").ttl(300));
    let names = NameServer::new()
        .on("_arith._tcp.example.test", RecordType::SRV, Reply::records(records.to_vec()))
        .start()
        .await
        .unwrap();
    let order = LookupOrder::Sources(vec![Source::Dns]);
    let resolver = Resolver::new(Config::new().with_servers([names.addr()]).with_order(order));
    // Nobody is asked again within the test: what comes of itself makes good.
    let once = Duration::from_secs(3600);
    let config = ClientConfig::new()
        .resolver(resolver)
        .timeout(Duration::from_secs(1))
        .reconnect(Reconnect::Backoff { first: once, most: once });
    let pool = config.pool("tcp4", "_arith._tcp.example.test").unwrap();
    let call = async || pool.call::<_, i64>("Arith.Multiply", &Args { a: 6, b: 7 }).await;
    let signal = |name: &str| Command::new("kill").args([name, &halted.id().to_string()]).status().unwrap();
    for _ in 0..40 {
        call().await.unwrap();
    }
    assert!(signal("-STOP").success());
    let mut errors = Vec::new();
    for _ in 0..60 {
        errors.extend(call().await.err());
    }
    assert!(matches!(errors[..], [Error::Timeout]), "{errors:?}");
    assert!(signal("-CONT").success());
    other.stop();
    let answered = async { while call().await.is_err() {} };
    tokio::time::timeout(PATIENCE, answered).await.expect("it is called again");
}

#[tokio::test]
async fn handlers_are_dropped_when_a_client_in_go_is_killed() {
    let Some(go) = go_program("rpc") else { return };
    let (server, gate) = server(Wire::Gob);
    let (_serving, address) = serve(&server).await;
    let mut running = Running::start(Command::new(&go).args(["call", "gob", "tcp", &address, "3"]));
    gate.until(|gate| gate.begun.load(Ordering::SeqCst) == 3).await;
    running.stop();
    // A client that is killed ends its side, which is all that a server sees of it until it writes.
    gate.opened.notify_waiters();
    gate.until(|gate| gate.ended.load(Ordering::SeqCst) == 3).await;
}

#[tokio::test]
async fn a_hundred_thousand_calls_of_a_client_in_go_are_in_flight_at_once() {
    let Some(go) = go_program("rpc") else { return };
    let (server, gate) = server(Wire::Gob);
    let (_serving, address) = serve(&server).await;
    let mut running = Running::start(Command::new(&go).args(["call", "gob", "tcp", &address, "100000"]));
    gate.until(|gate| gate.begun.load(Ordering::SeqCst) == 100_000).await;
    gate.opened.notify_waiters();
    let lines = tokio::task::spawn_blocking(move || running.rest()).await.unwrap();
    assert_eq!(lines, ["waiting", "done"]);
}

#[tokio::test]
async fn a_hundred_thousand_calls_of_ours_are_in_flight_at_once_in_a_server_in_go() {
    let Some(go) = go_program("rpc") else { return };
    let mut running = Running::start(Command::new(&go).args(["serve", "gob", "tcp", "127.0.0.1:0"]));
    let client = Client::dial("tcp", &running.next_line()).await.unwrap();
    let mut calls = JoinSet::new();
    for number in 0..100_000_u64 {
        let client = client.clone();
        calls.spawn(async move {
            assert_eq!(client.call::<_, u64>("Gate.Wait", &number).await.unwrap(), number);
        });
    }
    while client.in_flight() < 100_000 {
        tokio::task::yield_now().await;
    }
    client.call::<_, ()>("Gate.Open", &()).await.unwrap();
    tokio::time::timeout(PATIENCE, calls.join_all()).await.expect("all are answered");
}

#[test]
fn the_program_calls_servers_in_go() {
    let (Some(program), Some(go)) = (program(), go_program("rpc")) else { return };
    for (codec, options) in [("gob", &[][..]), ("json", &["--codec", "json"]), ("http", &["--http"])] {
        let mut running = Running::start(Command::new(&go).args(["serve", codec, "tcp", "127.0.0.1:0"]));
        let address = running.next_line();
        let call = |arguments: &[&str]| {
            finish(Command::new(&program).arg("call").args(options).arg(&address).args(arguments))
        };
        assert_eq!(call(&["Arith.Multiply", r#"{"A": 6, "B": 7}"#]).success(), "42\n", "{codec}");
        let divided = call(&["Arith.Divide", r#"{"A": 17, "B": 5}"#]);
        assert_eq!(divided.success(), "{\"Quo\":3,\"Rem\":2}\n", "{codec}");
        assert_eq!(call(&["Text.Echo", r#""hé""#]).success(), "\"hé\"\n", "{codec}");
        assert_eq!(call(&["Text.Nothing"]).success(), "{}\n", "{codec}");
        let refused = call(&["Arith.Divide", r#"{"A": 17, "B": 0}"#]);
        assert_eq!((refused.code, refused.stderr.as_str()), (1, "landline: Arith.Divide: divide by zero\n"));
        let missing = call(&["Arith.Missing"]);
        let expected = "landline: Arith.Missing: rpc: can't find method Arith.Missing\n";
        assert_eq!((missing.code, missing.stderr.as_str()), (1, expected));
        if codec == "gob" {
            let made = call(&["Stock.Made", "--reply-type", "time.Time"]);
            assert_eq!(made.success(), "\"2024-02-29T12:30:45.5+01:00\"\n");
            let number = call(&["Stock.Number", "--reply-type", "big.Int"]);
            assert_eq!(number.success(), "-12345678901234567890123\n");
            let page = call(&["Stock.Page", "--reply-type", "url.URL"]);
            assert_eq!(page.success(), "\"https://example.com/7?x=y\"\n");
            let of = "struct { Made, Sold time.Time; Checked *time.Time; Number, None *big.Int; Price *big.Rat; \
                      Weights []*big.Float; Events map[string]time.Time }";
            let item = call(&["Stock.Item", "--reply-type", of]);
            let expected: String = serde_json::from_str(call(&["Stock.JSON"]).success()).unwrap();
            assert_eq!(item.success(), format!("{expected}\n"));
            let wrong = call(&["Stock.Made", "--reply-type", "big.Rat"]);
            let expected = "landline: Stock.Made: reply: gob: expected big.Rat, found GobEncoder: ";
            assert!(wrong.code == 1 && wrong.stderr.starts_with(expected), "{wrong:?}");
            let typed = call(&["Gate.Wait", "5", "--type", "int", "--timeout", "10s"]);
            assert_eq!(typed.code, 1, "{typed:?}");
            assert!(typed.stderr.starts_with("landline: Gate.Wait: gob: "), "{typed:?}");
            let typed = call(&["Gate.Wait", "5", "--type", "uint", "--timeout", "200ms"]);
            assert_eq!(typed.stderr, "landline: Gate.Wait: deadline exceeded\n");
        }
    }
}
