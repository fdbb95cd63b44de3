//! hyper-util's client and tonic's channel, both ends of both on landline.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::StreamExt;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use landline::{Dialer, ListenConfig};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;
use tonic::transport::{Endpoint, Server};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

#[tokio::test]
async fn hyper_utils_client_dials_through_landline() {
    let listener = ListenConfig::new().listen_tcp("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let conn = listener.accept().await.unwrap();
        // Two requests over one conn: the client keeps it.
        for _ in 0..2 {
            let mut request = [0; 4096];
            assert!(conn.read(&mut request).await.unwrap() > 0);
            conn.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").await.unwrap();
        }
    });
    let client = Client::builder(TokioExecutor::new()).build::<_, Empty<&[u8]>>(Dialer::new());
    for _ in 0..2 {
        let response = client.get(format!("http://{addr}/").parse().unwrap()).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(&body[..], b"hello");
    }
    server.await.unwrap();
}

#[tokio::test]
async fn a_refused_dial_reaches_hyper_utils_caller_with_its_cause() {
    let listener = ListenConfig::new().listen_tcp("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let client = Client::builder(TokioExecutor::new()).build::<_, Empty<&[u8]>>(Dialer::new());
    let error = client.get(format!("http://{addr}/").parse().unwrap()).await.unwrap_err();
    let mut cause: Option<&dyn std::error::Error> = Some(&error);
    let mut found = None;
    while let Some(error) = cause {
        found = found.or(error.downcast_ref::<landline::Error>().cloned());
        cause = error.source();
    }
    assert!(found.expect("landline's error is among the causes").is_connection_refused());
}

#[tokio::test]
async fn tonic_calls_and_serves_through_landline() {
    let listener = ListenConfig::new().listen_tcp("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (_reporter, health) = tonic_health::server::health_reporter();
    let server = tokio::spawn(async move {
        let incoming = listener.incoming().map(|conn| conn.map(Accepted));
        Server::builder().add_service(health).serve_with_incoming(incoming).await.unwrap();
    });
    let channel = Endpoint::from_shared(format!("http://{addr}"))
        .unwrap()
        .timeout(Duration::from_secs(10))
        .connect_with_connector(Dialer::new())
        .await
        .unwrap();
    let answer =
        HealthClient::new(channel).check(HealthCheckRequest { service: String::new() }).await.unwrap();
    assert_eq!(answer.into_inner().status, 1, "SERVING");
    server.abort();
}

/// tonic wants its conns to tell what a handler may know of them.
struct Accepted(landline::TcpConn);

impl Connected for Accepted {
    type ConnectInfo = Option<SocketAddr>;

    fn connect_info(&self) -> Option<SocketAddr> {
        self.0.peer_addr().ok()
    }
}

impl AsyncRead for Accepted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Accepted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
