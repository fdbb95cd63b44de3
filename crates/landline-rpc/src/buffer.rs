//! What has been received and not been taken, and what is to be sent.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The room a read is given at first.
const FIRST: usize = 8 << 10;
/// As much as reads that fill their room get in the end.
const ROOMY: usize = 256 << 10;
/// A buffer larger than this is given up when it is empty.
const KEPT: usize = 64 << 10;

/// Bytes that were received.
#[derive(Debug, Default)]
pub(crate) struct Input {
    bytes: Vec<u8>,
    begin: usize,
    end: usize,
}

impl Input {
    /// What was received before.
    pub(crate) fn of(bytes: &[u8]) -> Input {
        Input { bytes: bytes.to_vec(), begin: 0, end: bytes.len() }
    }

    pub(crate) fn received(&self) -> &[u8] {
        &self.bytes[self.begin..self.end]
    }

    /// Keeps only the last so many bytes.
    pub(crate) fn keep_last(&mut self, count: usize) {
        self.begin = self.end - count;
    }

    /// Reads once; how much, 0 at the end.
    pub(crate) fn poll_fill(
        &mut self,
        io: Pin<&mut impl AsyncRead>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        self.make_room();
        let mut buffer = ReadBuf::new(&mut self.bytes[self.end..]);
        let polled = io.poll_read(cx, &mut buffer);
        let count = buffer.filled().len();
        let filled_up = buffer.remaining() == 0;
        if polled.is_pending() && self.begin == self.end && self.bytes.len() > KEPT {
            *self = Input::default();
        }
        ready!(polled)?;
        self.end += count;
        if filled_up && self.bytes.len() < ROOMY {
            // More may be waiting: a larger buffer takes it with fewer reads.
            self.grow();
        }
        Poll::Ready(Ok(count))
    }

    fn make_room(&mut self) {
        if self.begin == self.end {
            (self.begin, self.end) = (0, 0);
        }
        if self.bytes.is_empty() {
            self.bytes.resize(FIRST, 0);
        } else if self.end == self.bytes.len() {
            // A part of a message stays: it moves to the front, or gets room behind it.
            if self.begin > self.bytes.len() / 2 {
                self.bytes.copy_within(self.begin..self.end, 0);
                self.end -= self.begin;
                self.begin = 0;
            } else {
                self.grow();
            }
        }
    }

    fn grow(&mut self) {
        let len = self.bytes.len() * 2;
        self.bytes.resize(len, 0);
    }
}

/// Bytes that are to be sent.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// Codecs append to it.
    pub(crate) bytes: Vec<u8>,
    sent: usize,
}

impl Output {
    pub(crate) fn unsent(&self) -> usize {
        self.bytes.len() - self.sent
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.unsent() == 0
    }

    /// Takes what another holds; only when all of this has been sent.
    pub(crate) fn swap(&mut self, other: &mut Vec<u8>) {
        debug_assert!(self.is_empty());
        self.bytes.clear();
        self.sent = 0;
        std::mem::swap(&mut self.bytes, other);
    }

    /// Sends all of it.
    pub(crate) fn poll_send(
        &mut self,
        mut io: Pin<&mut impl AsyncWrite>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.sent < self.bytes.len() {
            let polled = io.as_mut().poll_write(cx, &self.bytes[self.sent..]);
            if polled.is_pending() && self.sent > self.bytes.len() / 2 {
                self.bytes.drain(..self.sent);
                self.sent = 0;
            }
            match ready!(polled)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.sent += count,
            }
        }
        self.bytes.clear();
        self.sent = 0;
        if self.bytes.capacity() > KEPT {
            self.bytes = Vec::new();
        }
        // For conns that keep bytes back, as TLS does.
        io.poll_flush(cx)
    }
}
