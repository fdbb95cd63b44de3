//! Bodies that handlers wait for: how long they may take, and what becomes of those that take longer.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt as _;
use landline_http::Body;
use landline_http::server::{RequestBody, Server, Serving, handle};
use tokio::time::{Instant, sleep};

use super::http2::{Peer, Step};
use super::{dial, one, response, rest, until};

/// Long enough for whoever is not kept waiting.
const LIMIT: Duration = Duration::from_secs(4);

/// Answers with the body; notes how it ended.
async fn serve(ends: &Arc<Mutex<Vec<bool>>>) -> Serving {
    let ends = ends.clone();
    let service = handle(move |request: Request<RequestBody>| {
        let ends = ends.clone();
        async move {
            let body = request.into_body().collect().await;
            ends.lock().unwrap().push(body.is_ok());
            Response::new(body.map_or_else(|_| Body::empty(), |body| Body::from(body.to_bytes())))
        }
    });
    Server::new().transport(one()).body_timeout(LIMIT).serve("tcp", "127.0.0.1:0", service).await.unwrap()
}

/// One after the other, each well within the limit and all together beyond it.
const PARTS: usize = 12;
const PAUSE: Duration = Duration::from_millis(400);

#[tokio::test]
async fn a_body_may_come_slowly() {
    let ends = Arc::default();
    let serving = serve(&ends).await;
    let conn = dial(&serving).await;
    conn.write_all(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {PARTS}\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let peer = Peer::open(&serving).await;
    peer.post(1, Step::Begin).await;
    let began = Instant::now();
    for _ in 0..PARTS {
        sleep(PAUSE).await;
        conn.write_all(b"x").await.unwrap();
        peer.post(1, Step::Part(b"x")).await;
    }
    assert!(began.elapsed() > LIMIT);
    peer.post(1, Step::End).await;
    assert!(response(&conn).await.ends_with(&format!("\r\n\r\n{}", "x".repeat(PARTS))));
    assert_eq!(peer.answer(1).await.body, b"x".repeat(PARTS));
    assert_eq!((serving.http_counters().late, &ends.lock().unwrap()[..]), (0, &[true, true][..]));
}

#[tokio::test]
async fn a_body_that_stops_coming_ends_the_conn_and_fails() {
    let ends = Arc::default();
    let serving = serve(&ends).await;
    let conn = dial(&serving).await;
    conn.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nxxx").await.unwrap();
    let peer = Peer::open(&serving).await;
    peer.post(1, Step::Begin).await;
    peer.post(1, Step::Part(b"x")).await;
    assert_eq!(rest(&conn).await, "");
    peer.end().await;
    until(&serving, |counters| (counters.late, counters.in_flight) == (2, 0)).await;
    // In HTTP/2 a handler may be dropped with its conn.
    let ends = ends.lock().unwrap();
    assert!(!ends.is_empty() && !ends.contains(&true), "{ends:?}");
}

#[tokio::test]
async fn a_handler_that_does_not_wait_takes_its_time() {
    let late = handle(async |request: Request<RequestBody>| {
        sleep(LIMIT + LIMIT / 2).await;
        Response::new(Body::from(request.into_body().collect().await.unwrap().to_bytes()))
    });
    let server = Server::new().transport(one()).body_timeout(LIMIT);
    let serving = server.serve("tcp", "127.0.0.1:0", late).await.unwrap();
    let conn = dial(&serving).await;
    conn.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nx").await.unwrap();
    sleep(LIMIT + LIMIT / 2).await;
    conn.write_all(b"yz").await.unwrap();
    assert!(response(&conn).await.ends_with("xyz"));
    assert_eq!(serving.http_counters().late, 0);
}
