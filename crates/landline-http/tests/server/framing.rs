//! What RFC 9112 calls an error is answered with an error, or with the end of the conn, and has no handler.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Request, Response};
use http_body_util::BodyExt as _;
use landline_http::Body;
use landline_http::server::{RequestBody, Server, Serving, handle};

use super::{one, say};

/// Reads the whole body; counts those it had whole.
async fn serve(seen: &Arc<AtomicUsize>) -> Serving {
    let seen = seen.clone();
    let service = handle(move |request: Request<RequestBody>| {
        let seen = seen.clone();
        async move {
            let Ok(body) = request.into_body().collect().await else { return Response::new(Body::empty()) };
            seen.fetch_add(1, Ordering::Relaxed);
            Response::new(Body::from(body.to_bytes()))
        }
    });
    let server = Server::new().transport(one()).max_head(16 * 1024);
    server.serve("tcp", "127.0.0.1:0", service).await.unwrap()
}

const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\n";

#[tokio::test]
async fn errors_are_refused_and_have_no_handler() {
    let seen = Arc::new(AtomicUsize::new(0));
    let serving = serve(&seen).await;
    let long = "a".repeat(20 * 1024);
    let many: String = (0..200).map(|index| format!("x-{index}: 1\r\n")).collect();
    let mut failed = Vec::new();
    for request in [
        // Section 2.2: the line, and what is around it.
        "\r\nGET\r\n\r\n",
        "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\rHost: a\r\n\r\n",
        "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
        "G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        "GET / HTTP/0.9\r\nHost: a\r\n\r\n",
        "GET / http/1.1\r\nHost: a\r\n\r\n",
        "GET /\r\n\r\n",
        // Section 3.2: the target and the host.
        "GET a HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
        "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
        // Section 5: fields.
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nx y: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nx: 1\r\n 2\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nx: 1\0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nx: 1\r2\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nx\r\n\r\n",
        // Section 6: lengths.
        &format!("{POST}Content-Length: +1\r\n\r\na"),
        &format!("{POST}Content-Length: -1\r\n\r\na"),
        &format!("{POST}Content-Length: 0x1\r\n\r\na"),
        &format!("{POST}Content-Length: 1 1\r\n\r\na"),
        &format!("{POST}Content-Length: 1,2\r\n\r\na"),
        &format!("{POST}Content-Length:\r\n\r\na"),
        &format!("{POST}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        &format!("{POST}Content-Length: 99999999999999999999\r\n\r\na"),
        &format!("{POST}Transfer-Encoding: gzip\r\n\r\na"),
        &format!("{POST}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
        &format!("{POST}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        &format!("{POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
        &format!("{POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        &format!("{POST}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
        &format!("{POST}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        // Section 7.1: chunks.
        &format!("{POST}Transfer-Encoding: chunked\r\n\r\nx\r\n\r\n"),
        &format!("{POST}Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n"),
        &format!("{POST}Transfer-Encoding: chunked\r\n\r\n-1\r\na\r\n0\r\n\r\n"),
        &format!("{POST}Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n"),
        &format!("{POST}Transfer-Encoding: chunked\r\n\r\n1\na\n0\n\n"),
        &format!("{POST}Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\na"),
        &format!("{POST}Transfer-Encoding: chunked\r\n\r\n\r\na\r\n0\r\n\r\n"),
        &format!("{POST}Transfer-Encoding: chunked\r\n\r\n1;{long}\r\na\r\n0\r\n\r\n"),
        // Too much of it.
        &format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"),
        &format!("GET / HTTP/1.1\r\nHost: a\r\nx: {long}\r\n\r\n"),
        &format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"),
    ] {
        let request = format!("{request}GET /smuggled HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let answer = say(&serving, &request).await;
        let shown = &request[..request.len().min(120)];
        let statuses: Vec<&str> =
            answer.match_indices("HTTP/1.1 ").map(|(at, it)| &answer[at + it.len()..][..3]).collect();
        let is_well = match statuses[..] {
            [] => true,
            // The head is one, so there is a handler, which fails to read the body.
            ["200"] => is_broken_body(&request),
            [one] => ["400", "414", "431", "505"].contains(&one),
            _ => false,
        };
        if !is_well || seen.load(Ordering::Relaxed) > 0 {
            failed.push(format!("{shown:?}: {answer:?}"));
            seen.store(0, Ordering::Relaxed);
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

/// What is wrong comes behind the head.
fn is_broken_body(request: &str) -> bool {
    request.contains("Transfer-Encoding: chunked\r\n\r\n") && !request.contains("HTTP/1.0")
}

#[tokio::test]
async fn both_lengths_end_the_conn_behind_the_request() {
    let seen = Arc::default();
    let serving = serve(&seen).await;
    for lengths in
        ["Content-Length: 5\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 5"]
    {
        let request = format!("{POST}{lengths}\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
        let answer = say(&serving, request).await;
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{lengths}: {answer}");
        assert!(answer.to_ascii_lowercase().contains("connection: close"), "{lengths}: {answer}");
    }
}

#[tokio::test]
async fn what_is_allowed_is_served() {
    let seen = Arc::default();
    let serving = serve(&seen).await;
    let close = "Connection: close\r\n";
    for (request, body) in [
        (format!("{POST}{close}Content-Length: 2\r\n\r\nhi"), "hi"),
        (format!("{POST}{close}Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi"), "hi"),
        (format!("{POST}{close}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"), "hi"),
        (format!("{POST}{close}Transfer-Encoding: Chunked\r\n\r\n2;a=b\r\nhi\r\n0\r\nx: y\r\n\r\n"), "hi"),
        (format!("\r\n{POST}{close}Content-Length: 2\r\n\r\nhi"), "hi"),
        ("POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi".to_owned(), "hi"),
        (format!("POST http://a/b HTTP/1.1\r\nHost: a\r\n{close}Content-Length: 2\r\n\r\nhi"), "hi"),
        (format!("OPTIONS * HTTP/1.1\r\nHost: a\r\n{close}\r\n"), ""),
    ] {
        let answer = say(&serving, &request).await;
        let (head, got) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{request:?}: {answer:?}"));
        assert!(head.starts_with("HTTP/1.") && head.contains(" 200 "), "{request:?}: {answer:?}");
        assert_eq!(got, body, "{request:?}");
    }
}
