//! The server's part of the HTTP handshake, and what else it answers.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::handshake::{DEBUG_PATH, HEAD, RPC_PATH, head_end};

/// How a conn began.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// Calls follow.
    Rpc,
    /// It asked for something else, and has its answer.
    Answered,
}

/// Requests begin with one of these; no codec of Go's has messages that do.
const METHODS: [&[u8]; 7] = [b"CONNECT ", b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"OPTIONS "];

/// What the first bytes are.
#[derive(Debug, PartialEq, Eq)]
enum First {
    Unknown,
    Http,
    Other,
}

fn first(received: &[u8]) -> First {
    let begins = |method: &&[u8]| received.starts_with(method);
    let may_begin = |method: &&[u8]| method.starts_with(received);
    match () {
        () if METHODS.iter().any(begins) => First::Http,
        () if METHODS.iter().any(may_begin) => First::Unknown,
        () => First::Other,
    }
}

/// What is answered to a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Connected,
    Debug { head_only: bool },
    MustConnect,
    NotFound,
    Malformed,
}

pub(super) fn answer(head: &[u8]) -> Answer {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let Ok(line) = std::str::from_utf8(line) else { return Answer::Malformed };
    let mut words = line.split_ascii_whitespace();
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Answer::Malformed;
    };
    if !version.starts_with("HTTP/1.") {
        return Answer::Malformed;
    }
    let path = target.split('?').next().unwrap_or_default();
    match (method, path) {
        ("CONNECT", RPC_PATH) => Answer::Connected,
        (_, RPC_PATH) => Answer::MustConnect,
        ("GET", DEBUG_PATH) => Answer::Debug { head_only: false },
        ("HEAD", DEBUG_PATH) => Answer::Debug { head_only: true },
        _ => Answer::NotFound,
    }
}

/// Reads how a conn begins and answers that. What has been read beyond it is left in `received`.
pub(super) async fn accept(
    conn: &mut (impl AsyncRead + AsyncWrite + Unpin),
    received: &mut Vec<u8>,
    page: impl FnOnce() -> String,
) -> io::Result<Opening> {
    let end = loop {
        match first(received) {
            First::Other => return Ok(Opening::Rpc),
            First::Unknown => {}
            First::Http => {
                if let Some(end) = head_end(received) {
                    break end;
                }
                if received.len() > HEAD {
                    let error = "an HTTP request whose head is too long";
                    return Err(io::Error::new(io::ErrorKind::InvalidData, error));
                }
            }
        }
        let mut more = [0; 1024];
        let count = conn.read(&mut more).await?;
        if count == 0 {
            return match received.is_empty() {
                // It has gone without a word.
                true => Ok(Opening::Rpc),
                false => Err(io::ErrorKind::UnexpectedEof.into()),
            };
        }
        received.extend_from_slice(&more[..count]);
    };
    let answer = answer(&received[..end]);
    received.drain(..end);
    let response = match answer {
        Answer::Connected => {
            // These bytes, with a newline for each line's end, are what Go sends.
            conn.write_all(b"HTTP/1.0 200 Connected to Go RPC\n\n").await?;
            conn.flush().await?;
            return Ok(Opening::Rpc);
        }
        Answer::Debug { head_only } => {
            let page = page();
            let body = if head_only { "" } else { &page };
            let headers = format!("Content-Type: text/html; charset=utf-8\r\nContent-Length: {}", page.len());
            format!("HTTP/1.0 200 OK\r\n{headers}\r\nConnection: close\r\n\r\n{body}")
        }
        Answer::MustConnect => plain("405 Method Not Allowed", "405 must CONNECT\n"),
        Answer::NotFound => plain("404 Not Found", "404 page not found\n"),
        Answer::Malformed => plain("400 Bad Request", "400 Bad Request\n"),
    };
    conn.write_all(response.as_bytes()).await?;
    conn.flush().await?;
    Ok(Opening::Answered)
}

fn plain(status: &str, body: &str) -> String {
    let headers = format!("Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}", body.len());
    format!("HTTP/1.0 {status}\r\n{headers}\r\nConnection: close\r\n\r\n{body}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_decides_the_answer() {
        for (head, expected) in [
            ("CONNECT /_goRPC_ HTTP/1.0\n\n", Answer::Connected),
            ("CONNECT /_goRPC_ HTTP/1.1\r\nHost: x\r\n\r\n", Answer::Connected),
            ("GET /_goRPC_ HTTP/1.0\n\n", Answer::MustConnect),
            ("GET /debug/rpc HTTP/1.1\r\n\r\n", Answer::Debug { head_only: false }),
            ("GET /debug/rpc?x=y HTTP/1.1\r\n\r\n", Answer::Debug { head_only: false }),
            ("HEAD /debug/rpc HTTP/1.1\r\n\r\n", Answer::Debug { head_only: true }),
            ("POST /debug/rpc HTTP/1.1\r\n\r\n", Answer::NotFound),
            ("CONNECT /other HTTP/1.0\n\n", Answer::NotFound),
            ("GET /\n\n", Answer::Malformed),
            ("GET / HTTP/2\n\n", Answer::Malformed),
            ("GET / HTTP/1.0 x\n\n", Answer::Malformed),
            ("GET \u{fffd} \n\n", Answer::Malformed),
        ] {
            assert_eq!(answer(head.as_bytes()), expected, "{head:?}");
        }
    }

    #[test]
    fn http_is_told_from_calls_by_its_first_bytes() {
        assert_eq!(first(b""), First::Unknown);
        assert_eq!(first(b"CONN"), First::Unknown);
        assert_eq!(first(b"CONNECT "), First::Http);
        assert_eq!(first(b"GET / HTTP"), First::Http);
        assert_eq!(first(b"\x2f\xff\x81\x03"), First::Other);
        assert_eq!(first(b"{\"method\""), First::Other);
        // A gob message that happens to be as long as a letter.
        assert_eq!(first(b"C\xff\x81"), First::Other);
    }
}
