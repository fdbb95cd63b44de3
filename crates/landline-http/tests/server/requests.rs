//! Requests and handlers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use landline_http::Body;
use landline_http::server::{Caller, Outcome, PathValues, RequestBody, Router, Server, TooLong, handle};

use super::{dial, one, response, rest, say, until};

const GET: &[u8] = b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn a_panic_is_answered_with_500_and_ends_its_conn_alone() {
    let panics = handle(async |request: Request<RequestBody>| {
        assert!(request.uri().path() != "/x", "as it was asked to");
        Response::new(Body::from("well"))
    });
    let serving = Server::new().transport(one()).serve("tcp", "127.0.0.1:0", panics).await.unwrap();
    let other = dial(&serving).await;
    let answer = say(&serving, b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    other.write_all(b"GET /y HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert!(response(&other).await.ends_with("well"));
    until(&serving, |counters| (counters.panicked, counters.responses[4]) == (1, 1)).await;
}

#[tokio::test]
async fn the_caller_is_known_and_its_context_ends_with_the_request() {
    let contexts: Arc<Mutex<Vec<landline::Context>>> = Arc::default();
    let service = handle({
        let contexts = contexts.clone();
        move |request: Request<RequestBody>| {
            let contexts = contexts.clone();
            async move {
                let caller = Caller::current().unwrap();
                contexts.lock().unwrap().push(caller.context().clone());
                if request.uri().path() == "/stays" {
                    std::future::pending::<()>().await;
                }
                let peer = caller.peer_addr().unwrap().to_string();
                Response::new(Body::from(peer))
            }
        }
    });
    let serving = Server::new().transport(one()).serve("tcp", "127.0.0.1:0", service).await.unwrap();
    let conn = dial(&serving).await;
    let own = conn.local_addr().unwrap().to_string();
    conn.write_all(GET).await.unwrap();
    assert!(rest(&conn).await.ends_with(&own));
    let conn = dial(&serving).await;
    conn.write_all(b"GET /stays HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    while contexts.lock().unwrap().len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(contexts.lock().unwrap()[1].ended().is_none());
    // Not merely its half: nobody is there any more to be answered.
    drop(conn.into_tcp().map(|conn| conn.set_linger(Some(Duration::ZERO))));
    let second = contexts.lock().unwrap()[1].clone();
    tokio::time::timeout(super::PATIENCE, second.done()).await.expect("the handler is dropped");
    assert!(contexts.lock().unwrap()[0].ended().is_some());
}

#[tokio::test]
async fn bodies_stream_both_ways_with_trailers() {
    let back = handle(async |request: Request<RequestBody>| Response::new(Body::wrap(request.into_body())));
    let serving = Server::new().transport(one()).serve("tcp", "127.0.0.1:0", back).await.unwrap();
    let conn = dial(&serving).await;
    conn.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await
        .unwrap();
    let mut heard = String::new();
    let mut buffer = [0; 1024];
    // Each part is answered before the next is said.
    for word in ["one", "two", "three"] {
        conn.write_all(format!("{:x}\r\n{word}\r\n", word.len()).as_bytes()).await.unwrap();
        while !heard.contains(word) {
            let count = conn.read(&mut buffer).await.unwrap();
            assert_ne!(count, 0, "{heard}");
            heard.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
        }
    }
    conn.write_all(b"0\r\n\r\n").await.unwrap();
    let end = rest(&conn).await;
    assert!(end.ends_with("0\r\n\r\n"), "{heard}{end}");
}

#[tokio::test]
async fn a_client_that_waits_is_told_to_go_on_when_the_body_is_wanted() {
    let reads = handle(async |request: Request<RequestBody>| {
        if request.uri().path() == "/no" {
            return Response::builder().status(403).body(Body::empty()).unwrap();
        }
        let body = request.into_body().collect().await.unwrap().to_bytes();
        Response::new(Body::from(body))
    });
    let serving = Server::new().transport(one()).serve("tcp", "127.0.0.1:0", reads).await.unwrap();
    let head = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"
        )
    };
    let conn = dial(&serving).await;
    conn.write_all(head("/").as_bytes()).await.unwrap();
    let mut buffer = [0; 1024];
    let count = conn.read(&mut buffer).await.unwrap();
    assert_eq!(&buffer[..count], b"HTTP/1.1 100 Continue\r\n\r\n");
    conn.write_all(b"hi").await.unwrap();
    assert!(rest(&conn).await.ends_with("\r\n\r\nhi"));
    let conn = dial(&serving).await;
    conn.write_all(head("/no").as_bytes()).await.unwrap();
    let answer = rest(&conn).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    let answer =
        say(&serving, b"GET / HTTP/1.1\r\nHost: a\r\nExpect: cake\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 417 "), "{answer}");
}

#[tokio::test]
async fn a_body_that_turns_out_too_long_fails_as_such() {
    let reads = handle(async |request: Request<RequestBody>| {
        let error = request.into_body().collect().await.unwrap_err();
        assert!(error.is::<TooLong>(), "{error}");
        Response::builder().status(413).body(Body::empty()).unwrap()
    });
    let server = Server::new().transport(one()).max_body(4);
    let serving = server.serve("tcp", "127.0.0.1:0", reads).await.unwrap();
    let request = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n";
    let answer = say(&serving, request).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn a_response_that_fails_breaks_off() {
    let fails = handle(async |_| {
        let parts = [Ok(Frame::data(Bytes::from("begun"))), Err(std::io::Error::other("as it was asked to"))];
        Response::new(Body::wrap(StreamBody::new(futures_util::stream::iter(parts))))
    });
    let serving = Server::new().transport(one()).serve("tcp", "127.0.0.1:0", fails).await.unwrap();
    let answer = say(&serving, GET).await;
    assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn a_router_routes_redirects_and_refuses() {
    let mut router = Router::new();
    router
        .handle("GET /items/{id}", async |request: Request<RequestBody>| {
            let values = request.extensions().get::<PathValues>().unwrap();
            Response::new(Body::from(format!("item {}", values.get("id").unwrap())))
        })
        .unwrap();
    router.handle("/dir/", async |_| Response::new(Body::from("dir"))).unwrap();
    assert!(router.handle("GET /items/{name}", async |_| Response::new(Body::empty())).is_err());
    let serving = Server::new().transport(one()).serve("tcp", "127.0.0.1:0", router).await.unwrap();
    for (request, parts) in [
        ("GET /items/7", &["200 OK", "item 7"][..]),
        ("POST /items/7", &["405 Method Not Allowed", "allow: GET, HEAD"]),
        ("GET /dir", &["307 Temporary Redirect", "location: /dir/"]),
        ("GET /a/../dir/", &["307 Temporary Redirect", "location: /dir/"]),
        ("GET /none", &["404 Not Found"]),
    ] {
        let answer =
            say(&serving, format!("{request} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).await;
        for part in parts {
            assert!(answer.contains(part), "{request}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_body_that_panics_ends_its_conn_alone() {
    let panics = handle(async |_| {
        let parts =
            futures_util::stream::poll_fn(|_| -> std::task::Poll<Option<std::io::Result<Frame<Bytes>>>> {
                panic!("as it was asked to")
            });
        Response::new(Body::wrap(StreamBody::new(parts)))
    });
    let serving = Server::new().transport(one()).serve("tcp", "127.0.0.1:0", panics).await.unwrap();
    for _ in 0..2 {
        let answer = say(&serving, GET).await;
        assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
    }
    until(&serving, |counters| (counters.panicked, counters.aborted) == (2, 2)).await;
    assert_eq!(serving.counters().total().panicked, 0, "the task goes on");
}

#[tokio::test]
async fn the_end_of_a_request_is_told_with_what_became_of_it() {
    let outcomes: Arc<Mutex<Vec<Outcome>>> = Arc::default();
    let service = handle({
        let outcomes = outcomes.clone();
        move |request: Request<RequestBody>| {
            let outcomes = outcomes.clone();
            async move {
                let caller = Caller::current().unwrap();
                caller.on_end(|_| panic!("nobody else minds"));
                caller.on_end(move |outcome| outcomes.lock().unwrap().push(*outcome));
                match request.uri().path() {
                    "/stays" => std::future::pending().await,
                    "/panics" => panic!("so it is"),
                    _ => Response::new(Body::from("hello")),
                }
            }
        }
    });
    let serving = Server::new().transport(one()).serve("tcp", "127.0.0.1:0", service).await.unwrap();
    let conn = dial(&serving).await;
    for line in ["GET /x", "HEAD /x", "GET /x", "GET /panics"] {
        conn.write_all(format!("{line} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await.unwrap();
        if line.starts_with("HEAD") {
            // Its answer ends with its head.
            until(&serving, |counters| counters.responses[1] == 2).await;
            let mut head = [0; 4096];
            assert_ne!(conn.read(&mut head).await.unwrap(), 0);
        } else {
            response(&conn).await;
        }
    }
    let conn = dial(&serving).await;
    conn.write_all(b"GET /stays HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    until(&serving, |counters| counters.requests == 5).await;
    // It does not wait for an answer.
    conn.close_write().unwrap();
    until(&serving, |_| outcomes.lock().unwrap().len() == 5).await;
    let outcomes = outcomes.lock().unwrap();
    let told: Vec<_> = outcomes.iter().map(|told| (told.status, told.bytes, told.is_whole)).collect();
    let ok = Some(StatusCode::OK);
    let expected = [
        (ok, 5, true),
        (ok, 0, true),
        (ok, 5, true),
        (Some(StatusCode::INTERNAL_SERVER_ERROR), 0, true),
        (None, 0, false),
    ];
    assert_eq!(told, expected);
    assert!(outcomes.iter().map(|told| told.time).sum::<Duration>() <= serving.http_counters().time);
}
