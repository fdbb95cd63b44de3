//! Requests that change the protocol of their conn.

use http::Request;
use landline_http::client::{Body, Client};
use landline_http::reverse_proxy::ReverseProxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{LONG, Running, backend, front, header, read_head, read_until, say};

/// Changes to `protocol`, says hello in the same packet, and repeats what it hears.
async fn upgrading(protocol: &'static str) -> Running {
    backend(move |mut stream| async move {
        let head = read_head(&mut stream).await.unwrap();
        assert_eq!(header(&head, "upgrade"), Some("echo, shout"), "{head}");
        assert!(header(&head, "connection").unwrap().to_lowercase().contains("upgrade"), "{head}");
        let reply = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\nX-Key: k\r\n\r\nhello\n"
        );
        stream.write_all(reply.as_bytes()).await.unwrap();
        let (mut read, mut write) = stream.split();
        tokio::io::copy(&mut read, &mut write).await.unwrap();
    })
    .await
}

const ASK: &str =
    "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: echo, shout\r\n\r\n";

#[tokio::test]
async fn bytes_go_both_ways_until_both_ends_have_closed() {
    let backend = upgrading("echo").await;
    let front = front(ReverseProxy::new([backend.url()]).unwrap()).await;
    let talk = async {
        let mut stream = TcpStream::connect(&front.address).await.unwrap();
        // What comes with the request belongs to the new protocol.
        stream.write_all(format!("{ASK}early\n").as_bytes()).await.unwrap();
        let head = read_until(&mut stream, "\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert_eq!((header(&head, "upgrade"), header(&head, "x-key")), (Some("echo"), Some("k")));
        assert_eq!(header(&head, "connection"), Some("upgrade"));
        assert_eq!(read_until(&mut stream, "early\n").await, "hello\nearly\n");
        let big = vec![b'x'; 1 << 20];
        let (mut read, mut write) = stream.split();
        let mut back = Vec::new();
        let (sent, got) = tokio::join!(
            async {
                write.write_all(&big).await?;
                write.shutdown().await
            },
            read.read_to_end(&mut back)
        );
        sent.unwrap();
        got.unwrap();
        assert!(back == big, "{} bytes", back.len());
    };
    timeout(LONG, talk).await.expect("it talks");
}

#[tokio::test]
async fn an_answer_that_is_no_upgrade_is_passed_on() {
    let backend = backend(|mut stream| async move {
        let _ = read_head(&mut stream).await;
        let reply = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno";
        stream.write_all(reply).await.unwrap();
    })
    .await;
    let front = front(ReverseProxy::new([backend.url()]).unwrap()).await;
    let answer = say(&front, &ASK.replace("keep-alive", "close")).await;
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.ends_with("no"), "{answer}");
}

#[tokio::test]
async fn a_protocol_that_was_not_asked_for_is_no_answer() {
    let backend = upgrading("telnet").await;
    let front = front(ReverseProxy::new([backend.url()]).unwrap()).await;
    let answer = say(&front, &ASK.replace("keep-alive", "close")).await;
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    assert_eq!(header(&answer, "proxy-status"), Some("landline; error=http_upgrade_failed"));
}

#[tokio::test]
async fn the_client_gives_the_conn_away() {
    let backend = upgrading("echo").await;
    let client = Client::new();
    let request =
        Request::get(backend.url()).header("connection", "upgrade").header("upgrade", "echo, shout");
    let response = client.send(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 101);
    assert_eq!(client.conns(), (0, 0));
    let mut upgraded = response.into_body().into_upgraded().unwrap();
    upgraded.write_all(b"through\n").await.unwrap();
    let said = timeout(LONG, read_until(&mut upgraded, "through\n")).await.expect("an answer");
    assert_eq!(said, "hello\nthrough\n");
    let (conn, unread) = upgraded.into_parts();
    assert!(unread.is_empty());
    conn.close_write().unwrap();
    let mut rest = Vec::new();
    (&conn).read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty());
}
