//! CONNECT (RFC 9113 section 8.5), and with a protocol (RFC 8441).

use std::time::Duration;

use http::{Request, Response, StatusCode};
use hyper::ext::Protocol;
use hyper_util::rt::TokioIo;
use landline_http::Body;
use landline_http::server::{RequestBody, Server, Serving, Upgraded, handle};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::super::websockets::{self, websocket_text};
use super::super::{one, until};
use super::block::{field, fields};
use super::peer::{Answer, PREFACE, Peer, code, flag, frame, kind, reset, settings};

/// Agrees to `echo` at `/echo` and to CONNECT without a protocol, says back what it hears, and then `the end`.
async fn serve(server: Server) -> Serving {
    let echo = handle(async |mut request: Request<RequestBody>| {
        let protocol = request.extensions().get::<Protocol>().map(|protocol| protocol.as_str().to_owned());
        let mut response = Response::new(Body::empty());
        let agrees = match protocol.as_deref() {
            Some(protocol) => protocol == "echo" && request.uri().path() == "/echo",
            None => request.method() == http::Method::CONNECT,
        };
        if !agrees {
            *response.status_mut() = StatusCode::NOT_FOUND;
            return response;
        }
        let upgrading = hyper::upgrade::on(&mut request);
        tokio::task::spawn_local(async move {
            let (mut reader, mut writer) = tokio::io::split(TokioIo::new(upgrading.await.unwrap()));
            tokio::io::copy(&mut reader, &mut writer).await?;
            writer.write_all(b"the end").await?;
            writer.shutdown().await
        });
        response
    });
    server.transport(one()).serve("tcp", "127.0.0.1:0", echo).await.unwrap()
}

fn connect(stream: u32, more: &[(&str, &str)]) -> Vec<u8> {
    let block = [field(":method", "CONNECT"), fields(more)].concat();
    frame(kind::HEADERS, flag::END_HEADERS, stream, &block)
}

fn open_echo(stream: u32, path: &str) -> Vec<u8> {
    connect(stream, &[(":protocol", "echo"), (":scheme", "http"), (":path", path), (":authority", "a")])
}

/// The head that agrees, and does not end the stream.
async fn agreed(peer: &Peer, stream: u32) {
    let head = peer.until(|frame| frame.stream == stream).await;
    assert_eq!((head.kind, head.status(), head.has(flag::END_STREAM)), (kind::HEADERS, 200, false));
}

async fn echoes(peer: &Peer, stream: u32, word: &[u8]) {
    peer.say(&frame(kind::DATA, 0, stream, word)).await;
    let data = peer.until(|frame| frame.stream == stream).await;
    assert_eq!((data.kind, &data.payload[..]), (kind::DATA, word));
}

#[tokio::test]
async fn a_stream_can_become_another_protocols() {
    let serving = serve(Server::new().extended_connect(true)).await;
    let peer = Peer::dial(&serving).await;
    peer.say(&[PREFACE, &settings(&[])].concat()).await;
    // RFC 8441 section 3: a client may only ask where this was said.
    let said = peer.next().await.unwrap();
    assert!(said.payload.chunks_exact(6).any(|setting| setting == [0, 8, 0, 0, 0, 1]), "{said:?}");
    peer.say(&[open_echo(1, "/echo"), open_echo(3, "/other")].concat()).await;
    agreed(&peer, 1).await;
    let refused = peer.until(|frame| frame.stream == 3).await;
    assert_eq!((refused.kind, refused.payload[0]), (kind::HEADERS, 0x8d), "404");
    for word in [&b"one"[..], b"another"] {
        echoes(&peer, 1, word).await;
    }
    // Each end can end its side.
    peer.say(&frame(kind::DATA, flag::END_STREAM, 1, b"last")).await;
    let rest = peer.answer(1).await;
    assert_eq!(rest, Answer { body: b"lastthe end".to_vec(), lengths: rest.lengths.clone(), status: 0 });
    until(&serving, |counters| (counters.in_flight, counters.aborted) == (0, 0)).await;
}

#[tokio::test]
async fn a_tunnel_without_a_protocol_is_as_it_was() {
    for offered in [false, true] {
        let serving = serve(Server::new().extended_connect(offered)).await;
        let peer = Peer::open(&serving).await;
        peer.say(&connect(1, &[(":authority", "a:443")])).await;
        agreed(&peer, 1).await;
        echoes(&peer, 1, b"through").await;
        peer.say(&reset(1, code::CANCEL)).await;
        peer.say(&connect(3, &[(":authority", "a:443")])).await;
        agreed(&peer, 3).await;
    }
}

#[tokio::test]
async fn a_conn_with_a_tunnel_is_not_idle() {
    let serving = serve(Server::new().idle_timeout(Duration::from_millis(100)).extended_connect(true)).await;
    let peer = Peer::open(&serving).await;
    peer.say(&open_echo(1, "/echo")).await;
    agreed(&peer, 1).await;
    // Twice as long as it takes to end one that is.
    tokio::time::sleep(Duration::from_secs(3)).await;
    echoes(&peer, 1, b"still there").await;
    peer.say(&frame(kind::DATA, flag::END_STREAM, 1, b"")).await;
    assert_eq!(peer.answer(1).await.body, b"the end");
    assert_eq!(peer.goaway().await, 0);
}

#[tokio::test]
async fn a_drain_waits_for_tunnels_as_long_as_it_may() {
    let serving = serve(Server::new().extended_connect(true)).await;
    let peer = Peer::open(&serving).await;
    peer.say(&open_echo(1, "/echo")).await;
    agreed(&peer, 1).await;
    let ending = async {
        // GOAWAY, a PING that is answered, the last GOAWAY; and the tunnel goes on.
        let ping = peer.until(|frame| frame.kind == kind::PING).await;
        peer.say(&frame(kind::PING, flag::ACK, 0, &ping.payload)).await;
        peer.until(|frame| frame.kind == kind::GOAWAY).await;
        echoes(&peer, 1, b"still there").await;
        peer.say(&frame(kind::DATA, flag::END_STREAM, 1, b"")).await;
        peer.answer(1).await.body
    };
    let (drained, body) = tokio::join!(serving.shutdown(Duration::from_secs(60)), ending);
    assert_eq!((body, drained.finished, drained.cut), (b"the end".to_vec(), 1, 0));
}

#[tokio::test]
async fn websockets_open_over_http2() {
    let serving = websockets::serve(Server::new().extended_connect(true)).await;
    let peer = Peer::open(&serving).await;
    // RFC 8441 section 5.
    let fields = [
        (":protocol", "websocket"),
        (":scheme", "http"),
        (":path", "/ws"),
        (":authority", "a"),
        ("sec-websocket-version", "13"),
    ];
    for stream in [1, 3] {
        peer.say(&connect(stream, &fields)).await;
        agreed(&peer, stream).await;
    }
    for (stream, word) in [(3, "hello"), (1, "other"), (3, "again")] {
        let (said, back) = websocket_text(word);
        peer.say(&frame(kind::DATA, 0, stream, &said)).await;
        let mut heard = Vec::new();
        while heard.len() < back.len() {
            heard
                .extend(peer.until(|frame| frame.kind == kind::DATA && frame.stream == stream).await.payload);
        }
        assert_eq!(heard, back);
    }
}

/// Agrees to whatever is asked, and gives what becomes of it.
async fn giving() -> (Serving, UnboundedReceiver<std::io::Result<Upgraded>>) {
    let (give, given) = unbounded_channel();
    let agree = handle(move |mut request: Request<RequestBody>| {
        let (give, upgraded) = (give.clone(), Upgraded::of(&mut request));
        async move {
            tokio::spawn(async move { give.send(upgraded.await) });
            Response::new(Body::empty())
        }
    });
    let server = Server::new().transport(one()).extended_connect(true);
    (server.serve("tcp", "127.0.0.1:0", agree).await.unwrap(), given)
}

#[tokio::test]
async fn a_stream_that_is_taken_is_no_conn() {
    let (serving, mut given) = giving().await;
    let peer = Peer::open(&serving).await;
    peer.say(&open_echo(1, "/echo")).await;
    agreed(&peer, 1).await;
    let mut upgraded = given.recv().await.unwrap().unwrap();
    assert!(upgraded.conn().is_none() && upgraded.unread().is_empty() && upgraded.take_unread().is_empty());
    let mut upgraded = upgraded.into_parts().unwrap_err();
    peer.say(&frame(kind::DATA, 0, 1, b"there")).await;
    let mut heard = [0; 5];
    upgraded.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"there");
    upgraded.write_all(b"back").await.unwrap();
    let data = peer.until(|frame| frame.stream == 1).await;
    assert_eq!((data.kind, &data.payload[..]), (kind::DATA, &b"back"[..]));
    // As with a conn, the end of a drain is the end of it.
    let (read, drained) =
        tokio::join!(upgraded.read(&mut heard), serving.shutdown(Duration::from_millis(300)));
    assert_eq!((drained.finished, drained.cut), (0, 1));
    assert!(read.is_err(), "{read:?}");
}

#[tokio::test]
async fn a_request_that_is_no_connect_becomes_nothing() {
    let (serving, mut given) = giving().await;
    let peer = Peer::open(&serving).await;
    let get = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")];
    peer.say(&frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 1, &fields(&get))).await;
    assert_eq!(peer.until(|frame| frame.stream == 1).await.status(), 200);
    assert!(given.recv().await.unwrap().is_err());
}

#[tokio::test]
async fn a_stream_that_nobody_takes_ends() {
    let agree = handle(async |mut request: Request<RequestBody>| {
        drop(Upgraded::of(&mut request));
        Response::new(Body::empty())
    });
    let server = Server::new().transport(one()).extended_connect(true);
    let serving = server.serve("tcp", "127.0.0.1:0", agree).await.unwrap();
    let peer = Peer::open(&serving).await;
    peer.say(&open_echo(1, "/echo")).await;
    agreed(&peer, 1).await;
    let end = peer.until(|frame| frame.stream == 1).await;
    assert!(end.kind == kind::RST_STREAM || end.has(flag::END_STREAM), "{end:?}");
}
