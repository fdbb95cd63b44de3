//! What a redirect leads to, and what may be taken along. Pure.

use http::header::{self, HeaderName};
use http::{HeaderMap, Method, StatusCode, Uri};

use super::origin::{Origin, resolve};

/// A request that follows from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Next {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    /// The body goes along, and the headers that describe it.
    pub(crate) keeps_body: bool,
    /// The same scheme, host and port: credentials go along.
    pub(crate) keeps_credentials: bool,
}

/// What the caller may have given to prove who it is.
const CREDENTIALS: &[HeaderName] = &[header::AUTHORIZATION, header::COOKIE, header::PROXY_AUTHORIZATION];

/// What says something of the body.
const BODY: &[HeaderName] = &[
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LOCATION,
    header::TRANSFER_ENCODING,
    header::EXPECT,
];

/// The request that a response asks for (RFC 9110 section 15.4); `None` where it asks for none.
///
/// 301 and 302 make a GET of a POST, as all clients do; 303 makes one of everything but HEAD; 307 and 308 change nothing.
/// An error says why the place cannot be gone to.
pub(crate) fn next(
    status: StatusCode,
    method: &Method,
    from: &Uri,
    headers: &HeaderMap,
) -> Option<Result<Next, &'static str>> {
    let becomes_get = match status.as_u16() {
        301 | 302 => method == Method::POST,
        303 => method != Method::HEAD && method != Method::GET,
        307 | 308 => false,
        _ => return None,
    };
    let location = headers.get(header::LOCATION)?;
    let next = resolve(from, location.as_bytes()).and_then(|uri| {
        let origin = Origin::of(&uri)?;
        Ok(Next {
            method: if becomes_get { Method::GET } else { method.clone() },
            keeps_body: !becomes_get,
            keeps_credentials: Origin::of(from) == Ok(origin),
            uri,
        })
    });
    Some(next)
}

impl Next {
    /// Takes out of the headers what may not go along.
    pub(crate) fn prune(&self, headers: &mut HeaderMap) {
        headers.remove(header::HOST);
        let credentials = CREDENTIALS.iter().filter(|_| !self.keeps_credentials);
        for name in credentials.chain(BODY.iter().filter(|_| !self.keeps_body)) {
            headers.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(status: u16, method: &Method, from: &str, to: &str) -> Option<Result<Next, &'static str>> {
        let headers = HeaderMap::from_iter([(header::LOCATION, to.parse().unwrap())]);
        next(StatusCode::from_u16(status).unwrap(), method, &from.parse().unwrap(), &headers)
    }

    #[test]
    fn methods_and_bodies() {
        for (status, method, then, keeps_body) in [
            (301, Method::POST, Method::GET, false),
            (302, Method::POST, Method::GET, false),
            (302, Method::PUT, Method::PUT, true),
            (303, Method::PUT, Method::GET, false),
            (303, Method::HEAD, Method::HEAD, true),
            (307, Method::POST, Method::POST, true),
            (308, Method::DELETE, Method::DELETE, true),
        ] {
            let next = follow(status, &method, "http://a/", "/b").unwrap().unwrap();
            assert_eq!((next.method, next.keeps_body), (then, keeps_body), "{status}");
        }
        for status in [200, 300, 304, 305, 306, 404] {
            assert_eq!(follow(status, &Method::GET, "http://a/", "/b"), None);
        }
        assert_eq!(
            next(StatusCode::FOUND, &Method::GET, &"http://a/".parse().unwrap(), &HeaderMap::new()),
            None
        );
    }

    #[test]
    fn credentials_stay_with_their_origin() {
        for (from, to, keeps) in [
            ("http://a/", "/b", true),
            ("http://a/", "http://a:80/b", true),
            ("http://a/", "http://A/b", true),
            ("http://a/", "http://b.a/", false),
            ("http://a/", "http://a:81/", false),
            ("http://a/", "//b/", false),
            ("https://a/", "http://a/", false),
            ("https://a/", "http://a:443/", false),
            ("http://a/", "https://a/", false),
        ] {
            let next = follow(302, &Method::GET, from, to).unwrap().unwrap();
            assert_eq!(next.keeps_credentials, keeps, "{from} {to}");
            let mut headers = HeaderMap::new();
            for name in CREDENTIALS.iter().chain(&[header::HOST, header::ACCEPT]) {
                headers.insert(name, "x".parse().unwrap());
            }
            next.prune(&mut headers);
            assert!(!headers.contains_key(header::HOST) && headers.contains_key(header::ACCEPT));
            assert!(CREDENTIALS.iter().all(|name| headers.contains_key(name) == keeps));
        }
    }

    #[test]
    fn places_that_cannot_be_gone_to() {
        for to in ["ftp://a/", "http://u:p@a/", "http:///", "javascript:x"] {
            assert!(follow(302, &Method::GET, "http://a/", to).unwrap().is_err(), "{to}");
        }
    }
}
