//! Servers on real sockets: what they serve, and what they do at each limit.

use std::cell::Cell;
use std::future::pending;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use landline::serve::WorkerCounters;
use landline::{Conn, Dialer, ListenConfig, Server, Serving, Spread};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, sleep, timeout};

const LOCAL: &str = "127.0.0.1:0";
/// Longer than anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(30);

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

async fn connect(serving: &Serving) -> TcpStream {
    timeout(LONG, TcpStream::connect(addr(serving))).await.expect("the kernel accepts").unwrap()
}

/// From another address of loopback.
async fn connect_from(serving: &Serving, from: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(from.parse().unwrap()).unwrap();
    socket.connect(addr(serving)).await.unwrap()
}

/// Sends a byte and waits for it to come back; false if the conn ends instead.
async fn is_served(conn: &mut TcpStream) -> bool {
    let exchange = async {
        conn.write_all(b"x").await?;
        let mut byte = [0];
        conn.read_exact(&mut byte).await
    };
    timeout(LONG, exchange).await.expect("an answer or an end").is_ok()
}

/// Waits for the end of a conn, however it comes.
async fn end_of(conn: &mut TcpStream) {
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

fn total(serving: &Serving) -> WorkerCounters {
    serving.counters().total()
}

async fn finish(serving: &Serving) {
    let drained = serving.shutdown(LONG).await;
    assert_eq!((drained.cut, drained.stuck_workers), (0, 0));
}

#[tokio::test]
async fn every_conn_is_served_whatever_the_spread_and_all_is_counted() {
    const CONNS: usize = 60;
    for spread in [Spread::Balanced, Spread::ReusePort, Spread::IncomingCpu, Spread::LeastConns] {
        for workers in [1, 3] {
            let server = Server::new().workers(workers).spread(spread);
            let serving = Arc::new(server.serve("tcp", LOCAL, echo).await.unwrap());
            let mut clients = JoinSet::new();
            for _ in 0..CONNS {
                let serving = serving.clone();
                clients.spawn(async move {
                    let mut conn = connect(&serving).await;
                    for _ in 0..3 {
                        assert!(is_served(&mut conn).await);
                    }
                });
            }
            while let Some(client) = clients.join_next().await {
                client.unwrap();
            }
            until("conns end", || total(&serving).conns == 0).await;
            let counters = serving.counters();
            assert_eq!(counters.workers.len(), workers);
            let all = counters.total();
            assert_eq!((all.accepted, all.finished), (CONNS as u64, CONNS as u64), "{spread:?}");
            assert_eq!((all.bytes_read, all.bytes_written), (3 * CONNS as u64, 3 * CONNS as u64));
            finish(&serving).await;
        }
    }
}

#[tokio::test]
async fn few_long_conns_are_shared_evenly() {
    const WORKERS: usize = 3;
    for spread in [Spread::Balanced, Spread::LeastConns] {
        let serving = Server::new().workers(WORKERS).spread(spread).serve("tcp", LOCAL, echo).await.unwrap();
        let mut conns = Vec::new();
        for _ in 0..2 * WORKERS {
            let mut conn = connect(&serving).await;
            assert!(is_served(&mut conn).await);
            conns.push(conn);
        }
        let shares: Vec<u64> = serving.counters().workers.iter().map(|worker| worker.conns).collect();
        assert!(shares.iter().all(|share| (1..=3).contains(share)), "{spread:?}: {shares:?}");
        if spread == Spread::LeastConns {
            assert_eq!(shares, [2; WORKERS]);
        }
        drop(conns);
        finish(&serving).await;
    }
}

#[tokio::test]
async fn each_worker_makes_its_own_handler_which_need_not_be_send() {
    let made = Arc::new(AtomicUsize::new(0));
    let counting = made.clone();
    let bound = Server::new().workers(2).spread(Spread::LeastConns).bind("tcp", LOCAL).await.unwrap();
    let local = bound.local_addr();
    let serving = bound
        .serve_with(move |worker| {
            counting.fetch_add(1, Ordering::SeqCst);
            let served = Rc::new(Cell::new(0_u8));
            let index = worker.index() as u8;
            move |conn: Conn| {
                let served = served.clone();
                async move {
                    served.set(served.get() + 1);
                    conn.write_all(&[index, served.get()]).await?;
                    echo(conn).await
                }
            }
        })
        .await
        .unwrap();
    assert_eq!(serving.local_addr(), local);
    assert_eq!(made.load(Ordering::SeqCst), 2);
    let mut conns = Vec::new();
    let mut told = Vec::new();
    for _ in 0..4 {
        let mut conn = connect(&serving).await;
        let mut greeting = [0; 2];
        timeout(LONG, conn.read_exact(&mut greeting)).await.unwrap().unwrap();
        told.push(greeting);
        conns.push(conn);
    }
    told.sort_unstable();
    assert_eq!(told, [[0, 1], [0, 2], [1, 1], [1, 2]]);
    drop(conns);
    finish(&serving).await;
}

#[tokio::test]
async fn a_panic_ends_its_own_conn_only() {
    for workers in [1, 2] {
        let handler = |conn: Conn| {
            assert!(conn.peer_addr().unwrap().ip().unwrap().to_string() != "127.0.0.3", "in the call");
            async move {
                let bytes = conn.read_pooled().await?;
                assert!(*bytes != *b"!", "in the future");
                conn.write_all(&bytes).await?;
                drop(bytes);
                echo(conn).await
            }
        };
        let serving = Server::new().workers(workers).max_conns(3).serve("tcp", LOCAL, handler).await.unwrap();
        let mut before = connect(&serving).await;
        assert!(is_served(&mut before).await);
        // More than may be there at once, so that none keeps its place.
        for round in 0..6 {
            let mut conn = match round % 2 {
                0 => connect(&serving).await,
                _ => connect_from(&serving, "127.0.0.3:0").await,
            };
            // The conn may have ended before.
            let _ = conn.write_all(b"!").await;
            end_of(&mut conn).await;
        }
        assert!(is_served(&mut before).await);
        let mut after = connect(&serving).await;
        assert!(is_served(&mut after).await);
        until("panics are counted", || total(&serving).panicked == 6).await;
        drop((before, after));
        finish(&serving).await;
        assert_eq!(total(&serving).finished, 2);
    }
}

#[tokio::test]
async fn at_max_conns_further_ones_wait_until_one_ends() {
    for (workers, spread) in
        [(1, Spread::Balanced), (3, Spread::Balanced), (3, Spread::ReusePort), (3, Spread::LeastConns)]
    {
        let server = Server::new().workers(workers).spread(spread).max_conns(2);
        let serving = server.serve("tcp", LOCAL, echo).await.unwrap();
        let mut first = connect(&serving).await;
        let mut second = connect(&serving).await;
        assert!(is_served(&mut first).await && is_served(&mut second).await);

        // Several, so that those that wait are in the queues of several workers.
        let mut waiting: Vec<TcpStream> = Vec::new();
        for _ in 0..6 {
            let mut conn = connect(&serving).await;
            conn.write_all(b"x").await.unwrap();
            waiting.push(conn);
        }
        until("accepting waits", || total(&serving).waits_for_conns > 0).await;
        assert!(is_served(&mut first).await && is_served(&mut second).await, "those there go on");
        assert_eq!((total(&serving).accepted, total(&serving).conns), (2, 2));

        drop((first, second));
        let mut conns = JoinSet::new();
        for mut conn in waiting {
            conns.spawn(async move {
                timeout(LONG, conn.read_exact(&mut [0])).await.expect("it is served in the end").unwrap();
            });
        }
        while let Some(conn) = conns.join_next().await {
            conn.unwrap();
        }
        assert_eq!(total(&serving).accepted, 8);
        finish(&serving).await;
    }
}

#[tokio::test]
async fn a_peer_with_too_many_conns_is_closed_at_once_and_others_are_served() {
    let serving = Server::new().workers(2).max_conns_per_peer(2).serve("tcp", LOCAL, echo).await.unwrap();
    let mut first = connect(&serving).await;
    let mut second = connect(&serving).await;
    assert!(is_served(&mut first).await && is_served(&mut second).await);
    for _ in 0..3 {
        end_of(&mut connect(&serving).await).await;
    }
    assert_eq!(total(&serving).refused_by_peer, 3);
    let mut other = connect_from(&serving, "127.0.0.2:0").await;
    assert!(is_served(&mut other).await);
    drop(first);
    until("the place is free", || total(&serving).conns == 2).await;
    let mut third = connect(&serving).await;
    assert!(is_served(&mut third).await);
    drop((second, other, third));
    finish(&serving).await;
}

#[tokio::test]
async fn accepting_keeps_to_its_rate() {
    const RATE: u32 = 40;
    let serving = Server::new().workers(2).accept_rate(RATE).serve("tcp", LOCAL, echo).await.unwrap();
    let began = Instant::now();
    let mut conns = JoinSet::new();
    for _ in 0..RATE {
        let mut conn = connect(&serving).await;
        conns.spawn(async move { assert!(is_served(&mut conn).await) });
    }
    while let Some(conn) = conns.join_next().await {
        conn.unwrap();
    }
    // The first comes at once, and a slot may begin a little early.
    let spent = began.elapsed();
    assert!(spent > Duration::from_secs(1) * (RATE - 2) / RATE, "{RATE} were accepted in {spent:?}");
    assert!(total(&serving).waits_by_rate > 0);
    finish(&serving).await;
}

#[tokio::test]
async fn who_says_nothing_is_ended_in_time() {
    let (errors, mut told) = mpsc::unbounded_channel();
    let handler = move |conn: Conn| {
        let errors = errors.clone();
        async move { drop(errors.send(echo(conn).await)) }
    };
    let timeouts = Server::new().workers(1).first_byte_timeout(Duration::from_millis(300));
    let serving = timeouts.serve("tcp", LOCAL, handler).await.unwrap();
    let mut speaks = connect(&serving).await;
    assert!(is_served(&mut speaks).await);
    let began = Instant::now();
    let mut silent = connect(&serving).await;
    end_of(&mut silent).await;
    assert!(began.elapsed() > Duration::from_millis(250), "{:?}", began.elapsed());
    let error = told.recv().await.unwrap().unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert!(is_served(&mut speaks).await, "whoever spoke once may be silent");
    assert_eq!((total(&serving).first_byte_timeouts, total(&serving).idle_timeouts), (1, 0));
    drop(speaks);
    finish(&serving).await;
}

#[tokio::test]
async fn an_idle_conn_is_ended_and_one_in_use_is_not() {
    let (errors, mut told) = mpsc::unbounded_channel();
    let handler = move |conn: Conn| {
        let errors = errors.clone();
        async move { drop(errors.send(echo(conn).await)) }
    };
    let idle = Duration::from_secs(1);
    let serving = Server::new().workers(1).idle_timeout(idle).serve("tcp", LOCAL, handler).await.unwrap();
    let mut busy = connect(&serving).await;
    let mut quiet = connect(&serving).await;
    assert!(is_served(&mut quiet).await);
    let began = Instant::now();
    // The busy one goes on for as long as the quiet one lives.
    let mut end = Box::pin(end_of(&mut quiet));
    loop {
        tokio::select! {
            () = &mut end => break,
            () = sleep(idle / 20) => assert!(is_served(&mut busy).await),
        }
    }
    assert!(began.elapsed() > idle * 9 / 10, "{:?}", began.elapsed());
    assert!(told.recv().await.unwrap().unwrap_err().is_timeout());
    assert!(is_served(&mut busy).await);
    assert_eq!(total(&serving).idle_timeouts, 1);
    drop((end, busy));
    drop(quiet);
    finish(&serving).await;
}

#[tokio::test]
async fn a_handler_that_stays_after_a_timeout_is_dropped() {
    let handler = |conn: Conn| async move {
        let _ = echo(conn).await;
        pending::<()>().await;
    };
    let server = Server::new().workers(1).first_byte_timeout(Duration::from_millis(50));
    let serving = server.serve("tcp", LOCAL, handler).await.unwrap();
    let _silent = connect(&serving).await;
    until("it is cut", || total(&serving).cut == 1).await;
    assert_eq!(total(&serving).conns, 0);
    finish(&serving).await;
}

#[tokio::test]
async fn unix_sockets_are_served_by_all_workers_and_their_file_goes_with_the_server() {
    let path = std::env::temp_dir().join(format!("landline-serve-{}.sock", std::process::id()));
    let path = path.to_str().unwrap();
    for network in ["unix", "unixpacket"] {
        let serving = Server::new().workers(2).serve(network, path, echo).await.unwrap();
        let mut conns = Vec::new();
        for _ in 0..4 {
            let conn = Dialer::new().dial(network, path).await.unwrap();
            conn.write_all(b"hello").await.unwrap();
            assert_eq!(*conn.read_pooled().await.unwrap(), *b"hello");
            conns.push(conn);
        }
        let shares: Vec<u64> = serving.counters().workers.iter().map(|worker| worker.conns).collect();
        assert_eq!(shares, [2, 2]);
        assert!(std::fs::exists(path).unwrap());
        drop(conns);
        finish(&serving).await;
        assert!(!std::fs::exists(path).unwrap());
    }
}

#[tokio::test]
async fn several_addresses_are_served_as_one() {
    let server = Server::new().workers(2);
    let tcp = server.bind("tcp", LOCAL).await.unwrap();
    let serving = tcp.and(server.bind("unix", "").await.unwrap()).serve(echo).await.unwrap();
    let [tcp, unix] = serving.local_addrs() else { panic!("{:?}", serving.local_addrs()) };
    for (network, address) in [("tcp", tcp), ("unix", unix)] {
        let conn = landline::dial(network, &address.to_string()).await.unwrap();
        conn.write_all(b"hello").await.unwrap();
        assert_eq!(*conn.read_pooled().await.unwrap(), *b"hello");
    }
    finish(&serving).await;
}

#[tokio::test]
async fn listeners_that_are_open_already_are_served() {
    let config = ListenConfig::new().reuse_port(true);
    let first = config.listen_tcp(LOCAL).await.unwrap();
    let second = config.listen_tcp(&first.local_addr().unwrap().to_string()).await.unwrap();
    // Queued before anybody serves.
    let mut early = TcpStream::connect(first.local_addr().unwrap()).await.unwrap();
    let serving = Server::new().workers(3).serve_on([first, second], echo).await.unwrap();
    assert_eq!(serving.local_addrs().len(), 1);
    assert!(is_served(&mut early).await);
    for _ in 0..10 {
        assert!(is_served(&mut connect(&serving).await).await);
    }
    drop(early);
    finish(&serving).await;

    let none = Server::new().serve_on(Vec::<landline::Listener>::new(), echo).await.unwrap_err();
    assert!(none.to_string().starts_with("serve: "), "{none}");
}

#[tokio::test]
async fn an_address_that_is_taken_is_refused_although_workers_share_it() {
    let first = Server::new().workers(2).serve("tcp", LOCAL, echo).await.unwrap();
    let address = addr(&first).to_string();
    let error = Server::new().workers(2).serve("tcp", &address, echo).await.unwrap_err();
    assert_eq!(error.errno(), Some(rustix::io::Errno::ADDRINUSE), "{error}");
    finish(&first).await;
    let second = Server::new().workers(2).serve("tcp", &address, echo).await.unwrap();
    assert!(is_served(&mut connect(&second).await).await);

    // Only where it was asked for.
    finish(&second).await;
    let shared = Server::new().workers(2).listen_config(ListenConfig::new().reuse_port(true));
    let first = shared.serve("tcp", LOCAL, echo).await.unwrap();
    let second = shared.serve("tcp", &addr(&first).to_string(), echo).await.unwrap();
    finish(&first).await;
    finish(&second).await;
}

#[tokio::test]
async fn packets_are_no_conns() {
    let error = Server::new().serve("udp", LOCAL, echo).await.unwrap_err();
    assert!(error.to_string().contains("no conns"), "{error}");
    let error = Server::new().serve("tcp9", LOCAL, echo).await.unwrap_err();
    assert_eq!(error.to_string(), "listen 127.0.0.1:0: unknown network tcp9");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_runs_in_the_callers_runtime() {
    let serving = Server::new().max_conns(4).serve_here("tcp", LOCAL, echo).await.unwrap();
    assert_eq!(serving.counters().workers.len(), 1);
    for _ in 0..8 {
        assert!(is_served(&mut connect(&serving).await).await);
    }
    finish(&serving).await;
}

#[test]
fn a_server_runs_on_the_callers_thread_with_handlers_that_are_not_send() {
    let serve = || async {
        let served = Rc::new(Cell::new(0));
        let counting = served.clone();
        let handler = move |conn: Conn| {
            counting.set(counting.get() + 1);
            echo(conn)
        };
        let serving = Server::new().serve_local("tcp", LOCAL, handler).await.unwrap();
        for _ in 0..4 {
            assert!(is_served(&mut connect(&serving).await).await);
        }
        let _stays = connect(&serving).await;
        until("all are there", || served.get() == 5).await;
        let drained = serving.shutdown(Duration::from_millis(10)).await;
        assert_eq!((drained.cut, total(&serving).conns), (1, 0));
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(LocalSet::new().run_until(serve()));
    tokio::runtime::LocalRuntime::new().unwrap().block_on(serve());
}

#[tokio::test]
async fn without_a_listener_that_works_the_server_ends_once_its_conns_have() {
    let listener = ListenConfig::new().listen_tcp(LOCAL).await.unwrap();
    let outside = rustix::io::dup(&listener).unwrap();
    let serving = Server::new().workers(2).serve_on([listener], echo).await.unwrap();
    let mut conn = connect(&serving).await;
    assert!(is_served(&mut conn).await);
    // No longer a listening socket, for all who have it.
    rustix::net::shutdown(&outside, rustix::net::Shutdown::Both).unwrap();
    assert!(timeout(Duration::from_millis(200), serving.wait()).await.is_err(), "the conn is still there");
    assert!(is_served(&mut conn).await);
    drop(conn);
    let error = timeout(LONG, serving.wait()).await.expect("it ends").unwrap_err();
    assert!(error.to_string().starts_with("accept tcp 127.0.0.1:"), "{error}");
}

/// A server that gives its conns away.
async fn giving() -> (Serving, mpsc::UnboundedReceiver<Conn>) {
    let (give, given) = mpsc::unbounded_channel();
    let handler = move |conn| {
        let _ = give.send(conn);
        async {}
    };
    (Server::new().workers(1).serve("tcp", LOCAL, handler).await.unwrap(), given)
}

#[tokio::test]
async fn a_conn_stays_with_its_worker_wherever_somebody_waits_for_it_first() {
    let (serving, mut given) = giving().await;
    let mut client = connect(&serving).await;
    let conn = given.recv().await.unwrap();
    let conn = std::thread::spawn(|| {
        let passing = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        passing.block_on(std::future::poll_fn(|cx| {
            assert!(std::pin::pin!(conn.read_pooled()).poll(cx).is_pending());
            std::task::Poll::Ready(())
        }));
        conn
    });
    let conn = conn.join().unwrap();
    client.write_all(b"x").await.unwrap();
    let bytes = timeout(LONG, conn.read_pooled()).await.expect("it is told of what comes").unwrap();
    assert_eq!(*bytes, *b"x");
}

#[tokio::test]
async fn a_conn_that_outlives_its_server_before_anybody_waited_is_whoevers_waits() {
    let (serving, mut given) = giving().await;
    let mut client = connect(&serving).await;
    let conn = given.recv().await.unwrap();
    finish(&serving).await;
    let (read, ()) = tokio::join!(timeout(LONG, conn.read_pooled()), async {
        sleep(Duration::from_millis(10)).await;
        client.write_all(b"x").await.unwrap();
    });
    assert_eq!(*read.expect("it is told of what comes").unwrap(), *b"x");
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("as it is meant to");
    }
}

#[tokio::test]
async fn whoever_waits_learns_that_a_worker_panicked() {
    let bound = Server::new().workers(2).bind("tcp", LOCAL).await.unwrap();
    let make = |worker: &landline::serve::Worker| {
        let panics = (worker.index() == 1).then(|| PanicsWhenDropped);
        move |conn| {
            let _ = &panics;
            echo(conn)
        }
    };
    let serving = bound.serve_with(make).await.unwrap();
    let mut client = connect(&serving).await;
    assert!(is_served(&mut client).await);
    drop(client);
    until("the conn ends", || total(&serving).conns == 0).await;
    assert_eq!(serving.shutdown(LONG).await.stuck_workers, 0);
    let error = serving.wait().await.unwrap_err();
    assert!(error.to_string().contains("a worker panicked"), "{error}");
}
