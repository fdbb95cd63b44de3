//! A backend as it was named. Pure.

use std::fmt;
use std::net::IpAddr;

use http::header::{self, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, StatusCode, Uri};
use landline::{Addr, ScopedIp};

use super::answer::{Failure, Reason};
use super::head::{Head, Host};
use crate::client::origin::Origin;
use crate::client::route::To;
use crate::client::{Error, Result};

/// A backend: a URL, or a Unix socket.
#[derive(Clone)]
pub(super) struct Backend {
    text: String,
    pub(super) origin: Origin,
    /// Goes in front of each path: empty, or begins with a slash and does not end with one.
    base: String,
    pub(super) place: Place,
}

/// Where a backend is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At the addresses of its host, which is a name.
    Name,
    Known(To),
}

impl Backend {
    pub(super) fn parse(text: &str) -> Result<Backend> {
        let refuse = |reason: &str| Error::invalid(format!("backend {}: {reason}", text.escape_debug()));
        if let Some(path) = text.strip_prefix("unix:") {
            if path.is_empty() || path.contains('\0') {
                return Err(refuse("no path of a socket"));
            }
            let origin = Origin { is_secure: false, host: "localhost".to_owned(), port: 80 };
            let place = Place::Known(To::Unix(path.to_owned()));
            return Ok(Backend { text: text.to_owned(), origin, base: String::new(), place });
        }
        if text.contains('#') {
            return Err(refuse("a fragment is no matter of the server's"));
        }
        let uri: Uri = text.parse().map_err(|error| refuse(&format!("{error}")))?;
        let origin = Origin::of(&uri).map_err(refuse)?;
        if uri.query().is_some() {
            return Err(refuse("a query cannot be joined with that of a request"));
        }
        if climbs(uri.path()) {
            return Err(refuse("the path has dots for segments"));
        }
        let place = match origin.host.parse::<ScopedIp>() {
            Ok(ip) => Place::Known(To::Addr(ip.with_port(origin.port))),
            // Names do not have colons.
            Err(error) if origin.host.contains(':') => return Err(refuse(&error.to_string())),
            Err(_) => Place::Name,
        };
        let base = uri.path().trim_end_matches('/').to_owned();
        Ok(Backend { text: text.to_owned(), origin, base, place })
    }

    /// Whether it is what listens at `local`, as far as can be told without a lookup; `own` are the addresses of this host.
    pub(super) fn is_at(&self, local: &Addr, own: &[IpAddr]) -> bool {
        let (listening, target) = match (local, &self.place) {
            (Addr::Unix(local), Place::Known(To::Unix(path))) => return local.to_string() == *path,
            (Addr::Socket(local), Place::Known(To::Addr(target))) if local.port() == target.port() => {
                (local.ip().to_canonical(), Some(target.ip().to_canonical()))
            }
            (Addr::Socket(local), Place::Name) if local.port() == self.origin.port => {
                (local.ip().to_canonical(), None)
            }
            _ => return false,
        };
        match target {
            // A dial to the unspecified address goes to loopback.
            Some(target) if target.is_loopback() || target.is_unspecified() => {
                listening.is_unspecified()
                    || listening == target
                    || target.is_unspecified() && listening.is_loopback()
            }
            Some(target) => listening == target || listening.is_unspecified() && own.contains(&target),
            // RFC 6761 section 6.3.
            None if is_localhost(&self.origin.host) => listening.is_unspecified() || listening.is_loopback(),
            None => false,
        }
    }

    /// A request for this backend.
    pub(super) fn request(&self, head: &Head, host: Host) -> std::result::Result<Request<()>, Failure> {
        let own = || Authority::try_from(self.origin.authority()).ok();
        let authority = match (host, &head.host) {
            (Host::Keep, Some(host)) => Some(host.clone()),
            (Host::Keep | Host::Rewrite, _) => own(),
        };
        let uri = authority.as_ref().and_then(|authority| self.uri(authority, &head.target));
        let (Some(authority), Some(uri)) = (authority, uri) else {
            let text = "the path cannot be joined with that of the backend";
            return Err(Failure { status: StatusCode::BAD_REQUEST, reason: Reason::RequestError, text });
        };
        let mut request = Request::new(());
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = head.headers.clone();
        if let Ok(value) = HeaderValue::from_str(authority.as_str()) {
            request.headers_mut().insert(header::HOST, value);
        }
        Ok(request)
    }

    fn uri(&self, authority: &Authority, target: &PathAndQuery) -> Option<Uri> {
        let target = if self.base.is_empty() || target.as_str() == "*" {
            target.clone()
        } else if climbs(target.path()) {
            // What is beside the base is not ours to give.
            return None;
        } else {
            PathAndQuery::try_from(format!("{}{target}", self.base)).ok()?
        };
        let scheme = if self.origin.is_secure { Scheme::HTTPS } else { Scheme::HTTP };
        Uri::builder().scheme(scheme).authority(authority.clone()).path_and_query(target).build().ok()
    }
}

/// Whether a name is one of this host's by definition.
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// Whether a path has segments that mean another place (RFC 3986 section 3.3), escaped or not.
fn climbs(path: &str) -> bool {
    path.split(['/', '\\']).any(|segment| {
        let plain = segment.replace("%2e", ".").replace("%2E", ".");
        plain == "." || plain == ".."
    })
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Forwarding;
    use super::super::head::Rules;
    use super::*;

    #[test]
    fn urls_and_what_is_none() {
        for (url, place) in [
            ("http://example.com", Place::Name),
            ("http://192.0.2.1:8080/a/", Place::Known(To::Addr("192.0.2.1:8080".parse().unwrap()))),
            ("https://[2001:db8::1]", Place::Known(To::Addr("[2001:db8::1]:443".parse().unwrap()))),
            ("unix:/run/app", Place::Known(To::Unix("/run/app".into()))),
            ("unix:@app", Place::Known(To::Unix("@app".into()))),
        ] {
            assert_eq!(Backend::parse(url).unwrap().place, place, "{url}");
        }
        for url in [
            "",
            "/",
            "example.com",
            "ftp://a",
            "http://a?b",
            "http://a/#b",
            "http://a/../b",
            "unix:",
            "http://u:p@a",
        ] {
            let error = Backend::parse(url).unwrap_err();
            assert!(
                error.is_invalid() && error.to_string().starts_with(&format!("backend {url}: ")),
                "{error}"
            );
        }
    }

    #[test]
    fn who_asks_itself() {
        let own = ["127.0.0.1", "::1", "192.0.2.7"].map(|ip| ip.parse::<IpAddr>().unwrap());
        for (url, local, is) in [
            ("http://127.0.0.1:80", "127.0.0.1:80", true),
            ("https://127.0.0.1:80/x", "127.0.0.1:80", true),
            ("http://127.0.0.1:81", "127.0.0.1:80", false),
            ("http://127.0.0.1:80", "192.0.2.7:80", false),
            ("http://127.0.0.1:80", "127.0.0.2:80", false),
            ("http://127.0.0.1:80", "0.0.0.0:80", true),
            ("http://127.0.0.1:80", "[::]:80", true),
            ("http://[::ffff:127.0.0.1]:80", "127.0.0.1:80", true),
            ("http://[::1]:80", "[::1]:80", true),
            ("http://[::1]:80", "127.0.0.1:80", false),
            ("http://0.0.0.0:80", "127.0.0.1:80", true),
            ("http://0.0.0.0:80", "192.0.2.7:80", false),
            ("http://192.0.2.7:80", "192.0.2.7:80", true),
            ("http://192.0.2.7:80", "0.0.0.0:80", true),
            ("http://192.0.2.8:80", "0.0.0.0:80", false),
            ("http://localhost:80", "127.0.0.1:80", true),
            ("http://LocalHost.:80", "[::1]:80", true),
            ("http://app.localhost:80", "0.0.0.0:80", true),
            ("http://localhost:80", "192.0.2.7:80", false),
            ("http://localhost:81", "127.0.0.1:80", false),
            ("http://localhost.example:80", "127.0.0.1:80", false),
            ("unix:/run/x", "127.0.0.1:80", false),
        ] {
            let local = Addr::Socket(local.parse().unwrap());
            assert_eq!(Backend::parse(url).unwrap().is_at(&local, &own), is, "{url} {local}");
        }
        for (url, is) in [("unix:/run/x", true), ("unix:/run/y", false), ("http://127.0.0.1:80", false)] {
            let local = Addr::Unix(landline::UnixAddr::Path("/run/x".into()));
            assert_eq!(Backend::parse(url).unwrap().is_at(&local, &own), is, "{url}");
        }
    }

    #[test]
    fn where_requests_go() {
        for (backend, host, target, expected) in [
            ("http://b:81", Host::Keep, "/x?y", Some(("http://a:1/x?y", "a:1"))),
            ("http://b:81", Host::Rewrite, "/x", Some(("http://b:81/x", "b:81"))),
            ("https://b/", Host::Rewrite, "/../x", Some(("https://b/../x", "b"))),
            ("http://b/v2/", Host::Rewrite, "/x?../y", Some(("http://b/v2/x?../y", "b"))),
            ("http://b/v2", Host::Rewrite, "/", Some(("http://b/v2/", "b"))),
            ("http://b/v2", Host::Rewrite, "/a/%2e%2E/x", None),
            ("http://b/v2", Host::Rewrite, "/..", None),
            ("unix:/x", Host::Rewrite, "/", Some(("http://localhost/", "localhost"))),
        ] {
            let parts = Request::get(target).header("host", "a:1").body(()).unwrap().into_parts().0;
            let own = HeaderValue::from_static("own");
            let rules =
                Rules { forwarding: Forwarding::Remove, is_secure: false, via: None, pseudonym: &own };
            let head = Head::of(&parts, &rules).unwrap_or_else(|failure| panic!("{failure:?}"));
            let request = Backend::parse(backend).unwrap().request(&head, host).ok();
            let found = request.map(|request| (request.uri().to_string(), request.headers()["host"].clone()));
            let found = found.as_ref().map(|(uri, host)| (uri.as_str(), host.to_str().unwrap()));
            assert_eq!(found, expected, "{backend} {target}");
        }
    }
}
