//! Apps and layers that others wrote, as they are.

use std::time::Duration;

use axum::routing::{get, post};
use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use landline_http::Body;
use landline_http::client::Client;
use landline_http::server::{Router, Server, Serving};
use tower::ServiceBuilder;
use tower_http::compression::CompressionLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::propagate_header::PropagateHeaderLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

use super::{one, say};

#[tokio::test]
async fn apps_of_axum_run_as_they_are() {
    let app = axum::Router::new()
        .route(
            "/hello/{name}",
            get(async |axum::extract::Path(name): axum::extract::Path<String>| format!("hello {name}")),
        )
        .route("/back", post(async |body: String| body));
    let serving = Server::new().transport(one()).serve("tcp", "127.0.0.1:0", app).await.unwrap();
    let url = |path: &str| format!("http://{}{path}", serving.local_addr());
    let client = Client::new();
    let text = client.get(&url("/hello/you")).await.unwrap().into_body().text(1024).await.unwrap();
    assert_eq!(text, "hello you");
    let request = Request::post(url("/back")).body(Body::from("and back")).unwrap();
    let text = client.send(request).await.unwrap().into_body().text(1024).await.unwrap();
    assert_eq!(text, "and back");
    assert_eq!(client.get(&url("/none")).await.unwrap().status(), 404);
}

/// A body with trailers behind it.
fn with_trailers(
    words: &'static str,
    trailers: &[(&'static str, &str)],
) -> StreamBody<impl futures_util::Stream<Item = Result<Frame<Bytes>, std::io::Error>> + use<>> {
    let trailers: HeaderMap = trailers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
        .collect();
    let frames = [Frame::data(Bytes::from_static(words.as_bytes())), Frame::trailers(trailers)];
    StreamBody::new(futures_util::stream::iter(frames.map(Ok)))
}

/// Says back the trailer `x-sum` as the trailer `x-back`.
async fn serve_trailers() -> Serving {
    let app = axum::Router::new().route(
        "/sum",
        post(async |request: axum::extract::Request| {
            let body = request.into_body().collect().await.unwrap();
            let sum = body.trailers().and_then(|trailers| trailers.get("x-sum")).unwrap().to_str().unwrap();
            let back = with_trailers("summed", &[("x-back", sum)]);
            Response::builder().header("trailer", "x-back").body(axum::body::Body::new(back)).unwrap()
        }),
    );
    Server::new().transport(one()).serve("tcp", "127.0.0.1:0", app).await.unwrap()
}

#[tokio::test]
async fn trailers_go_both_ways_in_http1() {
    let serving = serve_trailers().await;
    let answer = say(
        &serving,
        "POST /sum HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\
         Trailer: x-sum\r\n\r\n2\r\nhi\r\n0\r\nx-sum: 7\r\n\r\n",
    )
    .await;
    assert!(answer.ends_with("\r\n6\r\nsummed\r\n0\r\nx-back: 7\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn trailers_go_both_ways_in_http2() {
    let serving = serve_trailers().await;
    let client = Client::new().http2_prior_knowledge(true);
    let body = Body::wrap(with_trailers("hi", &[("x-sum", "7")]));
    let request = Request::post(format!("http://{}/sum", serving.local_addr())).body(body).unwrap();
    let back = client.send(request).await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(back.trailers().unwrap()["x-back"], "7");
    assert_eq!(back.to_bytes(), "summed");
}

#[tokio::test]
async fn layers_of_tower_http_run_around_a_router() {
    let mut router = Router::new();
    router.handle("/fast", async |_| Response::new(Body::from("fast ".repeat(100)))).unwrap();
    router.handle("/slow", async |_| std::future::pending().await).unwrap();
    let service = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .layer(SetResponseHeaderLayer::overriding(
            HeaderName::from_static("x-by"),
            HeaderValue::from_static("tower"),
        ))
        .layer(PropagateHeaderLayer::new(HeaderName::from_static("x-request-id")))
        .layer(CompressionLayer::new())
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_millis(100)))
        .service(router);
    let serving = Server::new().transport(one()).serve("tcp", "127.0.0.1:0", service).await.unwrap();
    let ask = |path: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\nx-request-id: 17\r\nConnection: close\r\n\r\n"
        )
    };
    for (path, parts) in [
        ("/fast", &["HTTP/1.1 200 ", "content-encoding: gzip"][..]),
        ("/slow", &["HTTP/1.1 504 "]),
        ("/none", &["HTTP/1.1 404 "]),
    ] {
        let answer = say(&serving, ask(path)).await;
        for part in parts.iter().chain(&["x-by: tower\r\n", "x-request-id: 17\r\n"]) {
            assert!(answer.contains(part), "{path}: {part} in {answer}");
        }
    }
    // The client undoes what the layer did, over either protocol.
    for http2 in [false, true] {
        let client = Client::new().http2_prior_knowledge(http2);
        let response = client.get(&format!("http://{}/fast", serving.local_addr())).await.unwrap();
        assert_eq!(response.into_body().text(1 << 16).await.unwrap(), "fast ".repeat(100));
    }
}

#[tokio::test]
async fn layers_of_tower_http_run_in_an_app_of_axum() {
    let app = axum::Router::new()
        .route("/", post(async |body: String| body))
        .layer(RequestBodyLimitLayer::new(8))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, Duration::from_secs(30)));
    let serving = Server::new().transport(one()).serve("tcp", "127.0.0.1:0", app).await.unwrap();
    let client = Client::new();
    for (body, status) in [("short", 200), ("a long body", 413)] {
        let request =
            Request::post(format!("http://{}/", serving.local_addr())).body(Body::from(body)).unwrap();
        assert_eq!(client.send(request).await.unwrap().status(), status, "{body}");
    }
}
