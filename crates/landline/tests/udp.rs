//! UDP on loopback.

use std::net::{Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

use landline::{Conn, UdpConn};
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

fn bound(addr: &str) -> UdpConn {
    UdpConn::from_std(UdpSocket::bind(addr).unwrap()).unwrap()
}

fn pair(addr: &str) -> (UdpConn, UdpConn) {
    let (left, right) = (UdpSocket::bind(addr).unwrap(), UdpSocket::bind(addr).unwrap());
    left.connect(right.local_addr().unwrap()).unwrap();
    right.connect(left.local_addr().unwrap()).unwrap();
    (UdpConn::from_std(left).unwrap(), UdpConn::from_std(right).unwrap())
}

#[tokio::test]
async fn datagrams_cross_between_connected_conns_of_either_family() {
    for addr in ["127.0.0.1:0", "[::1]:0"] {
        let (left, right) = pair(addr);
        assert_eq!(left.peer_addr().unwrap(), right.local_addr().unwrap());
        left.send(b"ping").await.unwrap();
        let mut buffer = [0; 16];
        assert_eq!(right.recv(&mut buffer).await.unwrap(), 4);
        right.send_vectored(&[std::io::IoSlice::new(b"po"), std::io::IoSlice::new(b"ng")]).await.unwrap();
        let received = left.recv_from(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..received.len], b"pong");
        assert_eq!(received.from, right.local_addr().unwrap());
    }
}

#[tokio::test]
async fn empty_datagrams_are_datagrams() {
    let (left, right) = pair("127.0.0.1:0");
    left.send(b"").await.unwrap();
    left.send(b"full").await.unwrap();
    let mut buffer = [0; 16];
    assert_eq!(right.recv(&mut buffer).await.unwrap(), 0);
    assert_eq!(right.recv(&mut buffer).await.unwrap(), 4);

    left.send(b"").await.unwrap();
    left.send(b"taken by a buffer of no size").await.unwrap();
    assert!(!right.recv_from(&mut []).await.unwrap().truncated);
    assert!(right.recv_from(&mut []).await.unwrap().truncated);
}

#[tokio::test]
async fn a_datagram_that_does_not_fit_is_reported_and_the_next_is_whole() {
    let (left, right) = pair("127.0.0.1:0");
    for datagram in [&b"longer than the buffer"[..], b"longer too", b"longer still", b"longer yet", b"next"] {
        left.send(datagram).await.unwrap();
    }
    let mut buffer = [0; 6];
    let peeked = right.peek_from(&mut buffer).await.unwrap();
    assert!(peeked.truncated && peeked.len == 6);
    let received = right.recv_from(&mut buffer).await.unwrap();
    assert!(received.truncated && &buffer[..received.len] == b"longer");
    let error = right.recv(&mut buffer).await.unwrap_err();
    assert!(error.to_string().ends_with(": message too long"), "{error}");
    let error = right.recv_vectored(&mut [std::io::IoSliceMut::new(&mut buffer)]).await.unwrap_err();
    assert!(error.to_string().ends_with(": message too long"), "{error}");

    let mut right = Conn::from(right);
    let error = right.read(&mut buffer).await.unwrap_err();
    assert!(error.to_string().ends_with(": message too long"), "{error}");
    assert_eq!(AsyncReadExt::read(&mut right, &mut []).await.unwrap(), 0, "takes no datagram");
    assert_eq!(Conn::read(&right, &mut buffer).await.unwrap(), 4);
}

#[tokio::test]
async fn a_dual_stack_socket_speaks_ipv4_with_plain_addresses() {
    let server = bound("[::]:0");
    let port = server.local_addr().unwrap().port();
    assert_eq!(server.local_addr().unwrap(), SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)));
    let client = bound("127.0.0.1:0");
    client.send_to(b"ping", SocketAddr::from(([127, 0, 0, 1], port))).await.unwrap();
    let mut buffer = [0; 16];
    let ping = server.recv_from(&mut buffer).await.unwrap();
    assert_eq!(ping.from, client.local_addr().unwrap());
    server.send_to(b"pong", ping.from).await.unwrap();
    let pong = client.recv_from(&mut buffer).await.unwrap();
    assert_eq!(pong.from, SocketAddr::from(([127, 0, 0, 1], port)));

    let mapped = SocketAddr::from(("::ffff:127.0.0.1".parse::<Ipv6Addr>().unwrap(), port));
    client.send_to(b"by its mapped address", mapped).await.unwrap();
    assert_eq!(server.recv_from(&mut [0; 32]).await.unwrap().len, 21);
}

#[tokio::test]
async fn a_connected_dual_stack_socket_names_its_peer_plainly() {
    let server = bound("127.0.0.1:0");
    let client = UdpSocket::bind("[::]:0").unwrap();
    let port = server.local_addr().unwrap().port();
    client.connect(SocketAddr::from(("::ffff:127.0.0.1".parse::<Ipv6Addr>().unwrap(), port))).unwrap();
    let client = UdpConn::from_std(client).unwrap();
    assert_eq!(client.peer_addr().unwrap(), server.local_addr().unwrap());
    assert!(client.local_addr().unwrap().is_ipv4());
}

/// A port on which nobody listens: bound once, and closed.
fn refusing() -> SocketAddr {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn a_connected_conn_learns_that_nobody_listens() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(refusing()).unwrap();
    let conn = UdpConn::from_std(socket).unwrap();
    let mut buffer = [0; 16];
    let (received, sent) = tokio::join!(async { conn.recv(&mut buffer).await }, async {
        tokio::task::yield_now().await;
        conn.send(b"anybody?").await
    });
    sent.unwrap();
    assert!(received.unwrap_err().is_connection_refused());

    // The conn goes on: it waits for a datagram again, without turning round and round.
    conn.set_read_deadline(Instant::now() + Duration::from_millis(20));
    assert!(conn.recv(&mut buffer).await.unwrap_err().is_timeout());
}

#[tokio::test]
async fn a_reader_through_tokio_learns_of_it_too() {
    let conn = landline::dial("udp", &refusing().to_string()).await.unwrap();
    let mut buffer = [0; 16];
    for _ in 0..2 {
        let mut reader = &conn;
        let (received, sent) = tokio::join!(AsyncReadExt::read(&mut reader, &mut buffer), async {
            tokio::task::yield_now().await;
            conn.write(b"anybody?").await
        });
        sent.unwrap();
        assert_eq!(received.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    }
    conn.set_read_deadline(Instant::now() + Duration::from_millis(20));
    let mut reader = &conn;
    let error = AsyncReadExt::read(&mut reader, &mut buffer).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    let (number, before) = (conn.as_fd().unwrap().as_raw_fd(), open_file(&conn));
    conn.close().unwrap();
    assert_ne!(open_file(&conn), before, "descriptor {number} is released at once");
}

/// What the conn's descriptor stands for.
fn open_file(conn: &Conn) -> std::path::PathBuf {
    let number = conn.as_fd().unwrap().as_raw_fd();
    std::fs::read_link(format!("/proc/self/fd/{number}")).unwrap()
}

#[tokio::test]
async fn a_close_or_deadline_ends_a_waiting_receive() {
    let conn = bound("127.0.0.1:0");
    conn.set_deadline(Instant::now() + Duration::from_millis(5));
    assert!(conn.recv_from(&mut [0; 16]).await.unwrap_err().is_timeout());
    conn.set_deadline(None);
    let mut buffer = [0; 16];
    let (received, closed) = tokio::join!(async { conn.recv(&mut buffer).await }, async {
        tokio::task::yield_now().await;
        conn.close()
    });
    closed.unwrap();
    assert!(received.unwrap_err().is_closed());
    assert!(conn.send_to(b"x", refusing()).await.unwrap_err().is_closed());
}

#[tokio::test]
async fn errors_of_send_to_name_the_receiver() {
    let conn = bound("127.0.0.1:0");
    let to: SocketAddr = "127.0.0.1:9".parse().unwrap();
    let error = conn.send_to(&vec![0; 70_000], to).await.unwrap_err();
    let local = conn.local_addr().unwrap();
    assert_eq!(error.to_string(), format!("write udp {local}->127.0.0.1:9: message too long"));
    let error = conn.send_to(b"x", "[::1]:9".parse().unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("->[::1]:9: "), "{error}");
}

#[tokio::test]
async fn conns_convert_to_std_and_tokio_and_back() {
    let (left, right) = pair("127.0.0.1:0");
    let left = UdpConn::from_tokio(left.into_tokio().unwrap()).unwrap();
    let left = UdpConn::from_std(left.into_std().unwrap()).unwrap();
    left.send(b"still here").await.unwrap();
    assert_eq!(right.recv(&mut [0; 16]).await.unwrap(), 10);
    let stream = std::os::unix::net::UnixStream::pair().unwrap().0;
    assert!(UdpConn::from_owned_fd(stream.into()).is_err());
}
