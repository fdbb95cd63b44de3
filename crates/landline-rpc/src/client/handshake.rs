//! The client's part of the HTTP handshake.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::error::Error;
use crate::handshake::{HEAD, head_end};

/// Asks for calls at `path`; what has come after the answer already.
pub(super) async fn connect(
    conn: &mut (impl AsyncRead + AsyncWrite + Unpin),
    path: &str,
) -> Result<Vec<u8>, Error> {
    if path.is_empty() || path.contains(|char: char| char.is_ascii_whitespace() || char.is_ascii_control()) {
        return Err(Error::Handshake(format!("{path:?}: not a path")));
    }
    let failed = |error: io::Error| Error::Handshake(error.to_string());
    conn.write_all(format!("CONNECT {path} HTTP/1.0\n\n").as_bytes()).await.map_err(failed)?;
    conn.flush().await.map_err(failed)?;
    let mut received = Vec::new();
    let end = loop {
        if let Some(end) = head_end(&received) {
            break end;
        }
        if received.len() > HEAD {
            return Err(Error::Handshake("the answer is no HTTP response".to_owned()));
        }
        let mut more = [0; 1024];
        match conn.read(&mut more).await.map_err(failed)? {
            0 => return Err(Error::Handshake("the peer closed the connection".to_owned())),
            count => received.extend_from_slice(&more[..count]),
        }
    };
    accepted(&received[..end])?;
    received.drain(..end);
    Ok(received)
}

/// Whether the answer is that of Go's servers.
fn accepted(head: &[u8]) -> Result<(), Error> {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    let line = String::from_utf8_lossy(line);
    match line.split_once(' ') {
        Some((version, "200 Connected to Go RPC")) if version.starts_with("HTTP/1.") => Ok(()),
        Some((version, status)) if version.starts_with("HTTP/") => {
            Err(Error::Handshake(format!("unexpected HTTP response: {status}")))
        }
        _ => Err(Error::Handshake("the answer is no HTTP response".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_answer_of_a_go_server_will_do() {
        assert!(accepted(b"HTTP/1.0 200 Connected to Go RPC\n\n").is_ok());
        assert!(accepted(b"HTTP/1.1 200 Connected to Go RPC\r\nDate: x\r\n\r\n").is_ok());
        for (head, expected) in [
            ("HTTP/1.1 200 OK\r\n\r\n", "unexpected HTTP response: 200 OK"),
            ("HTTP/1.0 404 Not Found\n\n", "unexpected HTTP response: 404 Not Found"),
            ("220 mail.example.com ESMTP\r\n\r\n", "the answer is no HTTP response"),
        ] {
            let error = accepted(head.as_bytes()).unwrap_err().to_string();
            assert_eq!(error, format!("HTTP handshake: {expected}"));
        }
    }
}
