//! HTTP/2 without TLS: what RFC 9113 and RFC 7541 say, case by case, and what attackers do.
//!
//! The cases are those that the list of h2spec names, and some more, each with the section it is of.

mod anything;
mod block;
mod cases;
mod floods;
mod frames;
mod framing;
mod hpack;
mod messages;
mod peer;
mod pings;
mod streams;
mod tunnels;
mod windows;

use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt as _;
use landline_http::Body;
use landline_http::client::Client;
use landline_http::server::{RequestBody, Server, handle};
use tokio::time::sleep;

use super::{one, serve_word, until};
use peer::{NoFrame, code, flag, frame, get, kind};
pub(super) use peer::{Peer, Step};

#[tokio::test]
async fn many_requests_share_a_conn() {
    let slow = handle(async |request: Request<RequestBody>| {
        sleep(Duration::from_millis(20)).await;
        Response::new(Body::from(request.into_body().collect().await.unwrap().to_bytes()))
    });
    let serving = Server::new().transport(one()).serve("tcp", "127.0.0.1:0", slow).await.unwrap();
    let client = Client::new().http2_prior_knowledge(true);
    let url = format!("http://{}/", serving.local_addr());
    // The first opens the conn.
    client.get(&url).await.unwrap();
    let asking = (0..50).map(|index| {
        let (client, url) = (&client, &url);
        async move {
            let body = Body::from(format!("{index}"));
            let response = client.send(Request::post(url).body(body).unwrap()).await.unwrap();
            assert_eq!(response.version(), http::Version::HTTP_2);
            assert_eq!(response.into_body().text(64).await.unwrap(), index.to_string());
        }
    });
    futures_util::future::join_all(asking).await;
    until(&serving, |counters| (counters.requests, counters.responses[1]) == (51, 51)).await;
    assert_eq!(serving.counters().total().conns, 1);
}

#[tokio::test]
async fn what_has_no_content_has_none() {
    let service = handle(async |request: Request<RequestBody>| {
        let status: u16 = request.uri().path()[1..].parse().unwrap();
        Response::builder().status(status).body(Body::from("content")).unwrap()
    });
    let serving = Server::new().transport(one()).serve("tcp", "127.0.0.1:0", service).await.unwrap();
    let client = Client::new().http2_prior_knowledge(true);
    for (method, status, length, content) in [
        ("GET", 200, Some("7"), "content"),
        // RFC 9110 sections 8.6 and 9.3.2.
        ("HEAD", 200, Some("7"), ""),
        ("GET", 204, None, ""),
        ("GET", 304, Some("7"), ""),
    ] {
        let path = format!("/{status}");
        let url = format!("http://{}{path}", serving.local_addr());
        let request = Request::builder().method(method).uri(url).body(Body::empty()).unwrap();
        let response = client.send(request).await.unwrap();
        assert_eq!(response.status(), status);
        let said = response.headers().get("content-length").map(|length| length.to_str().unwrap());
        assert_eq!(said, length, "{method} {status}");
        // A client might not look for what ought not to be there.
        let peer = Peer::open(&serving).await;
        let block = [block::field(":method", method), block::get(&path)[1..].to_vec()].concat();
        peer.say(&frame(kind::HEADERS, flag::WHOLE, 1, &block)).await;
        let answer = peer.answer(1).await;
        assert_eq!((answer.status, &answer.body[..]), (status, content.as_bytes()), "{method} {status}");
    }
    until(&serving, |counters| (counters.in_flight, counters.aborted) == (0, 0)).await;
}

#[tokio::test]
async fn a_list_of_fields_that_is_too_long_is_answered_with_431() {
    let serving = serve_word(Server::new().max_header_list(2000)).await;
    let client = Client::new().http2_prior_knowledge(true);
    let url = format!("http://{}/", serving.local_addr());
    for (length, status) in [(1000, 200), (2000, 431), (1000, 200)] {
        let request = Request::get(&url).header("x", "x".repeat(length)).body(Body::empty()).unwrap();
        assert_eq!(client.send(request).await.unwrap().status(), status, "{length}");
    }
    assert_eq!(serving.counters().total().conns, 1);
}

#[tokio::test]
async fn an_idle_conn_is_told_that_it_ends() {
    let serving = serve_word(Server::new().idle_timeout(Duration::from_millis(300))).await;
    assert_eq!(Peer::open(&serving).await.goaway().await, 0);
}

#[tokio::test]
async fn a_drain_says_goaway() {
    let serving = serve_word(Server::new()).await;
    let peer = Peer::open(&serving).await;
    let ended = async {
        let mut kinds = Vec::new();
        while let Ok(frame) = peer.next().await {
            kinds.push(frame.kind);
            if frame.kind == kind::PING && !frame.has(flag::ACK) {
                peer.say(&self::frame(kind::PING, flag::ACK, 0, &frame.payload)).await;
            }
        }
        kinds
    };
    let (drained, kinds) = tokio::join!(serving.shutdown(Duration::from_secs(30)), ended);
    assert!(kinds.contains(&kind::GOAWAY), "{kinds:?}");
    assert_eq!((drained.finished, drained.cut), (1, 0));
}

#[tokio::test]
async fn who_goes_on_behind_the_last_request_of_its_conn_is_refused() {
    let serving = serve_word(Server::new().max_requests_per_conn(2).max_streams(3)).await;
    let peer = Peer::open(&serving).await;
    peer.say(&get(1)).await;
    assert_eq!(peer.answer(1).await.status, 200);
    peer.say(&get(3)).await;
    let (mut is_told, mut is_answered) = (false, false);
    // It answers no PING that asks whether it knows.
    while !(is_told && is_answered) {
        let frame = peer.next().await.unwrap();
        is_told |= frame.kind == kind::GOAWAY;
        is_answered |= frame.stream == 3 && frame.has(flag::END_STREAM);
    }
    for stream in [5, 7, 9] {
        peer.say(&get(stream)).await;
        let refused = peer.until(|frame| frame.stream == stream).await;
        assert_eq!((refused.kind, refused.code()), (kind::RST_STREAM, code::REFUSED_STREAM), "{refused:?}");
    }
    assert_eq!(serving.http_counters().responses[1], 2);
    peer.say(&get(11)).await;
    assert_eq!(peer.end().await, NoFrame::Closed);
    until(&serving, |counters| (counters.responses, counters.aborted) == ([0, 2, 0, 0, 0], 4)).await;
}
