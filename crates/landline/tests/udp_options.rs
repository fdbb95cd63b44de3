//! Ancillary data, multicast and the other options of UDP and IP conns, on loopback.

mod namespace;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use landline::{Ancillary, Ecn, IpConn, UdpConn};
use tokio::time::Instant;

const LOOPBACK: u32 = 1;

fn bound(addr: &str) -> UdpConn {
    let conn = UdpConn::from_std(UdpSocket::bind(addr).unwrap()).unwrap();
    conn.set_read_deadline(Instant::now() + Duration::from_secs(10));
    conn
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_datagram_tells_where_it_was_sent_to_and_how_it_came() {
    // The server's address, the one it is reached by, and what the client sends with.
    for (server, host, client) in [
        ("0.0.0.0:0", "127.0.0.2", "127.0.0.1:0"),
        ("[::]:0", "::1", "[::1]:0"),
        ("[::]:0", "127.0.0.2", "127.0.0.1:0"),
    ] {
        let (server, client) = (bound(server), bound(client));
        let to = SocketAddr::new(ip(host), server.local_addr().unwrap().port());
        client.send_to(b"before", to).await.unwrap();
        let mut buffer = [0; 32];
        let (received, ancillary) = server.recv_msg(&mut buffer).await.unwrap();
        assert_eq!(
            (received.len, ancillary),
            (6, Ancillary::new()),
            "nothing is told that was not asked for"
        );

        server.set_recv_destination(true).unwrap();
        server.set_recv_ttl(true).unwrap();
        server.set_recv_traffic_class(true).unwrap();
        let with = Ancillary::new().ttl(33).traffic_class(0b1011_1000).ecn_codepoint(Ecn::Ect1);
        client.send_msg(b"after", Some(to), &with).await.unwrap();
        let (received, ancillary) = server.recv_msg(&mut buffer[..3]).await.unwrap();
        assert!(received.truncated && received.len == 3);
        assert_eq!(received.from, client.local_addr().unwrap());
        assert_eq!(ancillary.local, Some(ip(host)));
        assert_eq!(ancillary.interface, Some(LOOPBACK));
        assert_eq!(ancillary.ttl, Some(33));
        assert_eq!((ancillary.dscp(), ancillary.ecn()), (Some(0b10_1110), Some(Ecn::Ect1)));

        // The answer comes from the address that was asked, although the socket is bound to none.
        server.send_msg(b"answer", Some(received.from), &ancillary.reply()).await.unwrap();
        assert_eq!(client.recv_from(&mut buffer).await.unwrap().from, to);

        server.set_recv_destination(false).unwrap();
        client.send_to(b"off again", to).await.unwrap();
        assert_eq!(server.recv_msg(&mut buffer).await.unwrap().1.local, None);
    }
}

#[tokio::test]
async fn a_connected_conn_sends_messages_to_its_peer() {
    let server = bound("127.0.0.1:0");
    let client = landline::dial("udp", &server.local_addr().unwrap().to_string()).await.unwrap();
    let client = client.into_udp().unwrap();
    server.set_recv_ttl(true).unwrap();
    client.send_msg(b"to the peer", None, &Ancillary::new().ttl(5)).await.unwrap();
    assert_eq!(server.recv_msg(&mut [0; 16]).await.unwrap().1.ttl, Some(5));
    client.set_ttl(7).unwrap();
    assert_eq!(client.ttl().unwrap(), 7);
    client.send(b"by the option").await.unwrap();
    assert_eq!(server.recv_msg(&mut [0; 16]).await.unwrap().1.ttl, Some(7));

    let error = server.send_msg(b"to whom?", None, &Ancillary::new()).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotConnected);
    let v6 = Ancillary::new().local(ip("::1"));
    let error = client.send_msg(b"from there?", None, &v6).await.unwrap_err();
    assert_eq!(error.errno().unwrap().raw_os_error(), libc::EAFNOSUPPORT);
    let nowhere = Ancillary::new().local(ip("192.0.2.77"));
    assert!(client.send_msg(b"from there?", None, &nowhere).await.is_err());
}

#[tokio::test]
async fn options_are_read_back_of_either_family() {
    for addr in ["127.0.0.1:0", "[::1]:0"] {
        let conn = bound(addr);
        assert_eq!((conn.ttl().unwrap(), conn.multicast_ttl().unwrap()), (64, 1));
        conn.set_multicast_ttl(3).unwrap();
        assert!(conn.multicast_loop().unwrap());
        conn.set_multicast_loop(false).unwrap();
        conn.set_traffic_class(0x20).unwrap();
        assert_eq!(conn.traffic_class().unwrap(), 0x20);
        assert_eq!((conn.multicast_ttl().unwrap(), conn.multicast_loop().unwrap()), (3, false));
        let error = conn.set_ttl(256).unwrap_err();
        assert!(error.to_string().ends_with(": IP_TTL: invalid argument"), "{error}");
    }
}

#[tokio::test]
async fn broadcasts_may_be_sent_by_conns_that_landline_made() {
    let conn = landline::listen_packet("udp4", "127.0.0.1:0").await.unwrap().into_udp().unwrap();
    assert!(conn.broadcast().unwrap());
    conn.set_broadcast(false).unwrap();
    let error = conn.send_to(b"x", "127.255.255.255:9".parse().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
    conn.set_broadcast(true).unwrap();
    conn.send_to(b"x", "127.255.255.255:9".parse().unwrap()).await.unwrap();
}

/// Sends to `group` by `interface`, and tells whether `member` hears it.
async fn heard(sender: &UdpConn, group: IpAddr, interface: u32, member: &UdpConn) -> bool {
    let to = SocketAddr::new(group, member.local_addr().unwrap().port());
    sender.set_multicast_interface(interface).unwrap();
    if let Err(error) = sender.send_to(b"to all members", to).await {
        panic!("{error}");
    }
    member.set_read_deadline(Instant::now() + Duration::from_millis(200));
    match member.recv_from(&mut [0; 32]).await {
        Ok(received) => received.from == sender.local_addr().unwrap(),
        Err(error) => {
            assert!(error.is_timeout(), "{error}");
            false
        }
    }
}

/// A socket that hears groups it has joined itself, and none that others on this host have joined.
fn member(addr: &str) -> UdpConn {
    let socket = UdpSocket::bind(addr).unwrap();
    socket2::SockRef::from(&socket).set_multicast_all_v4(false).unwrap();
    UdpConn::from_std(socket).unwrap()
}

#[tokio::test]
async fn groups_are_joined_and_left_by_interface() {
    let group = ip("239.255.71.1");
    let (member, sender) = (member("0.0.0.0:0"), bound("127.0.0.1:0"));
    assert!(!heard(&sender, group, LOOPBACK, &member).await);
    member.join_multicast(group, LOOPBACK).unwrap();
    assert!(heard(&sender, group, LOOPBACK, &member).await);
    let error = member.join_multicast(group, LOOPBACK).unwrap_err();
    assert!(error.to_string().ends_with(": MCAST_JOIN_GROUP: address already in use"), "{error}");
    member.leave_multicast(group, LOOPBACK).unwrap();
    assert!(!heard(&sender, group, LOOPBACK, &member).await);
    assert!(member.leave_multicast(group, LOOPBACK).is_err());
    assert!(member.join_multicast(ip("127.0.0.1"), LOOPBACK).is_err(), "that is no group");
    assert!(member.join_multicast(group, 999_999).is_err(), "there is no such interface");
}

#[tokio::test]
async fn a_dual_stack_socket_joins_groups_of_ipv4_and_hears_them() {
    let group = ip("239.255.71.2");
    let (member, sender) = (bound("[::]:0"), bound("127.0.0.1:0"));
    member.join_multicast(group, LOOPBACK).unwrap();
    assert!(heard(&sender, group, LOOPBACK, &member).await);
}

#[tokio::test]
async fn only_the_source_that_was_joined_is_heard() {
    let group = ip("232.71.0.1");
    let member = member("0.0.0.0:0");
    let (wanted, other) = (bound("127.0.0.71:0"), bound("127.0.0.72:0"));
    member.join_multicast_from(group, ip("127.0.0.71"), LOOPBACK).unwrap();
    assert!(!heard(&other, group, LOOPBACK, &member).await);
    assert!(heard(&wanted, group, LOOPBACK, &member).await);
    member.leave_multicast_from(group, ip("127.0.0.71"), LOOPBACK).unwrap();
    assert!(!heard(&wanted, group, LOOPBACK, &member).await);
}

/// Loopback carries no multicast of IPv6, a cable whose two ends are plugged in here does.
#[test]
fn groups_of_ipv6_are_joined_and_left_by_interface() {
    let cable = "ip link add one type veth peer name two && ip link set one up && ip link set two up \
                 && ip -6 addr add fd00:71::1/64 dev one nodad";
    if namespace::inside("groups_of_ipv6_are_joined_and_left_by_interface", cable) {
        namespace::block_on(ipv6_groups());
    }
}

async fn ipv6_groups() {
    let one = landline::interfaces().unwrap().into_iter().find(|interface| interface.name() == "one");
    let one = one.unwrap().index();
    let (group, from) = (ip("ff15::71"), ip("fd00:71::1"));
    let (member, sender) = (bound("[::]:0"), bound("[fd00:71::1]:0"));
    socket2::SockRef::from(&member).set_multicast_all_v6(false).unwrap();
    assert!(!heard(&sender, group, one, &member).await);
    member.join_multicast(group, one).unwrap();
    assert!(heard(&sender, group, one, &member).await);
    member.leave_multicast(group, one).unwrap();
    assert!(!heard(&sender, group, one, &member).await);
    assert!(member.leave_multicast(group, one).is_err());
    member.join_multicast_from(group, from, one).unwrap();
    assert!(heard(&sender, group, one, &member).await);
    member.set_recv_destination(true).unwrap();
    sender.send_to(b"to all", SocketAddr::new(group, member.local_addr().unwrap().port())).await.unwrap();
    let (_, ancillary) = member.recv_msg(&mut [0; 16]).await.unwrap();
    assert_eq!((ancillary.local, ancillary.interface), (Some(group), Some(one)));
}

#[tokio::test]
async fn raw_packets_tell_where_they_were_sent_to() {
    const EXPERIMENTAL: i32 = 254;
    for (domain, host) in [
        (socket2::Domain::IPV4, IpAddr::V4(Ipv4Addr::LOCALHOST)),
        (socket2::Domain::IPV6, IpAddr::V6(Ipv6Addr::LOCALHOST)),
    ] {
        let raw = || socket2::Socket::new(domain, socket2::Type::RAW, Some(EXPERIMENTAL.into()));
        let (left, right) = match (raw(), raw()) {
            (Ok(left), Ok(right)) => (left, right),
            (Err(error), _) | (_, Err(error)) => {
                eprintln!("not tried: a raw socket needs CAP_NET_RAW: {error}");
                return;
            }
        };
        let left = IpConn::from_owned_fd(left.into()).unwrap();
        let right = IpConn::from_owned_fd(right.into()).unwrap();
        right.set_recv_destination(true).unwrap();
        right.set_recv_ttl(true).unwrap();
        right.set_read_deadline(Instant::now() + Duration::from_secs(10));
        left.send_msg(b"raw", Some(host.into()), &Ancillary::new().ttl(9)).await.unwrap();
        let mut buffer = [0; 64];
        let (received, ancillary) = right.recv_msg(&mut buffer).await.unwrap();
        assert!(buffer[..received.len].ends_with(b"raw"));
        assert_eq!(received.len, if host.is_ipv4() { 23 } else { 3 });
        assert_eq!((received.from.ip, ancillary.local, ancillary.ttl), (host, Some(host), Some(9)));
    }
}
