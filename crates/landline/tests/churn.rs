//! Ten thousand dials leave nothing behind. Alone in its process, whose descriptors and threads it counts.

use std::time::Duration;

use conntest::leak::LeakCheck;
use conntest::loopback::{BlackHole, EchoServer, V4};
use landline::Dialer;
use tokio::task::{JoinSet, yield_now};

const DIALS: usize = 10_000;
const AT_ONCE: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dials_that_succeed_are_cancelled_or_time_out_leave_nothing_behind() {
    // What a process starts once and keeps is started here.
    dials(&Peers::start().await, 0..3).await;

    let check = LeakCheck::begin();
    let peers = Peers::start().await;
    let mut workers = JoinSet::new();
    for worker in 0..AT_ONCE {
        let peers = peers.clone();
        workers.spawn(async move { dials(&peers, (worker..DIALS).step_by(AT_ONCE)).await });
    }
    let mut done = 0;
    while let Some(worker) = workers.join_next().await {
        done += worker.unwrap();
    }
    assert_eq!(done, DIALS);
    drop(peers);
    check.end().await;
}

#[derive(Clone)]
struct Peers {
    echo: std::sync::Arc<EchoServer>,
    hole: std::sync::Arc<BlackHole>,
}

impl Peers {
    async fn start() -> Peers {
        let (echo, hole) = tokio::try_join!(EchoServer::bind(V4), BlackHole::bind(V4)).unwrap();
        Peers { echo: echo.into(), hole: hole.into() }
    }
}

/// Does these dials, and says how many they were.
async fn dials(peers: &Peers, numbers: impl Iterator<Item = usize>) -> usize {
    let mut done = 0;
    for number in numbers {
        match number % 3 {
            0 => good(peers).await,
            1 => cancelled(peers, number / 3).await,
            _ => timed_out(peers).await,
        }
        done += 1;
    }
    done
}

async fn good(peers: &Peers) {
    let conn = Dialer::new().dial_tcp(&peers.echo.addr().to_string()).await.unwrap();
    conn.write_all(b"x").await.unwrap();
    assert_eq!(conn.read(&mut [0; 8]).await.unwrap(), 1);
}

/// Dropped before its first poll, after it, or some turns of the runtime later; half of them just as they may connect.
async fn cancelled(peers: &Peers, number: usize) {
    let addr = if number.is_multiple_of(2) { peers.echo.addr() } else { peers.hole.addr() };
    let address = addr.to_string();
    let dialer = Dialer::new();
    let turns = number / 2 % 5;
    if turns == 0 {
        drop(dialer.dial_tcp(&address));
        return;
    }
    tokio::select! {
        biased;
        dialled = dialer.dial_tcp(&address) => {
            assert!(addr == peers.echo.addr() && dialled.is_ok(), "{dialled:?}");
        }
        () = async { for _ in 1..turns { yield_now().await } } => {}
    }
}

async fn timed_out(peers: &Peers) {
    let dialer = Dialer::new().timeout(Duration::from_millis(2));
    let error = dialer.dial_tcp(&peers.hole.addr().to_string()).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
}
