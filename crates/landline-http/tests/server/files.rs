//! Files that the kernel sends, and those that are read because somebody wants their bytes.

use std::fs::{self, File, OpenOptions};
use std::pin::Pin;
use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicU64, Ordering::Relaxed},
};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use conntest::tls::SelfSigned;
use http::{Request, Version, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use landline::Conn;
use landline_http::Body;
use landline_http::client::Client;
use landline_http::files::{self, FileServer};
use landline_http::server::{Caller, Outcome, RequestBody, Router, Server, Serving, handle};
use tempfile::TempDir;
use tokio::time::timeout;
use tower_service::Service;

use super::{PATIENCE, dial, one, until};

/// Too much for the buffers of a conn, and not a whole number of anything.
const LARGE: usize = 20_000_003;
/// Enough to be worth it, and little enough to be handed over at once.
const MEDIUM: usize = 300_001;
const SMALL: &[u8] = b"hello\n";

/// What a file of that length holds. No byte is zero, so what nobody wrote would be seen.
fn content(length: usize) -> &'static [u8] {
    static ALL: LazyLock<Vec<u8>> = LazyLock::new(|| (1..=251).cycle().take(LARGE).collect());
    &ALL[..length]
}

struct Site {
    directory: TempDir,
    files: FileServer,
}

impl Site {
    fn new() -> Site {
        let directory = tempfile::tempdir().unwrap();
        for (name, content) in [("large", content(LARGE)), ("medium", content(MEDIUM)), ("small", SMALL)] {
            fs::write(directory.path().join(name), content).unwrap();
        }
        Site { files: FileServer::new(directory.path()).unwrap(), directory }
    }

    async fn serve(&self, server: Server) -> Serving {
        server.transport(one()).serve("tcp", "127.0.0.1:0", self.files.clone()).await.unwrap()
    }

    /// How many descriptors of this process are files of the site.
    fn open_files(&self) -> usize {
        let links =
            fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        links.filter(|link| link.starts_with(self.directory.path()) && link != self.directory.path()).count()
    }
}

fn get(path: &str) -> String {
    format!("GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

fn last(path: &str) -> String {
    format!("GET /{path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
}

/// A conn over which the large file has begun to come, and what has come of it.
async fn begun(serving: &Serving) -> (Conn, Vec<u8>) {
    let conn = dial(serving).await;
    conn.write_all(get("large").as_bytes()).await.unwrap();
    let mut heard = Vec::new();
    more(&conn, &mut heard).await;
    (conn, heard)
}

/// Reads more; nothing at the end.
async fn more(conn: &Conn, heard: &mut Vec<u8>) -> usize {
    let before = heard.len();
    heard.resize(before + (64 << 10), 0);
    let read = timeout(PATIENCE, conn.read(&mut heard[before..])).await.expect("more, or the end");
    let count = read.unwrap_or(0);
    heard.truncate(before + count);
    count
}

/// The head and the body of a response of that length; `heard` keeps what follows.
async fn answer(conn: &Conn, heard: &mut Vec<u8>) -> (String, Vec<u8>) {
    loop {
        if let Some(end) = heard.windows(4).position(|part| part == b"\r\n\r\n") {
            let head = String::from_utf8(heard[..end].to_vec()).unwrap();
            let length = head.split("content-length: ").nth(1).expect("a length");
            let length: usize = length.lines().next().unwrap().parse().unwrap();
            let all = end + 4 + length;
            while heard.len() < all {
                assert_ne!(more(conn, heard).await, 0, "the conn ended in a body");
            }
            let rest = heard.split_off(all);
            let body = std::mem::replace(heard, rest).split_off(end + 4);
            return (head, body);
        }
        assert_ne!(more(conn, heard).await, 0, "the conn ended in a head");
    }
}

async fn ask(conn: &Conn, request: &str) -> (String, Vec<u8>) {
    conn.write_all(request.as_bytes()).await.unwrap();
    answer(conn, &mut Vec::new()).await
}

/// All up to the end.
async fn all(conn: &Conn) -> Vec<u8> {
    let mut heard = Vec::new();
    while more(conn, &mut heard).await > 0 {}
    heard
}

/// A service around another that only wants to know how much was sent.
#[derive(Clone)]
struct Told(FileServer, Arc<AtomicU64>);

impl Service<Request<RequestBody>> for Told {
    type Response = <FileServer as Service<Request<RequestBody>>>::Response;
    type Error = <FileServer as Service<Request<RequestBody>>>::Error;
    type Future = <FileServer as Service<Request<RequestBody>>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Service::<Request<RequestBody>>::poll_ready(&mut self.0, cx)
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let sent = self.1.clone();
        let tell = move |outcome: &Outcome| {
            assert!(outcome.is_whole);
            sent.fetch_add(outcome.bytes, Relaxed);
        };
        Caller::current().unwrap().on_end(tell);
        self.0.call(request)
    }
}

#[tokio::test]
async fn whoever_hears_of_the_end_hears_what_the_kernel_has_sent() {
    let (site, sent) = (Site::new(), Arc::new(AtomicU64::new(0)));
    let told = Told(site.files.clone(), sent.clone());
    let serving = Server::new().transport(one()).serve("tcp", "127.0.0.1:0", told).await.unwrap();
    let conn = dial(&serving).await;
    assert!(rest_of(&conn, &last("large")).await.ends_with(content(LARGE)));
    until(&serving, |_| sent.load(Relaxed) > 0).await;
    assert_eq!(sent.load(Relaxed), LARGE as u64);
    assert!(serving.http_counters().sent_from_files > 19_000_000);
}

#[tokio::test]
async fn the_kernel_sends_files_and_the_conn_goes_on() {
    let site = Site::new();
    let serving = site.serve(Server::new()).await;
    let conn = dial(&serving).await;
    for (path, expected) in
        [("large", content(LARGE)), ("small", SMALL), ("medium", content(MEDIUM)), ("large", content(LARGE))]
    {
        let (head, body) = ask(&conn, &get(path)).await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(body == expected, "{path}");
    }
    assert_eq!(serving.counters().total().conns, 1);
    assert!(rest_of(&conn, &last("medium")).await.ends_with(content(MEDIUM)));
    until(&serving, |counters| (counters.requests, counters.in_flight, counters.responses[1]) == (5, 0, 5))
        .await;
    let counters = serving.http_counters();
    let files = 2 * (LARGE + MEDIUM) as u64;
    // Of a file, what is left behind the last portion may be too little to be worth it.
    assert!((files - 100_000..=files).contains(&counters.sent_from_files), "{counters:?}");
    assert!((files + 500..files + 5_000).contains(&counters.sent), "{counters:?}");
    assert_eq!(counters.aborted, 0);
    until_closed(&site).await;
}

async fn rest_of(conn: &Conn, request: &str) -> Vec<u8> {
    conn.write_all(request.as_bytes()).await.unwrap();
    all(conn).await
}

/// No file of the site stays open.
async fn until_closed(site: &Site) {
    let waiting = async {
        while site.open_files() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, waiting).await.expect("files are closed");
}

#[tokio::test]
async fn requests_that_come_together_are_answered_in_their_order() {
    let site = Site::new();
    let serving = site.serve(Server::new()).await;
    let conn = dial(&serving).await;
    let paths = ["large", "small", "medium", "medium", "small", "large"];
    let requests: String = paths.iter().copied().map(get).collect();
    conn.write_all(requests.as_bytes()).await.unwrap();
    let mut heard = Vec::new();
    for path in paths {
        let expected = fs::read(site.directory.path().join(path)).unwrap();
        assert!(answer(&conn, &mut heard).await.1 == expected, "{path}");
    }
    assert!(heard.is_empty());
    assert!(serving.http_counters().sent_from_files > (2 * LARGE) as u64);
}

#[tokio::test]
async fn every_kind_of_request_has_its_own_framing() {
    let site = Site::new();
    let serving = site.serve(Server::new()).await;
    let large = content(LARGE);
    let conn = dial(&serving).await;
    let (head, body) =
        ask(&conn, "GET /large HTTP/1.1\r\nHost: a\r\nRange: bytes=1000001-9000000\r\n\r\n").await;
    assert!(
        head.starts_with("HTTP/1.1 206 ") && head.contains("content-range: bytes 1000001-9000000/20000003")
    );
    assert!(body == large[1_000_001..=9_000_000]);
    assert!(serving.http_counters().sent_from_files > 7_000_000);

    // Several ranges have words of the server between them.
    let (head, body) =
        ask(&conn, "GET /large HTTP/1.1\r\nHost: a\r\nRange: bytes=0-499999,2000000-2499999\r\n\r\n").await;
    assert!(head.contains("multipart/byteranges"), "{head}");
    let found = |part: &[u8]| body.windows(part.len()).any(|window| window == part);
    assert!(found(&large[..500_000]) && found(&large[2_000_000..2_500_000]));

    let head = rest_of(&conn, &last("large").replace("GET", "HEAD")).await;
    let head = String::from_utf8(head).unwrap();
    assert!(head.contains("content-length: 20000003\r\n") && head.ends_with("\r\n\r\n"), "{head}");

    let old = dial(&serving).await;
    let said = rest_of(&old, "GET /large HTTP/1.0\r\n\r\n").await;
    assert!(said.starts_with(b"HTTP/1.0 200 OK\r\n") && said.ends_with(large));
}

#[tokio::test]
async fn a_chunked_file_is_in_chunks() {
    let site = Site::new();
    let files = site.files.clone();
    let chunked = handle(move |request: Request<RequestBody>| {
        let answer = files.clone().call(request);
        async move {
            let Ok(mut response) = answer.await;
            response.headers_mut().remove(header::CONTENT_LENGTH);
            let chunked = header::HeaderValue::from_static("chunked");
            response.headers_mut().insert(header::TRANSFER_ENCODING, chunked);
            response
        }
    });
    let serving = Server::new().transport(one()).serve("tcp", "127.0.0.1:0", chunked).await.unwrap();
    let response = Client::new().get(&format!("http://{}/large", serving.local_addr())).await.unwrap();
    assert_eq!(response.headers()["transfer-encoding"], "chunked");
    assert!(response.into_body().bytes(LARGE).await.unwrap() == content(LARGE));
    assert!(serving.http_counters().sent_from_files > 19_000_000);
}

#[tokio::test]
async fn a_router_may_give_what_a_file_server_answered() {
    let site = Site::new();
    let mut router = Router::new();
    let files = site.files.clone();
    let serve = move |request: Request<RequestBody>| {
        let answer = files.clone().call(request);
        async move {
            let Ok(response) = answer.await;
            response.map(Body::wrap)
        }
    };
    router.handle("GET /", serve).unwrap();
    let path = site.directory.path().join("socket");
    let server = Server::new().transport(one());
    let serving = server.serve("unix", path.to_str().unwrap(), router).await.unwrap();
    let conn = landline::dial("unix", path.to_str().unwrap()).await.unwrap();
    let (_, body) = ask(&conn, &get("large")).await;
    assert!(body == content(LARGE));
    assert!(serving.http_counters().sent_from_files > 19_000_000);
}

/// A body whose bytes are others than those of the one within.
struct Inverted(files::Body);

impl HttpBody for Inverted {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        let frame = ready!(Pin::new(&mut self.0).poll_frame(cx));
        let invert = |data: Bytes| data.iter().map(|byte| !byte).collect();
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(invert))))
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

#[tokio::test]
async fn who_wraps_a_file_has_its_bytes() {
    let site = Site::new();
    let files = site.files.clone();
    let inverted = handle(move |request: Request<RequestBody>| {
        let answer = files.clone().call(request);
        async move {
            let Ok(response) = answer.await;
            response.map(Inverted)
        }
    });
    let serving = Server::new().transport(one()).serve("tcp", "127.0.0.1:0", inverted).await.unwrap();
    let conn = dial(&serving).await;
    let (_, body) = ask(&conn, &get("large")).await;
    assert!(body.iter().map(|byte| !byte).eq(content(LARGE).iter().copied()));
    assert_eq!(serving.http_counters().sent_from_files, 0);
}

#[tokio::test]
async fn http2_and_tls_have_the_bytes_read() {
    let site = Site::new();
    let serving = site.serve(Server::new()).await;
    let client = Client::new().http2_prior_knowledge(true);
    let response = client.get(&format!("http://{}/large", serving.local_addr())).await.unwrap();
    assert_eq!(response.version(), Version::HTTP_2);
    assert!(response.into_body().bytes(LARGE).await.unwrap() == content(LARGE));
    assert_eq!(serving.http_counters().sent_from_files, 0);

    let own = SelfSigned::new("localhost");
    let serving = site.serve(Server::new().tls(own.server(&[]))).await;
    let trusting = Arc::new(own.client());
    let conn = landline::TlsConn::connect(dial(&serving).await, "localhost", trusting).await.unwrap();
    let (_, body) = ask(&conn.into(), &get("large")).await;
    assert!(body == content(LARGE));
    assert_eq!(serving.http_counters().sent_from_files, 0);
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut() {
    let site = Site::new();
    let serving = site.serve(Server::new().write_timeout(Duration::from_millis(300))).await;
    let conn = dial(&serving).await;
    conn.write_all(get("large").as_bytes()).await.unwrap();
    until(&serving, |counters| (counters.late, counters.aborted, counters.in_flight) == (1, 1, 0)).await;
    assert!(all(&conn).await.len() < LARGE);
    until_closed(&site).await;
}

#[tokio::test]
async fn a_client_that_takes_its_time_has_it() {
    let site = Site::new();
    // Idle conns are looked for twice a second, and this one is none.
    let serving = site.serve(Server::new().idle_timeout(Duration::from_millis(300))).await;
    let (conn, mut heard) = begun(&serving).await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(serving.http_counters().in_flight, 1);
    assert!(answer(&conn, &mut heard).await.1 == content(LARGE));
    until(&serving, |counters| (counters.in_flight, counters.aborted) == (0, 0)).await;
}

#[tokio::test]
async fn a_client_that_leaves_leaves_nothing_behind() {
    let site = Site::new();
    let serving = site.serve(Server::new()).await;
    for half in [false, true] {
        let (conn, _) = begun(&serving).await;
        assert_eq!(site.open_files(), 1);
        if half {
            conn.close_write().unwrap();
        } else {
            conn.close().unwrap();
        }
        until(&serving, |counters| counters.in_flight == 0).await;
        until_closed(&site).await;
        drop(conn);
    }
    until(&serving, |counters| counters.aborted == 2).await;
}

#[tokio::test]
async fn a_client_that_only_ended_its_side_has_the_file_where_that_is_allowed() {
    let site = Site::new();
    let serving = site.serve(Server::new().half_close(true)).await;
    let conn = dial(&serving).await;
    conn.write_all(get("large").as_bytes()).await.unwrap();
    conn.close_write().unwrap();
    assert!(all(&conn).await.ends_with(content(LARGE)));
}

#[tokio::test]
async fn a_file_that_becomes_shorter_ends_the_conn() {
    let site = Site::new();
    let serving = site.serve(Server::new()).await;
    let (conn, mut heard) = begun(&serving).await;
    let file = OpenOptions::new().write(true).open(site.directory.path().join("large")).unwrap();
    file.set_len(LARGE as u64 - 1_000_000).unwrap();
    drop(file);
    while more(&conn, &mut heard).await > 0 {}
    assert!(heard.len() < LARGE);
    let body = heard.windows(4).position(|part| part == b"\r\n\r\n").unwrap() + 4;
    assert!(content(LARGE).starts_with(&heard[body..]));
    until(&serving, |counters| (counters.aborted, counters.in_flight) == (1, 0)).await;
    until_closed(&site).await;
}

#[tokio::test]
async fn what_is_not_in_memory_is_read() {
    let site = Site::new();
    let serving = site.serve(Server::new()).await;
    let file = File::open(site.directory.path().join("large")).unwrap();
    file.sync_all().unwrap();
    // Where the file system keeps caches and heeds it, the middle is gone.
    let length = std::num::NonZeroU64::new(5_000_000);
    rustix::fs::fadvise(&file, 5_000_000, length, rustix::fs::Advice::DontNeed).unwrap();
    let conn = dial(&serving).await;
    assert!(ask(&conn, &get("large")).await.1 == content(LARGE));
}

#[tokio::test]
async fn a_drain_waits_for_a_file() {
    let site = Site::new();
    let serving = site.serve(Server::new()).await;
    let (conn, mut heard) = begun(&serving).await;
    let address = serving.local_addr().to_string();
    let reading = async {
        // It listens no more once it drains.
        while landline::dial("tcp", &address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        while more(&conn, &mut heard).await > 0 {}
        heard
    };
    let (drained, heard) = tokio::join!(serving.shutdown(PATIENCE), reading);
    assert!(heard.ends_with(content(LARGE)));
    assert_eq!(drained.cut, 0);
}

#[tokio::test]
async fn many_have_the_same_file_at_once() {
    let site = Site::new();
    let serving = site.serve(Server::new()).await;
    let fetching = (0..8).map(|index| {
        let serving = &serving;
        async move {
            let conn = dial(serving).await;
            let path = if index % 2 == 0 { "large" } else { "medium" };
            for _ in 0..3 {
                let (_, body) = ask(&conn, &get(path)).await;
                assert!(body == content(if path == "large" { LARGE } else { MEDIUM }));
            }
        }
    });
    futures_util::future::join_all(fetching).await;
    until(&serving, |counters| (counters.responses[1], counters.aborted) == (24, 0)).await;
}
