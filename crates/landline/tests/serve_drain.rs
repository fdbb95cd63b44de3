//! How servers end.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use landline::{Conn, Server, Serving, Spread};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

const LOCAL: &str = "127.0.0.1:0";
const LONG: Duration = Duration::from_secs(30);
/// How late the end of a drain may be on a busy machine.
const LATE: Duration = Duration::from_secs(5);

async fn echo(conn: Conn) -> landline::Result<()> {
    loop {
        let bytes = conn.read_pooled().await?;
        if bytes.is_empty() {
            return Ok(());
        }
        conn.write_all(&bytes).await?;
    }
}

fn addr(serving: &Serving) -> SocketAddr {
    serving.local_addr().as_socket().unwrap()
}

/// A conn that has been answered once, so that its handler runs.
async fn served(serving: &Serving) -> TcpStream {
    let mut conn = TcpStream::connect(addr(serving)).await.unwrap();
    conn.write_all(b"x").await.unwrap();
    timeout(LONG, conn.read_exact(&mut [0])).await.expect("an answer").unwrap();
    conn
}

async fn ends(conn: &mut TcpStream) {
    let ended = timeout(LONG, conn.read(&mut [0; 16])).await.expect("it ends");
    assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LONG, "waited in vain: {what}");
        sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_drain_ends_as_soon_as_the_last_conn_has() {
    let serving = Arc::new(Server::new().workers(2).serve("tcp", LOCAL, echo).await.unwrap());
    let mut conns = vec![served(&serving).await, served(&serving).await, served(&serving).await];
    let draining = tokio::spawn({
        let serving = serving.clone();
        async move { serving.shutdown(LONG * 100).await }
    });
    // Nobody is accepted any more, and those there are served on.
    until("it listens no longer", || std::net::TcpListener::bind(addr(&serving)).is_ok()).await;
    for conn in &mut conns {
        conn.write_all(b"y").await.unwrap();
        conn.read_exact(&mut [0]).await.unwrap();
    }
    assert!(!draining.is_finished());
    drop(conns);
    let drained = timeout(LONG, draining).await.expect("it ends with the last").unwrap();
    assert_eq!((drained.finished, drained.cut, drained.stuck_workers), (3, 0, 0));
    assert_eq!(serving.wait().await.unwrap(), drained, "whoever asks later is told the same");
}

#[tokio::test]
async fn a_drain_ends_on_time_with_peers_that_do_not_read_and_peers_that_do_not_write() {
    let handler = |conn: Conn| async move {
        echo_once(&conn).await?;
        // More than any socket buffer takes.
        conn.write_all(&vec![7; 64 << 20]).await
    };
    async fn echo_once(conn: &Conn) -> landline::Result<()> {
        let bytes = conn.read_pooled().await?;
        conn.write_all(&bytes).await
    }
    for workers in [1, 3] {
        let serving = Server::new().workers(workers).serve("tcp", LOCAL, handler).await.unwrap();
        let mut stalled = Vec::new();
        for _ in 0..5 {
            stalled.push(served(&serving).await);
            // Says nothing at all.
            stalled.push(TcpStream::connect(addr(&serving)).await.unwrap());
        }
        until("all are accepted", || serving.counters().total().conns == 10).await;
        let drain = Duration::from_millis(300);
        let began = Instant::now();
        let drained = serving.shutdown(drain).await;
        let spent = began.elapsed();
        assert!((drain..drain + LATE).contains(&spent), "{spent:?}");
        assert_eq!((drained.cut, drained.stuck_workers), (10, 0));
        assert_eq!(serving.counters().total().conns, 0);
    }
}

#[tokio::test]
async fn conns_in_the_queue_are_served_in_the_drain() {
    for spread in [Spread::Balanced, Spread::LeastConns] {
        let server = Server::new().workers(2).spread(spread);
        let bound = server.bind("tcp", LOCAL).await.unwrap();
        // Connected before anybody accepts.
        let mut queued = Vec::new();
        for _ in 0..10 {
            queued.push(TcpStream::connect(bound.local_addr().as_socket().unwrap()).await.unwrap());
        }
        let serving = Arc::new(bound.serve(echo).await.unwrap());
        let draining = tokio::spawn({
            let serving = serving.clone();
            async move { serving.shutdown(LONG).await }
        });
        for conn in &mut queued {
            conn.write_all(b"x").await.unwrap();
            timeout(LONG, conn.read_exact(&mut [0])).await.expect("an answer").unwrap();
        }
        drop(queued);
        let drained = draining.await.unwrap();
        assert_eq!(drained.cut, 0);
        assert_eq!(serving.counters().total().finished, 10);
    }
}

#[tokio::test]
async fn handlers_learn_of_the_drain() {
    let bound = Server::new().workers(2).bind("tcp", LOCAL).await.unwrap();
    let serving = bound
        .serve_with(|worker| {
            let draining = worker.draining();
            move |conn: Conn| {
                let draining = draining.clone();
                async move {
                    assert!(!draining.has_begun());
                    tokio::select! {
                        () = draining.begun() => conn.write_all(b"bye").await,
                        ended = echo_from(&conn) => ended,
                    }
                }
            }
        })
        .await
        .unwrap();
    async fn echo_from(conn: &Conn) -> landline::Result<()> {
        loop {
            let bytes = conn.read_pooled().await?;
            conn.write_all(&bytes).await?;
        }
    }
    let mut conns = vec![served(&serving).await, served(&serving).await, served(&serving).await];
    let drained = timeout(LONG, serving.shutdown(LONG * 100)).await.expect("all end at once");
    assert_eq!((drained.finished, drained.cut), (3, 0));
    for conn in &mut conns {
        let mut told = String::new();
        conn.read_to_string(&mut told).await.unwrap();
        assert_eq!(told, "bye");
    }
}

#[tokio::test]
async fn the_earliest_deadline_of_several_holds() {
    let serving = Arc::new(Server::new().workers(1).serve("tcp", LOCAL, echo).await.unwrap());
    let mut conn = served(&serving).await;
    let patient = tokio::spawn({
        let serving = serving.clone();
        async move { serving.shutdown(LONG * 100).await }
    });
    let waiting = tokio::spawn({
        let serving = serving.clone();
        async move { serving.wait().await }
    });
    sleep(Duration::from_millis(20)).await;
    assert!(!patient.is_finished() && !waiting.is_finished());
    let drained = serving.shutdown(Duration::ZERO).await;
    assert_eq!(drained.cut, 1);
    assert_eq!(timeout(LONG, patient).await.unwrap().unwrap(), drained);
    assert_eq!(timeout(LONG, waiting).await.unwrap().unwrap().unwrap(), drained);
    ends(&mut conn).await;
}

#[tokio::test]
async fn a_dropped_server_closes_everything() {
    for workers in [1, 2] {
        let serving = Server::new().workers(workers).serve("tcp", LOCAL, echo).await.unwrap();
        let address = addr(&serving);
        let mut conns = vec![served(&serving).await, served(&serving).await];
        drop(serving);
        for conn in &mut conns {
            ends(conn).await;
        }
        until("it listens no longer", || std::net::TcpListener::bind(address).is_ok()).await;
    }
    let serving = Server::new().serve_here("tcp", LOCAL, echo).await.unwrap();
    let mut conn = served(&serving).await;
    drop(serving);
    ends(&mut conn).await;
}

#[tokio::test]
async fn a_handler_that_blocks_its_thread_does_not_hold_up_the_end() {
    let released = Arc::new(AtomicBool::new(false));
    let held = released.clone();
    let handler = move |conn: Conn| {
        let held = held.clone();
        async move {
            echo_once(&conn).await;
            while !held.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(1));
            }
            pending::<()>().await;
        }
    };
    async fn echo_once(conn: &Conn) {
        let bytes = conn.read_pooled().await.unwrap();
        conn.write_all(&bytes).await.unwrap();
    }
    let serving =
        Server::new().workers(2).spread(Spread::LeastConns).serve("tcp", LOCAL, handler).await.unwrap();
    let mut conn = served(&serving).await;
    let began = Instant::now();
    let drained = serving.shutdown(Duration::from_millis(50)).await;
    assert!(began.elapsed() < LATE, "{:?}", began.elapsed());
    assert_eq!(drained.stuck_workers, 1);
    released.store(true, Ordering::SeqCst);
    ends(&mut conn).await;
    let drained = timeout(LONG, serving.wait()).await.expect("it ends after all").unwrap();
    assert_eq!((drained.cut, drained.stuck_workers), (1, 0));
}

#[tokio::test]
async fn each_socket_is_closed_as_soon_as_what_was_queued_there_is_accepted() {
    let server = Server::new().workers(1);
    let (first, second) =
        (server.bind("tcp", LOCAL).await.unwrap(), server.bind("tcp", LOCAL).await.unwrap());
    // Each conn blocks the only worker until it is let through.
    let (let_through, gate) = std::sync::mpsc::channel();
    let gate = std::sync::Mutex::new(gate);
    let handler = move |conn| {
        let _ = gate.lock().unwrap().recv();
        echo(conn)
    };
    let serving = Arc::new(first.and(second).serve(handler).await.unwrap());
    let [first, second] =
        [0, 1].map(|address| serving.local_addrs()[address].as_socket().expect("they are of TCP"));
    let served = TcpStream::connect(first).await.unwrap();
    until("it is accepted", || serving.counters().total().conns == 1).await;
    let mut queued = TcpStream::connect(second).await.unwrap();
    let draining = tokio::spawn({
        let serving = serving.clone();
        async move { serving.shutdown(LONG).await }
    });
    tokio::task::yield_now().await;
    let_through.send(()).unwrap();
    // The worker is at the second socket now, and kept there.
    until("the first is closed", || std::net::TcpListener::bind(first).is_ok()).await;
    let_through.send(()).unwrap();
    queued.write_all(b"x").await.unwrap();
    timeout(LONG, queued.read_exact(&mut [0])).await.expect("an answer").unwrap();
    drop((served, queued));
    assert_eq!(draining.await.unwrap().cut, 0);
}

#[tokio::test]
async fn what_is_kept_for_a_successor_is_closed_in_a_drain_too() {
    let point = format!("@landline-drain-{}", std::process::id());
    let server = Server::new().workers(1).restart_at(&point, LONG);
    let serving = Arc::new(server.serve("tcp", LOCAL, echo).await.unwrap());
    let mut conn = served(&serving).await;
    let draining = tokio::spawn({
        let serving = serving.clone();
        async move { serving.shutdown(LONG).await }
    });
    until("it listens no longer", || std::net::TcpListener::bind(addr(&serving)).is_ok()).await;
    conn.write_all(b"y").await.unwrap();
    conn.read_exact(&mut [0]).await.unwrap();
    drop(conn);
    assert_eq!(draining.await.unwrap().cut, 0);
}

#[tokio::test]
async fn who_waits_for_a_place_is_served_in_the_drain_as_others_end() {
    for workers in [1, 2] {
        let server = Server::new().workers(workers).max_conns(1);
        let serving = Arc::new(server.serve("tcp", LOCAL, echo).await.unwrap());
        let first = served(&serving).await;
        let mut waiting = Vec::new();
        for _ in 0..3 {
            let mut conn = TcpStream::connect(addr(&serving)).await.unwrap();
            conn.write_all(b"y").await.unwrap();
            waiting.push(conn);
        }
        let draining = tokio::spawn({
            let serving = serving.clone();
            async move { serving.shutdown(LONG * 100).await }
        });
        // Whoever comes later is refused while they wait.
        until("it listens no longer", || std::net::TcpListener::bind(addr(&serving)).is_ok()).await;
        drop(first);
        // Whichever has its turn first keeps the others waiting until it is dropped.
        let answered = waiting.into_iter().map(|mut conn| async move {
            let mut byte = [0];
            timeout(LONG, conn.read_exact(&mut byte)).await.expect("its turn comes").unwrap();
            assert_eq!(&byte, b"y");
        });
        futures_util::future::join_all(answered).await;
        let drained = timeout(LONG, draining).await.expect("it ends with the last").unwrap();
        assert_eq!((drained.finished, drained.cut, drained.stuck_workers), (4, 0, 0));
    }
}

#[tokio::test]
async fn who_has_no_place_until_the_end_of_the_drain_is_counted() {
    for drain in [Duration::from_secs(1), Duration::ZERO] {
        let serving = Server::new().workers(1).max_conns(1).serve("tcp", LOCAL, echo).await.unwrap();
        let _first = served(&serving).await;
        let mut waiting = Vec::new();
        for _ in 0..3 {
            waiting.push(TcpStream::connect(addr(&serving)).await.unwrap());
        }
        let drained = serving.shutdown(drain).await;
        assert_eq!((drained.finished, drained.cut), (0, 1));
        // Without time it may take nobody out of the queue, and so know of nobody there.
        assert!(drained.refused == 3 || drain.is_zero() && drained.refused < 3, "{drained:?}");
        let total = serving.counters().total();
        assert_eq!((total.accepted, total.refused_in_drain), (1, drained.refused));
        for conn in &mut waiting {
            ends(conn).await;
        }
    }
}
