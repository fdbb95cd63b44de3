//! Trying without waiting, and asking the reactor to tell when it is time to try again.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::task::{self, Poll, Waker};

use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::limits::Direction;
use super::net_fd::{Io, Readiness};
use crate::error::Cause;
use crate::sys::{Entered, Number};

/// What the reactor is asked for. Urgent data is asked for to know whether there ever was any.
pub(super) const INTEREST: Interest = Interest::READABLE.add(Interest::WRITABLE).add(Interest::PRIORITY);

/// Asks the reactor, which wakes `hub` if it has to wait.
#[inline]
pub(super) fn poll_ready(io: &AsyncFd<Number>, direction: Direction, hub: &Waker) -> io::Result<Poll<()>> {
    let mut cx = task::Context::from_waker(hub);
    let readiness = match direction {
        Direction::Read => io.poll_read_ready(&mut cx),
        Direction::Write => io.poll_write_ready(&mut cx),
    };
    match readiness {
        Poll::Ready(guard) => guard.map(|_| Poll::Ready(())),
        Poll::Pending => Ok(Poll::Pending),
    }
}

/// Does `operation` if the socket is believed ready; `None` if it is not.
#[inline]
pub(super) fn try_io<T>(
    io: &Entered<'_>,
    direction: Direction,
    operation: &mut impl FnMut(BorrowedFd<'_>) -> rustix::io::Result<Io<T>>,
) -> Option<Result<T, Cause>> {
    let Some(registration) = io.registration() else { return try_unregistered(io, direction, operation) };
    let mut result = None;
    // `WouldBlock` makes tokio forget the readiness of the event that it saw before the call, and of no later one.
    let _ = registration.try_io(direction.interest(), |_| {
        let readiness = loop {
            match operation(io.as_fd()) {
                Ok(Io { value, readiness }) => {
                    result = Some(Ok(value));
                    break match (direction, readiness) {
                        (Direction::Read, Readiness::UsedUp) if has_had_urgent_data(registration) => {
                            Readiness::Kept
                        }
                        _ => readiness,
                    };
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

/// The same before the reactor knows the socket: it is believed ready until it proves not to be. To register it then tells
/// of what comes meanwhile, since epoll reports what is ready at that moment.
fn try_unregistered<T>(
    io: &Entered<'_>,
    direction: Direction,
    operation: &mut impl FnMut(BorrowedFd<'_>) -> rustix::io::Result<Io<T>>,
) -> Option<Result<T, Cause>> {
    if io.is_spent(direction as usize) {
        return None;
    }
    loop {
        match operation(io.as_fd()) {
            Ok(Io { value, readiness }) => {
                if readiness == Readiness::UsedUp {
                    io.set_spent(direction as usize);
                }
                return Some(Ok(value));
            }
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                io.set_spent(direction as usize);
                return None;
            }
            Err(error) => return Some(Err(error.into())),
        }
    }
}

/// Whether the peer ever sent urgent data. A read stops before such, with more behind it (tcp(7), unix(7)), and so
/// looks as if it had taken all there was.
pub(super) fn has_had_urgent_data(io: &AsyncFd<Number>) -> bool {
    // Nobody else asks for this readiness, so it is never taken back.
    io.try_io(Interest::PRIORITY, |_| Ok(())).is_ok()
}
