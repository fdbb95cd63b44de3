//! A drain while the process has no descriptors left. One test, and a process of its own, because the limit is the whole
//! process's.

mod descriptors;

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use landline::{Conn, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use descriptors::take_all_descriptors;

const LONG: Duration = Duration::from_secs(30);

async fn echo(conn: Conn) -> landline::Result<()> {
    let bytes = conn.read_pooled().await?;
    conn.write_all(&bytes).await
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LONG, "waited in vain: {what}");
        sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_drain_waits_for_descriptors_and_serves_what_is_queued() {
    // The first conn blocks the only worker until it is let through.
    let (let_through, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let handler = move |conn| {
        let _ = gate.lock().unwrap().recv();
        echo(conn)
    };
    let serving = Arc::new(Server::new().workers(1).serve("tcp", "127.0.0.1:0", handler).await.unwrap());
    let connect = || TcpStream::connect(serving.local_addr().as_socket().unwrap());
    let mut conns = vec![connect().await.unwrap()];
    until("it is accepted", || serving.counters().total().conns == 1).await;
    for _ in 0..3 {
        conns.push(connect().await.unwrap());
    }
    let hoard = take_all_descriptors();
    let draining = tokio::spawn({
        let serving = serving.clone();
        async move { serving.shutdown(LONG).await }
    });
    // On this thread, so that the drain has begun before the worker goes on.
    tokio::task::yield_now().await;
    drop(let_through);
    until("it has met the limit", || serving.counters().total().waits_for_resources > 0).await;
    drop(hoard);
    for mut conn in conns {
        conn.write_all(b"x").await.unwrap();
        timeout(LONG, conn.read_exact(&mut [0])).await.expect("an answer").unwrap();
    }
    let drained = draining.await.unwrap();
    assert_eq!((drained.cut, serving.counters().total().finished), (0, 4));
}
