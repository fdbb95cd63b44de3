//! Backends that speak TLS, and HTTP/2 where they like.

use std::convert::Infallible;
use std::sync::Arc;

use conntest::tls::SelfSigned;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use landline::TlsConn;
use landline_http::reverse_proxy::ReverseProxy;
use rustls::ClientConfig;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::harness::{LONG, front, header, read_until, say};

/// Says by what version it was asked and for whom, echoes bodies, and can change to `echo`.
async fn answer(mut request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let version = format!("{:?}", request.version());
    let host = request.uri().authority().map(ToString::to_string);
    let host = host.or_else(|| Some(request.headers().get("host")?.to_str().ok()?.to_owned()));
    let mut response = Response::new(Full::default());
    if request.headers().get("upgrade").is_some() {
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let (mut read, mut write) = tokio::io::split(TokioIo::new(upgrade.await.unwrap()));
            let _ = tokio::io::copy(&mut read, &mut write).await;
        });
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response.headers_mut().insert("connection", HeaderValue::from_static("upgrade"));
        response.headers_mut().insert("upgrade", HeaderValue::from_static("echo"));
    } else {
        *response.body_mut() = Full::from(request.collect().await.unwrap().to_bytes());
    }
    response.headers_mut().insert("x-version", version.parse().unwrap());
    response.headers_mut().insert("x-host", host.unwrap().parse().unwrap());
    Ok(response)
}

/// A backend, its port, and what its clients have to trust.
async fn backend() -> (JoinSet<()>, u16, ClientConfig) {
    let own = SelfSigned::new("localhost");
    let (config, client) = (Arc::new(own.server(&[b"h2", b"http/1.1"])), own.client());
    let listener = landline::listen("tcp", "127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut served = JoinSet::new();
        loop {
            let (conn, config) = (listener.accept().await.unwrap(), config.clone());
            served.spawn(async move {
                let Ok(tls) = TlsConn::accept(conn, config).await else { return };
                let is_h2 = tls.alpn_protocol().as_deref() == Some(b"h2");
                let (io, service) = (TokioIo::new(tls), service_fn(answer));
                if is_h2 {
                    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection(io, service).await;
                } else {
                    let server = hyper::server::conn::http1::Builder::new();
                    let _ = server.serve_connection(io, service).with_upgrades().await;
                }
            });
        }
    });
    (tasks, port, client)
}

#[tokio::test]
async fn http2_behind_http1_keeps_the_host() {
    let (_backend, port, trusting) = backend().await;
    let proxy = ReverseProxy::new([format!("https://localhost:{port}")]).unwrap();
    let front = front(proxy.tls(trusting)).await;
    let answer = say(
        &front,
        "POST / HTTP/1.1\r\nHost: front.example\r\nContent-Length: 4\r\nConnection: close\r\n\r\ndata",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\ndata"), "{answer}");
    assert_eq!(header(&answer, "x-version"), Some("HTTP/2.0"));
    assert_eq!(header(&answer, "x-host"), Some("front.example"));
}

#[tokio::test]
async fn an_upgrade_goes_by_http1() {
    let (_backend, port, trusting) = backend().await;
    let proxy = ReverseProxy::new([format!("https://localhost:{port}")]).unwrap();
    let front = front(proxy.tls(trusting)).await;
    let talk = async {
        let mut stream = TcpStream::connect(&front.address).await.unwrap();
        let ask = "GET / HTTP/1.1\r\nHost: front.example\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
        stream.write_all(ask.as_bytes()).await.unwrap();
        let head = read_until(&mut stream, "\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert_eq!(header(&head, "x-version"), Some("HTTP/1.1"));
        stream.write_all(b"hello\n").await.unwrap();
        assert_eq!(read_until(&mut stream, "\n").await, "hello\n");
    };
    timeout(LONG, talk).await.expect("it talks");
}

#[tokio::test]
async fn a_backend_that_nobody_vouches_for() {
    let (_backend, port, _) = backend().await;
    let front = front(ReverseProxy::new([format!("https://localhost:{port}")]).unwrap()).await;
    let answer = crate::harness::get(&front).await;
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    assert_eq!(header(&answer, "proxy-status"), Some("landline; error=tls_protocol_error"));
}
