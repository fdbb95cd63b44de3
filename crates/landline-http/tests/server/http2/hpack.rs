//! RFC 7541: what a server understands, and what it does not take for a field block.

use landline_http::server::Server;

use super::block::{self, GET, HTTP, ROOT, field, text};
use super::cases::{Case, case, check, conn_error};
use super::peer::{self, Peer, code, flag, frame, kind};

/// From appendix C.4: `custom-key` and `custom-value` in Huffman coding.
const KEY: [u8; 9] = [0x88, 0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xa9, 0x7d, 0x7f];
const VALUE: [u8; 10] = [0x89, 0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xb8, 0xe8, 0xb4, 0xbf];

fn request() -> Vec<u8> {
    [&[GET, ROOT, HTTP][..], &field(":authority", "a")].concat()
}

pub(super) fn cases() -> Vec<Case> {
    let error = || conn_error(code::COMPRESSION);
    let with = |field: &[u8]| [frame(kind::HEADERS, flag::WHOLE, 1, &[&request(), field].concat())];
    let before = |field: &[u8]| [frame(kind::HEADERS, flag::WHOLE, 1, &[field, &request()].concat())];
    let literal = |value: &[u8]| with(&[&[0][..], &text("x"), value].concat());
    vec![
        case("hpack 2.3.3 an index of nothing", &with(&[0xc6]), error()),
        case(
            "hpack 2.3.3 a literal whose name is an index of nothing",
            &with(&[0x7f, 0x0a, 1, b'x']),
            error(),
        ),
        case("hpack 4.2 an update of the size at the end", &with(&[0x20]), error()),
        case(
            "hpack 5.1 a number without an end",
            &with(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
            error(),
        ),
        case("hpack 5.2 a string longer than the block", &literal(&[5, b'x']), error()),
        // `a` is 00011, `x` is 1111001; the rest is the end of EOS, which is ones.
        case("hpack 5.2 padding of more than 7 bits", &literal(&[0x82, 0x1f, 0xff]), error()),
        case("hpack 5.2 padding of zeros", &literal(&[0x81, 0x18]), error()),
        case("hpack 5.2 EOS in a string", &literal(&[0x84, 0xff, 0xff, 0xff, 0xfc]), error()),
        case("hpack 6.1 index 0", &with(&[0x80]), error()),
        case("hpack 6.3 a size above what was allowed", &before(&[0x3f, 0xff, 0xff, 0x03]), error()),
    ]
}

#[tokio::test]
async fn field_blocks_that_are_none_end_the_conn() {
    check(cases()).await;
}

#[tokio::test]
async fn fields_are_understood_in_all_their_forms() {
    let serving = peer::serve(Server::new()).await;
    let key = text("custom-key");
    let value = text("custom-value");
    // Names that an index stands for, as 0x3a does for `user-agent`, are not echoed; the fields behind them are.
    let agent =
        |representation: &[u8]| [representation, &value, &field("custom-key", "custom-value")].concat();
    for (what, fields) in [
        ("6.2.1 an indexed name", agent(&[0x40 | 0x3a])),
        ("6.2.2 an indexed name", agent(&[0x0f, 0x3a - 15])),
        ("6.2.3 an indexed name", agent(&[0x1f, 0x3a - 15])),
        ("6.2.1", [&[0x40][..], &key, &value].concat()),
        ("6.2.1 in Huffman coding", [&[0x40][..], &KEY, &VALUE].concat()),
        ("6.2.2", [&[0][..], &key, &value].concat()),
        ("6.2.2 in Huffman coding", [&[0][..], &KEY, &VALUE].concat()),
        ("6.2.3", [&[0x10][..], &key, &value].concat()),
        ("6.2.3 in Huffman coding", [&[0x10][..], &KEY, &VALUE].concat()),
    ] {
        let peer = Peer::open(&serving).await;
        peer.say(&frame(kind::HEADERS, flag::WHOLE, 1, &[request(), fields].concat())).await;
        let body = String::from_utf8(peer.answer(1).await.body).unwrap();
        assert_eq!(body, "GET / custom-key=custom-value", "{what}");
    }
}

#[tokio::test]
async fn the_dynamic_table_is_kept_and_resized() {
    let serving = peer::serve(Server::new()).await;
    let peer = Peer::open(&serving).await;
    let indexed = [&[0x40][..], &text("custom-key"), &text("custom-value")].concat();
    peer.say(&frame(kind::HEADERS, flag::WHOLE, 1, &[request(), indexed.clone()].concat())).await;
    // The newest is 62.
    peer.say(&frame(kind::HEADERS, flag::WHOLE, 3, &[request(), vec![0xbe]].concat())).await;
    for stream in [1, 3] {
        let body = String::from_utf8(peer.answer(stream).await.body).unwrap();
        assert_eq!(body, "GET / custom-key=custom-value");
    }
    // Two updates at the beginning, the first of which empties the table.
    let updates = [&[0x20, 0x3f, 0xe1, 0x1f][..], &request()].concat();
    peer.say(&frame(kind::HEADERS, flag::WHOLE, 5, &updates)).await;
    assert_eq!(peer.answer(5).await.body, b"GET /");
    peer.say(&frame(kind::HEADERS, flag::WHOLE, 7, &[request(), indexed].concat())).await;
    peer.say(&frame(kind::HEADERS, flag::WHOLE, 9, &[request(), vec![0xbe]].concat())).await;
    assert_eq!(peer.answer(9).await.body, b"GET / custom-key=custom-value");
    // And there is no other.
    peer.say(&frame(kind::HEADERS, flag::WHOLE, 11, &[block::get("/"), vec![0xbf]].concat())).await;
    peer.goaway().await;
}
