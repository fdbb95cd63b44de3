//! What any conn must do, tried on all of landline's.

mod adapter;

use adapter::Tried;
use adapter::tls::Tls;
use conntest::suite;
use landline::{Addr, Conn, Dialer, ListenConfig, TcpConn, UnixConn, UnixKind};

async fn tcp_pair(address: &str) -> (TcpConn, TcpConn) {
    let listener = ListenConfig::new().listen_tcp(address).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let dialer = Dialer::new();
    tokio::try_join!(dialer.dial_tcp(&address), listener.accept()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tcp_conns_do_what_any_conn_must() {
    suite::run_all(async || {
        let (a, b) = tcp_pair("127.0.0.1:0").await;
        (Tried(a), Tried(b))
    })
    .await;
}

#[tokio::test]
async fn tcp_conns_do_it_on_one_thread_and_over_ipv6() {
    suite::run_all(async || {
        let (a, b) = tcp_pair("[::1]:0").await;
        (Tried(a), Tried(b))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tcp_conns_are_byte_streams() {
    suite::stream::run_all(async || tcp_pair("127.0.0.1:0").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_over_tcp_conns_is_a_byte_stream() {
    let tls = Tls::new();
    suite::stream::run_all(async || tls.wrap(tcp_pair("127.0.0.1:0").await).await).await;
}

/// Deadlines and closes of a conn reach through what is built on it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_over_conns_does_what_any_conn_must() {
    let tls = Tls::new();
    suite::run_all(async || tls.wrap_shared(tcp_pair("127.0.0.1:0").await).await).await;
    suite::run_all(async || tls.wrap_shared(UnixConn::pair(UnixKind::Stream).unwrap()).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unix_conns_do_what_any_conn_must() {
    suite::run_all(async || {
        let (a, b) = UnixConn::pair(UnixKind::Stream).unwrap();
        (Tried(a), Tried(b))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unix_conns_are_byte_streams_and_so_is_tls_over_them() {
    let tls = Tls::new();
    suite::stream::run_all(async || UnixConn::pair(UnixKind::Stream).unwrap()).await;
    suite::stream::run_all(async || tls.wrap(UnixConn::pair(UnixKind::Stream).unwrap()).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seqpacket_conns_do_what_any_conn_must_and_keep_messages_apart() {
    let make = async || {
        let (a, b) = UnixConn::pair(UnixKind::Seqpacket).unwrap();
        (Tried(a), Tried(b))
    };
    suite::run_all(make).await;
    suite::message::run_all(make).await;
}

/// A pair made through the front door, both ends with an address of their own.
async fn any_pair(network: &str, here: &str, there: &str) -> (Conn, Conn) {
    let listener = landline::listen(network, there).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let dialer = match here {
        "" => Dialer::new(),
        name => Dialer::new().local_addr(Addr::Unix(name.parse().unwrap())),
    };
    tokio::try_join!(dialer.dial(network, &address), listener.accept()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_dial_and_accept_give_does_what_any_conn_must() {
    let id = std::process::id();
    let path = std::env::temp_dir().join(format!("landline-conformance-{id}")).display().to_string();
    for (network, here, there) in [
        ("tcp", "", "localhost:0".to_owned()),
        ("unix", &*format!("@landline-conformance-{id}"), path.clone()),
        ("unixpacket", &*format!("@landline-conformance-packet-{id}"), format!("{path}-packet")),
    ] {
        suite::run_all(async || {
            let (a, b) = any_pair(network, here, &there).await;
            (Tried(a), Tried(b))
        })
        .await;
    }
    suite::stream::run_all(async || any_pair("unix", "", &path).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipes_do_what_any_conn_must_and_are_byte_streams() {
    suite::run_all(async || {
        let (a, b) = landline::pipe();
        (Tried(a), Tried(b))
    })
    .await;
    suite::stream::run_all(async || landline::pipe()).await;
    suite::stream::run_all(async || {
        let (a, b) = landline::pipe();
        (Conn::from(a), Conn::from(b))
    })
    .await;
}

/// In memory, paused time costs nothing and finds every call that waits for the wrong thing.
#[tokio::test(start_paused = true)]
async fn pipes_do_what_any_conn_must_in_paused_time_and_so_does_tls_over_them() {
    suite::run_all(async || {
        let (a, b) = landline::pipe();
        (Tried(a), Tried(b))
    })
    .await;
    let tls = Tls::new();
    suite::stream::run_all(async || tls.wrap(landline::pipe()).await).await;
    suite::run_all(async || tls.wrap_shared(landline::pipe()).await).await;
}
