//! Copies that are dropped at any moment leave nothing behind, and those that wait hold nothing. One test alone in its
//! process, whose descriptors and tasks it counts.

use std::fs;
use std::future::Future;

use conntest::leak::LeakCheck;
use landline::{Dialer, ListenConfig, SharedStream, TcpConn, UnixConn, UnixKind, copy_both};
use tokio::io::AsyncReadExt;
use tokio::task::{JoinSet, yield_now};

const RELAYS: usize = 300;
const IDLE: usize = 64;
const PORTION: usize = 1 << 20;

/// Both ends landline's.
async fn tcp() -> (TcpConn, TcpConn) {
    let listener = ListenConfig::new().listen_tcp("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let dialer = Dialer::new();
    tokio::try_join!(dialer.dial_tcp(&address), listener.accept()).unwrap()
}

fn unix() -> (UnixConn, UnixConn) {
    UnixConn::pair(UnixKind::Stream).unwrap()
}

/// How many ends of pipes this process has open.
fn pipes() -> usize {
    let links =
        fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    links.filter(|link| link.to_string_lossy().starts_with("pipe:")).count()
}

/// Sends and receives as fast as it can, for ever.
async fn babble(client: &TcpConn, server: &UnixConn) {
    let said = vec![1; PORTION];
    let (mut first, mut second) = (vec![0; PORTION], vec![0; PORTION]);
    let (mut client_reader, mut server_reader) = (client, server);
    tokio::join!(
        async { while client.write_all(&said).await.is_ok() {} },
        async { while server.write_all(&said).await.is_ok() {} },
        async { while matches!(AsyncReadExt::read(&mut client_reader, &mut first).await, Ok(1..)) {} },
        async { while matches!(AsyncReadExt::read(&mut server_reader, &mut second).await, Ok(1..)) {} },
    );
}

/// Some work and its end at a moment that is another each time.
async fn for_a_while(number: usize, work: impl Future) {
    let moment = async {
        for _ in 0..number % 97 {
            yield_now().await;
        }
    };
    tokio::select! {
        biased;
        _ = work => panic!("it ended by itself"),
        () = moment => {}
    }
}

async fn dropped_at_any_moment(number: usize) {
    let ((a, client), (b, server)) = (tcp().await, unix());
    for_a_while(number, async {
        if number.is_multiple_of(5) {
            let (a, b) = (SharedStream::new(a), SharedStream::new(b));
            tokio::join!(copy_both(&a, &b), babble(&client, &server)).0.unwrap();
        } else {
            tokio::join!(copy_both(&a, &b), babble(&client, &server)).0.unwrap();
        }
    })
    .await;
}

/// A relay that has moved much and then waits, until it is told to go.
async fn idle(go: tokio::sync::watch::Receiver<bool>, waits: tokio::sync::mpsc::Sender<()>) {
    let ((a, client), (b, server)) = (tcp().await, unix());
    let conversation = async {
        let mut reader = &server;
        let said = vec![1; PORTION];
        let mut heard = vec![0; PORTION];
        let (written, read) = tokio::join!(client.write_all(&said), reader.read_exact(&mut heard));
        written.unwrap();
        read.unwrap();
        let mut go = go;
        waits.send(()).await.unwrap();
        let _ = go.wait_for(|go| *go).await;
    };
    tokio::select! {
        ended = copy_both(&a, &b) => panic!("{ended:?}"),
        () = conversation => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_behind_or_held_for_nothing() {
    for number in 0..3 {
        dropped_at_any_moment(number).await;
    }
    let check = LeakCheck::begin();
    let before = pipes();

    let mut relays = JoinSet::new();
    for number in 0..RELAYS {
        relays.spawn(dropped_at_any_moment(number));
        if number % 20 == 19 {
            while let Some(relay) = relays.join_next().await {
                relay.unwrap();
            }
        }
    }
    assert_eq!(pipes(), before, "no copy is left, and no pipe");

    let (go, told_to_go) = tokio::sync::watch::channel(false);
    let (waits, mut waiting) = tokio::sync::mpsc::channel(1);
    for _ in 0..IDLE {
        relays.spawn(idle(told_to_go.clone(), waits.clone()));
    }
    for _ in 0..IDLE {
        waiting.recv().await.unwrap();
    }
    // A few empty ones wait for all of them together.
    let held = pipes() - before;
    assert!(held <= 16, "{held} ends of pipes for {IDLE} relays that wait");
    go.send(true).unwrap();
    while let Some(relay) = relays.join_next().await {
        relay.unwrap();
    }
    assert_eq!(pipes(), before);
    drop((go, told_to_go, waits, waiting));
    check.end().await;
}
