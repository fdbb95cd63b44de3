//! Who waits, so that readiness, a close, a moved deadline or an ended context can wake them.
//!
//! The usual case, one waiter in a direction, costs a few atomic operations and no lock.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering, fence};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;

use atomic_waker::AtomicWaker;

use super::limits::Direction;

#[derive(Default)]
pub(crate) struct Waiters {
    /// One place in each direction, for whoever came first.
    first: [AtomicWaker; 2],
    /// Whose the places are: [`FREE`], [`CALL`] or [`POLL`].
    owner: [AtomicU8; 2],
    /// Whether those who wait have a limit to look at; [`Limits`](super::limits::Limits) says so, and here is room for it.
    pub(super) limited: [AtomicBool; 2],
    /// For all others.
    more: OnceLock<Box<[Mutex<More>; 2]>>,
}

const FREE: u8 = 0;
/// A waiting call's, which gives it up.
const CALL: u8 = 1;
/// For `poll_read` and `poll_write`, which tell us nothing when their caller goes away; so it stays theirs.
const POLL: u8 = 2;

#[derive(Default)]
struct More {
    last: u32,
    waiting: Vec<(NonZeroU32, Waker)>,
}

/// Not one of [`More`]'s numbers.
const FIRST: NonZeroU32 = NonZeroU32::MIN;
/// The number of `poll_read` and `poll_write` where the first place is a call's.
const POLLED: NonZeroU32 = FIRST.saturating_add(1);

/// A waiting call's place; given up when dropped.
pub(crate) struct Seat<'a> {
    waiters: &'a Waiters,
    number: NonZeroU32,
    direction: Direction,
}

impl Waiters {
    #[inline]
    pub(crate) fn seat(&self, direction: Direction) -> Seat<'_> {
        Seat { waiters: self, number: self.sit(direction), direction }
    }

    /// The number of a place, to be [left](Waiters::leave).
    #[inline]
    pub(crate) fn sit(&self, direction: Direction) -> NonZeroU32 {
        if self.take_first(direction, CALL) {
            return FIRST;
        }
        self.more(direction).next_number()
    }

    /// Enlists the task that has the place; what it waits for must be looked at again after this.
    #[inline]
    pub(crate) fn enlist(&self, direction: Direction, number: NonZeroU32, waker: &Waker) {
        match number {
            FIRST => self.first[direction as usize].register(waker),
            number => self.enlist_more(direction, number, waker),
        }
    }

    #[inline]
    pub(crate) fn leave(&self, direction: Direction, number: NonZeroU32) {
        if number == FIRST {
            drop(self.first[direction as usize].take());
            self.owner[direction as usize].store(FREE, Ordering::Release);
        } else {
            self.more(direction).waiting.retain(|(other, _)| *other != number);
        }
    }

    /// Enlists the task that polls. A task that polled before it in the same direction is forgotten, as tokio's
    /// reactor forgets it.
    pub(crate) fn register_polled(&self, direction: Direction, waker: &Waker) {
        let owner = self.owner[direction as usize].load(Ordering::Acquire);
        if owner == POLL || self.take_first(direction, POLL) {
            self.first[direction as usize].register(waker);
        } else {
            self.enlist_more(direction, POLLED, waker);
        }
    }

    /// Wakes those who enlisted before they last asked the reactor for readiness.
    ///
    /// For the reactor's use alone: only through its lock is the owner sure to be seen.
    pub(crate) fn wake_enlisted(&self) {
        for (first, owner) in self.first.iter().zip(&self.owner) {
            if owner.load(Ordering::Acquire) != FREE {
                first.wake();
            }
        }
        if self.more.get().is_some() {
            self.wake_more(Direction::Read);
            self.wake_more(Direction::Write);
        }
    }

    pub(crate) fn wake_all(&self, direction: Direction) {
        self.first[direction as usize].wake();
        // Whoever wakes has changed something, and whoever enlists looks for it afterwards. The first place settles by
        // itself which of them the other sees; `more`, before it is made, does not. With a fence on either side, between
        // the one's change and its look at `more`, and between the other's making `more` and its look, one of them sees.
        fence(Ordering::SeqCst);
        self.wake_more(direction);
    }

    fn enlist_more(&self, direction: Direction, number: NonZeroU32, waker: &Waker) {
        self.more(direction).enlist(number, waker);
        // See `wake_all`.
        fence(Ordering::SeqCst);
    }

    fn take_first(&self, direction: Direction, owner: u8) -> bool {
        let place = &self.owner[direction as usize];
        place.compare_exchange(FREE, owner, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    fn wake_more(&self, direction: Direction) {
        if let Some(more) = self.more.get() {
            let waiting = std::mem::take(&mut lock(&more[direction as usize]).waiting);
            waiting.into_iter().for_each(|(_, waker)| waker.wake());
        }
    }

    fn more(&self, direction: Direction) -> MutexGuard<'_, More> {
        lock(&self.more.get_or_init(Box::default)[direction as usize])
    }
}

fn lock(more: &Mutex<More>) -> MutexGuard<'_, More> {
    more.lock().unwrap_or_else(PoisonError::into_inner)
}

impl More {
    /// A number that none of those who wait has: never do so many wait at once.
    fn next_number(&mut self) -> NonZeroU32 {
        self.last = self.last.wrapping_add(1).max(POLLED.get() + 1);
        NonZeroU32::new(self.last).unwrap_or(POLLED)
    }

    fn enlist(&mut self, number: NonZeroU32, waker: &Waker) {
        match self.waiting.iter_mut().find(|(other, _)| *other == number) {
            Some((_, enlisted)) => enlisted.clone_from(waker),
            None => self.waiting.push((number, waker.clone())),
        }
    }
}

impl Seat<'_> {
    /// [`Waiters::enlist`].
    pub(crate) fn register(&self, waker: &Waker) {
        self.waiters.enlist(self.direction, self.number, waker);
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.waiters.leave(self.direction, self.number);
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
                let seat = waiters.seat(Direction::Read);
                seat.register(&Waker::from(count.clone()));
                Some(seat)
            })
            .collect();
        seats[0] = None;
        seats[2] = None;
        waiters.wake_all(Direction::Read);
        let woken: Vec<usize> = counts.iter().map(|count| count.0.load(Ordering::SeqCst)).collect();
        assert_eq!(woken, [0, 1, 0, 1]);
    }

    #[test]
    fn a_seat_given_up_is_taken_again_without_a_lock() {
        let waiters = Waiters::default();
        for _ in 0..3 {
            drop(waiters.seat(Direction::Read));
        }
        assert!(waiters.more.get().is_none());
    }

    #[test]
    fn a_poll_beside_a_call_has_a_place_of_its_own() {
        let waiters = Waiters::default();
        let (call, poll) = (Arc::new(Count::default()), Arc::new(Count::default()));
        let seat = waiters.seat(Direction::Read);
        seat.register(&Waker::from(call.clone()));
        waiters.register_polled(Direction::Read, &Waker::from(poll.clone()));
        waiters.register_polled(Direction::Read, &Waker::from(poll.clone()));
        waiters.wake_enlisted();
        drop(seat);
        // Now the first place is free, and becomes the polling task's for good.
        waiters.register_polled(Direction::Read, &Waker::from(poll.clone()));
        let seat = waiters.seat(Direction::Read);
        seat.register(&Waker::from(call.clone()));
        waiters.wake_all(Direction::Read);
        let woken = [&call, &poll].map(|count| count.0.load(Ordering::SeqCst));
        assert_eq!(woken, [2, 2]);
    }
}
