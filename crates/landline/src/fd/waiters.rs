//! Who waits, so that readiness, a close, a moved deadline or an ended context can wake them.
//!
//! Whoever wakes has changed something first, and whoever enlists looks for it afterwards; the lock settles which of them
//! the other sees.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::limits::Direction;

#[derive(Default)]
pub(crate) struct Waiters {
    places: Mutex<Places>,
    /// Whether anybody is enlisted, in each direction; set under the lock.
    enlisted: [AtomicBool; 2],
    /// Whether those who wait have a limit to look at; [`Limits`](super::limits::Limits) says so, and here is room for it.
    pub(super) limited: [AtomicBool; 2],
    /// What is believed of the socket; a hint, for whoever is about to try.
    beliefs: [AtomicU8; 2],
    /// The call that was the last to leave without a look at its place: if that was the first, its waker is there still, for
    /// the next, which is most often of the same task.
    vacated: AtomicU32,
    /// The last number given to a call; changed under the lock.
    last: AtomicU32,
    /// Whether some wait beside those in the first places; set under the lock.
    crowded: AtomicBool,
    /// Whether a write has ever found the socket full.
    was_full: AtomicBool,
}

#[derive(Default)]
struct Places {
    /// One place in each direction, for whoever came first,
    first: [Option<Waker>; 2],
    /// and whose it is, beside it since it takes less room so.
    first_number: [u32; 2],
    /// For all others.
    more: Option<Box<[More; 2]>>,
}

/// What enlisting gave.
struct Enlisted {
    /// The waker that was there before, to be dropped without the lock.
    replaced: Option<Waker>,
    is_first: bool,
}

type More = Vec<(NonZeroU32, Waker)>;

/// Whether it makes sense to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Belief {
    /// The socket is ready, as far as is known.
    Ready,
    /// Nothing can be moved, as the last try showed.
    Spent,
    /// The same, and since then somebody waits: the reactor knows whether that is over.
    Awaited,
}

/// The numbers of `poll_read` and `poll_write`, which have no call to keep one in.
const POLLED: [NonZeroU32; 2] = [NonZeroU32::MIN, NonZeroU32::MIN.saturating_add(1)];

/// A waiting call's place; given up when dropped.
pub(crate) struct Seat<'a> {
    waiters: &'a Waiters,
    number: Option<NonZeroU32>,
    direction: Direction,
}

impl Waiters {
    pub(crate) fn seat(&self, direction: Direction) -> Seat<'_> {
        Seat { waiters: self, number: None, direction }
    }

    /// Enlists the task of a call, which keeps the number that it is given the first time, and is to
    /// [leave](Waiters::leave). What it waits for must be looked at again after this.
    ///
    /// True if nobody else waits in this direction: then whatever would wake all may wake this one alone.
    #[inline(always)]
    pub(crate) fn enlist(
        &self,
        direction: Direction,
        number: &mut Option<NonZeroU32>,
        waker: &Waker,
    ) -> bool {
        let mut places = self.places();
        let number = *number.get_or_insert_with(|| self.next_number());
        self.enlisted[direction as usize].store(true, Ordering::Relaxed);
        let Enlisted { replaced, is_first } = places.enlist(direction, number, &self.vacated, waker);
        let alone = is_first && places.more.is_none();
        self.crowded.store(places.more.is_some(), Ordering::Relaxed);
        drop(places);
        // It may be the last of its kind, and what is dropped with it may use this.
        drop(replaced);
        alone
    }

    /// Enlists the task that polls. A task that polled before it in the same direction is forgotten, as tokio's
    /// reactor forgets it.
    #[inline]
    pub(crate) fn register_polled(&self, direction: Direction, waker: &Waker) -> bool {
        self.enlist(direction, &mut Some(POLLED[direction as usize]), waker)
    }

    /// Whether somebody may wait who was not the first in a direction.
    #[inline]
    pub(crate) fn is_crowded(&self) -> bool {
        self.crowded.load(Ordering::Relaxed)
    }

    /// Leaves, where another call of the same task is likely to follow: its waker stays until then.
    #[inline]
    pub(crate) fn vacate(&self, direction: Direction, number: NonZeroU32) {
        if self.is_crowded() {
            return self.leave(direction, number);
        }
        // Of no meaning unless the first place has that number.
        self.vacated.store(number.get(), Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn vacate_polled(&self, direction: Direction) {
        self.vacate(direction, POLLED[direction as usize]);
    }

    #[inline]
    pub(crate) fn leave(&self, direction: Direction, number: NonZeroU32) {
        // It was woken, and with it whoever else was there.
        if self.enlisted[direction as usize].load(Ordering::Acquire) {
            self.give_up(direction, number);
        }
    }

    fn give_up(&self, direction: Direction, number: NonZeroU32) {
        let mut places = self.places();
        let waker = places.remove(direction, number);
        self.enlisted[direction as usize].store(places.has_any(direction), Ordering::Release);
        self.crowded.store(places.more.is_some(), Ordering::Relaxed);
        drop(places);
        // With what hangs on it, such as the memory of a task.
        drop(waker);
    }

    /// Wakes all who wait, in both directions, and lets them try: the reactor does not say what has become ready.
    #[inline]
    pub(crate) fn wake_both(&self) {
        let mut places = self.places();
        let [read, write] = &mut places.first;
        let (read, write) = (read.take(), write.take());
        let more = places.more.take();
        self.crowded.store(false, Ordering::Relaxed);
        for direction in [Direction::Read, Direction::Write] {
            self.believe(direction, Belief::Ready);
            self.enlisted[direction as usize].store(false, Ordering::Release);
        }
        drop(places);
        if let Some(waker) = read {
            waker.wake();
        }
        if let Some(waker) = write {
            waker.wake();
        }
        if let Some(more) = more {
            more.into_iter().flatten().for_each(|(_, waker)| waker.wake());
        }
    }

    /// Wakes all who wait in this direction.
    pub(crate) fn wake_all(&self, direction: Direction) {
        let mut places = self.places();
        let first = places.first[direction as usize].take();
        let more = places.more.as_mut().map(|more| std::mem::take(&mut more[direction as usize]));
        places.tidy();
        self.crowded.store(places.more.is_some(), Ordering::Relaxed);
        self.enlisted[direction as usize].store(false, Ordering::Release);
        drop(places);
        first.into_iter().for_each(Waker::wake);
        more.into_iter().flatten().for_each(|(_, waker)| waker.wake());
    }

    #[inline]
    pub(crate) fn belief(&self, direction: Direction) -> Belief {
        const AWAITED: u8 = Belief::Awaited as u8;
        match self.beliefs[direction as usize].load(Ordering::Relaxed) {
            0 => Belief::Ready,
            AWAITED => Belief::Awaited,
            _ => Belief::Spent,
        }
    }

    #[inline]
    pub(crate) fn believe(&self, direction: Direction, belief: Belief) {
        self.beliefs[direction as usize].store(belief as u8, Ordering::Relaxed);
        if belief != Belief::Ready && direction == Direction::Write {
            self.was_full.store(true, Ordering::Relaxed);
        }
    }

    #[inline]
    pub(crate) fn was_full(&self) -> bool {
        self.was_full.load(Ordering::Relaxed)
    }

    /// One that none of those who wait has: never do so many wait at once.
    fn next_number(&self) -> NonZeroU32 {
        let last = self.last.load(Ordering::Relaxed).checked_add(1).unwrap_or(0).max(POLLED[1].get() + 1);
        self.last.store(last, Ordering::Relaxed);
        NonZeroU32::new(last).unwrap_or(POLLED[1])
    }

    #[inline]
    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Places {
    #[inline]
    fn enlist(
        &mut self,
        direction: Direction,
        number: NonZeroU32,
        vacated: &AtomicU32,
        waker: &Waker,
    ) -> Enlisted {
        let owner = &mut self.first_number[direction as usize];
        let (number_left, is_first) = (vacated.load(Ordering::Relaxed), true);
        let replaced = match &mut self.first[direction as usize] {
            Some(first) if *owner == number.get() || *owner == number_left => replace(first, waker),
            // While there are others, this may be one of them.
            first @ None if self.more.is_none() => {
                *first = Some(waker.clone());
                None
            }
            _ => {
                let replaced = self.enlist_more(direction, number, waker);
                return Enlisted { replaced, is_first: false };
            }
        };
        if number_left == *owner || number_left == number.get() {
            vacated.store(0, Ordering::Relaxed);
        }
        *owner = number.get();
        Enlisted { replaced, is_first }
    }

    #[cold]
    fn enlist_more(&mut self, direction: Direction, number: NonZeroU32, waker: &Waker) -> Option<Waker> {
        let waiting = &mut self.more.get_or_insert_default()[direction as usize];
        match waiting.iter_mut().find(|(other, _)| *other == number) {
            Some((_, enlisted)) => replace(enlisted, waker),
            None => {
                waiting.push((number, waker.clone()));
                None
            }
        }
    }

    fn remove(&mut self, direction: Direction, number: NonZeroU32) -> Option<Waker> {
        let is_first = self.first_number[direction as usize] == number.get();
        if let Some(waker) = self.first[direction as usize].take_if(|_| is_first) {
            return Some(waker);
        }
        let waiting = &mut self.more.as_mut()?[direction as usize];
        let index = waiting.iter().position(|(other, _)| *other == number)?;
        let waker = waiting.swap_remove(index).1;
        self.tidy();
        Some(waker)
    }

    /// Keeps no lists that are empty.
    fn tidy(&mut self) {
        self.more.take_if(|more| more.iter().all(Vec::is_empty));
    }

    fn has_any(&self, direction: Direction) -> bool {
        let more = || self.more.as_ref().is_some_and(|more| !more[direction as usize].is_empty());
        self.first[direction as usize].is_some() || more()
    }
}

/// Puts a waker in the place of one that wakes another task; gives that back.
#[inline]
fn replace(enlisted: &mut Waker, waker: &Waker) -> Option<Waker> {
    (!enlisted.will_wake(waker)).then(|| std::mem::replace(enlisted, waker.clone()))
}

impl Seat<'_> {
    /// [`Waiters::enlist`].
    pub(crate) fn register(&mut self, waker: &Waker) {
        self.waiters.enlist(self.direction, &mut self.number, waker);
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.waiters.leave(self.direction, number);
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
                let mut seat = waiters.seat(Direction::Read);
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
    fn a_seat_given_up_keeps_nothing() {
        let waiters = Waiters::default();
        let count = Arc::<Count>::default();
        for _ in 0..3 {
            let mut seats = [(); 3].map(|()| waiters.seat(Direction::Write));
            for seat in &mut seats {
                seat.register(&Waker::from(count.clone()));
                seat.register(&Waker::from(count.clone()));
            }
            assert_eq!(Arc::strong_count(&count), 4);
            drop(seats);
            assert_eq!(Arc::strong_count(&count), 1);
        }
        waiters.wake_both();
        assert_eq!(count.0.load(Ordering::SeqCst), 0);
    }

    fn waker() -> (Arc<Count>, Waker) {
        let count = Arc::<Count>::default();
        (count.clone(), Waker::from(count))
    }

    fn woken(counts: &[&Arc<Count>]) -> Vec<usize> {
        counts.iter().map(|count| count.0.load(Ordering::SeqCst)).collect()
    }

    #[test]
    fn a_place_that_was_left_is_for_the_next() {
        let waiters = Waiters::default();
        let ((one, first), (two, second)) = (waker(), waker());
        let (mut number, mut next) = (None, None);
        assert!(waiters.enlist(Direction::Read, &mut number, &first));
        waiters.vacate(Direction::Read, number.unwrap());
        assert!(waiters.enlist(Direction::Read, &mut next, &second), "alone");
        assert_eq!(Arc::strong_count(&one), 2, "nothing is kept of the one before");
        // It cannot be left twice.
        let mut third = None;
        assert!(!waiters.enlist(Direction::Read, &mut third, &first));
        waiters.wake_both();
        assert_eq!(woken(&[&one, &two]), [1, 1]);
    }

    #[test]
    fn who_was_woken_leaves_nobody_elses_place() {
        let waiters = Waiters::default();
        let ((one, first), (two, second)) = (waker(), waker());
        let (mut number, mut next) = (None, None);
        waiters.enlist(Direction::Read, &mut number, &first);
        waiters.wake_both();
        assert!(waiters.enlist(Direction::Read, &mut next, &second));
        waiters.vacate(Direction::Read, number.unwrap());
        assert!(!waiters.enlist(Direction::Read, &mut None, &first), "the other is there");
        waiters.wake_both();
        assert_eq!(woken(&[&one, &two]), [2, 1]);
    }

    #[test]
    fn it_is_crowded_as_long_as_one_waits_beside_the_first() {
        let waiters = Waiters::default();
        let ((one, first), (two, second)) = (waker(), waker());
        let (mut number, mut next) = (None, None);
        assert!(waiters.enlist(Direction::Read, &mut number, &first));
        assert!(
            waiters.enlist(Direction::Write, &mut None, &second),
            "the other direction is another matter"
        );
        assert!(!waiters.is_crowded());
        assert!(!waiters.enlist(Direction::Read, &mut next, &second));
        assert!(waiters.is_crowded());
        assert!(!waiters.enlist(Direction::Read, &mut number, &first), "nor is the first alone any more");
        waiters.vacate(Direction::Read, next.unwrap());
        assert!(!waiters.is_crowded());
        assert!(waiters.enlist(Direction::Read, &mut number, &first));
        waiters.wake_all(Direction::Read);
        assert_eq!(woken(&[&one, &two]), [1, 0]);
        waiters.wake_all(Direction::Write);
        assert_eq!(woken(&[&one, &two]), [1, 1]);
    }

    #[test]
    fn a_poll_and_a_call_in_turns_are_each_alone() {
        let waiters = Waiters::default();
        let (_, waker) = waker();
        for _ in 0..3 {
            let mut number = None;
            assert!(waiters.enlist(Direction::Read, &mut number, &waker));
            waiters.vacate(Direction::Read, number.unwrap());
            assert!(waiters.register_polled(Direction::Read, &waker));
            assert!(waiters.register_polled(Direction::Read, &waker));
            waiters.vacate_polled(Direction::Read);
        }
    }

    #[test]
    fn a_number_is_given_once_until_all_are_used_up() {
        let waiters = Waiters { last: (u32::MAX - 1).into(), ..Waiters::default() };
        let numbers = [(); 3].map(|()| waiters.next_number().get());
        assert_eq!(numbers, [u32::MAX, 3, 4], "and never one of those who poll");
    }

    #[test]
    fn a_poll_beside_a_call_has_a_place_of_its_own() {
        let waiters = Waiters::default();
        let (call, poll) = (Arc::new(Count::default()), Arc::new(Count::default()));
        let mut seat = waiters.seat(Direction::Read);
        seat.register(&Waker::from(call.clone()));
        waiters.register_polled(Direction::Read, &Waker::from(poll.clone()));
        waiters.register_polled(Direction::Read, &Waker::from(poll.clone()));
        waiters.wake_both();
        drop(seat);
        // Now the first place is free, and is the polling task's.
        waiters.register_polled(Direction::Read, &Waker::from(poll.clone()));
        let mut seat = waiters.seat(Direction::Read);
        seat.register(&Waker::from(call.clone()));
        waiters.wake_all(Direction::Read);
        let woken = [&call, &poll].map(|count| count.0.load(Ordering::SeqCst));
        assert_eq!(woken, [2, 2]);
    }
}
