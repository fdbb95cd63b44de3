//! RFC 9113 sections 3.4 and 4: the preface, and frames as such.

use landline_http::server::Server;

use super::block;
use super::cases::{Case, Ended, answered, at_first, case, check, conn_error, tolerated};
use super::peer::{self, NoFrame, PREFACE, Peer, code, flag, frame, get, kind, settings};

pub(super) fn cases() -> Vec<Case> {
    let open = frame(kind::HEADERS, flag::END_HEADERS, 1, &block::post("/"));
    let begun = frame(kind::HEADERS, flag::END_STREAM, 1, &block::get("/"));
    let too_long = vec![0; (1 << 14) + 1];
    vec![
        at_first(
            "3.4 PING instead of the first SETTINGS",
            frame(kind::PING, 0, 0, &[0; 8]),
            conn_error(code::PROTOCOL),
        ),
        at_first("3.4 a request instead of the first SETTINGS", get(1), conn_error(code::PROTOCOL)),
        at_first(
            "3.4 an acknowledgement instead of the first SETTINGS",
            frame(kind::SETTINGS, flag::ACK, 0, &[]),
            conn_error(code::PROTOCOL),
        ),
        at_first("3.4 SETTINGS", settings(&[]), tolerated()),
        case("4.1 a frame of an unknown type", &[frame(0xbb, 0xff, 0, b"unknown")], tolerated()),
        case("4.1 a frame of an unknown type on an idle stream", &[frame(0xbb, 0, 9, b"x")], tolerated()),
        case(
            "4.1 flags that are not defined",
            &[frame(kind::HEADERS, 0xd2 | flag::WHOLE, 1, &block::get("/"))],
            answered(),
        ),
        case(
            "4.1 a reserved bit that is set",
            &[frame(kind::HEADERS, flag::WHOLE, 1 | 1 << 31, &block::get("/"))],
            answered(),
        ),
        case(
            "4.2 DATA of 2^14 bytes",
            &[open.clone(), frame(kind::DATA, flag::END_STREAM, 1, &too_long[1..])],
            answered(),
        ),
        case(
            "4.2 DATA too long",
            &[open.clone(), frame(kind::DATA, flag::END_STREAM, 1, &too_long)],
            vec![Ended::Stream(code::FRAME_SIZE), Ended::Conn(code::FRAME_SIZE)],
        ),
        case(
            "4.2 HEADERS too long",
            &[frame(kind::HEADERS, flag::WHOLE, 1, &too_long)],
            conn_error(code::FRAME_SIZE),
        ),
        case(
            "4.2 SETTINGS too long",
            &[frame(kind::SETTINGS, 0, 0, &[0; 6 * 2731])],
            conn_error(code::FRAME_SIZE),
        ),
        case(
            "4.3 a field block that is none",
            &[frame(kind::HEADERS, flag::WHOLE, 1, &[0xff; 8])],
            conn_error(code::COMPRESSION),
        ),
        case(
            "4.3 a field block that breaks off",
            &[frame(kind::HEADERS, flag::WHOLE, 1, &block::get("/")[..9])],
            conn_error(code::COMPRESSION),
        ),
        case(
            "4.3 PRIORITY within a field block",
            &[begun.clone(), frame(kind::PRIORITY, 0, 1, &[0, 0, 0, 0, 1])],
            conn_error(code::PROTOCOL),
        ),
        case(
            "4.3 HEADERS of another stream within a field block",
            &[begun.clone(), get(3)],
            conn_error(code::PROTOCOL),
        ),
        case(
            "4.3 DATA within a field block",
            &[frame(kind::HEADERS, 0, 1, &block::post("/")), frame(kind::DATA, flag::END_STREAM, 1, b"x")],
            conn_error(code::PROTOCOL),
        ),
        case(
            "5.5 an unknown frame within a field block",
            &[begun, frame(0xbb, 0, 1, b"x")],
            conn_error(code::PROTOCOL),
        ),
    ]
}

#[tokio::test]
async fn frames_are_of_a_known_length_and_type() {
    check(cases()).await;
}

/// A setting's id, SETTINGS_MAX_CONCURRENT_STREAMS and the like.
fn value(payload: &[u8], id: u16) -> Option<u32> {
    let parts = payload.chunks_exact(6).find(|part| part[..2] == id.to_be_bytes())?;
    Some(u32::from_be_bytes(parts[2..].try_into().unwrap()))
}

#[tokio::test]
async fn settings_are_the_first_that_a_server_says() {
    let serving = peer::serve(Server::new().max_streams(7).max_header_list(1234)).await;
    let peer = Peer::dial(&serving).await;
    peer.say(&[PREFACE, &settings(&[])].concat()).await;
    let first = peer.next().await.unwrap();
    assert_eq!((first.kind, first.flags, first.stream), (kind::SETTINGS, 0, 0));
    assert_eq!(value(&first.payload, 3), Some(7));
    assert_eq!(value(&first.payload, 6), Some(1234));
    // RFC 8441 section 3: it is not said that extended CONNECT may be used.
    assert_eq!(value(&first.payload, 8), None);
    let second = peer.next().await.unwrap();
    assert!(second.kind == kind::SETTINGS && second.has(flag::ACK) && second.payload.is_empty());
}

#[tokio::test]
async fn what_is_no_preface_ends_the_conn() {
    let serving = peer::serve(Server::new()).await;
    // The conn is then taken for one of HTTP/1.1, which has no such method, version or target.
    for preface in [&b"INVALID CONNECTION PREFACE\r\n\r\n"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\rX"] {
        let peer = Peer::dial(&serving).await;
        peer.say(preface).await;
        assert_eq!(peer.end().await, NoFrame::Closed);
    }
}

#[tokio::test]
async fn a_preface_in_pieces_is_one() {
    let serving = peer::serve(Server::new()).await;
    let peer = Peer::dial(&serving).await;
    for byte in PREFACE {
        peer.say(&[*byte]).await;
        // So that it is not sent together with the next.
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    peer.say(&settings(&[])).await;
    peer.is_served(1).await;
}
