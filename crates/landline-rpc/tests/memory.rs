//! What 100,000 calls in flight over one conn take.
//!
//! One test in a program of its own, whose allocator keeps the count.

mod common;

use std::alloc::System;

use cap::Cap;
use common::{PATIENCE, pair, server};
use landline_rpc::{Client, ClientConfig};
use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

const CALLS: usize = 100_000;

/// Bytes for each call, as documented: at the client's end with the task that makes it, and at both ends with the handler,
/// whose future takes 128 of them. Measured were 670 and 940.
const CLIENT: usize = 800;
const BOTH: usize = 1200;
/// The future of a call to one server; that of one to a pool may be twice as large. Measured were 376 and 672.
const FUTURE: usize = 512;
/// What may be left of them all when they are over: the run queue of the runtime takes 1 MiB of it, and keeps that.
const LEFT: usize = 2 << 20;

fn begin(client: &Client) -> JoinSet<()> {
    let mut calls = JoinSet::new();
    for number in 0..CALLS as u64 {
        let client = client.clone();
        calls.spawn(async move {
            assert_eq!(client.call::<_, u64>("Gate.Wait", &number).await.unwrap(), number);
        });
    }
    calls
}

#[tokio::test]
async fn calls_in_flight_take_little_memory() {
    let (server, gate) = server();
    let (_serving, client) = pair(&server.max_calls_per_conn(2 * CALLS)).await;
    // What a caller keeps, which must not have the room for a dial or a lookup in it.
    let pool = ClientConfig::new().pool("tcp", "localhost:1").unwrap();
    let futures =
        (size_of_val(&client.call::<u64, u64>("", &0)), size_of_val(&pool.call::<u64, u64>("", &0)));
    assert!(futures.0 <= FUTURE && futures.1 <= 2 * FUTURE, "{futures:?}");
    let before = ALLOCATOR.allocated();
    let calls = begin(&client);
    gate.until_begun(CALLS).await;
    assert_eq!(client.in_flight(), CALLS);
    let each = (ALLOCATOR.max_allocated() - before) / CALLS;
    assert!(each <= BOTH, "{each} bytes a call at both ends");
    gate.opened.notify_waiters();
    tokio::time::timeout(PATIENCE, calls.join_all()).await.expect("all are answered");
    let left = ALLOCATOR.allocated().saturating_sub(before);
    assert!(left <= LEFT, "{left} bytes are left");

    // A peer that takes requests and answers none of them.
    let (ours, mut theirs) = tokio::io::duplex(1 << 16);
    let client = Client::on(ours);
    let mut requests = vec![0; 1 << 16];
    let before = ALLOCATOR.allocated();
    let _calls = begin(&client);
    while client.in_flight() < CALLS {
        assert!(theirs.read(&mut requests).await.unwrap() > 0);
    }
    let each = (ALLOCATOR.allocated() - before) / CALLS;
    assert!(each <= CLIENT, "{each} bytes a call at the client's end");
}
