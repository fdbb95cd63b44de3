//! Unix domain sockets.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use landline::{Conn, UnixAddr, UnixConn, UnixKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

const KINDS: [UnixKind; 3] = [UnixKind::Stream, UnixKind::Datagram, UnixKind::Seqpacket];

#[tokio::test]
async fn bytes_cross_a_pair_of_any_kind_both_ways() {
    for kind in KINDS {
        let (left, right) = UnixConn::pair(kind).unwrap();
        assert_eq!(left.kind(), kind);
        left.write_all(b"ping").await.unwrap();
        let mut buffer = [0; 16];
        assert_eq!(right.read(&mut buffer).await.unwrap(), 4);
        right.write_vectored(&[b"po".as_slice().into_slice(), b"ng".as_slice().into_slice()]).await.unwrap();
        assert_eq!(left.read(&mut buffer).await.unwrap(), 4);
        assert_eq!(&buffer[..4], b"pong");
    }
}

trait IntoSlice<'a> {
    fn into_slice(self) -> std::io::IoSlice<'a>;
}

impl<'a> IntoSlice<'a> for &'a [u8] {
    fn into_slice(self) -> std::io::IoSlice<'a> {
        std::io::IoSlice::new(self)
    }
}

#[tokio::test]
async fn messages_keep_their_boundaries_and_streams_do_not() {
    for kind in KINDS {
        let (left, right) = UnixConn::pair(kind).unwrap();
        for message in [&b"one"[..], b"two"] {
            left.write(message).await.unwrap();
        }
        let mut buffer = [0; 16];
        let first = right.read(&mut buffer).await.unwrap();
        assert_eq!(first, if kind == UnixKind::Stream { 6 } else { 3 }, "{kind:?}");
    }
}

#[tokio::test]
async fn empty_messages_are_messages() {
    for kind in [UnixKind::Datagram, UnixKind::Seqpacket] {
        let (left, right) = UnixConn::pair(kind).unwrap();
        left.write(b"").await.unwrap();
        left.write_all(b"").await.unwrap();
        left.write(b"full").await.unwrap();
        let mut buffer = [0; 16];
        let lengths =
            [right.read(&mut buffer).await, right.read(&mut buffer).await, right.read(&mut buffer).await];
        assert_eq!(lengths.map(Result::unwrap), [0, 0, 4], "{kind:?}");
    }
}

#[tokio::test]
async fn a_message_that_does_not_fit_is_reported_and_the_next_is_whole() {
    for kind in [UnixKind::Datagram, UnixKind::Seqpacket] {
        let (left, right) = UnixConn::pair(kind).unwrap();
        for message in [&b"longer than the buffer"[..], b"longer too", b"longer still", b"next"] {
            left.write(message).await.unwrap();
        }
        let mut buffer = [0; 6];
        let peeked = right.peek_from(&mut buffer).await.unwrap();
        assert!(peeked.truncated && peeked.len == 6);
        let received = right.recv_from(&mut buffer).await.unwrap();
        assert!(received.truncated && &buffer[..received.len] == b"longer");

        let error = right.read(&mut buffer).await.unwrap_err();
        assert_eq!(error.errno().unwrap().raw_os_error(), libc::EMSGSIZE);
        let error = (&right).read(&mut buffer).await.unwrap_err();
        assert_eq!(error.to_string(), format!("read {}: message too long", network(kind)));

        let received = right.recv_from(&mut buffer).await.unwrap();
        assert!(!received.truncated && &buffer[..received.len] == b"next");
    }
}

fn network(kind: UnixKind) -> &'static str {
    match kind {
        UnixKind::Stream => "unix",
        UnixKind::Datagram => "unixgram",
        UnixKind::Seqpacket => "unixpacket",
    }
}

#[tokio::test]
async fn a_half_close_ends_what_the_other_side_reads() {
    for kind in [UnixKind::Stream, UnixKind::Seqpacket] {
        let (left, right) = UnixConn::pair(kind).unwrap();
        left.write_all(b"last").await.unwrap();
        left.close_write().unwrap();
        let mut buffer = [0; 16];
        assert_eq!(right.read(&mut buffer).await.unwrap(), 4);
        assert_eq!(right.read(&mut buffer).await.unwrap(), 0);
        right.write_all(b"answer").await.unwrap();
        assert_eq!(left.read(&mut buffer).await.unwrap(), 6);
    }
}

#[tokio::test]
async fn a_close_wakes_a_waiting_read_of_any_kind() {
    for kind in KINDS {
        let (left, _right) = UnixConn::pair(kind).unwrap();
        let (read, closed) = tokio::join!(async { left.read(&mut [0; 16]).await }, async {
            tokio::task::yield_now().await;
            left.close()
        });
        closed.unwrap();
        assert!(read.unwrap_err().is_closed());
        assert!(left.write(b"x").await.unwrap_err().is_closed());
        assert!(left.close().unwrap_err().is_closed());
    }
}

#[tokio::test]
async fn a_deadline_ends_a_send_to_a_full_queue_and_room_lets_it_through() {
    let name = format!("landline-test-full-{}", std::process::id());
    let addr: UnixAddr = format!("@{name}").parse().unwrap();
    let receiver = UnixConn::from_std_datagram(bound(&name)).unwrap();
    let sender = UnixConn::from_std_datagram(UnixDatagram::unbound().unwrap()).unwrap();
    sender.set_write_deadline(Instant::now() + Duration::from_millis(100));
    let error = loop {
        if let Err(error) = sender.send_to(b"message", &addr).await {
            break error;
        }
    };
    assert!(error.is_timeout(), "{error}");
    assert!(error.to_string().starts_with(&format!("write unixgram @{name}: ")), "{error}");

    sender.set_write_deadline(None);
    let mut buffer = [0; 16];
    let (sent, received) =
        tokio::join!(sender.send_to(b"at last", &addr), async { receiver.read(&mut buffer).await });
    assert_eq!((sent.unwrap(), received.unwrap()), (7, 7));
}

fn bound(abstract_name: &str) -> UnixDatagram {
    use std::os::linux::net::SocketAddrExt;
    let addr = std::os::unix::net::SocketAddr::from_abstract_name(abstract_name).unwrap();
    UnixDatagram::bind_addr(&addr).unwrap()
}

#[tokio::test]
async fn datagrams_tell_who_sent_them() {
    let name = format!("landline-test-from-{}", std::process::id());
    let left = UnixConn::from_std_datagram(bound(&name)).unwrap();
    let right = UnixConn::from_std_datagram(bound(&format!("{name}-right"))).unwrap();
    assert!(left.peer_addr().is_err());
    left.send_to(b"hello", &right.local_addr().unwrap()).await.unwrap();
    let mut buffer = [0; 16];
    let received = right.recv_from(&mut buffer).await.unwrap();
    assert_eq!(received.from, UnixAddr::Abstract(name.into_bytes()));
}

#[tokio::test]
async fn conns_convert_to_std_and_tokio_and_back() {
    let (left, right) = UnixConn::pair(UnixKind::Stream).unwrap();
    let left =
        UnixConn::from_tokio(UnixConn::from_std(left.into_std().unwrap()).unwrap().into_tokio().unwrap());
    left.unwrap().write_all(b"still here").await.unwrap();
    let mut buffer = [0; 16];
    assert_eq!(right.read(&mut buffer).await.unwrap(), 10);

    let (left, right) = UnixConn::pair(UnixKind::Datagram).unwrap();
    let left = UnixConn::from_tokio_datagram(left.into_tokio_datagram().unwrap()).unwrap();
    left.write(b"here too").await.unwrap();
    assert_eq!(right.read(&mut buffer).await.unwrap(), 8);
    assert!(right.into_std().is_err());
}

#[tokio::test]
async fn any_conn_reads_and_writes_through_tokio() {
    let (left, right) = UnixConn::pair(UnixKind::Stream).unwrap();
    let (mut left, right) = (Conn::from(left), Conn::from(right));
    left.write_all(b"through the door").await.unwrap();
    left.shutdown().await.unwrap();
    let (mut read, _write) = right.into_split();
    let mut all = String::new();
    read.read_to_string(&mut all).await.unwrap();
    assert_eq!(all, "through the door");
    assert!(left.as_tcp().is_none() && left.as_unix().is_some());
    assert!(left.into_tcp().is_err());
}
