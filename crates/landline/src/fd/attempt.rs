//! Trying without waiting, and asking the reactor to tell when it is time to try again.

use std::io;
use std::num::NonZeroU32;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::task::{self, Poll};

use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};

use super::call::{Apart, Operate};
use super::limits::{Belief, Direction};
use super::net_fd::{Io, NetFd, Readiness, Shared};
use crate::error::Cause;
use crate::sys::{self, Entered, Number};

/// What the reactor is asked for. Urgent data is asked for to know whether there ever was any.
pub(super) const INTEREST: Interest = Interest::READABLE.add(Interest::WRITABLE).add(Interest::PRIORITY);

/// Asks the reactor, of which the task, or all who are enlisted, will hear if it has to wait.
///
/// The reactor's one place in a direction is the task's own as long as nobody else waits in this direction: to be woken by
/// way of [`Limits`](super::limits::Limits) costs two locks and three counts more. Whoever comes to wait beside it takes
/// the place for all of them. A task that takes it while it is no longer alone, whether it waits then or not, gives it
/// back, and wakes the others for what it may have taken from them: to take the place and to see that nothing is ready are
/// two steps.
#[inline(always)]
pub(super) fn poll_ready(
    shared: &Arc<Shared>,
    io: &Entered<'_>,
    direction: Direction,
    alone: Option<NonZeroU32>,
    cx: &mut task::Context<'_>,
) -> io::Result<Poll<()>> {
    let registration = shared.register(io)?;
    let limits = &shared.limits;
    let mut polled = match alone {
        Some(_) => poll_registration(registration, direction, cx),
        None => Poll::Pending,
    };
    // Looked at after the place was taken, whatever came of that: it may have been another's.
    if alone.is_none_or(|number| !limits.is_alone(direction, number)) {
        if polled.is_pending() {
            polled = poll_for_all(shared, registration, direction);
        }
        if polled.is_ready() {
            // Of this event the others may not have heard, if the place was the task's own meanwhile.
            limits.wake_both();
        }
    }
    match polled {
        Poll::Pending => {
            limits.believe(direction, Belief::Awaited);
            Ok(Poll::Pending)
        }
        Poll::Ready(guard) => {
            guard?.retain_ready();
            limits.believe(direction, Belief::Ready);
            Ok(Poll::Ready(()))
        }
    }
}

#[inline(always)]
fn poll_registration<'a>(
    registration: &'a AsyncFd<Number>,
    direction: Direction,
    cx: &mut task::Context<'_>,
) -> Poll<io::Result<AsyncFdReadyGuard<'a, Number>>> {
    match direction {
        Direction::Read => registration.poll_read_ready(cx),
        Direction::Write => registration.poll_write_ready(cx),
    }
}

/// The reactor is to wake all who are enlisted.
#[inline(always)]
fn poll_for_all<'a>(
    shared: &Arc<Shared>,
    registration: &'a AsyncFd<Number>,
    direction: Direction,
) -> Poll<io::Result<AsyncFdReadyGuard<'a, Number>>> {
    let hub = sys::borrowed_waker(shared);
    poll_registration(registration, direction, &mut task::Context::from_waker(&hub))
}

/// Does `operation` if the socket is believed ready; `None` if it is not.
///
/// Compiled into its caller, and that into the task's own poll, as far as the usual way goes: on processors that mend their
/// return predictor at every system call, the first return out of a function that made one costs as much as the rest of
/// a short call. What is rare is a function of its own.
#[inline(always)]
pub(super) fn try_io<O: Operate>(
    socket: &NetFd,
    io: &Entered<'_>,
    direction: Direction,
    belief: Belief,
    operation: &mut O,
) -> Option<Result<O::Value, Cause>> {
    if belief == Belief::Spent {
        return None;
    }
    // Before the reactor knows the socket, it is believed ready until it proves not to be. To register it then tells of what
    // comes meanwhile, since epoll reports what is ready at that moment. The same goes for writing between then and the
    // report: whoever has to wait for the first bytes need not wait to answer them.
    match (direction, io.registration()) {
        (Direction::Read, Some(registration)) => {
            try_registered(socket, io, direction, registration, belief, operation)
        }
        (Direction::Read, None) => rarely(|| try_directly(socket, io, direction, &mut Apart(operation))),
        (Direction::Write, Some(registration)) if socket.limits().was_full() => {
            rarely(|| try_registered(socket, io, direction, registration, belief, &mut Apart(operation)))
        }
        (Direction::Write, _) => try_directly(socket, io, direction, operation),
    }
}

#[inline(always)]
fn try_directly<O: Operate>(
    socket: &NetFd,
    io: &Entered<'_>,
    direction: Direction,
    operation: &mut O,
) -> Option<Result<O::Value, Cause>> {
    let (result, readiness) = once(socket, io.as_fd(), operation);
    let belief = if readiness == Readiness::UsedUp { Belief::Spent } else { Belief::Ready };
    socket.limits().believe(direction, belief);
    result
}

#[inline(always)]
fn try_registered<O: Operate>(
    socket: &NetFd,
    io: &Entered<'_>,
    direction: Direction,
    registration: &AsyncFd<Number>,
    belief: Belief,
    operation: &mut O,
) -> Option<Result<O::Value, Cause>> {
    let limits = socket.limits();
    // For all, since the place may be that of one who waits alone, and whoever reads here has not enlisted.
    let mut guard = match poll_for_all(&socket.0, registration, direction) {
        Poll::Pending => return None,
        Poll::Ready(Err(error)) => return Some(Err(error.into())),
        Poll::Ready(Ok(guard)) => guard,
    };
    // Not within `try_io` of tokio's, a function to return from.
    let (result, readiness) = once(socket, io.as_fd(), operation);
    let is_spent = readiness == Readiness::UsedUp
        && !(direction == Direction::Read && result.is_some() && has_had_urgent_data(registration));
    if is_spent {
        limits.believe(direction, Belief::Spent);
        // The readiness of the event that was seen before the call, and of no later one.
        guard.clear_ready();
    } else if belief != Belief::Ready {
        limits.believe(direction, Belief::Ready);
    }
    result
}

#[cold]
#[inline(never)]
fn rarely<T>(attempt: impl FnOnce() -> T) -> T {
    attempt()
}

/// What one call gave, which is nothing if the socket was not ready after all.
#[inline(always)]
fn once<O: Operate>(
    socket: &NetFd,
    fd: BorrowedFd<'_>,
    operation: &mut O,
) -> (Option<Result<O::Value, Cause>>, Readiness) {
    loop {
        match operation.operate(socket, fd) {
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
