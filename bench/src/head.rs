//! Heads of HTTP: where they end, and what a response's says of its body.

use std::io;

/// The end of a head.
pub(crate) const END: &[u8] = b"\r\n\r\n";

/// The body's length and where it begins, once the header is whole.
pub(crate) fn body(head: &[u8]) -> io::Result<Option<(u64, usize)>> {
    let Some(end) = head.windows(END.len()).position(|part| part == END) else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&head[..end]);
    let length = text.lines().skip(1).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    match length {
        Some(length) if text.starts_with("HTTP/1.1 200 ") => Ok(Some((length, end + END.len()))),
        _ => Err(io::Error::other(format!("the server answered {text:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_and_the_beginning_of_a_body_are_read_from_a_whole_header() {
        assert_eq!(body(b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n").unwrap(), None);
        let whole = b"HTTP/1.1 200 OK\r\nServer: x\r\ncontent-length: 7\r\n\r\nbody";
        assert_eq!(body(whole).unwrap(), Some((7, whole.len() - 4)));
        let why = body(b"HTTP/1.1 404 Not Found\r\ncontent-length: 7\r\n\r\n").unwrap_err();
        assert!(why.to_string().contains("404 Not Found"), "{why}");
    }
}
