//! Time limits, phase by phase.

use std::time::Duration;

use landline::Context;
use landline_http::client::{Client, ErrorKind, Phase};

use crate::harness::{Then, serve};

const SHORT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_server_that_says_nothing() {
    let server = serve(|_| (Vec::new(), Then::Hang)).await;
    let url = server.at("/");
    let head = Client::new().head_timeout(SHORT).get(&url).await.unwrap_err();
    assert!(matches!(head.kind(), ErrorKind::Timeout(Phase::Head)), "{head}");
    server.closed().await;
    let total = Client::new().timeout(SHORT).get(&url).await.unwrap_err();
    assert_eq!(total.to_string(), format!("GET {url}: timeout: not done in the time for all of it"));
    assert!(total.is_timeout());
    let context = Context::background().with_timeout(SHORT);
    let request = http::Request::get(&url).body(()).unwrap();
    let ended = Client::new().send_in(&context, request).await.unwrap_err();
    assert!(matches!(ended.kind(), ErrorKind::Ended(_)) && ended.is_timeout(), "{ended}");
}

#[tokio::test]
async fn a_server_that_stops_in_the_middle() {
    let server = serve(|_| (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".to_vec(), Then::Hang)).await;
    for (client, phase) in [
        (Client::new().body_timeout(SHORT), Phase::Body),
        (Client::new().timeout(Duration::from_millis(500)), Phase::Total),
    ] {
        let error = client.get(&server.at("/")).await.unwrap().into_body().bytes(99).await.unwrap_err();
        assert!(error.is_timeout(), "{error}");
        assert_eq!(matches!(error.kind(), ErrorKind::Timeout(Phase::Body)), phase == Phase::Body, "{error}");
        assert_eq!(client.conns(), (0, 0));
    }
}

#[tokio::test]
async fn a_server_that_shakes_no_hands() {
    let server = serve(|_| (Vec::new(), Then::Hang)).await;
    let url = server.at("/").replace("http:", "https:");
    let error = Client::new().tls_timeout(SHORT).get(&url).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout(Phase::Tls)) && error.is_connect(), "{error}");
}

#[tokio::test]
async fn answers_that_are_none() {
    for bad in [
        "HTTP/1.1 abc OK\r\n\r\n".to_owned(),
        "SSH-2.0-OpenSSH\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx".to_owned(),
        format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(2 << 20)),
    ] {
        let answer = bad.clone();
        let server = serve(move |_| (answer.clone().into_bytes(), Then::Close)).await;
        let error = Client::new().get(&server.at("/")).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Protocol(_)), "{} {error}", &bad[..20]);
    }
}
