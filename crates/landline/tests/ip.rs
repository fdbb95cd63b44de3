//! Raw IP and ping sockets on loopback. Raw sockets need CAP_NET_RAW: without it the tests say so and pass.

mod namespace;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use landline::{Conn, IpConn, PacketConn, Protocol, ScopedIp};
use socket2::{Domain, Socket, Type};
use tokio::time::Instant;

/// RFC 3692 sets this number aside for experiments.
const EXPERIMENTAL: i32 = 253;
const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LOCALHOST6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// A raw socket bound to loopback; `None`, with the reason on stderr, where that is not allowed.
fn raw_socket(host: IpAddr, protocol: i32) -> Option<Socket> {
    match Socket::new(Domain::for_address(SocketAddr::new(host, 0)), Type::RAW, Some(protocol.into())) {
        Ok(socket) => {
            socket.bind(&SocketAddr::new(host, 0).into()).unwrap();
            Some(socket)
        }
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            eprintln!("not tried: a raw socket needs CAP_NET_RAW: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn raw(host: IpAddr, protocol: i32) -> Option<IpConn> {
    raw_socket(host, protocol).map(|socket| IpConn::from_owned_fd(socket.into()).unwrap())
}

/// Every test here has its own payload, since raw sockets of one protocol hear each other's packets.
async fn recv_from(conn: &IpConn, buffer: &mut [u8], begin: &[u8]) -> landline::Received<ScopedIp> {
    conn.set_read_deadline(Instant::now() + Duration::from_secs(10));
    loop {
        let received = conn.recv_from(buffer).await.unwrap();
        if buffer[..received.len].starts_with(begin) {
            return received;
        }
    }
}

#[tokio::test]
async fn payloads_come_without_the_ipv4_header_and_packets_with_it() {
    let (Some(left), Some(right)) = (raw(LOCALHOST, EXPERIMENTAL), raw(LOCALHOST, EXPERIMENTAL)) else {
        return;
    };
    assert_eq!(right.protocol(), Protocol(253));
    assert!(!right.is_ping().unwrap() && right.echo_id().unwrap().is_none());
    let payload = b"header payload";
    for _ in 0..2 {
        left.send_to(payload, LOCALHOST).await.unwrap();
    }
    let mut buffer = [0; 64];
    let received = recv_from(&right, &mut buffer, payload).await;
    assert_eq!((received.len, received.from.ip, received.truncated), (payload.len(), LOCALHOST, false));

    let packet = loop {
        let len = right.recv(&mut buffer).await.unwrap();
        if buffer[..len].ends_with(payload) {
            break &buffer[..len];
        }
    };
    assert_eq!((packet.len(), packet[0], packet[9]), (20 + payload.len(), 0x45, 253));
}

#[tokio::test]
async fn a_payload_that_does_not_fit_is_reported_and_one_that_just_does_is_whole() {
    let (Some(left), Some(right)) = (raw(LOCALHOST, EXPERIMENTAL), raw(LOCALHOST, EXPERIMENTAL)) else {
        return;
    };
    let payload = b"fitting payload";
    for room in [payload.len(), payload.len() - 1, 3] {
        left.send_to(payload, LOCALHOST).await.unwrap();
        let mut buffer = vec![0; room];
        let received = recv_from(&right, &mut buffer, b"fit").await;
        assert_eq!((received.len, received.truncated), (room, room < payload.len()));
        assert_eq!(buffer, payload[..room]);
    }
    left.send_to(payload, LOCALHOST).await.unwrap();
    let error = loop {
        match right.recv(&mut [0; 8]).await {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.to_string(), "read ip:253 127.0.0.1: message too long");
}

#[tokio::test]
async fn options_in_the_header_are_taken_off_with_it() {
    let (Some(left), Some(right)) = (raw_socket(LOCALHOST, EXPERIMENTAL), raw(LOCALHOST, EXPERIMENTAL))
    else {
        return;
    };
    left.set_header_included_v4(true).unwrap();
    let payload = b"optional payload";
    // Version 4 and six words of header, of which the sixth is four times the option "no operation" (RFC 791).
    let mut packet = vec![0x46, 0, 0, 0, 0, 0, 0, 0, 64, 253, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1, 1, 1, 1, 1];
    packet.extend_from_slice(payload);
    for room in [64, payload.len(), payload.len() - 2, 2] {
        left.send_to(&packet, &SocketAddr::new(LOCALHOST, 0).into()).unwrap();
        let mut buffer = vec![0; room];
        let received = recv_from(&right, &mut buffer, b"op").await;
        assert_eq!((received.len, received.truncated), (room.min(payload.len()), room < payload.len()));
        assert_eq!(buffer[..received.len], payload[..received.len]);
    }
}

#[tokio::test]
async fn ipv6_has_no_header_to_take_off() {
    let (Some(left), Some(right)) = (raw(LOCALHOST6, EXPERIMENTAL), raw(LOCALHOST6, EXPERIMENTAL)) else {
        return;
    };
    left.send_to(b"six", LOCALHOST6).await.unwrap();
    let mut buffer = [0; 64];
    let received = recv_from(&right, &mut buffer, b"six").await;
    assert_eq!((received.len, received.from.ip), (3, LOCALHOST6));
    let right = PacketConn::from(right);
    left.send_to(b"seven", LOCALHOST6).await.unwrap();
    assert_eq!(right.recv_from(&mut buffer).await.unwrap().len, 5);
}

/// An echo request (RFC 792, RFC 4443) with its checksum, which over IPv6 the kernel fills in.
fn echo_request(kind: u8, id: u16, text: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0, 0, 0, 0, 1];
    message[4..6].copy_from_slice(&id.to_be_bytes());
    message.extend_from_slice(text);
    let mut sum: u32 = message
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0)))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    message[2..4].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    message
}

#[tokio::test]
async fn icmp_echoes_over_raw_sockets() {
    for (host, protocol, request, reply) in [(LOCALHOST, 1, 8, 0), (LOCALHOST6, 58, 128, 129)] {
        let Some(conn) = raw(host, protocol) else { return };
        let message = echo_request(request, 0x4c4c, b"raw echo");
        conn.send_to(&message, host).await.unwrap();
        let mut buffer = [0; 64];
        let echo = loop {
            // The request itself is heard too, on loopback.
            let received = recv_from(&conn, &mut buffer, &[reply]).await;
            if buffer[4..6] == [0x4c, 0x4c] {
                break &buffer[..received.len];
            }
        };
        assert_eq!(echo[8..], *b"raw echo");
    }
}

#[tokio::test]
async fn a_connected_conn_reads_packets_like_any_conn() {
    let (Some(left), Some(right)) =
        (raw_socket(LOCALHOST, EXPERIMENTAL), raw_socket(LOCALHOST, EXPERIMENTAL))
    else {
        return;
    };
    left.connect(&SocketAddr::new(LOCALHOST, 0).into()).unwrap();
    let left = Conn::from(IpConn::from_owned_fd(left.into()).unwrap());
    let right = Conn::from(IpConn::from_owned_fd(right.into()).unwrap());
    assert_eq!(left.network().unwrap().to_string(), "ip:253");
    assert!(right.peer_addr().is_err());
    left.write_all(b"any conn").await.unwrap();
    right.set_read_deadline(Instant::now() + Duration::from_secs(10));
    let mut buffer = [0; 64];
    while !buffer.windows(8).any(|window| window == b"any conn") {
        right.read(&mut buffer).await.unwrap();
    }
    assert!(left.close_write().is_err());
    left.close().unwrap();
    assert!(left.write(b"x").await.unwrap_err().is_closed());
}

/// Ping sockets are allowed to nobody by default, which is a setting of the namespace.
#[test]
fn icmp_echoes_over_ping_sockets() {
    let allow = "echo 0 2147483647 > /proc/sys/net/ipv4/ping_group_range";
    if namespace::inside("icmp_echoes_over_ping_sockets", allow) {
        namespace::block_on(ping());
    }
}

/// Without the capability for raw sockets, the front door gives ping sockets.
#[test]
fn who_may_not_open_raw_sockets_is_given_ping_sockets() {
    let allow = "echo 0 2147483647 > /proc/sys/net/ipv4/ping_group_range";
    if namespace::inside_as_nobody("who_may_not_open_raw_sockets_is_given_ping_sockets", allow) {
        namespace::block_on(fallback());
    }
}

async fn fallback() {
    for (network, host, request) in [("ip4:icmp", "127.0.0.1", 8), ("ip6:ipv6-icmp", "::1", 128)] {
        let (conn, report) = landline::Dialer::new().explain(network, host).await;
        let conn = conn.unwrap();
        assert!(conn.as_ip().unwrap().is_ping().unwrap());
        assert!(report.to_string().contains("a ping socket in place of a raw one"), "{report}");
        conn.write(&echo_request(request, 0, b"fallen back")).await.unwrap();
        let mut buffer = [0; 64];
        let len = conn.read(&mut buffer).await.unwrap();
        assert_eq!(buffer[8..len], *b"fallen back", "there is no IPv4 header");

        let listener = landline::listen_packet(network, host).await.unwrap();
        assert!(listener.as_ip().unwrap().is_ping().unwrap());
    }
    let error = landline::dial("ip4:253", "127.0.0.1").await.unwrap_err();
    assert_eq!(error.to_string(), "dial ip4:253 127.0.0.1: socket: operation not permitted");
}

/// Where ping sockets are not allowed either, the error says what a raw one would have needed.
#[test]
fn who_may_have_neither_is_told_of_the_first() {
    if namespace::inside_as_nobody("who_may_have_neither_is_told_of_the_first", "true") {
        namespace::block_on(async {
            let error = landline::dial("ip4:icmp", "127.0.0.1").await.unwrap_err();
            assert_eq!(error.to_string(), "dial ip4:icmp 127.0.0.1: socket: operation not permitted");
            let error = IpConn::ping(LOCALHOST.into()).unwrap_err();
            assert_eq!(error.to_string(), "listen ip:icmp 127.0.0.1: socket: permission denied");
        });
    }
}

async fn ping() {
    for (host, request, reply) in [(LOCALHOST, 8, 0), (LOCALHOST6, 128, 129)] {
        let conn = IpConn::ping(host.into()).unwrap();
        assert!(conn.is_ping().unwrap());
        // The identifier is the kernel's, whatever the request says.
        conn.send_to(&echo_request(request, 7, b"ping echo"), host).await.unwrap();
        let mut buffer = [0; 64];
        let received = conn.recv_from(&mut buffer).await.unwrap();
        assert_eq!((received.from.ip, buffer[0]), (host, reply));
        assert_eq!(buffer[8..received.len], *b"ping echo");
        assert_eq!(conn.echo_id().unwrap(), Some(u16::from_be_bytes([buffer[4], buffer[5]])));
    }
}

#[tokio::test]
async fn other_sockets_are_not_taken_for_raw_ones() {
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let error = IpConn::from_owned_fd(udp.into()).unwrap_err();
    assert!(error.to_string().starts_with("dial ip:"), "{error}");
}
