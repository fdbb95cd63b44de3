//! From a request to its handler, by patterns as Go has them since 1.22.
//!
//! Of the patterns that match a request, the most specific has it: the one all of whose requests the others match too.
//! Two patterns of which neither is the more specific conflict, and the second is refused when it is registered, so
//! their order never matters.

mod path;
mod pattern;
mod relation;
mod tree;

#[cfg(test)]
mod go;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::fmt;

use http::Method;

pub(crate) use path::has_whole_escapes;
pub use pattern::{Pattern, PatternError};

use path::{clean, unescape};
use pattern::{End, Segment};
use tree::{Match, Tree};

/// How deep a request's path may be, in segments; a deeper one matches nothing.
const DEEPEST: usize = 1024;

/// Handlers by the patterns of the requests that they are for.
///
/// It only decides: [`ServeMux::route`] says what is to be done about a request, whatever a handler is. A request whose
/// path has empty or dot segments is redirected to the clean one; `/a` to `/a/` if that alone matches; a request whose
/// path, but not its method, is known is answered with 405 and the methods that are.
///
/// Hosts match in any case, unlike in Go. Registering takes time in the number of patterns of the same host; routing
/// does not.
///
/// ```
/// use http::Method;
/// use landline_http::mux::{Route, ServeMux};
///
/// let mut mux = ServeMux::new();
/// mux.handle("GET /items/{id}", "one item")?;
/// mux.handle("/items/", "the rest")?;
///
/// let Route::Found { handler, values, .. } = mux.route(&Method::GET, "example.com", "/items/7", None) else { panic!() };
/// assert_eq!((*handler, values.get("id")), ("one item", Some("7")));
///
/// let error = mux.handle("/items/{name}", "another").and(mux.handle("GET /{any}/7", "which?")).unwrap_err();
/// assert_eq!(error.conflicts_with(), Some("GET /items/{id}"));
/// # Ok::<(), landline_http::mux::PatternError>(())
/// ```
#[derive(Clone)]
pub struct ServeMux<H> {
    routes: Vec<(Pattern, H)>,
    /// The routes of each host, and of none, which is "".
    hosts: HashMap<Box<str>, Tree>,
}

/// What is to be done about a request.
#[derive(Debug, PartialEq)]
#[non_exhaustive]
pub enum Route<'a, H> {
    /// The handler is to have it.
    Found {
        /// The handler.
        handler: &'a H,
        /// The pattern that it was registered with.
        pattern: &'a Pattern,
        /// What the wildcards of the pattern matched.
        values: PathValues<'a>,
    },
    /// 307 (Temporary Redirect, RFC 9110 section 15.4.8) to this place on the same host, the query with it.
    Redirect {
        /// The value of `Location`.
        location: String,
    },
    /// 405 (Method Not Allowed, RFC 9110 section 15.5.6).
    MethodNotAllowed {
        /// The value of `Allow`: the methods that are, in alphabetical order, with commas.
        allow: String,
    },
    /// 404 (Not Found).
    NotFound,
}

/// What the wildcards of a pattern matched, from left to right, without escapes.
///
/// A value came from outside: one of a single segment may hold slashes that were escaped, or be `..`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathValues<'a>(Vec<(&'a str, String)>);

impl<H> ServeMux<H> {
    /// One without patterns, which finds nothing.
    pub fn new() -> ServeMux<H> {
        ServeMux { routes: Vec::new(), hosts: HashMap::new() }
    }

    /// Registers a handler.
    ///
    /// # Errors
    /// If the pattern is none, or conflicts with one registered before; the error names both. Then nothing changes.
    pub fn handle(&mut self, pattern: &str, handler: H) -> Result<(), PatternError> {
        let pattern: Pattern = pattern.parse()?;
        for (known, _) in &self.routes {
            if let Some(example) = relation::conflict(&pattern, known) {
                return Err(PatternError::conflict(&pattern, known, example));
            }
        }
        let tree = self.hosts.entry(pattern.host().unwrap_or_default().into()).or_default();
        tree.insert(&pattern, self.routes.len());
        self.routes.push((pattern, handler));
        Ok(())
    }

    /// Decides about a request: its method, its host with or without a port, its path as it came, with escapes, and its
    /// query.
    ///
    /// The path of CONNECT is not cleaned, and its host is matched with its port.
    pub fn route(&self, method: &Method, host: &str, path: &str, query: Option<&str>) -> Route<'_, H> {
        let is_connect = method == Method::CONNECT;
        let redirect = |path: &str| Route::Redirect {
            location: query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}")),
        };
        let host = if is_connect { host } else { without_port(host) };
        let host = host.to_ascii_lowercase();
        let clean = if is_connect { Cow::Borrowed(path) } else { clean(path) };
        if clean.bytes().filter(|&byte| byte == b'/').count() > DEEPEST {
            return Route::NotFound;
        }
        let found = self.find(method, &host, &clean);
        if found.is_none_or(|found| found.is_loose) && !clean.ends_with('/') {
            let slashed = format!("{clean}/");
            if self.find(method, &host, &slashed).is_some_and(|found| !found.is_loose) {
                return redirect(&slashed);
            }
        }
        if clean != path {
            return redirect(&clean);
        }
        if let Some((pattern, handler)) = found.and_then(|found| self.routes.get(found.pattern)) {
            return Route::Found { handler, pattern, values: values(pattern, path) };
        }
        match self.allowed(&host, &clean) {
            methods if methods.is_empty() => Route::NotFound,
            methods => Route::MethodNotAllowed { allow: methods.into_iter().collect::<Vec<_>>().join(", ") },
        }
    }

    /// The patterns, in the order in which they were registered.
    pub fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        self.routes.iter().map(|(pattern, _)| pattern)
    }

    /// The trees that a host's requests are looked up in, the first first.
    fn trees(&self, host: &str) -> impl Iterator<Item = &Tree> {
        let own = if host.is_empty() { None } else { self.hosts.get(host) };
        own.into_iter().chain(self.hosts.get(""))
    }

    fn find(&self, method: &Method, host: &str, path: &str) -> Option<Match> {
        self.trees(host).find_map(|tree| tree.find(method, path))
    }

    /// The methods for which the path, or the path with a slash, is known.
    fn allowed(&self, host: &str, path: &str) -> BTreeSet<String> {
        let mut methods = BTreeSet::new();
        for tree in self.trees(host) {
            tree.methods(path, &mut methods);
            if !path.ends_with('/') {
                tree.methods(&format!("{path}/"), &mut methods);
            }
        }
        methods
    }
}

impl<H> Default for ServeMux<H> {
    fn default() -> ServeMux<H> {
        ServeMux::new()
    }
}

impl<H> fmt::Debug for ServeMux<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.patterns().map(Pattern::as_str)).finish()
    }
}

impl PathValues<'_> {
    /// The value of the wildcard of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Names and values, from left to right.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }
}

/// What the wildcards of a pattern matched in a path that it does match.
fn values<'a>(pattern: &'a Pattern, path: &str) -> PathValues<'a> {
    let mut values = Vec::new();
    let mut left = path.strip_prefix('/').unwrap_or(path);
    for segment in &pattern.segments {
        let (matched, rest) = left.split_once('/').unwrap_or((left, ""));
        if let Segment::Wildcard(name) = segment {
            values.push((&**name, unescape(matched).into_owned()));
        }
        left = rest;
    }
    if let End::Rest(Some(name)) = &pattern.end {
        values.push((&**name, unescape(left).into_owned()));
    }
    PathValues(values)
}

/// The host without its port; an IPv6 address keeps its brackets.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    }
}
