//! Servers that send interim responses (1xx) and no final one.

use std::time::Duration;

use http::StatusCode;
use landline_http::client::{Client, ErrorKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::harness::{Then, ok, serve};

/// Longer than any of this takes.
const LONG: Duration = Duration::from_secs(60);

async fn flood(mut stream: TcpStream, piece: &[u8]) {
    let pieces = piece.repeat(64);
    // Until the client has had enough.
    while stream.write_all(&pieces).await.is_ok() {}
}

/// Waits until the client's request is there, and answers it with these pieces without end.
async fn flooding(greeting: &'static [u8], piece: &'static [u8]) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut conns = JoinSet::new();
        loop {
            let mut stream = listener.accept().await.unwrap().0;
            conns.spawn(async move {
                stream.write_all(greeting).await.unwrap();
                let mut heard = Vec::new();
                // The end of a head of HTTP/1.1, or a HEADERS frame of stream 1.
                let is_request = |heard: &[u8]| {
                    heard.ends_with(b"\r\n\r\n") && !heard.starts_with(b"PRI")
                        || heard.windows(6).any(|bytes| bytes[0] == 1 && bytes[2..] == [0, 0, 0, 1])
                };
                while !is_request(&heard) {
                    heard.push(stream.read_u8().await.unwrap());
                }
                flood(stream, piece).await;
            });
        }
    });
    (url, tasks)
}

async fn refused(client: Client, url: &str) -> String {
    let error = tokio::time::timeout(LONG, client.get(url)).await.expect("an end of it").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InterimLimit(_)), "{error:?}");
    assert!(!error.is_timeout() && !error.is_connect());
    assert_eq!(client.conns(), (0, 0), "{error}");
    error.to_string()
}

#[tokio::test]
async fn interim_responses_without_end_over_http1() {
    for piece in [&b"HTTP/1.1 100 Continue\r\n\r\n"[..], b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"] {
        let (url, _server) = flooding(b"", piece).await;
        assert_eq!(
            refused(Client::new(), &url).await,
            format!("GET {url}: interim responses without end: more than 2 MiB, and no final one")
        );
    }
}

#[tokio::test]
async fn interim_responses_without_end_over_http2() {
    // SETTINGS first; then `:status: 100`, a literal that is not indexed (RFC 7541 section 6.2.2), on stream 1.
    const INTERIM: &[u8] = b"\x00\x00\x05\x01\x04\x00\x00\x00\x01\x08\x03100";
    let (url, _server) = flooding(&[0, 0, 0, 4, 0, 0, 0, 0, 0], INTERIM).await;
    assert_eq!(
        refused(Client::new().http2_prior_knowledge(true), &url).await,
        format!("GET {url}: interim responses without end: more than 10000 on one conn, and no final one")
    );
}

#[tokio::test]
async fn interim_responses_before_a_final_one_are_passed_over() {
    let interim = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(200);
    // As long as it likes, as it is no head.
    let body = "x".repeat(8 << 20);
    let server = serve(move |_| ([&interim[..], &ok(&body)].concat(), Then::Keep)).await;
    let client = Client::new();
    for _ in 0..3 {
        let response = client.get(&server.at("/")).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.into_body().bytes(9 << 20).await.unwrap().len(), 8 << 20);
    }
    assert_eq!(server.conns(), 1);
}
