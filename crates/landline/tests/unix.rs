//! Unix domain sockets.

use std::os::fd::AsFd;
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
async fn a_read_of_nothing_from_a_stream_waits_for_nothing_and_takes_nothing() {
    let (left, right) = UnixConn::pair(UnixKind::Stream).unwrap();
    for text in [&b""[..], b"something"] {
        left.write_all(text).await.unwrap();
        assert_eq!(right.read(&mut []).await.unwrap(), 0);
        assert_eq!(AsyncReadExt::read(&mut &right, &mut []).await.unwrap(), 0);
    }
    assert_eq!(right.read(&mut [0; 16]).await.unwrap(), 9);
    right.close().unwrap();
    assert!(right.read(&mut []).await.unwrap_err().is_closed());
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
        let error = AsyncReadExt::read(&mut &right, &mut buffer).await.unwrap_err();
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

/// A descriptor whose file can be told from others: the writing end of a pipe with the reading end kept.
fn tracer() -> (std::io::PipeReader, std::io::PipeWriter) {
    std::io::pipe().unwrap()
}

/// Whether all copies of the writing end are closed.
fn all_closed(mut reader: std::io::PipeReader) -> bool {
    rustix::io::ioctl_fionbio(&reader, true).unwrap();
    matches!(std::io::Read::read(&mut reader, &mut [0]), Ok(0))
}

#[tokio::test]
async fn descriptors_are_passed_on_close_on_exec() {
    for kind in KINDS {
        let (left, right) = UnixConn::pair(kind).unwrap();
        let (reader, writer) = tracer();
        assert_eq!(left.send_msg(b"here", &[writer.as_fd(), writer.as_fd()], None).await.unwrap(), 4);
        drop(writer);
        let mut buffer = [0; 16];
        let message = right.recv_msg(&mut buffer, 8).await.unwrap();
        assert_eq!((message.len, message.truncated, message.descriptors_truncated), (4, false, false));
        assert_eq!(message.descriptors.len(), 2);
        for descriptor in &message.descriptors {
            let flags = rustix::io::fcntl_getfd(descriptor).unwrap();
            assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        }
        let mut writer = std::fs::File::from(message.descriptors.into_iter().next().unwrap());
        std::io::Write::write_all(&mut writer, b"through").unwrap();
        let mut text = [0; 7];
        std::io::Read::read_exact(&mut &reader, &mut text).unwrap();
        drop(writer);
        assert!(all_closed(reader), "{kind:?}");
    }
}

#[tokio::test]
async fn descriptors_beyond_those_asked_for_are_closed_and_reported() {
    for kind in KINDS {
        for most in [0, 1, 2, 3, 9, 10] {
            let (left, right) = UnixConn::pair(kind).unwrap();
            for credentials in [false, true] {
                right.set_recv_credentials(credentials).unwrap();
                let (reader, writer) = tracer();
                left.send_msg(b"ten", &[writer.as_fd(); 10], None).await.unwrap();
                drop(writer);
                let message = right.recv_msg(&mut [0; 16], most).await.unwrap();
                assert_eq!(message.descriptors.len(), most, "{kind:?}");
                assert_eq!(message.descriptors_truncated, most < 10);
                assert_eq!(message.credentials.is_some(), credentials);
                drop(message);
                assert!(all_closed(reader), "{kind:?} {most}");
            }
        }
    }
}

#[tokio::test]
async fn descriptors_that_a_plain_read_passes_over_are_closed() {
    for kind in KINDS {
        let (left, right) = UnixConn::pair(kind).unwrap();
        let (reader, writer) = tracer();
        left.send_msg(b"unwanted", &[writer.as_fd()], None).await.unwrap();
        drop(writer);
        assert_eq!(right.read(&mut [0; 16]).await.unwrap(), 8);
        assert!(all_closed(reader));
    }
}

#[tokio::test]
async fn bytes_behind_passed_descriptors_are_read_although_the_read_before_was_short() {
    // What has arrived before the first read comes with one event, and a read stops at descriptors.
    let (left, right) = UnixConn::pair(UnixKind::Stream).unwrap();
    let (_reader, writer) = tracer();
    for part in 0..3 {
        left.send_msg(&[part], &[writer.as_fd()], None).await.unwrap();
    }
    left.write(&[3]).await.unwrap();
    right.set_read_deadline(Instant::now() + Duration::from_secs(10));
    let mut buffer = [0; 16];
    let mut read = Vec::new();
    while read.len() < 4 {
        let count = match read.len() % 2 {
            0 => right.read(&mut buffer).await.unwrap(),
            _ => AsyncReadExt::read(&mut &right, &mut buffer).await.unwrap(),
        };
        read.extend_from_slice(&buffer[..count]);
    }
    assert_eq!(read, [0, 1, 2, 3]);
}

#[tokio::test]
async fn descriptors_need_a_byte_on_a_stream_and_are_limited_everywhere() {
    let (left, _right) = UnixConn::pair(UnixKind::Stream).unwrap();
    let (_reader, writer) = tracer();
    let error = left.send_msg(b"", &[writer.as_fd()], None).await.unwrap_err();
    assert_eq!(error.to_string(), "write unix: invalid argument");
    assert!(left.send_msg(b"x", &vec![writer.as_fd(); 254], None).await.is_err());
    assert_eq!(left.send_msg(b"x", &vec![writer.as_fd(); 253], None).await.unwrap(), 1);
}

#[tokio::test]
async fn messages_go_to_a_named_receiver_and_tell_when_they_were_cut() {
    let name = format!("landline-test-msg-{}", std::process::id());
    let receiver = UnixConn::from_std_datagram(bound(&name)).unwrap();
    let sender = UnixConn::from_std_datagram(UnixDatagram::unbound().unwrap()).unwrap();
    let to = receiver.local_addr().unwrap();
    sender.send_msg(b"a long message", &[], Some(&to)).await.unwrap();
    let message = receiver.recv_msg(&mut [0; 6], 0).await.unwrap();
    assert_eq!((message.len, message.truncated, message.from), (6, true, UnixAddr::Unnamed));
}

#[tokio::test]
async fn the_kernel_vouches_for_the_peer_and_for_senders() {
    let (left, right) = UnixConn::pair(UnixKind::Stream).unwrap();
    let me =
        (Some(std::process::id()), rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let peer = left.peer_credentials().unwrap();
    assert_eq!((peer.pid, peer.uid, peer.gid), me);
    assert!(!right.recv_credentials().unwrap());
    right.set_recv_credentials(true).unwrap();
    left.write_all(b"me").await.unwrap();
    assert_eq!(right.recv_msg(&mut [0; 16], 0).await.unwrap().credentials, Some(peer));
    match left.peer_pidfd() {
        Ok(pidfd) => assert!(rustix::io::fcntl_getfd(&pidfd).unwrap().contains(rustix::io::FdFlags::CLOEXEC)),
        Err(error) => eprintln!("not tried: this kernel has no SO_PEERPIDFD: {error}"),
    }
    let alone = UnixConn::from_std_datagram(UnixDatagram::unbound().unwrap()).unwrap();
    assert!(alone.peer_credentials().is_err());
}

/// A path for a socket of one test, free.
fn socket_path(test: &str) -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("landline-{test}-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

async fn bound_conn(path: &std::path::Path) -> UnixConn {
    let conn = landline::listen_packet("unixgram", path.to_str().unwrap()).await.unwrap();
    assert!(path.exists());
    conn.into_unix().unwrap()
}

#[tokio::test]
async fn the_file_goes_with_the_socket() {
    let path = socket_path("goes");
    let conn = bound_conn(&path).await;
    assert!(conn.unlink_on_close());
    conn.close().unwrap();
    assert!(!path.exists());

    let conn = bound_conn(&path).await;
    conn.close_read().unwrap();
    assert!(path.exists());
    drop(conn);
    assert!(!path.exists());
}

#[tokio::test]
async fn the_file_stays_where_that_was_asked_for_or_it_is_another_or_the_socket_lives_on() {
    let path = socket_path("stays");
    let conn = bound_conn(&path).await;
    conn.set_unlink_on_close(false);
    conn.close().unwrap();
    assert!(path.exists());
    std::fs::remove_file(&path).unwrap();

    let conn = bound_conn(&path).await;
    std::fs::remove_file(&path).unwrap();
    let successor = bound_conn(&path).await;
    conn.close().unwrap();
    drop(conn);
    assert!(path.exists(), "it is the successor's");

    let fd = successor.into_owned_fd().unwrap();
    assert!(path.exists());
    let again = UnixConn::from_owned_fd(fd).unwrap();
    assert!(!again.unlink_on_close());
    assert_eq!(again.local_addr().unwrap(), UnixAddr::Path(path.clone()));
    drop(again);
    assert!(path.exists());
    std::fs::remove_file(&path).unwrap();
}

#[tokio::test]
async fn an_unnamed_address_is_bound_to_a_name_of_the_kernels_choice() {
    let conn = landline::listen_packet("unixgram", "").await.unwrap().into_unix().unwrap();
    let UnixAddr::Abstract(name) = conn.local_addr().unwrap() else { panic!("{conn:?}") };
    assert_eq!(name.len(), 5, "unix(7): five hexadecimal digits");
}
