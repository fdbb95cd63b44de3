//! What must hold of every parser of outside data, whatever it is given. The fuzzer calls these functions with inputs
//! of its own finding (`fuzz/`), and a test here calls them with the seeds and a few thousand variations.
//!
//! Not part of the API: it is only there when testing or fuzzing.

#![allow(missing_docs)] // Each is named after what it parses.

use std::time::UNIX_EPOCH;

use http::header::{
    ACCEPT_ENCODING, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, SET_COOKIE,
};
use http::{HeaderMap, HeaderValue, Method, Uri};

use crate::client::Cookies;
use crate::client::origin::{Origin, resolve};
use crate::files::{Place, Selection, Validators, Verdict, accepted, escape, evaluate, select};
use crate::mux::{Pattern, Route, ServeMux};

/// Takes any input, and panics where something does not hold.
pub type Target = fn(&[u8]);

/// All of them by name, which is also that of the fuzz target and of the folder of its seeds.
pub const TARGETS: &[(&str, Target)] = &[
    ("cookie", cookie),
    ("cookie_file", cookie_file),
    ("head", head),
    ("location", location),
    ("mux", mux),
    ("range", range),
    ("reverse_proxy", reverse_proxy),
];

/// The input is what a client sends first.
pub fn head(data: &[u8]) {
    crate::server::fuzz_head(data);
}

/// The input is a list of lines: `Set-Cookie` headers, each of which both a secure and a plain host send.
pub fn cookie(data: &[u8]) {
    let (secure, plain): (Uri, Uri) =
        (Uri::from_static("https://www.example.com/a/b"), Uri::from_static("http://evil.com/"));
    let cookies = Cookies::new();
    let mut count = 0;
    for line in data.split(|&byte| byte == b'\n').take(64) {
        let Ok(value) = HeaderValue::from_bytes(line) else { continue };
        let headers = HeaderMap::from_iter([(SET_COOKIE, value)]);
        cookies.store(&secure, &headers);
        cookies.store(&plain, &headers);
        count += 2;
    }
    assert!(cookies.len() <= count);
    for uri in [&secure, &plain] {
        if let Some(header) = cookies.header(uri) {
            assert!(header.as_bytes().len() <= 64 * (4096 + 3));
        }
    }
    // Neither can set anything for a third.
    assert_eq!(cookies.header(&Uri::from_static("https://example.org/")), None);
    assert_eq!(cookies.header(&Uri::from_static("https://another.com/a/b")), None);
}

/// The input is a file of cookies.
pub fn cookie_file(data: &[u8]) {
    if let Ok(cookies) = Cookies::from_netscape(data) {
        let text = cookies.to_netscape();
        let again = Cookies::from_netscape(&text).unwrap_or_else(|error| panic!("{error}"));
        assert!(again.len() <= cookies.len());
        assert_eq!(again.to_netscape(), text);
        assert_eq!(cookies.header(&Uri::from_static("http://another.example.org/")), None);
    }
}

/// The input is the value of a `Location`.
pub fn location(data: &[u8]) {
    let base = Uri::from_static("https://www.example.com/a/b?c");
    if let Ok(uri) = resolve(&base, data)
        && let Ok(origin) = Origin::of(&uri)
    {
        assert_eq!(resolve(&base, uri.to_string().as_bytes()).as_ref(), Ok(&uri));
        assert!(!origin.host.is_empty());
        let again = origin.to_string().parse::<Uri>().ok().and_then(|uri| Origin::of(&uri).ok());
        assert!(again.as_ref() == Some(&origin) || origin.host.contains('%'), "{origin:?} {again:?}");
    }
}

/// The input is the head of a request: a target, then headers.
pub fn reverse_proxy(data: &[u8]) {
    crate::reverse_proxy::fuzzing::head(data);
}

/// The input is a list of lines: patterns, an empty line, then requests, each a method, a host and a target.
pub fn mux(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (patterns, requests) = text.split_once("\n\n").unwrap_or((&text, ""));
    let mut mux = ServeMux::new();
    let mut backwards = Vec::new();
    for pattern in patterns.split('\n').take(64) {
        match mux.handle(pattern, pattern) {
            Ok(()) => backwards.push(pattern),
            Err(error) => {
                assert_eq!(error.pattern(), pattern);
                assert!(error.conflicts_with().is_none_or(|other| backwards.contains(&other)));
            }
        }
    }
    // No order of registration changes what conflicts, or who gets a request.
    let mut other = ServeMux::new();
    for pattern in backwards.iter().rev() {
        other.handle(pattern, *pattern).expect("it did not conflict before");
    }
    for request in requests.split('\n').take(64) {
        let mut words = request.splitn(3, ' ');
        let (Some(method), Some(host), Some(target)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        let Ok(method) = method.parse::<Method>() else { continue };
        let (path, query) =
            target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let route = mux.route(&method, host, path, query);
        assert_eq!(route, other.route(&method, host, path, query));
        match route {
            Route::Found { pattern, values, .. } => {
                let names: Vec<&str> = values.iter().map(|(name, _)| name).collect();
                assert_eq!(names, pattern.names().collect::<Vec<_>>());
                assert_eq!(pattern.as_str().parse().as_ref(), Ok::<&Pattern, _>(pattern));
            }
            // A redirect leads to a place from where none leads on.
            Route::Redirect { location } => {
                assert!(location.starts_with('/') || method == Method::CONNECT, "{location}");
                assert!(!location.starts_with("//") || method == Method::CONNECT, "{location}");
                let path = location.split_once('?').map_or(&*location, |(path, _)| path);
                assert!(
                    !matches!(mux.route(&method, host, path, None), Route::Redirect { .. }),
                    "{location}"
                );
            }
            Route::MethodNotAllowed { allow } => assert!(!allow.is_empty()),
            Route::NotFound => {}
        }
    }
}

/// The input is a list of lines, all that a file server reads of a request: a `Range` and the length of the file, the path,
/// `Accept-Encoding`, and the conditions.
pub fn range(data: &[u8]) {
    let mut lines = data.split(|&byte| byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (value, length) = (line(), line());
    let length: u64 =
        std::str::from_utf8(length).ok().and_then(|length| length.parse().ok()).unwrap_or(10_000);
    if let Selection::Parts(parts) = select(value, length) {
        assert!((1..=100).contains(&parts.len()));
        assert!(parts.iter().all(|part| part.start < part.end && part.end <= length), "{parts:?}");
        assert!(parts.iter().map(|part| u128::from(part.end - part.start)).sum::<u128>() <= length.into());
        // Written anew, they select the same.
        let ranges: Vec<String> =
            parts.iter().map(|part| format!("{}-{}", part.start, part.end - 1)).collect();
        let again = select(format!("bytes={}", ranges.join(", ")).as_bytes(), length);
        assert_eq!(again, Selection::Parts(parts));
    }
    let path = String::from_utf8_lossy(line());
    if let Ok(place) = Place::locate(&path, false) {
        let relative = place.relative();
        let segments: Vec<&[u8]> = relative.split(|&byte| byte == b'/').collect();
        assert!(!relative.contains(&0) && relative.len() <= 4096);
        assert!(place.is_root() || segments.iter().all(|segment| !matches!(*segment, b"" | b"." | b"..")));
        // The same place, by a path that is clean.
        let clean: String = segments.iter().map(|segment| format!("/{}", escape(segment))).collect();
        assert_eq!(Place::locate(&clean, false).map(|place| place.relative()), Ok(relative));
    }
    let mut headers = HeaderMap::new();
    for name in [ACCEPT_ENCODING, IF_MATCH, IF_NONE_MATCH, IF_RANGE, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE] {
        if let Ok(value) = HeaderValue::from_bytes(line()) {
            headers.append(name, value);
        }
    }
    assert!(accepted(&headers).len() <= 3);
    let current = Validators { tag: "\"a,b\"".to_owned(), modified: Some(UNIX_EPOCH) };
    let verdict = evaluate(&Method::HEAD, &headers, &current, UNIX_EPOCH);
    assert_ne!(verdict, Verdict::Proceed { with_range: true });
}

#[cfg(test)]
#[path = "../../landline/src/fuzzing/mutate.rs"]
mod mutate;
