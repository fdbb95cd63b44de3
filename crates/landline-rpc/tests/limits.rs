//! What is held back, for whom, and how much memory it takes.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{PATIENCE, args, pair, serve, server};
use landline_rpc::{Client, ClientConfig, Error};
use tokio::task::JoinSet;

#[tokio::test]
async fn a_hundred_thousand_calls_are_in_flight_at_once() {
    let (server, gate) = server();
    let (_serving, client) = pair(&server.max_calls_per_conn(200_000)).await;
    let mut calls = JoinSet::new();
    for number in 0..100_000_u64 {
        let client = client.clone();
        calls.spawn(async move {
            assert_eq!(client.call::<_, u64>("Gate.Wait", &number).await.unwrap(), number);
        });
    }
    gate.until_begun(100_000).await;
    assert_eq!(client.in_flight(), 100_000);
    // Others get through.
    assert_eq!(client.call::<_, i64>("Arith.Multiply", &args(6, 7)).await.unwrap(), 42);
    gate.opened.notify_waiters();
    tokio::time::timeout(PATIENCE, calls.join_all()).await.expect("all are answered");
    assert_eq!(client.in_flight(), 0);
}

#[tokio::test]
async fn a_conn_at_its_limit_waits_and_others_go_on() {
    let (server, gate) = server();
    let (serving, client) = pair(&server.max_calls_per_conn(3)).await;
    let other = Client::dial("tcp", &serving.local_addr().to_string()).await.unwrap();
    let mut calls = JoinSet::new();
    for number in 0..9_u64 {
        let client = client.clone();
        calls.spawn(async move { client.call::<_, u64>("Gate.Wait", &number).await.unwrap() });
    }
    for round in 1..=3 {
        gate.until_begun(3 * round).await;
        // This one is answered, and by then the first conn has been read too, as far as that goes.
        assert_eq!(other.call::<_, i64>("Arith.Multiply", &args(6, 7)).await.unwrap(), 42);
        assert_eq!(gate.begun.load(Ordering::SeqCst), 3 * round);
        gate.opened.notify_waiters();
    }
    tokio::time::timeout(PATIENCE, calls.join_all()).await.expect("all are answered");
}

#[tokio::test]
async fn all_conns_share_the_limit_of_the_server() {
    let (server, gate) = server();
    let (serving, client) = pair(&server.max_calls(2)).await;
    let other = Client::dial("tcp", &serving.local_addr().to_string()).await.unwrap();
    let mut calls = JoinSet::new();
    for number in 0..6_u64 {
        let client = if number % 2 == 0 { client.clone() } else { other.clone() };
        calls.spawn(async move { client.call::<_, u64>("Gate.Wait", &number).await.unwrap() });
    }
    for round in 1..=3 {
        gate.until_begun(2 * round).await;
        assert_eq!(gate.begun.load(Ordering::SeqCst), 2 * round);
        gate.opened.notify_waiters();
    }
    tokio::time::timeout(PATIENCE, calls.join_all()).await.expect("all are answered");
}

#[tokio::test]
async fn a_client_that_stops_reading_holds_back_only_itself() {
    let started = Arc::new(AtomicUsize::new(0));
    let counter = started.clone();
    let (server, _) = server();
    let server = server
        .register("Big.Reply", move |len: u64| {
            counter.fetch_add(1, Ordering::SeqCst);
            async move { Ok::<_, Error>("x".repeat(len as usize)) }
        })
        .unwrap();
    let (serving, client) = pair(&server).await;
    let address = serving.local_addr().to_string();
    // Ours reads always, so somebody stands in between who does not.
    let (ours, mut theirs) = tokio::io::duplex(1 << 20);
    let conn = landline::dial("tcp", &address).await.unwrap();
    let greedy = Client::on(ours);
    let mut calls = JoinSet::new();
    for _ in 0..1000 {
        let greedy = greedy.clone();
        calls.spawn(async move { greedy.call::<_, String>("Big.Reply", &100_000_u64).await });
    }
    let (mut requests, mut replies) = tokio::io::split(&mut theirs);
    let forward = async {
        tokio::io::copy(&mut requests, &mut &conn).await.unwrap();
    };
    let before_it_reads = async {
        // The server has begun what its buffers hold, and then no more, while others are served.
        let mut last = 0;
        loop {
            for _ in 0..50 {
                assert_eq!(client.call::<_, i64>("Arith.Multiply", &args(6, 7)).await.unwrap(), 42);
            }
            let now = started.load(Ordering::SeqCst);
            if now > 0 && now == last {
                break;
            }
            last = now;
        }
        // 100 MB were asked for; the kernel takes some of it.
        assert!(last < 900, "{last}");
        let mut read = &conn;
        tokio::io::copy(&mut read, &mut replies).await.unwrap();
    };
    let all = async {
        while let Some(reply) = calls.join_next().await {
            assert_eq!(reply.unwrap().unwrap().len(), 100_000);
        }
    };
    tokio::select! {
        () = forward => panic!("the requests ended"),
        () = before_it_reads => panic!("the replies ended"),
        done = tokio::time::timeout(PATIENCE, all) => done.expect("all are answered in the end"),
    }
}

#[tokio::test]
async fn a_server_that_stops_reading_holds_back_only_its_own_callers() {
    let (ours, theirs) = tokio::io::duplex(1024);
    let client = ClientConfig::new().max_unsent(4096).client(ours);
    let mut calls = JoinSet::new();
    for _ in 0..100 {
        let client = client.clone();
        calls.spawn(async move { client.call::<_, String>("Text.Echo", &"x".repeat(1000)).await });
    }
    // What is under way is bounded by what may wait to be sent, once taken and once more.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    let in_flight = client.in_flight();
    assert!((1..20).contains(&in_flight), "{in_flight}");
    let (server, _) = server();
    tokio::spawn(async move { server.serve_conn(theirs).await });
    let replies = tokio::time::timeout(PATIENCE, calls.join_all()).await.expect("all are answered");
    assert!(replies.into_iter().all(|reply| reply.unwrap().len() == 1000));
}

#[tokio::test]
async fn callers_beyond_the_limit_wait_their_turn_or_give_up() {
    let (server, gate) = server();
    let serving = serve(&server).await;
    let config = ClientConfig::new().max_in_flight(2);
    let client = config.dial("tcp", &serving.local_addr().to_string()).await.unwrap();
    let mut calls = JoinSet::new();
    for number in 0..2_u64 {
        let client = client.clone();
        calls.spawn(async move { client.call::<_, u64>("Gate.Wait", &number).await.unwrap() });
    }
    gate.until_begun(2).await;
    let timeout = std::time::Duration::from_millis(5);
    let late = client.call_within::<_, u64>(timeout, "Gate.Wait", &3_u64).await.unwrap_err();
    assert!(matches!(late, Error::Timeout));
    let six_and_seven = args(6, 7);
    let (product, ()) = tokio::join!(client.call::<_, i64>("Arith.Multiply", &six_and_seven), async {
        gate.opened.notify_waiters();
    });
    assert_eq!(product.unwrap(), 42);
    calls.join_all().await;
}

#[tokio::test]
async fn messages_have_a_longest_length() {
    let (server, _) = server();
    let (serving, client) = pair(&server.max_message(10_000)).await;
    let address = serving.local_addr().to_string();
    // A reply too long is an error; a request too long ends its conn.
    let error = client.call::<_, String>("Text.Echo", &"x".repeat(20_000)).await.unwrap_err();
    assert!(error.is_disconnect(), "{error:?}");
    let config = ClientConfig::new().max_message(10_000);
    let short = config.dial("tcp", &address).await.unwrap();
    let error = short.call::<_, String>("Text.Echo", &"x".repeat(20_000)).await.unwrap_err();
    assert!(matches!(error, Error::Args(_)), "{error:?}");
    assert_eq!(short.call::<_, String>("Text.Echo", &"x".to_owned()).await.unwrap(), "x");
}
