//! HTTP/2 without TLS.

use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt as _;
use landline::Conn;
use landline_http::Body;
use landline_http::client::Client;
use landline_http::server::{RequestBody, Server, handle};
use tokio::time::sleep;

use super::{dial, one, rest, serve_word, until};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

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
async fn a_preface_in_pieces_is_one() {
    let serving = serve_word(Server::new()).await;
    let conn = dial(&serving).await;
    for part in PREFACE.chunks(5) {
        conn.write_all(part).await.unwrap();
        sleep(Duration::from_millis(5)).await;
    }
    conn.write_all(&frame(4, 0, 0, &[])).await.unwrap();
    // Its settings come first.
    assert_eq!(next(&conn).await.unwrap().kind, 4);
}

#[tokio::test]
async fn an_idle_conn_is_told_that_it_ends() {
    let serving = serve_word(Server::new().idle_timeout(Duration::from_millis(300))).await;
    let conn = opened(&serving).await;
    let mut kinds = Vec::new();
    while let Some(frame) = next(&conn).await {
        kinds.push(frame.kind);
    }
    assert!(kinds.contains(&7), "GOAWAY among {kinds:?}");
}

#[tokio::test]
async fn a_drain_says_goaway() {
    let serving = serve_word(Server::new()).await;
    let conn = opened(&serving).await;
    let ended = async {
        let mut kinds = Vec::new();
        while let Some(frame) = next(&conn).await {
            kinds.push(frame.kind);
            if frame.kind == 6 && frame.flags & 1 == 0 {
                conn.write_all(&self::frame(6, 1, 0, &frame.payload)).await.unwrap();
            }
        }
        kinds
    };
    let (drained, kinds) = tokio::join!(serving.shutdown(Duration::from_secs(30)), ended);
    assert!(kinds.contains(&7), "{kinds:?}");
    assert_eq!((drained.finished, drained.cut), (1, 0));
}

/// One frame as it came.
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

/// RFC 9113 section 4.1.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

async fn exactly(conn: &Conn, count: usize) -> Option<Vec<u8>> {
    let mut all = vec![0; count];
    let mut read = 0;
    while read < count {
        let reading = tokio::time::timeout(super::PATIENCE, conn.read(&mut all[read..]));
        match reading.await.expect("the server says something or closes") {
            Ok(0) | Err(_) => return None,
            Ok(more) => read += more,
        }
    }
    Some(all)
}

async fn next(conn: &Conn) -> Option<Frame> {
    let head = exactly(conn, 9).await?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    let payload = exactly(conn, length as usize).await?;
    Some(Frame { kind: head[3], flags: head[4], stream, payload })
}

/// A conn after the preface and the settings of both sides.
async fn opened(serving: &landline_http::server::Serving) -> Conn {
    let conn = dial(serving).await;
    conn.write_all(&[PREFACE, &frame(4, 0, 0, &[])].concat()).await.unwrap();
    assert_eq!(next(&conn).await.unwrap().kind, 4);
    conn.write_all(&frame(4, 1, 0, &[])).await.unwrap();
    conn
}

/// How the server ended what was wrong: with the conn, or with the stream alone; and with which code.
#[derive(Debug, PartialEq)]
enum Ended {
    Conn(u32),
    Stream(u32),
    Silently,
    Answered,
}

async fn ended(conn: &Conn) -> Ended {
    let mut answered = false;
    while let Some(frame) = next(conn).await {
        match frame.kind {
            7 => return Ended::Conn(u32::from_be_bytes(frame.payload[4..8].try_into().unwrap())),
            3 => return Ended::Stream(u32::from_be_bytes(frame.payload[..4].try_into().unwrap())),
            1 if frame.stream != 0 => {
                answered = true;
                // A status of 400 is an answer to what is malformed too.
                if frame.payload.first() == Some(&0x8c) {
                    return Ended::Stream(1);
                }
                if frame.flags & 1 == 1 {
                    return Ended::Answered;
                }
            }
            0 if frame.flags & 1 == 1 => return Ended::Answered,
            _ => {}
        }
    }
    if answered { Ended::Answered } else { Ended::Silently }
}

const PROTOCOL: u32 = 1;
const FLOW_CONTROL: u32 = 3;
const STREAM_CLOSED: u32 = 5;
const FRAME_SIZE: u32 = 6;
const COMPRESSION: u32 = 9;

/// `GET / ` to `a` over http (RFC 7541, the indices of the static table and a literal).
const HEADERS: &[u8] = &[0x82, 0x84, 0x86, 0x41, 0x01, b'a'];

/// `HEADERS` with more behind it, each a name and a value without an index.
fn with(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = HEADERS.to_vec();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend(text.as_bytes());
        }
    }
    block
}

#[tokio::test]
async fn what_rfc_9113_forbids_ends_the_stream_or_the_conn() {
    let serving = serve_word(Server::new()).await;
    let open = frame(1, 4, 1, HEADERS); // END_HEADERS, and the stream stays open.
    let whole = frame(1, 5, 1, HEADERS);
    let huge = vec![0; (1 << 14) + 1];
    let setting =
        |id: u16, value: u32| frame(4, 0, 0, &[&id.to_be_bytes()[..], &value.to_be_bytes()].concat());
    let after = |first: &[u8], second: Vec<u8>| [first, &second].concat();
    let conn = |code| vec![Ended::Conn(code), Ended::Silently];
    // The `h2` crate ends the conn with PROTOCOL_ERROR in some cases for which the RFC has a code of its own.
    let either = |code| vec![Ended::Conn(code), Ended::Conn(PROTOCOL), Ended::Silently];
    let stream = |code| vec![Ended::Stream(code), Ended::Conn(code), Ended::Silently];
    let mut failed = Vec::new();
    for (section, bytes, allowed) in [
        ("4.2 a DATA frame too long", after(&open, frame(0, 0, 1, &huge)), conn(FRAME_SIZE)),
        ("4.2 a HEADERS frame too long", frame(1, 4, 1, &huge), conn(FRAME_SIZE)),
        ("4.3 a header block that is none", frame(1, 5, 1, &[0xff; 8]), either(COMPRESSION)),
        ("4.3 an index of nothing", frame(1, 5, 1, &[0x80]), either(COMPRESSION)),
        (
            "4.3 PRIORITY within a header block",
            after(&frame(1, 1, 1, HEADERS), frame(2, 0, 1, &[0; 5])),
            conn(PROTOCOL),
        ),
        (
            "4.3 another stream within a header block",
            after(&frame(1, 1, 1, HEADERS), frame(1, 5, 3, HEADERS)),
            conn(PROTOCOL),
        ),
        ("5.1 idle: DATA", frame(0, 1, 1, b"x"), conn(PROTOCOL)),
        ("5.1 idle: RST_STREAM", frame(3, 0, 1, &[0; 4]), conn(PROTOCOL)),
        ("5.1 idle: WINDOW_UPDATE", frame(8, 0, 1, &[0, 0, 0, 1]), conn(PROTOCOL)),
        ("5.1 idle: CONTINUATION", frame(9, 4, 1, HEADERS), conn(PROTOCOL)),
        ("5.1 half-closed: DATA", after(&whole, frame(0, 1, 1, b"x")), either(STREAM_CLOSED)),
        (
            "5.1 half-closed: HEADERS",
            after(&whole, frame(1, 5, 1, HEADERS)),
            vec![
                Ended::Stream(STREAM_CLOSED),
                Ended::Conn(STREAM_CLOSED),
                Ended::Conn(PROTOCOL),
                Ended::Stream(PROTOCOL),
                Ended::Silently,
            ],
        ),
        ("5.1.1 an even stream", frame(1, 5, 2, HEADERS), conn(PROTOCOL)),
        ("5.1.1 a lower stream", after(&frame(1, 5, 5, HEADERS), frame(1, 5, 3, HEADERS)), {
            vec![
                Ended::Conn(PROTOCOL),
                Ended::Conn(STREAM_CLOSED),
                Ended::Stream(STREAM_CLOSED),
                Ended::Answered,
            ]
        }),
        (
            "5.3.1 a stream that depends on itself",
            frame(1, 0x25, 1, &[&[0, 0, 0, 1, 16], HEADERS].concat()),
            {
                // RFC 9113 deprecates priority: what is in it may be ignored (section 5.3.2).
                vec![Ended::Conn(PROTOCOL), Ended::Stream(PROTOCOL), Ended::Answered, Ended::Silently]
            },
        ),
        ("6.1 DATA on stream 0", frame(0, 0, 0, b"x"), conn(PROTOCOL)),
        ("6.1 padding longer than DATA", after(&open, frame(0, 8, 1, &[9, 0])), conn(PROTOCOL)),
        ("6.2 HEADERS on stream 0", frame(1, 5, 0, HEADERS), conn(PROTOCOL)),
        ("6.2 padding longer than HEADERS", frame(1, 0x0d, 1, &[200, 0x82]), conn(PROTOCOL)),
        ("6.3 PRIORITY on stream 0", frame(2, 0, 0, &[0; 5]), conn(PROTOCOL)),
        ("6.3 PRIORITY of 4 bytes", after(&open, frame(2, 0, 1, &[0; 4])), either(FRAME_SIZE)),
        ("6.4 RST_STREAM on stream 0", frame(3, 0, 0, &[0; 4]), conn(PROTOCOL)),
        ("6.4 RST_STREAM of 3 bytes", after(&open, frame(3, 0, 1, &[0; 3])), either(FRAME_SIZE)),
        ("6.5 SETTINGS that acknowledge and say something", frame(4, 1, 0, &[0; 6]), either(FRAME_SIZE)),
        ("6.5 SETTINGS on a stream", frame(4, 0, 1, &[]), conn(PROTOCOL)),
        ("6.5 SETTINGS of 5 bytes", frame(4, 0, 0, &[0; 5]), either(FRAME_SIZE)),
        ("6.5.2 ENABLE_PUSH of 2", setting(2, 2), conn(PROTOCOL)),
        ("6.5.2 a window too large", setting(4, 1 << 31), either(FLOW_CONTROL)),
        ("6.5.2 a frame size too small", setting(5, 16_383), conn(PROTOCOL)),
        ("6.5.2 a frame size too large", setting(5, 1 << 24), conn(PROTOCOL)),
        ("6.6 PUSH_PROMISE", after(&open, frame(5, 4, 1, &[0, 0, 0, 2, 0x82])), conn(PROTOCOL)),
        ("6.7 PING on a stream", frame(6, 0, 1, &[0; 8]), conn(PROTOCOL)),
        ("6.7 PING of 7 bytes", frame(6, 0, 0, &[0; 7]), either(FRAME_SIZE)),
        ("6.8 GOAWAY on a stream", frame(7, 0, 1, &[0; 8]), conn(PROTOCOL)),
        ("6.9 a window update of 0", frame(8, 0, 0, &[0; 4]), conn(PROTOCOL)),
        ("6.9 a window update of 0 for a stream", after(&open, frame(8, 0, 1, &[0; 4])), stream(PROTOCOL)),
        ("6.9 a window update of 3 bytes", frame(8, 0, 0, &[0; 3]), either(FRAME_SIZE)),
        ("6.9.1 a window too large", frame(8, 0, 0, &[0x7f, 0xff, 0xff, 0xff]), conn(FLOW_CONTROL)),
        (
            "6.9.1 a stream's window too large",
            after(&open, frame(8, 0, 1, &[0x7f, 0xff, 0xff, 0xff])),
            stream(FLOW_CONTROL),
        ),
        ("6.10 CONTINUATION behind a whole block", after(&open, frame(9, 4, 1, HEADERS)), conn(PROTOCOL)),
        (
            "6.10 CONTINUATION on stream 0",
            after(&frame(1, 1, 1, HEADERS), frame(9, 4, 0, HEADERS)),
            conn(PROTOCOL),
        ),
        ("8.2.1 an upper-case name", frame(1, 5, 1, &with(&[("X-Y", "1")])), stream(PROTOCOL)),
        ("8.2.2 Connection", frame(1, 5, 1, &with(&[("connection", "close")])), stream(PROTOCOL)),
        ("8.2.2 TE other than trailers", frame(1, 5, 1, &with(&[("te", "gzip")])), stream(PROTOCOL)),
        (
            "8.2.2 Transfer-Encoding",
            frame(1, 5, 1, &with(&[("transfer-encoding", "chunked")])),
            stream(PROTOCOL),
        ),
        ("8.3 an unknown pseudo-header", frame(1, 5, 1, &with(&[(":x", "1")])), stream(PROTOCOL)),
        ("8.3 a response's pseudo-header", frame(1, 5, 1, &with(&[(":status", "200")])), stream(PROTOCOL)),
        (
            "8.3 a pseudo-header behind a field",
            frame(1, 5, 1, &with(&[("x", "1"), (":path", "/b")])),
            stream(PROTOCOL),
        ),
        (
            "8.3.1 an empty path",
            frame(1, 5, 1, &[0x82, 0x44, 0x00, 0x86, 0x41, 0x01, b'a']),
            stream(PROTOCOL),
        ),
        ("8.3.1 no method", frame(1, 5, 1, &[0x84, 0x86, 0x41, 0x01, b'a']), stream(PROTOCOL)),
        ("8.3.1 no path", frame(1, 5, 1, &[0x82, 0x86, 0x41, 0x01, b'a']), stream(PROTOCOL)),
        ("8.3.1 no scheme", frame(1, 5, 1, &[0x82, 0x84, 0x41, 0x01, b'a']), stream(PROTOCOL)),
        ("8.3.1 two methods", frame(1, 5, 1, &[0x82, 0x82, 0x84, 0x86, 0x41, 0x01, b'a']), stream(PROTOCOL)),
        ("8.3.1 no authority", frame(1, 5, 1, &[0x82, 0x84, 0x86]), stream(PROTOCOL)),
        (
            "8.1.1 more bytes than announced",
            after(&frame(1, 4, 1, &with(&[("content-length", "1")])), frame(0, 1, 1, b"ab")),
            stream(PROTOCOL),
        ),
        (
            "8.1.1 fewer bytes than announced",
            after(&frame(1, 4, 1, &with(&[("content-length", "3")])), frame(0, 1, 1, b"ab")),
            vec![Ended::Stream(PROTOCOL), Ended::Conn(PROTOCOL), Ended::Silently, Ended::Answered],
        ),
        (
            "8.1 trailers that do not end",
            after(&open, frame(1, 4, 1, &[0x00, 0x01, b'x', 0x01, b'1'])),
            stream(PROTOCOL),
        ),
        ("8.1 trailers with a pseudo-header", after(&open, frame(1, 5, 1, &[0x82])), {
            vec![Ended::Stream(PROTOCOL), Ended::Conn(PROTOCOL), Ended::Silently]
        }),
    ] {
        let peer = opened(&serving).await;
        let _ = peer.write_all(&bytes).await;
        // Whoever has nothing to say against it would wait for more.
        let _ = peer.close_write();
        let ended = ended(&peer).await;
        if !allowed.contains(&ended) {
            failed.push(format!("{section}: {ended:?}, not one of {allowed:?}"));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
    // And the server is as well as before.
    let client = Client::new().http2_prior_knowledge(true);
    let url = format!("http://{}/after", serving.local_addr());
    assert_eq!(client.get(&url).await.unwrap().into_body().text(64).await.unwrap(), format!("GET {url}"));
}

#[tokio::test]
async fn floods_end_the_conn() {
    let serving = serve_word(Server::new()).await;
    // CVE-2023-44487: streams that are reset as soon as they are open.
    let resets: Vec<u8> = (0..2_000_u32)
        .flat_map(|index| {
            [frame(1, 5, index * 2 + 1, HEADERS), frame(3, 0, index * 2 + 1, &[0, 0, 0, 8])].concat()
        })
        .collect();
    // CVE-2024-27316: a header block that never ends.
    let continued: Vec<u8> =
        std::iter::once(frame(1, 1, 1, HEADERS))
            .chain((0..2_000).map(|_| {
                frame(9, 0, 1, &with(&[("x", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")])[6..])
            }))
            .flatten()
            .collect();
    for (what, bytes) in [("resets", resets), ("CONTINUATION", continued)] {
        let conn = opened(&serving).await;
        let mut refused = false;
        for part in bytes.chunks(16 << 10) {
            refused |= conn.write_all(part).await.is_err();
        }
        let _ = conn.close_write();
        let mut ended = false;
        while let Some(frame) = next(&conn).await {
            ended |= frame.kind == 7 || frame.kind == 3;
        }
        assert!(ended || refused, "{what}");
    }
    assert_eq!(
        rest(&{
            let conn = dial(&serving).await;
            conn.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
            conn
        })
        .await
        .matches(" 200 ")
        .count(),
        1
    );
}
