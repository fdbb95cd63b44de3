//! What a copier can be told.

use landline::{Copier, CopyPath, Progress};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{assert_same, hear, pattern, pipe, say, soon, tcp, tls, unix};

/// Prefixes in both directions, small and larger than any buffer, come first.
macro_rules! prefixed {
    ($a:expr, $b:expr, $size:expr) => {{
        let ((a, client), (b, server)) = ($a, $b);
        let (mut client_reader, mut client_writer) = tokio::io::split(client);
        let (mut server_reader, mut server_writer) = tokio::io::split(server);
        let (seen, seen_back) = (pattern($size), vec![7; $size]);
        let progress = Progress::new();
        let copier = Copier::new().prefix(seen.clone()).prefix_back(seen_back.clone()).progress(&progress);
        let (copied, (), (), by_server, by_client) = soon(async {
            tokio::join!(
                copier.copy_both(&a, &b),
                say(&mut client_writer, b"request", 100),
                say(&mut server_writer, b"answer", 100),
                hear(&mut server_reader),
                hear(&mut client_reader),
            )
        })
        .await;
        assert_same(&by_server, &[&seen[..], b"request"].concat());
        assert_same(&by_client, &[&seen_back[..], b"answer"].concat());
        let (there, back) = copied.unwrap();
        assert_eq!((there.bytes, there.buffered), ($size + 7, 7));
        assert_eq!((back.bytes, back.buffered), ($size + 6, 6));
        assert_eq!((progress.there(), progress.back()), (there.bytes, back.bytes));
    }};
}

#[tokio::test]
async fn a_prefix_comes_first() {
    prefixed!(tcp().await, tcp().await, 3);
    prefixed!(tcp().await, unix(), 10_000_000);
    prefixed!(pipe(), tcp().await, 10_000_000);
    prefixed!(tls().await, tcp().await, 10_000_000);
}

#[tokio::test]
async fn what_was_peeked_at_needs_no_prefix() {
    let ((a, mut client), (b, mut server)) = (tcp().await, tcp().await);
    client.write_all(b"hello").await.unwrap();
    client.shutdown().await.unwrap();
    a.peek(&mut [0; 3]).await.unwrap();
    soon(landline::copy(&a, &b)).await.unwrap();
    assert_eq!(hear(&mut server).await, b"hello");
}

#[tokio::test]
async fn a_limit_leaves_the_rest_and_passes_no_end_on() {
    for size in [5, 3_000_000_usize] {
        let ((a, mut client), (b, mut server)) = (tcp().await, unix());
        let said = pattern(size + 4);
        let conversation = async {
            let mut heard = vec![0; size];
            let (written, read) = tokio::join!(client.write_all(&said), server.read_exact(&mut heard));
            written.unwrap();
            read.unwrap();
            assert_same(&heard, &said[..size]);
        };
        let copier = Copier::new().limit(size as u64);
        let (copied, ()) = soon(async { tokio::join!(copier.copy(&a, &b), conversation) }).await;
        assert_eq!(copied.unwrap().bytes, size as u64);
        // The rest was not touched, and the conn can be written to.
        let mut rest = [0; 4];
        AsyncReadExt::read_exact(&mut &a, &mut rest).await.unwrap();
        assert_eq!(rest, said[size..]);
        b.write_all(b"on").await.unwrap();
        server.read_exact(&mut [0; 2]).await.unwrap();
    }
    let (a, b) = (pipe(), pipe());
    assert_eq!(Copier::new().limit(0).copy(&a.0, &b.0).await.unwrap().bytes, 0);
}

#[tokio::test]
async fn kept_open_the_destination_hears_no_end() {
    let ((a, mut client), (b, mut server)) = (tcp().await, tcp().await);
    client.write_all(b"body").await.unwrap();
    client.shutdown().await.unwrap();
    let copied = soon(Copier::new().keep_open(true).copy(&a, &b)).await.unwrap();
    assert_eq!((copied.bytes, copied.path), (4, CopyPath::Buffer));
    b.write_all(b", trailer").await.unwrap();
    b.close_write().unwrap();
    assert_eq!(hear(&mut server).await, b"body, trailer");
}

#[tokio::test]
async fn one_progress_counts_for_several_copies() {
    let progress = Progress::new();
    let copier = Copier::new().progress(&progress);
    for _ in 0..3 {
        let ((a, mut client), (b, mut server)) = (tcp().await, tcp().await);
        client.write_all(b"12345").await.unwrap();
        client.shutdown().await.unwrap();
        server.write_all(b"1").await.unwrap();
        server.shutdown().await.unwrap();
        soon(copier.copy_both(&a, &b)).await.unwrap();
    }
    assert_eq!((progress.there(), progress.back()), (15, 3));
    assert!(format!("{copier:?}").starts_with("Copier"));
}
