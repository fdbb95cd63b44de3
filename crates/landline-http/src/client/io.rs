//! A conn as hyper reads and writes it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use landline::Conn;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::interim::{Allowance, Heads};
use super::read_ahead::ReadAhead;

/// The conn, and what of it is counted.
pub(super) struct Io {
    conn: Arc<Conn>,
    /// What was read of it already.
    ahead: Bytes,
    allowance: Arc<Allowance>,
    protocol: Protocol,
}

enum Protocol {
    Http1(Arc<ReadAhead>),
    Http2(Heads),
}

impl Io {
    pub(super) fn of_http1(conn: Arc<Conn>, read_ahead: Arc<ReadAhead>, allowance: Arc<Allowance>) -> Io {
        Io { conn, ahead: Bytes::new(), allowance, protocol: Protocol::Http1(read_ahead) }
    }

    pub(super) fn of_http2(conn: Conn, allowance: Arc<Allowance>) -> Io {
        let protocol = Protocol::Http2(Heads::default());
        Io { conn: Arc::new(conn), ahead: Bytes::new(), allowance, protocol }
    }

    /// The conn, unless somebody else has it too, and what was read of it that hyper has not heard.
    pub(super) fn into_parts(self) -> io::Result<(Conn, Bytes)> {
        let Io { conn, ahead, protocol, .. } = self;
        let heard = match &protocol {
            Protocol::Http1(read_ahead) => read_ahead.take().transpose()?,
            Protocol::Http2(_) => None,
        };
        let unheard = match heard {
            Some(heard) => [&ahead[..], &heard].concat().into(),
            None => ahead,
        };
        let conn = Arc::into_inner(conn).ok_or_else(|| io::Error::other("the conn is in use"))?;
        Ok((conn, unheard))
    }

    fn poll_hear(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let count = self.ahead.len().min(buffer.remaining());
            buffer.put_slice(&self.ahead[..count]);
            self.ahead.advance(count);
            return Poll::Ready(Ok(()));
        }
        let Protocol::Http1(read_ahead) = &self.protocol else {
            return Pin::new(&mut &*self.conn).poll_read(cx, buffer);
        };
        if let Some(heard) = read_ahead.take() {
            read_ahead.heard();
            let heard = heard?;
            let (now, later) = heard.split_at(heard.len().min(buffer.remaining()));
            buffer.put_slice(now);
            self.ahead = Bytes::copy_from_slice(later);
            return Poll::Ready(Ok(()));
        }
        if read_ahead.has_missed() {
            return Poll::Pending;
        }
        let polled = Pin::new(&mut &*self.conn).poll_read(cx, buffer);
        match polled {
            Poll::Ready(_) => read_ahead.heard(),
            Poll::Pending => read_ahead.missed(),
        }
        polled
    }

    fn written(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let (Protocol::Http1(read_ahead), Poll::Ready(_)) = (&self.protocol, &written) {
            read_ahead.wrote();
        }
        written
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(self.poll_hear(cx, buffer))?;
        let heard = &buffer.filled()[before..];
        let count = match &mut self.protocol {
            Protocol::Http1(_) => heard.len() as u64,
            Protocol::Http2(heads) => heads.count(heard),
        };
        if self.allowance.take(count) {
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "too many interim responses")))
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.written(Pin::new(&mut &*self.conn).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.written(Pin::new(&mut &*self.conn).poll_write_vectored(cx, parts))
    }

    fn is_write_vectored(&self) -> bool {
        AsyncWrite::is_write_vectored(&&*self.conn)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self.conn).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self.conn).poll_shutdown(cx)
    }
}
