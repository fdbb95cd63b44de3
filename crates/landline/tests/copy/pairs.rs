//! Every kind to every kind: all bytes arrive in their order, the end after them, by the path that is the shortest.

use landline::{Conn, CopyPath, CopySink, CopySource, Detour, copy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{BULK, Far, assert_same, hear, pattern, pipe, say, soon, tcp, tcp_conns, tls, unix};

/// How it may go for a pair of kinds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Kernel,
    Memory,
}

/// Small pieces and large ones, each through conns of their own.
macro_rules! between {
    ($from:expr, $to:expr, $way:expr) => {{
        let ((source, from_far), (destination, to_far)) = ($from, $to);
        bulk(source, Box::new(from_far), destination, Box::new(to_far), $way).await;
        let ((source, from_far), (destination, to_far)) = ($from, $to);
        messages(source, Box::new(from_far), destination, Box::new(to_far), $way).await;
    }};
}

async fn bulk(source: impl CopySource, from_far: Far, destination: impl CopySink, mut to_far: Far, way: Way) {
    let said = pattern(BULK);
    let (copied, (), heard) = soon(async {
        tokio::join!(copy(&source, &destination), say(from_far, &said, 1 << 20), hear(&mut to_far))
    })
    .await;
    let copied = copied.unwrap();
    assert_same(&heard, &said);
    assert_eq!((copied.bytes, copied.undelivered), (BULK as u64, 0));
    match way {
        Way::Kernel => {
            assert_eq!(copied.path, CopyPath::Splice, "{copied}");
            // What came before splice was seen to pay, and in lulls.
            assert!(copied.buffered < copied.bytes, "{copied}");
            assert_eq!(copied.detour, Some(Detour::Small));
        }
        Way::Memory => {
            assert_eq!(copied.path, CopyPath::Buffer);
            assert_eq!((copied.buffered, copied.detour), (copied.bytes, Some(Detour::NoDescriptor)));
        }
    }
}

async fn messages(
    source: impl CopySource,
    mut from_far: Far,
    destination: impl CopySink,
    mut to_far: Far,
    way: Way,
) {
    let converse = async {
        // One at a time, so that each is small when it comes.
        for number in 0..200_u8 {
            from_far.write_all(&[number; 64]).await.unwrap();
            from_far.flush().await.unwrap();
            let mut heard = [0; 64];
            to_far.read_exact(&mut heard).await.unwrap();
            assert_eq!(heard, [number; 64]);
        }
        from_far.shutdown().await.unwrap();
        assert_eq!(to_far.read(&mut [0; 8]).await.unwrap(), 0, "the end is passed on");
    };
    let (copied, ()) = soon(async { tokio::join!(copy(&source, &destination), converse) }).await;
    let copied = copied.unwrap();
    assert_eq!((copied.bytes, copied.path), (200 * 64, CopyPath::Buffer));
    let detour = if way == Way::Kernel { Detour::Small } else { Detour::NoDescriptor };
    assert_eq!(copied.detour, Some(detour));
}

#[tokio::test]
async fn tcp_to_every_kind() {
    between!(tcp().await, tcp().await, Way::Kernel);
    between!(tcp().await, unix(), Way::Kernel);
    between!(tcp().await, pipe(), Way::Memory);
    between!(tcp().await, tls().await, Way::Memory);
}

#[tokio::test]
async fn unix_to_every_kind() {
    between!(unix(), tcp().await, Way::Kernel);
    between!(unix(), unix(), Way::Kernel);
    between!(unix(), pipe(), Way::Memory);
    between!(unix(), tls().await, Way::Memory);
}

#[tokio::test]
async fn pipes_to_every_kind() {
    between!(pipe(), tcp().await, Way::Memory);
    between!(pipe(), unix(), Way::Memory);
    between!(pipe(), pipe(), Way::Memory);
    between!(pipe(), tls().await, Way::Memory);
}

#[tokio::test]
async fn tls_to_every_kind() {
    between!(tls().await, tcp().await, Way::Memory);
    between!(tls().await, unix(), Way::Memory);
    between!(tls().await, pipe(), Way::Memory);
    between!(tls().await, tls().await, Way::Memory);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn between_threads_too() {
    between!(tcp().await, tcp().await, Way::Kernel);
    between!(tls().await, tcp().await, Way::Memory);
    between!(tcp().await, tls().await, Way::Memory);
}

#[tokio::test]
async fn any_conn_and_its_halves_and_shared_handles_are_sides_too() {
    let ((source, from_far), (destination, to_far)) = (tcp().await, unix());
    let (source, destination) = (Conn::from(source), Conn::from(destination));
    bulk(source, Box::new(from_far), destination, Box::new(to_far), Way::Kernel).await;

    let ((source, from_far), (destination, to_far)) = (tcp().await, tcp().await);
    let (reader, _writer) = source.into_split();
    let (_reader, writer) = destination.into_split();
    bulk(reader, Box::new(from_far), writer, Box::new(to_far), Way::Kernel).await;

    let ((source, from_far), (destination, to_far)) = (unix(), tcp().await);
    bulk(source.split().0, Box::new(from_far), destination.split().1, Box::new(to_far), Way::Kernel).await;

    let ((source, from_far), (destination, to_far)) = (tcp().await, tcp().await);
    let (source, destination) = (std::sync::Arc::new(source), std::sync::Arc::new(destination));
    bulk(source, Box::new(from_far), destination, Box::new(to_far), Way::Kernel).await;
}

#[tokio::test]
async fn small_messages_between_bulk_go_the_cheaper_way_each() {
    let ((source, mut from_far), (destination, mut to_far)) = (tcp().await, tcp_conns().await);
    let said = pattern(4 << 20);
    let converse = async {
        for round in 0..3_u8 {
            for number in 0..20 {
                from_far.write_all(&[round, number]).await.unwrap();
                let mut heard = [0; 2];
                AsyncReadExt::read_exact(&mut to_far, &mut heard).await.unwrap();
                assert_eq!(heard, [round, number]);
            }
            let mut heard = vec![0; said.len()];
            let (written, read) = tokio::join!(from_far.write_all(&said), to_far.read_exact(&mut heard));
            written.unwrap();
            read.unwrap();
            assert_same(&heard, &said);
        }
        from_far.shutdown().await.unwrap();
    };
    let (copied, ()) = soon(async { tokio::join!(copy(&source, &destination), converse) }).await;
    let copied = copied.unwrap();
    assert_eq!(copied.bytes, 3 * (40 + (4 << 20)));
    assert_eq!((copied.path, copied.detour), (CopyPath::Splice, Some(Detour::Small)));
    assert!(copied.buffered >= 3 * 40 - 8, "{copied}");
}

#[tokio::test]
async fn many_at_once_on_one_thread() {
    let mut copies = tokio::task::JoinSet::new();
    for number in 0..24_u8 {
        copies.spawn(async move {
            let ((source, from_far), (destination, to_far)) = (tcp().await, unix());
            let said: Vec<u8> = pattern(2_000_000).iter().map(|byte| byte ^ number).collect();
            let (copied, (), heard) =
                tokio::join!(copy(&source, &destination), say(from_far, &said, 100_000), hear(to_far));
            assert_eq!(copied.unwrap().bytes, 2_000_000);
            assert_same(&heard, &said);
        });
    }
    soon(async { while copies.join_next().await.transpose().unwrap().is_some() {} }).await;
}
