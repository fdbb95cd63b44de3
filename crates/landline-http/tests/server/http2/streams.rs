//! RFC 9113 section 5: the states of streams, their numbers, how many there may be.

use landline_http::server::Server;

use super::block;
use super::cases::{
    Case, Ended, answered, behind_an_answer, case, check, conn_error, stream_error, tolerated,
};
use super::peer::{self, NoFrame, Peer, code, flag, frame, get, kind, reset, window_update};

/// A request without an end.
fn open(stream: u32) -> Vec<u8> {
    frame(kind::HEADERS, flag::END_HEADERS, stream, &block::post("/"))
}

/// A whole one, that is never answered: half-closed, as the server sees it.
fn asked(stream: u32) -> Vec<u8> {
    frame(kind::HEADERS, flag::WHOLE, stream, &block::get("/never"))
}

fn priority(stream: u32, depends_on: u32) -> Vec<u8> {
    frame(kind::PRIORITY, 0, stream, &[&depends_on.to_be_bytes()[..], &[16]].concat())
}

fn data(stream: u32) -> Vec<u8> {
    frame(kind::DATA, flag::END_STREAM, stream, b"x")
}

fn continuation(stream: u32) -> Vec<u8> {
    frame(kind::CONTINUATION, flag::END_HEADERS, stream, &block::field("x", "1"))
}

pub(super) fn cases() -> Vec<Case> {
    let closed = || stream_error(code::STREAM_CLOSED);
    // A CONTINUATION that continues nothing is one of section 6.10, whatever the stream.
    let continues_nothing = || {
        vec![
            Ended::Conn(code::PROTOCOL),
            Ended::Conn(code::STREAM_CLOSED),
            Ended::Stream(code::STREAM_CLOSED),
        ]
    };
    vec![
        case("5.1 idle: DATA", &[data(1)], conn_error(code::PROTOCOL)),
        case("5.1 idle: RST_STREAM", &[reset(1, code::CANCEL)], conn_error(code::PROTOCOL)),
        case("5.1 idle: WINDOW_UPDATE", &[window_update(1, 1)], conn_error(code::PROTOCOL)),
        case("5.1 idle: CONTINUATION", &[continuation(1)], conn_error(code::PROTOCOL)),
        case("5.1 idle: PRIORITY", &[priority(1, 0)], tolerated()),
        case("5.1 half-closed (remote): DATA", &[asked(1), data(1)], closed()),
        case("5.1 half-closed (remote): HEADERS", &[asked(1), get(1)], closed()),
        case("5.1 half-closed (remote): CONTINUATION", &[asked(1), continuation(1)], continues_nothing()),
        case("5.1 half-closed (remote): WINDOW_UPDATE", &[asked(1), window_update(1, 1)], tolerated()),
        case("5.1 half-closed (remote): PRIORITY", &[asked(1), priority(1, 0)], tolerated()),
        case("5.1 half-closed (remote): RST_STREAM", &[asked(1), reset(1, code::CANCEL)], tolerated()),
        case("5.1 closed by RST_STREAM: DATA", &[open(1), reset(1, code::CANCEL), data(1)], closed()),
        case("5.1 closed by RST_STREAM: HEADERS", &[open(1), reset(1, code::CANCEL), get(1)], closed()),
        case(
            "5.1 closed by RST_STREAM: CONTINUATION",
            &[open(1), reset(1, code::CANCEL), continuation(1)],
            continues_nothing(),
        ),
        case(
            "5.1 closed by RST_STREAM: PRIORITY",
            &[open(1), reset(1, code::CANCEL), priority(1, 0)],
            tolerated(),
        ),
        behind_an_answer("5.1 closed: DATA", &[data(1)], closed()),
        behind_an_answer("5.1 closed: HEADERS", &[get(1)], closed()),
        behind_an_answer("5.1 closed: CONTINUATION", &[continuation(1)], continues_nothing()),
        behind_an_answer("5.1 closed: PRIORITY", &[priority(1, 0)], tolerated()),
        // Both may cross with the end of the stream.
        behind_an_answer("5.1 closed: WINDOW_UPDATE", &[window_update(1, 1)], tolerated()),
        behind_an_answer("5.1 closed: RST_STREAM", &[reset(1, code::CANCEL)], tolerated()),
        case("5.1.1 an even number", &[get(2)], conn_error(code::PROTOCOL)),
        case("5.1.1 a number lower than the last", &[asked(5), get(3)], conn_error(code::PROTOCOL)),
        case("5.1.1 numbers that are left out", &[get(99)], answered()),
        // Section 5.3.2 deprecates priorities, which may be ignored; RFC 7540 has a stream error.
        case(
            "5.3.1 HEADERS that depend on themselves",
            &[frame(
                kind::HEADERS,
                flag::WHOLE | flag::PRIORITY,
                1,
                &[&[0, 0, 0, 1, 16], &block::get("/")[..]].concat(),
            )],
            [stream_error(code::PROTOCOL), answered()].concat(),
        ),
        case("5.3.1 PRIORITY that depends on itself", &[priority(1, 1)], stream_error(code::PROTOCOL)),
        case(
            "5.4.1 a conn error ends the conn",
            &[frame(kind::PING, 0, 1, &[0; 8])],
            conn_error(code::PROTOCOL),
        ),
        case("5.5 an unknown frame on a stream", &[asked(1), frame(0xbb, 0, 1, b"x")], tolerated()),
    ]
}

#[tokio::test]
async fn streams_are_in_one_state_at_a_time() {
    check(cases()).await;
}

#[tokio::test]
async fn more_streams_than_are_allowed_are_refused_alone() {
    let serving = peer::serve(Server::new().max_streams(2)).await;
    let peer = Peer::open(&serving).await;
    peer.say(&[asked(1), asked(3), asked(5)].concat()).await;
    let refused = peer.until(|frame| frame.kind == kind::RST_STREAM || frame.kind == kind::GOAWAY).await;
    assert_eq!((refused.kind, refused.stream, refused.code()), (kind::RST_STREAM, 5, code::REFUSED_STREAM));
    // Where there is place again, there is an answer.
    peer.say(&reset(1, code::CANCEL)).await;
    peer.is_served(7).await;
}

#[tokio::test]
async fn a_conn_that_its_client_gives_up_ends() {
    let serving = peer::serve(Server::new()).await;
    // Section 6.8; of section 7 is that codes nobody knows are as any other.
    for code in [0, code::PROTOCOL, 0xff] {
        let peer = Peer::open(&serving).await;
        peer.say(&get(1)).await;
        assert_eq!(peer.answer(1).await.status, 200);
        let payload = [&[0; 4], &u32::to_be_bytes(code)[..], b"because"].concat();
        peer.say(&frame(kind::GOAWAY, 0, 0, &payload)).await;
        assert_eq!(peer.end().await, NoFrame::Closed);
    }
}
