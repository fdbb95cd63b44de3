//! A call that waits until the socket is ready, and what it holds meanwhile.

use std::num::NonZeroU32;
use std::os::fd::BorrowedFd;
use std::pin::Pin;
use std::task::{self, Poll};

use super::limits::{Direction, Expiry, Limits};
use super::net_fd::{Io, NetFd};
use crate::error::Cause;

/// What is done with a socket as soon as it may be.
///
/// A closure is one. Where the system call is to be made without a return behind it (see [`attempt`](super::attempt)) it is a type
/// with `inline(always)`, which a closure cannot have: each is called from several places, and so would be a function.
pub(crate) trait Operate {
    type Value;
    /// Which way it moves bytes, where that is known of the type: then nothing is decided by it when it runs.
    const DIRECTION: Option<Direction> = None;

    fn operate(&mut self, socket: &NetFd, fd: BorrowedFd<'_>) -> rustix::io::Result<Io<Self::Value>>;
}

impl<T, F: FnMut(BorrowedFd<'_>) -> rustix::io::Result<Io<T>>> Operate for F {
    type Value = T;

    #[inline]
    fn operate(&mut self, _: &NetFd, fd: BorrowedFd<'_>) -> rustix::io::Result<Io<T>> {
        self(fd)
    }
}

/// An operation as a function of its own, for where the call that it makes is not what is usual.
pub(super) struct Apart<'a, O>(pub(super) &'a mut O);

impl<O: Operate> Operate for Apart<'_, O> {
    type Value = O::Value;
    const DIRECTION: Option<Direction> = O::DIRECTION;

    #[inline(never)]
    fn operate(&mut self, socket: &NetFd, fd: BorrowedFd<'_>) -> rustix::io::Result<Io<O::Value>> {
        self.0.operate(socket, fd)
    }
}

/// A call under way. A type of its own, because every task that reads or writes keeps one, and what an `async fn` would
/// keep is twice as large; for the same reason the operation is given the socket, and need not keep it too.
pub(crate) struct Call<'a, F> {
    fd: &'a NetFd,
    expiry: Option<Expiry>,
    /// Where it waits, once it does.
    seat: Option<NonZeroU32>,
    direction: Direction,
    at_once: bool,
    operation: F,
}

impl<'a, F> Call<'a, F> {
    #[inline]
    pub(super) fn new(fd: &'a NetFd, direction: Direction, operation: F) -> Call<'a, F> {
        Call { fd, expiry: None, seat: None, direction, at_once: false, operation }
    }

    /// Waits for nothing: there is nothing to move.
    #[inline]
    pub(crate) fn at_once(mut self) -> Self {
        self.at_once = true;
        self
    }
}

impl<F: Operate + Unpin> Future for Call<'_, F> {
    type Output = Result<F::Value, Cause>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        let Call { fd, expiry, seat, direction, at_once, operation } = &mut *self;
        let direction = F::DIRECTION.unwrap_or(*direction);
        if *at_once {
            return Poll::Ready(fd.with_open(|open| {
                fd.check(direction)?;
                Ok(operation.operate(fd, open)?.value)
            }));
        }
        let mut waiter = Waiter::Call { seat, expiry };
        fd.poll_waiting(direction, &mut waiter, cx, operation)
    }
}

impl<F> Drop for Call<'_, F> {
    #[inline]
    fn drop(&mut self) {
        if let Some(seat) = self.seat {
            self.fd.limits().leave(self.direction, seat);
        }
    }
}

/// Who waits for readiness.
pub(super) enum Waiter<'a> {
    /// A call, with what it holds while it waits.
    Call { seat: &'a mut Option<NonZeroU32>, expiry: &'a mut Option<Expiry> },
    /// The task of `poll_read` or `poll_write`, which holds nothing.
    Polled,
}

impl Waiter<'_> {
    /// [`Limits::enlist`].
    #[inline]
    pub(super) fn enlist(
        &mut self,
        limits: &Limits,
        direction: Direction,
        cx: &task::Context<'_>,
    ) -> Option<NonZeroU32> {
        match self {
            Waiter::Call { seat, .. } => limits.enlist(direction, seat, cx.waker()),
            Waiter::Polled => limits.register_polled(direction, cx),
        }
    }

    /// Waits no longer, as it has what it waited for.
    #[inline]
    pub(super) fn settle(&mut self, limits: &Limits, direction: Direction) {
        // A task that polls has one place for good: another poll of its own may wait there.
        if let Waiter::Call { seat, .. } = self
            && let Some(seat) = seat.take()
        {
            limits.vacate(direction, seat);
        }
    }

    #[inline]
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
