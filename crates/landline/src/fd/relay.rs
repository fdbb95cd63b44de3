//! From one socket to another, a message at a time: one read, and the write that follows it at once.
//!
//! It does what [`NetFd::poll_io`] twice would do, and spares what that does twice: for small messages a tenth of the
//! time is spent in this process, and each step of it counts.

use std::os::fd::BorrowedFd;
use std::task::{self, Poll, ready};

use rustix::net::RecvFlags;

use super::limits::Direction;
use super::net_fd::{Io, NetFd};
use super::opened::Opened;
use super::stream::{counted, send};
use crate::error::Cause;

/// How what has arrived is read.
#[derive(Clone, Copy)]
pub(crate) enum ReadOnce {
    /// As bytes, with recv(2).
    Bytes,
    With(fn(BorrowedFd<'_>, &mut [u8]) -> rustix::io::Result<Io<usize>>),
}

/// Two sockets that stay open for the time of a poll.
pub(crate) struct Relay<'a> {
    from: Opened<'a>,
    to: Opened<'a>,
    read: ReadOnce,
}

/// What came of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Relayed {
    /// How much was read; 0 is the end.
    pub(crate) read: usize,
    /// How much of it was written.
    pub(crate) written: usize,
}

/// Which half of a step failed.
#[derive(Debug)]
pub(crate) enum RelayError {
    Read(Cause),
    /// After so much was read.
    Write(usize, Cause),
}

impl ReadOnce {
    #[inline(always)]
    fn read(self, fd: BorrowedFd<'_>, buffer: &mut [u8]) -> rustix::io::Result<Io<usize>> {
        match self {
            ReadOnce::Bytes => {
                let (count, _) = rustix::net::recv(fd, &mut *buffer, RecvFlags::empty())?;
                Ok(counted(count, buffer.len()))
            }
            ReadOnce::With(read) => read(fd, buffer),
        }
    }
}

impl<'a> Relay<'a> {
    pub(crate) fn between(from: &'a NetFd, read: ReadOnce, to: &'a NetFd) -> Result<Relay<'a>, RelayError> {
        let Some(from) = from.open() else { return Err(RelayError::Read(Cause::Closed)) };
        let Some(to) = to.open() else { return Err(RelayError::Write(0, Cause::Closed)) };
        Ok(Relay { from, to, read })
    }

    /// Reads once, and writes what was read as far as there is room.
    #[inline]
    pub(crate) fn poll_step(
        &mut self,
        cx: &mut task::Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Result<Relayed, Box<RelayError>>> {
        let read = loop {
            match self.from.attempt(Direction::Read, &mut |fd| self.read.read(fd, buffer)) {
                Some(read) => break read.map_err(failed_to_read)?,
                None => ready!(self.from.poll_ready(Direction::Read, cx)).map_err(failed_to_read)?,
            }
        };
        self.from.count(Direction::Read, read);
        if read == 0 {
            return Poll::Ready(Ok(Relayed { read, written: 0 }));
        }
        let bytes = &buffer[..read];
        let written = match self.to.attempt(Direction::Write, &mut |fd: BorrowedFd<'_>| send(fd, bytes)) {
            Some(Ok(written)) => {
                self.to.count(Direction::Write, written);
                written
            }
            None => 0,
            Some(Err(cause)) => return Poll::Ready(Err(Box::new(RelayError::Write(read, cause)))),
        };
        Poll::Ready(Ok(Relayed { read, written }))
    }
}

#[cold]
fn failed_to_read(cause: Cause) -> Box<RelayError> {
    Box::new(RelayError::Read(cause))
}
