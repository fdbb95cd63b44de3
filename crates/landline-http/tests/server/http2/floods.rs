//! What attackers do: it ends their conn or is held back, costs little, and everyone else is served.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use landline_http::server::{Server, Serving};

use super::super::{PATIENCE, say, until};
use super::block::{self, field, text};
use super::peer::{self, PREFACE, Peer, code, flag, frame, kind, reset, settings, window_update};

/// Says it all, and hears with which code the server ends the conn. Meanwhile others are served.
async fn attack(serving: &Serving, bytes: &[u8]) -> u32 {
    let peer = Peer::open(serving).await;
    let is_over = AtomicBool::new(false);
    let saying = async {
        for part in bytes.chunks(16 << 10) {
            peer.say(part).await;
        }
    };
    let hearing = async {
        let code = peer.until(|frame| frame.kind == kind::GOAWAY).await.code();
        peer.end().await;
        is_over.store(true, Ordering::Relaxed);
        code
    };
    let (code, (), ()) = tokio::join!(hearing, saying, others(serving, &is_over));
    code
}

/// Are served, once at least.
async fn others(serving: &Serving, is_over: &AtomicBool) {
    loop {
        let answer = say(serving, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        if is_over.load(Ordering::Relaxed) {
            return;
        }
    }
}

fn odd(index: u32) -> u32 {
    index * 2 + 1
}

fn open(stream: u32, block: &[u8]) -> Vec<u8> {
    frame(kind::HEADERS, flag::END_HEADERS, stream, block)
}

/// A field that fills the dynamic table, and then costs a byte each time: 40 MB.
fn bomb() -> Vec<u8> {
    let field = [&[0x40][..], &text("x"), &[0x7f, 0x80 | 33, 30], &[b'x'; 4000]].concat();
    [block::get("/"), field, vec![0xbe; 10_000]].concat()
}

#[tokio::test]
async fn floods_end_the_conn_and_say_why() {
    let serving = peer::serve(Server::new()).await;
    let never = block::post("/never");
    for (what, bytes) in [
        // CVE-2023-44487: streams that are reset as soon as they are open.
        (
            "resets",
            (0..2_000).map(odd).flat_map(|id| [open(id, &never), reset(id, code::CANCEL)].concat()).collect(),
        ),
        // CVE-2024-27316: a field block that never ends.
        (
            "CONTINUATIONs",
            std::iter::once(frame(kind::HEADERS, 0, 1, &never))
                .chain((0..2_000).map(|_| frame(kind::CONTINUATION, 0, 1, &field("x", "y"))))
                .flatten()
                .collect(),
        ),
        // CVE-2025-8671: the server is made to reset streams, whose handlers go on.
        (
            "requests beyond those that are allowed",
            (0..2_000).map(odd).flat_map(|id| open(id, &never)).collect(),
        ),
        (
            "empty CONTINUATIONs",
            [frame(kind::HEADERS, 0, 1, &never), frame(kind::CONTINUATION, 0, 1, &[]).repeat(2_000)].concat(),
        ),
        // CVE-2016-6581, CVE-2025-53020: much from little.
        ("indices of a long field", frame(kind::HEADERS, flag::WHOLE, 1, &bomb())),
        // CVE-2019-9518.
        ("empty DATA", [open(1, &never), frame(kind::DATA, 0, 1, &[]).repeat(2_000)].concat()),
        ("DATA of a byte", [open(1, &never), frame(kind::DATA, 0, 1, b"x").repeat(10_000)].concat()),
        (
            "errors of streams",
            (0..2_000)
                .map(odd)
                .flat_map(|id| [open(id, &never), window_update(id, 0x7fff_ffff)].concat())
                .collect::<Vec<u8>>(),
        ),
    ] {
        assert_eq!(attack(&serving, &bytes).await, code::CALM, "{what}");
    }
    // What was begun is dropped.
    until(&serving, |counters| counters.in_flight == 0).await;
}

#[tokio::test]
async fn how_many_resets_are_too_many_can_be_said() {
    let malformed = |id| open(id, &[0x82, 0x82]);
    for allowed in [0_u32, 5] {
        let serving = peer::serve(Server::new().max_error_resets(allowed as usize)).await;
        let peer = Peer::open(&serving).await;
        for id in (0..allowed).map(odd) {
            peer.say(&malformed(id)).await;
            assert_eq!(peer.until(|frame| frame.kind == kind::RST_STREAM).await.code(), code::PROTOCOL);
        }
        peer.is_served(odd(allowed)).await;
        peer.say(&malformed(odd(allowed) + 2)).await;
        assert_eq!(peer.goaway().await, code::CALM);
    }
}

/// CVE-2019-9512, CVE-2019-9515 and the like: each of these has an answer, and none of them is read.
#[tokio::test]
async fn who_asks_and_does_not_listen_is_held_back_and_cut() {
    const MOST: usize = 256 << 20;
    for (what, flood) in [("PING", frame(kind::PING, 0, 0, &[0; 8])), ("SETTINGS", settings(&[(4, 65_535)]))]
    {
        let serving = peer::serve(Server::new().write_timeout(Duration::from_millis(500))).await;
        let peer = Peer::open(&serving).await;
        // The kernel holds little for those who do not read.
        peer.conn.as_tcp().unwrap().set_recv_buffer_size(4096).unwrap();
        let is_over = AtomicBool::new(false);
        let part = flood.repeat((64 << 10) / flood.len());
        let flooding = async {
            let mut sent = 0;
            while sent < MOST {
                if peer.conn.write_all(&part).await.is_err() {
                    break;
                }
                sent += part.len();
            }
            is_over.store(true, Ordering::Relaxed);
            sent
        };
        let (sent, ()) = tokio::join!(flooding, others(&serving, &is_over));
        assert!(sent < MOST, "{what}: all of it was taken");
        until(&serving, |counters| counters.late == 1).await;
        // Nor is it that the server had all of it, and kept the answers.
        assert!(serving.http_counters().received < 64 << 20, "{what}: {:?}", serving.http_counters());
    }
}

#[tokio::test]
async fn who_asks_and_listens_keeps_nobody_waiting() {
    let serving = peer::serve(Server::new()).await;
    let peer = Peer::open(&serving).await;
    let is_over = AtomicBool::new(false);
    let flood = frame(kind::PING, 0, 0, &[0; 8]).repeat(4096);
    let flooding = async {
        while !is_over.load(Ordering::Relaxed) {
            peer.conn.write_all(&flood).await.unwrap();
        }
    };
    let listening = async {
        let mut buffer = vec![0; 64 << 10];
        let mut heard = 0;
        while !is_over.load(Ordering::Relaxed) {
            heard += peer.conn.read(&mut buffer).await.unwrap();
        }
        heard
    };
    let asking = async {
        for _ in 0..50 {
            let asked = say(&serving, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            let answer = tokio::time::timeout(PATIENCE, asked).await.expect("an answer");
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
        is_over.store(true, Ordering::Relaxed);
    };
    let ((), heard, ()) = tokio::join!(flooding, listening, asking);
    assert!(heard > flood.len());
}

/// A client says by it that it knows the limits (section 6.5.3); they hold before.
#[tokio::test]
async fn limits_hold_for_clients_that_never_acknowledge_them() {
    let serving = peer::serve(Server::new().max_streams(2)).await;
    let opened = || async {
        let peer = Peer::dial(&serving).await;
        peer.say(&[PREFACE, &settings(&[])].concat()).await;
        peer
    };
    let peer = opened().await;
    peer.say(&frame(kind::HEADERS, flag::WHOLE, 1, &bomb())).await;
    assert_eq!(peer.goaway().await, code::CALM);
    let peer = opened().await;
    let never = block::get("/never");
    peer.say(&[1, 3, 5].map(|id| frame(kind::HEADERS, flag::WHOLE, id, &never)).concat()).await;
    let refused = peer.until(|frame| frame.kind == kind::RST_STREAM).await;
    assert_eq!((refused.stream, refused.code()), (5, code::REFUSED_STREAM));
}

#[tokio::test]
async fn windows_that_stay_shut_hold_back_what_is_kept_for_a_conn() {
    // Section 10.5, CVE-2019-9517: a window for the body of none of many requests.
    let serving = peer::serve(Server::new().max_streams(50)).await;
    let peer = Peer::open(&serving).await;
    peer.say(&settings(&[(4, 0)])).await;
    for id in (0..50).map(odd) {
        peer.say(&frame(kind::HEADERS, flag::WHOLE, id, &block::get("/long"))).await;
        peer.until(|frame| frame.kind == kind::HEADERS && frame.stream == id).await;
    }
    peer.say(&frame(kind::HEADERS, flag::WHOLE, odd(50), &block::get("/long"))).await;
    let refused = peer.until(|frame| frame.kind == kind::RST_STREAM).await;
    assert_eq!((refused.stream, refused.code()), (odd(50), code::REFUSED_STREAM));
    drop(peer);
    until(&serving, |counters| (counters.requests, counters.in_flight) == (50, 0)).await;
}
