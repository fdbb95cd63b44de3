//! Two directions: their ends, in either order, and what happens to one when the other fails.

use std::io::ErrorKind;
use std::time::Duration;

use landline::{Copier, Operation, copy_both};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

use crate::support::{BULK, assert_same, hear, pattern, pipe, say, soon, tcp, tcp_conns, tls, unix};

/// Request and answer, the one ended before the other begins.
macro_rules! request_and_answer {
    ($a:expr, $b:expr) => {{
        let ((a, client), (b, server)) = ($a, $b);
        let (mut client, mut server) = (client, server);
        let request = pattern(300_000);
        let answer = pattern(BULK);
        let conversation = async {
            let asking = async {
                client.write_all(&request).await.unwrap();
                client.shutdown().await.unwrap();
                let heard = hear(&mut client).await;
                assert_same(&heard, &answer);
            };
            let answering = async {
                let heard = hear(&mut server).await;
                assert_same(&heard, &request);
                say(&mut server, &answer, 65_536).await;
            };
            tokio::join!(asking, answering)
        };
        let (copied, _) = soon(async { tokio::join!(copy_both(&a, &b), conversation) }).await;
        let (there, back) = copied.unwrap();
        assert_eq!((there.bytes, back.bytes), (300_000, BULK as u64));
    }};
}

#[tokio::test]
async fn the_client_ends_first_and_the_answer_comes_all_the_same() {
    request_and_answer!(tcp().await, tcp().await);
    request_and_answer!(tcp().await, unix());
    request_and_answer!(unix(), tcp().await);
    request_and_answer!(pipe(), tcp().await);
    request_and_answer!(tls().await, tcp().await);
    request_and_answer!(tcp().await, tls().await);
}

#[tokio::test]
async fn the_server_ends_first_and_the_client_goes_on() {
    let ((a, mut client), (b, mut server)) = (tcp().await, tcp().await);
    let conversation = async {
        server.write_all(b"banner").await.unwrap();
        server.shutdown().await.unwrap();
        assert_eq!(hear(&mut client).await, b"banner");
        client.write_all(b"late").await.unwrap();
        client.shutdown().await.unwrap();
        assert_eq!(hear(&mut server).await, b"late");
    };
    let (copied, ()) = soon(async { tokio::join!(copy_both(&a, &b), conversation) }).await;
    let (there, back) = copied.unwrap();
    assert_eq!((there.bytes, back.bytes), (4, 6));
}

#[tokio::test]
async fn bulk_in_both_directions_at_once() {
    for tls_side in [false, true] {
        let (said, answered) = (pattern(BULK), pattern(BULK / 2));
        let (b, server) = tcp().await;
        let (mut server_reader, mut server_writer) = tokio::io::split(server);
        macro_rules! converse {
            ($a:expr, $client:expr) => {{
                let (mut client_reader, mut client_writer) = tokio::io::split($client);
                let (copied, (), (), heard_by_server, heard_by_client) = soon(async {
                    tokio::join!(
                        copy_both(&$a, &b),
                        say(&mut client_writer, &said, 70_000),
                        say(&mut server_writer, &answered, 9_000),
                        hear(&mut server_reader),
                        hear(&mut client_reader),
                    )
                })
                .await;
                assert_same(&heard_by_server, &said);
                assert_same(&heard_by_client, &answered);
                let (there, back) = copied.unwrap();
                assert_eq!((there.bytes, back.bytes), (BULK as u64, BULK as u64 / 2));
            }};
        }
        if tls_side {
            let (a, client) = tls().await;
            converse!(a, client);
        } else {
            let (a, client) = unix();
            converse!(a, client);
        }
    }
}

#[tokio::test]
async fn what_came_before_a_reset_is_delivered_and_then_both_end() {
    let ((a, mut client), (b, mut server)) = (tcp().await, tcp().await);
    let said = pattern(400_000);
    let conversation = async {
        // Heard before the reset, which may throw away what the kernel of the sender still has.
        let mut heard = vec![0; said.len()];
        let (written, read) = tokio::join!(client.write_all(&said), server.read_exact(&mut heard));
        written.unwrap();
        read.unwrap();
        assert_same(&heard, &said);
        client.set_zero_linger().unwrap();
        drop(client);
        server
    };
    let (ended, _server) = soon(async { tokio::join!(copy_both(&a, &b), conversation) }).await;
    let error = ended.unwrap_err();
    assert_eq!(error.operation(), Operation::Read);
    assert!(error.is_connection_reset(), "{error}");
    let [there, back] = error.copied() else { panic!("{:?}", error.copied()) };
    assert_eq!((there.bytes, there.undelivered), (400_000, 0));
    assert_eq!((back.bytes, back.undelivered), (0, 0));
}

#[tokio::test]
async fn what_was_taken_before_a_reset_reaches_a_slow_destination() {
    let ((a, mut client), (b, server)) = (tcp().await, tcp().await);
    let said = pattern(64 << 20);
    let (reset, is_reset) = oneshot::channel();
    let conversation = async {
        // Until nothing moves any more: all buffers are full, those of the copy too.
        let mut written = 0;
        while let Ok(count) =
            tokio::time::timeout(Duration::from_millis(300), client.write(&said[written..])).await
        {
            written += count.unwrap();
        }
        client.set_zero_linger().unwrap();
        drop(client);
        reset.send(()).unwrap();
    };
    let reading = async {
        is_reset.await.unwrap();
        hear(server).await
    };
    let copying = async {
        let ended = Copier::new().copy_both(&a, &b).await;
        // The end comes behind what was delivered.
        drop(b);
        ended
    };
    let (ended, (), heard) = soon(async { tokio::join!(copying, conversation, reading) }).await;
    let error = ended.unwrap_err();
    let there = error.copied()[0];
    assert!(there.bytes > 0);
    assert_eq!(there.undelivered, 0, "{there}");
    assert_eq!(heard.len() as u64, there.bytes);
    assert_same(&heard, &said[..heard.len()]);
}

#[tokio::test]
async fn an_answer_is_delivered_though_the_server_would_not_hear_the_rest() {
    // So much is with the other end as soon as it is written; a reset would take the rest away.
    let answer = pattern(20_000);
    for with_unix in [false, true] {
        let (a, client) = tcp_conns().await;
        let request = pattern(64 << 20);
        macro_rules! converse {
            ($b:expr, $server:expr) => {{
                let (b, mut server) = ($b, $server);
                let serving = async {
                    let mut begun = [0; 1000];
                    server.read_exact(&mut begun).await.unwrap();
                    server.write_all(&answer).await.unwrap();
                    // With most of the request unread.
                    drop(server);
                };
                let asking = async {
                    // Ends with an error when the other end is gone.
                    let _ = client.write_all(&request).await;
                };
                let hearing = async {
                    let mut heard = vec![0; answer.len()];
                    tokio::io::AsyncReadExt::read_exact(&mut &client, &mut heard).await.unwrap();
                    heard
                };
                let copying = async {
                    let ended = copy_both(&a, &b).await;
                    a.close().unwrap();
                    ended
                };
                let (ended, (), (), heard) =
                    soon(async { tokio::join!(copying, serving, asking, hearing) }).await;
                assert_same(&heard, &answer);
                let error = ended.unwrap_err();
                assert_eq!(error.operation(), Operation::Write, "{error}");
                let [there, back] = error.copied() else { panic!("{:?}", error.copied()) };
                assert!(there.bytes < request.len() as u64);
                assert_eq!((back.bytes, back.undelivered), (20_000, 0));
            }};
        }
        if with_unix {
            let (b, server) = unix();
            converse!(b, server);
        } else {
            let (b, server) = tcp().await;
            converse!(b, server);
        }
        client.close().unwrap();
    }
}

#[tokio::test]
async fn who_refuses_to_hear_more_is_passed_on_and_may_go_on_talking() {
    let ((a, mut client), (b, server)) = (unix(), unix());
    let conversation = async {
        let mut server = server.into_std().unwrap();
        server.shutdown(std::net::Shutdown::Read).unwrap();
        client.write_all(b"unheard").await.unwrap();
        // The client learns of it by its next writes.
        let refused = loop {
            match client.write_all(b"more").await {
                Ok(()) => tokio::task::yield_now().await,
                Err(error) => break error,
            }
        };
        assert_eq!(refused.kind(), ErrorKind::BrokenPipe);
        std::io::Write::write_all(&mut server, b"still here").unwrap();
        let mut heard = [0; 10];
        client.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"still here");
    };
    let (ended, ()) = soon(async { tokio::join!(copy_both(&a, &b), conversation) }).await;
    let error = ended.unwrap_err();
    assert_eq!((error.operation(), error.errno()), (Operation::Write, Some(rustix::io::Errno::PIPE)));
    let [there, back] = error.copied() else { panic!("{:?}", error.copied()) };
    assert!(there.undelivered >= 7, "{there}");
    assert_eq!(back.bytes, 10);
}
