//! The peers on loopback behave, and misbehave, as they say.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use conntest::loopback::{
    BlackHole, DatagramEcho, EchoServer, RefusedPort, ResetServer, SilentServer, UnixEcho, V4, V6, has_ipv6,
    on_free_port,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket, UnixStream};
use tokio::time::timeout;

/// `127.0.0.1`, and `::1` where there is one.
fn families() -> impl Iterator<Item = SocketAddr> {
    [V4, V6].into_iter().filter(|addr| addr.is_ipv4() || has_ipv6())
}

#[tokio::test]
async fn a_black_hole_neither_accepts_nor_refuses_however_many_try() {
    for addr in families() {
        let hole = BlackHole::bind(addr).await.unwrap();
        let dials = (0..200).map(|_| tokio::spawn(TcpStream::connect(hole.addr()))).collect::<Vec<_>>();
        // Past the first repetition of the SYN, which comes after a second.
        tokio::time::sleep(Duration::from_millis(1200)).await;
        for dial in dials {
            assert!(!dial.is_finished(), "{addr}");
            dial.abort();
        }
        let addr = hole.addr();
        drop(hole);
        assert_eq!(TcpStream::connect(addr).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }
}

#[tokio::test]
async fn a_refused_port_refuses_and_cannot_be_taken() {
    for addr in families() {
        let refused = RefusedPort::bind(addr).unwrap();
        for _ in 0..10 {
            let error = TcpStream::connect(refused.addr()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        }
        let error = EchoServer::bind(refused.addr()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(error.to_string().starts_with(&format!("bind tcp {}: ", refused.addr())), "{error}");
    }
}

#[tokio::test]
async fn a_reset_is_a_reset() {
    let server = ResetServer::bind(V4).await.unwrap();
    let mut stream = TcpStream::connect(server.addr()).await.unwrap();
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);

    let server = ResetServer::after(V4, 10_000, "so far").await.unwrap();
    let mut stream = TcpStream::connect(server.addr()).await.unwrap();
    stream.write_all(&[7; 9_999]).await.unwrap();
    let silence = timeout(Duration::from_millis(50), stream.read(&mut [0; 10])).await;
    assert!(silence.is_err(), "not before it has read what it waits for: {silence:?}");
    stream.write_all(&[7]).await.unwrap();
    let error = stream.read_to_end(&mut Vec::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_silent_server_soon_makes_writers_wait() {
    let server = SilentServer::bind(V4).await.unwrap();
    let mut stream = TcpStream::connect(server.addr()).await.unwrap();
    let endless = async { while stream.write_all(&[0; 1024]).await.is_ok() {} };
    assert!(timeout(Duration::from_millis(500), endless).await.is_err());
    assert_eq!(server.accepted(), 1);
    let silence = timeout(Duration::from_millis(50), stream.read(&mut [0; 10])).await;
    assert!(silence.is_err(), "{silence:?}");
}

#[tokio::test]
async fn echo_servers_echo() {
    for addr in families() {
        let server = EchoServer::bind(addr).await.unwrap();
        let mut stream = TcpStream::connect(server.addr()).await.unwrap();
        stream.write_all(b"there and back").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut back = String::new();
        stream.read_to_string(&mut back).await.unwrap();
        assert_eq!((&*back, server.accepted()), ("there and back", 1));

        let server = DatagramEcho::bind(addr).await.unwrap();
        let socket = UdpSocket::bind(addr).await.unwrap();
        for sent in [&b"datagram"[..], b""] {
            socket.send_to(sent, server.addr()).await.unwrap();
            let mut buffer = [0; 100];
            let (count, from) = socket.recv_from(&mut buffer).await.unwrap();
            assert_eq!((&buffer[..count], from), (sent, server.addr()));
        }
    }
    let path = std::env::temp_dir().join(format!("conntest-echo-{}", std::process::id()));
    let server = UnixEcho::bind(&path).await.unwrap();
    let mut stream = UnixStream::connect(server.path()).await.unwrap();
    stream.write_all(b"there and back").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut back = String::new();
    stream.read_to_string(&mut back).await.unwrap();
    assert_eq!(back, "there and back");
    drop(server);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_dropped_server_ends_its_connections() {
    let server = EchoServer::bind(V4).await.unwrap();
    let mut stream = TcpStream::connect(server.addr()).await.unwrap();
    stream.write_all(b"x").await.unwrap();
    stream.read_exact(&mut [0]).await.unwrap();
    drop(server);
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn peers_can_share_a_port() {
    let (echo, datagrams, hole) = on_free_port(async |port| {
        let echo = EchoServer::bind(([127, 0, 0, 1], port).into()).await?;
        let datagrams = DatagramEcho::bind(([127, 0, 0, 1], port).into()).await?;
        let other = if has_ipv6() { V6.ip() } else { [127, 0, 0, 2].into() };
        Ok((echo, datagrams, BlackHole::bind((other, port).into()).await?))
    })
    .await
    .unwrap();
    assert_eq!(echo.addr(), datagrams.addr());
    assert_eq!(echo.addr().port(), hole.addr().port());
}

#[tokio::test]
async fn a_taken_port_leads_to_another_and_any_other_error_ends_the_search() {
    let taken = std::cell::Cell::new(0);
    let port = on_free_port(async |port| {
        taken.set(taken.get() + 1);
        if taken.get() < 3 { Err(ErrorKind::AddrInUse.into()) } else { Ok(port) }
    });
    assert_ne!(port.await.unwrap(), 0);
    assert_eq!(taken.get(), 3);
    let denied = on_free_port(async |_| Err::<(), _>(ErrorKind::PermissionDenied.into())).await;
    assert_eq!(denied.unwrap_err().kind(), ErrorKind::PermissionDenied);
}
