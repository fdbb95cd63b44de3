//! Clients that are slow to take their responses, and what is kept for them meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Request, Response};
use hyper::body::Frame;
use landline_http::Body;
use landline_http::server::{RequestBody, Server, Serving, handle};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::{PATIENCE, dial, one, until};

const FRAME: usize = 64 << 10;
const SHORT: Duration = Duration::from_millis(300);

/// So many frames of this size; counts the bytes of those that were asked for.
fn frames(count: usize, size: usize, asked: Arc<AtomicU64>) -> Body {
    let frames = (0..count).map(move |_| {
        asked.fetch_add(size as u64, SeqCst);
        Ok::<_, std::io::Error>(Frame::data(Bytes::from(vec![b'x'; size])))
    });
    Body::wrap(http_body_util::StreamBody::new(futures_util::stream::iter(frames)))
}

#[tokio::test]
async fn little_is_kept_for_a_client_that_takes_nothing() {
    // Where the kernel stops depends on its own buffers: not in front of the last byte for all sizes.
    for size in [FRAME, 50_000, 30_011, 7_001] {
        let asked = Arc::<AtomicU64>::default();
        let long = handle({
            let asked = asked.clone();
            move |_| std::future::ready(Response::new(frames((256 << 20) / size, size, asked.clone())))
        });
        let server = Server::new().transport(one()).write_buffer(20_000);
        let serving = server.serve("tcp", "127.0.0.1:0", long).await.unwrap();
        let conn = dial(&serving).await;
        conn.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        // Until the kernel takes no more either; what is kept is never more.
        let (mut all, mut before, mut steady) = (0, 0, 0);
        while steady < 10 {
            sleep(Duration::from_millis(50)).await;
            all = asked.load(SeqCst);
            let sent = serving.http_counters().sent;
            // What it may be, and a frame that was begun before.
            assert!(all.saturating_sub(sent) <= 20_000 + size as u64, "{size}: {all} asked for, {sent} sent");
            steady = if sent == before && sent > 0 { steady + 1 } else { 0 };
            before = sent;
        }
        assert!(all < 200 << 20, "the client takes nothing");
    }
}

#[tokio::test]
async fn a_small_buffer_loses_nothing_and_stops_nowhere() {
    let long = handle(async |_| Response::new(frames(200, FRAME, Arc::default())));
    let server = Server::new().transport(one()).write_buffer(1);
    let serving = server.serve("tcp", "127.0.0.1:0", long).await.unwrap();
    let conn = dial(&serving).await;
    conn.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let text = super::rest(&conn).await;
    assert!(text.ends_with("\r\n0\r\n\r\n"), "{}", text.len());
    assert_eq!(text.matches("x\r\n").count(), 200);
    assert!(text.len() > 200 * FRAME);
}

/// Serves `/big`, of 1 MiB, and other words.
async fn serve(write_timeout: Duration) -> Serving {
    let answer = handle(async |request: Request<RequestBody>| {
        Response::new(match request.uri().path() {
            "/big" => Body::from(vec![b'x'; 1 << 20]),
            "/frames" => frames(16, FRAME, Arc::default()),
            _ => Body::from("small"),
        })
    });
    let server = Server::new().transport(one()).write_timeout(write_timeout);
    server.serve("tcp", "127.0.0.1:0", answer).await.unwrap()
}

/// A client that answers pings, and opens the windows of its streams only when it is told to.
async fn client(serving: &Serving, window: u32) -> (SendRequest<Bytes>, JoinHandle<()>) {
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(window).initial_connection_window_size(8 << 20);
    let (send, conn) = builder.handshake(dial(serving).await).await.unwrap();
    (send, tokio::spawn(async move { drop(conn.await) }))
}

async fn ask(send: &SendRequest<Bytes>, path: &str) -> h2::RecvStream {
    let mut send = send.clone().ready().await.unwrap();
    let request = Request::get(format!("http://a{path}")).body(()).unwrap();
    send.send_request(request, true).unwrap().0.await.unwrap().into_body()
}

/// What comes until the stream ends, whose window is not opened further.
async fn all(mut body: h2::RecvStream) -> (usize, Result<(), h2::Error>) {
    let mut count = 0;
    loop {
        match timeout(PATIENCE, body.data()).await.expect("it ends") {
            None => return (count, Ok(())),
            Some(Ok(data)) => count += data.len(),
            Some(Err(error)) => return (count, Err(error)),
        }
    }
}

#[tokio::test]
async fn a_stream_whose_window_stays_closed_is_reset_and_the_others_go_on() {
    let serving = serve(SHORT).await;
    let (send, _conn) = client(&serving, 40_000).await;
    for path in ["/big", "/frames"] {
        let late = serving.http_counters().late;
        let body = ask(&send, path).await;
        let others = async {
            while serving.http_counters().late == late {
                assert_eq!(all(ask(&send, "/small").await).await.0, 5);
                sleep(Duration::from_millis(20)).await;
            }
        };
        let ((count, ended), ()) =
            tokio::join!(all(body), async { timeout(PATIENCE, others).await.unwrap() });
        assert_eq!(count, 40_000, "{path}: its window");
        assert_eq!(ended.unwrap_err().reason(), Some(h2::Reason::CANCEL), "{path}");
    }
    assert_eq!(all(ask(&send, "/small").await).await.0, 5);
    assert_eq!((serving.http_counters().late, serving.counters().total().conns), (2, 1));
    until(&serving, |counters| (counters.in_flight, counters.aborted) == (0, 2)).await;
}

#[tokio::test]
async fn a_stream_without_a_window_is_reset() {
    let serving = serve(SHORT).await;
    let (send, _conn) = client(&serving, 0).await;
    let (count, ended) = all(ask(&send, "/small").await).await;
    assert_eq!((count, ended.unwrap_err().reason()), (0, Some(h2::Reason::CANCEL)));
    assert_eq!((serving.http_counters().late, serving.counters().total().conns), (1, 1));
}

#[tokio::test]
async fn where_only_the_last_bytes_wait_the_conn_ends() {
    let serving = serve(SHORT).await;
    let (send, conn) = client(&serving, 1).await;
    let (count, ended) = all(ask(&send, "/small").await).await;
    assert_eq!(count, 1);
    assert!(ended.is_err());
    timeout(PATIENCE, conn).await.expect("the conn ends").unwrap();
    until(&serving, |counters| counters.late == 1).await;
}

#[tokio::test]
async fn a_stream_that_is_read_slowly_goes_on() {
    let serving = serve(Duration::from_secs(5)).await;
    let (send, _conn) = client(&serving, 64 << 10).await;
    let mut body = ask(&send, "/big").await;
    let (began, mut count) = (Instant::now(), 0);
    while let Some(data) = timeout(PATIENCE, body.data()).await.expect("it goes on") {
        let data = data.unwrap();
        count += data.len();
        // 64 frames of 16 KiB, each after a while.
        sleep(Duration::from_millis(100)).await;
        body.flow_control().release_capacity(data.len()).unwrap();
    }
    assert_eq!(count, 1 << 20);
    assert!(began.elapsed() > Duration::from_secs(6), "longer than may be waited for each");
    assert_eq!(serving.http_counters().late, 0);
}
