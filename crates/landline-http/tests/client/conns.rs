//! How conns are kept, shared and replaced.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Request;
use landline_http::client::{Body, Client};

use crate::harness::{Then, ok, serve, serve_unix, with};

async fn get(client: &Client, url: &str) -> String {
    client.get(url).await.unwrap().into_body().text(1 << 20).await.unwrap()
}

#[tokio::test]
async fn one_conn_carries_one_request_after_the_other() {
    let server = serve(|seen| (ok(seen.target()), Then::Keep)).await;
    let client = Client::new();
    for path in ["/a", "/b?c=d", "/"] {
        assert_eq!(get(&client, &server.at(path)).await, path);
    }
    assert_eq!((server.conns(), client.conns()), (1, (1, 1)));
    let host = server.url.strip_prefix("http://").unwrap();
    assert!(server.seen().iter().all(|seen| seen.header("host") == Some(host)));
    // Responses without a body give the conn back by themselves.
    let empty = serve(|_| (with(204, &[], b""), Then::Keep)).await;
    for _ in 0..2 {
        let response = client.send(Request::get(empty.at("/")).body(()).unwrap()).await.unwrap();
        drop(response);
    }
    assert_eq!(empty.conns(), 1);
    drop(client);
    server.closed().await;
}

#[tokio::test]
async fn a_body_that_is_left_closes_its_conn() {
    let server = serve(|_| (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".to_vec(), Then::Hang)).await;
    let client = Client::new();
    let mut body = client.get(&server.at("/")).await.unwrap().into_body();
    assert_eq!(body.chunk().await.unwrap().unwrap(), "half");
    assert_eq!(client.conns(), (0, 1));
    drop(body);
    server.closed().await;
    assert_eq!(client.conns(), (0, 0));
}

#[tokio::test]
async fn a_conn_that_the_server_closes_in_between_is_replaced() {
    for method in ["GET", "POST"] {
        // The second request on a conn is read, and never answered.
        let requests = AtomicUsize::new(0);
        let server = serve(move |seen| match requests.fetch_add(1, Ordering::Relaxed) {
            1 => (Vec::new(), Then::Close),
            _ => (ok(&seen.conn.to_string()), Then::Keep),
        })
        .await;
        let client = Client::new();
        assert_eq!(get(&client, &server.at("/")).await, "0");
        let request = Request::builder().method(method).uri(server.at("/")).body("x").unwrap();
        let second = client.send(request).await;
        match method {
            "GET" => assert!(!second.unwrap().body().conn_info().is_reused),
            // It may have been acted on.
            _ => assert!(second.unwrap_err().to_string().contains("closed before message completed")),
        }
        assert_eq!(server.seen().len(), if method == "GET" { 3 } else { 2 });
    }
}

#[tokio::test]
async fn a_conn_that_is_not_to_be_kept_is_not() {
    let server =
        serve(|seen| (with(200, &[("connection", "close")], seen.conn.to_string().as_bytes()), Then::Keep))
            .await;
    let client = Client::new();
    for conn in ["0", "1", "2"] {
        let request = Request::post(server.at("/")).body("not to be sent twice").unwrap();
        assert_eq!(client.send(request).await.unwrap().into_body().text(9).await.unwrap(), conn);
        assert_eq!(client.conns(), (0, 0));
    }
}

#[tokio::test]
async fn at_the_limit_requests_wait_for_each_other() {
    let server = serve(|seen| (ok(&seen.conn.to_string()), Then::Keep)).await;
    let client = Client::new().max_conns_per_host(NonZeroUsize::new(2).unwrap());
    let url: Arc<str> = server.at("/").into();
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let (client, url) = (client.clone(), url.clone());
        requests.spawn(async move { get(&client, &url).await });
    }
    while let Some(done) = requests.join_next().await {
        assert!(["0", "1"].contains(&done.unwrap().as_str()));
    }
    assert_eq!((server.seen().len(), client.conns()), (40, (2, 2)));
}

#[tokio::test]
async fn who_no_longer_waits_takes_no_conn() {
    let server = serve(|seen| match seen.target() {
        "/held" => (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".to_vec(), Then::Hang),
        _ => (ok("free"), Then::Keep),
    })
    .await;
    let client = Client::new().max_conns_per_host(NonZeroUsize::MIN);
    let held = client.get(&server.at("/held")).await.unwrap();
    let url = server.at("/");
    let waiting = Box::pin(client.get(&url));
    let mut second = Box::pin(get(&client, &url));
    tokio::select! {
        biased;
        _ = waiting => panic!("there is no conn"),
        _ = &mut second => panic!("there is no conn"),
        () = std::future::ready(()) => {}
    }
    drop(held);
    assert_eq!(second.await, "free");
    assert_eq!(client.conns(), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn idle_conns_are_closed_in_time() {
    let server = serve(|_| (ok("x"), Then::Keep)).await;
    let client = Client::new().idle_timeout(Duration::from_secs(5));
    get(&client, &server.at("/")).await;
    assert_eq!(client.conns(), (1, 1));
    server.closed().await;
    assert_eq!(client.conns(), (0, 0));
}

#[tokio::test]
async fn unix_sockets_are_dialed_whatever_the_host() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let server = serve_unix(&path, |seen| (ok(seen.header("host").unwrap()), Then::Keep)).await;
    let client = Client::new().unix_socket(path.to_str().unwrap());
    assert_eq!(get(&client, "http://any.example:7/").await, "any.example:7");
    let request = Request::put("http://any.example:7/").body(Body::from("x")).unwrap();
    assert!(client.send(request).await.unwrap().body().conn_info().is_reused);
    assert_eq!(server.conns(), 1);
}

#[tokio::test]
async fn refusals_name_the_request_and_the_way() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = Client::new().get(&format!("http://{address}/x")).await.unwrap_err();
    let expected = format!("GET http://{address}/x: dial tcp {address}: connect: connection refused");
    assert_eq!(error.to_string(), expected);
    assert!(error.is_connect() && !error.is_timeout());
    for (url, reason) in
        [("ftp://x/", "neither http nor https"), ("/x", "absolute URL"), ("http://a:b@c/", "credentials")]
    {
        let error = Client::new().get(url).await.unwrap_err();
        assert!(error.is_invalid() && error.to_string().contains(reason), "{error}");
    }
}

#[tokio::test]
async fn who_resets_a_conn_is_heard_to_do_so() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let resetting = std::thread::spawn(move || {
        let (conn, _) = listener.accept().unwrap();
        // With something unread, a close is a reset.
        conn.peek(&mut [0]).unwrap();
    });
    let request = Request::post(url).body("not to be sent twice").unwrap();
    let error = Client::new().send(request).await.unwrap_err();
    assert!(error.to_string().contains("reset"), "{error}");
    resetting.join().unwrap();
}
