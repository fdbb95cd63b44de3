//! What ends a copy other than the end of what is copied: deadlines, contexts, closes, idleness, and being dropped.

use std::time::Duration;

use landline::{Context, Copier, Operation, Progress, copy, copy_both};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, advance};

use crate::support::{assert_same, pattern, pipe, soon, tcp, tls, unix};

#[tokio::test]
async fn a_read_deadline_ends_it_and_the_conns_stay_open() {
    let ((a, mut client), (b, mut server)) = (tcp().await, unix());
    client.write_all(b"in time").await.unwrap();
    a.set_read_deadline(Instant::now() + Duration::from_millis(200));
    let error = soon(copy(&a, &b)).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_eq!(error.operation(), Operation::Read);
    assert_eq!(error.copied()[0].bytes, 7);
    // Nothing ended but the copy.
    a.set_read_deadline(None);
    client.write_all(b", and later").await.unwrap();
    client.shutdown().await.unwrap();
    soon(copy(&a, &b)).await.unwrap();
    let mut heard = String::new();
    server.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "in time, and later");
}

#[tokio::test]
async fn a_write_deadline_ends_it_when_nobody_takes_what_is_sent() {
    for small in [false, true] {
        let ((a, mut client), (b, server)) = (unix(), tcp().await);
        let said = pattern(64 << 20);
        let talking = async {
            // Fails once the other end is gone.
            for piece in said.chunks(if small { 100 } else { 1 << 20 }) {
                if client.write_all(piece).await.is_err() {
                    break;
                }
            }
        };
        let copying = async {
            b.set_write_deadline(Instant::now() + Duration::from_millis(500));
            let ended = copy(&a, &b).await;
            a.close().unwrap();
            ended
        };
        let (ended, ()) = soon(async { tokio::join!(copying, talking) }).await;
        let error = ended.unwrap_err();
        assert!(error.is_timeout(), "{error}");
        assert_eq!(error.operation(), Operation::Write);
        let copied = error.copied()[0];
        assert!(copied.undelivered > 0, "{copied}");
        drop(server);
    }
}

#[tokio::test]
async fn a_deadline_can_be_moved_while_it_copies() {
    let ((a, _client), (b, _server)) = (tcp().await, tcp().await);
    a.set_deadline(Instant::now() + Duration::from_secs(3600));
    let hurry = async {
        tokio::task::yield_now().await;
        a.set_deadline(Instant::now());
    };
    let (ended, ()) = soon(async { tokio::join!(copy_both(&a, &b), hurry) }).await;
    assert!(ended.unwrap_err().is_timeout());
}

#[tokio::test]
async fn a_context_ends_it_with_its_cause() {
    let ((a, _client), (b, _server)) = (tcp().await, tcp().await);
    let budget = Context::background().child();
    b.bind_context(&budget);
    let cancel = async {
        tokio::task::yield_now().await;
        budget.cancel_with("shutting down");
    };
    let (ended, ()) = soon(async { tokio::join!(copy_both(&a, &b), cancel) }).await;
    let error = ended.unwrap_err();
    assert!(error.is_canceled(), "{error}");
    assert!(error.to_string().ends_with("operation was canceled: shutting down"), "{error}");
}

#[tokio::test]
async fn closing_either_conn_ends_it() {
    for close_first in [false, true] {
        let ((a, mut client), (b, mut server)) = (tcp().await, unix());
        let closing = async {
            client.write_all(b"x").await.unwrap();
            server.read_exact(&mut [0]).await.unwrap();
            if close_first { a.close().unwrap() } else { b.close().unwrap() }
        };
        let (ended, ()) = soon(async { tokio::join!(copy_both(&a, &b), closing) }).await;
        assert!(ended.unwrap_err().is_closed());
    }
}

#[tokio::test(start_paused = true)]
async fn idleness_ends_it_and_movement_in_either_direction_puts_that_off() {
    let ((a, client), (b, server)) = (pipe(), pipe());
    let copier = Copier::new().idle_timeout(Duration::from_secs(10));
    let start = Instant::now();
    let conversation = async {
        for round in 0..4 {
            tokio::time::sleep(Duration::from_secs(8)).await;
            let (from, to) = if round % 2 == 0 { (&client, &server) } else { (&server, &client) };
            from.write_all(b"x").await.unwrap();
            to.read(&mut [0; 2]).await.unwrap();
        }
    };
    let (ended, ()) = tokio::join!(copier.copy_both(&a, &b), conversation);
    let error = ended.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_eq!(error.operation(), Operation::Copy);
    assert_eq!(error.to_string(), "copy: i/o timeout");
    assert_eq!(start.elapsed(), Duration::from_secs(42));
    assert_eq!(error.copied().iter().map(|copied| copied.bytes).sum::<u64>(), 4);
    // Also where one side takes nothing, though the other still talks.
    let copier = Copier::new().idle_timeout(Duration::from_secs(10));
    let talking = async {
        let said = vec![0; 1 << 20];
        let _ = tokio::time::timeout(Duration::from_secs(30), client.write_all(&said)).await;
    };
    let (ended, ()) = tokio::join!(copier.copy(&a, &b), talking);
    assert!(ended.unwrap_err().is_timeout());
    advance(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn the_deadline_of_a_conn_below_tls_holds() {
    let ((a, _client), (b, _server)) = (tls().await, tcp().await);
    // Bound to a budget that is over before a byte comes.
    let mut a = a;
    a.stream().get_ref().0.set_read_deadline(Instant::now() + Duration::from_millis(100));
    let error = soon(copy_both(&a, &b)).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
}

#[tokio::test]
async fn dropped_between_two_messages_it_has_lost_nothing() {
    let ((a, mut client), (b, mut server)) = (tcp().await, tcp().await);
    let progress = Progress::new();
    let mut heard = Vec::new();
    let mut said = Vec::new();
    for round in 0..50_u8 {
        let copier = Copier::new().progress(&progress);
        let copying = copier.copy_both(&a, &b);
        let conversation = async {
            let message = vec![round; 1 + usize::from(round) * 4000];
            let mut echo = vec![0; message.len()];
            let (written, read) = tokio::join!(client.write_all(&message), server.read_exact(&mut echo));
            written.unwrap();
            read.unwrap();
            said.extend_from_slice(&message);
            heard.extend_from_slice(&echo);
        };
        soon(async {
            tokio::select! {
                ended = copying => panic!("{ended:?}"),
                () = conversation => {}
            }
        })
        .await;
    }
    assert_same(&heard, &said);
    assert_eq!(progress.there(), said.len() as u64);
}
