//! Patterns: what they look like, and what is wrong with those that look otherwise. Pure.

use std::fmt;
use std::str::FromStr;

use http::Method;

use super::path::{clean, unescape};

/// The longest pattern that is read, in bytes. Requests are not bounded by it.
const LONGEST: usize = 8 * 1024;

/// Which requests a handler is for: `[METHOD ][HOST]/PATH`, as in `GET example.com/items/{id}`.
///
/// | part | matches |
/// |---|---|
/// | `GET ` | that method, and HEAD too; another names itself alone; without one, all |
/// | `example.com` | that host, in any case and at any port; without one, all |
/// | `/items` | that segment, escapes aside |
/// | `/{id}` | any one segment that is not empty, as the value `id` |
/// | `/{rest...}` | all that is left, slashes too, as the value `rest`; only at the end |
/// | `/` at the end | all that is left, without a name |
/// | `/{$}` at the end | nothing more after that slash |
///
/// ```
/// use landline_http::mux::Pattern;
///
/// let pattern: Pattern = "GET example.com/items/{id}".parse().unwrap();
/// assert_eq!(pattern.host(), Some("example.com"));
/// assert!("/items/{id".parse::<Pattern>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: Box<str>,
    method: Option<Method>,
    host: Option<Box<str>>,
    pub(super) segments: Vec<Segment>,
    pub(super) end: End,
}

/// One segment of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// This text, without escapes.
    Literal(Box<str>),
    /// Anything, under this name.
    Wildcard(Box<str>),
}

/// What comes after the segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing.
    Exact,
    /// One slash: `/{$}`.
    Slash,
    /// A slash and anything, under a name if there is one.
    Rest(Option<Box<str>>),
}

impl Pattern {
    /// The method; `None` for all.
    pub fn method(&self) -> Option<&Method> {
        self.method.as_ref()
    }

    /// The host in lower case; `None` for all.
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// The pattern as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The names of its wildcards, from left to right.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let rest = match &self.end {
            End::Rest(name) => name.as_deref(),
            End::Exact | End::Slash => None,
        };
        let names = self.segments.iter().filter_map(|segment| match segment {
            Segment::Wildcard(name) => Some(&**name),
            Segment::Literal(_) => None,
        });
        names.chain(rest)
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Pattern, PatternError> {
        parse(text).map_err(|reason| PatternError { pattern: text.to_owned(), reason })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn parse(text: &str) -> Result<Pattern, Reason> {
    if text.len() > LONGEST {
        return Err(Reason::TooLong);
    }
    let (method, rest) = match text.split_once([' ', '\t']) {
        Some((method, rest)) => (method, rest.trim_start_matches([' ', '\t'])),
        None => ("", text),
    };
    let method = match method {
        "" => None,
        method => Some(Method::from_bytes(method.as_bytes()).map_err(|_| Reason::Method)?),
    };
    let slash = rest.find('/').ok_or(Reason::NoPath)?;
    let (host, path) = rest.split_at(slash);
    if host.contains(['{', '}']) {
        return Err(Reason::Host);
    }
    // CONNECT alone may have such a path: all other requests are cleaned before they are matched.
    if method.as_ref().is_some_and(|method| *method != Method::CONNECT) && clean(path) != path {
        return Err(Reason::Unclean);
    }
    let (segments, end) = parse_path(path)?;
    Ok(Pattern {
        text: text.into(),
        method,
        host: (!host.is_empty()).then(|| host.to_ascii_lowercase().into()),
        segments,
        end,
    })
}

fn parse_path(path: &str) -> Result<(Vec<Segment>, End), Reason> {
    let mut segments = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    // It begins with a slash, before which there is nothing.
    let mut parts = path.split('/').skip(1).peekable();
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        if part.is_empty() && is_last {
            return Ok((segments, End::Rest(None)));
        }
        if !part.contains('{') {
            segments.push(Segment::Literal(unescape(part).into()));
            continue;
        }
        let inner = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')).ok_or(Reason::Braces)?;
        if inner == "$" {
            return if is_last { Ok((segments, End::Slash)) } else { Err(Reason::NotAtEnd("{$}")) };
        }
        let (name, is_rest) = inner.strip_suffix("...").map_or((inner, false), |name| (name, true));
        if is_rest && !is_last {
            return Err(Reason::NotAtEnd("{...}"));
        }
        if !is_name(name) {
            return Err(Reason::Name(name.to_owned()));
        }
        if names.contains(&name) {
            return Err(Reason::Twice(name.to_owned()));
        }
        names.push(name);
        if is_rest {
            return Ok((segments, End::Rest(Some(name.into()))));
        }
        segments.push(Segment::Wildcard(name.into()));
    }
    Ok((segments, End::Exact))
}

/// A name as programs have them.
fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|first| first == '_' || first.is_alphabetic())
        && chars.all(|ch| ch == '_' || ch.is_alphanumeric())
}

/// Why a pattern was refused; names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    pattern: String,
    reason: Reason,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Reason {
    TooLong,
    Method,
    NoPath,
    Host,
    Unclean,
    Braces,
    NotAtEnd(&'static str),
    Name(String),
    Twice(String),
    Conflict { with: String, example: String },
}

impl PatternError {
    pub(super) fn conflict(pattern: &Pattern, with: &Pattern, example: String) -> PatternError {
        let reason = Reason::Conflict { with: with.text.to_string(), example };
        PatternError { pattern: pattern.text.to_string(), reason }
    }

    /// The pattern, as it was given.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// The pattern registered before, if it is that which stands in the way.
    pub fn conflicts_with(&self) -> Option<&str> {
        match &self.reason {
            Reason::Conflict { with, .. } => Some(with),
            _ => None,
        }
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = self.pattern.chars().take(200).collect();
        write!(f, "pattern {shown:?}")?;
        match &self.reason {
            Reason::TooLong => write!(f, ": longer than {LONGEST} bytes"),
            Reason::Method => f.write_str(": what stands before the space is no method"),
            Reason::NoPath => f.write_str(": there is no path; it begins with a slash"),
            Reason::Host => f.write_str(": a host has no braces; a path begins with a slash"),
            Reason::Unclean => f.write_str(": the path has empty or dot segments, which no request has"),
            Reason::Braces => f.write_str(": a wildcard fills a whole segment, as in /{name}/"),
            Reason::NotAtEnd(what) => write!(f, ": {what} stands at the end alone"),
            Reason::Name(name) => write!(f, ": {name:?} is no name for a wildcard"),
            Reason::Twice(name) => write!(f, ": there are two wildcards {name}"),
            Reason::Conflict { with, example } => {
                write!(f, " conflicts with {with:?}: both match {example}, and neither is the more specific")
            }
        }
    }
}

impl std::error::Error for PatternError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_name_the_pattern_and_the_reason() {
        for (pattern, expected) in [
            ("", "there is no path; it begins with a slash"),
            ("GET", "there is no path; it begins with a slash"),
            ("G(T /", "what stands before the space is no method"),
            ("{x}/", "a host has no braces; a path begins with a slash"),
            ("GET /a//b", "the path has empty or dot segments, which no request has"),
            ("/a{x}", "a wildcard fills a whole segment, as in /{name}/"),
            ("/{x", "a wildcard fills a whole segment, as in /{name}/"),
            ("/{$}/a", "{$} stands at the end alone"),
            ("/{x...}/a", "{...} stands at the end alone"),
            ("/{}", "\"\" is no name for a wildcard"),
            ("/{1x}", "\"1x\" is no name for a wildcard"),
            ("/{x}/{x...}", "there are two wildcards x"),
        ] {
            let error = pattern.parse::<Pattern>().unwrap_err();
            assert_eq!(error.to_string(), format!("pattern {pattern:?}: {expected}"));
            assert_eq!(error.pattern(), pattern);
        }
        let long = format!("/{}", "x".repeat(LONGEST));
        assert!(long.parse::<Pattern>().unwrap_err().to_string().len() < 300);
    }

    #[test]
    fn parts_are_read() {
        let pattern: Pattern = "POST Example.com/a%2Fb/{x}/{rest...}".parse().unwrap();
        assert_eq!(pattern.method(), Some(&Method::POST));
        assert_eq!(pattern.host(), Some("example.com"));
        assert_eq!(pattern.names().collect::<Vec<_>>(), ["x", "rest"]);
        assert_eq!(pattern.segments[0], Segment::Literal("a/b".into()));
    }
}
