//! Deadlines and a bound context: what can end I/O other than the kernel.
//!
//! While neither is set, a read or write looks at one atomic flag and nothing else.

use std::future::Future;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{self, Poll, Waker};

use tokio::time::Instant;

pub(super) use super::waiters::Belief;
use super::waiters::{Seat, Waiters};
use crate::context::{Context, sleep_until};
use crate::error::Cause;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Read,
    Write,
}

#[derive(Default)]
pub(crate) struct Limits {
    waiters: Waiters,
    set: OnceLock<Box<Mutex<Set>>>,
}

/// What was ever set; made on first use, since most conns never have a deadline.
#[derive(Default)]
struct Set {
    limits: [Limit; 2],
    /// The timers of `poll_read` and `poll_write`, which have no future of their own to keep them in.
    polled: [Option<Expiry>; 2],
}

#[derive(Clone, Default)]
struct Limit {
    deadline: Option<Instant>,
    context: Context,
    /// Counts the changes, so that a timer made for an older limit is known by its number.
    version: u64,
}

/// Becomes ready when a limit may have been reached.
pub(crate) struct Expiry(Box<Timer>);

struct Timer {
    version: u64,
    reached: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Limits {
    /// Whether I/O in this direction may begin: not past its deadline, and its context not ended.
    #[inline]
    pub(crate) fn check(&self, direction: Direction) -> Result<(), Cause> {
        if !self.limited(direction) {
            return Ok(());
        }
        self.set().limits[direction as usize].check()
    }

    /// A place for a call that waits in this direction.
    pub(crate) fn seat(&self, direction: Direction) -> Seat<'_> {
        self.waiters.seat(direction)
    }

    /// [`Waiters::enlist`].
    #[inline]
    pub(crate) fn enlist(
        &self,
        direction: Direction,
        seat: &mut Option<NonZeroU32>,
        waker: &Waker,
    ) -> Option<NonZeroU32> {
        self.waiters.enlist(direction, seat, waker)
    }

    /// [`Waiters::is_crowded`].
    #[cfg(test)]
    pub(crate) fn is_crowded(&self) -> bool {
        self.waiters.is_crowded()
    }

    /// [`Waiters::is_alone`].
    #[inline]
    pub(crate) fn is_alone(&self, direction: Direction, seat: NonZeroU32) -> bool {
        self.waiters.is_alone(direction, seat)
    }

    /// [`Waiters::vacate`].
    #[inline]
    pub(crate) fn vacate(&self, direction: Direction, seat: NonZeroU32) {
        self.waiters.vacate(direction, seat);
    }

    #[inline]
    pub(crate) fn leave(&self, direction: Direction, seat: NonZeroU32) {
        self.waiters.leave(direction, seat);
    }

    /// For a call that waits, after its seat was registered: ready with the cause once a limit is reached. Arms a
    /// timer in `expiry` only if there is a limit.
    #[inline]
    pub(crate) fn poll_reached(
        &self,
        direction: Direction,
        expiry: &mut Option<Expiry>,
        cx: &mut task::Context<'_>,
    ) -> Poll<Cause> {
        if !self.limited(direction) {
            *expiry = None;
            return Poll::Pending;
        }
        self.poll_reached_limited(direction, expiry, cx)
    }

    fn poll_reached_limited(
        &self,
        direction: Direction,
        expiry: &mut Option<Expiry>,
        cx: &mut task::Context<'_>,
    ) -> Poll<Cause> {
        let limit = self.set().limits[direction as usize].clone();
        limit.poll_reached(expiry, cx)
    }

    /// Enlists the task of `poll_read` or `poll_write`; what it waits for must be looked at again after this.
    #[inline]
    pub(crate) fn register_polled(&self, direction: Direction, cx: &task::Context<'_>) -> Option<NonZeroU32> {
        self.waiters.register_polled(direction, cx.waker())
    }

    /// [`Limits::poll_reached`] for `poll_read` and `poll_write`, whose timer is kept here.
    pub(crate) fn poll_reached_polled(
        &self,
        direction: Direction,
        cx: &mut task::Context<'_>,
    ) -> Poll<Cause> {
        if !self.limited(direction) {
            return Poll::Pending;
        }
        let index = direction as usize;
        // Polled without the lock: a waker that is dropped on the way may be the last of its kind, and what goes with it may
        // move the deadline.
        let (limit, mut expiry) = {
            let mut set = self.set();
            (set.limits[index].clone(), set.polled[index].take())
        };
        let reached = limit.poll_reached(&mut expiry, cx);
        let mut set = self.set();
        if set.limits[index].version == limit.version {
            std::mem::swap(&mut set.polled[index], &mut expiry);
        }
        drop(set);
        drop(expiry);
        reached
    }

    pub(crate) fn set_deadline(&self, direction: Direction, deadline: Option<Instant>) {
        self.change(direction, |limit| limit.deadline = deadline);
    }

    pub(crate) fn bind_context(&self, context: &Context) {
        for direction in [Direction::Read, Direction::Write] {
            self.change(direction, |limit| std::mem::replace(&mut limit.context, context.clone()));
        }
    }

    /// Wakes all who wait in this direction, to look again.
    pub(crate) fn wake_waiting(&self, direction: Direction) {
        self.waiters.wake_all(direction);
    }

    /// [`Waiters::wake_both`].
    #[inline]
    pub(crate) fn wake_both(&self) {
        self.waiters.wake_both();
    }

    #[inline]
    pub(super) fn belief(&self, direction: Direction) -> Belief {
        self.waiters.belief(direction)
    }

    #[inline]
    pub(super) fn believe(&self, direction: Direction, belief: Belief) {
        self.waiters.believe(direction, belief);
    }

    /// Whether a write has ever found the socket full. Until then it is writable, whether or not the reactor has said so.
    #[inline]
    pub(super) fn was_full(&self) -> bool {
        self.waiters.was_full()
    }

    fn change<Replaced>(&self, direction: Direction, change: impl FnOnce(&mut Limit) -> Replaced) {
        let index = direction as usize;
        let mut set = self.set();
        let limit = &mut set.limits[index];
        let replaced = change(limit);
        limit.version += 1;
        let limited = limit.deadline.is_some() || !limit.context.is_background();
        let outdated = if limited { None } else { set.polled[index].take() };
        self.waiters.limited[index].store(limited, Ordering::Release);
        drop(set);
        // With a waker in the timer, or a cause in the context, whose end may lead back here.
        drop((outdated, replaced));
        self.waiters.wake_all(direction);
    }

    #[inline]
    fn limited(&self, direction: Direction) -> bool {
        self.waiters.limited[direction as usize].load(Ordering::Acquire)
    }

    fn set(&self) -> MutexGuard<'_, Set> {
        self.set.get_or_init(Box::default).lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Limit {
    fn check(&self) -> Result<(), Cause> {
        if let Some(ended) = self.context.ended() {
            return Err(ended.into());
        }
        match self.deadline {
            Some(deadline) if deadline <= Instant::now() => Err(Cause::Timeout),
            _ => Ok(()),
        }
    }

    fn poll_reached(&self, expiry: &mut Option<Expiry>, cx: &mut task::Context<'_>) -> Poll<Cause> {
        loop {
            if let Err(cause) = self.check() {
                return Poll::Ready(cause);
            }
            if !matches!(expiry, Some(Expiry(timer)) if timer.version == self.version) {
                let timer = Timer { version: self.version, reached: Box::pin(self.clone().reached()) };
                *expiry = Some(Expiry(Box::new(timer)));
            }
            let Expiry(timer) = expiry.as_mut().expect("set above");
            if timer.reached.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            // Looked at again with a new timer, in case this one came a little before its time.
            *expiry = None;
        }
    }

    async fn reached(self) {
        tokio::select! {
            () = sleep_until(self.deadline) => {}
            _ = self.context.done() => {}
        }
    }
}
