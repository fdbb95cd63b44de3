//! Requests that change the protocol of their conn.

use std::fmt::Write as _;
use std::sync::{Mutex, OnceLock};

use conntest::tls::SelfSigned;
use http::Request;
use landline_http::client::{Body, Client};
use landline_http::reverse_proxy::ReverseProxy;
use landline_http::server::{Server, Serving};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{LONG, Running, backend, front, header, read_head, read_until, say};

/// Changes to `protocol`, says hello in the same packet, and repeats what it hears.
async fn upgrading(protocol: &'static str) -> Running {
    backend(move |mut stream| async move {
        let head = read_head(&mut stream).await.unwrap();
        assert_eq!(header(&head, "upgrade"), Some("echo, shout"), "{head}");
        assert!(header(&head, "connection").unwrap().to_lowercase().contains("upgrade"), "{head}");
        let reply = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\nX-Key: k\r\n\r\nhello\n"
        );
        stream.write_all(reply.as_bytes()).await.unwrap();
        let (mut read, mut write) = stream.split();
        tokio::io::copy(&mut read, &mut write).await.unwrap();
    })
    .await
}

const ASK: &str =
    "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: echo, shout\r\n\r\n";

#[tokio::test]
async fn bytes_go_both_ways_until_both_ends_have_closed() {
    let backend = upgrading("echo").await;
    let front = front(ReverseProxy::new([backend.url()]).unwrap()).await;
    let talk = async {
        let mut stream = TcpStream::connect(&front.address).await.unwrap();
        // What comes with the request belongs to the new protocol.
        stream.write_all(format!("{ASK}early\n").as_bytes()).await.unwrap();
        let head = read_until(&mut stream, "\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert_eq!((header(&head, "upgrade"), header(&head, "x-key")), (Some("echo"), Some("k")));
        assert_eq!(header(&head, "connection"), Some("upgrade"));
        assert_eq!(read_until(&mut stream, "early\n").await, "hello\nearly\n");
        let big = vec![b'x'; 1 << 20];
        let (mut read, mut write) = stream.split();
        let mut back = Vec::new();
        let (sent, got) = tokio::join!(
            async {
                write.write_all(&big).await?;
                write.shutdown().await
            },
            read.read_to_end(&mut back)
        );
        sent.unwrap();
        got.unwrap();
        assert!(back == big, "{} bytes", back.len());
    };
    timeout(LONG, talk).await.expect("it talks");
}

#[tokio::test]
async fn an_answer_that_is_no_upgrade_is_passed_on() {
    let backend = backend(|mut stream| async move {
        let _ = read_head(&mut stream).await;
        let reply = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno";
        stream.write_all(reply).await.unwrap();
    })
    .await;
    let front = front(ReverseProxy::new([backend.url()]).unwrap()).await;
    let answer = say(&front, &ASK.replace("keep-alive", "close")).await;
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.ends_with("no"), "{answer}");
}

#[tokio::test]
async fn a_protocol_that_was_not_asked_for_is_no_answer() {
    let backend = upgrading("telnet").await;
    let front = front(ReverseProxy::new([backend.url()]).unwrap()).await;
    let answer = say(&front, &ASK.replace("keep-alive", "close")).await;
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    assert_eq!(header(&answer, "proxy-status"), Some("landline; error=http_upgrade_failed"));
}

#[tokio::test]
async fn the_client_gives_the_conn_away() {
    let backend = upgrading("echo").await;
    let client = Client::new();
    let request =
        Request::get(backend.url()).header("connection", "upgrade").header("upgrade", "echo, shout");
    let response = client.send(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 101);
    assert_eq!(client.conns(), (0, 0));
    let mut upgraded = response.into_body().into_upgraded().unwrap();
    upgraded.write_all(b"through\n").await.unwrap();
    let said = timeout(LONG, read_until(&mut upgraded, "through\n")).await.expect("an answer");
    assert_eq!(said, "hello\nthrough\n");
    let (conn, unread) = upgraded.into_parts();
    assert!(unread.is_empty());
    conn.close_write().unwrap();
    let mut rest = Vec::new();
    (&conn).read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty());
}

/// What the proxy has told of the copies it has made, in this process.
fn told() -> &'static Mutex<Vec<String>> {
    static TOLD: OnceLock<Mutex<Vec<String>>> = OnceLock::new();
    TOLD.get_or_init(|| {
        tracing::subscriber::set_global_default(Told).unwrap();
        Mutex::default()
    })
}

struct Told;

impl tracing::Subscriber for Told {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target() == "landline"
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Line(String);

        impl tracing::field::Visit for Line {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                write!(self.0, "{field}={value:?} ").unwrap();
            }
        }

        let mut line = Line(String::new());
        event.record(&mut line);
        told().lock().unwrap().push(line.0);
    }
}

/// Has so much go through an upgraded conn and back, and returns what the proxy tells of it.
async fn copied(backend: &Running, mut client: impl AsyncReadExt + AsyncWriteExt + Unpin) -> String {
    const MUCH: usize = 4 << 20;
    client.write_all(format!("{ASK}early\n").as_bytes()).await.unwrap();
    let head = read_until(&mut client, "\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert_eq!(read_until(&mut client, "early\n").await, "hello\nearly\n");
    let (mut read, mut write) = tokio::io::split(client);
    let (piece, mut back) = (vec![b'x'; 256 << 10], Vec::new());
    let sending = async {
        for _ in 0..MUCH / piece.len() {
            write.write_all(&piece).await.unwrap();
        }
        write.shutdown().await.unwrap();
    };
    let ((), got) = tokio::join!(sending, read.read_to_end(&mut back));
    got.unwrap();
    assert_eq!((back.len(), back.iter().all(|byte| *byte == b'x')), (MUCH, true));
    loop {
        let line = told().lock().unwrap().iter().find(|line| line.contains(&backend.address)).cloned();
        match line {
            Some(line) => return line,
            None => tokio::task::yield_now().await,
        }
    }
}

async fn serve(server: Server, backend: &Running) -> Serving {
    let server = server.transport(landline::Server::new().workers(1));
    server.serve("tcp", "127.0.0.1:0", ReverseProxy::new([backend.url()]).unwrap()).await.unwrap()
}

#[tokio::test]
async fn under_our_own_server_the_kernel_moves_the_bytes() {
    told();
    let backend = upgrading("echo").await;
    let serving = serve(Server::new(), &backend).await;
    let client = TcpStream::connect(serving.local_addr().to_string()).await.unwrap();
    let line = timeout(LONG, copied(&backend, client)).await.expect("it talks");
    assert!(line.matches("by splice").count() == 2, "{line}");
    assert!(line.contains("there=4194310 bytes") && line.contains("back=4194316 bytes"), "{line}");
}

#[tokio::test]
async fn of_tls_it_cannot() {
    told();
    let own = SelfSigned::new("localhost");
    let backend = upgrading("echo").await;
    let serving = serve(Server::new().tls(own.server(&[b"http/1.1"])), &backend).await;
    let conn = landline::dial("tcp", &serving.local_addr().to_string()).await.unwrap();
    let trust = std::sync::Arc::new(own.client());
    let client = landline::TlsConn::connect(conn, "localhost", trust).await.unwrap();
    let line = timeout(LONG, copied(&backend, client)).await.expect("it talks");
    assert!(line.matches("by buffer").count() == 2, "{line}");
}

#[tokio::test]
async fn a_relayed_conn_is_one_of_the_servers() {
    let backend = upgrading("echo").await;
    let serving = serve(Server::new(), &backend).await;
    let mut client = TcpStream::connect(serving.local_addr().to_string()).await.unwrap();
    client.write_all(ASK.as_bytes()).await.unwrap();
    read_until(&mut client, "hello\n").await;
    assert_eq!(serving.counters().total().conns, 1);
    let drained = serving.shutdown(std::time::Duration::from_millis(100)).await;
    assert_eq!((drained.finished, drained.cut), (0, 1));
    let mut rest = Vec::new();
    let _ = timeout(LONG, client.read_to_end(&mut rest)).await.expect("it is cut");
    assert!(rest.is_empty());
}
