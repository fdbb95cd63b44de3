//! What backends are told, and what clients are told of them.

use landline_http::client::Client;
use landline_http::reverse_proxy::{Forwarding, Host, ReverseProxy};

use crate::harness::{answering, echoing, front, front_h2, front_on, get, header, say};

#[tokio::test]
async fn a_request_arrives_without_what_belonged_to_its_conn() {
    let backend = echoing().await;
    let front = front(ReverseProxy::new([backend.url()]).unwrap().via("edge").unwrap()).await;
    let answer = say(
        &front,
        "GET /a?b HTTP/1.1\r\nHost: front.example\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nTE: trailers\r\n\
         X-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nKeep-Alive: 5\r\nProxy-Authorization: x\r\n\
         X-Kept: yes\r\nAccept-Encoding: gzip, br, zstd\r\n\r\n",
    )
    .await;
    let (head, seen) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK") && seen.starts_with("GET /a?b HTTP/1.1\r\n"), "{answer}");
    for (name, value) in [
        ("host", Some("front.example")),
        ("connection", Some("te")),
        ("te", Some("trailers")),
        ("x-mine", None),
        ("keep-alive", None),
        ("proxy-authorization", None),
        ("x-kept", Some("yes")),
        ("accept-encoding", Some("gzip, br, zstd")),
        ("user-agent", None),
        ("via", Some("1.1 edge")),
        ("x-forwarded-for", Some("127.0.0.1")),
        ("x-forwarded-host", Some("front.example")),
        ("x-forwarded-proto", Some("http")),
        ("forwarded", Some("for=127.0.0.1;host=front.example;proto=http")),
    ] {
        assert_eq!(header(seen, name), value, "{name}: {seen}");
    }
    assert_eq!(header(head, "via"), Some("1.1 edge"));
}

#[tokio::test]
async fn host_and_trust_are_a_choice() {
    let backend = echoing().await;
    let proxy = ReverseProxy::new([format!("{}/base/", backend.url())]).unwrap();
    let front = front(proxy.host(Host::Rewrite).forwarding(Forwarding::Append).secure(true)).await;
    let request =
        "GET /a HTTP/1.1\r\nHost: front.example\r\nConnection: close\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n";
    let answer = say(&front, request).await;
    let (_, seen) = answer.split_once("\r\n\r\n").unwrap();
    assert!(seen.starts_with("GET /base/a HTTP/1.1\r\n"), "{seen}");
    assert_eq!(header(seen, "host"), Some(backend.address.as_str()));
    assert_eq!(header(seen, "x-forwarded-for"), Some("192.0.2.1, 127.0.0.1"));
    assert_eq!(header(seen, "x-forwarded-proto"), Some("https"));
    assert_eq!(
        header(seen, "forwarded"),
        Some("for=192.0.2.1, for=127.0.0.1;host=front.example;proto=https")
    );
    let answer = say(&front, &request.replace("/a ", "/../etc ")).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[tokio::test]
async fn a_response_leaves_what_belonged_to_its_conn() {
    let backend = answering(
        "HTTP/1.1 418 Teapot\r\nContent-Length: 2\r\nConnection: x-mine\r\nX-Mine: 1\r\nKeep-Alive: 5\r\n\
         Proxy-Authenticate: Basic\r\nUpgrade: h9\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Kept: yes\r\n\r\nhi",
    )
    .await;
    let front = front(ReverseProxy::new([backend.url()]).unwrap()).await;
    let answer = get(&front).await;
    assert!(answer.starts_with("HTTP/1.1 418 ") && answer.ends_with("\r\n\r\nhi"), "{answer}");
    for name in ["x-mine", "keep-alive", "proxy-authenticate", "upgrade", "proxy-status"] {
        assert_eq!(header(&answer, name), None, "{answer}");
    }
    assert_eq!(header(&answer, "x-kept"), Some("yes"));
    assert_eq!(answer.to_lowercase().matches("set-cookie: ").count(), 2);
}

#[tokio::test]
async fn a_request_for_the_whole_server() {
    let backend = echoing().await;
    let front = front(ReverseProxy::new([format!("{}/base", backend.url())]).unwrap()).await;
    let request = "OPTIONS * HTTP/1.1\r\nHost: front.example\r\nMax-Forwards: 7\r\nConnection: close\r\n\r\n";
    let answer = say(&front, request).await;
    let (_, seen) = answer.split_once("\r\n\r\n").unwrap();
    assert!(seen.starts_with("OPTIONS * HTTP/1.1\r\n"), "{answer}");
    assert_eq!((header(seen, "host"), header(seen, "max-forwards")), (Some("front.example"), Some("6")));
}

#[tokio::test]
async fn http2_in_front() {
    let backend = echoing().await;
    let front = front_h2(ReverseProxy::new([backend.url()]).unwrap()).await;
    let client = Client::new().http2_prior_knowledge(true);
    let response = client.get(&format!("{}/x", front.url())).await.unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (200, http::Version::HTTP_2));
    let seen = response.into_body().text(1 << 16).await.unwrap();
    assert!(seen.starts_with("GET /x HTTP/1.1\r\n"), "{seen}");
    assert_eq!(header(&seen, "host"), Some(front.address.as_str()));
}

#[tokio::test]
async fn requests_that_no_backend_gets() {
    let backend = echoing().await;
    let front = front(ReverseProxy::new([backend.url()]).unwrap()).await;
    for (request, status) in [
        ("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n", "501"),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a@b\r\n", "400"),
        ("OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n", "501"),
    ] {
        let answer = say(&front, &format!("{request}Connection: close\r\n\r\n")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request} {answer}");
        assert_eq!(header(&answer, "proxy-status"), Some("landline; error=http_request_error"));
    }
    assert_eq!(backend.accepted(), 0);
}

#[tokio::test]
async fn a_request_that_comes_back_goes_no_further() {
    // The names of two proxies, each of which is the other's backend; and one that is its own.
    let listen = async || landline::listen("tcp", "127.0.0.1:0").await.unwrap();
    for count in [1, 2] {
        let mut listeners = Vec::new();
        for _ in 0..count {
            listeners.push(listen().await);
        }
        let urls: Vec<String> =
            listeners.iter().map(|listener| format!("http://{}", listener.local_addr().unwrap())).collect();
        let mut fronts = Vec::new();
        for (index, listener) in listeners.into_iter().enumerate() {
            fronts.push(front_on(listener, ReverseProxy::new([&urls[(index + 1) % count]]).unwrap()));
        }
        let answer = get(&fronts[0]).await;
        assert!(answer.starts_with("HTTP/1.1 508 Loop Detected\r\n"), "{answer}");
        assert_eq!(header(&answer, "proxy-status"), Some("landline; error=proxy_loop_detected"));
        let accepted: Vec<usize> = fronts.iter().map(crate::harness::Running::accepted).collect();
        assert_eq!(accepted, [[2, 0], [2, 1]][count - 1][..count], "{count}");
    }
}

#[tokio::test]
async fn other_proxies_in_a_row_are_no_loop() {
    let backend = echoing().await;
    let second = front(ReverseProxy::new([backend.url()]).unwrap()).await;
    let first = front(ReverseProxy::new([second.url()]).unwrap()).await;
    let answer =
        say(&first, "GET / HTTP/1.1\r\nHost: a\r\nCDN-Loop: edge.example\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let (_, seen) = answer.split_once("\r\n\r\n").unwrap();
    let passed: Vec<&str> = seen.lines().filter_map(|line| line.strip_prefix("cdn-loop: ")).collect();
    assert!(passed[0] == "edge.example" && passed.len() == 3 && passed[1] != passed[2], "{seen}");
}
