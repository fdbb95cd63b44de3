//! Trying without waiting, and asking the reactor to tell when it is time to try again.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::task::{self, Poll, Waker};

use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::limits::Direction;
use super::net_fd::{Io, Readiness, Shared};
use crate::error::Cause;
use crate::sys::{Entered, Number};

/// What the reactor is asked for. Urgent data is asked for to know whether there ever was any.
pub(super) const INTEREST: Interest = Interest::READABLE.add(Interest::WRITABLE).add(Interest::PRIORITY);

/// Asks the reactor, which wakes whoever is enlisted by way of `hub` if it has to wait.
#[inline]
pub(super) fn poll_ready(
    shared: &Shared,
    io: &Entered<'_>,
    direction: Direction,
    hub: &Waker,
) -> io::Result<Poll<()>> {
    let registration = shared.register(io)?;
    let mut cx = task::Context::from_waker(hub);
    let readiness = match direction {
        Direction::Read => registration.poll_read_ready(&mut cx),
        Direction::Write => registration.poll_write_ready(&mut cx),
    };
    match readiness {
        Poll::Ready(guard) => {
            guard?.retain_ready();
            shared.limits.set_spent(direction, false);
            Ok(Poll::Ready(()))
        }
        Poll::Pending => Ok(Poll::Pending),
    }
}

/// Does `operation` if the socket is believed ready; `None` if it is not.
#[inline]
pub(super) fn try_io<T>(
    shared: &Shared,
    io: &Entered<'_>,
    direction: Direction,
    operation: &mut impl FnMut(BorrowedFd<'_>) -> rustix::io::Result<Io<T>>,
) -> Option<Result<T, Cause>> {
    if shared.limits.is_spent(direction) {
        return None;
    }
    // Before the reactor knows the socket, it is believed ready until it proves not to be. To register it then tells of what
    // comes meanwhile, since epoll reports what is ready at that moment. The same goes for writing between then and the
    // report: whoever has to wait for the first bytes need not wait to answer them.
    let registration = match io.registration() {
        Some(registration) if direction == Direction::Read || shared.limits.was_full() => registration,
        _ => {
            let (result, readiness) = once(io.as_fd(), operation);
            shared.limits.set_spent(direction, readiness == Readiness::UsedUp);
            return result;
        }
    };
    let mut result = None;
    // `WouldBlock` makes tokio forget the readiness of the event that it saw before the call, and of no later one.
    let _ = registration.try_io(direction.interest(), |_| {
        let readiness;
        (result, readiness) = once(io.as_fd(), operation);
        if readiness == Readiness::Kept
            || direction == Direction::Read && result.is_some() && has_had_urgent_data(registration)
        {
            return Ok(());
        }
        shared.limits.set_spent(direction, true);
        Err(io::ErrorKind::WouldBlock.into())
    });
    result
}

/// What one call gave, which is nothing if the socket was not ready after all.
#[inline(always)]
fn once<T>(
    fd: BorrowedFd<'_>,
    operation: &mut impl FnMut(BorrowedFd<'_>) -> rustix::io::Result<Io<T>>,
) -> (Option<Result<T, Cause>>, Readiness) {
    loop {
        match operation(fd) {
            Ok(Io { value, readiness }) => return (Some(Ok(value)), readiness),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return (None, Readiness::UsedUp),
            Err(error) => return (Some(Err(error.into())), Readiness::Kept),
        }
    }
}

/// Whether the peer ever sent urgent data. A read stops before such, with more behind it (tcp(7), unix(7)), and so
/// looks as if it had taken all there was.
pub(super) fn has_had_urgent_data(io: &AsyncFd<Number>) -> bool {
    // Nobody else asks for this readiness, so it is never taken back.
    io.try_io(Interest::PRIORITY, |_| Ok(())).is_ok()
}
