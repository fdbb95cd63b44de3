//! Conditional requests, in the order of RFC 9110 section 13.2.2. Pure.

use std::time::{Duration, SystemTime};

use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE};
use http::{HeaderMap, HeaderName, Method};

/// What tells one state of a file from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Validators {
    /// A strong entity tag, with its quotes.
    pub(crate) tag: String,
    /// In whole seconds; none for files without a time.
    pub(crate) modified: Option<SystemTime>,
}

/// What the conditions of a request come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is to be done.
    Proceed {
        /// A `Range` counts.
        with_range: bool,
    },
    /// 304.
    NotModified,
    /// 412.
    Failed,
}

/// Evaluates the conditions of a GET or HEAD.
pub(crate) fn evaluate(
    method: &Method,
    headers: &HeaderMap,
    current: &Validators,
    now: SystemTime,
) -> Verdict {
    let held = match (headers.contains_key(IF_MATCH), date(headers, &IF_UNMODIFIED_SINCE), current.modified) {
        (true, ..) => matches_any(headers, &IF_MATCH, &current.tag, Comparison::Strong),
        (false, Some(date), Some(modified)) => modified <= date,
        _ => true,
    };
    if !held {
        return Verdict::Failed;
    }
    let changed =
        match (headers.contains_key(IF_NONE_MATCH), date(headers, &IF_MODIFIED_SINCE), current.modified) {
            (true, ..) => !matches_any(headers, &IF_NONE_MATCH, &current.tag, Comparison::Weak),
            (false, Some(date), Some(modified)) => modified > date,
            _ => true,
        };
    if !changed {
        return Verdict::NotModified;
    }
    // Range handling is defined for GET alone (section 14.2).
    Verdict::Proceed { with_range: *method == Method::GET && is_in_range_of(headers, current, now) }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    /// Neither may be weak.
    Strong,
    Weak,
}

/// Whether `If-Range` lets a range be served; it does where there is none.
fn is_in_range_of(headers: &HeaderMap, current: &Validators, now: SystemTime) -> bool {
    let Some(value) = headers.get(IF_RANGE) else { return true };
    if let Some((tag, b"")) = entity_tag(value.as_bytes()) {
        return tag == current.tag.as_bytes();
    }
    let (Some(date), Some(modified)) = (date(headers, &IF_RANGE), current.modified) else { return false };
    // A file that changed within this second may do so again with the same date, which is no strong validator then
    // (sections 8.8.2.2 and 13.1.5).
    let is_strong = now.duration_since(modified).is_ok_and(|age| age >= Duration::from_secs(1));
    is_strong && date == modified
}

/// Whether one of the entity tags in a list is the current one; `*` is every one. A list is read up to where it is broken.
fn matches_any(headers: &HeaderMap, name: &HeaderName, current: &str, comparison: Comparison) -> bool {
    headers.get_all(name).iter().any(|value| {
        let mut rest = value.as_bytes();
        if rest.trim_ascii() == b"*" {
            return true;
        }
        loop {
            rest = rest.trim_ascii_start();
            if let Some(after) = rest.strip_prefix(b",") {
                rest = after;
                continue;
            }
            let Some((tag, after)) = entity_tag(rest) else { return false };
            let opaque = tag.strip_prefix(b"W/");
            if opaque.unwrap_or(tag) == current.as_bytes()
                && (opaque.is_none() || comparison == Comparison::Weak)
            {
                return true;
            }
            rest = after;
        }
    })
}

/// The entity tag (section 8.8.3) that a text begins with, and what is behind it.
fn entity_tag(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = if text.starts_with(b"W/") { 2 } else { 0 };
    let inner = text[start..].strip_prefix(b"\"")?;
    let length = inner.iter().position(|&byte| !matches!(byte, 0x21 | 0x23..=0x7e | 0x80..))?;
    (inner[length] == b'"').then(|| text.split_at(start + length + 2))
}

/// A date; none where there are several, or it is none (sections 13.1.3 and 13.1.4: such a header is ignored).
fn date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    let mut values = headers.get_all(name).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    httpdate::parse_http_date(value.to_str().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const SAME: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
    const WHOLE: Verdict = Verdict::Proceed { with_range: false };
    const RANGED: Verdict = Verdict::Proceed { with_range: true };

    fn judged(method: &Method, lines: &[(&HeaderName, &str)], age: u64) -> Verdict {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        let modified = UNIX_EPOCH + Duration::from_secs(784_111_777);
        let current = Validators { tag: "\"a,b\"".to_owned(), modified: Some(modified) };
        evaluate(method, &headers, &current, modified + Duration::from_secs(age))
    }

    #[test]
    fn one_condition_alone() {
        use Verdict::{Failed, NotModified};
        for (name, value, expected) in [
            (&IF_MATCH, "*", RANGED),
            (&IF_MATCH, "\"a,b\"", RANGED),
            (&IF_MATCH, "\"x\", \"a,b\"", RANGED),
            (&IF_MATCH, ",, \"a,b\",", RANGED),
            (&IF_MATCH, "W/\"a,b\"", Failed),
            (&IF_MATCH, "\"a\"", Failed),
            (&IF_MATCH, "a,b", Failed),
            (&IF_MATCH, "", Failed),
            (&IF_NONE_MATCH, "*", NotModified),
            (&IF_NONE_MATCH, "\"a,b\"", NotModified),
            (&IF_NONE_MATCH, "W/\"x\" , W/\"a,b\"", NotModified),
            (&IF_NONE_MATCH, "\"a\"", RANGED),
            (&IF_NONE_MATCH, "\"a,b", RANGED),
            (&IF_NONE_MATCH, "x, \"a,b\"", RANGED),
            (&IF_MODIFIED_SINCE, SAME, NotModified),
            (&IF_MODIFIED_SINCE, AFTER, NotModified),
            (&IF_MODIFIED_SINCE, BEFORE, RANGED),
            (&IF_MODIFIED_SINCE, "Sunday, 06-Nov-94 08:49:37 GMT", NotModified),
            (&IF_MODIFIED_SINCE, "yesterday", RANGED),
            (&IF_UNMODIFIED_SINCE, SAME, RANGED),
            (&IF_UNMODIFIED_SINCE, AFTER, RANGED),
            (&IF_UNMODIFIED_SINCE, BEFORE, Failed),
            (&IF_UNMODIFIED_SINCE, "tomorrow", RANGED),
            (&IF_RANGE, "\"a,b\"", RANGED),
            (&IF_RANGE, "W/\"a,b\"", WHOLE),
            (&IF_RANGE, "\"a,b\", \"c\"", WHOLE),
            (&IF_RANGE, "*", WHOLE),
            (&IF_RANGE, SAME, RANGED),
            (&IF_RANGE, AFTER, WHOLE),
            (&IF_RANGE, BEFORE, WHOLE),
        ] {
            assert_eq!(judged(&Method::GET, &[(name, value)], 60), expected, "{name}: {value}");
        }
        assert_eq!(judged(&Method::GET, &[(&IF_RANGE, SAME)], 0), WHOLE, "it may still change");
        assert_eq!(judged(&Method::HEAD, &[], 60), WHOLE);
    }

    #[test]
    fn tags_come_before_dates_and_what_must_hold_before_what_must_not() {
        use Verdict::{Failed, NotModified};
        for (lines, expected) in [
            (&[(&IF_MATCH, "\"a,b\""), (&IF_UNMODIFIED_SINCE, BEFORE)][..], RANGED),
            (&[(&IF_MATCH, "\"x\""), (&IF_NONE_MATCH, "\"a,b\"")], Failed),
            (&[(&IF_NONE_MATCH, "\"x\""), (&IF_MODIFIED_SINCE, SAME)], RANGED),
            (&[(&IF_NONE_MATCH, "\"a,b\""), (&IF_MODIFIED_SINCE, BEFORE)], NotModified),
            (&[(&IF_UNMODIFIED_SINCE, SAME), (&IF_MODIFIED_SINCE, SAME)], NotModified),
            (&[(&IF_MODIFIED_SINCE, SAME), (&IF_RANGE, "\"x\"")], NotModified),
            (&[(&IF_NONE_MATCH, "\"x\""), (&IF_NONE_MATCH, "\"a,b\"")], NotModified),
            (&[(&IF_MODIFIED_SINCE, SAME), (&IF_MODIFIED_SINCE, SAME)], RANGED),
        ] {
            assert_eq!(judged(&Method::GET, lines, 60), expected, "{lines:?}");
        }
    }
}
