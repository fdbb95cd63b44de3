//! What the backend is told of the client: `Forwarded` (RFC 7239) and the older `X-Forwarded-…`. Pure.

use std::net::IpAddr;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// What becomes of `Forwarded`, `X-Forwarded-For`, `X-Forwarded-Host` and `X-Forwarded-Proto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Forwarding {
    /// Whatever the peer says of that kind is replaced, all `X-Forwarded-…` and `X-Real-IP` too: anybody can say it, and
    /// the backend would believe it. The default.
    Replace,
    /// The peer is a proxy that can be trusted: it is added to the lists of `Forwarded` and `X-Forwarded-For`, and the host
    /// and the protocol that it tells are kept.
    Append,
    /// The backend is told nothing, and what the peer says is taken out.
    Remove,
}

/// What is known of the client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer<'a> {
    pub(super) ip: Option<IpAddr>,
    pub(super) host: Option<&'a str>,
    pub(super) is_secure: bool,
}

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Sets the headers of a request.
pub(super) fn set(headers: &mut HeaderMap, forwarding: Forwarding, peer: &Peer<'_>) {
    if forwarding != Forwarding::Append {
        remove(headers);
    }
    if forwarding == Forwarding::Remove {
        return;
    }
    let ip = peer.ip.map(|ip| ip.to_canonical());
    let node = ip.map_or_else(|| "unknown".to_owned(), |ip| ip.to_string());
    let proto = if peer.is_secure { "https" } else { "http" };

    let elements = if headers.contains_key(header::FORWARDED) {
        list(headers, &header::FORWARDED)
    } else {
        // Whoever reads the newer header would not look at the older (RFC 7239 section 7.4).
        list(headers, &FOR).split(',').filter_map(element).collect::<Vec<_>>().join(", ")
    };
    let host = peer.host.map(|host| format!(";host={}", quoted(host))).unwrap_or_default();
    let own = format!("for={}{host};proto={proto}", quoted(&bracketed(&node)));
    put(headers, header::FORWARDED, &joined(&elements, &own));

    let nodes = list(headers, &FOR);
    put(headers, FOR, &joined(&nodes, &node));
    if let Some(host) = peer.host
        && !headers.contains_key(HOST)
    {
        put(headers, HOST, host);
    }
    if !headers.contains_key(PROTO) {
        put(headers, PROTO, proto);
    }
}

fn remove(headers: &mut HeaderMap) {
    let is_told = |name: &HeaderName| {
        let name = name.as_str();
        name == "forwarded" || name == "x-real-ip" || name.starts_with("x-forwarded-")
    };
    let told: Vec<HeaderName> = headers.keys().filter(|name| is_told(name)).cloned().collect();
    for name in told {
        headers.remove(name);
    }
}

/// All values of a list in one.
fn list(headers: &HeaderMap, name: &HeaderName) -> String {
    let values: Vec<_> =
        headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    values.join(", ")
}

fn joined(list: &str, last: &str) -> String {
    if list.trim().is_empty() { last.to_owned() } else { format!("{list}, {last}") }
}

/// A member of `X-Forwarded-For` as one of `Forwarded`.
fn element(node: &str) -> Option<String> {
    let node = node.trim();
    if node.is_empty() {
        return None;
    }
    let bare = node.strip_prefix('[').and_then(|node| node.strip_suffix(']')).unwrap_or(node);
    Some(match bare.parse::<IpAddr>() {
        Ok(ip) => format!("for={}", quoted(&bracketed(&ip.to_string()))),
        Err(_) => "for=unknown".to_owned(),
    })
}

/// An IPv6 address stands in brackets (RFC 7239 section 6).
fn bracketed(node: &str) -> String {
    if node.contains(':') { format!("[{node}]") } else { node.to_owned() }
}

/// A token as it is, everything else as a quoted string.
fn quoted(text: &str) -> String {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_token) {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    // What came in a header goes into one.
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(given: &[(&'static str, &str)], forwarding: Forwarding, peer: Peer<'_>) -> [Option<String>; 4] {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.append(*name, value.parse().unwrap());
        }
        set(&mut headers, forwarding, &peer);
        ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"].map(|name| {
            assert!(headers.get_all(name).iter().count() <= 1);
            headers.get(name).map(|value| value.to_str().unwrap().to_owned())
        })
    }

    fn peer(ip: &str) -> Peer<'static> {
        Peer { ip: ip.parse().ok(), host: Some("example.com"), is_secure: false }
    }

    #[track_caller]
    fn assert_told(found: [Option<String>; 4], expected: [&str; 4]) {
        assert_eq!(found.map(Option::unwrap_or_default), expected.map(str::to_owned));
    }

    const LIES: &[(&str, &str)] = &[
        ("forwarded", "for=6.6.6.6"),
        ("forwarded", "for=7.7.7.7"),
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-host", "evil"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-port", "1"),
        ("x-real-ip", "6.6.6.6"),
    ];

    #[test]
    fn what_a_stranger_says_is_replaced() {
        assert_told(
            told(LIES, Forwarding::Replace, peer("192.0.2.1")),
            ["for=192.0.2.1;host=example.com;proto=http", "192.0.2.1", "example.com", "http"],
        );
        let mut headers: HeaderMap = LIES
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        set(&mut headers, Forwarding::Remove, &peer("192.0.2.1"));
        assert!(headers.is_empty(), "{headers:?}");
    }

    #[test]
    fn what_a_trusted_proxy_says_is_added_to() {
        assert_told(
            told(LIES, Forwarding::Append, peer("192.0.2.1")),
            [
                "for=6.6.6.6, for=7.7.7.7, for=192.0.2.1;host=example.com;proto=http",
                "6.6.6.6, 192.0.2.1",
                "evil",
                "https",
            ],
        );
        assert_told(
            told(
                &[("x-forwarded-for", "a b,, ::1,[::2]"), ("x-forwarded-for", "192.0.2.7")],
                Forwarding::Append,
                peer("::3"),
            ),
            [
                "for=unknown, for=\"[::1]\", for=\"[::2]\", for=192.0.2.7, for=\"[::3]\";host=example.com;proto=http",
                "a b,, ::1,[::2], 192.0.2.7, ::3",
                "example.com",
                "http",
            ],
        );
    }

    #[test]
    fn addresses_and_hosts_as_they_are_written() {
        let peer =
            |ip: Option<&str>, host| Peer { ip: ip.map(|ip| ip.parse().unwrap()), host, is_secure: true };
        for (peer, expected) in [
            (
                peer(Some("::1"), Some("[::2]:80")),
                ["for=\"[::1]\";host=\"[::2]:80\";proto=https", "::1", "[::2]:80", "https"],
            ),
            (
                peer(Some("::ffff:192.0.2.1"), Some("a:1")),
                ["for=192.0.2.1;host=\"a:1\";proto=https", "192.0.2.1", "a:1", "https"],
            ),
            (peer(None, None), ["for=unknown;proto=https", "unknown", "", "https"]),
            (
                peer(None, Some("a\"\\")),
                ["for=unknown;host=\"a\\\"\\\\\";proto=https", "unknown", "a\"\\", "https"],
            ),
        ] {
            assert_told(told(&[], Forwarding::Replace, peer), expected);
        }
    }
}
