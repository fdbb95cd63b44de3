//! The descriptor itself.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{self, Poll, Wake, ready};
use std::time::Duration;

use rustix::io::Errno;
use tokio::io::unix::AsyncFd;
use tokio::io::{Interest, Ready};
use tokio::task::coop;
use tokio::time::Instant;

use super::attempt::{INTEREST, has_had_urgent_data, poll_ready, try_io};
use super::call::{Apart, Call, Operate, Waiter};
use super::limits::{Belief, Direction, Limits};
use super::meter::{Meter, Traffic};
use super::monitor::Monitor;
use crate::context::Context;
use crate::error::Cause;
use crate::sys::{Entered, Number, Registered};

/// A socket in the reactor of the runtime that made it.
///
/// Any number of calls may read, write, close and move deadlines at once. The descriptor's number stays taken until
/// this is dropped, so that it can be lent out as [`BorrowedFd`]; a close releases only what is behind it.
///
/// Everything is on the heap, so that conns stay small: futures hold them by value, and often twice.
pub(crate) struct NetFd(pub(super) Arc<Shared>);

/// What the reactor wakes where several wait in one direction, by way of `limits`, which wakes all who wait there. So the
/// reactor's one place in a direction serves any number of them, and costs less than its list of waiting futures; one that
/// waits alone has that place itself (see [`poll_ready`](super::attempt::poll_ready)).
pub(super) struct Shared {
    pub(super) io: Registered,
    pub(super) limits: Limits,
    pub(super) meter: Meter,
    ends: Ends,
}

/// The addresses of a conn, asked of the kernel at most once, and only when somebody wants to know.
#[derive(Default)]
pub(crate) struct Ends {
    /// Boxed, since few ask for it.
    pub(crate) local: OnceLock<Box<SocketAddr>>,
    pub(crate) peer: OnceLock<SocketAddr>,
    /// [`NetFd::mark`], here because there is room for it.
    mark: AtomicU8,
}

/// What one system call gave, and what it says about the next one.
pub(crate) struct Io<T> {
    pub(crate) value: T,
    pub(crate) readiness: Readiness,
}

/// Whether the next call in the same direction may expect to find the socket ready.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// As far as is known.
    Kept,
    /// No: the call took or gave less than it could. The reactor is edge-triggered (epoll(7)), so waiting is safe,
    /// and it saves the call that would return `EAGAIN`.
    UsedUp,
}

impl NetFd {
    /// Registers a non-blocking socket with the current runtime's reactor.
    ///
    /// # Panics
    /// Outside a tokio runtime, as tokio's own sockets do.
    pub(crate) fn new(fd: OwnedFd) -> io::Result<NetFd> {
        Ok(NetFd::with(Registered::new(fd, INTEREST)?, Meter::default()))
    }

    /// For a conn just accepted: registered only when somebody waits for it, since it has its first bytes by then more
    /// often than not, and one that is short may never have to wait. What it moves is added to `traffic`.
    pub(crate) fn accepted(fd: OwnedFd, traffic: Arc<Traffic>) -> NetFd {
        NetFd::with(Registered::on_demand(fd), Meter::new(traffic))
    }

    /// [`NetFd::new`], and what it moves is added to `traffic`.
    pub(crate) fn metered(fd: OwnedFd, traffic: Arc<Traffic>) -> io::Result<NetFd> {
        Ok(NetFd::with(Registered::new(fd, INTEREST)?, Meter::new(traffic)))
    }

    fn with(io: Registered, meter: Meter) -> NetFd {
        NetFd(Arc::new(Shared { io, limits: Limits::default(), meter, ends: Ends::default() }))
    }

    /// Says that so many bytes were moved; to be called by whoever moves some.
    #[inline]
    pub(crate) fn count(&self, direction: Direction, bytes: usize) {
        self.0.meter.count(direction, bytes);
    }

    /// For whoever watches over it without owning it.
    pub(crate) fn monitor(&self) -> Monitor {
        Monitor::new(self.0.clone())
    }

    /// What whoever made it wants to remember of it, such as its kind; 0 at first.
    #[inline]
    pub(crate) fn mark(&self) -> u8 {
        self.0.ends.mark.load(Ordering::Relaxed)
    }

    pub(crate) fn set_mark(&self, mark: u8) {
        self.0.ends.mark.store(mark, Ordering::Relaxed);
    }

    pub(crate) fn ends(&self) -> &Ends {
        &self.0.ends
    }

    /// Does `operation` once the socket is ready in `direction`, as often as it takes; cancel-safe, since a call of
    /// `operation` that succeeds is the last thing done.
    pub(crate) fn io<'a, T>(
        &'a self,
        direction: Direction,
        operation: impl FnMut(BorrowedFd<'_>) -> rustix::io::Result<Io<T>> + Unpin + 'a,
    ) -> Call<'a, impl Operate<Value = T> + Unpin> {
        self.call(direction, operation)
    }

    #[inline]
    pub(crate) fn call<O: Operate + Unpin>(&self, direction: Direction, operation: O) -> Call<'_, O> {
        Call::new(self, direction, operation)
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// [`NetFd::io`] for `poll_read` and `poll_write`: one task in each direction.
    pub(crate) fn poll_io<T>(
        &self,
        direction: Direction,
        cx: &mut task::Context<'_>,
        mut operation: impl FnMut(BorrowedFd<'_>) -> rustix::io::Result<Io<T>>,
    ) -> Poll<Result<T, Cause>> {
        self.poll_waiting(direction, &mut Waiter::Polled, cx, &mut operation)
    }

    /// The way that waits for nothing is compiled into the caller, for the reason that [`try_io`] tells of.
    #[inline(always)]
    pub(super) fn poll_waiting<O: Operate>(
        &self,
        direction: Direction,
        waiter: &mut Waiter<'_>,
        cx: &mut task::Context<'_>,
        operation: &mut O,
    ) -> Poll<Result<O::Value, Cause>> {
        let shared = &self.0;
        let Some(io) = shared.io.enter() else { return Poll::Ready(Err(Cause::Closed)) };
        // As tokio's own sockets do, so that a busy conn does not starve the other tasks of its thread. A read that asks
        // the reactor takes it there.
        let asks_reactor = direction == Direction::Read && io.registration().is_some();
        let budget = if asks_reactor { None } else { Some(ready!(coop::poll_proceed(cx))) };
        shared.limits.check(direction)?;
        let belief = shared.limits.belief(direction);
        let polled = match try_io(self, &io, direction, belief, operation) {
            Some(result) => Poll::Ready(result),
            None => match self.poll_awaited(&io, direction, waiter, cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Ok(())) => self.poll_again(&io, direction, waiter, cx, &mut Apart(operation)),
                Poll::Ready(Err(cause)) => Poll::Ready(Err(cause)),
            },
        };
        if polled.is_ready() && belief != Belief::Ready {
            waiter.settle(&shared.limits, direction);
        }
        if let (Poll::Ready(_), Some(budget)) = (&polled, budget) {
            budget.made_progress();
        }
        polled
    }

    /// Tries, and waits again whenever that was for nothing.
    #[cold]
    #[inline(never)]
    fn poll_again<O: Operate>(
        &self,
        io: &Entered<'_>,
        direction: Direction,
        waiter: &mut Waiter<'_>,
        cx: &mut task::Context<'_>,
        operation: &mut O,
    ) -> Poll<Result<O::Value, Cause>> {
        loop {
            self.0.limits.check(direction)?;
            if let Some(result) = try_io(self, io, direction, Belief::Ready, operation) {
                return Poll::Ready(result);
            }
            ready!(self.poll_awaited(io, direction, waiter, cx))?;
        }
    }

    /// Waits until the socket is believed ready, or a limit is reached, or it is closed.
    #[inline(never)]
    pub(super) fn poll_awaited(
        &self,
        io: &Entered<'_>,
        direction: Direction,
        waiter: &mut Waiter<'_>,
        cx: &mut task::Context<'_>,
    ) -> Poll<Result<(), Cause>> {
        let shared = &self.0;
        let alone = waiter.enlist(&shared.limits, direction, cx);
        if shared.io.is_ended() {
            return Poll::Ready(Err(Cause::Closed));
        }
        match poll_ready(shared, io, direction, alone, cx)? {
            Poll::Ready(()) => Poll::Ready(Ok(())),
            Poll::Pending => waiter.poll_reached(&shared.limits, direction, cx).map(Err),
        }
    }

    /// Does `operation` if the socket is believed ready; `None` if it is not.
    pub(crate) fn try_io<T>(
        &self,
        direction: Direction,
        operation: &mut impl FnMut(BorrowedFd<'_>) -> rustix::io::Result<Io<T>>,
    ) -> Option<Result<T, Cause>> {
        match self.open() {
            Some(open) => open.attempt(direction, operation),
            None => Some(Err(Cause::Closed)),
        }
    }

    /// Waits until the socket is ready for `interest`, or a limit is reached, or it is closed.
    pub(crate) async fn ready(&self, direction: Direction, interest: Interest) -> Result<Ready, Cause> {
        let Some(io) = self.0.io.enter() else { return Err(Cause::Closed) };
        let guard = self.unless_ended(direction, self.0.register(&io)?.ready(interest)).await??;
        self.0.limits.believe(direction, Belief::Ready);
        Ok(guard.ready())
    }

    /// Waits as [`NetFd::ready`] does and then does `operation`; `None` if it would block after all.
    pub(crate) async fn io_when<T>(
        &self,
        direction: Direction,
        interest: Interest,
        operation: &mut impl FnMut(BorrowedFd<'_>) -> rustix::io::Result<T>,
    ) -> Result<Option<T>, Cause> {
        let Some(io) = self.0.io.enter() else { return Err(Cause::Closed) };
        let mut guard = self.unless_ended(direction, self.0.register(&io)?.ready(interest)).await??;
        self.0.limits.believe(direction, Belief::Ready);
        loop {
            match operation(io.as_fd()) {
                Ok(value) => return Ok(Some(value)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    guard.clear_ready();
                    return Ok(None);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The next event that is an error. It keeps the socket from being released until it is dropped.
    pub(crate) fn error_event(&self) -> impl Future<Output = ()> + Send + use<> {
        let shared = self.0.clone();
        async move {
            let Some(io) = shared.io.enter() else { return };
            let Ok(io) = shared.register(&io) else { return };
            if let Ok(mut guard) = io.ready(Interest::ERROR).await {
                // Forgotten before anybody looks for the error, so that the next is not missed.
                guard.clear_ready();
            }
        }
    }

    /// Waits for `event`, or until a limit is reached, or it is closed.
    pub(crate) async fn unless_ended<T>(
        &self,
        direction: Direction,
        event: impl Future<Output = T>,
    ) -> Result<T, Cause> {
        let mut event = pin!(event);
        let mut seat = None;
        let mut expiry = None;
        poll_fn(|cx| {
            if let Poll::Ready(value) = event.as_mut().poll(cx) {
                return Poll::Ready(Ok(value));
            }
            seat.get_or_insert_with(|| self.0.limits.seat(direction)).register(cx.waker());
            if self.is_closed() {
                return Poll::Ready(Err(Cause::Closed));
            }
            self.0.limits.poll_reached(direction, &mut expiry, cx).map(Err)
        })
        .await
    }

    /// Waits for `pause`, but not past a limit of `direction` or a close, which are errors.
    pub(crate) async fn pause(&self, direction: Direction, pause: Duration) -> Result<(), Cause> {
        self.unless_ended(direction, tokio::time::sleep(pause)).await
    }

    /// Whether I/O may begin in this direction: no limit was reached.
    pub(crate) fn check(&self, direction: Direction) -> Result<(), Cause> {
        self.0.limits.check(direction)
    }

    pub(crate) async fn readable(&self) -> Result<(), Cause> {
        self.0.limits.check(Direction::Read)?;
        self.ready(Direction::Read, Interest::READABLE).await.map(|_| ())
    }

    pub(crate) async fn writable(&self) -> Result<(), Cause> {
        self.0.limits.check(Direction::Write)?;
        self.ready(Direction::Write, Interest::WRITABLE).await.map(|_| ())
    }

    /// Closes the socket: whoever waits, and every later call, gets [`Cause::Closed`]; so does a second close.
    pub(crate) fn close(&self) -> Result<(), Cause> {
        if !self.0.io.close() {
            return Err(Cause::Closed);
        }
        self.0.limits.wake_both();
        Ok(())
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.io.is_ended()
    }

    /// For a call that does not wait, such as one that sets an option.
    pub(crate) fn with_fd<T>(
        &self,
        call: &'static str,
        operation: impl FnOnce(BorrowedFd<'_>) -> rustix::io::Result<T>,
    ) -> Result<T, Cause> {
        self.with_open(|fd| operation(fd).map_err(|error| Cause::System { call, error }))
    }

    /// The same for several calls, each with an error of its own.
    pub(crate) fn with_open<T>(
        &self,
        operation: impl FnOnce(BorrowedFd<'_>) -> Result<T, Cause>,
    ) -> Result<T, Cause> {
        match self.0.io.enter() {
            Some(io) => operation(io.as_fd()),
            None => Err(Cause::Closed),
        }
    }

    /// Whether the peer ever sent urgent data, as far as the reactor knows.
    pub(crate) fn has_had_urgent_data(&self) -> bool {
        self.0.io.enter().is_some_and(|io| io.registration().is_some_and(has_had_urgent_data))
    }

    pub(crate) fn set_read_deadline(&self, deadline: Option<Instant>) {
        self.0.limits.set_deadline(Direction::Read, deadline);
    }

    pub(crate) fn set_write_deadline(&self, deadline: Option<Instant>) {
        self.0.limits.set_deadline(Direction::Write, deadline);
    }

    pub(crate) fn bind_context(&self, context: &Context) {
        self.0.limits.bind_context(context);
    }

    /// Takes the descriptor out of the reactor; still non-blocking. [`Cause::Closed`] if it was closed.
    pub(crate) fn into_owned_fd(self) -> Result<OwnedFd, Cause> {
        match self.0.io.take() {
            Some(fd) => Ok(fd),
            // Closed; or there is a watch for errors, whose end takes it out of the reactor.
            None => self.with_open(|fd| Ok(fd.try_clone_to_owned()?)),
        }
    }
}

impl Shared {
    /// The registration, made now if there is none yet: with the runtime that accepted it, whoever is the first to wait,
    /// or with the current one.
    #[inline]
    pub(super) fn register<'a>(&self, io: &'a Entered<'_>) -> io::Result<&'a AsyncFd<Number>> {
        io.register(INTEREST, || self.meter.home())
    }
}

impl Drop for NetFd {
    fn drop(&mut self) {
        self.0.io.release();
    }
}

impl AsFd for NetFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.io.as_fd()
    }
}

impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.limits.wake_both();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.limits.wake_both();
    }
}

impl<T> Io<T> {
    pub(crate) fn kept(value: T) -> Io<T> {
        Io { value, readiness: Readiness::Kept }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod waking;
