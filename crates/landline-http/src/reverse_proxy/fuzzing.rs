//! What must hold of every head that a client sends.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Uri};

use super::backend::Backend;
use super::forwarded::Forwarding;
use super::head::{self, Head, Host, Rules};

/// The input is a list of lines: a method, a target, then headers.
pub(crate) fn head(data: &[u8]) {
    let mut lines = data.split(|&byte| byte == b'\n').take(64);
    let Some(method) = lines.next().and_then(|method| Method::from_bytes(method).ok()) else { return };
    let Some(target) = lines.next().and_then(|target| Uri::try_from(target).ok()) else { return };
    let mut request = Request::new(());
    (*request.method_mut(), *request.uri_mut()) = (method, target);
    for line in lines {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { continue };
        let name = HeaderName::from_bytes(&line[..colon]);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii())) {
            request.headers_mut().append(name, value);
        }
    }
    let parts = request.into_parts().0;
    for forwarding in [Forwarding::Replace, Forwarding::Append, Forwarding::Remove] {
        let via = HeaderValue::from_static("me");
        let own = HeaderValue::from_static("own");
        let rules = Rules { forwarding, is_secure: true, via: Some(&via), pseudonym: &own };
        let Ok(head) = Head::of(&parts, &rules) else { continue };
        assert_eq!(head.headers.get_all("cdn-loop").iter().next_back(), Some(&own));
        check(&head.headers, head.upgrade.is_some());
        for name in ["forwarded", "x-forwarded-for", "x-forwarded-proto"] {
            let count = head.headers.get_all(name).iter().count();
            assert!(count <= 1 || forwarding == Forwarding::Append, "{name} {count} times");
            assert_eq!(count > 0, forwarding != Forwarding::Remove, "{name}");
        }
        let backend = Backend::parse("http://backend.example/base").unwrap_or_else(|error| panic!("{error}"));
        for host in [Host::Keep, Host::Rewrite] {
            let Ok(request) = backend.request(&head, host) else { continue };
            let path = request.uri().path();
            assert!(path.starts_with("/base/") || path == "*", "{path}");
            assert_eq!(request.headers().get_all(header::HOST).iter().count(), 1);
        }
    }
    let mut headers = parts.headers;
    head::of_response(&mut headers, parts.version, None);
    check(&headers, false);
    assert!(!headers.contains_key(header::TE));
}

/// Nothing is left of the conn that it came by but what is said anew.
fn check(headers: &HeaderMap, is_upgrade: bool) {
    for name in ["keep-alive", "proxy-connection", "transfer-encoding", "proxy-authorization"] {
        assert!(!headers.contains_key(name), "{name}");
    }
    assert_eq!(headers.contains_key(header::UPGRADE), is_upgrade);
    let connection = headers.get(header::CONNECTION).map_or(&b""[..], HeaderValue::as_bytes);
    let expected: &[u8] = match (is_upgrade, headers.contains_key(header::TE)) {
        (true, true) => b"upgrade, te",
        (true, false) => b"upgrade",
        (false, true) => b"te",
        (false, false) => b"",
    };
    assert_eq!(connection, expected);
    assert!(headers.get(header::TE).is_none_or(|te| te == "trailers"));
}
