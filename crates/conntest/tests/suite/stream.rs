//! A byte stream over tokio's in-memory duplex that is correct, or has exactly one flaw.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// What is wrong with a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamFlaw {
    None,
    DropsAByte,
    HoldsUnflushedWritesForEver,
    ReadsTooMuch,
    OverwritesTheBuffer,
    ReadsNothingNow,
    CountsUnwrittenBuffers,
    ReversesBuffers,
    AcceptsEverything,
    NeverWakesWriters,
    LosesWhatWaits,
    ShutdownLosesData,
    EndsOnce,
    WritesAfterShutdown,
    ShutdownClosesBoth,
}

pub(crate) struct Flawed {
    inner: DuplexStream,
    flaw: StreamFlaw,
    read: usize,
    written: usize,
    held: Vec<u8>,
    waited: bool,
    shut: bool,
    ended: bool,
}

pub(crate) fn stream_pair(flaw: StreamFlaw) -> (Flawed, Flawed) {
    let room = if flaw == StreamFlaw::AcceptsEverything { usize::MAX >> 1 } else { 10_000 };
    let (a, b) = tokio::io::duplex(room);
    let end = |inner| Flawed {
        inner,
        flaw,
        read: 0,
        written: 0,
        held: Vec::new(),
        waited: false,
        shut: false,
        ended: false,
    };
    (end(a), end(b))
}

impl AsyncRead for Flawed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match self.flaw {
            StreamFlaw::ShutdownClosesBoth if self.shut => return Poll::Ready(Ok(())),
            StreamFlaw::EndsOnce if self.ended => return Poll::Pending,
            StreamFlaw::ReadsNothingNow if self.read > 500 && !self.waited => {
                self.waited = true;
                return Poll::Ready(Ok(()));
            }
            // Takes data when it is polled first, and hands it out at the next poll of the same read: a read that is
            // dropped in between has taken it along.
            StreamFlaw::LosesWhatWaits if !self.waited => {
                let mut scratch = vec![0; buffer.remaining()];
                let mut taken = ReadBuf::new(&mut scratch);
                ready!(Pin::new(&mut self.inner).poll_read(context, &mut taken))?;
                self.held = taken.filled().to_vec();
                self.waited = true;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            StreamFlaw::LosesWhatWaits => {
                self.waited = false;
                let held = std::mem::take(&mut self.held);
                // What was taken for one buffer does not fit into a smaller one.
                buffer.put_slice(&held[..held.len().min(buffer.remaining()).saturating_sub(1)]);
                return Poll::Ready(Ok(()));
            }
            _ => {}
        }
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        let count = buffer.filled().len() - before;
        self.ended = count == 0;
        match self.flaw {
            StreamFlaw::OverwritesTheBuffer if before > 0 => buffer.filled_mut()[0] = 0,
            StreamFlaw::ReadsTooMuch if count > 0 => {
                let mut scratch = [0; 1];
                let mut more = ReadBuf::new(&mut scratch);
                let _ = Pin::new(&mut self.inner).poll_read(context, &mut more)?;
            }
            _ => {}
        }
        self.read += count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Flawed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.flaw == StreamFlaw::WritesAfterShutdown && self.shut {
            return Poll::Ready(Ok(bytes.len()));
        }
        if matches!(self.flaw, StreamFlaw::HoldsUnflushedWritesForEver | StreamFlaw::ShutdownLosesData) {
            self.held.extend_from_slice(bytes);
            if self.held.len() < 1000 {
                return Poll::Ready(Ok(bytes.len()));
            }
            let held = std::mem::take(&mut self.held);
            let count = match Pin::new(&mut self.inner).poll_write(context, &held) {
                Poll::Ready(count) => count?,
                Poll::Pending => 0,
            };
            self.held = held[count..].to_vec();
            if self.held.len() < 100_000 {
                return Poll::Ready(Ok(bytes.len()));
            }
            let kept = self.held.len() - bytes.len();
            self.held.truncate(kept);
            return Poll::Pending;
        }
        if self.flaw == StreamFlaw::NeverWakesWriters {
            let mut nobody = Context::from_waker(std::task::Waker::noop());
            return Pin::new(&mut self.inner).poll_write(&mut nobody, bytes);
        }
        let count = ready!(Pin::new(&mut self.inner).poll_write(context, bytes))?;
        self.written += count;
        if self.flaw == StreamFlaw::DropsAByte && self.written > 5000 {
            self.written = 0;
            return Poll::Ready(Ok((count + 1).min(bytes.len())));
        }
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let all: Vec<u8> = match self.flaw {
            StreamFlaw::ReversesBuffers => buffers.iter().rev().flat_map(|part| part.to_vec()).collect(),
            _ => buffers.iter().flat_map(|part| part.to_vec()).collect(),
        };
        let count = ready!(self.as_mut().poll_write(context, &all))?;
        Poll::Ready(Ok(if self.flaw == StreamFlaw::CountsUnwrittenBuffers { all.len() } else { count }))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shut = true;
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
