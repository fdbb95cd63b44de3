//! Headers that belong to one conn, and go no further (RFC 9110 section 7.6.1). Pure.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// Those that belong to the conn whether `Connection` names them or not.
const ALWAYS: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-authentication-info"),
];

/// Takes out what belongs to the conn that the headers came by.
pub(super) fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> =
        tokens(headers, &header::CONNECTION).filter_map(|token| HeaderName::from_bytes(token).ok()).collect();
    for name in named.iter().chain(&ALWAYS) {
        headers.remove(name);
    }
}

/// The same for a request: that the client takes trailers is told the backend, for its own conn.
pub(super) fn strip_request(headers: &mut HeaderMap) {
    let takes_trailers = takes_trailers(headers);
    strip(headers);
    // It would switch the conn to HTTP/2, which is no matter between the client and the backend.
    headers.remove("http2-settings");
    if takes_trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("te"));
    }
}

/// The protocol that `Upgrade` names, where `Connection` says that it counts.
pub(super) fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    if !tokens(headers, &header::CONNECTION).any(|token| token.eq_ignore_ascii_case(b"upgrade")) {
        return None;
    }
    let mut values = headers.get_all(header::UPGRADE).iter();
    let (value, more) = (values.next()?, values.next());
    // RFC 9113 section 3.1 has done away with it.
    let is_h2c = value
        .as_bytes()
        .split(|&byte| byte == b',')
        .any(|name| name.trim_ascii().eq_ignore_ascii_case(b"h2c"));
    (more.is_none() && !is_h2c && !value.is_empty()).then(|| value.clone())
}

/// Marks a head as one that changes the protocol.
pub(super) fn set_upgrade(headers: &mut HeaderMap, upgrade: HeaderValue) {
    let connection = if headers.contains_key(header::TE) { "upgrade, te" } else { "upgrade" };
    headers.insert(header::CONNECTION, HeaderValue::from_static(connection));
    headers.insert(header::UPGRADE, upgrade);
}

/// Whether a protocol is among those that were offered (RFC 9110 section 7.8).
pub(super) fn offers(offered: &HeaderValue, chosen: &HeaderValue) -> bool {
    let chosen = chosen.as_bytes().trim_ascii();
    offered.as_bytes().split(|&byte| byte == b',').any(|name| name.trim_ascii().eq_ignore_ascii_case(chosen))
}

fn takes_trailers(headers: &HeaderMap) -> bool {
    // With or without a weight.
    tokens(headers, &header::TE).any(|token| {
        let name = token.split(|&byte| byte == b';').next().unwrap_or_default();
        name.trim_ascii().eq_ignore_ascii_case(b"trailers")
    })
}

/// The members of a list that may stand in several headers.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    let values = headers.get_all(name).into_iter();
    values.flat_map(|value| value.as_bytes().split(|&byte| byte == b',')).map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    fn left(headers: &HeaderMap) -> String {
        let lines: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}={}", value.to_str().unwrap())).collect();
        lines.join(" ")
    }

    #[test]
    fn what_belongs_to_the_conn_stays_there() {
        for (given, expected) in [
            (&[("accept", "*/*"), ("trailer", "x")][..], "accept=*/* trailer=x"),
            (&[("connection", "close, X-Mine ,,(bad)"), ("x-mine", "1"), ("x-yours", "2")], "x-yours=2"),
            (&[("connection", "a"), ("connection", "b"), ("a", "1"), ("b", "2"), ("c", "3")], "c=3"),
            (&[("keep-alive", "1"), ("proxy-connection", "x"), ("transfer-encoding", "chunked")], ""),
            (&[("proxy-authorization", "x"), ("proxy-authenticate", "y"), ("upgrade", "h2c")], ""),
            (&[("te", "gzip"), ("http2-settings", "x")], ""),
            (&[("te", "gzip;q=0.5, Trailers;q=1")], "te=trailers connection=te"),
            (&[("te", "x"), ("te", "trailers"), ("connection", "te")], "te=trailers connection=te"),
        ] {
            let mut headers = headers(given);
            strip_request(&mut headers);
            assert_eq!(left(&headers), expected, "{given:?}");
        }
    }

    #[test]
    fn responses_keep_no_te() {
        let mut headers = headers(&[("te", "trailers"), ("connection", "etag"), ("etag", "x"), ("a", "b")]);
        strip(&mut headers);
        assert_eq!(left(&headers), "a=b");
    }

    #[test]
    fn upgrades_and_what_is_none() {
        for (given, expected) in [
            (&[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")][..], Some("websocket")),
            (&[("connection", "upgrade"), ("upgrade", "a, b/2")], Some("a, b/2")),
            (&[("connection", "keep-alive"), ("upgrade", "websocket")], None),
            (&[("connection", "upgrade")], None),
            (&[("connection", "upgrade"), ("upgrade", "")], None),
            (&[("connection", "upgrade"), ("upgrade", "a"), ("upgrade", "b")], None),
            (&[("connection", "upgrade, http2-settings"), ("upgrade", "h2c")], None),
        ] {
            let found = upgrade(&headers(given));
            assert_eq!(found.as_ref().map(|value| value.to_str().unwrap()), expected, "{given:?}");
        }
        let (offered, chosen) = (HeaderValue::from_static("a, b/2"), HeaderValue::from_static);
        assert!(offers(&offered, &chosen("B/2")) && offers(&offered, &chosen("a")));
        assert!(!offers(&offered, &chosen("b")) && !offers(&offered, &chosen("")));
    }
}
