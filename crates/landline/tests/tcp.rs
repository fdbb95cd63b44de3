//! What a TCP conn does beside reading and writing, seen by its peer and by the kernel.

use std::future::{Future, poll_fn};
use std::io::IoSlice;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use landline::{Dialer, KeepAlive, ListenConfig, ReuniteError, TcpConn, TcpListener, TcpState};
use rustix::net::sockopt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

async fn listener() -> TcpListener {
    ListenConfig::new().listen_tcp("127.0.0.1:0").await.unwrap()
}

/// Both ends of a conn, which give up after a while rather than hang.
async fn pair() -> (TcpConn, TcpConn) {
    let listener = listener().await;
    let dialed = Dialer::new().dial_tcp(&listener.local_addr().unwrap().to_string()).await.unwrap();
    let accepted = listener.accept().await.unwrap();
    for conn in [&dialed, &accepted] {
        conn.set_deadline(Instant::now() + Duration::from_secs(20));
    }
    (dialed, accepted)
}

/// One of std's own, which is no work of landline's.
async fn std_pair() -> (std::net::TcpStream, std::net::TcpStream) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dialed = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (dialed.into_std().unwrap(), listener.accept().unwrap().0)
}

/// That bytes pass in both directions.
async fn converse(a: &TcpConn, b: &TcpConn) {
    for (from, to, said) in [(a, b, b"there"), (b, a, b"again")] {
        from.write_all(said).await.unwrap();
        let mut heard = [0; 5];
        let mut reader: &TcpConn = to;
        reader.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, said);
    }
}

async fn assert_waits<T>(mut future: Pin<&mut impl Future<Output = T>>) {
    let waits = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await;
    assert!(waits, "there was nothing to wait for");
}

#[tokio::test]
async fn a_close_without_lingering_resets_the_peer() {
    let (ours, theirs) = pair().await;
    assert_eq!(ours.linger().unwrap(), None);
    ours.set_linger(Some(Duration::from_secs(3))).unwrap();
    assert_eq!(ours.linger().unwrap(), Some(Duration::from_secs(3)));
    ours.set_linger(Some(Duration::ZERO)).unwrap();
    assert_eq!(ours.linger().unwrap(), Some(Duration::ZERO));
    ours.close().unwrap();
    let error = theirs.read(&mut [0; 16]).await.unwrap_err();
    assert!(error.is_connection_reset(), "{error}");

    let (ours, theirs) = pair().await;
    ours.set_linger(Some(Duration::ZERO)).unwrap();
    ours.set_linger(None).unwrap();
    ours.close().unwrap();
    assert_eq!(theirs.read(&mut [0; 16]).await.unwrap(), 0, "an orderly end");
}

#[tokio::test]
async fn a_corked_conn_holds_a_part_of_a_segment_back() {
    let (ours, theirs) = pair().await;
    assert!(!ours.cork().unwrap());
    ours.set_cork(true).unwrap();
    assert!(ours.cork().unwrap());
    // Looked at before 200 ms are over, when it would be sent all the same, unless the machine stands still.
    let began = Instant::now();
    for byte in *b"held" {
        ours.write_all(&[byte]).await.unwrap();
    }
    let held = ours.tcp_info().unwrap().unsent_bytes;
    assert!(held == 4 || began.elapsed() > Duration::from_millis(150), "{held} bytes held back");
    ours.set_cork(false).unwrap();
    assert_eq!(ours.tcp_info().unwrap().unsent_bytes, 0);
    let mut heard = [0; 8];
    assert_eq!(theirs.read(&mut heard).await.unwrap(), 4);
    assert_eq!(&heard[..4], b"held");
}

#[tokio::test]
async fn more_to_follow_is_sent_together_with_what_follows() {
    let (ours, theirs) = pair().await;
    let began = Instant::now();
    ours.write_all_more(b"header, ").await.unwrap();
    ours.write_all_more(b"").await.unwrap();
    let held = ours.tcp_info().unwrap().unsent_bytes;
    assert!(held == 8 || began.elapsed() > Duration::from_millis(150), "{held} bytes held back");
    ours.write_all(b"body").await.unwrap();
    assert_eq!(ours.tcp_info().unwrap().unsent_bytes, 0);
    let mut heard = [0; 12];
    (&theirs).read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"header, body");
    // More than any buffer holds is written whole.
    let long = vec![7; 4 << 20];
    let mut heard = vec![0; long.len()];
    let mut reader = &theirs;
    let (written, read) = tokio::join!(ours.write_all_more(&long), async {
        let all_but_held_back = reader.read_exact(&mut heard[..(4 << 20) - (1 << 17)]).await;
        ours.set_cork(false).unwrap();
        all_but_held_back
    });
    written.unwrap();
    read.unwrap();
}

#[tokio::test]
async fn a_conn_dropped_with_unread_bytes_resets_its_peer() {
    let (ours, theirs) = pair().await;
    theirs.write_all(b"half of it").await.unwrap();
    assert_eq!(ours.read(&mut [0; 4]).await.unwrap(), 4);
    drop(ours);
    let error = theirs.read(&mut [0; 16]).await.unwrap_err();
    assert!(error.is_connection_reset(), "{error}");
}

#[tokio::test]
async fn options_are_those_of_the_socket() {
    let (conn, _peer) = pair().await;
    for nodelay in [false, true] {
        conn.set_nodelay(nodelay).unwrap();
        assert_eq!(conn.nodelay().unwrap(), nodelay);
        assert_eq!(sockopt::tcp_nodelay(&conn).unwrap(), nodelay);
    }
    // The kernel doubles what is asked for (socket(7)).
    conn.set_recv_buffer_size(20_000).unwrap();
    conn.set_send_buffer_size(30_000).unwrap();
    assert_eq!((conn.recv_buffer_size().unwrap(), conn.send_buffer_size().unwrap()), (40_000, 60_000));
}

#[tokio::test]
async fn keep_alive_of_a_conn_is_changed_as_told() {
    let (conn, _peer) = pair().await;
    let times = || {
        let idle = sockopt::tcp_keepidle(&conn).unwrap().as_secs();
        let interval = sockopt::tcp_keepintvl(&conn).unwrap().as_secs();
        (sockopt::socket_keepalive(&conn).unwrap(), idle, interval, sockopt::tcp_keepcnt(&conn).unwrap())
    };
    assert_eq!(times(), (true, 15, 15, 9));
    conn.set_keep_alive(KeepAlive::Off).unwrap();
    assert!(!times().0);
    let idle = Some(Duration::from_millis(40_500));
    conn.set_keep_alive(KeepAlive::Custom { idle, interval: None, count: Some(3) }).unwrap();
    assert_eq!(times(), (true, 41, 15, 3), "what is not given stays");
    conn.set_keep_alive(KeepAlive::Default).unwrap();
    assert_eq!(times(), (true, 15, 15, 9));

    let impossible = KeepAlive::Custom { idle: None, interval: None, count: Some(1000) };
    let error = conn.set_keep_alive(impossible).unwrap_err().to_string();
    assert!(error.starts_with("set tcp 127.0.0.1:"), "{error}");
    assert!(error.ends_with("TCP_KEEPCNT: invalid argument"), "{error}");
}

#[tokio::test]
async fn peek_leaves_the_bytes_where_they_are() {
    let (ours, theirs) = pair().await;
    let mut buffer = [0; 16];
    {
        let mut peek = std::pin::pin!(ours.peek(&mut buffer));
        assert_waits(peek.as_mut()).await;
        theirs.write_all(b"hello").await.unwrap();
        assert_eq!(peek.await.unwrap(), 5);
    }
    assert_eq!(&buffer[..5], b"hello");
    assert_eq!(ours.peek(&mut buffer[..2]).await.unwrap(), 2);
    assert_eq!(ours.read(&mut buffer).await.unwrap(), 5);
    assert_eq!(&buffer[..5], b"hello");
    theirs.close_write().unwrap();
    assert_eq!(ours.peek(&mut buffer).await.unwrap(), 0, "the end of the stream");
}

#[tokio::test]
async fn tcp_info_tells_the_state_and_what_was_moved() {
    const BYTES: usize = 100_000;
    let (ours, theirs) = pair().await;
    let fresh = ours.tcp_info().unwrap();
    assert_eq!((fresh.state, fresh.bytes_sent, fresh.bytes_received), (TcpState::Established, 0, 0));
    assert!(fresh.send_mss > 0 && fresh.path_mtu > 0 && fresh.congestion_window > 0);

    let sent = vec![7; BYTES];
    let mut received = vec![0; BYTES];
    let mut reader = &theirs;
    let (wrote, read) = tokio::join!(ours.write_all(&sent), reader.read_exact(&mut received));
    wrote.unwrap();
    read.unwrap();
    // The answer acknowledges all of it.
    theirs.write_all(b"thanks").await.unwrap();
    assert_eq!(ours.read(&mut [0; 16]).await.unwrap(), 6);
    let info = ours.tcp_info().unwrap();
    assert_eq!(info.bytes_sent - info.bytes_retransmitted, BYTES as u64);
    assert!(info.bytes_acked >= BYTES as u64, "{info:?}");
    assert_eq!((info.bytes_received, info.unacked, info.unsent_bytes), (6, 0, 0));
    assert!(info.rtt > Duration::ZERO && info.min_rtt <= info.rtt + info.rtt_variance, "{info:?}");
    assert_eq!(theirs.tcp_info().unwrap().bytes_received, BYTES as u64);

    theirs.close_write().unwrap();
    assert_eq!(ours.read(&mut [0; 16]).await.unwrap(), 0);
    assert_eq!(ours.tcp_info().unwrap().state, TcpState::CloseWait);
}

#[tokio::test]
async fn conns_go_to_std_and_tokio_and_back() {
    let (dialed, accepted) = std_pair().await;
    let addrs = (dialed.local_addr().unwrap(), dialed.peer_addr().unwrap());
    let peer = TcpConn::from_std(accepted).unwrap();
    let conn = TcpConn::from_std(dialed).unwrap();
    assert_eq!((conn.local_addr().unwrap(), conn.peer_addr().unwrap()), addrs);
    converse(&conn, &peer).await;

    let mut tokios = conn.into_tokio().unwrap();
    tokios.write_all(b"tokio").await.unwrap();
    let mut buffer = [0; 16];
    assert_eq!(peer.read(&mut buffer).await.unwrap(), 5);
    let conn = TcpConn::from_tokio(tokios).unwrap();
    converse(&conn, &peer).await;

    let stds = conn.into_std().unwrap();
    std::io::Write::write_all(&mut &stds, b"std").unwrap();
    assert_eq!(peer.read(&mut buffer).await.unwrap(), 3);
    let error = std::io::Read::read(&mut &stds, &mut buffer).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "still non-blocking");

    let fd: OwnedFd = TcpConn::from_std(stds).unwrap().into_owned_fd().unwrap();
    let conn = TcpConn::from_owned_fd(fd).unwrap();
    assert_eq!((conn.local_addr().unwrap(), conn.peer_addr().unwrap()), addrs);
    converse(&conn, &peer).await;

    conn.close().unwrap();
    assert!(conn.into_owned_fd().unwrap_err().is_closed());
}

#[tokio::test]
async fn listeners_go_to_std_and_tokio_and_back() {
    async fn assert_listens(listener: &TcpListener, addr: SocketAddr) {
        assert_eq!(listener.local_addr().unwrap(), addr);
        let dialed = Dialer::new().dial_tcp(&addr.to_string()).await.unwrap();
        let accepted = listener.accept().await.unwrap();
        assert_eq!(accepted.peer_addr().unwrap(), dialed.local_addr().unwrap());
        converse(&dialed, &accepted).await;
    }
    let stds = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = stds.local_addr().unwrap();
    let listener = TcpListener::from_std(stds).unwrap();
    assert_listens(&listener, addr).await;

    let tokios = listener.into_tokio().unwrap();
    let (dialed, accepted) = tokio::join!(tokio::net::TcpStream::connect(addr), tokios.accept());
    assert_eq!(accepted.unwrap().1, dialed.unwrap().local_addr().unwrap());
    let listener = TcpListener::from_tokio(tokios).unwrap();
    assert_listens(&listener, addr).await;

    let stds = listener.into_std().unwrap();
    assert_eq!(stds.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "still non-blocking");
    let fd: OwnedFd = TcpListener::from_std(stds).unwrap().into_owned_fd().unwrap();
    let listener = TcpListener::from_owned_fd(fd).unwrap();
    assert_listens(&listener, addr).await;

    listener.close().unwrap();
    assert!(listener.into_std().unwrap_err().is_closed());
}

#[tokio::test]
async fn sockets_of_another_kind_are_refused() {
    let udp = || OwnedFd::from(UdpSocket::bind("127.0.0.1:0").unwrap());
    let unix = || OwnedFd::from(std::os::unix::net::UnixStream::pair().unwrap().0);
    let listening = || OwnedFd::from(std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let connected = OwnedFd::from(std_pair().await.0);
    for (fd, why) in [
        (udp(), "protocol wrong type for socket"),
        (unix(), "address family not supported"),
        (listening(), "not connected"),
    ] {
        let error = TcpConn::from_owned_fd(fd).unwrap_err().to_string();
        assert!(error.starts_with("dial tcp: ") && error.contains(why), "{error}");
    }
    for (fd, what) in [(udp(), "a UDP socket"), (unix(), "a Unix one"), (connected, "a connected one")] {
        let error = TcpListener::from_owned_fd(fd).expect_err(what).to_string();
        assert!(error.starts_with("listen tcp: "), "{what}: {error}");
    }
}

#[tokio::test]
async fn any_number_of_buffers_is_written_through_small_socket_buffers() {
    let (ours, theirs) = pair().await;
    ours.set_send_buffer_size(8 * 1024).unwrap();
    // Empty ones stand first, last, and in between, more than a system call takes of them in a row.
    let buffers: Vec<Vec<u8>> = (0..3000_usize)
        .map(|index| match index {
            0 | 2999 | 1000..2500 => Vec::new(),
            _ if index % 7 == 0 => Vec::new(),
            _ => (0..index % 1999).map(|at| (index ^ at) as u8).collect(),
        })
        .collect();
    let expected = buffers.concat();
    let mut slices: Vec<_> = buffers.iter().map(|buffer| IoSlice::new(buffer)).collect();
    let mut received = vec![0; expected.len()];
    {
        let mut write = std::pin::pin!(ours.write_all_vectored(&mut slices));
        // Some of it fits into the socket's buffers, and no more.
        assert_waits(write.as_mut()).await;
        let mut reader = &theirs;
        let (wrote, read) = tokio::join!(write, reader.read_exact(&mut received));
        wrote.unwrap();
        read.unwrap();
    }
    assert!(received == expected);

    let mut none = [IoSlice::new(&[]), IoSlice::new(&[])];
    ours.write_all_vectored(&mut none).await.unwrap();
    ours.write_all_vectored(&mut []).await.unwrap();
    ours.close_write().unwrap();
    assert_eq!(theirs.read(&mut received).await.unwrap(), 0, "nothing was written besides");
}

#[tokio::test]
async fn of_too_many_buffers_the_first_are_written() {
    let (ours, theirs) = pair().await;
    let bytes: Vec<u8> = (0..1500_usize).map(|at| at as u8).collect();
    let slices: Vec<_> = bytes.chunks(1).map(IoSlice::new).collect();
    assert_eq!(ours.write_vectored(&slices).await.unwrap(), 1024);
    let mut writer = &ours;
    assert_eq!(AsyncWriteExt::write_vectored(&mut writer, &slices).await.unwrap(), 1024);
    let mut received = [0; 2048];
    let mut reader = &theirs;
    reader.read_exact(&mut received).await.unwrap();
    assert_eq!((&received[..1024], &received[1024..]), (&bytes[..1024], &bytes[..1024]));
}

#[tokio::test]
async fn borrowed_halves_read_and_write_at_once() {
    let (ours, theirs) = pair().await;
    {
        let (mut read, mut write) = ours.split();
        let mut heard = [0; 4];
        let (read, wrote, answered) =
            tokio::join!(read.read_exact(&mut heard), write.write_all(b"ask"), async {
                let mut asked = [0; 3];
                let mut reader = &theirs;
                reader.read_exact(&mut asked).await.unwrap();
                assert_eq!(&asked, b"ask");
                theirs.write_all(b"told").await
            });
        read.unwrap();
        wrote.unwrap();
        answered.unwrap();
        assert_eq!(&heard, b"told");
    }
    // Dropping them ended nothing.
    converse(&ours, &theirs).await;
    let (_, mut write) = ours.split();
    write.shutdown().await.unwrap();
    assert_eq!(theirs.read(&mut [0; 16]).await.unwrap(), 0);
}

#[tokio::test]
async fn owned_halves_go_to_different_tasks_and_together_again() {
    let (ours, theirs) = pair().await;
    let (mut read, mut write) = ours.into_split();
    let writing = tokio::spawn(async move {
        write.write_all(b"from one task").await.unwrap();
        write
    });
    let reading = tokio::spawn(async move {
        let mut heard = [0; 16];
        assert_eq!(AsyncReadExt::read(&mut read, &mut heard).await.unwrap(), 10);
        assert_eq!(&heard[..10], b"to another");
        read
    });
    theirs.write_all(b"to another").await.unwrap();
    assert_eq!(theirs.read(&mut [0; 16]).await.unwrap(), 13);
    let (read, write) = (reading.await.unwrap(), writing.await.unwrap());
    let ours = write.reunite(read).unwrap();
    converse(&ours, &theirs).await;
}

#[tokio::test]
async fn halves_of_different_conns_are_given_back() {
    let (one, its_peer) = pair().await;
    let (other, others_peer) = pair().await;
    let (one_read, one_write) = one.into_split();
    let (other_read, other_write) = other.into_split();
    let error = one_read.reunite(other_write).unwrap_err();
    assert_eq!(error.to_string(), "the halves belong to different conns");
    let ReuniteError(one_read, other_write) = error;
    let one = one_read.reunite(one_write).unwrap();
    let other = other_write.reunite(other_read).unwrap();
    // Neither was ended on the way.
    converse(&one, &its_peer).await;
    converse(&other, &others_peer).await;
}

#[tokio::test]
async fn a_dropped_owned_write_half_ends_the_stream_and_a_forgotten_one_does_not() {
    let (ours, theirs) = pair().await;
    let (mut read, write) = ours.into_split();
    drop(write);
    let mut buffer = [0; 16];
    assert_eq!(theirs.read(&mut buffer).await.unwrap(), 0);
    theirs.write_all(b"still read").await.unwrap();
    assert_eq!(read.read(&mut buffer).await.unwrap(), 10);

    let (ours, theirs) = pair().await;
    let (read, write) = ours.into_split();
    write.forget();
    read.write_all(b"not ended").await.unwrap();
    assert_eq!(theirs.read(&mut buffer).await.unwrap(), 9);
    drop(read);
    assert_eq!(theirs.read(&mut buffer).await.unwrap(), 0, "the last half closes the conn");
}

#[tokio::test]
async fn each_direction_is_ended_on_its_own() {
    let (ours, theirs) = pair().await;
    let mut buffer = [0; 16];
    ours.write_all(b"last words").await.unwrap();
    ours.close_write().unwrap();
    assert_eq!(theirs.read(&mut buffer).await.unwrap(), 10);
    assert_eq!(theirs.read(&mut buffer).await.unwrap(), 0);
    assert!(ours.write(b"more").await.is_err());
    theirs.write_all(b"an answer").await.unwrap();
    assert_eq!(ours.read(&mut buffer).await.unwrap(), 9);
    theirs.close_write().unwrap();
    assert_eq!(ours.read(&mut buffer).await.unwrap(), 0);

    let (ours, theirs) = pair().await;
    theirs.write_all(b"arrived").await.unwrap();
    ours.readable().await.unwrap();
    ours.close_read().unwrap();
    assert_eq!(ours.read(&mut buffer).await.unwrap(), 7);
    assert_eq!(ours.read(&mut buffer).await.unwrap(), 0);
    ours.write_all(b"still open").await.unwrap();
    assert_eq!(theirs.read(&mut buffer).await.unwrap(), 10);

    let (ours, _theirs) = pair().await;
    let mut read = std::pin::pin!(ours.read(&mut buffer));
    assert_waits(read.as_mut()).await;
    ours.close_read().unwrap();
    assert_eq!(read.await.unwrap(), 0, "a read that waits ends too");
}

#[tokio::test]
async fn close_wakes_whoever_waits() {
    let (ours, theirs) = pair().await;
    ours.set_send_buffer_size(8 * 1024).unwrap();
    let plenty = vec![0; 16 << 20];
    let mut buffer = [0; 16];
    let mut read = std::pin::pin!(ours.read(&mut buffer));
    let mut second = [0; 16];
    let mut peek = std::pin::pin!(ours.peek(&mut second));
    let mut write = std::pin::pin!(ours.write_all(&plenty));
    assert_waits(read.as_mut()).await;
    assert_waits(peek.as_mut()).await;
    assert_waits(write.as_mut()).await;
    ours.close().unwrap();
    for error in [read.await.unwrap_err(), peek.await.unwrap_err(), write.await.unwrap_err()] {
        assert!(error.is_closed(), "{error}");
    }
    for error in [
        ours.close().unwrap_err(),
        ours.read(&mut [0]).await.unwrap_err(),
        ours.write(b"x").await.unwrap_err(),
        ours.close_write().unwrap_err(),
        ours.set_nodelay(true).unwrap_err(),
        ours.tcp_info().unwrap_err(),
    ] {
        assert!(error.is_closed(), "{error}");
        assert!(error.to_string().contains("tcp"), "{error}");
    }
    // The socket is released, not only forgotten: the peer reads what was sent, and then the end.
    let mut rest = Vec::new();
    (&theirs).read_to_end(&mut rest).await.unwrap();
}

#[tokio::test]
async fn close_wakes_an_accept_that_waits_in_another_task() {
    let listener = std::sync::Arc::new(listener().await);
    let mut accept = std::pin::pin!(listener.accept());
    assert_waits(accept.as_mut()).await;
    let closing = listener.clone();
    tokio::spawn(async move { closing.close().unwrap() }).await.unwrap();
    let error = accept.await.unwrap_err();
    assert!(error.is_closed(), "{error}");
    assert!(listener.close().unwrap_err().is_closed());
    assert!(listener.accept().await.unwrap_err().is_closed());
}
