//! Moving bytes that this process never touches: splice(2) through a pipe, sendfile(2) from a file.

use std::os::fd::BorrowedFd;
use std::task::{self, Poll};

use rustix::io::Errno;
use rustix::net::SendFlags;
use rustix::pipe::SpliceFlags;

use super::limits::Direction;
use super::net_fd::{Io, NetFd};
use super::stream::counted;
use crate::error::Cause;

/// Never `SPLICE_F_MORE`: that more will follow is known only of what is already in the pipe, and the kernel sees that
/// itself. What is held back for more that does not come waits for 200 ms (tcp(7), `TCP_CORK`).
const FLAGS: SpliceFlags = SpliceFlags::NONBLOCK.union(SpliceFlags::MOVE);

/// What became of a splice from a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spliced {
    /// So many bytes went into the pipe; 0 is the end of the stream.
    Bytes(usize),
    /// Nothing moves, and nothing tells when it will: splice does not pass the mark of urgent data, and only a read does
    /// (tcp(7)).
    Stuck,
}

impl NetFd {
    /// Ready once there is something to read, as far as the reactor knows; it is not asked for by a system call.
    pub(crate) fn poll_readable(&self, cx: &mut task::Context<'_>) -> Poll<Result<(), Cause>> {
        self.poll_io(Direction::Read, cx, |_| Ok(Io::kept(())))
    }

    /// Moves up to `most` bytes of what has arrived into a pipe with nothing in it.
    pub(crate) fn poll_splice_out(
        &self,
        cx: &mut task::Context<'_>,
        pipe: BorrowedFd<'_>,
        most: usize,
    ) -> Poll<Result<Spliced, Cause>> {
        self.poll_io(Direction::Read, cx, |fd| {
            match rustix::pipe::splice(fd, None, pipe, None, most, FLAGS) {
                // Fewer than asked for does not mean that the socket is drained: the pipe counts pieces, not bytes.
                Ok(count) => {
                    self.count(Direction::Read, count);
                    Ok(Io::kept(Spliced::Bytes(count)))
                }
                Err(Errno::AGAIN) if self.has_had_urgent_data() => Ok(Io::kept(Spliced::Stuck)),
                Err(error) => Err(error),
            }
        })
    }

    /// Moves up to `count` bytes, which are in the pipe, to the socket.
    pub(crate) fn poll_splice_in(
        &self,
        cx: &mut task::Context<'_>,
        pipe: BorrowedFd<'_>,
        count: usize,
    ) -> Poll<Result<usize, Cause>> {
        self.poll_io(Direction::Write, cx, |fd| {
            // The pipe has that many, so fewer mean that the socket is full.
            self.sent(
                rustix::pipe::splice(pipe, None, fd, None, count, FLAGS).map(|sent| counted(sent, count)),
            )
        })
    }

    /// Writes what is known to be followed by more at once, so that it need not have a segment of its own.
    pub(crate) fn poll_write_more(
        &self,
        cx: &mut task::Context<'_>,
        buffer: &[u8],
    ) -> Poll<Result<usize, Cause>> {
        self.poll_io(Direction::Write, cx, |fd| {
            let flags = SendFlags::NOSIGNAL | SendFlags::MORE;
            self.sent(rustix::net::send(fd, buffer, flags).map(|sent| counted(sent, buffer.len())))
        })
    }

    /// Sends up to `count` bytes of a file, from where its cursor stands, which moves with them; 0 is its end.
    pub(crate) fn poll_send_file(
        &self,
        cx: &mut task::Context<'_>,
        file: BorrowedFd<'_>,
        count: usize,
    ) -> Poll<Result<usize, Cause>> {
        self.poll_io(Direction::Write, cx, |fd| {
            // Fewer than asked for may be the end of the file, so it does not mean that the socket is full.
            self.sent(rustix::fs::sendfile(fd, file, None, count).map(Io::kept))
        })
    }
}
