//! A call that waits until the socket is ready, and what it holds meanwhile.

use std::os::fd::BorrowedFd;
use std::pin::Pin;
use std::task::{self, Poll};

use super::limits::{Direction, Expiry, Limits};
use super::net_fd::{Io, NetFd};
use super::waiters::Seat;
use crate::error::Cause;

/// A call under way. A type of its own, because every task that reads or writes keeps one, and what an `async fn` would
/// keep is twice as large.
pub(crate) struct Call<'a, F> {
    fd: &'a NetFd,
    direction: Direction,
    at_once: bool,
    waiter: Waiter<'a>,
    operation: F,
}

impl<'a, F> Call<'a, F> {
    pub(super) fn new(fd: &'a NetFd, direction: Direction, operation: F) -> Call<'a, F> {
        let waiter = Waiter::Call { seat: None, expiry: None };
        Call { fd, direction, at_once: false, waiter, operation }
    }

    /// Waits for nothing: there is nothing to move.
    pub(crate) fn at_once(mut self) -> Self {
        self.at_once = true;
        self
    }
}

impl<T, F> Future for Call<'_, F>
where
    F: FnMut(BorrowedFd<'_>) -> rustix::io::Result<Io<T>> + Unpin,
{
    type Output = Result<T, Cause>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        let Call { fd, direction, at_once, waiter, operation } = &mut *self;
        if *at_once {
            return Poll::Ready(fd.with_open(|open| {
                fd.check(*direction)?;
                Ok(operation(open)?.value)
            }));
        }
        fd.poll_waiting(*direction, waiter, cx, operation)
    }
}

/// Who waits for readiness.
pub(super) enum Waiter<'a> {
    /// A call, with what it holds while it waits.
    Call { seat: Option<Seat<'a>>, expiry: Option<Expiry> },
    /// The task of `poll_read` or `poll_write`, which holds nothing.
    Polled,
}

impl<'a> Waiter<'a> {
    pub(super) fn enlist(&mut self, limits: &'a Limits, direction: Direction, cx: &task::Context<'_>) {
        match self {
            Waiter::Call { seat, .. } => {
                seat.get_or_insert_with(|| limits.seat(direction)).register(cx.waker());
            }
            Waiter::Polled => limits.register_polled(direction, cx),
        }
    }

    pub(super) fn poll_reached(
        &mut self,
        limits: &Limits,
        direction: Direction,
        cx: &mut task::Context<'_>,
    ) -> Poll<Cause> {
        match self {
            Waiter::Call { expiry, .. } => limits.poll_reached(direction, expiry, cx),
            Waiter::Polled => limits.poll_reached_polled(direction, cx),
        }
    }
}
