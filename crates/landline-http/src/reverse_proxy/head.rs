//! What the head of a request becomes on its way to a backend, and of a response on its way back. Pure.

use std::net::IpAddr;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Extensions, Method, StatusCode, Version, request};
use landline::Addr;

use super::answer::{Failure, Reason};
use super::forwarded::{self, Forwarding, Peer};
use super::{hop, loops};
use crate::server::Caller;

/// What the backend sees as `Host` (or `:authority`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Host {
    /// What the client sent. A request without is told the backend's own. The default.
    Keep,
    /// The host of the backend's URL, for servers that know themselves by that name alone.
    Rewrite,
}

/// How heads are changed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules<'a> {
    pub(super) forwarding: Forwarding,
    /// Where the request does not tell for itself.
    pub(super) is_secure: bool,
    pub(super) via: Option<&'a HeaderValue>,
    /// By what the proxy knows its own requests.
    pub(super) pseudonym: &'a HeaderValue,
}

/// A request as any of the backends may have it.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) method: Method,
    pub(super) target: PathAndQuery,
    pub(super) headers: HeaderMap,
    /// The host that the client asked.
    pub(super) host: Option<Authority>,
    /// The protocols that the client would like to change to.
    pub(super) upgrade: Option<HeaderValue>,
}

/// Who asks: as whoever stands before tells it by an [`Addr`], or our own server by itself.
fn peer_ip(extensions: &Extensions) -> Option<IpAddr> {
    match extensions.get::<Addr>() {
        Some(addr) => addr.ip(),
        None => Caller::current()?.peer_addr()?.ip(),
    }
}

const MAX_FORWARDS: HeaderName = header::MAX_FORWARDS;

impl Head {
    /// The head for the backends, or why none of them is to have it.
    pub(super) fn of(parts: &request::Parts, rules: &Rules<'_>) -> Result<Head, Failure> {
        let refuse = |status, text| Err(Failure { status, reason: Reason::RequestError, text });
        if parts.method == Method::CONNECT {
            return refuse(StatusCode::NOT_IMPLEMENTED, "this server makes no tunnels");
        }
        let Ok(host) = host(parts) else {
            return refuse(StatusCode::BAD_REQUEST, "the request names no valid host");
        };
        let Some(target) = parts.uri.path_and_query().filter(|target| is_target(target, &parts.method))
        else {
            return refuse(StatusCode::BAD_REQUEST, "the target of the request is no path");
        };
        if loops::has_passed(&parts.headers, rules.pseudonym) {
            return Err(Failure {
                status: StatusCode::LOOP_DETECTED,
                reason: Reason::LoopDetected,
                text: "the request has come back to this proxy",
            });
        }
        let mut headers = parts.headers.clone();
        let upgrade = (parts.version == Version::HTTP_11).then(|| hop::upgrade(&headers)).flatten();
        hop::strip_request(&mut headers);
        headers.remove(header::HOST);
        if !count_down(&parts.method, &mut headers) {
            return refuse(StatusCode::NOT_IMPLEMENTED, "the request is to go no further than this proxy");
        }
        let peer = Peer {
            ip: peer_ip(&parts.extensions),
            host: host.as_ref().map(Authority::as_str),
            is_secure: parts
                .extensions
                .get::<Scheme>()
                .map_or(rules.is_secure, |scheme| *scheme == Scheme::HTTPS),
        };
        forwarded::set(&mut headers, rules.forwarding, &peer);
        if let Some(name) = rules.via {
            via(&mut headers, parts.version, name);
        }
        loops::mark(&mut headers, rules.pseudonym);
        if let Some(upgrade) = &upgrade {
            hop::set_upgrade(&mut headers, upgrade.clone());
        }
        Ok(Head { method: parts.method.clone(), target: target.clone(), headers, host, upgrade })
    }
}

/// The headers of a response that came by this version.
pub(super) fn of_response(headers: &mut HeaderMap, version: Version, name: Option<&HeaderValue>) {
    hop::strip(headers);
    if let Some(name) = name {
        via(headers, version, name);
    }
}

/// Whom the request asks; the URL comes before `Host` (RFC 9112 section 3.2.2).
fn host(parts: &request::Parts) -> Result<Option<Authority>, ()> {
    let authority = match parts.uri.authority() {
        Some(authority) => authority.clone(),
        None => {
            let mut values = parts.headers.get_all(header::HOST).iter();
            match (values.next(), values.next()) {
                (None, _) => return Ok(None),
                (Some(value), None) if value.is_empty() => return Ok(None),
                (Some(value), None) => Authority::try_from(value.as_bytes()).map_err(|_| ())?,
                (Some(_), Some(_)) => return Err(()),
            }
        }
    };
    if authority.as_str().contains('@') { Err(()) } else { Ok(Some(authority)) }
}

fn is_target(target: &PathAndQuery, method: &Method) -> bool {
    target.path().starts_with('/') || (method == Method::OPTIONS && target.as_str() == "*")
}

/// Takes one from `Max-Forwards`, which TRACE and OPTIONS have; false where none is left (RFC 9110 section 7.6.2).
fn count_down(method: &Method, headers: &mut HeaderMap) -> bool {
    if method != Method::TRACE && method != Method::OPTIONS {
        return true;
    }
    let value = headers.get(MAX_FORWARDS).and_then(|value| value.to_str().ok());
    match value.map(|value| value.trim().parse::<u64>()) {
        Some(Ok(0)) => false,
        Some(Ok(left)) => {
            headers.insert(MAX_FORWARDS, HeaderValue::from(left - 1));
            true
        }
        Some(Err(_)) | None => true,
    }
}

/// Adds to `Via` (RFC 9110 section 7.6.3).
fn via(headers: &mut HeaderMap, version: Version, name: &HeaderValue) {
    let version: &[u8] = match version {
        Version::HTTP_09 => b"0.9 ",
        Version::HTTP_10 => b"1.0 ",
        Version::HTTP_2 => b"2 ",
        Version::HTTP_3 => b"3 ",
        _ => b"1.1 ",
    };
    if let Ok(value) = HeaderValue::from_bytes(&[version, name.as_bytes()].concat()) {
        headers.append(header::VIA, value);
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    static OWN: HeaderValue = HeaderValue::from_static("own");
    const RULES: Rules<'static> =
        Rules { forwarding: Forwarding::Remove, is_secure: false, via: None, pseudonym: &OWN };

    fn head(
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        rules: &Rules<'_>,
    ) -> Result<Head, StatusCode> {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Head::of(&request.body(()).unwrap().into_parts().0, rules).map_err(|failure| failure.status)
    }

    #[test]
    fn whom_a_request_asks() {
        for (uri, headers, host) in [
            ("/", &[("host", "Example.com:80")][..], Ok(Some("Example.com:80"))),
            ("http://a/", &[("host", "b")], Ok(Some("a"))),
            ("/", &[], Ok(None)),
            ("/", &[("host", "")], Ok(None)),
            ("/", &[("host", "a"), ("host", "a")], Err(StatusCode::BAD_REQUEST)),
            ("/", &[("host", "a/b")], Err(StatusCode::BAD_REQUEST)),
            ("/", &[("host", "u@a")], Err(StatusCode::BAD_REQUEST)),
            ("http://u:p@a/", &[], Err(StatusCode::BAD_REQUEST)),
        ] {
            let found = head("GET", uri, headers, &RULES);
            let found = found.map(|head| {
                assert!(!head.headers.contains_key(header::HOST));
                head.host.map(|host| host.to_string())
            });
            assert_eq!(found, host.map(|host| host.map(str::to_owned)), "{uri} {headers:?}");
        }
    }

    #[test]
    fn what_goes_no_further() {
        for (method, uri, headers, expected) in [
            ("CONNECT", "a:1", &[][..], Err(StatusCode::NOT_IMPLEMENTED)),
            ("OPTIONS", "*", &[("host", "a")], Ok(None)),
            ("GET", "*", &[("host", "a")], Err(StatusCode::BAD_REQUEST)),
            ("TRACE", "/", &[("max-forwards", "0")], Err(StatusCode::NOT_IMPLEMENTED)),
            ("OPTIONS", "/", &[("max-forwards", "3")], Ok(Some("2"))),
            ("GET", "/", &[("max-forwards", "0")], Ok(Some("0"))),
            ("GET", "/", &[("cdn-loop", "other, own")], Err(StatusCode::LOOP_DETECTED)),
            ("GET", "/", &[("connection", "cdn-loop"), ("cdn-loop", "own")], Err(StatusCode::LOOP_DETECTED)),
            ("GET", "/", &[("cdn-loop", "other")], Ok(None)),
            ("TRACE", "/", &[("max-forwards", "x")], Ok(Some("x"))),
        ] {
            let found = head(method, uri, headers, &RULES)
                .map(|head| head.headers.get(MAX_FORWARDS).map(|value| value.to_str().unwrap().to_owned()));
            assert_eq!(found, expected.map(|left| left.map(str::to_owned)), "{method} {uri} {headers:?}");
        }
    }

    #[test]
    fn the_peer_and_the_scheme_are_told_by_extensions() {
        let mut request = Request::get("/").header("host", "a").body(()).unwrap();
        request.extensions_mut().insert(Addr::Socket("192.0.2.1:5".parse().unwrap()));
        request.extensions_mut().insert(Scheme::HTTPS);
        let rules = Rules { forwarding: Forwarding::Replace, ..RULES };
        let head = Head::of(&request.into_parts().0, &rules).unwrap_or_else(|failure| panic!("{failure:?}"));
        assert_eq!(head.headers["forwarded"], "for=192.0.2.1;host=a;proto=https");
    }

    #[test]
    fn upgrades_and_via() {
        let name = HeaderValue::from_static("me");
        let rules = Rules { via: Some(&name), ..RULES };
        let given =
            [("connection", "upgrade, te"), ("upgrade", "x"), ("te", "trailers"), ("via", "1.0 other")];
        let mut head = head("GET", "/", &given, &rules).unwrap();
        assert_eq!(head.upgrade.unwrap(), "x");
        assert_eq!(
            (&head.headers["connection"], &head.headers["upgrade"]),
            (&"upgrade, te".parse().unwrap(), &"x".parse().unwrap())
        );
        let vias: Vec<_> = head.headers.get_all(header::VIA).iter().collect();
        assert_eq!(vias, ["1.0 other", "1.1 me"]);
        of_response(&mut head.headers, Version::HTTP_2, Some(&name));
        assert!(!head.headers.contains_key(header::CONNECTION) && !head.headers.contains_key(header::TE));
        assert_eq!(head.headers.get_all(header::VIA).iter().next_back().unwrap(), "2 me");

        let old = Request::get("/")
            .version(Version::HTTP_10)
            .header("connection", "upgrade")
            .header("upgrade", "x");
        let old = Head::of(&old.body(()).unwrap().into_parts().0, &RULES)
            .unwrap_or_else(|failure| panic!("{failure:?}"));
        assert!(old.upgrade.is_none() && old.headers.keys().eq(["cdn-loop"].iter()));
    }
}
