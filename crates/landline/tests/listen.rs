//! What a listener can be told, and how it ends, seen on real sockets.

use std::future::{Future, poll_fn};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use conntest::dns::{RecordType, Reply, Server};
use futures_util::StreamExt;
use landline::resolve::Config;
use landline::{
    Context, Dialer, KeepAlive, ListenConfig, Listener, Network, PacketConn, Resolver, TcpConn, TcpListener,
};
use rustix::net::sockopt;
use socket2::SockRef;

const ANY_PORT: &str = "127.0.0.1:0";

async fn dial(listener: &TcpListener) -> TcpConn {
    Dialer::new().dial_tcp(&listener.local_addr().unwrap().to_string()).await.unwrap()
}

async fn assert_waits<T>(mut future: Pin<&mut impl Future<Output = T>>) {
    let waits = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await;
    assert!(waits, "there was nothing to wait for");
}

fn has_ipv6() -> bool {
    std::net::TcpListener::bind("[::1]:0").is_ok()
}

#[tokio::test]
async fn incoming_ends_when_the_listener_is_closed() {
    let listener = ListenConfig::new().listen_tcp(ANY_PORT).await.unwrap();
    let mut incoming = listener.incoming();
    for _ in 0..3 {
        let dialed = dial(&listener).await;
        let accepted = incoming.next().await.unwrap().unwrap();
        assert_eq!(accepted.peer_addr().unwrap(), dialed.local_addr().unwrap());
    }
    {
        let mut next = pin!(incoming.next());
        assert_waits(next.as_mut()).await;
        listener.close().unwrap();
        assert!(next.await.is_none());
    }
    assert!(incoming.next().await.is_none(), "it stays ended");
}

#[tokio::test]
async fn incoming_goes_on_after_an_error() {
    let listener = ListenConfig::new().listen("tcp", ANY_PORT).await.unwrap();
    let mut incoming = listener.incoming();
    listener.set_deadline(tokio::time::Instant::now());
    assert!(incoming.next().await.unwrap().unwrap_err().is_timeout());
    listener.set_deadline(None);
    let dialed = landline::dial("tcp", &listener.local_addr().unwrap().to_string()).await.unwrap();
    let accepted = incoming.next().await.unwrap().unwrap();
    assert_eq!(accepted.peer_addr().unwrap(), dialed.local_addr().unwrap());
}

#[tokio::test]
async fn close_wakes_all_accepts_frees_the_port_and_leaves_conns_alone() {
    let listener = ListenConfig::new().listen_tcp(ANY_PORT).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let dialed = dial(&listener).await;
    let accepted = listener.accept().await.unwrap();
    let (mut first, mut second) = (pin!(listener.accept()), pin!(listener.accept()));
    assert_waits(first.as_mut()).await;
    assert_waits(second.as_mut()).await;
    listener.close().unwrap();
    for error in [first.await.unwrap_err(), second.await.unwrap_err(), listener.close().unwrap_err()] {
        assert!(error.is_closed() && error.to_string().contains(&addr.to_string()), "{error}");
    }
    let error = Dialer::new().dial_tcp(&addr.to_string()).await.unwrap_err();
    assert!(error.is_connection_refused(), "{error}");
    let again = ListenConfig::new().listen_tcp(&addr.to_string()).await.unwrap();
    assert_eq!(again.local_addr().unwrap(), addr);

    dialed.write_all(b"still here").await.unwrap();
    assert_eq!(accepted.read(&mut [0; 16]).await.unwrap(), 10);
}

#[tokio::test]
async fn a_port_is_shared_only_by_those_who_all_agree() {
    let shared = ListenConfig::new().reuse_port(true);
    let first = shared.listen_tcp(ANY_PORT).await.unwrap();
    let addr = first.local_addr().unwrap().to_string();
    let second = shared.listen_tcp(&addr).await.unwrap();
    assert_eq!(first.local_addr().unwrap(), second.local_addr().unwrap());
    let error = ListenConfig::new().listen_tcp(&addr).await.unwrap_err().to_string();
    assert_eq!(error, format!("listen tcp {addr}: bind: address already in use"));

    // With the first gone, the second gets every conn.
    first.close().unwrap();
    let dialed = dial(&second).await;
    assert_eq!(second.accept().await.unwrap().peer_addr().unwrap(), dialed.local_addr().unwrap());

    let first = shared.listen_packet("udp", ANY_PORT).await.unwrap();
    let addr = first.local_addr().unwrap().to_string();
    shared.listen_packet("udp", &addr).await.unwrap();
    ListenConfig::new().listen_packet("udp", &addr).await.unwrap_err();
}

#[tokio::test]
async fn the_interface_is_the_one_told() {
    let config = ListenConfig::new().interface("lo");
    let listener = config.listen_tcp(":0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let dialed = Dialer::new().dial_tcp(&format!("127.0.0.1:{port}")).await.unwrap();
    assert_eq!(listener.accept().await.unwrap().peer_addr().unwrap(), dialed.local_addr().unwrap());
    let packets = config.listen_packet("udp", ANY_PORT).await.unwrap();
    for socket in [listener.as_fd(), packets.as_fd()] {
        assert_eq!(SockRef::from(&socket).device().unwrap().as_deref(), Some(&b"lo"[..]));
    }
    let error = ListenConfig::new().interface("none-such").listen_tcp(ANY_PORT).await.unwrap_err();
    assert!(error.to_string().contains("SO_BINDTODEVICE: no such device"), "{error}");
}

#[tokio::test]
async fn a_mark_is_set_or_refused() {
    let marked = ListenConfig::new().mark(0x1d).listen_tcp(ANY_PORT).await;
    match marked {
        Ok(listener) => assert_eq!(SockRef::from(&listener).mark().unwrap(), 0x1d),
        Err(error) => {
            assert!(error.to_string().contains("SO_MARK: operation not permitted"), "{error}");
        }
    }
}

#[tokio::test]
async fn the_control_hook_sees_the_socket_before_it_is_bound() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let config = {
        let seen = seen.clone();
        ListenConfig::new().control(move |network, addr, fd| {
            let bound: SocketAddr = rustix::net::getsockname(fd)?.try_into()?;
            assert_eq!(bound.port(), 0, "bound already");
            assert!(bound.ip().is_unspecified(), "bound already");
            seen.lock().unwrap().push(format!("{network} {addr}"));
            Ok(sockopt::set_socket_recv_buffer_size(fd, 20_000)?)
        })
    };
    let listener = config.listen_tcp(ANY_PORT).await.unwrap();
    assert_eq!(sockopt::socket_recv_buffer_size(&listener).unwrap(), 40_000);
    let packets = config.listen_packet("udp4", ANY_PORT).await.unwrap();
    assert_eq!(sockopt::socket_recv_buffer_size(&packets).unwrap(), 40_000);
    assert_eq!(*seen.lock().unwrap(), ["tcp 127.0.0.1:0", "udp4 127.0.0.1:0"]);

    let refusing = ListenConfig::new().control(|_, _, _| Err(std::io::Error::other("not on my watch")));
    let error = refusing.listen_tcp(ANY_PORT).await.unwrap_err().to_string();
    assert!(error.starts_with("listen tcp 127.0.0.1:0: ") && error.ends_with("not on my watch"), "{error}");
}

#[tokio::test]
async fn names_are_resolved_as_told_and_ipv4_is_preferred() {
    let names = Server::new()
        .host("here.example", ["::1".parse().unwrap(), IpAddr::V4(Ipv4Addr::LOCALHOST)])
        .host("elsewhere.example", [IpAddr::from([192, 0, 2, 1])])
        .start()
        .await
        .unwrap();
    let resolver = Resolver::new(Config::new().with_servers([names.addr()]));
    let config = ListenConfig::new().resolver(resolver);
    let listener = config.listen_tcp("here.example:0").await.unwrap();
    assert_eq!(listener.local_addr().unwrap().ip(), IpAddr::V4(Ipv4Addr::LOCALHOST));
    let packets = config.listen_packet("udp", "here.example:0").await.unwrap();
    assert_eq!(packets.local_addr().unwrap().ip(), Some(Ipv4Addr::LOCALHOST.into()));
    if has_ipv6() {
        let listener = config.listen("tcp6", "here.example:0").await.unwrap();
        assert_eq!(listener.local_addr().unwrap().ip(), Some("::1".parse().unwrap()));
    }
    let error = config.listen_tcp("elsewhere.example:0").await.unwrap_err().to_string();
    assert_eq!(error, "listen tcp 192.0.2.1:0: bind: cannot assign requested address");
    let error = config.listen_tcp("nowhere.example:0").await.unwrap_err();
    assert!(error.is_not_found() && error.to_string().contains("nowhere.example"), "{error}");
}

#[tokio::test]
async fn a_canceled_context_ends_the_lookup_of_a_name() {
    let names = Server::new()
        .on("silent.example", RecordType::A, Reply::silence())
        .on("silent.example", RecordType::AAAA, Reply::silence())
        .start()
        .await
        .unwrap();
    let config = ListenConfig::new().resolver(Resolver::new(Config::new().with_servers([names.addr()])));
    let before = Context::background().child();
    before.cancel_with("before it began");
    let error = config.listen_in(&before, "tcp", "silent.example:0").await.unwrap_err();
    assert!(error.is_canceled() && error.to_string().contains("before it began"), "{error}");
    let error = config.listen_packet_in(&before, "udp", "silent.example:0").await.unwrap_err();
    assert!(error.is_canceled() && error.to_string().contains("before it began"), "{error}");
    assert!(names.log().is_empty(), "nothing is asked for a caller who has gone");

    let meanwhile = Context::background().child();
    let (listened, packets, ()) = tokio::join!(
        config.listen_in(&meanwhile, "tcp", "silent.example:0"),
        config.listen_packet_in(&meanwhile, "udp", "silent.example:0"),
        async {
            names.received(2).await;
            meanwhile.cancel();
        }
    );
    for error in [listened.unwrap_err(), packets.unwrap_err()] {
        assert!(error.is_canceled(), "{error}");
        assert!(error.to_string().starts_with("listen "), "{error}");
    }

    let late = Context::background().with_timeout(Duration::from_millis(20));
    let error = config.listen_in(&late, "tcp", "silent.example:0").await.unwrap_err();
    assert!(error.is_timeout() && !error.is_canceled(), "{error}");
}

#[tokio::test]
async fn a_listener_without_a_host_hears_both_families() {
    let listener = landline::listen("tcp", ":0").await.unwrap();
    let port = listener.local_addr().unwrap().port().unwrap();
    let mut hosts = vec!["127.0.0.1"];
    if has_ipv6() {
        hosts.push("[::1]");
        assert!(listener.local_addr().unwrap().ip().unwrap().is_ipv6());
    }
    for host in hosts {
        let dialed = landline::dial("tcp", &format!("{host}:{port}")).await.unwrap();
        let accepted = listener.accept().await.unwrap();
        // IPv4 peers by their IPv4 addresses, not by IPv4-mapped ones.
        assert_eq!(accepted.peer_addr().unwrap(), dialed.local_addr().unwrap(), "{host}");
        assert_eq!(accepted.local_addr().unwrap(), dialed.peer_addr().unwrap(), "{host}");
    }
    if has_ipv6() {
        let only = landline::listen("tcp6", ":0").await.unwrap();
        let port = only.local_addr().unwrap().port().unwrap();
        landline::dial("tcp", &format!("127.0.0.1:{port}")).await.unwrap_err();
        landline::dial("tcp", &format!("[::1]:{port}")).await.unwrap();
    }
}

#[tokio::test]
async fn datagram_sockets_may_broadcast() {
    let conn = landline::listen_packet("udp", ANY_PORT).await.unwrap();
    assert!(sockopt::socket_broadcast(&conn).unwrap());
    assert!(matches!(conn, PacketConn::Udp(_)));
    let addr = conn.local_addr().unwrap().to_string();
    let dialed = Dialer::new().dial_udp(&addr).await.unwrap();
    assert!(sockopt::socket_broadcast(&dialed).unwrap());
}

#[tokio::test]
async fn accepted_conns_have_their_options_from_the_listener() {
    let custom = KeepAlive::Custom { idle: Some(Duration::from_secs(70)), interval: None, count: Some(4) };
    let listener = ListenConfig::new().keep_alive(custom).listen_tcp(ANY_PORT).await.unwrap();
    assert!(sockopt::tcp_nodelay(&listener).unwrap(), "set on the listener");
    let _dialed = dial(&listener).await;
    // Without a call of landline's on the conn: the kernel handed them down.
    let raw = loop {
        match rustix::net::accept(&listener) {
            Ok(raw) => break raw,
            Err(rustix::io::Errno::AGAIN) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    };
    let _dialed = dial(&listener).await;
    let accepted = listener.accept().await.unwrap();
    for conn in [raw.as_fd(), accepted.as_fd()] {
        assert!(sockopt::tcp_nodelay(conn).unwrap());
        assert!(sockopt::socket_keepalive(conn).unwrap());
        assert_eq!(sockopt::tcp_keepidle(conn).unwrap(), Duration::from_secs(70));
        assert_eq!(sockopt::tcp_keepcnt(conn).unwrap(), 4);
    }

    let off = ListenConfig::new().keep_alive(KeepAlive::Off).listen_tcp(ANY_PORT).await.unwrap();
    let _dialed = dial(&off).await;
    let accepted = off.accept().await.unwrap();
    assert!(!sockopt::socket_keepalive(&accepted).unwrap() && accepted.nodelay().unwrap());
}

#[tokio::test]
async fn networks_are_refused_where_they_make_no_sense() {
    for (network, address, why) in [
        ("udp", ANY_PORT, "udp has no conns to listen for, only packets"),
        ("tcp4", "[::1]:0", "no suitable address found"),
        ("tcp", "127.0.0.1", "missing port in address"),
        ("tcq", ANY_PORT, "unknown network"),
    ] {
        let error = landline::listen(network, address).await.unwrap_err().to_string();
        assert!(error.starts_with("listen ") && error.contains(why), "{error}");
    }
    let error = landline::listen_packet("tcp", ANY_PORT).await.unwrap_err().to_string();
    assert!(error.contains("tcp has conns, not packets"), "{error}");
    let listener = landline::listen(Network::Tcp(Default::default()), "").await.unwrap();
    assert!(matches!(listener, Listener::Tcp(_)), "an empty address is any");
}
