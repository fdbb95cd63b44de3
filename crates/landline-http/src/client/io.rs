//! A conn as hyper reads and writes it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use landline::Conn;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::interim::{Allowance, Heads};

/// The conn, and what of it is counted.
pub(super) struct Io {
    pub(super) conn: Conn,
    allowance: Arc<Allowance>,
    /// Only of HTTP/2.
    heads: Option<Heads>,
}

impl Io {
    pub(super) fn of_http1(conn: Conn, allowance: Arc<Allowance>) -> Io {
        Io { conn, allowance, heads: None }
    }

    pub(super) fn of_http2(conn: Conn, allowance: Arc<Allowance>) -> Io {
        Io { conn, allowance, heads: Some(Heads::default()) }
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.conn).poll_read(cx, buffer))?;
        let heard = &buffer.filled()[before..];
        let count = match &mut self.heads {
            Some(heads) => heads.count(heard),
            None => heard.len() as u64,
        };
        if self.allowance.take(count) {
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "too many interim responses")))
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.conn).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.conn).poll_write_vectored(cx, parts)
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
