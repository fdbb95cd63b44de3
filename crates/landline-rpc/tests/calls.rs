//! Calls, as a client makes them and a server answers them.

mod common;

use std::sync::Arc;

use common::{PATIENCE, args, pair, serve, server, server_with};
use conntest::tls::SelfSigned;
use landline::TlsConn;
use landline_rpc::{Client, ClientConfig, Error, RegisterError, Server, Wire};
use tokio::task::JoinSet;

/// A client and a server on the two ends of a pipe, without sockets.
fn on_a_pipe(wire: Wire) -> Client {
    let (ours, theirs) = landline::pipe();
    let (server, _) = server_with(wire);
    tokio::spawn(async move { server.serve_conn(theirs).await });
    ClientConfig::new().codec(wire).client(ours)
}

#[tokio::test]
async fn a_method_replies_or_says_what_is_wrong_on_every_wire() {
    for wire in [Wire::Gob, Wire::Json] {
        let client = on_a_pipe(wire);
        assert_eq!(client.call::<_, i64>("Arith.Multiply", &args(6, 7)).await.unwrap(), 42, "{wire:?}");
        // A zero, which gob leaves out.
        assert_eq!(client.call::<_, i64>("Arith.Multiply", &args(0, 7)).await.unwrap(), 0, "{wire:?}");
        for (method, expected) in [
            ("Arith.Divide", "divide by zero"),
            ("Arith.Panic", "rpc: the method panicked: 7 is not negative"),
            ("Arith.Missing", "rpc: can't find method Arith.Missing"),
            ("Missing.Multiply", "rpc: can't find service Missing.Multiply"),
            ("Multiply", "rpc: service/method request ill-formed: Multiply"),
            ("", "rpc: service/method request ill-formed: "),
            (".", "rpc: can't find service ."),
        ] {
            let error = client.call::<_, i64>(method, &args(7, 0)).await.unwrap_err();
            assert!(matches!(&error, Error::Service(text) if text == expected), "{wire:?} {method}: {error}");
        }
        // After all that, it goes on.
        assert_eq!(client.call::<_, i64>("Arith.Divide", &args(42, 6)).await.unwrap(), 7, "{wire:?}");
    }
}

#[tokio::test]
async fn nothing_can_be_sent_and_replied() {
    for wire in [Wire::Gob, Wire::Json] {
        let client = on_a_pipe(wire);
        client.call::<(), ()>("Text.Nothing", &()).await.unwrap();
        let error = client.call::<(), ()>("Text.Silent", &()).await.unwrap_err();
        assert_eq!(error.to_string(), "unspecified error");
    }
}

#[tokio::test]
async fn arguments_and_replies_of_the_wrong_type_are_errors_of_their_call() {
    for wire in [Wire::Gob, Wire::Json] {
        let client = on_a_pipe(wire);
        let error = client.call::<_, i64>("Arith.Multiply", &"seven".to_owned()).await.unwrap_err();
        assert!(matches!(error, Error::Service(_)), "{wire:?}: {error:?}");
        let error = client.call::<_, String>("Arith.Multiply", &args(6, 7)).await.unwrap_err();
        assert!(matches!(error, Error::Reply(_)), "{wire:?}: {error:?}");
        assert_eq!(client.call::<_, i64>("Arith.Multiply", &args(6, 7)).await.unwrap(), 42, "{wire:?}");
    }
}

#[tokio::test]
async fn arguments_that_cannot_be_written_are_not_sent() {
    let client = on_a_pipe(Wire::Gob);
    // The first request brings the types along, and must not take them back.
    let error = client.call::<_, i64>("Arith.Multiply", &Some(None::<i64>)).await.unwrap_err();
    assert!(matches!(error, Error::Args(_)), "{error:?}");
    assert!(error.is_unsent());
    assert_eq!(client.call::<_, i64>("Arith.Multiply", &args(6, 7)).await.unwrap(), 42);
}

#[tokio::test]
async fn replies_come_in_any_order() {
    let (server, gate) = server();
    let (serving, client) = pair(&server).await;
    let waiting = {
        let client = client.clone();
        tokio::spawn(async move { client.call::<_, u64>("Gate.Wait", &5_u64).await })
    };
    gate.until_begun(1).await;
    assert_eq!(client.call::<_, i64>("Arith.Multiply", &args(6, 7)).await.unwrap(), 42);
    assert_eq!(client.in_flight(), 1);
    gate.opened.notify_waiters();
    assert_eq!(waiting.await.unwrap().unwrap(), 5);
    drop(serving);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_share_a_conn() {
    let (server, _) = server();
    let (serving, client) = pair(&server).await;
    let mut calls = JoinSet::new();
    for caller in 0..64 {
        let client = client.clone();
        calls.spawn(async move {
            for number in 0..50 {
                let product: i64 = client.call("Arith.Multiply", &args(caller, number)).await.unwrap();
                assert_eq!(product, caller * number);
            }
        });
    }
    tokio::time::timeout(PATIENCE, calls.join_all()).await.expect("all are answered");
    let counters = serving.counters().total();
    assert_eq!(counters.conns, 1);
}

#[tokio::test]
async fn big_messages_pass_beside_small_ones() {
    for wire in [Wire::Gob, Wire::Json] {
        let (server, _) = server_with(wire);
        let serving = serve(&server).await;
        let config = ClientConfig::new().codec(wire);
        let client = config.dial("tcp", &serving.local_addr().to_string()).await.unwrap();
        let big = "0123456789abcdef".repeat(1 << 18);
        let six_and_seven = args(6, 7);
        let (echoed, product) = tokio::join!(
            client.call::<_, String>("Text.Echo", &big),
            client.call::<_, i64>("Arith.Multiply", &six_and_seven),
        );
        assert!(echoed.unwrap() == big, "{wire:?}");
        assert_eq!(product.unwrap(), 42);
    }
}

#[tokio::test]
async fn a_call_given_up_leaves_the_conn_in_order() {
    let (server, gate) = server();
    let (serving, client) = pair(&server).await;
    {
        let call = client.call::<_, u64>("Gate.Wait", &5_u64);
        tokio::pin!(call);
        tokio::select! {
            result = &mut call => panic!("{result:?}"),
            () = gate.until_begun(1) => {}
        }
        assert_eq!(client.in_flight(), 1);
    }
    assert_eq!(client.in_flight(), 0);
    let timeout = std::time::Duration::from_millis(5);
    let error = client.call_within::<_, u64>(timeout, "Gate.Wait", &6_u64).await.unwrap_err();
    assert!(matches!(error, Error::Timeout) && error.is_timeout());
    let context = landline::Context::background().child();
    let call = client.call_in::<_, u64>(&context, "Gate.Wait", &7_u64);
    let (result, ()) = tokio::join!(call, async {
        gate.until_begun(3).await;
        context.cancel();
    });
    assert!(matches!(result, Err(Error::Canceled)));
    // Three late replies come and go.
    gate.opened.notify_waiters();
    gate.until_ended(3).await;
    for number in 0..10 {
        assert_eq!(client.call::<_, i64>("Arith.Multiply", &args(number, 2)).await.unwrap(), number * 2);
    }
    drop(serving);
}

#[tokio::test]
async fn names_of_methods_have_a_form_and_are_registered_once() {
    let register = |server: Server, name: &str| server.register(name, |(): ()| async { Ok::<(), Error>(()) });
    for name in ["", "X", ".", ".X", "X."] {
        let error = register(Server::new(), name).unwrap_err();
        assert_eq!(error, RegisterError::IllFormed(name.to_owned()));
    }
    let server = register(Server::new(), "a.b.C").unwrap();
    assert_eq!(
        register(server.clone(), "a.b.C").unwrap_err(),
        RegisterError::AlreadyRegistered("a.b.C".into())
    );
    assert!(register(server, "a.b.D").is_ok());
}

#[tokio::test]
async fn a_server_calls_through_every_kind_of_stream() {
    let (server, _) = server();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rpc").to_string_lossy().into_owned();
    let serving = server.serve("unix", &path).await.unwrap();
    let client = Client::dial("unix", &path).await.unwrap();
    assert_eq!(client.call::<_, i64>("Arith.Multiply", &args(6, 7)).await.unwrap(), 42);
    drop(serving);

    let (ours, theirs) = tokio::io::duplex(16);
    let serving = tokio::spawn(async move { server.serve_conn(theirs).await });
    let client = Client::on(ours);
    assert_eq!(client.call::<_, i64>("Arith.Multiply", &args(6, 7)).await.unwrap(), 42);
    drop(client);
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn calls_go_over_tls() {
    let own = SelfSigned::new("localhost");
    let (trusting, known) = (own.client(), own.server(&[]));
    let (ours, theirs) = landline::UnixConn::pair(landline::UnixKind::Stream).unwrap();
    let (server, _) = server();
    let serving = tokio::spawn(async move {
        let conn = TlsConn::accept(theirs.into(), Arc::new(known)).await.unwrap();
        server.serve_conn(conn).await
    });
    let client = Client::on(TlsConn::connect(ours.into(), "localhost", Arc::new(trusting)).await.unwrap());
    assert_eq!(client.call::<_, i64>("Arith.Multiply", &args(6, 7)).await.unwrap(), 42);
    drop(client);
    // Dropped, it says no farewell, which over TLS is no end (RFC 8446 section 6.1).
    let ended = serving.await.unwrap().unwrap_err();
    assert!(matches!(ended, Error::Disconnected(_)), "{ended}");
}
