//! Whom a URL is for, and where a reference in it leads. Pure.

use std::fmt;
use std::net::Ipv6Addr;

use http::Uri;

/// The longest `Location` that is followed, in bytes.
const LONGEST: usize = 16 * 1024;

/// A scheme, a host and a port: requests to the same may share conns and credentials (RFC 9110 section 4.3.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) is_secure: bool,
    /// In lower case, an IPv6 address without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Origin {
    /// The origin of an absolute `http` or `https` URL, or why there is none.
    pub(crate) fn of(uri: &Uri) -> Result<Origin, &'static str> {
        let is_secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) => return Err("the scheme is neither http nor https"),
            None => return Err("an absolute URL is needed, such as http://example.com/"),
        };
        let authority = uri.authority().ok_or("the URL names no host")?;
        if authority.as_str().contains('@') {
            return Err("credentials belong into an Authorization header, not into the URL");
        }
        let host = match authority.host() {
            "" => return Err("the URL names no host"),
            host => match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
                Some(literal) => literal_host(literal)?,
                None if host
                    .chars()
                    .all(|ch| ch.is_ascii_alphanumeric() || matches!(ch, '-' | '.' | '_')) =>
                {
                    host.to_ascii_lowercase()
                }
                None => return Err("the host is no name; beyond ASCII it is written in punycode"),
            },
        };
        let port = match authority.as_str().rsplit_once(':') {
            // The colons of an IPv6 address are no port's.
            Some((_, port)) if !port.contains(']') && !port.is_empty() => {
                port.parse().map_err(|_| "the port is not a number up to 65535")?
            }
            _ if is_secure => 443,
            _ => 80,
        };
        Ok(Origin { is_secure, host, port })
    }

    /// What a dialer takes.
    pub(crate) fn address(&self) -> String {
        landline::join_host_port(&self.host, self.port)
    }

    /// The value of `Host`: without the port where it is the scheme's own, and without a zone, which is ours alone.
    pub(crate) fn authority(&self) -> String {
        let is_default = self.port == if self.is_secure { 443 } else { 80 };
        let host = self.host.split('%').next().unwrap_or_default();
        match (is_default, host.contains(':')) {
            (true, true) => format!("[{host}]"),
            (true, false) => host.to_owned(),
            (false, _) => landline::join_host_port(host, self.port),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.is_secure { "https" } else { "http" }, self.authority())
    }
}

/// What stands between brackets: an IPv6 address, its zone after `%25` (RFC 6874) or `%`.
fn literal_host(literal: &str) -> Result<String, &'static str> {
    let (address, zone) = match literal.split_once('%') {
        Some((address, zone)) => (address, Some(zone.strip_prefix("25").unwrap_or(zone))),
        None => (literal, None),
    };
    let address: Ipv6Addr = address.parse().map_err(|_| "what stands in brackets is no IPv6 address")?;
    match zone {
        None => Ok(address.to_string()),
        Some(zone) if !zone.is_empty() && !zone.contains('%') => Ok(format!("{address}%{zone}")),
        Some(_) => Err("the zone of the address is none"),
    }
}

/// Where a reference leads that was found at `base` (RFC 3986 section 5.2); fragments are dropped.
pub(crate) fn resolve(base: &Uri, reference: &[u8]) -> Result<Uri, &'static str> {
    if reference.len() > LONGEST {
        return Err("the reference is too long");
    }
    let reference = escape(reference);
    let reference = reference.split('#').next().unwrap_or_default();
    let scheme = base.scheme_str().ok_or("the base is no absolute URL")?;
    let authority = base.authority().ok_or("the base is no absolute URL")?;
    let absolute = if has_scheme(reference) {
        reference.to_owned()
    } else if let Some(rest) = reference.strip_prefix("//") {
        format!("{scheme}://{rest}")
    } else {
        let (path, query) =
            reference.split_once('?').map_or((reference, None), |(path, query)| (path, Some(query)));
        let (path, query) = match path {
            "" => (base.path().to_owned(), query.or_else(|| base.query())),
            path if path.starts_with('/') => (without_dots(path), query),
            path => {
                let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
                (without_dots(&format!("{folder}/{path}")), query)
            }
        };
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        format!("{scheme}://{authority}{path}{query}")
    };
    absolute.parse().map_err(|_| "it is no URL")
}

fn has_scheme(reference: &str) -> bool {
    reference.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.chars().all(|ch| ch.is_ascii_alphanumeric() || matches!(ch, '+' | '-' | '.'))
    })
}

/// What servers send that no URL may hold, blanks and bytes beyond ASCII, as escapes.
fn escape(reference: &[u8]) -> String {
    let mut text = String::with_capacity(reference.len());
    for &byte in reference.trim_ascii() {
        match byte {
            0x21..=0x7e => text.push(char::from(byte)),
            byte => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

/// Without `.` and `..` segments (RFC 3986 section 5.2.4); empty ones stay.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    for (index, segment) in segments.iter().enumerate() {
        let is_last = index + 1 == segments.len();
        match *segment {
            "." | ".." => {
                if *segment == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_and_what_is_none() {
        for (url, address, authority) in [
            ("http://Example.com", "example.com:80", "example.com"),
            ("https://example.com/a?b", "example.com:443", "example.com"),
            ("https://example.com:80", "example.com:80", "example.com:80"),
            ("http://[::1]", "[::1]:80", "[::1]"),
            ("http://[::1]:8080/", "[::1]:8080", "[::1]:8080"),
            ("http://[fe80::1%25lo]:8080/", "[fe80::1%lo]:8080", "[fe80::1]:8080"),
            ("http://example.com:/", "example.com:80", "example.com"),
        ] {
            let origin = Origin::of(&url.parse().unwrap()).unwrap();
            assert_eq!((origin.address(), origin.authority()), (address.into(), authority.into()), "{url}");
        }
        for url in [
            "/path",
            "ftp://x/",
            "http://u:p@x/",
            "example.com",
            "http://x:65536/",
            "http://[x]/",
            "http://a,b/",
        ] {
            assert!(Origin::of(&url.parse().unwrap()).is_err(), "{url}");
        }
    }

    /// The examples of RFC 3986 sections 5.4.1 and 5.4.2 that HTTP can have.
    #[test]
    fn references_are_resolved() {
        let base: Uri = "http://a/b/c/d;p?q".parse().unwrap();
        for (reference, expected) in [
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g/"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("#s", "http://a/b/c/d;p?q"),
            ("g?y#s", "http://a/b/c/g?y"),
            (";x", "http://a/b/c/;x"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../..", "http://a/"),
            ("../../../g", "http://a/g"),
            ("/./g", "http://a/g"),
            ("g/./h", "http://a/b/c/g/h"),
            ("g/../h", "http://a/b/c/h"),
            ("https://x:1/y", "https://x:1/y"),
            ("http://[", ""),
            ("g h\u{e9}", "http://a/b/c/g%20h%C3%A9"),
            ("x//y", "http://a/b/c/x//y"),
        ] {
            let resolved =
                resolve(&base, reference.as_bytes()).map(|uri| uri.to_string()).unwrap_or_default();
            assert_eq!(resolved, expected, "{reference}");
        }
    }
}
