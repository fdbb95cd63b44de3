//! The descriptor itself.

use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{self, Poll};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;
use tokio::io::{Interest, Ready};
use tokio::time::Instant;

use super::limits::{Direction, Limits};
use crate::context::Context;
use crate::error::Cause;
use crate::sys;

/// A socket in the reactor of the runtime that made it.
///
/// Any number of calls may read, write, close and move deadlines at once. The descriptor's number stays taken until
/// this is dropped, so that it can be lent out as [`BorrowedFd`]; a close releases only what is behind it.
pub(crate) struct NetFd {
    /// `None` once closed.
    live: ArcSwapOption<Live>,
    fd: Arc<OwnedFd>,
    limits: Limits,
}

/// The registration with the reactor. Calls in flight share it; the last one out after a close releases the socket.
struct Live {
    /// `None` only while it is dropped.
    io: Option<AsyncFd<Arc<OwnedFd>>>,
    closing: AtomicBool,
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
        let fd = Arc::new(fd);
        let io = sys::register(fd.clone(), Interest::READABLE | Interest::WRITABLE)?;
        let live = Live { io: Some(io), closing: AtomicBool::new(false) };
        Ok(NetFd { live: ArcSwapOption::from_pointee(live), fd, limits: Limits::default() })
    }

    /// Does `operation` once the socket is ready in `direction`, as often as it takes; cancel-safe, since a call of
    /// `operation` that succeeds is the last thing done.
    pub(crate) async fn io<T>(
        &self,
        direction: Direction,
        mut operation: impl FnMut(BorrowedFd<'_>) -> rustix::io::Result<Io<T>>,
    ) -> Result<T, Cause> {
        // As tokio's own sockets do, so that a busy conn does not starve the other tasks of its thread.
        tokio::task::coop::consume_budget().await;
        loop {
            if let Some(result) = self.try_io(direction, &mut operation) {
                return result;
            }
            self.ready(direction, direction.interest()).await?;
        }
    }

    /// Does `operation` if the socket is believed ready; `None` if it is not.
    pub(crate) fn try_io<T>(
        &self,
        direction: Direction,
        operation: &mut impl FnMut(BorrowedFd<'_>) -> rustix::io::Result<Io<T>>,
    ) -> Option<Result<T, Cause>> {
        let live = self.live.load();
        let Some(live) = &*live else { return Some(Err(Cause::Closed)) };
        if let Err(cause) = self.limits.check(direction) {
            return Some(Err(cause));
        }
        let mut result = None;
        // `WouldBlock` makes tokio forget the readiness of the event that it saw before the call, and of no later one.
        let _ = live.io().try_io(direction.interest(), |fd| {
            let readiness = loop {
                match operation(fd.as_fd()) {
                    Ok(Io { value, readiness }) => {
                        result = Some(Ok(value));
                        break readiness;
                    }
                    Err(Errno::INTR) => {}
                    Err(Errno::AGAIN) => break Readiness::UsedUp,
                    Err(error) => {
                        result = Some(Err(error.into()));
                        break Readiness::Kept;
                    }
                }
            };
            match readiness {
                Readiness::Kept => Ok(()),
                Readiness::UsedUp => Err(io::ErrorKind::WouldBlock.into()),
            }
        });
        result
    }

    /// Waits until the socket is ready for `interest`, or a limit is reached, or it is closed.
    pub(crate) async fn ready(&self, direction: Direction, interest: Interest) -> Result<Ready, Cause> {
        let Some(live) = self.live.load_full() else { return Err(Cause::Closed) };
        let guard = self.unless_ended(direction, live.io().ready(interest)).await?;
        Ok(guard?.ready())
    }

    /// Waits as [`NetFd::ready`] does and then does `operation`; `None` if it would block after all.
    pub(crate) async fn io_when<T>(
        &self,
        direction: Direction,
        interest: Interest,
        operation: &mut impl FnMut(BorrowedFd<'_>) -> rustix::io::Result<T>,
    ) -> Result<Option<T>, Cause> {
        let Some(live) = self.live.load_full() else { return Err(Cause::Closed) };
        let mut guard = self.unless_ended(direction, live.io().ready(interest)).await??;
        loop {
            match operation(guard.get_inner().as_fd()) {
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
            seat.get_or_insert_with(|| self.limits.seat(direction)).register(cx.waker());
            if self.is_closed() {
                return Poll::Ready(Err(Cause::Closed));
            }
            self.limits.poll_reached(direction, &mut expiry, cx).map(Err)
        })
        .await
    }

    /// Waits for `pause`, but not past a limit of `direction` or a close, which are errors.
    pub(crate) async fn pause(&self, direction: Direction, pause: Duration) -> Result<(), Cause> {
        self.unless_ended(direction, tokio::time::sleep(pause)).await
    }

    /// Whether I/O may begin in this direction: no limit was reached.
    pub(crate) fn check(&self, direction: Direction) -> Result<(), Cause> {
        self.limits.check(direction)
    }

    pub(crate) async fn readable(&self) -> Result<(), Cause> {
        self.limits.check(Direction::Read)?;
        self.ready(Direction::Read, Interest::READABLE).await.map(|_| ())
    }

    pub(crate) async fn writable(&self) -> Result<(), Cause> {
        self.limits.check(Direction::Write)?;
        self.ready(Direction::Write, Interest::WRITABLE).await.map(|_| ())
    }

    /// [`NetFd::io`] for `poll_read` and `poll_write`: one task in each direction.
    pub(crate) fn poll_io<T>(
        &self,
        direction: Direction,
        cx: &mut task::Context<'_>,
        mut operation: impl FnMut(BorrowedFd<'_>) -> rustix::io::Result<Io<T>>,
    ) -> Poll<Result<T, Cause>> {
        loop {
            let live = self.live.load();
            let Some(live) = &*live else { return Poll::Ready(Err(Cause::Closed)) };
            self.limits.check(direction)?;
            let readiness = match direction {
                Direction::Read => live.io().poll_read_ready(cx),
                Direction::Write => live.io().poll_write_ready(cx),
            };
            let mut guard = match readiness {
                Poll::Ready(guard) => guard?,
                Poll::Pending => {
                    self.limits.register_polled(direction, cx);
                    if self.is_closed() {
                        return Poll::Ready(Err(Cause::Closed));
                    }
                    return self.limits.poll_reached_polled(direction, cx).map(Err);
                }
            };
            match operation(guard.get_inner().as_fd()) {
                Ok(Io { value, readiness }) => {
                    if readiness == Readiness::UsedUp {
                        guard.clear_ready();
                    }
                    return Poll::Ready(Ok(value));
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => guard.clear_ready(),
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }

    /// Closes the socket: whoever waits, and every later call, gets [`Cause::Closed`]; so does a second close.
    pub(crate) fn close(&self) -> Result<(), Cause> {
        let Some(live) = self.live.swap(None) else { return Err(Cause::Closed) };
        live.closing.store(true, Ordering::Release);
        drop(live);
        self.limits.wake_all();
        Ok(())
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.live.load().is_none()
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
        match &*self.live.load() {
            Some(live) => operation(live.io().get_ref().as_fd()),
            None => Err(Cause::Closed),
        }
    }

    pub(crate) fn set_deadline(&self, deadline: Option<Instant>) {
        self.set_read_deadline(deadline);
        self.set_write_deadline(deadline);
    }

    pub(crate) fn set_read_deadline(&self, deadline: Option<Instant>) {
        self.limits.set_deadline(Direction::Read, deadline);
    }

    pub(crate) fn set_write_deadline(&self, deadline: Option<Instant>) {
        self.limits.set_deadline(Direction::Write, deadline);
    }

    pub(crate) fn bind_context(&self, context: &Context) {
        self.limits.bind_context(context);
    }

    /// Takes the descriptor out of the reactor; still non-blocking. [`Cause::Closed`] if it was closed.
    pub(crate) fn into_owned_fd(self) -> Result<OwnedFd, Cause> {
        match self.live.swap(None) {
            Some(live) => drop(live),
            None => return Err(Cause::Closed),
        }
        match Arc::try_unwrap(self.fd) {
            Ok(fd) => Ok(fd),
            Err(shared) => Ok(shared.try_clone()?),
        }
    }
}

impl AsFd for NetFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Live {
    fn io(&self) -> &AsyncFd<Arc<OwnedFd>> {
        self.io.as_ref().expect("taken only while dropped")
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let Some(io) = self.io.take() else { return };
        // Out of the reactor first, while its number still means this socket.
        let fd = io.into_inner();
        if *self.closing.get_mut() {
            // Fails only when descriptors have run out; the socket is then released together with its number.
            let _ = sys::replace_with_placeholder(&fd);
        }
    }
}

impl Direction {
    pub(crate) fn interest(self) -> Interest {
        match self {
            Direction::Read => Interest::READABLE,
            Direction::Write => Interest::WRITABLE,
        }
    }
}

impl<T> Io<T> {
    pub(crate) fn kept(value: T) -> Io<T> {
        Io { value, readiness: Readiness::Kept }
    }
}
