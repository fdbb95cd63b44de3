//! Waiting for the header on a conn.

use std::sync::Arc;

use super::header::ProxyHeader;
use crate::conn::Conn;
use crate::error::{Cause, Error, Operation, Result};

/// What is read at once: more than any first version, and most of the second.
const PORTION: usize = 512;

impl ProxyHeader {
    /// Reads the header that a proxy sends first on a conn, and gives with it what the client has sent behind it so far.
    ///
    /// Set a read deadline before it, or whoever says nothing is waited for without end. Trust a header only from a peer
    /// that is known to be a proxy: it may name anybody.
    ///
    /// # Errors
    /// If what comes is no header, the conn ends before it, or reading fails.
    ///
    /// # Cancellation
    /// Dropping the future loses what was read.
    pub async fn receive(conn: &Conn) -> Result<(ProxyHeader, Vec<u8>)> {
        let failed = |cause| Error::new(Operation::Read, cause).to_peer(conn.peer_addr().ok());
        let mut bytes = Vec::with_capacity(PORTION);
        loop {
            let known = bytes.len();
            bytes.resize(known + PORTION, 0);
            let count = conn.read(&mut bytes[known..]).await?;
            bytes.truncate(known + count);
            if count == 0 {
                return Err(failed(Cause::UnexpectedEof));
            }
            match ProxyHeader::parse(&bytes) {
                Ok(None) => {}
                Ok(Some((header, length))) => return Ok((header, bytes.split_off(length))),
                Err(error) => return Err(failed(Cause::Other(Arc::new(error)))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ProxyHeaderVersion;

    #[tokio::test]
    async fn it_is_read_in_pieces_and_what_follows_is_kept() {
        let (ours, theirs) = crate::pipe();
        let header = ProxyHeader::relayed("192.0.2.7:1".parse().unwrap(), "192.0.2.8:2".parse().unwrap());
        let line = header.encode(ProxyHeaderVersion::V1);
        let conn = Conn::from(ours);
        let read = async { ProxyHeader::receive(&conn).await.unwrap() };
        let write = async {
            for byte in &line[..line.len() - 1] {
                theirs.write_all(&[*byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
            theirs.write_all(b"\nhello").await.unwrap();
        };
        assert_eq!(tokio::join!(read, write).0, (header, b"hello".to_vec()));
    }

    #[tokio::test]
    async fn what_ends_early_or_is_no_header_is_an_error() {
        for (said, error) in [
            ("PROXY TCP4", "unexpected end of stream"),
            ("hello\r\n", "no PROXY header: it does not begin as one: hello"),
        ] {
            let (ours, theirs) = crate::pipe();
            theirs.write_all(said.as_bytes()).await.unwrap();
            drop(theirs);
            let failure = ProxyHeader::receive(&Conn::from(ours)).await.unwrap_err().to_string();
            assert!(failure.contains(error), "{failure}");
        }
    }
}
