//! RFC 9113 section 8: requests.

use super::block::{self, GET, HTTP, POST, ROOT, field, fields};
use super::cases::{Case, answered, case, check, conn_error, malformed};
use super::peer::{code, flag, frame, kind};

/// A whole request with this block.
fn whole(block: &[u8]) -> [Vec<u8>; 1] {
    [frame(kind::HEADERS, flag::WHOLE, 1, block)]
}

fn with(name: &str, value: &str) -> [Vec<u8>; 1] {
    whole(&block::request(GET, "/", &[(name, value)]))
}

fn authority() -> Vec<u8> {
    field(":authority", "a")
}

pub(super) fn cases() -> Vec<Case> {
    [exchanges(), names_and_values(), pseudo_fields()].into_iter().flatten().collect()
}

/// Sections 8.1, 8.1.1 and 8.4.
fn exchanges() -> Vec<Case> {
    let post = |length: &str| {
        let block = block::request(POST, "/", &[("content-length", length)]);
        frame(kind::HEADERS, flag::END_HEADERS, 1, &block)
    };
    let data = |flags, bytes: &[u8]| frame(kind::DATA, flags, 1, bytes);
    let trailers = |flags, block: &[u8]| frame(kind::HEADERS, flags, 1, block);
    let open = || frame(kind::HEADERS, flag::END_HEADERS, 1, &block::post("/"));
    let end = flag::END_STREAM;
    vec![
        case(
            "8.1 trailers that do not end the request",
            &[open(), trailers(flag::END_HEADERS, &field("x", "1"))],
            malformed(),
        ),
        case(
            "8.1 trailers that do not end the request, behind a body",
            &[open(), data(0, b"x"), trailers(flag::END_HEADERS, &field("x", "1"))],
            malformed(),
        ),
        case(
            "8.1 a pseudo-header among trailers",
            &[open(), trailers(flag::WHOLE, &field(":method", "GET"))],
            malformed(),
        ),
        case("8.1 trailers", &[open(), data(0, b"x"), trailers(flag::WHOLE, &field("x", "1"))], answered()),
        case("8.1.1 less than the length", &[post("3"), data(end, b"ab")], malformed()),
        case("8.1.1 more than the length", &[post("1"), data(end, b"ab")], malformed()),
        case(
            "8.1.1 less than the length, in parts",
            &[post("5"), data(0, b"ab"), data(end, b"cd")],
            malformed(),
        ),
        case(
            "8.1.1 more than the length, in parts",
            &[post("3"), data(0, b"ab"), data(end, b"cd")],
            malformed(),
        ),
        case("8.1.1 a length and no body", &with("content-length", "1"), malformed()),
        case("8.1.1 a length that is no number", &with("content-length", "+1"), malformed()),
        case(
            "8.1.1 two lengths",
            &whole(&block::request(POST, "/", &[("content-length", "0"), ("content-length", "1")])),
            malformed(),
        ),
        case("8.1.1 the length", &[post("4"), data(0, b"ab"), data(end, b"cd")], answered()),
        case(
            "8.1.1 a length behind which come trailers too early",
            &[post("4"), data(0, b"ab"), trailers(flag::WHOLE, &field("x", "1"))],
            malformed(),
        ),
        case(
            "8.4 a client's PUSH_PROMISE",
            &[open(), frame(kind::PUSH_PROMISE, flag::END_HEADERS, 1, &[0, 0, 0, 2])],
            conn_error(code::PROTOCOL),
        ),
    ]
}

/// Sections 8.2.1 to 8.2.3.
fn names_and_values() -> Vec<Case> {
    vec![
        case("8.2 an upper-case name", &with("X-Test", "1"), malformed()),
        case("8.2.1 a name with a space", &with("x y", "1"), malformed()),
        case("8.2.1 a name with a colon", &with("x:y", "1"), malformed()),
        case("8.2.1 a name beyond ASCII", &with("x-\u{e9}", "1"), malformed()),
        case("8.2.1 no name", &with("", "1"), malformed()),
        case("8.2.1 NUL in a value", &with("x", "a\0b"), malformed()),
        case("8.2.1 CR in a value", &with("x", "a\rb"), malformed()),
        case("8.2.1 LF in a value", &with("x", "a\nb"), malformed()),
        case("8.2.1 a space before a value", &with("x", " a"), malformed()),
        case("8.2.1 a tab behind a value", &with("x", "a\t"), malformed()),
        case("8.2.1 no value", &with("x", ""), answered()),
        case("8.2.2 Connection", &with("connection", "keep-alive"), malformed()),
        case("8.2.2 Keep-Alive", &with("keep-alive", "timeout=5"), malformed()),
        case("8.2.2 Proxy-Connection", &with("proxy-connection", "keep-alive"), malformed()),
        case("8.2.2 Transfer-Encoding", &with("transfer-encoding", "chunked"), malformed()),
        case("8.2.2 Upgrade", &with("upgrade", "h2c"), malformed()),
        case("8.2.2 TE other than trailers", &with("te", "trailers, deflate;q=0.5"), malformed()),
        case("8.2.2 TE: trailers", &with("te", "trailers"), answered()),
        case(
            "8.2.3 cookies in pieces",
            &whole(&block::request(GET, "/", &[("cookie", "a=b"), ("cookie", "c=d")])),
            answered(),
        ),
    ]
}

/// Sections 8.3, 8.3.1 and 8.5.
fn pseudo_fields() -> Vec<Case> {
    let own = |block: &[&[u8]]| whole(&block.concat());
    let authority = authority();
    let connect = |more: &[(&str, &str)]| whole(&[field(":method", "CONNECT"), fields(more)].concat());
    vec![
        case("8.3 a pseudo-header nobody knows", &with(":test", "1"), malformed()),
        case("8.3 a response's pseudo-header", &with(":status", "200"), malformed()),
        case(
            "8.3 a pseudo-header behind a field",
            &own(&[&[GET, HTTP], &authority, &field("x", "1"), &[ROOT]]),
            malformed(),
        ),
        case("8.3.1 no method", &own(&[&[ROOT, HTTP], &authority]), malformed()),
        case("8.3.1 no scheme", &own(&[&[GET, ROOT], &authority]), malformed()),
        case("8.3.1 no path", &own(&[&[GET, HTTP], &authority]), malformed()),
        case("8.3.1 neither authority nor Host", &own(&[&[GET, ROOT, HTTP]]), malformed()),
        case("8.3.1 Host alone", &own(&[&[GET, ROOT, HTTP], &field("host", "a")]), answered()),
        case("8.3.1 Host and the same authority", &with("host", "a"), answered()),
        case("8.3.1 Host and another authority", &with("host", "b"), malformed()),
        case("8.3.1 two methods", &own(&[&[GET, POST, ROOT, HTTP], &authority]), malformed()),
        case("8.3.1 two schemes", &own(&[&[GET, ROOT, HTTP, HTTP], &authority]), malformed()),
        case("8.3.1 two paths", &own(&[&[GET, ROOT, ROOT, HTTP], &authority]), malformed()),
        case("8.3.1 two authorities", &own(&[&[GET, ROOT, HTTP], &authority, &authority]), malformed()),
        case("8.3.1 an empty path", &own(&[&[GET, HTTP], &authority, &field(":path", "")]), malformed()),
        case(
            "8.3.1 a path without a slash",
            &own(&[&[GET, HTTP], &authority, &field(":path", "a")]),
            malformed(),
        ),
        case("8.3.1 * for GET", &own(&[&[GET, HTTP], &authority, &field(":path", "*")]), malformed()),
        case(
            "8.3.1 * for OPTIONS",
            &own(&[&[HTTP], &field(":method", "OPTIONS"), &authority, &field(":path", "*")]),
            answered(),
        ),
        case(
            "8.3.1 a method that is none",
            &own(&[&[ROOT, HTTP], &field(":method", "G T"), &authority]),
            malformed(),
        ),
        case(
            "8.3.1 a user in the authority",
            &own(&[&[GET, ROOT, HTTP], &field(":authority", "u@a")]),
            malformed(),
        ),
        case(
            "8.3.1 an authority that is none",
            &own(&[&[GET, ROOT, HTTP], &field(":authority", "a b")]),
            malformed(),
        ),
        case("8.5 CONNECT with a path", &connect(&[(":authority", "a:1"), (":path", "/")]), malformed()),
        case(
            "8.5 CONNECT with a scheme",
            &connect(&[(":authority", "a:1"), (":scheme", "http")]),
            malformed(),
        ),
        case("8.5 CONNECT without an authority", &connect(&[]), malformed()),
        case(
            "RFC 8441 4 :protocol that was not offered",
            &connect(&[(":protocol", "websocket"), (":scheme", "http"), (":path", "/"), (":authority", "a")]),
            malformed(),
        ),
        case("RFC 8441 4 :protocol for GET", &with(":protocol", "websocket"), malformed()),
    ]
}

#[tokio::test]
async fn requests_are_well_formed() {
    check(cases()).await;
}
