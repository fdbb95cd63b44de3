//! Which requests have no handler, because they are none. Pure code.
//!
//! What hyper refuses is not looked for again: it answers with 400, or closes the conn, where the head cannot be parsed,
//! where lengths contradict each other and where a transfer coding does not end in `chunked` (RFC 9112 section 6), and
//! closes the conn behind a request with both kinds of framing.

use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, StatusCode, Uri, Version};

/// What the headers say of the request itself, found in one go.
#[derive(Default)]
struct Told<'a> {
    hosts: usize,
    host: Option<&'a HeaderValue>,
    /// More than one transfer coding, of which hyper looks at the last alone; we have none but `chunked` to undo.
    has_ambiguous_length: bool,
    expected: Option<&'a HeaderValue>,
}

impl Told<'_> {
    fn by(headers: &HeaderMap) -> Told<'_> {
        let (mut told, mut has_coding) = (Told::default(), false);
        for (name, value) in headers {
            if name == header::HOST {
                told.hosts += 1;
                told.host.get_or_insert(value);
            } else if name == header::TRANSFER_ENCODING {
                let is_chunked = value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
                told.has_ambiguous_length |= has_coding || !is_chunked;
                has_coding = true;
            } else if name == header::EXPECT {
                told.expected.get_or_insert(value);
            }
        }
        told
    }
}

/// Why a request is answered by the server itself.
pub(super) fn refusal<B>(request: &Request<B>) -> Option<(StatusCode, &'static str)> {
    let bad = |reason| Some((StatusCode::BAD_REQUEST, reason));
    let (uri, headers, version) = (request.uri(), request.headers(), request.version());
    let Told { hosts, host, has_ambiguous_length, expected } = Told::by(headers);
    if hosts > 1 {
        return bad("more than one Host");
    }
    match (version, host) {
        (Version::HTTP_11, None) => return bad("no Host"),
        (Version::HTTP_2, None) if uri.authority().is_none() => return bad("no authority"),
        (_, Some(host)) if !is_host(host.as_bytes()) => return bad("not a Host"),
        (Version::HTTP_2, Some(host)) if is_of_another(host.as_bytes(), uri) => {
            return bad("Host is not the authority");
        }
        _ => {}
    }
    // Whoever is shown it takes it for the host (RFC 9110 section 4.2.4, RFC 9113 section 8.3.1).
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return bad("a user in the authority");
    }
    if version == Version::HTTP_2 && headers.values().any(|value| is_padded(value.as_bytes())) {
        return bad("a space around a value");
    }
    if !is_target(request.method(), uri, version) {
        return bad("not a request target");
    }
    if version < Version::HTTP_2 && has_ambiguous_length {
        return bad("an ambiguous length");
    }
    match expected {
        Some(expected) if !expected.as_bytes().eq_ignore_ascii_case(b"100-continue") => {
            Some((StatusCode::EXPECTATION_FAILED, "an unknown expectation"))
        }
        _ => None,
    }
}

/// What a name of a host may be made of (RFC 3986 section 3.2.2).
static IN_NAME: [bool; 256] = {
    let mut all = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        all[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let others = b"-._~%!$&'()*+,;=";
    let mut at = 0;
    while at < others.len() {
        all[others[at] as usize] = true;
        at += 1;
    }
    all
};

fn is_name(name: &[u8]) -> bool {
    name.iter().all(|&byte| IN_NAME[usize::from(byte)])
}

/// `uri-host [ ":" port ]`, which may be empty (RFC 9110 section 7.2).
fn is_host(host: &[u8]) -> bool {
    if is_name(host) {
        return true;
    }
    let (name, port) = match host.iter().rposition(|&byte| byte == b':') {
        Some(colon) if !host[colon..].contains(&b']') => (&host[..colon], &host[colon + 1..]),
        _ => (host, &[][..]),
    };
    let is_name = match name {
        [b'[', inner @ .., b']'] => {
            inner.iter().all(|&byte| byte.is_ascii_hexdigit() || b":.vV%_-~".contains(&byte))
        }
        name => is_name(name),
    };
    is_name && port.iter().all(u8::is_ascii_digit)
}

/// Whether `Host` names another than the authority does, where there is one (RFC 9113 section 8.3.1).
fn is_of_another(host: &[u8], uri: &Uri) -> bool {
    let Some(authority) = uri.authority() else { return false };
    let default: &[u8] = if uri.scheme_str() == Some("https") { b":443" } else { b":80" };
    let plain = |host: &[u8]| {
        let plain = host.strip_suffix(default).or_else(|| host.strip_suffix(b":"));
        plain.unwrap_or(host).to_ascii_lowercase()
    };
    let authority = authority.as_str().as_bytes();
    !host.eq_ignore_ascii_case(authority) && plain(host) != plain(authority)
}

/// What no value may begin or end with (RFC 9113 section 8.2.1); in HTTP/1.1 it is no part of one.
fn is_padded(value: &[u8]) -> bool {
    let is_space = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    is_space(value.first()) || is_space(value.last())
}

/// The forms of RFC 9112 section 3.2, each for its methods.
fn is_target(method: &Method, uri: &Uri, version: Version) -> bool {
    if method == Method::CONNECT {
        return uri.authority().is_some() && (version == Version::HTTP_2 || uri.scheme().is_none());
    }
    match uri.path() {
        "*" => method == Method::OPTIONS,
        path => path.starts_with('/') || (uri.scheme().is_some() && path.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, target: &str, version: Version, headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().method(method).uri(target).version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn what_is_a_request_and_what_is_none() {
        let (old, new, two) = (Version::HTTP_10, Version::HTTP_11, Version::HTTP_2);
        for (method, target, version, headers, reason) in [
            ("GET", "/", new, &[("host", "a")][..], None),
            ("GET", "/", new, &[("host", "")], None),
            ("GET", "/", new, &[("host", "[::1]:80")], None),
            ("GET", "/", new, &[("host", "a.example:8080")], None),
            ("GET", "/", old, &[], None),
            ("GET", "http://a/b", new, &[("host", "a")], None),
            ("GET", "https://a/", two, &[], None),
            ("GET", "https://a/", two, &[("host", "A")], None),
            ("GET", "https://a/", two, &[("host", "a:443")], None),
            ("GET", "http://a:80/", two, &[("host", "a:")], None),
            ("GET", "https://a:8443/", two, &[("host", "a:8443")], None),
            ("GET", "/", two, &[("host", "a")], None),
            ("GET", "http://b/", new, &[("host", "a")], None),
            ("GET", "https://a/", two, &[("host", "b")], Some("Host is not the authority")),
            ("GET", "https://a/", two, &[("host", "a:80")], Some("Host is not the authority")),
            ("GET", "https://a:8443/", two, &[("host", "a")], Some("Host is not the authority")),
            ("GET", "https://u@a/", two, &[], Some("a user in the authority")),
            ("GET", "http://u:p@a/", new, &[("host", "a")], Some("a user in the authority")),
            ("GET", "https://a/", two, &[("x", " 1")], Some("a space around a value")),
            ("GET", "https://a/", two, &[("x", "1\t")], Some("a space around a value")),
            ("GET", "https://a/", two, &[("x", "")], None),
            ("OPTIONS", "*", new, &[("host", "a")], None),
            ("CONNECT", "a:443", new, &[("host", "a:443")], None),
            ("POST", "/", new, &[("host", "a"), ("transfer-encoding", "Chunked")], None),
            ("POST", "/", new, &[("host", "a"), ("expect", "100-Continue")], None),
            ("GET", "/", new, &[], Some("no Host")),
            ("GET", "/", two, &[], Some("no authority")),
            ("GET", "/", new, &[("host", "a"), ("host", "a")], Some("more than one Host")),
            ("GET", "/", old, &[("host", "a"), ("host", "b")], Some("more than one Host")),
            ("GET", "/", new, &[("host", "a b")], Some("not a Host")),
            ("GET", "/", new, &[("host", "a/b")], Some("not a Host")),
            ("GET", "/", new, &[("host", "user@a")], Some("not a Host")),
            ("GET", "/", new, &[("host", "a:b")], Some("not a Host")),
            ("GET", "*", new, &[("host", "a")], Some("not a request target")),
            ("GET", "a:443", new, &[("host", "a")], Some("not a request target")),
            ("CONNECT", "/", new, &[("host", "a")], Some("not a request target")),
            (
                "POST",
                "/",
                new,
                &[("host", "a"), ("transfer-encoding", "gzip, chunked")],
                Some("an ambiguous length"),
            ),
            (
                "POST",
                "/",
                new,
                &[("host", "a"), ("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
                Some("an ambiguous length"),
            ),
            ("GET", "/", new, &[("host", "a"), ("expect", "cake")], Some("an unknown expectation")),
        ] {
            let refused = refusal(&request(method, target, version, headers));
            assert_eq!(
                refused.map(|(_, reason)| reason),
                reason,
                "{method} {target} {version:?} {headers:?}"
            );
        }
    }
}
