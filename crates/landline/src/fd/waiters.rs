//! Who waits in one direction, so that readiness, a close, a moved deadline or an ended context can wake them.
//!
//! The usual case, one waiter, costs a few atomic operations and no lock.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;

use atomic_waker::AtomicWaker;

#[derive(Default)]
pub(crate) struct Waiters {
    /// For `poll_read` and `poll_write`, which tell us nothing when their caller goes away.
    polled: AtomicWaker,
    /// Whether anyone ever polled; most conns are used either way, not both.
    is_polled: AtomicBool,
    /// For the one waiting call that came first.
    first: AtomicWaker,
    first_taken: AtomicBool,
    /// For all further calls.
    more: OnceLock<Box<Mutex<More>>>,
}

#[derive(Default)]
struct More {
    next_id: u64,
    waiting: Vec<(u64, Waker)>,
}

/// A waiting call's place; given up when dropped.
pub(crate) struct Seat<'a> {
    waiters: &'a Waiters,
    place: Place,
}

enum Place {
    First,
    More(u64),
}

impl Waiters {
    pub(crate) fn seat(&self) -> Seat<'_> {
        let place = if self.first_taken.swap(true, Ordering::AcqRel) {
            let mut more = self.more();
            let id = more.next_id;
            more.next_id += 1;
            Place::More(id)
        } else {
            Place::First
        };
        Seat { waiters: self, place }
    }

    /// Enlists the task that polls. A task that polled before it in the same direction is forgotten, as tokio's
    /// reactor forgets it.
    pub(crate) fn register_polled(&self, waker: &Waker) {
        if !self.is_polled.load(Ordering::Relaxed) {
            self.is_polled.store(true, Ordering::Release);
        }
        self.polled.register(waker);
    }

    /// Wakes those who enlisted before they last asked the reactor for readiness.
    ///
    /// For the reactor's use alone: only through its lock are the two flags sure to be seen.
    pub(crate) fn wake_enlisted(&self) {
        if self.is_polled.load(Ordering::Acquire) {
            self.polled.wake();
        }
        if self.first_taken.load(Ordering::Acquire) {
            self.first.wake();
        }
        self.wake_more();
    }

    pub(crate) fn wake_all(&self) {
        self.polled.wake();
        self.first.wake();
        self.wake_more();
    }

    fn wake_more(&self) {
        if let Some(more) = self.more.get() {
            let waiting = std::mem::take(&mut lock(more).waiting);
            waiting.into_iter().for_each(|(_, waker)| waker.wake());
        }
    }

    fn more(&self) -> MutexGuard<'_, More> {
        lock(self.more.get_or_init(Box::default))
    }
}

fn lock(more: &Mutex<More>) -> MutexGuard<'_, More> {
    more.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Seat<'_> {
    /// Enlists the task; what it waits for must be looked at again after this.
    pub(crate) fn register(&self, waker: &Waker) {
        match self.place {
            Place::First => self.waiters.first.register(waker),
            Place::More(id) => {
                let mut more = self.waiters.more();
                match more.waiting.iter_mut().find(|(other, _)| *other == id) {
                    Some((_, enlisted)) => enlisted.clone_from(waker),
                    None => more.waiting.push((id, waker.clone())),
                }
            }
        }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        match self.place {
            Place::First => {
                drop(self.waiters.first.take());
                self.waiters.first_taken.store(false, Ordering::Release);
            }
            Place::More(id) => self.waiters.more().waiting.retain(|(other, _)| *other != id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn everyone_is_woken_once_and_those_who_left_are_not() {
        let waiters = Waiters::default();
        let counts: Vec<Arc<Count>> = (0..4).map(|_| Arc::default()).collect();
        let mut seats: Vec<Option<Seat<'_>>> = counts
            .iter()
            .map(|count| {
                let seat = waiters.seat();
                seat.register(&Waker::from(count.clone()));
                Some(seat)
            })
            .collect();
        seats[0] = None;
        seats[2] = None;
        waiters.wake_all();
        let woken: Vec<usize> = counts.iter().map(|count| count.0.load(Ordering::SeqCst)).collect();
        assert_eq!(woken, [0, 1, 0, 1]);
    }

    #[test]
    fn a_seat_given_up_is_taken_again_without_a_lock() {
        let waiters = Waiters::default();
        for _ in 0..3 {
            drop(waiters.seat());
        }
        assert!(waiters.more.get().is_none());
    }
}
