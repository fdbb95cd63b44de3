//! What any conn must do, tried on all of landline's.

mod adapter;

use adapter::Tried;
use conntest::suite;
use landline::TcpConn;

async fn tcp_pair(host: &str) -> (TcpConn, TcpConn) {
    let listener = tokio::net::TcpListener::bind((host, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (dialled, accepted) = tokio::join!(tokio::net::TcpStream::connect(addr), listener.accept());
    (TcpConn::from_tokio(dialled.unwrap()).unwrap(), TcpConn::from_tokio(accepted.unwrap().0).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tcp_conns_do_what_any_conn_must() {
    suite::run_all(async || {
        let (a, b) = tcp_pair("127.0.0.1").await;
        (Tried(a), Tried(b))
    })
    .await;
}

#[tokio::test]
async fn tcp_conns_do_it_on_one_thread_and_over_ipv6() {
    suite::run_all(async || {
        let (a, b) = tcp_pair("::1").await;
        (Tried(a), Tried(b))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tcp_conns_are_byte_streams() {
    suite::stream::run_all(async || tcp_pair("127.0.0.1").await).await;
}
