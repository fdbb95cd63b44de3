//! Conns: kept, limited, watched, drained.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt as _;
use landline::Conn;
use landline_http::Body;
use landline_http::server::{RequestBody, Server, Upgraded, handle};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::{dial, one, response, rest, say, serve_word, until};

const GET: &[u8] = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
const SHORT: Duration = Duration::from_millis(300);

/// How long it takes until the server closes, with what it says before.
async fn until_closed(conn: &Conn) -> (Duration, String) {
    let began = Instant::now();
    let said = rest(conn).await;
    (began.elapsed(), said)
}

#[tokio::test]
async fn conns_are_kept_and_requests_may_come_together() {
    let serving = serve_word(Server::new()).await;
    let conn = dial(&serving).await;
    for _ in 0..3 {
        conn.write_all(GET).await.unwrap();
        assert!(response(&conn).await.ends_with("GET /x"));
    }
    conn.write_all(&[GET, GET, b"GET /y HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"].concat())
        .await
        .unwrap();
    let all = rest(&conn).await;
    assert_eq!((all.matches("GET /x").count(), all.matches("GET /y").count()), (2, 1), "{all}");
    until(&serving, |counters| (counters.requests, counters.in_flight, counters.responses[1]) == (6, 0, 6))
        .await;
    let counters = serving.http_counters();
    assert!(counters.received > 150 && counters.sent > 450, "{counters:?}");
}

#[tokio::test]
async fn the_end_of_the_client_need_not_be_the_end_of_its_request() {
    let serving = serve_word(Server::new().half_close(true)).await;
    let conn = dial(&serving).await;
    conn.write_all(GET).await.unwrap();
    conn.close_write().unwrap();
    assert!(rest(&conn).await.ends_with("GET /x"));
}

#[tokio::test]
async fn what_comes_while_an_answer_is_waited_for_is_the_next_request() {
    let (asked, free) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let service = handle({
        let (asked, free) = (asked.clone(), free.clone());
        move |request: Request<RequestBody>| {
            let (asked, free) = (asked.clone(), free.clone());
            async move {
                if request.uri().path() == "/slow" {
                    asked.notify_one();
                    free.notified().await;
                }
                let body = request.into_body().collect().await.unwrap().to_bytes();
                Response::new(Body::from(format!("{} bytes", body.len())))
            }
        }
    });
    let serving = Server::new().transport(one()).serve("tcp", "127.0.0.1:0", service).await.unwrap();
    let conn = dial(&serving).await;
    // More than is heard early, and in pieces.
    let next = [b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n", &[b'x'; 5000][..]].concat();
    for length in [10, next.len()] {
        conn.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        asked.notified().await;
        let before = serving.http_counters().received;
        conn.write_all(&next[..length]).await.unwrap();
        until(&serving, |counters| counters.received > before).await;
        free.notify_one();
        let mut answers = response(&conn).await;
        conn.write_all(&next[length..]).await.unwrap();
        // Both may have come at once.
        if !answers.ends_with("5000 bytes") {
            answers += &response(&conn).await;
        }
        assert!(answers.contains("\r\n\r\n0 bytesHTTP/1.1 200 OK\r\n"), "{answers}");
        assert!(answers.ends_with("\r\n\r\n5000 bytes"), "{answers}");
    }
}

#[tokio::test]
async fn a_conn_that_was_idle_serves_the_next_request() {
    let serving = serve_word(Server::new()).await;
    let conn = dial(&serving).await;
    for pause in [0, 1_700, 1_700] {
        sleep(Duration::from_millis(pause)).await;
        // In two pieces, so that the first half is in nobody's buffer when it should be in one.
        let (first, second) = GET.split_at(9);
        conn.write_all(first).await.unwrap();
        sleep(Duration::from_millis(50)).await;
        conn.write_all(second).await.unwrap();
        assert!(response(&conn).await.ends_with("GET /x"));
    }
}

#[tokio::test]
async fn half_a_request_behind_another_is_kept_over_a_pause() {
    let serving = serve_word(Server::new()).await;
    let conn = dial(&serving).await;
    let (first, second) = GET.split_at(9);
    conn.write_all(&[GET, first].concat()).await.unwrap();
    assert!(response(&conn).await.ends_with("GET /x"));
    sleep(Duration::from_millis(1_700)).await;
    conn.write_all(second).await.unwrap();
    assert!(response(&conn).await.ends_with("GET /x"));
}

#[tokio::test]
async fn a_head_that_takes_too_long_ends_the_conn() {
    let serving = serve_word(Server::new().head_timeout(SHORT)).await;
    let silent = dial(&serving).await;
    let slow = dial(&serving).await;
    slow.write_all(b"GET / HT").await.unwrap();
    let second = dial(&serving).await;
    second.write_all(GET).await.unwrap();
    response(&second).await;
    // Of the conn that had a request only a second head that has begun is limited.
    second.write_all(b"GET").await.unwrap();
    for conn in [silent, slow, second] {
        let (took, said) = until_closed(&conn).await;
        assert!(took < Duration::from_secs(20), "{took:?}");
        assert_eq!(said, "");
    }
    until(&serving, |counters| counters.late == 3).await;
}

#[tokio::test]
async fn half_a_head_behind_another_takes_no_longer_than_a_head_may() {
    let serving = serve_word(Server::new().head_timeout(Duration::from_secs(1))).await;
    let conn = dial(&serving).await;
    conn.write_all(&[GET, b"GET / HT"].concat()).await.unwrap();
    assert!(response(&conn).await.ends_with("GET /x"));
    let (took, said) = until_closed(&conn).await;
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert_eq!((said.as_str(), serving.http_counters().late), ("", 1));
    // Of an empty line nothing is expected (RFC 9112 section 2.2).
    let conn = dial(&serving).await;
    conn.write_all(&[GET, b"\r\n"].concat()).await.unwrap();
    assert!(response(&conn).await.ends_with("GET /x"));
    sleep(Duration::from_secs(4)).await;
    conn.write_all(GET).await.unwrap();
    assert!(response(&conn).await.ends_with("GET /x"));
}

#[tokio::test]
async fn an_idle_conn_ends_in_its_time() {
    let serving = serve_word(Server::new().idle_timeout(SHORT)).await;
    let conn = dial(&serving).await;
    conn.write_all(GET).await.unwrap();
    response(&conn).await;
    let (took, said) = until_closed(&conn).await;
    assert!(took >= SHORT && took < Duration::from_secs(20), "{took:?}");
    assert_eq!((said.as_str(), serving.http_counters().late), ("", 0));
}

#[tokio::test]
async fn a_body_that_does_not_come_ends_the_conn() {
    let reads = handle(async |request: Request<RequestBody>| {
        let _ = request.into_body().collect().await;
        Response::new(Body::empty())
    });
    let server = Server::new().transport(one()).body_timeout(SHORT);
    let serving = server.serve("tcp", "127.0.0.1:0", reads).await.unwrap();
    let conn = dial(&serving).await;
    conn.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab").await.unwrap();
    until_closed(&conn).await;
    until(&serving, |counters| (counters.late, counters.in_flight) == (1, 0)).await;
}

#[tokio::test]
async fn a_client_that_takes_nothing_ends_its_conn() {
    let endless = handle(async |_| Response::new(Body::from(vec![b'x'; 64 << 20])));
    let server = Server::new().transport(one()).write_timeout(SHORT);
    let serving = server.serve("tcp", "127.0.0.1:0", endless).await.unwrap();
    let conn = dial(&serving).await;
    conn.write_all(GET).await.unwrap();
    until(&serving, |counters| counters.late == 1).await;
    let (_, said) = until_closed(&conn).await;
    assert!(said.len() < 64 << 20);
}

#[tokio::test]
async fn the_last_request_that_a_conn_may_carry_says_so() {
    let serving = serve_word(Server::new().max_requests_per_conn(2)).await;
    let conn = dial(&serving).await;
    conn.write_all(GET).await.unwrap();
    assert!(!response(&conn).await.to_ascii_lowercase().contains("connection: close"));
    conn.write_all(GET).await.unwrap();
    let last = rest(&conn).await;
    assert!(last.ends_with("GET /x"), "{last}");
}

#[tokio::test]
async fn a_drain_ends_idle_conns_at_once_and_lets_requests_finish() {
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = handle({
        let (begun, go_on) = (begun.clone(), go_on.clone());
        move |_| {
            let (begun, go_on) = (begun.clone(), go_on.clone());
            async move {
                begun.notify_one();
                go_on.notified().await;
                Response::new(Body::from("done"))
            }
        }
    });
    let serving = Server::new().transport(one()).serve("tcp", "127.0.0.1:0", slow).await.unwrap();
    let (silent, busy) = (dial(&serving).await, dial(&serving).await);
    busy.write_all(GET).await.unwrap();
    begun.notified().await;
    let finishing = async {
        assert_eq!(rest(&silent).await, "", "closed at once");
        go_on.notify_one();
        let last = rest(&busy).await;
        assert!(last.ends_with("done"), "{last}");
    };
    let (drained, ()) = tokio::join!(serving.shutdown(Duration::from_secs(60)), finishing);
    assert_eq!((drained.finished, drained.cut), (2, 0));
}

#[tokio::test]
async fn a_conn_at_rest_after_a_body_that_nobody_read_ends_at_once_in_a_drain() {
    let ignores = handle(async |_| Response::new(Body::from("ignored")));
    let server = Server::new().transport(one()).linger_timeout(Duration::from_secs(60));
    let serving = server.serve("tcp", "127.0.0.1:0", ignores).await.unwrap();
    let conn = dial(&serving).await;
    conn.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi").await.unwrap();
    let mut answer = [0; 1024];
    let count = conn.read(&mut answer).await.unwrap();
    assert!(answer[..count].ends_with(b"ignored"));
    // Until it is at rest, which takes two ticks.
    sleep(Duration::from_millis(2500)).await;
    let closed = timeout(Duration::from_secs(4), rest(&conn));
    let (drained, closed) = tokio::join!(serving.shutdown(Duration::from_secs(60)), closed);
    assert_eq!(closed.expect("it is not lingered for"), "");
    assert_eq!((drained.finished, drained.cut), (1, 0));
}

#[tokio::test]
async fn an_upgrade_may_be_the_last_request() {
    let upgrades = handle(async |mut request: Request<RequestBody>| {
        drop(Upgraded::of(&mut request));
        let response = Response::builder().status(101).header("connection", "upgrade").header("upgrade", "x");
        response.body(Body::empty()).unwrap()
    });
    let server = Server::new().transport(one()).max_requests_per_conn(1);
    let serving = server.serve("tcp", "127.0.0.1:0", upgrades).await.unwrap();
    let conn = dial(&serving).await;
    conn.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n").await.unwrap();
    let mut answer = [0; 1024];
    let count = conn.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..count]).to_ascii_lowercase();
    assert!(answer.starts_with("http/1.1 101 ") && answer.contains("connection: upgrade\r\n"), "{answer}");
    assert!(!answer.contains("close"), "{answer}");
}

#[tokio::test]
async fn a_drain_with_a_deadline_ends_on_time() {
    let never = handle(async |_| std::future::pending::<Response<Body>>().await);
    let serving = Server::new().transport(one()).serve("tcp", "127.0.0.1:0", never).await.unwrap();
    let conn = dial(&serving).await;
    conn.write_all(GET).await.unwrap();
    until(&serving, |counters| counters.in_flight == 1).await;
    let began = Instant::now();
    let drained = serving.shutdown(SHORT).await;
    assert_eq!((drained.finished, drained.cut), (0, 1));
    assert!(began.elapsed() < Duration::from_secs(20));
    assert_eq!(rest(&conn).await, "");
    until(&serving, |counters| counters.aborted == 1).await;
}

#[tokio::test]
async fn an_upgrade_gives_the_conn_with_what_was_unread() {
    let shout = handle(async |mut request: Request<RequestBody>| {
        let upgraded = Upgraded::of(&mut request);
        tokio::spawn(async move {
            let mut upgraded = upgraded.await.unwrap();
            let unread = upgraded.take_unread();
            upgraded.conn().unwrap().write_all(&unread.to_ascii_uppercase()).await.unwrap();
            let mut buffer = [0; 64];
            let count = upgraded.conn().unwrap().read(&mut buffer).await.unwrap();
            upgraded.conn().unwrap().write_all(&buffer[..count].to_ascii_uppercase()).await.unwrap();
        });
        let agreed =
            Response::builder().status(101).header("connection", "upgrade").header("upgrade", "shout");
        agreed.body(Body::empty()).unwrap()
    });
    let serving = Server::new().transport(one()).serve("tcp", "127.0.0.1:0", shout).await.unwrap();
    let conn = dial(&serving).await;
    let ask = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: shout\r\n\r\nearly ";
    conn.write_all(ask.as_bytes()).await.unwrap();
    let mut heard = String::new();
    let mut buffer = [0; 1024];
    while !heard.ends_with("EARLY ") {
        let count = conn.read(&mut buffer).await.unwrap();
        assert_ne!(count, 0, "{heard}");
        heard.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
    }
    assert!(heard.starts_with("HTTP/1.1 101 "), "{heard}");
    // A conn that has left HTTP is one of the server's still.
    assert_eq!(serving.counters().total().conns, 1);
    conn.write_all(b"late").await.unwrap();
    assert_eq!(rest(&conn).await, "LATE");
}

#[tokio::test]
async fn a_conn_that_left_http_is_cut_with_the_server() {
    let keeps = handle(async |mut request: Request<RequestBody>| {
        let upgraded = Upgraded::of(&mut request);
        tokio::spawn(async move {
            let upgraded = upgraded.await.unwrap();
            let _ = upgraded.conn().unwrap().read(&mut [0]).await;
        });
        Response::builder().status(101).header("upgrade", "x").body(Body::empty()).unwrap()
    });
    let serving = Server::new().transport(one()).serve("tcp", "127.0.0.1:0", keeps).await.unwrap();
    let conn = dial(&serving).await;
    conn.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n").await.unwrap();
    let mut buffer = [0; 1024];
    assert_ne!(conn.read(&mut buffer).await.unwrap(), 0);
    let drained = serving.shutdown(SHORT).await;
    assert_eq!((drained.finished, drained.cut), (0, 1));
    assert_eq!(rest(&conn).await, "");
}

#[tokio::test]
async fn unix_sockets_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("http");
    let hello = handle(async |_| Response::new(Body::from("hello")));
    let serving = Server::new().transport(one()).serve("unix", path.to_str().unwrap(), hello).await.unwrap();
    let conn = landline::dial("unix", path.to_str().unwrap()).await.unwrap();
    conn.write_all(GET).await.unwrap();
    assert!(response(&conn).await.ends_with("hello"));
    drop(serving);
}

#[tokio::test]
async fn the_conn_after_a_refused_request_ends() {
    let serving = serve_word(Server::new().max_body(10)).await;
    let answer = say(&serving, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let answer = say(&serving, b"GET / HTTP/1.1\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("no Host"), "{answer}");
}

#[tokio::test]
async fn the_rest_of_a_body_is_no_request_after_an_early_answer() {
    let (send, mut bodies) = tokio::sync::mpsc::unbounded_channel();
    let early = handle(move |request: Request<RequestBody>| {
        let send = send.clone();
        async move {
            tokio::task::spawn_local(async move {
                let mut body = request.into_body();
                let mut read = Vec::new();
                while read.len() < GET.len()
                    && let Some(Ok(frame)) = body.frame().await
                {
                    read.extend(frame.into_data().unwrap());
                }
                let _ = send.send(read);
            });
            Response::new(Body::from("early"))
        }
    });
    let serving = Server::new().transport(one()).serve("tcp", "127.0.0.1:0", early).await.unwrap();
    let conn = dial(&serving).await;
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", GET.len());
    conn.write_all(head.as_bytes()).await.unwrap();
    assert!(response(&conn).await.ends_with("early"));
    // Longer than it takes until an idle conn is parked.
    sleep(Duration::from_millis(1_700)).await;
    conn.write_all(GET).await.unwrap();
    let body = timeout(Duration::from_secs(30), bodies.recv()).await.unwrap().unwrap();
    assert_eq!(body, GET);
    assert_eq!(serving.http_counters().requests, 1);
}

#[tokio::test]
async fn a_body_that_is_read_behind_an_early_answer_has_an_end() {
    let (send, mut bodies) = tokio::sync::mpsc::unbounded_channel();
    let early = handle(move |request: Request<RequestBody>| {
        let send = send.clone();
        async move {
            tokio::task::spawn_local(async move {
                let read = request.into_body().collect().await.unwrap();
                let _ = send.send(read.to_bytes());
            });
            Response::new(Body::from("early"))
        }
    });
    let serving = Server::new().transport(one()).serve("tcp", "127.0.0.1:0", early).await.unwrap();
    let conn = dial(&serving).await;
    for (framing, body) in [
        ("Content-Length: 5", "hello"),
        ("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"),
        ("Content-Length: 5", "hello"),
    ] {
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n");
        conn.write_all(head.as_bytes()).await.unwrap();
        assert!(response(&conn).await.ends_with("early"));
        conn.write_all(body.as_bytes()).await.unwrap();
        // While the conn is kept, and without another request on it.
        let read = timeout(Duration::from_secs(30), bodies.recv()).await;
        assert_eq!(read.expect("its end").unwrap(), "hello");
    }
}

#[tokio::test]
async fn a_conn_that_left_http_has_none_of_its_times() {
    let back = handle(async |mut request: Request<RequestBody>| {
        let upgraded = Upgraded::of(&mut request);
        tokio::spawn(async move {
            let upgraded = upgraded.await.unwrap();
            let mut buffer = [0; 16];
            while let Ok(count @ 1..) = upgraded.conn().unwrap().read(&mut buffer).await {
                upgraded.conn().unwrap().write_all(&buffer[..count]).await.unwrap();
            }
        });
        Response::builder().status(101).header("upgrade", "x").body(Body::empty()).unwrap()
    });
    let server = Server::new().transport(one()).head_timeout(SHORT).idle_timeout(SHORT).write_timeout(SHORT);
    let serving = server.serve("tcp", "127.0.0.1:0", back).await.unwrap();
    let conn = dial(&serving).await;
    conn.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n").await.unwrap();
    let mut buffer = [0; 1024];
    assert_ne!(conn.read(&mut buffer).await.unwrap(), 0);
    for _ in 0..5 {
        conn.write_all(b"ping").await.unwrap();
        assert_eq!(conn.read(&mut buffer).await.unwrap(), 4);
        sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(serving.http_counters().late, 0);
}

#[tokio::test]
async fn responses_that_break_off_are_counted_as_such() {
    let longer = handle(async |request: Request<RequestBody>| {
        assert!(request.uri().path() != "/none", "as it was asked to");
        let parts = [
            Ok(hyper::body::Frame::data(bytes::Bytes::from("begun"))),
            Err(std::io::Error::other("no more")),
        ];
        let broken = http_body_util::StreamBody::new(futures_util::stream::iter(parts));
        if request.uri().path() == "/broken" {
            Response::new(Body::wrap(broken))
        } else {
            Response::new(Body::from("whole"))
        }
    });
    let serving = Server::new().transport(one()).serve("tcp", "127.0.0.1:0", longer).await.unwrap();
    for path in ["/broken", "/whole", "/none"] {
        say(&serving, format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).await;
    }
    say(&serving, "HEAD /whole HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    until(&serving, |counters| (counters.requests, counters.in_flight) == (4, 0)).await;
    let counters = serving.http_counters();
    assert_eq!((counters.responses, counters.aborted), ([0, 3, 0, 0, 1], 1), "{counters:?}");
}
