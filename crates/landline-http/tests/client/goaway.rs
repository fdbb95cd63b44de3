//! Servers of HTTP/2 that say GOAWAY: what they have not worked on is asked again, what they have comes to its end.

use std::sync::Arc;
use std::time::Duration;

use http::Request;
use landline_http::client::{Body, Client};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;

const LONG: Duration = Duration::from_secs(60);

// RFC 9113 section 6.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// The server's end of a conn, frame by frame.
struct Peer(TcpStream);

impl Peer {
    async fn accept(listener: &TcpListener) -> Peer {
        let mut peer = Peer(listener.accept().await.unwrap().0);
        let mut preface = [0; 24];
        peer.0.read_exact(&mut preface).await.unwrap();
        assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        peer.send(SETTINGS, 0, 0, &[]).await;
        peer
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.0.write_all(&frame).await.unwrap();
    }

    /// The next frame's kind, flags and stream; `None` at the end.
    async fn frame(&mut self) -> Option<(u8, u8, u32)> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.ok()?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        self.0.read_exact(&mut vec![0; length]).await.ok()?;
        if head[3] == SETTINGS && head[4] & ACK == 0 {
            self.send(SETTINGS, ACK, 0, &[]).await;
        }
        Some((head[3], head[4], u32::from_be_bytes([head[5], head[6], head[7], head[8]])))
    }

    /// Waits for the head of the next request, and gives its stream.
    async fn request(&mut self) -> Option<u32> {
        loop {
            match self.frame().await? {
                (HEADERS, _, stream) => return Some(stream),
                _ => continue,
            }
        }
    }

    /// 200 with this body.
    async fn answer(&mut self, stream: u32, body: &str) {
        // `:status: 200` of the static table (RFC 7541 appendix A).
        self.send(HEADERS, END_HEADERS, stream, &[0x88]).await;
        self.send(DATA, END_STREAM, stream, body.as_bytes()).await;
    }

    /// No stream after this one was or will be worked on, and it is nobody's fault.
    async fn go_away(&mut self, last: u32) {
        let payload = [last.to_be_bytes(), 0u32.to_be_bytes()].concat();
        self.send(GOAWAY, 0, 0, &payload).await;
    }

    /// Answers all that comes.
    async fn serve(mut self, body: &str) {
        while let Some(stream) = self.request().await {
            self.answer(stream, body).await;
        }
    }

    /// Reads on until the client has closed.
    async fn until_closed(mut self) {
        while self.frame().await.is_some() {}
    }
}

async fn listen() -> (TcpListener, String, Client) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    (listener, url, Client::new().http2_prior_knowledge(true))
}

async fn send(
    client: Client,
    method: &str,
    url: String,
    body: impl Into<Body>,
) -> Result<String, landline_http::client::Error> {
    let request = Request::builder().method(method).uri(url).body(body.into()).unwrap();
    client.send(request).await?.into_body().text(99).await
}

#[tokio::test]
async fn what_was_not_worked_on_is_asked_again_and_what_was_comes_to_its_end() {
    let (listener, url, client) = listen().await;
    let first_is_there = Arc::new(Notify::new());
    let told = first_is_there.clone();
    let mut server = JoinSet::new();
    server.spawn(async move {
        let mut old = Peer::accept(&listener).await;
        let first = old.request().await.unwrap();
        told.notify_one();
        let (second, third) = (old.request().await.unwrap(), old.request().await.unwrap());
        assert!(first < second && second < third);
        old.go_away(first).await;
        let new = Peer::accept(&listener).await;
        // Late, so that the second conn cannot be the first one closing.
        old.answer(first, "old").await;
        tokio::join!(new.serve("new"), old.until_closed());
    });
    let all = async {
        let first = tokio::spawn(send(client.clone(), "POST", url.clone(), "one"));
        first_is_there.notified().await;
        // Not idempotent, but the server says that it did nothing.
        let second = tokio::spawn(send(client.clone(), "POST", url.clone(), "two"));
        let third = tokio::spawn(send(client.clone(), "GET", url.clone(), ()));
        for (request, body) in [(first, "old"), (second, "new"), (third, "new")] {
            assert_eq!(request.await.unwrap().unwrap(), body);
        }
        // And the old conn is not used again.
        assert_eq!(send(client.clone(), "POST", url.clone(), "four").await.unwrap(), "new");
    };
    timeout(LONG, all).await.expect("all are answered");
    drop(client);
    timeout(LONG, server.join_next()).await.expect("both conns are closed").unwrap().unwrap();
}

#[tokio::test]
async fn a_conn_that_goes_away_at_once_is_replaced() {
    let (listener, url, client) = listen().await;
    let mut server = JoinSet::new();
    server.spawn(async move {
        let mut old = Peer::accept(&listener).await;
        old.request().await.unwrap();
        old.go_away(0).await;
        tokio::join!(Peer::accept(&listener).await.serve("new"), old.until_closed());
    });
    let answer = timeout(LONG, send(client, "POST", url, "one")).await.expect("an answer");
    assert_eq!(answer.unwrap(), "new");
}

#[tokio::test]
async fn a_stream_that_is_refused_is_asked_again() {
    let (listener, url, client) = listen().await;
    let mut server = JoinSet::new();
    server.spawn(async move {
        let mut peer = Peer::accept(&listener).await;
        let stream = peer.request().await.unwrap();
        // REFUSED_STREAM.
        peer.send(RST_STREAM, 0, stream, &7u32.to_be_bytes()).await;
        peer.serve("again").await;
    });
    let answer = timeout(LONG, send(client, "POST", url, "one")).await.expect("an answer");
    assert_eq!(answer.unwrap(), "again");
}

#[tokio::test]
async fn a_server_that_always_refuses_is_not_asked_for_ever() {
    let (listener, url, client) = listen().await;
    let mut server = JoinSet::new();
    server.spawn(async move {
        let mut peers = JoinSet::new();
        loop {
            let mut peer = Peer::accept(&listener).await;
            peers.spawn(async move {
                while let Some(stream) = peer.request().await {
                    peer.send(RST_STREAM, 0, stream, &7u32.to_be_bytes()).await;
                }
            });
        }
    });
    let answer = timeout(LONG, send(client, "GET", url, ())).await.expect("an end");
    answer.unwrap_err();
}

#[tokio::test]
async fn a_stream_of_a_body_cannot_be_sent_again() {
    let (listener, url, client) = listen().await;
    let mut server = JoinSet::new();
    server.spawn(async move {
        let mut peer = Peer::accept(&listener).await;
        let stream = peer.request().await.unwrap();
        // The body has begun to come.
        while !matches!(peer.frame().await.unwrap(), (DATA, _, _)) {}
        peer.send(RST_STREAM, 0, stream, &7u32.to_be_bytes()).await;
        peer.serve("again").await;
    });
    let body = Body::from_reader(AsyncReadExt::take(tokio::io::repeat(7), 1 << 20), None);
    let answer = timeout(LONG, send(client, "PUT", url, body)).await.expect("an end");
    answer.unwrap_err();
}
