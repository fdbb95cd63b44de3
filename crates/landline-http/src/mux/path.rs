//! Paths of requests: cleaning, and the escapes of RFC 3986 section 2.1. Pure.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The path without `.`, `..` and empty segments; a slash at the end stays. Escapes stay too: `%2e%2e` is a name.
///
/// Borrows where it is clean already.
pub(crate) fn clean(path: &str) -> Cow<'_, str> {
    if is_clean(path) {
        return Cow::Borrowed(path);
    }
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    let mut clean = String::with_capacity(path.len() + 1);
    for segment in &kept {
        clean.push('/');
        clean.push_str(segment);
    }
    // A path that ends in a dot segment names the directory, but RFC 3986's slash is added for a real one alone.
    if path.ends_with('/') || kept.is_empty() {
        clean.push('/');
    }
    Cow::Owned(clean)
}

fn is_clean(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else { return false };
    let (body, last) = rest.rsplit_once('/').map_or((None, rest), |(body, last)| (Some(body), last));
    let dots = |segment: &str| matches!(segment, "." | "..");
    !dots(last)
        && body.is_none_or(|body| body.split('/').all(|segment| !segment.is_empty() && !dots(segment)))
}

/// A segment without its escapes; as it is where they are broken or not UTF-8.
pub(crate) fn unescape(segment: &str) -> Cow<'_, str> {
    if !segment.contains('%') || !has_whole_escapes(segment) {
        return Cow::Borrowed(segment);
    }
    percent_decode_str(segment).decode_utf8().unwrap_or(Cow::Borrowed(segment))
}

/// Whether every `%` begins an escape.
pub(crate) fn has_whole_escapes(text: &str) -> bool {
    text.split('%')
        .skip(1)
        .all(|rest| rest.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned() {
        for (path, expected) in [
            ("", "/"),
            ("/", "/"),
            ("//", "/"),
            ("a", "/a"),
            ("/a/b", "/a/b"),
            ("/a/b/", "/a/b/"),
            ("/a//b", "/a/b"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/../../b/", "/b/"),
            ("/a/b/..", "/a"),
            ("/a/b/.", "/a/b"),
            ("/a/..", "/"),
            ("/%2e%2e/a", "/%2e%2e/a"),
            ("/...", "/..."),
        ] {
            assert_eq!(clean(path), expected, "{path}");
            assert_eq!(clean(expected), Cow::<str>::Borrowed(expected));
        }
    }

    #[test]
    fn broken_escapes_stay_as_they_are() {
        for (segment, expected) in [
            ("a%2Fb", "a/b"),
            ("%c3%a9", "é"),
            ("%", "%"),
            ("%2", "%2"),
            ("%zz%20", "%zz%20"),
            ("%ff", "%ff"),
        ] {
            assert_eq!(unescape(segment), expected);
        }
    }
}
