//! RFC 9113 sections 6.5.3, 6.7, 6.9 and 8: what is well said is done.

use landline_http::server::Server;

use super::block::{self, field};
use super::peer::{self, Peer, code, flag, frame, get, kind, reset, settings, window_update};

#[tokio::test]
async fn a_ping_is_answered_as_it_was_and_an_answer_is_not() {
    let serving = peer::serve(Server::new()).await;
    let peer = Peer::open(&serving).await;
    peer.say(
        &[frame(kind::PING, flag::ACK, 0, b"answered"), frame(kind::PING, 0, 0, b"\0asked!\xff")].concat(),
    )
    .await;
    let answer = peer.until(|frame| frame.kind == kind::PING).await;
    assert_eq!((answer.flags, &answer.payload[..]), (flag::ACK, &b"\0asked!\xff"[..]));
}

#[tokio::test]
async fn settings_hold_in_the_order_they_come_in() {
    let serving = peer::serve(Server::new()).await;
    let peer = Peer::open(&serving).await;
    peer.say(&[settings(&[(4, 100), (4, 1)]), get(1)].concat()).await;
    peer.until(|frame| frame.kind == kind::SETTINGS && frame.has(flag::ACK)).await;
    let data = peer.until(|frame| frame.kind == kind::DATA).await;
    assert_eq!(data.payload, b"G");
    peer.say(&window_update(1, 100)).await;
    assert_eq!(peer.answer(1).await.body, b"ET /");
}

#[tokio::test]
async fn nothing_is_sent_beyond_a_window() {
    let serving = peer::serve(Server::new()).await;
    let peer = Peer::open(&serving).await;
    peer.say(&[settings(&[(4, 0)]), get(1)].concat()).await;
    // The head needs none.
    peer.until(|frame| frame.kind == kind::HEADERS).await;
    peer.say(&frame(kind::PING, 0, 0, &[0; 8])).await;
    peer.until(|frame| {
        assert_ne!(frame.kind, kind::DATA);
        frame.kind == kind::PING
    })
    .await;
    // Section 6.9.2: settings change the windows of streams that are open already.
    peer.say(&settings(&[(4, 1)])).await;
    assert_eq!(peer.until(|frame| frame.kind == kind::DATA).await.payload, b"G");
    // One below zero, then one above.
    peer.say(&[settings(&[(4, 0)]), window_update(1, 2)].concat()).await;
    assert_eq!(peer.until(|frame| frame.kind == kind::DATA).await.payload, b"E");
    peer.say(&settings(&[(4, 10)])).await;
    assert_eq!(peer.answer(1).await.body, b"T /");
}

#[tokio::test]
async fn the_window_of_the_conn_is_one_for_all_streams() {
    let serving = peer::serve(Server::new()).await;
    let peer = Peer::open(&serving).await;
    let long = |stream| frame(kind::HEADERS, flag::WHOLE, stream, &block::get("/long"));
    peer.say(&[settings(&[(4, 1 << 20)]), long(1)].concat()).await;
    let mut sent = 0;
    while sent < 65_535 {
        let data = peer.until(|frame| frame.kind == kind::DATA).await;
        // Section 4.2: what the client has not allowed to be longer is not.
        assert!(data.payload.len() <= 1 << 14);
        sent += data.payload.len();
    }
    assert_eq!(sent, 65_535);
    peer.say(&[long(3), frame(kind::PING, 0, 0, &[0; 8])].concat()).await;
    peer.until(|frame| {
        assert_ne!(frame.kind, kind::DATA);
        frame.kind == kind::PING
    })
    .await;
    // A stream that is given up leaves the window to the others.
    peer.say(&[reset(1, code::CANCEL), window_update(0, 100_000)].concat()).await;
    assert_eq!(peer.answer(3).await.body.len(), 100_000);
}

#[tokio::test]
async fn what_is_well_said_is_answered() {
    let serving = peer::serve(Server::new()).await;
    let headers = |flags, block: &[u8]| frame(kind::HEADERS, flags, 1, block);
    let data = |flags, bytes: &[u8]| frame(kind::DATA, flags, 1, bytes);
    let (post, whole) = (headers(flag::END_HEADERS, &block::post("/")), flag::WHOLE);
    let (padded, end) = (flag::PADDED, flag::END_STREAM);
    let priority = |exclusive: u32, depends_on: u32, weight: u8| {
        frame(kind::PRIORITY, 0, 1, &[&(exclusive << 31 | depends_on).to_be_bytes()[..], &[weight]].concat())
    };
    let get = headers(whole, &block::get("/"));
    let custom = field("custom", "1");
    for (what, frames, body) in [
        ("a POST", vec![post.clone(), data(end, b"test")], "POST / body=4"),
        ("more DATA", vec![post.clone(), data(0, b"te"), data(0, b""), data(end, b"st")], "POST / body=4"),
        (
            "padded DATA",
            vec![post.clone(), data(padded | end, &[&[6][..], b"test", &[0; 6]].concat())],
            "POST / body=4",
        ),
        ("an empty end", vec![post.clone(), data(0, b"test"), data(end, b"")], "POST / body=4"),
        (
            "trailers",
            vec![post.clone(), data(0, b"test"), headers(whole, &field("a", "b"))],
            "POST / body=4 a=b",
        ),
        ("trailers alone", vec![post, headers(whole, &field("a", "b"))], "POST / a=b"),
        ("a HEAD", vec![headers(whole, &[&field(":method", "HEAD"), &block::get("/")[1..]].concat())], ""),
        (
            "padded HEADERS",
            vec![headers(whole | padded, &[&[3][..], &block::get("/"), &[0; 3]].concat())],
            "GET /",
        ),
        (
            "HEADERS with a priority",
            vec![headers(whole | flag::PRIORITY, &[&[0x80, 0, 0, 0, 255][..], &block::get("/")].concat())],
            "GET /",
        ),
        ("PRIORITY, the least", vec![priority(0, 0, 0), get.clone()], "GET /"),
        ("PRIORITY, the most", vec![priority(0, 0, 255), get.clone()], "GET /"),
        ("PRIORITY, of a stream", vec![priority(0, 3, 7), get.clone()], "GET /"),
        ("PRIORITY, of a stream alone", vec![priority(1, 3, 7), get.clone()], "GET /"),
        (
            "PRIORITY of a later stream",
            vec![frame(kind::PRIORITY, 0, 9, &[0, 0, 0, 0, 7]), get.clone()],
            "GET /",
        ),
        ("a window for the conn", vec![window_update(0, 1), get.clone()], "GET /"),
        ("a window for the stream", vec![get.clone(), window_update(1, 1)], "GET /"),
        (
            "CONTINUATIONs",
            vec![
                headers(end, &block::get("/")[..3]),
                frame(kind::CONTINUATION, 0, 1, &block::get("/")[3..]),
                frame(kind::CONTINUATION, 0, 1, &[]),
                frame(kind::CONTINUATION, flag::END_HEADERS, 1, &custom),
            ],
            "GET / custom=1",
        ),
    ] {
        let peer = Peer::open(&serving).await;
        peer.say(&frames.concat()).await;
        let answer = peer.answer(1).await;
        assert_eq!((answer.status, String::from_utf8(answer.body).unwrap().as_str()), (200, body), "{what}");
        peer.is_served(1001).await;
    }
}
