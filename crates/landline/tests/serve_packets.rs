//! Serving UDP.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use landline::{RecvBatch, SendBatch, Server, Serving, UdpBatchConn, UdpConn};
use tokio::time::{Instant, sleep, timeout};

const LOCAL: &str = "127.0.0.1:0";
const LONG: Duration = Duration::from_secs(30);

async fn echo(socket: UdpBatchConn) -> landline::Result<()> {
    let mut batch = RecvBatch::new();
    loop {
        socket.recv_batch(&mut batch).await?;
        for datagram in batch.datagrams() {
            let answer = SendBatch::new(datagram.bytes, datagram.bytes.len().max(1)).to(datagram.from);
            socket.send_batch(&answer).await?;
        }
    }
}

async fn client(serving: &Serving) -> UdpConn {
    landline::dial("udp", &serving.local_addr().to_string()).await.unwrap().into_udp().unwrap()
}

/// Sends until it is answered: a datagram may be lost, as between two runs of a handler.
async fn ask(client: &UdpConn, question: &[u8]) -> Vec<u8> {
    let began = Instant::now();
    loop {
        client.send(question).await.unwrap();
        let mut answer = [0; 64];
        if let Ok(Ok(count)) = timeout(Duration::from_millis(200), client.recv(&mut answer)).await {
            return answer[..count].to_vec();
        }
        assert!(began.elapsed() < LONG, "nobody answers");
    }
}

#[tokio::test]
async fn every_worker_has_a_socket_and_all_is_counted() {
    const WORKERS: usize = 3;
    let served: Arc<std::sync::Mutex<HashSet<SocketAddr>>> = Arc::default();
    let seen = served.clone();
    let handler = move |socket: UdpBatchConn| {
        seen.lock().unwrap().insert(socket.local_addr().unwrap());
        echo(socket)
    };
    let serving = Server::new().workers(WORKERS).serve_packets("udp", LOCAL, handler).await.unwrap();
    for number in 0..20_u8 {
        let client = client(&serving).await;
        assert_eq!(ask(&client, &[number; 3]).await, [number; 3]);
    }
    // Counted just after it was sent.
    let began = Instant::now();
    while serving.counters().total().bytes_written < 60 {
        assert!(began.elapsed() < LONG);
        sleep(Duration::from_millis(1)).await;
    }
    let counters = serving.counters();
    assert_eq!(counters.workers.len(), WORKERS);
    assert_eq!(served.lock().unwrap().len(), 1, "all have the same address");
    let all = counters.total();
    assert_eq!((all.conns, all.restarts), (WORKERS as u64, 0));
    assert!(all.bytes_read >= 60, "{all:?}");
    assert!(counters.workers.iter().filter(|worker| worker.bytes_read > 0).count() > 1, "{counters:?}");
    let drained = timeout(LONG, serving.shutdown(LONG * 100)).await.expect("receiving fails in a drain");
    assert_eq!((drained.finished, drained.cut), (WORKERS as u64, 0));
}

#[tokio::test]
async fn a_handler_that_panics_or_returns_is_called_again_with_the_same_socket() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counting = calls.clone();
    let handler = move |socket: UdpBatchConn| {
        let call = counting.fetch_add(1, Ordering::SeqCst);
        async move {
            match call {
                0 => panic!("the first time"),
                1 => Ok(()),
                _ => echo(socket).await,
            }
        }
    };
    let serving = Server::new().workers(1).serve_packets("udp", LOCAL, handler).await.unwrap();
    let client = client(&serving).await;
    assert_eq!(ask(&client, b"hello").await, b"hello");
    assert_eq!(calls.load(Ordering::SeqCst), 3);
    let all = serving.counters().total();
    assert_eq!((all.restarts, all.panicked, all.finished, all.conns), (2, 1, 1, 1));
    drop(client);
}

#[tokio::test]
async fn a_handler_that_does_not_end_is_dropped_at_the_deadline() {
    let handler = |socket: UdpBatchConn| async move {
        let _ = echo(socket).await;
        std::future::pending::<()>().await;
    };
    let serving = Server::new().workers(2).serve_packets("udp", LOCAL, handler).await.unwrap();
    let client = client(&serving).await;
    assert_eq!(ask(&client, b"hello").await, b"hello");
    let began = Instant::now();
    let drained = serving.shutdown(Duration::from_millis(100)).await;
    assert!(began.elapsed() < LONG, "{:?}", began.elapsed());
    assert_eq!((drained.finished, drained.cut, drained.stuck_workers), (0, 2, 0));
    // The address is free again.
    std::net::UdpSocket::bind(serving.local_addr().as_socket().unwrap()).unwrap();
}

#[tokio::test]
async fn a_handler_may_finish_its_sends_in_a_drain() {
    let handler = |socket: UdpBatchConn| async move {
        let mut batch = RecvBatch::new();
        socket.recv_batch(&mut batch).await?;
        let from = batch.datagrams().next().unwrap().from;
        socket.send_batch(&SendBatch::new(b"hello", 5).to(from)).await?;
        let error = socket.recv_batch(&mut batch).await.unwrap_err();
        assert!(error.is_timeout(), "{error}");
        socket.send_batch(&SendBatch::new(b"bye", 3).to(from)).await
    };
    let serving = Server::new().workers(1).serve_packets("udp", LOCAL, handler).await.unwrap();
    let client = client(&serving).await;
    assert_eq!(ask(&client, b"hello").await, b"hello");
    let drained = timeout(LONG, serving.shutdown(LONG * 100)).await.unwrap();
    assert_eq!((drained.finished, drained.cut), (1, 0));
    let mut answer = [0; 64];
    let count = timeout(LONG, client.recv(&mut answer)).await.unwrap().unwrap();
    assert_eq!(answer[..count], *b"bye");
}

#[tokio::test]
async fn an_address_that_is_taken_and_a_network_that_is_not_udp_are_refused() {
    let first = Server::new().workers(2).serve_packets("udp", LOCAL, echo).await.unwrap();
    let address = first.local_addr().to_string();
    let error = Server::new().workers(2).serve_packets("udp", &address, echo).await.unwrap_err();
    assert_eq!(error.errno(), Some(rustix::io::Errno::ADDRINUSE), "{error}");
    let error = Server::new().serve_packets("tcp", LOCAL, echo).await.unwrap_err();
    assert!(error.to_string().contains("not UDP"), "{error}");
}
