//! From the path of a request to a name below the directory served. Pure.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode};

use crate::mux::has_whole_escapes;

/// `PATH_MAX` (linux/limits.h): no longer name can be opened.
const LONGEST: usize = 4096;

/// Everything but the unreserved characters of RFC 3986 section 2.3 and the delimiters that mean nothing in a relative
/// reference; a colon would make the first segment a scheme.
const ESCAPED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'&')
    .add(b'\'')
    .add(b'/')
    .add(b':')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// What a path names: segments without escapes, none of them empty, `.` or `..`, and none with a slash or NUL in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    segments: Vec<Vec<u8>>,
    /// It ends in a slash, or in a segment of dots.
    is_directory: bool,
}

/// Why a path names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It is not a path, or one of its escapes is broken.
    Malformed,
    /// Nothing of this name can be there, or nobody is to know whether it is.
    NotFound,
}

impl Place {
    /// Reads the path of a request. Dot segments are taken out whether they are escaped or not, and none leads above the
    /// directory; an escaped slash separates nothing.
    pub(crate) fn locate(path: &str, is_hidden_served: bool) -> Result<Place, Refused> {
        let path = if path.is_empty() { "/" } else { path };
        let rest = path.strip_prefix('/').ok_or(Refused::Malformed)?;
        let mut segments: Vec<Vec<u8>> = Vec::new();
        let mut is_directory = true;
        for raw in rest.split('/') {
            if !has_whole_escapes(raw) {
                return Err(Refused::Malformed);
            }
            let segment: Vec<u8> = percent_decode_str(raw).collect();
            is_directory = matches!(&*segment, b"" | b"." | b"..");
            match &*segment {
                b"" | b"." => {}
                b".." => drop(segments.pop()),
                _ if segment.iter().any(|byte| matches!(byte, b'/' | 0)) => return Err(Refused::NotFound),
                _ => segments.push(segment),
            }
        }
        let length: usize = segments.iter().map(|segment| segment.len() + 1).sum();
        let is_hidden = segments.iter().enumerate().any(|(depth, segment)| is_hidden(segment, depth == 0));
        if length > LONGEST || (is_hidden && !is_hidden_served) {
            return Err(Refused::NotFound);
        }
        Ok(Place { segments, is_directory })
    }

    pub(crate) fn is_directory(&self) -> bool {
        self.is_directory
    }

    /// The last segment; of the directory served there is none.
    pub(crate) fn name(&self) -> Option<&[u8]> {
        self.segments.last().map(Vec::as_slice)
    }

    pub(crate) fn is_root(&self) -> bool {
        self.segments.is_empty()
    }

    /// The path from the directory served.
    pub(crate) fn relative(&self) -> Vec<u8> {
        if self.is_root() { b".".to_vec() } else { self.segments.join(&b'/') }
    }

    /// The path as people read it: with a slash before it, and one after it.
    pub(crate) fn title(&self) -> String {
        let mut title = String::from("/");
        for segment in &self.segments {
            title.push_str(&String::from_utf8_lossy(segment));
            title.push('/');
        }
        title
    }
}

/// Whether a name is kept from those who ask: it begins with a dot, and is not the one that RFC 8615 has put at the root
/// for everybody to see.
pub(crate) fn is_hidden(name: &[u8], is_at_root: bool) -> bool {
    name.starts_with(b".") && !(is_at_root && name == b".well-known")
}

/// A name as a segment of a relative reference.
pub(crate) fn escape(name: &[u8]) -> String {
    percent_encode(name, ESCAPED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leads_above_the_directory() {
        for (path, relative, is_directory) in [
            ("", ".", true),
            ("/", ".", true),
            ("//", ".", true),
            ("/a", "a", false),
            ("/a/", "a", true),
            ("//a//b", "a/b", false),
            ("/a/./b", "a/b", false),
            ("/a/../b", "b", false),
            ("/../../../etc/passwd", "etc/passwd", false),
            ("/%2e%2e/%2E%2E/etc/passwd", "etc/passwd", false),
            ("/a/..", ".", true),
            ("/a/b/.", "a/b", true),
            ("/...", "...", false),
            ("/a%20b", "a b", false),
            ("/a+b", "a+b", false),
            ("/%25", "%", false),
            ("/a%5c..%5cb", "a\\..\\b", false),
        ] {
            let place = Place::locate(path, true).unwrap_or_else(|why| panic!("{path}: {why:?}"));
            assert_eq!(place.relative(), relative.as_bytes(), "{path}");
            assert_eq!(place.is_directory(), is_directory, "{path}");
        }
        assert_eq!(Place::locate("/%ff%c3", false).unwrap().relative(), b"\xff\xc3");
    }

    #[test]
    fn what_names_nothing() {
        let long = format!("/{}", "a/".repeat(2049));
        for (path, why) in [
            ("*", Refused::Malformed),
            ("a", Refused::Malformed),
            ("/%", Refused::Malformed),
            ("/%2", Refused::Malformed),
            ("/%zz", Refused::Malformed),
            ("/a%2fb", Refused::NotFound),
            ("/..%2f..%2fetc", Refused::NotFound),
            ("/a%00", Refused::NotFound),
            ("/.git/config", Refused::NotFound),
            ("/a/.b/c", Refused::NotFound),
            ("/%2egit", Refused::NotFound),
            ("/a/.well-known/x", Refused::NotFound),
            ("/.well-known/.x", Refused::NotFound),
            (&long, Refused::NotFound),
        ] {
            assert_eq!(Place::locate(path, false), Err(why), "{path}");
        }
        assert!(Place::locate("/.well-known/security.txt", false).is_ok());
        assert!(Place::locate("/.git/config", true).is_ok());
    }

    #[test]
    fn names_survive_being_escaped() {
        for name in [&b"a b"[..], b"../x", b"http://x", b"a?b#c", b"\xff\x00", b"100%", "é".as_bytes()] {
            let escaped = escape(name);
            assert!(!escaped.contains(['/', ':', '?', '#', ' ', '"', '<', '&']), "{escaped}");
            assert_eq!(percent_decode_str(&escaped).collect::<Vec<u8>>(), name);
        }
        assert_eq!(Place::locate("/a/%3Cb%3E/", true).unwrap().title(), "/a/<b>/");
    }
}
