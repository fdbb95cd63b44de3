//! What kind of content a file has. Pure.

/// How many bytes of a file without a telling name are looked at.
pub(crate) const SNIFFED: usize = 512;

/// The media type of a file by its name's extension; none where that says nothing.
pub(crate) fn by_name(name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name).ok()?;
    let (stem, extension) = name.rsplit_once('.')?;
    if stem.is_empty() {
        return None;
    }
    let media_type = mime_guess::from_ext(extension).first_raw()?;
    // Its name since RFC 9239.
    let media_type = if media_type == "application/javascript" { "text/javascript" } else { media_type };
    // Text of today is UTF-8; without saying so, browsers fall back to what their country had in the last century.
    let is_text = media_type.starts_with("text/");
    Some(if is_text { format!("{media_type}; charset=utf-8") } else { media_type.to_owned() })
}

/// The media type of a file by the bytes it begins with: text where they are UTF-8 without control characters, and never
/// anything that a browser would run. `is_all` says that the file has no more.
pub(crate) fn by_content(start: &[u8], is_all: bool) -> &'static str {
    let is_utf8 = match std::str::from_utf8(start) {
        Ok(_) => true,
        // A character was cut.
        Err(error) => error.error_len().is_none() && !is_all,
    };
    let is_control = |byte: &u8| matches!(byte, 0x00..=0x08 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f | 0x7f);
    if is_utf8 && !start.iter().any(is_control) {
        "text/plain; charset=utf-8"
    } else {
        "application/octet-stream"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_of_what_is_in_files() {
        for (name, expected) in [
            ("a.html", Some("text/html; charset=utf-8")),
            ("A.HTML", Some("text/html; charset=utf-8")),
            ("a.txt", Some("text/plain; charset=utf-8")),
            ("a.css", Some("text/css; charset=utf-8")),
            ("a.js", Some("text/javascript; charset=utf-8")),
            ("a.mjs", Some("text/javascript; charset=utf-8")),
            ("a.md", Some("text/markdown; charset=utf-8")),
            ("a.json", Some("application/json")),
            ("a.wasm", Some("application/wasm")),
            ("a.svg", Some("image/svg+xml")),
            ("a.png", Some("image/png")),
            ("a.webp", Some("image/webp")),
            ("a.pdf", Some("application/pdf")),
            ("a.tar.gz", Some("application/gzip")),
            ("a.woff2", Some("font/woff2")),
            ("a.mp4", Some("video/mp4")),
            ("a", None),
            (".html", None),
            ("a.", None),
            ("a.nosuchextension", None),
        ] {
            assert_eq!(by_name(name.as_bytes()).as_deref(), expected, "{name}");
        }
        assert_eq!(by_name(b"\xff.html"), None);
    }

    #[test]
    fn content_is_text_or_bytes() {
        let (text, bytes) = ("text/plain; charset=utf-8", "application/octet-stream");
        for (start, is_all, expected) in [
            (&b""[..], true, text),
            (b"<html><script>", true, text),
            (b"tab\tand\r\n\x1b[1m", true, text),
            ("caf\u{e9}".as_bytes(), true, text),
            (b"caf\xc3", false, text),
            (b"caf\xc3", true, bytes),
            (b"caf\xe9 au lait", true, bytes),
            (b"\x7fELF", true, bytes),
            (b"a\0b", true, bytes),
        ] {
            assert_eq!(by_content(start, is_all), expected, "{}", start.escape_ascii());
        }
    }
}
