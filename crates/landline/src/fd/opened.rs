//! Several calls on a socket in one poll.

use std::os::fd::BorrowedFd;
use std::task::{self, Poll};

use super::attempt::try_io;
use super::call::Waiter;
use super::limits::Direction;
use super::net_fd::{Io, NetFd};
use crate::error::Cause;
use crate::sys::Entered;

impl NetFd {
    /// For several calls in one poll; `None` once it was closed.
    #[inline]
    pub(crate) fn open(&self) -> Option<Opened<'_>> {
        self.0.io.enter().map(|io| Opened { fd: self, io })
    }
}

/// A socket that is kept from being closed, for the time of a poll.
pub(crate) struct Opened<'a> {
    fd: &'a NetFd,
    io: Entered<'a>,
}

impl Opened<'_> {
    #[inline]
    pub(crate) fn count(&self, direction: Direction, bytes: usize) {
        self.fd.count(direction, bytes);
    }

    /// Does `operation` if the socket is believed ready; `None` if it is not. A read of what the reactor knows takes of the
    /// task's budget.
    #[inline]
    pub(crate) fn attempt<T>(
        &self,
        direction: Direction,
        operation: &mut impl FnMut(BorrowedFd<'_>) -> rustix::io::Result<Io<T>>,
    ) -> Option<Result<T, Cause>> {
        let limits = self.fd.limits();
        match limits.check(direction) {
            Ok(()) => try_io(self.fd, &self.io, direction, limits.belief(direction), operation),
            Err(cause) => Some(Err(cause)),
        }
    }

    /// Waits as `poll_read` and `poll_write` do, one task in each direction, until the socket is believed ready, which
    /// takes of the task's budget.
    #[inline]
    pub(crate) fn poll_ready(
        &self,
        direction: Direction,
        cx: &mut task::Context<'_>,
    ) -> Poll<Result<(), Cause>> {
        self.fd.poll_awaited(&self.io, direction, &mut Waiter::Polled, cx)
    }
}
