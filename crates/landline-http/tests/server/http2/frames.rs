//! RFC 9113 sections 6 and 7: each frame by itself.

use super::block;
use super::cases::{Case, answered, behind_an_answer, case, check, conn_error, stream_error, tolerated};
use super::peer::{code, flag, frame, get, kind, reset, settings, window_update};

pub(super) fn cases() -> Vec<Case> {
    [data_and_headers(), resets_and_settings(), pings_and_windows(), continuations()]
        .into_iter()
        .flatten()
        .collect()
}

fn open() -> Vec<u8> {
    frame(kind::HEADERS, flag::END_HEADERS, 1, &block::post("/"))
}

/// For streams that stay as they are.
fn open_forever() -> Vec<u8> {
    frame(kind::HEADERS, flag::END_HEADERS, 1, &block::post("/never"))
}

fn data_and_headers() -> Vec<Case> {
    let padded = |count: u8, rest: &[u8]| [&[count][..], rest].concat();
    let get_block = block::get("/");
    let ended = flag::END_STREAM | flag::PADDED;
    vec![
        case("6.1 DATA on stream 0", &[frame(kind::DATA, 0, 0, b"x")], conn_error(code::PROTOCOL)),
        behind_an_answer(
            "6.1 DATA on a stream that is not open",
            &[frame(kind::DATA, 0, 1, b"x")],
            stream_error(code::STREAM_CLOSED),
        ),
        case(
            "6.1 more padding than DATA",
            &[open(), frame(kind::DATA, ended, 1, &padded(6, b"xxxxx"))],
            conn_error(code::PROTOCOL),
        ),
        case("6.1 DATA of padding", &[open(), frame(kind::DATA, ended, 1, &padded(5, &[0; 5]))], answered()),
        case(
            "6.1 DATA padded without a count",
            &[open(), frame(kind::DATA, ended, 1, &[])],
            conn_error(code::FRAME_SIZE),
        ),
        case(
            "6.2 HEADERS on stream 0",
            &[frame(kind::HEADERS, flag::WHOLE, 0, &get_block)],
            conn_error(code::PROTOCOL),
        ),
        case(
            "6.2 more padding than HEADERS",
            &[frame(kind::HEADERS, flag::WHOLE | flag::PADDED, 1, &padded(200, &get_block))],
            conn_error(code::PROTOCOL),
        ),
        case(
            "6.2 HEADERS too short for their priority",
            &[frame(kind::HEADERS, flag::WHOLE | flag::PRIORITY, 1, &[0; 4])],
            conn_error(code::FRAME_SIZE),
        ),
        case(
            "6.3 PRIORITY on stream 0",
            &[frame(kind::PRIORITY, 0, 0, &[0, 0, 0, 1, 1])],
            conn_error(code::PROTOCOL),
        ),
        case(
            "6.3 PRIORITY of 4 bytes",
            &[open_forever(), frame(kind::PRIORITY, 0, 1, &[0, 0, 0, 3])],
            stream_error(code::FRAME_SIZE),
        ),
        case(
            "6.6 PUSH_PROMISE",
            &[open_forever(), frame(kind::PUSH_PROMISE, flag::END_HEADERS, 1, &promise())],
            conn_error(code::PROTOCOL),
        ),
    ]
}

fn promise() -> Vec<u8> {
    [&[0, 0, 0, 2], &block::get("/")[..]].concat()
}

fn resets_and_settings() -> Vec<Case> {
    vec![
        case("6.4 RST_STREAM on stream 0", &[reset(0, code::CANCEL)], conn_error(code::PROTOCOL)),
        case(
            "6.4 RST_STREAM of 3 bytes",
            &[open_forever(), frame(kind::RST_STREAM, 0, 1, &[0; 3])],
            conn_error(code::FRAME_SIZE),
        ),
        case(
            "6.5 SETTINGS that acknowledge and say something",
            &[frame(kind::SETTINGS, flag::ACK, 0, &[0; 6])],
            conn_error(code::FRAME_SIZE),
        ),
        case("6.5 SETTINGS on a stream", &[frame(kind::SETTINGS, 0, 1, &[])], conn_error(code::PROTOCOL)),
        case(
            "6.5 SETTINGS of 3 bytes",
            &[frame(kind::SETTINGS, 0, 0, &[0, 3, 0])],
            conn_error(code::FRAME_SIZE),
        ),
        case("6.5.2 ENABLE_PUSH of 2", &[settings(&[(2, 2)])], conn_error(code::PROTOCOL)),
        case("6.5.2 a window of 2^31", &[settings(&[(4, 1 << 31)])], conn_error(code::FLOW_CONTROL)),
        case("6.5.2 a frame size below 2^14", &[settings(&[(5, (1 << 14) - 1)])], conn_error(code::PROTOCOL)),
        case("6.5.2 a frame size above 2^24 - 1", &[settings(&[(5, 1 << 24)])], conn_error(code::PROTOCOL)),
        case("6.5.2 a setting nobody knows", &[settings(&[(0xff, 1)])], tolerated()),
        case(
            "6.5.2 the largest that is allowed",
            &[settings(&[(1, 0), (2, 1), (3, 0), (4, 0x7fff_ffff), (5, (1 << 24) - 1), (6, 0)])],
            tolerated(),
        ),
        case("7 RST_STREAM with a code nobody knows", &[open_forever(), reset(1, 0xff)], tolerated()),
    ]
}

fn pings_and_windows() -> Vec<Case> {
    let all = 0x7fff_ffff;
    vec![
        case("6.7 PING on a stream", &[frame(kind::PING, 0, 1, &[0; 8])], conn_error(code::PROTOCOL)),
        case("6.7 PING of 6 bytes", &[frame(kind::PING, 0, 0, &[0; 6])], conn_error(code::FRAME_SIZE)),
        case(
            "6.7 an acknowledgement of no PING",
            &[frame(kind::PING, flag::ACK, 0, b"whatever")],
            tolerated(),
        ),
        case("6.8 GOAWAY on a stream", &[frame(kind::GOAWAY, 0, 1, &[0; 8])], conn_error(code::PROTOCOL)),
        case("6.8 GOAWAY of 7 bytes", &[frame(kind::GOAWAY, 0, 0, &[0; 7])], conn_error(code::FRAME_SIZE)),
        case("6.9 WINDOW_UPDATE of 0", &[window_update(0, 0)], conn_error(code::PROTOCOL)),
        case(
            "6.9 WINDOW_UPDATE of 0 for a stream",
            &[open_forever(), window_update(1, 0)],
            stream_error(code::PROTOCOL),
        ),
        case(
            "6.9 WINDOW_UPDATE of 3 bytes",
            &[frame(kind::WINDOW_UPDATE, 0, 0, &[0, 0, 1])],
            conn_error(code::FRAME_SIZE),
        ),
        case(
            "6.9.1 a window above 2^31 - 1",
            &[window_update(0, all), window_update(0, all)],
            conn_error(code::FLOW_CONTROL),
        ),
        case(
            "6.9.1 a stream's window above 2^31 - 1",
            &[open_forever(), window_update(1, all), window_update(1, all)],
            stream_error(code::FLOW_CONTROL),
        ),
        // A window is full when it is open by 65 535; more is no error.
        case("6.9.1 a window of 2^31 - 1", &[window_update(0, all - 65_535)], tolerated()),
        case(
            "6.9.2 SETTINGS that take a stream's window above 2^31 - 1",
            &[open_forever(), window_update(1, all - 65_535), settings(&[(4, 65_536)])],
            conn_error(code::FLOW_CONTROL),
        ),
    ]
}

fn continuations() -> Vec<Case> {
    let begun = || frame(kind::HEADERS, flag::END_STREAM, 1, &block::get("/"));
    let goes_on = |flags, stream| frame(kind::CONTINUATION, flags, stream, &block::field("custom", "1"));
    vec![
        case("6.10 two CONTINUATIONs", &[begun(), goes_on(0, 1), goes_on(flag::END_HEADERS, 1)], answered()),
        case(
            "6.10 another frame behind CONTINUATION",
            &[begun(), goes_on(0, 1), frame(kind::DATA, 0, 1, b"x")],
            conn_error(code::PROTOCOL),
        ),
        case(
            "6.10 CONTINUATION on stream 0",
            &[begun(), goes_on(flag::END_HEADERS, 0)],
            conn_error(code::PROTOCOL),
        ),
        case(
            "6.10 CONTINUATION of another stream",
            &[begun(), goes_on(flag::END_HEADERS, 3)],
            conn_error(code::PROTOCOL),
        ),
        case(
            "6.10 CONTINUATION behind whole HEADERS",
            &[open_forever(), goes_on(flag::END_HEADERS, 1)],
            conn_error(code::PROTOCOL),
        ),
        case(
            "6.10 CONTINUATION behind the last",
            &[
                frame(kind::HEADERS, 0, 1, &block::post("/never")),
                goes_on(flag::END_HEADERS, 1),
                goes_on(flag::END_HEADERS, 1),
            ],
            conn_error(code::PROTOCOL),
        ),
        case(
            "6.10 CONTINUATION behind DATA",
            &[open_forever(), frame(kind::DATA, 0, 1, b"x"), goes_on(flag::END_HEADERS, 1)],
            conn_error(code::PROTOCOL),
        ),
        case(
            "6.10 PING within a field block",
            &[begun(), frame(kind::PING, 0, 0, &[0; 8])],
            conn_error(code::PROTOCOL),
        ),
        case("6.10 a request within a field block", &[begun(), get(3)], conn_error(code::PROTOCOL)),
    ]
}

#[tokio::test]
async fn frames_say_what_they_may_where_they_may() {
    check(cases()).await;
}
