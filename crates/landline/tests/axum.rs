//! An axum app on landline's listeners, and hyper-util's client on landline's dialer.

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use landline::{Addr, Dialer, ListenConfig};
use tokio::io::AsyncReadExt;

async fn serve(listener: landline::Listener) {
    let app = Router::new()
        .route("/", get(async || "hello"))
        .route("/peer", get(async |ConnectInfo(peer): ConnectInfo<Addr>| peer.to_string()));
    axum::serve(listener, app.into_make_service_with_connect_info::<Addr>()).await.unwrap();
}

async fn request(conn: landline::Conn, path: &str) -> String {
    let mut conn = conn;
    conn.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let mut answer = String::new();
    conn.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn an_app_is_served_over_tcp_and_sees_its_peer() {
    let listener = ListenConfig::new().listen("tcp", "127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    let server = tokio::spawn(serve(listener));

    let conn = Dialer::new().dial("tcp", &addr).await.unwrap();
    let answer = request(conn, "/").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"), "{answer}");

    let conn = Dialer::new().dial("tcp", &addr).await.unwrap();
    let ours = conn.local_addr().unwrap().to_string();
    assert!(request(conn, "/peer").await.ends_with(&ours));
    server.abort();
}

#[tokio::test]
async fn an_app_is_served_over_a_unix_socket() {
    let listener = ListenConfig::new().listen("unix", "").await.unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    let server = tokio::spawn(serve(listener));
    let conn = Dialer::new().dial("unix", &addr).await.unwrap();
    assert!(request(conn, "/").await.ends_with("hello"));
    server.abort();
}
