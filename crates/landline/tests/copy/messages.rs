//! Sockets that keep the boundaries of messages.

use std::time::Duration;

use landline::{Conn, Copier, CopyPath, Detour, ListenConfig, UdpConn, UnixConn, UnixKind, copy, copy_both};
use tokio::io::AsyncWriteExt;

use crate::support::{hear, pattern, soon, tcp};

fn records() -> (UnixConn, UnixConn) {
    UnixConn::pair(UnixKind::Seqpacket).unwrap()
}

/// A connected socket and the one it is connected to.
async fn datagrams() -> (UdpConn, UdpConn) {
    let server = ListenConfig::new().listen_packet("udp", "127.0.0.1:0").await.unwrap().into_udp().unwrap();
    let client = landline::Dialer::new().dial_udp(&server.local_addr().unwrap().to_string()).await.unwrap();
    (client, server)
}

#[tokio::test]
async fn records_stay_records_and_their_end_is_passed_on() {
    let ((a, client), (b, server)) = (records(), records());
    let long = pattern(100_000);
    let conversation = async {
        for message in [&b"one"[..], b"two", &long] {
            client.write(message).await.unwrap();
            let mut heard = vec![0; 200_000];
            let count = server.read(&mut heard).await.unwrap();
            assert!(heard[..count] == *message, "{count}");
        }
        server.write(b"answer").await.unwrap();
        assert_eq!(client.read(&mut [0; 10]).await.unwrap(), 6);
        client.close_write().unwrap();
        assert_eq!(server.read(&mut [0; 10]).await.unwrap(), 0);
        server.close_write().unwrap();
    };
    let (copied, ()) = soon(async { tokio::join!(copy_both(&a, &b), conversation) }).await;
    let (there, back) = copied.unwrap();
    assert_eq!((there.bytes, back.bytes), (100_006, 6));
    assert_eq!((there.path, there.detour), (CopyPath::Buffer, Some(Detour::Messages)));
}

#[tokio::test]
async fn datagrams_stay_datagrams_and_an_empty_one_is_no_end() {
    let ((near, far), (to, to_far)) = (datagrams().await, datagrams().await);
    let near_addr = near.local_addr().unwrap();
    let conversation = async {
        for message in [&b"first"[..], b"", b"third"] {
            far.send_to(message, near_addr).await.unwrap();
            let mut heard = [0; 16];
            let received = to_far.recv_from(&mut heard).await.unwrap();
            assert_eq!(&heard[..received.len], message);
        }
    };
    soon(async {
        tokio::select! {
            ended = copy(&near, &to) => panic!("{ended:?}"),
            () = conversation => {}
        }
    })
    .await;
    // Datagrams have no end, so something has to end the copy.
    let copier = Copier::new().idle_timeout(Duration::from_millis(50));
    assert!(soon(copier.copy(&near, &to)).await.unwrap_err().is_timeout());
}

#[tokio::test]
async fn between_streams_and_messages_they_are_joined_and_cut() {
    // An empty datagram is nothing in a stream.
    let ((near, far), (to, mut to_far)) = (datagrams().await, tcp().await);
    let near_addr = near.local_addr().unwrap();
    for message in [&b"one"[..], b"", b"two"] {
        far.send_to(message, near_addr).await.unwrap();
    }
    let copier = Copier::new().limit(6);
    let copied = soon(copier.copy(&near, &to)).await.unwrap();
    assert_eq!((copied.bytes, copied.detour), (6, Some(Detour::Messages)));
    to.close_write().unwrap();
    assert_eq!(hear(&mut to_far).await, b"onetwo");

    let ((from, mut from_far), (to, to_far)) = (tcp().await, records());
    let said = pattern(5000);
    let conversation = async {
        from_far.write_all(&said).await.unwrap();
        from_far.shutdown().await.unwrap();
        let mut heard = Vec::new();
        loop {
            let mut record = [0; 5000];
            match to_far.read(&mut record).await.unwrap() {
                0 => break,
                count => {
                    assert!(count <= 1200, "a record of {count}");
                    heard.extend_from_slice(&record[..count]);
                }
            }
        }
        assert_eq!(heard, said);
    };
    let (from, to) = (Conn::from(from), Conn::from(to));
    let (copied, ()) = soon(async { tokio::join!(copy(&from, &to), conversation) }).await;
    assert_eq!(copied.unwrap().bytes, 5000);
}
