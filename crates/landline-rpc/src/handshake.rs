//! What both ends of the HTTP handshake know.

use std::time::Duration;

/// Where calls are asked for.
pub(crate) const RPC_PATH: &str = "/_goRPC_";
/// Where the page about the services is.
pub(crate) const DEBUG_PATH: &str = "/debug/rpc";
/// The longest head of a request or response.
pub(crate) const HEAD: usize = 16 << 10;

/// How long either end waits for the other's part of it.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(10);

/// Where the head ends: after the first empty line.
pub(crate) fn head_end(received: &[u8]) -> Option<usize> {
    let mut line_begin = 0;
    for (index, byte) in received.iter().enumerate() {
        if *byte == b'\n' {
            if matches!(&received[line_begin..index], b"" | b"\r") && line_begin > 0 {
                return Some(index + 1);
            }
            line_begin = index + 1;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_after_an_empty_line() {
        for (text, end) in [
            ("", None),
            ("GET / HTTP/1.0\n", None),
            ("GET / HTTP/1.0\n\n", Some(16)),
            ("GET / HTTP/1.0\r\n\r\nrest", Some(18)),
            ("GET / HTTP/1.0\r\nA: b\r\n\r", None),
            ("GET / HTTP/1.0\r\nA: b\r\n\r\n", Some(24)),
        ] {
            assert_eq!(head_end(text.as_bytes()), end, "{text:?}");
        }
    }
}
