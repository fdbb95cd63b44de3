//! Bodies: streamed both ways, with trailers, and ended when one side leaves.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use landline_http::reverse_proxy::ReverseProxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::harness::{LONG, backend, front, header, read_head, read_until, say};

#[tokio::test]
async fn bodies_stream_both_ways_with_trailers() {
    let backend = backend(|mut stream| async move {
        let head = read_head(&mut stream).await.unwrap();
        assert_eq!(header(&head, "transfer-encoding"), Some("chunked"), "{head}");
        assert_eq!(header(&head, "trailer"), Some("x-sum"), "{head}");
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n")
            .await
            .unwrap();
        // Each chunk as it comes: neither side waits for the whole.
        for chunk in ["3\r\none\r\n", "3\r\ntwo\r\n"] {
            assert_eq!(read_until(&mut stream, chunk).await, chunk);
            stream.write_all(chunk.as_bytes()).await.unwrap();
        }
        let end = read_until(&mut stream, "\r\n\r\n").await;
        assert_eq!(end.to_lowercase(), "0\r\nx-sum: 6\r\n\r\n");
        stream.write_all(end.as_bytes()).await.unwrap();
    })
    .await;
    let front = front(ReverseProxy::new([backend.url()]).unwrap()).await;
    let mut stream = TcpStream::connect(&front.address).await.unwrap();
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\nConnection: te\r\n\
                Trailer: x-sum\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(b"3\r\none\r\n").await.unwrap();
    let talk = async {
        let head = read_until(&mut stream, "\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert_eq!(read_until(&mut stream, "one\r\n").await, "3\r\none\r\n");
        stream.write_all(b"3\r\ntwo\r\n").await.unwrap();
        assert_eq!(read_until(&mut stream, "two\r\n").await, "3\r\ntwo\r\n");
        stream.write_all(b"0\r\nx-sum: 6\r\n\r\n").await.unwrap();
        assert_eq!(read_until(&mut stream, "\r\n\r\n").await.to_lowercase(), "0\r\nx-sum: 6\r\n\r\n");
    };
    timeout(LONG, talk).await.expect("it streams");
}

#[tokio::test]
async fn a_chunked_body_of_a_get_is_kept() {
    let backend = backend(|mut stream| async move {
        let _ = read_head(&mut stream).await;
        let body = read_until(&mut stream, "0\r\n\r\n").await;
        let reply =
            format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(reply.as_bytes()).await.unwrap();
    })
    .await;
    let front = front(ReverseProxy::new([backend.url()]).unwrap()).await;
    let get = "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let answer = say(&front, get).await;
    assert!(answer.ends_with("\r\n\r\n3\r\nabc\r\n0\r\n\r\n"), "{answer}");
}

/// A backend that begins to answer and says when its client has left.
async fn endless(gone: Arc<Notify>) -> crate::harness::Running {
    backend(move |mut stream| {
        let gone = gone.clone();
        async move {
            let _ = read_head(&mut stream).await;
            let reply = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc";
            stream.write_all(reply).await.unwrap();
            let _ = stream.read_to_end(&mut Vec::new()).await;
            gone.notify_one();
        }
    })
    .await
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_request() {
    let gone = Arc::new(Notify::new());
    let backend = endless(gone.clone()).await;
    let front = front(ReverseProxy::new([backend.url()]).unwrap()).await;
    let mut stream = TcpStream::connect(&front.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    timeout(LONG, read_until(&mut stream, "abc")).await.expect("it has begun");
    drop(stream);
    timeout(LONG, gone.notified()).await.expect("the backend's conn is closed");
}

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_ends_the_request() {
    let (asked, gone) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let told = (asked.clone(), gone.clone());
    let backend = backend(move |mut stream| {
        let (asked, gone) = told.clone();
        async move {
            let _ = read_head(&mut stream).await;
            asked.notify_one();
            let _ = stream.read_to_end(&mut Vec::new()).await;
            gone.notify_one();
        }
    })
    .await;
    let front = front(ReverseProxy::new([backend.url()]).unwrap()).await;
    let mut stream = TcpStream::connect(&front.address).await.unwrap();
    // Its body never ends.
    stream.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc").await.unwrap();
    timeout(LONG, asked.notified()).await.expect("it has arrived");
    drop(stream);
    timeout(LONG, gone.notified()).await.expect("the backend's conn is closed");
}

#[tokio::test]
async fn the_total_limit_holds_for_the_body() {
    let gone = Arc::new(Notify::new());
    let backend = endless(gone.clone()).await;
    let proxy = ReverseProxy::new([backend.url()]).unwrap().timeout(Duration::from_millis(300));
    let front = front(proxy).await;
    let answer = say(&front, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    // Slow machines may not get as far as the head.
    assert!(answer.ends_with("abc") || answer.starts_with("HTTP/1.1 504 "), "{answer}");
    timeout(LONG, gone.notified()).await.expect("the backend's conn is closed");
}

#[tokio::test]
async fn a_reader_that_is_slow_costs_little_memory() {
    const PIECE: usize = 64 * 1024;
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    let backend = backend(move |mut stream| {
        let count = count.clone();
        async move {
            let _ = read_head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n").await.unwrap();
            while stream.write_all(&[0; PIECE]).await.is_ok() {
                count.fetch_add(PIECE, Ordering::SeqCst);
            }
        }
    })
    .await;
    let front = front(ReverseProxy::new([backend.url()]).unwrap()).await;
    let mut stream = TcpStream::connect(&front.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    timeout(LONG, read_until(&mut stream, "\r\n\r\n")).await.expect("a head");
    // Until nothing moves any more; what the kernel holds of four sockets is a few MB.
    let settled = async {
        let mut before = usize::MAX;
        while before != sent.load(Ordering::SeqCst) {
            before = sent.load(Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(LONG, settled).await.expect("it stops");
    let held = sent.load(Ordering::SeqCst);
    assert!(held < 64 << 20, "{held} bytes are on their way");
}

#[tokio::test]
async fn a_body_waits_until_the_backend_wants_it() {
    let backend = backend(|mut stream| async move {
        let head = read_head(&mut stream).await.unwrap();
        assert_eq!(header(&head, "expect"), Some("100-continue"), "{head}");
        let reply = if head.starts_with("PUT /wanted ") {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.unwrap();
            assert_eq!(read_until(&mut stream, "hello").await, "hello");
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        } else {
            "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        };
        stream.write_all(reply.as_bytes()).await.unwrap();
        // Not a byte of a body that is not wanted.
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        assert!(rest.is_empty());
    })
    .await;
    let front = front(ReverseProxy::new([backend.url()]).unwrap()).await;
    for (path, answers) in [("/wanted", &["100", "200"][..]), ("/unwanted", &["413"])] {
        let mut stream = TcpStream::connect(&front.address).await.unwrap();
        let head =
            format!("PUT {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        for status in answers {
            let answer = timeout(LONG, read_until(&mut stream, "\r\n\r\n")).await.expect("an answer");
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path} {answer}");
            if *status == "100" {
                stream.write_all(b"hello").await.unwrap();
            }
        }
    }
}
