//! TLS, and HTTP/2 where the server agrees to it.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use conntest::tls::SelfSigned;
use http::{Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use landline::TlsConn;
use landline_http::client::{Body, Client};
use rustls::ClientConfig;
use tokio::task::JoinSet;

struct Server {
    address: String,
    conns: Arc<AtomicUsize>,
    client: ClientConfig,
    _tasks: JoinSet<()>,
}

/// A server that offers these protocols and echoes bodies.
async fn serve(protocols: &[&[u8]]) -> Server {
    let own = SelfSigned::new("localhost");
    let (config, client) = (Arc::new(own.server(protocols)), own.client());
    let listener = landline::listen("tcp", "127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().as_socket().unwrap().port();
    let conns = Arc::new(AtomicUsize::new(0));
    let counted = conns.clone();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut served = JoinSet::new();
        loop {
            let conn = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::Relaxed);
            let config = config.clone();
            served.spawn(async move {
                let Ok(tls) = TlsConn::accept(conn, config).await else { return };
                let is_h2 = tls.alpn_protocol().as_deref() == Some(b"h2");
                let echo = service_fn(|request: Request<hyper::body::Incoming>| async {
                    let host = request.uri().authority().map(ToString::to_string);
                    let mut response =
                        Response::new(Full::<Bytes>::from(request.collect().await.unwrap().to_bytes()));
                    if let Some(host) = host {
                        response.headers_mut().insert("x-host", host.parse().unwrap());
                    }
                    Ok::<_, Infallible>(response)
                });
                let io = TokioIo::new(tls);
                let _ = if is_h2 {
                    hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                        .serve_connection(io, echo)
                        .await
                } else {
                    hyper::server::conn::http1::Builder::new().serve_connection(io, echo).await
                };
            });
        }
    });
    Server { address: format!("localhost:{port}"), conns, client, _tasks: tasks }
}

#[tokio::test]
async fn http2_carries_many_requests_over_one_conn() {
    let server = serve(&[b"h2", b"http/1.1"]).await;
    let client = Client::new().tls(server.client.clone());
    let url = format!("https://{}/", server.address);
    let mut requests = JoinSet::new();
    for number in 0..50 {
        let (client, url) = (client.clone(), url.clone());
        requests.spawn(async move {
            // Bodies longer than what hyper sends ahead, so that they overlap.
            let body = number.to_string().repeat(50_000);
            let request = Request::post(url).header("connection", "keep-alive").body(body.clone()).unwrap();
            let response = client.send(request).await.unwrap();
            assert_eq!(response.version(), Version::HTTP_2);
            assert!(response.headers().contains_key("x-host"));
            assert_eq!(response.into_body().text(1 << 20).await.unwrap(), body);
        });
    }
    while let Some(done) = requests.join_next().await {
        done.unwrap();
    }
    assert_eq!((server.conns.load(Ordering::Relaxed), client.conns()), (1, (0, 1)));
}

#[tokio::test]
async fn http1_is_spoken_where_the_server_wants_it() {
    for protocols in [&[b"http/1.1".as_slice()][..], &[]] {
        let server = serve(protocols).await;
        let client = Client::new().tls(server.client.clone());
        for is_reused in [false, true] {
            let request = Request::post(format!("https://{}/", server.address)).body("data").unwrap();
            let response = client.send(request).await.unwrap();
            assert_eq!(response.version(), Version::HTTP_11);
            let info = response.body().conn_info();
            assert_eq!(info.is_reused, is_reused);
            assert!(info.tls.as_deref().unwrap().starts_with("TLS"), "{info:?}");
            assert_eq!(response.into_body().text(99).await.unwrap(), "data");
        }
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let server = serve(&[b"h2"]).await;
    let error = Client::new().get(&format!("https://{}/", server.address)).await.unwrap_err();
    assert!(error.is_connect() && error.to_string().contains("certificate"), "{error}");
    let client = Client::new().tls(server.client.clone());
    let url = format!("https://{}/", server.address.replace("localhost", "127.0.0.1"));
    let error = client.get(&url).await.unwrap_err();
    assert!(error.is_connect() && error.to_string().contains("certificate"), "{error}");
}

#[tokio::test]
async fn streams_go_both_ways_over_http2() {
    let server = serve(&[b"h2"]).await;
    let client = Client::new().tls(server.client.clone());
    let body = Body::from_reader(tokio::io::AsyncReadExt::take(tokio::io::repeat(7), 1 << 20), None);
    let request = Request::put(format!("https://{}/", server.address)).body(body).unwrap();
    let response = client.send(request).await.unwrap();
    assert_eq!(response.into_body().bytes(2 << 20).await.unwrap().len(), 1 << 20);
}
