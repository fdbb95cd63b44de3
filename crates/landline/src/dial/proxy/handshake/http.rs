//! HTTP `CONNECT` (RFC 9110 section 9.3.6, RFC 9112).

use std::io;

use super::{Ask, Endpoint, Handshake, Next, Taken, malformed, unsupported};
use crate::error::{ProxyErrorKind, ProxyStep};

/// The most bytes of all heads a proxy may send, interim answers included.
const LONGEST_HEAD: usize = 16 * 1024;

/// A request for a tunnel, and the heads that come back.
pub(crate) struct Connect {
    target: Endpoint,
    authorization: Option<String>,
    /// The head so far.
    head: Vec<u8>,
    /// How much the heads before it took.
    before: usize,
}

impl Connect {
    /// `authorization` is the whole value of `Proxy-Authorization`.
    pub(crate) fn new(target: Endpoint, authorization: Option<String>) -> Result<Connect, ProxyErrorKind> {
        target.check()?;
        // RFC 9110 section 5.5: what else a value might hold, such as a line's end, would be another field.
        if let Some(value) = &authorization
            && !value.bytes().all(|byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f))
        {
            return Err(unsupported("a control character in the authorization"));
        }
        Ok(Connect { target, authorization, head: Vec::new(), before: 0 })
    }
}

impl Handshake for Connect {
    fn begin(&mut self) -> Ask {
        let target = &self.target;
        let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
        if let Some(authorization) = &self.authorization {
            request.push_str(&format!("Proxy-Authorization: {authorization}\r\n"));
        }
        request.push_str("\r\n");
        let with = if self.authorization.is_some() { ", with authorization" } else { "" };
        Ask {
            step: ProxyStep::Request,
            words: format!("CONNECT {target}{with}"),
            bytes: request.into_bytes(),
        }
    }

    fn receive(&mut self, bytes: &[u8]) -> Result<Taken, ProxyErrorKind> {
        let mut used = 0;
        loop {
            let room = LONGEST_HEAD - self.before - self.head.len();
            let shown = &bytes[used..];
            let Some(length) = rest_of_head(&self.head, &shown[..shown.len().min(room)]) else {
                self.head.extend_from_slice(&shown[..shown.len().min(room)]);
                if shown.len() >= room {
                    return Err(malformed(format!("a head of more than {LONGEST_HEAD} bytes")));
                }
                check_beginning(&self.head)?;
                return Ok(Taken::more(bytes.len()));
            };
            self.head.extend_from_slice(&shown[..length]);
            used += length;
            let head = std::mem::take(&mut self.head);
            self.before += head.len();
            let Head { status, reason, challenges } = parse(&head)?;
            let answer = if reason.is_empty() { status.to_string() } else { format!("{status} {reason}") };
            match status {
                // RFC 9110 section 15.2: any number of interim answers may come first; 101 is none.
                100 | 102..=199 => {}
                200..=299 => return Ok(Taken { used, next: Next::Open(answer) }),
                _ => return Err(refused(status, answer, &challenges)),
            }
            if used == bytes.len() {
                return Ok(Taken::more(used));
            }
        }
    }
}

fn refused(status: u16, mut answer: String, challenges: &[String]) -> ProxyErrorKind {
    if status == 407 && !challenges.is_empty() {
        answer.push_str(&format!(" (it asks for {})", challenges.join(", ")));
    }
    let kind = match status {
        401 | 403 | 407 => io::ErrorKind::PermissionDenied,
        504 => io::ErrorKind::TimedOut,
        _ => io::ErrorKind::Other,
    };
    ProxyErrorKind::Refused { code: status, answer: answer.into(), kind }
}

/// How many of `bytes` end the head that began with `head`: an empty line, whose lines end with LF, with or without a
/// CR before it (RFC 9112 section 2.2).
fn rest_of_head(head: &[u8], bytes: &[u8]) -> Option<usize> {
    let at = |index: usize| match index.checked_sub(head.len()) {
        None => head[index],
        Some(index) => bytes[index],
    };
    let total = head.len() + bytes.len();
    (head.len()..total).find_map(|end| {
        let before = |back: usize| end.checked_sub(back).map(at);
        let ended = at(end) == b'\n'
            && (before(1) == Some(b'\n') || (before(1) == Some(b'\r') && before(2) == Some(b'\n')));
        ended.then_some(end + 1 - head.len())
    })
}

/// Notices early that this is no HTTP, such as when a TLS or SOCKS server answers.
fn check_beginning(head: &[u8]) -> Result<(), ProxyErrorKind> {
    let known = b"HTTP/1.";
    let length = head.len().min(known.len());
    if head[..length] == known[..length] { Ok(()) } else { Err(no_http(head)) }
}

fn no_http(head: &[u8]) -> ProxyErrorKind {
    let beginning = String::from_utf8_lossy(&head[..head.len().min(16)]);
    malformed(format!("no HTTP/1 status line but {beginning}"))
}

struct Head {
    status: u16,
    reason: String,
    /// The schemes of `Proxy-Authenticate`.
    challenges: Vec<String>,
}

/// Reads a head that is complete.
fn parse(head: &[u8]) -> Result<Head, ProxyErrorKind> {
    let mut lines = head.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let first = lines.next().unwrap_or_default();
    let (status, reason) = status_line(first).ok_or_else(|| no_http(first))?;
    let mut challenges = Vec::new();
    for line in lines {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { continue };
        if !line[..colon].eq_ignore_ascii_case(b"proxy-authenticate") {
            continue;
        }
        let value = String::from_utf8_lossy(&line[colon + 1..]);
        if let Some(scheme) = value.split_whitespace().next() {
            challenges.push(scheme.trim_end_matches(',').to_owned());
        }
    }
    Ok(Head { status, reason, challenges })
}

/// RFC 9112 section 4; the space after the status may be missing, as it often is.
fn status_line(line: &[u8]) -> Option<(u16, String)> {
    let [minor, b' ', status @ ..] = line.strip_prefix(b"HTTP/1.")? else { return None };
    if !minor.is_ascii_digit() {
        return None;
    }
    let (code, reason) = status.split_at_checked(3)?;
    if !code.iter().all(u8::is_ascii_digit) || !(reason.is_empty() || reason[0] == b' ') {
        return None;
    }
    let code: u16 = std::str::from_utf8(code).ok()?.parse().ok()?;
    (100..=599).contains(&code).then(|| (code, String::from_utf8_lossy(reason).trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{outcome, to};
    use super::*;

    fn answered(answer: &[u8]) -> Result<(String, Vec<u8>), String> {
        outcome(|| Connect::new(to("example.com:443"), None).unwrap(), answer).1
    }

    #[test]
    fn the_request_names_the_target_twice_and_the_authorization_once() {
        let mut connect = Connect::new(to("[2001:db8::1]:22"), Some("Basic YTpi".into())).unwrap();
        let ask = connect.begin();
        assert_eq!(
            ask.bytes,
            b"CONNECT [2001:db8::1]:22 HTTP/1.1\r\nHost: [2001:db8::1]:22\r\nProxy-Authorization: Basic YTpi\r\n\r\n"
        );
        assert_eq!(ask.words, "CONNECT [2001:db8::1]:22, with authorization");
    }

    #[test]
    fn nothing_can_be_smuggled_into_a_request() {
        for name in ["a b", "a\r\nX: y", "a/b", "a@b", "ä", "a?b", ""] {
            let host = super::super::EndpointHost::Name(name.to_owned());
            assert!(Connect::new(Endpoint { host, port: 1 }, None).is_err(), "{name:?}");
        }
        for value in ["a\r\nX: y", "a\nb", "a\0"] {
            assert!(Connect::new(to("a:1"), Some(value.to_owned())).is_err(), "{value:?}");
        }
    }

    #[test]
    fn the_way_is_open_after_a_2xx_and_what_follows_is_left() {
        for (answer, words, left) in [
            (
                &b"HTTP/1.1 200 Connection established\r\n\r\nSSH-2.0"[..],
                "200 Connection established",
                &b"SSH-2.0"[..],
            ),
            (b"HTTP/1.0 200 OK\r\nVia: x\r\n\r\n", "200 OK", b""),
            (b"HTTP/1.1 200\r\n\r\n\r\n\r\n", "200", b"\r\n\r\n"),
            (b"HTTP/1.1 204 \nA: b\n\nx", "204", b"x"),
            // RFC 9110 section 9.3.6: these say nothing in an answer to CONNECT.
            (
                b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello",
                "200 OK",
                b"hello",
            ),
            (
                b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\nz",
                "200 OK",
                b"z",
            ),
        ] {
            assert_eq!(answered(answer), Ok((words.to_owned(), left.to_vec())), "{}", answer.escape_ascii());
        }
    }

    #[test]
    fn a_refusal_is_told_in_the_proxys_words() {
        for (answer, words) in [
            (&b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nno!"[..], "502 Bad Gateway"),
            (
                b"HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic realm=\"x\"\r\n\
                  Proxy-Authenticate: Digest a=b\r\n\r\n",
                "407 Proxy Authentication Required (it asks for Basic, Digest)",
            ),
            (b"HTTP/1.1 301 Moved\r\nLocation: http://evil/\r\n\r\n", "301 Moved"),
            (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "101 Switching Protocols"),
            (b"HTTP/1.1 403 \x1b[31mno\r\n\r\n", "403 \\u{1b}[31mno"),
        ] {
            assert_eq!(answered(answer), Err(words.to_owned()), "{}", answer.escape_ascii());
        }
    }

    #[test]
    fn what_is_no_answer_is_refused_as_soon_as_it_shows() {
        for (answer, words) in [
            (&b"SSH-2.0-x\r\n"[..], "no HTTP/1 status line but "),
            (b"\x05\xff", "no HTTP/1 status line but "),
            (b"\x15\x03\x01\x00\x02\x02\x16", "no HTTP/1 status line but "),
            (b"\r\n\r\n", "no HTTP/1 status line but "),
            (b"HTTP/2 200 OK\r\n\r\n", "no HTTP/1 status line but "),
            (b"HTTP/1.1 20 OK\r\n\r\n", "no HTTP/1 status line but "),
            (b"HTTP/1.1 2000 OK\r\n\r\n", "no HTTP/1 status line but "),
            (b"HTTP/1.1 099 OK\r\n\r\n", "no HTTP/1 status line but "),
            (b"HTTP/1.1 600 OK\r\n\r\n", "no HTTP/1 status line but "),
            (b"HTTP/1.x 200 OK\r\n\r\n", "no HTTP/1 status line but "),
        ] {
            for size in [1, 1000] {
                let mut connect = Connect::new(to("a:1"), None).unwrap();
                let error = super::super::testing::converse(&mut connect, answer, size).1.unwrap_err();
                assert!(error.contains(words), "{}: {error}", answer.escape_ascii());
            }
        }
        assert_eq!(answered(b"HTTP/1.1 200 OK\r\n"), Err("more is wanted".to_owned()));
    }

    #[test]
    fn heads_have_a_longest_length_all_together() {
        let long = [&b"HTTP/1.1 200 OK\r\nA: "[..], &vec![b'x'; LONGEST_HEAD]].concat();
        let error = answered(&long).unwrap_err();
        assert!(error.contains("more than 16384 bytes"), "{error}");
        let many = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(1000);
        let error = answered(&many).unwrap_err();
        assert!(error.contains("more than 16384 bytes"), "{error}");
        let fits = [&b"HTTP/1.1 200 OK\r\nA: "[..], &vec![b'x'; LONGEST_HEAD - 25], b"\r\n\r\nrest"].concat();
        assert_eq!(answered(&fits), Ok(("200 OK".to_owned(), b"rest".to_vec())));
    }
}
