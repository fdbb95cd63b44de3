//! What becomes of a conn when a request has changed its protocol.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use hyper_util::rt::TokioIo;
use landline::Conn;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::error::{Error, ErrorKind};
use super::io::Io;

/// A conn that speaks another protocol since the server has answered 101 (RFC 9110 section 7.8): of a WebSocket, say.
///
/// It is read from and written to, or taken apart into the conn and what had been read of the new protocol already.
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use http::Request;
/// use landline_http::client::{Body, Client};
/// use tokio::io::AsyncWriteExt;
///
/// let request = Request::get("http://127.0.0.1:8080/chat")
///     .header("connection", "upgrade")
///     .header("upgrade", "echo")
///     .body(Body::empty())?;
/// let response = Client::new().send(request).await?;
/// let mut conn = response.into_body().into_upgraded().map_err(|_| "the server does not speak echo")?;
/// conn.write_all(b"hello").await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Upgraded {
    conn: Conn,
    unread: Bytes,
}

impl Upgraded {
    /// Of what hyper gives back.
    pub(super) fn new(upgraded: hyper::upgrade::Upgraded) -> Result<Upgraded, Error> {
        match upgraded.downcast::<TokioIo<Io>>() {
            Ok(parts) => {
                let (conn, unheard) = parts.io.into_inner().into_parts().map_err(not_taken)?;
                let unread = match &unheard[..] {
                    [] => parts.read_buf,
                    unheard => [&parts.read_buf[..], unheard].concat().into(),
                };
                Ok(Upgraded { conn, unread })
            }
            Err(_) => Err(not_taken(io::Error::other("the conn is not ours"))),
        }
    }

    /// The conn, and what was read of it that belongs to the new protocol.
    pub fn into_parts(self) -> (Conn, Bytes) {
        (self.conn, self.unread)
    }
}

fn not_taken(error: io::Error) -> Error {
    Error::new(ErrorKind::Body(error))
}

impl AsyncRead for Upgraded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.unread.is_empty() {
            return Pin::new(&mut self.conn).poll_read(cx, buf);
        }
        let length = self.unread.len().min(buf.remaining());
        buf.put_slice(&self.unread[..length]);
        self.unread.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.conn).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.conn).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.conn.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.conn).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.conn).poll_shutdown(cx)
    }
}
