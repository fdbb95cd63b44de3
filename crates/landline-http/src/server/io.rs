//! A conn as hyper reads and writes it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use hyper::rt;
use landline::Conn;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::send_file::{self, Sender};
use super::state::{State, Taken};

/// What is no longer, in bytes, is written from one place: several cost the kernel 0.2 us more over TCP (2026-11-26, Linux 6.18),
/// and the copy less. So a short body goes with its head.
const SHORT: usize = 1024;

/// The parts one behind the other, in a room of just their length.
fn joined<'a>(parts: &[io::IoSlice<'_>], room: &'a mut [u8]) -> &'a [u8] {
    let mut left = &mut room[..];
    for part in parts {
        let (here, behind) = left.split_at_mut(part.len());
        here.copy_from_slice(part);
        left = behind;
    }
    room
}

/// The conn, and before what it has to say, what was read of it already.
pub(super) struct Io {
    pub(super) conn: Arc<Conn>,
    pub(super) ahead: Bytes,
    sender: Sender,
    /// An upgrade may carry it elsewhere.
    pub(super) taken: Taken,
}

impl Io {
    pub(super) fn new(state: Arc<State>, conn: Arc<Conn>, ahead: Bytes) -> Io {
        Io { conn, ahead, sender: Sender::default(), taken: Taken::new(state) }
    }

    fn state(&self) -> &State {
        self.taken.state()
    }
}

impl std::fmt::Debug for Io {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Io").field("conn", &self.conn).field("ahead", &self.ahead).finish_non_exhaustive()
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let count = self.ahead.len().min(buffer.remaining());
            buffer.put_slice(&self.ahead[..count]);
            self.ahead.advance(count);
            return Poll::Ready(Ok(()));
        }
        if let Some(early) = self.state().early.take() {
            self.ahead = early;
            return AsyncRead::poll_read(self, cx, buffer);
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut &*self.conn).poll_read(cx, buffer);
        self.state().listens(polled.is_pending());
        ready!(polled)?;
        self.state().read(buffer.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl Io {
    /// Whether what comes is what is meant.
    fn may_write(&self) -> io::Result<()> {
        match self.state().handover.is_spoiled() {
            false => Ok(()),
            true => Err(io::Error::other("bytes were taken that stood for those of a file")),
        }
    }

    fn poll_send_file(
        &mut self,
        cx: &mut Context<'_>,
        before: &[io::IoSlice<'_>],
        length: usize,
    ) -> Poll<io::Result<usize>> {
        self.sender.poll_send(self.taken.state(), &self.conn, before, length, cx)
    }

    fn written(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(count)) => self.state().wrote(*count),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.state().cannot_write(),
        }
        written
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.may_write()?;
        if send_file::is_stand_in(bytes) {
            return self.poll_send_file(cx, &[], bytes.len());
        }
        self.written(Pin::new(&mut &*self.conn).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.may_write()?;
        if let Some(before) = parts.iter().position(|part| send_file::is_stand_in(part)) {
            return self.poll_send_file(cx, &parts[..before], parts[before].len());
        }
        let length = parts.iter().map(|part| part.len()).sum::<usize>();
        if parts.len() > 1 && length <= SHORT {
            let mut room = [0; SHORT];
            let whole = joined(parts, &mut room[..length]);
            return self.written(Pin::new(&mut &*self.conn).poll_write(cx, whole));
        }
        self.written(Pin::new(&mut &*self.conn).poll_write_vectored(cx, parts))
    }

    fn is_write_vectored(&self) -> bool {
        AsyncWrite::is_write_vectored(&&*self.conn)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut &*self.conn).poll_flush(cx);
        match &flushed {
            Poll::Ready(_) => self.state().flushed(),
            Poll::Pending => self.state().cannot_write(),
        }
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self.conn).poll_shutdown(cx)
    }
}

impl rt::Read for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        // Only hyper-util may write into hyper's buffers without `unsafe`.
        rt::Read::poll_read(Pin::new(&mut hyper_util::rt::TokioIo::new(self.get_mut())), cx, buffer)
    }
}

impl rt::Write for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(self, cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_flush(self, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_shutdown(self, cx)
    }

    fn is_write_vectored(&self) -> bool {
        AsyncWrite::is_write_vectored(self)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write_vectored(self, cx, parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_joined_in_their_order() {
        for parts in [&["one", "", "two"][..], &["", "one", "two"], &["onetwo"]] {
            let parts: Vec<_> = parts.iter().map(|part| io::IoSlice::new(part.as_bytes())).collect();
            assert_eq!(joined(&parts, &mut [0; 6]), b"onetwo");
        }
        assert_eq!(joined(&[], &mut []), b"");
    }
}
