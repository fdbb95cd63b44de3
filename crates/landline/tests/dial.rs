//! What a dial can be told, seen on real sockets.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use landline::explain::What;
use landline::{Addr, Context, Dialer, KeepAlive, ListenConfig, TcpListener};
use rustix::net::sockopt;
use tokio::time::Instant;

async fn listener() -> (TcpListener, String) {
    let listener = ListenConfig::new().listen_tcp("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    (listener, addr)
}

#[tokio::test]
async fn conns_of_both_ends_have_gos_defaults() {
    let (listener, addr) = listener().await;
    let dialed = Dialer::new().dial_tcp(&addr).await.unwrap();
    let accepted = listener.accept().await.unwrap();
    for conn in [&dialed, &accepted] {
        assert!(conn.nodelay().unwrap());
        assert!(sockopt::socket_keepalive(conn).unwrap());
        assert_eq!(sockopt::tcp_keepidle(conn).unwrap(), Duration::from_secs(15));
        assert_eq!(sockopt::tcp_keepintvl(conn).unwrap(), Duration::from_secs(15));
        assert_eq!(sockopt::tcp_keepcnt(conn).unwrap(), 9);
        assert!(rustix::io::fcntl_getfd(conn).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
        assert!(rustix::fs::fcntl_getfl(conn).unwrap().contains(rustix::fs::OFlags::NONBLOCK));
    }
    assert!(sockopt::socket_reuseaddr(&listener).unwrap());
}

#[tokio::test]
async fn keep_alive_is_set_as_told() {
    let (_listener, addr) = listener().await;
    let off = Dialer::new().keep_alive(KeepAlive::Off).dial_tcp(&addr).await.unwrap();
    assert!(!sockopt::socket_keepalive(&off).unwrap());
    let custom = KeepAlive::Custom {
        idle: Some(Duration::from_millis(1500)),
        interval: Some(Duration::from_secs(3)),
        count: None,
    };
    let conn = Dialer::new().keep_alive(custom).dial_tcp(&addr).await.unwrap();
    assert_eq!(off.keep_alive().unwrap(), KeepAlive::Off);
    assert!(matches!(conn.keep_alive().unwrap(), KeepAlive::Custom { count: Some(_), .. }));
    assert!(sockopt::socket_keepalive(&conn).unwrap());
    assert_eq!(sockopt::tcp_keepidle(&conn).unwrap(), Duration::from_secs(2), "rounded up");
    assert_eq!(sockopt::tcp_keepintvl(&conn).unwrap(), Duration::from_secs(3));

    let impossible = KeepAlive::Custom { idle: Some(Duration::MAX), interval: None, count: None };
    let error = Dialer::new().keep_alive(impossible).dial_tcp(&addr).await.unwrap_err().to_string();
    assert!(error.contains("TCP_KEEPIDLE: invalid argument"), "{error}");
}

#[tokio::test]
async fn the_local_address_is_used_and_another_family_refused() {
    let (_listener, addr) = listener().await;
    let from: std::net::SocketAddr = "127.0.0.7:0".parse().unwrap();
    let conn = Dialer::new().local_addr(from).dial_tcp(&addr).await.unwrap();
    assert_eq!(conn.local_addr().unwrap().ip(), from.ip());

    let mapped: std::net::SocketAddr = "[::ffff:127.0.0.8]:0".parse().unwrap();
    let conn = Dialer::new().local_addr(mapped).dial_tcp(&addr).await.unwrap();
    assert_eq!(conn.local_addr().unwrap().ip(), mapped.ip().to_canonical());

    let from: std::net::SocketAddr = "[::1]:0".parse().unwrap();
    let error = Dialer::new().local_addr(from).dial_tcp(&addr).await.unwrap_err().to_string();
    assert_eq!(error, format!("dial tcp: address {addr}: no suitable address found"));
}

#[tokio::test]
async fn the_control_hook_sees_the_socket_before_it_is_connected() {
    let (_listener, addr) = listener().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let wanted = addr.clone();
    let dialer = Dialer::new().control(move |network, peer, fd| {
        counted.fetch_add(1, Ordering::SeqCst);
        assert_eq!((network.to_string(), peer.to_string()), ("tcp".to_owned(), wanted.clone()));
        assert!(rustix::net::getpeername(fd).is_err());
        Ok(sockopt::set_socket_recv_buffer_size(fd, 32 * 1024)?)
    });
    let conn = dialer.dial_tcp(&addr).await.unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert_eq!(conn.recv_buffer_size().unwrap(), 64 * 1024, "the kernel counts double");

    let refusing = Dialer::new().control(|_, _, _| Err(std::io::Error::other("not this one")));
    let error = refusing.dial_tcp(&addr).await.unwrap_err();
    assert_eq!(error.to_string(), format!("dial tcp {addr}: not this one"));
}

#[tokio::test]
async fn an_option_asked_for_that_cannot_be_set_is_an_error() {
    let (_listener, addr) = listener().await;
    let error = Dialer::new().interface("no-such-interface").dial_tcp(&addr).await.unwrap_err().to_string();
    assert_eq!(error, format!("dial tcp {addr}: SO_BINDTODEVICE: no such device"));
}

#[tokio::test]
async fn the_loopback_interface_can_be_asked_for() {
    let (_listener, addr) = listener().await;
    match Dialer::new().interface("lo").dial_tcp(&addr).await {
        Ok(conn) => assert_eq!(conn.peer_addr().unwrap().to_string(), addr),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            println!("skipped: SO_BINDTODEVICE is not permitted here");
        }
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_mark_is_set_where_that_is_permitted() {
    let (_listener, addr) = listener().await;
    match Dialer::new().mark(7).dial_tcp(&addr).await {
        Ok(conn) => assert_eq!(socket2::SockRef::from(&conn.as_fd()).mark().unwrap(), 7),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            println!("skipped: SO_MARK is not permitted here");
        }
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn multipath_tcp_and_fast_open_carry_bytes_with_or_without_a_fallback() {
    for fast_open in [false, true] {
        let listener = ListenConfig::new().mptcp(true).listen_tcp("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        let dialer = Dialer::new().mptcp(!fast_open).fast_open(fast_open);
        let (conn, report) = dialer.explain("tcp", &addr).await;
        let conn = conn.unwrap();
        conn.write_all(b"hello").await.unwrap();
        let accepted = listener.accept().await.unwrap();
        let mut buffer = [0; 16];
        assert_eq!(accepted.read(&mut buffer).await.unwrap(), 5);
        let multipath =
            sockopt::socket_protocol(conn.as_tcp().unwrap()).unwrap().map(|protocol| protocol.as_raw().get());
        let fell_back = report.events().iter().any(|event| matches!(event.what, What::FellBack { .. }));
        if !fast_open {
            assert_eq!(multipath == Some(262), !fell_back, "IPPROTO_MPTCP, or an event that says why not");
        }
    }
}

#[tokio::test]
async fn a_refused_dial_says_so_at_once_and_by_name() {
    let (listener, addr) = listener().await;
    drop(listener);
    let error = Dialer::new().dial("tcp", &addr).await.unwrap_err();
    assert_eq!(error.to_string(), format!("dial tcp {addr}: connect: connection refused"));
    assert!(error.is_connection_refused() && !error.is_timeout());
    assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn an_ended_context_dials_nothing_and_says_how_it_ended() {
    let (_listener, addr) = listener().await;
    let canceled = Context::background().child();
    canceled.cancel_with("the user left");
    let error = Dialer::new().dial_in(&canceled, "tcp", &addr).await.unwrap_err();
    assert!(error.is_canceled() && !error.is_timeout());
    assert_eq!(error.to_string(), format!("dial tcp {addr}: operation was canceled: the user left"));

    let late = Context::background().with_deadline(Instant::now());
    let error = Dialer::new().dial_in(&late, "tcp", &addr).await.unwrap_err();
    assert!(error.is_timeout() && !error.is_canceled());
    assert_eq!(error.to_string(), format!("dial tcp {addr}: i/o timeout"));
}

#[tokio::test]
async fn a_bound_context_ends_reads_that_wait_and_later_ones() {
    let (listener, addr) = listener().await;
    let conn = Dialer::new().dial("tcp", &addr).await.unwrap();
    let _accepted = listener.accept().await.unwrap();
    let context = Context::background().child();
    conn.bind_context(&context);
    let (read, ()) = tokio::join!(async { conn.read(&mut [0; 1]).await }, async {
        tokio::task::yield_now().await;
        context.cancel_with("enough");
    });
    let error = read.unwrap_err();
    assert!(error.is_canceled(), "{error}");
    assert!(error.to_string().ends_with("operation was canceled: enough"), "{error}");
    assert!(conn.write(b"x").await.unwrap_err().is_canceled());

    let soon = Context::background().with_timeout(Duration::from_millis(20));
    conn.bind_context(&soon);
    assert!(conn.read(&mut [0; 1]).await.unwrap_err().is_timeout());
    conn.bind_context(&Context::background());
    conn.write_all(b"x").await.unwrap();
}

#[tokio::test]
async fn unix_dials_can_bind_an_address_of_their_own() {
    let directory = std::env::temp_dir().join(format!("landline-dial-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let (server, client) = (directory.join("server"), directory.join("client"));
    let listener = ListenConfig::new().listen("unix", server.to_str().unwrap()).await.unwrap();
    let from: landline::UnixAddr = client.to_str().unwrap().parse().unwrap();
    let conn = Dialer::new().local_addr(from.clone()).dial("unix", server.to_str().unwrap()).await.unwrap();
    let accepted = listener.accept().await.unwrap();
    assert_eq!(accepted.peer_addr().unwrap(), Addr::from(from));
    assert!(client.exists());
    drop(conn);
    assert!(!client.exists() && server.exists());
    drop(listener);
    assert!(!server.exists());
    let from: landline::UnixAddr = client.to_str().unwrap().parse().unwrap();
    Dialer::new().local_addr(from).dial("unix", server.to_str().unwrap()).await.unwrap_err();
    assert!(!client.exists(), "a failed dial leaves no file");
    std::fs::remove_dir(&directory).unwrap();
}

#[tokio::test]
async fn a_full_unix_queue_is_waited_for() {
    let listener = ListenConfig::new().backlog(0).listen("unix", "").await.unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    // Fill the queue until a dial has to wait.
    let mut queued = Vec::new();
    let brief = Dialer::new().timeout(Duration::from_millis(50));
    let error = loop {
        match brief.dial("unix", &addr).await {
            Ok(conn) => queued.push(conn),
            Err(error) => break error,
        }
        assert!(queued.len() < 100, "a backlog of 0 holds a hundred");
    };
    assert!(error.is_timeout(), "{error}");
    // Room in the queue lets a waiting dial go on.
    let patient = Dialer::new().timeout(Duration::from_secs(20));
    let (dialed, accepted) = tokio::join!(patient.dial("unix", &addr), listener.accept());
    dialed.unwrap();
    accepted.unwrap();
}

#[tokio::test]
async fn bad_input_is_refused_by_name() {
    for (network, address, message) in [
        ("tcp9", "127.0.0.1:1", "dial 127.0.0.1:1: unknown network tcp9"),
        ("tcp", "127.0.0.1", "dial tcp: address 127.0.0.1: missing port in address"),
        ("tcp", "", "dial tcp: missing address"),
        (
            "tcp",
            "[::1%no-such-zone]:1",
            "dial tcp: address ::1%no-such-zone: no interface for zone \"no-such-zone\"",
        ),
        ("tcp", "127.0.0.1:70000", "dial tcp: address 127.0.0.1:70000: unknown port \"70000\""),
        ("tcp", "fd:x", "dial tcp: address fd:x: not the number of a descriptor"),
        (
            "tcp",
            "systemd:web",
            "dial tcp: address systemd:web: this process was not started by socket activation (no LISTEN_FDS)",
        ),
    ] {
        let error = Dialer::new().dial(network, address).await.expect_err(address);
        assert_eq!(error.to_string(), message);
        let (result, report) = Dialer::new().explain(network, address).await;
        assert_eq!(result.unwrap_err().to_string(), message);
        assert!(report.error().is_some());
    }
}

#[tokio::test]
async fn names_and_services_are_resolved_without_asking_a_server_where_that_is_possible() {
    let listener = ListenConfig::new().listen("tcp", "localhost:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().unwrap();
    let conn = Dialer::new().dial("tcp", &format!("localhost:{port}")).await.unwrap();
    assert!(conn.peer_addr().unwrap().ip().unwrap().is_loopback());

    let error = Dialer::new().dial("tcp", "127.0.0.1:no-such-service").await.unwrap_err();
    assert!(error.to_string().contains("no-such-service"), "{error}");
    let error = Dialer::new().dial("tcp", "name.invalid:80").await.unwrap_err();
    assert_eq!(error.to_string(), "dial tcp: lookup name.invalid: no such host");
    assert!(error.is_not_found());
}

#[tokio::test]
async fn an_inherited_listener_is_given_the_options_of_its_config() {
    use std::os::fd::IntoRawFd;
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = socket.local_addr().unwrap().to_string();
    let number = socket.into_raw_fd();
    let listener = ListenConfig::new().listen_tcp(&format!("fd:{number}")).await.unwrap();
    let dialed = Dialer::new().dial_tcp(&addr).await.unwrap();
    let accepted = listener.accept().await.unwrap();
    assert!(accepted.nodelay().unwrap());
    assert_eq!(sockopt::tcp_keepidle(&accepted).unwrap(), Duration::from_secs(15));
    let error = ListenConfig::new().listen_tcp(&format!("fd:{number}")).await.unwrap_err().to_string();
    assert_eq!(error, format!("listen tcp: address fd:{number}: descriptor {number} was taken already"));
    dialed.write_all(b"x").await.unwrap();
    assert_eq!(accepted.read(&mut [0; 4]).await.unwrap(), 1);

    let number = std::os::fd::OwnedFd::from(dialed.into_std().unwrap()).into_raw_fd();
    let again = Dialer::new().dial("tcp", &format!("fd:{number}")).await.unwrap();
    again.write_all(b"yz").await.unwrap();
    assert_eq!(accepted.read(&mut [0; 4]).await.unwrap(), 2);
}
