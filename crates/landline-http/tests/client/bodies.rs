//! What is sent, and what comes.

use std::time::Duration;

use async_compression::tokio::bufread::{BrotliEncoder, GzipEncoder, ZstdEncoder};
use http::{Method, Request, header};
use landline_http::client::{Body, Client, ErrorKind};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::harness::{Then, ok, serve, with};

async fn compressed(coding: &str, text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match coding {
        "gzip" => GzipEncoder::new(text).read_to_end(&mut out).await.unwrap(),
        "br" => BrotliEncoder::new(text).read_to_end(&mut out).await.unwrap(),
        _ => ZstdEncoder::new(text).read_to_end(&mut out).await.unwrap(),
    };
    out
}

#[tokio::test]
async fn compressed_bodies_are_decoded_and_their_conn_kept() {
    let text = "landline ".repeat(10_000);
    for coding in ["gzip", "br", "zstd"] {
        let body = compressed(coding, text.as_bytes()).await;
        let server = serve(move |_| (with(200, &[("content-encoding", coding)], &body), Then::Keep)).await;
        let client = Client::new();
        let response = client.get(&server.at("/")).await.unwrap();
        assert!(!response.headers().contains_key(header::CONTENT_ENCODING));
        let peer = response.body().conn_info().peer_addr.as_ref().unwrap().to_string();
        assert_eq!(server.at(""), format!("http://{peer}"));
        assert_eq!(response.into_body().text(1 << 20).await.unwrap(), text, "{coding}");
        assert_eq!(client.conns(), (1, 1), "{coding}");
        let error = client.get(&server.at("/")).await.unwrap().into_body().bytes(1000).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TooLong(1000)), "{error}");
        // Who asks for it gets what was sent.
        let request = Request::get(server.at("/")).header(header::ACCEPT_ENCODING, coding).body(()).unwrap();
        let response = client.send(request).await.unwrap();
        assert_eq!(response.headers()[header::CONTENT_ENCODING], coding);
        // Even in the client's own words.
        let words = server.seen()[0].header("accept-encoding").unwrap().to_owned();
        let request = Request::get(server.at("/")).header(header::ACCEPT_ENCODING, words).body(()).unwrap();
        let response = client.send(request).await.unwrap();
        assert_eq!(response.headers()[header::CONTENT_ENCODING], coding);
    }
}

#[tokio::test]
async fn what_only_claims_to_be_compressed_is_an_error() {
    for coding in ["gzip", "br", "zstd"] {
        let mut body = compressed(coding, &[7; 5000]).await;
        body.truncate(body.len() / 2);
        for body in [b"plain text that is no such thing".to_vec(), body] {
            let server =
                serve(move |_| (with(200, &[("content-encoding", coding)], &body), Then::Keep)).await;
            let error = Client::new().get(&server.at("/")).await.unwrap().into_body().bytes(1 << 20).await;
            assert!(matches!(error.as_ref().unwrap_err().kind(), ErrorKind::Body(_)), "{coding} {error:?}");
        }
    }
}

#[tokio::test]
async fn bodies_are_sent_with_a_length_or_in_chunks() {
    let server = serve(|seen| (ok(&seen.body.escape_ascii().to_string()), Then::Keep)).await;
    let client = Client::new();
    for (body, expected) in [
        (Body::empty(), ""),
        (Body::from("data"), "data"),
        (Body::from_reader(&b"data"[..], Some(4)), "data"),
        (Body::from_reader(&b"data"[..], None), "4\\r\\ndata\\r\\n0\\r\\n\\r\\n"),
    ] {
        let request = Request::post(server.at("/")).body(body).unwrap();
        let response = client.send(request).await.unwrap();
        assert_eq!(response.into_body().text(99).await.unwrap(), expected);
    }
    assert_eq!(server.conns(), 1);
    for length in [3, 5] {
        let body = Body::from_reader(&b"data"[..], Some(length));
        let error = client.send(Request::post(server.at("/")).body(body).unwrap()).await.unwrap_err();
        assert!(error.to_string().contains("than announced"), "{error}");
    }
}

#[tokio::test]
async fn a_body_waits_for_the_server_to_want_it() {
    let server = serve(|seen| match seen.target() {
        "/refuse" => (with(417, &[], b""), Then::Hang),
        _ => (ok(&String::from_utf8_lossy(&seen.body)), Then::Keep),
    })
    .await;
    for (path, timeout, status, body) in [
        ("/continue", Duration::from_secs(600), 200, "data"),
        ("/silent", Duration::from_millis(20), 200, "data"),
        ("/refuse", Duration::from_secs(600), 417, ""),
    ] {
        let client = Client::new().continue_timeout(timeout);
        let request = Request::builder().method(Method::PUT).uri(server.at(path));
        let request = request.header(header::EXPECT, "100-continue").body("data").unwrap();
        let response = client.send(request).await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.into_body().text(99).await.unwrap(), body);
        // A conn whose request was never finished is of no use.
        assert_eq!(client.conns().1, usize::from(status == 200), "{path}");
    }
}

#[tokio::test]
async fn a_body_goes_on_after_the_head_of_the_response() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (received, all) = tokio::sync::oneshot::channel();
    let server = tokio::spawn(async move {
        let mut conn = BufReader::new(listener.accept().await.unwrap().0);
        while conn.read_line(&mut String::new()).await.unwrap() > 2 {}
        conn.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n").await.unwrap();
        let mut body = vec![0; 100_000];
        conn.read_exact(&mut body).await.unwrap();
        received.send(body).unwrap();
        conn.write_all(b"done").await.unwrap();
        conn
    });
    let (reader, mut writer) = tokio::io::duplex(64);
    let client = Client::new();
    let request = Request::post(url).body(Body::from_reader(reader, Some(100_000))).unwrap();
    let response = client.send(request).await.unwrap();
    // Nobody reads the response yet.
    writer.write_all(&[7; 100_000]).await.unwrap();
    assert_eq!(all.await.unwrap(), [7; 100_000]);
    assert_eq!(response.into_body().text(9).await.unwrap(), "done");
    assert_eq!(client.conns(), (1, 1));
    drop(server.await.unwrap());
}
