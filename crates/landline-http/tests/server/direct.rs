//! What is answered without hyper is answered as by hyper, and nobody is asked twice.

use std::collections::VecDeque;
use std::io;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use landline::Conn;
use landline_http::server::{RequestBody, Server, Serving, handle};
use pin_project_lite::pin_project;

use super::{PATIENCE, dial, one, rest, until};

pin_project! {
    /// A body that must stay where it is. Of its pieces some are there at once, others with the next poll, and others fail.
    struct Pieces {
        pieces: VecDeque<Piece>,
        length: Option<u64>,
        #[pin]
        stays: PhantomPinned,
    }
}

#[derive(Clone, Copy)]
enum Piece {
    Now(&'static str),
    Later(&'static str),
    Trailers,
    Fails,
    Panics,
}

use Piece::{Fails, Later, Now, Panics, Trailers};

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let pieces = self.project().pieces;
        let piece = match pieces.pop_front() {
            None => return Poll::Ready(None),
            Some(Later(piece)) => {
                pieces.push_front(Now(piece));
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some(Now(piece)) => Ok(Frame::data(piece.into())),
            Some(Trailers) => Ok(Frame::trailers(HeaderMap::new())),
            Some(Fails) => Err(io::Error::other("it fails")),
            Some(Panics) => panic!("it panics"),
        };
        Poll::Ready(Some(piece))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// Status, headers, body, and its length.
type Told<'a> = (u16, &'a [(&'a str, &'a str)], &'a [Piece], Option<u64>);

/// The responses that are compared, by their path.
fn answer(path: &str) -> Response<Pieces> {
    static LONG: &str = include_str!("direct.rs");
    let (status, headers, pieces, length): Told<'_> = match path {
        "/hello" => (200, &[("content-type", "text/plain")], &[Now("hello")], Some(5)),
        "/status" => (404, &[("x", "1"), ("X", "2"), ("x-empty", "")], &[Now("gone")], Some(4)),
        "/unknown-status" => (299, &[], &[Now("odd")], Some(3)),
        "/empty" => (200, &[], &[], Some(0)),
        "/length" => (200, &[("content-length", "5"), ("x", "1")], &[Now("hello")], Some(5)),
        "/date" => (200, &[("date", "Thu, 01 Jan 1970 00:00:00 GMT")], &[Now("old")], Some(3)),
        "/short" => (200, &[], &[Now(LONG.split_at(1024).0)], Some(1024)),
        "/long" => (200, &[], &[Now(LONG.split_at(1025).0)], Some(1025)),
        "/two" => (200, &[], &[Now("hel"), Now("lo")], Some(5)),
        "/later" => (200, &[], &[Later("hello")], Some(5)),
        "/rest-later" => (200, &[], &[Now("hel"), Later("lo")], Some(5)),
        "/none-then-end" => (200, &[], &[Now("hello"), Now("")], Some(5)),
        "/of-unknown-length" => (200, &[], &[Now("hel"), Later("lo")], None),
        "/no-content" => (204, &[], &[], Some(0)),
        "/reset-content" => (205, &[], &[], Some(0)),
        "/not-modified" => (304, &[("etag", "\"a\"")], &[], Some(0)),
        "/chunked" => (200, &[("transfer-encoding", "chunked")], &[Now("hello")], Some(5)),
        "/closes" => (200, &[("connection", "close")], &[Now("bye")], Some(3)),
        "/fails" => (200, &[], &[Fails], Some(5)),
        "/fails-later" => (200, &[], &[Now("hel"), Fails], Some(5)),
        "/panics" => (200, &[], &[Panics], Some(5)),
        "/trailers" => (200, &[], &[Trailers], Some(5)),
        "/none-of-it" => (200, &[], &[], Some(5)),
        "/too-short" => (200, &[], &[Now("hel")], Some(5)),
        "/too-long" => (200, &[], &[Now("hello!")], Some(5)),
        other => panic!("{other} has no response"),
    };
    let body = Pieces { pieces: pieces.iter().copied().collect(), length, stays: PhantomPinned };
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body).unwrap()
}

/// Serves these, each at once, or after a while with `?later`; and counts.
async fn serve() -> (Serving, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let service = handle(move |request: Request<RequestBody>| {
        counted.fetch_add(1, Relaxed);
        async move {
            if request.uri().query() == Some("later") {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            answer(request.uri().path())
        }
    });
    (Server::new().transport(one()).serve("tcp", "127.0.0.1:0", service).await.unwrap(), asked)
}

/// All that comes until nothing does, without the date, of which it is seen that it is now.
async fn heard(conn: &Conn) -> String {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(Ok(count @ 1..)) =
        tokio::time::timeout(Duration::from_millis(60), conn.read(&mut buffer)).await
    {
        all.extend(&buffer[..count]);
    }
    let text = String::from_utf8(all).unwrap();
    let Some((before, date)) = text.split_once("\r\ndate: ") else { return text };
    let (date, behind) = date.split_once("\r\n").unwrap();
    let date = httpdate::parse_http_date(date).unwrap();
    if date == SystemTime::UNIX_EPOCH {
        return text;
    }
    assert!(date.elapsed().is_ok_and(|age| age < PATIENCE), "{text}");
    format!("{before}\r\ndate: now\r\n{behind}")
}

#[tokio::test]
async fn a_response_is_the_same_with_and_without_hyper() {
    let (serving, asked) = serve().await;
    for path in [
        "/hello",
        "/status",
        "/unknown-status",
        "/empty",
        "/length",
        "/date",
        "/short",
        "/long",
        "/two",
        "/later",
        "/rest-later",
        "/none-then-end",
        "/of-unknown-length",
        "/no-content",
        "/reset-content",
        "/not-modified",
        "/chunked",
        "/closes",
        "/fails-later",
        "/none-of-it",
        "/too-short",
        "/too-long",
        "/hello?later",
        "/two?later",
        "/closes?later",
    ] {
        let mut answers = Vec::new();
        // An empty line before it leaves a request to hyper (RFC 9112 section 2.2).
        for before in ["", "\r\n"] {
            let conn = dial(&serving).await;
            let request = format!("{before}GET {path} HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n");
            let before = asked.load(Relaxed);
            conn.write_all(request.as_bytes()).await.unwrap();
            let first = heard(&conn).await;
            assert_eq!(asked.load(Relaxed), before + 1, "{path}");
            // Whatever comes next is answered as well.
            let _ = conn.write_all(request.as_bytes()).await;
            answers.push((first, heard(&conn).await));
        }
        assert!(answers[0].0.starts_with("HTTP/1.1 ") || path.starts_with("/fails"), "{path}");
        assert_eq!(answers[0], answers[1], "{path}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_its_word_ends_its_conn_alone() {
    let (serving, _) = serve().await;
    for (count, path) in (1..).zip(["/fails", "/panics", "/trailers"]) {
        let conn = dial(&serving).await;
        conn.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await.unwrap();
        // Not even the head, as by hyper.
        assert_eq!(rest(&conn).await, "", "{path}");
        until(&serving, |counters| counters.aborted == count).await;
    }
    assert_eq!(serving.http_counters().panicked, 1);
    assert_eq!(serving.counters().total().panicked, 0);
}

/// What the handler is shown of requests.
async fn seen(serving: &Serving, bytes: &str) -> String {
    let conn = dial(serving).await;
    conn.write_all(bytes.as_bytes()).await.unwrap();
    heard(&conn).await
}

#[tokio::test]
async fn a_request_is_the_same_with_and_without_hyper() {
    let service = handle(async |request: Request<RequestBody>| {
        let (head, body) = request.into_parts();
        assert!(head.extensions.is_empty());
        let mut shown = format!("{:?} {:?} {:?}", head.method, head.uri, head.version);
        for (name, value) in &head.headers {
            shown += &format!("|{name}={}", value.as_bytes().escape_ascii());
        }
        shown += &format!("|{:?} {}", body.size_hint().exact(), body.is_end_stream());
        Response::new(landline_http::Body::from(shown))
    });
    let serving = Server::new().transport(one()).serve("tcp", "127.0.0.1:0", service).await.unwrap();
    let many = (0..30).map(|number| format!("X-{number}: {number}\r\n")).collect::<String>();
    for head in [
        "GET / HTTP/1.1\r\nHost: a\r\n",
        "GET /a/b?c=d&e HTTP/1.1\r\nHost: a:80\r\nAccept: */*\r\naccept: text/*\r\n",
        "GET /%41%zz HTTP/1.1\r\nHOST:a\r\nX:\r\nY: \t z \t\r\n",
        "GET /a#b HTTP/1.1\r\nHost: a\r\n",
        "GET //a HTTP/1.1\r\nHost: a\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Keep-Alive\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nCookie: \"a\"; b=\u{fc}\r\n",
        "GET http://a/b HTTP/1.1\r\nHost: a\r\n",
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\u{0}b\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n",
        "GET / HTTP/1.1\nHost: a\n",
        "GET /a b HTTP/1.1\r\nHost: a\r\n",
        "GET  / HTTP/1.1\r\nHost: a\r\n",
        "GET / HTTP/1.2\r\nHost: a\r\n",
        "HEAD / HTTP/1.1\r\nHost: a\r\n",
        "DELETE / HTTP/1.1\r\nHost: a\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n",
        &format!("GET / HTTP/1.1\r\nHost: a\r\n{many}"),
        &format!("GET /{} HTTP/1.1\r\nHost: a\r\n", "a".repeat(8000)),
    ] {
        let direct = seen(&serving, &format!("{head}\r\n")).await;
        let by_hyper = seen(&serving, &format!("\r\n{head}\r\n")).await;
        assert_eq!(direct, by_hyper, "{head:?}");
        assert!(direct.starts_with("HTTP/1."), "{head:?}: {direct:?}");
    }
}

#[tokio::test]
async fn responses_keep_their_order_and_their_client() {
    let (serving, asked) = serve().await;
    // Several at once, with a slow one among them; in pieces; and with the last the client's end.
    let conn = dial(&serving).await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    conn.write_all(get("/hello").as_bytes()).await.unwrap();
    assert!(heard(&conn).await.ends_with("hello"));
    let all = [get("/status"), get("/hello?later"), get("/date"), get("/two")].concat();
    for piece in all.as_bytes().chunks(7) {
        conn.write_all(piece).await.unwrap();
        tokio::task::yield_now().await;
    }
    let text = heard(&conn).await;
    let bodies: Vec<_> =
        text.split("HTTP/1.1 ").map(|part| part.rsplit("\r\n\r\n").next().unwrap()).collect();
    assert_eq!(bodies, ["", "gone", "hello", "old", "hello"], "{text}");
    assert_eq!(asked.load(Relaxed), 5);
    until(&serving, |counters| counters.responses[1] == 4 && counters.responses[3] == 1).await;
    conn.close_write().unwrap();
    assert_eq!(rest(&conn).await, "");
    let counters = serving.http_counters();
    assert_eq!((counters.aborted, counters.in_flight), (0, 0));
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut() {
    let server = Server::new().transport(one()).write_timeout(Duration::from_millis(1));
    let service = handle(async |_: Request<RequestBody>| answer("/short"));
    let serving = server.serve("tcp", "127.0.0.1:0", service).await.unwrap();
    let conn = dial(&serving).await;
    // One by one, as what comes together is for hyper.
    let sending = async {
        while conn.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_micros(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, sending).await.expect("the server gives it up");
    until(&serving, |counters| counters.late == 1 && counters.in_flight == 0).await;
}
