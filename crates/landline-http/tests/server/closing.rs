//! Conns that end while their client is still sending.

use std::time::Duration;

use conntest::tls::SelfSigned;
use http::{Request, Response};
use landline::{Conn, TlsConn};
use landline_http::Body;
use landline_http::server::{RequestBody, Server, Serving, handle};
use tokio::io::AsyncReadExt as _;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::{PATIENCE, dial, one, rest, serve_word};

/// Sends all of it piece by piece, and only then reads. Where the conn was reset meanwhile, writes fail and what had come
/// is lost.
async fn say_slowly(conn: Conn, head: &str, more: usize) -> String {
    conn.write_all(head.as_bytes()).await.unwrap();
    let piece = vec![b'x'; 64 << 10];
    for _ in 0..more.div_ceil(piece.len()) {
        sleep(Duration::from_millis(2)).await;
        timeout(PATIENCE, conn.write_all(&piece)).await.expect("somebody reads").unwrap();
    }
    conn.close_write().unwrap();
    rest(&conn).await
}

#[tokio::test]
async fn whoever_is_still_sending_reads_all_of_the_last_answer() {
    let early = handle(async |_: Request<RequestBody>| Response::new(Body::from("early")));
    let server = Server::new().transport(one()).max_body(20 << 20).max_head(16 << 10);
    let serving = server.serve("tcp", "127.0.0.1:0", early).await.unwrap();
    for (head, status, end) in [
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n", "413 ", "the body is too long"),
        ("POST / HTTP/1.1\r\nContent-Length: 8000000\r\n\r\n", "400 ", "no Host"),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8388608\r\n\r\n", "200 ", "early"),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n800000\r\n", "200 ", "early"),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET", "200 ", "early"),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n", "400 ", "\r\n\r\n"),
        ("GET / HTTP/1.1\r\nX: ", "431 ", "\r\n\r\n"),
    ] {
        let answer = say_slowly(dial(&serving).await, head, 8 << 20).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.ends_with(end),
            "{head}: {answer}"
        );
    }
}

#[tokio::test]
async fn a_body_that_turns_out_to_be_too_long_is_heard_to_its_end() {
    use http_body_util::BodyExt as _;
    let reads = handle(async |request: Request<RequestBody>| {
        let status = if request.into_body().collect().await.is_ok() { 200 } else { 413 };
        Response::builder().status(status).body(Body::from("read")).unwrap()
    });
    let server = Server::new().transport(one()).max_body(1000);
    let serving = server.serve("tcp", "127.0.0.1:0", reads).await.unwrap();
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n800000\r\n";
    let answer = say_slowly(dial(&serving).await, head, 8 << 20).await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.ends_with("read"), "{answer}");
}

#[tokio::test]
async fn so_it_is_with_tls() {
    let own = SelfSigned::new("localhost");
    let serving = serve_word(Server::new().max_body(10).tls(own.server(&[b"http/1.1"]))).await;
    let trust = std::sync::Arc::new(own.client());
    let tls = TlsConn::connect(dial(&serving).await, "localhost", trust).await.unwrap();
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n";
    let answer = say_slowly(tls.into(), head, 8 << 20).await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.ends_with("the body is too long"), "{answer}");
}

/// RFC 9113 section 4.1.
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [&[0], &length[..], &[kind, flags, 0, 0, 0, stream], payload].concat()
}

#[tokio::test]
async fn so_it_is_with_http2() {
    let early = handle(async |_: Request<RequestBody>| Response::new(Body::from("early")));
    let serving = Server::new().transport(one()).serve("tcp", "127.0.0.1:0", early).await.unwrap();
    let conn = dial(&serving).await;
    // POST http://a/, with a body to come.
    let head = frame(1, 4, 1, &[0x83, 0x86, 0x84, 0x41, 1, b'a']);
    let begin = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(4, 0, 0, &[])[..], &head].concat();
    conn.write_all(&begin).await.unwrap();
    let answered = Notify::new();
    let talking = async {
        let mut kinds = Vec::new();
        let mut head = [0; 9];
        while (&conn).read_exact(&mut head).await.is_ok() {
            let mut payload = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
            (&conn).read_exact(&mut payload).await.unwrap();
            kinds.push(head[3]);
            match (head[3], head[4]) {
                // All of the response is there, and nobody will read the body.
                (0, 1) => answered.notify_one(),
                (6, 0) => conn.write_all(&frame(6, 1, 0, &payload)).await.unwrap(),
                _ => {}
            }
        }
        assert!(kinds.contains(&7), "GOAWAY among {kinds:?}");
        for _ in 0..20 {
            conn.write_all(&frame(0, 0, 1, &[b'x'; 10_000])).await.expect("somebody hears it");
            sleep(Duration::from_millis(5)).await;
        }
        conn.close().unwrap();
    };
    let draining = async {
        answered.notified().await;
        serving.shutdown(PATIENCE).await
    };
    let ((), drained) = timeout(PATIENCE, async { tokio::join!(talking, draining) }).await.expect("it ends");
    assert_eq!((drained.finished, drained.cut), (1, 0));
}

async fn until_no_conns(serving: &Serving) {
    let waiting = async {
        while serving.counters().total().conns > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{:?}", serving.counters()));
}

/// A conn whose request was refused, so that the server waits for its end.
async fn refused(serving: &Serving) -> Conn {
    let conn = dial(serving).await;
    conn.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n").await.unwrap();
    let answer = rest(&conn).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    conn
}

#[tokio::test]
async fn nobody_is_heard_for_ever() {
    let server = Server::new().max_body(10).linger_timeout(Duration::from_millis(500));
    let serving = serve_word(server).await;
    let conn = refused(&serving).await;
    // As long as somebody hears it.
    let sending = async {
        while conn.write_all(&[b'x'; 1000]).await.is_ok() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, sending).await.expect("it ends");
    until_no_conns(&serving).await;
}

#[tokio::test]
async fn a_client_that_closes_is_not_waited_for() {
    let serving = serve_word(Server::new().max_body(10).linger_timeout(Duration::from_secs(3600))).await;
    drop(refused(&serving).await);
    until_no_conns(&serving).await;
    // Nor one that has sent all.
    let conn = dial(&serving).await;
    conn.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    assert!(rest(&conn).await.ends_with("GET /"));
    until_no_conns(&serving).await;
}

#[tokio::test]
async fn the_end_of_a_drain_does_not_wait_for_it() {
    let serving = serve_word(Server::new().max_body(10)).await;
    let _conn = refused(&serving).await;
    let drained = timeout(PATIENCE, serving.shutdown(Duration::from_millis(100))).await.unwrap();
    assert_eq!((drained.finished, drained.cut), (0, 1));
}
