//! Who waits, so that readiness, a close, a moved deadline or an ended context can wake them.
//!
//! Whoever wakes has changed something first, and whoever enlists looks for it afterwards; the lock settles which of them
//! the other sees.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
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
    /// Whether there is no sense in trying before the reactor says so; a hint, for whoever is about to try.
    spent: [AtomicBool; 2],
    /// Whether a write has ever found the socket full.
    was_full: AtomicBool,
}

#[derive(Default)]
struct Places {
    /// One place in each direction, for whoever came first,
    first: [Option<Waker>; 2],
    /// and whose it is, beside it since it takes less room so.
    first_number: [u32; 2],
    /// The last number given to a call.
    last: u32,
    /// For all others.
    more: Option<Box<[More; 2]>>,
}

type More = Vec<(NonZeroU32, Waker)>;

/// The number of `poll_read` and `poll_write`, which have no call to keep one in.
const POLLED: NonZeroU32 = NonZeroU32::MIN;

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
    #[inline]
    pub(crate) fn enlist(&self, direction: Direction, number: &mut Option<NonZeroU32>, waker: &Waker) {
        let mut places = self.places();
        let number = *number.get_or_insert_with(|| places.next_number());
        self.enlisted[direction as usize].store(true, Ordering::Relaxed);
        let replaced = places.enlist(direction, number, waker);
        drop(places);
        // It may be the last of its kind, and what is dropped with it may use this.
        drop(replaced);
    }

    /// Enlists the task that polls. A task that polled before it in the same direction is forgotten, as tokio's
    /// reactor forgets it.
    #[inline]
    pub(crate) fn register_polled(&self, direction: Direction, waker: &Waker) {
        self.enlist(direction, &mut Some(POLLED), waker);
    }

    #[inline]
    pub(crate) fn leave(&self, direction: Direction, number: NonZeroU32) {
        // The usual case: it was woken, and with it whoever else was there.
        if self.enlisted[direction as usize].load(Ordering::Acquire) {
            self.give_up(direction, number);
        }
    }

    fn give_up(&self, direction: Direction, number: NonZeroU32) {
        let mut places = self.places();
        let waker = places.remove(direction, number);
        self.enlisted[direction as usize].store(places.has_any(direction), Ordering::Release);
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
        for direction in [Direction::Read, Direction::Write] {
            self.spent[direction as usize].store(false, Ordering::Relaxed);
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
        self.enlisted[direction as usize].store(false, Ordering::Release);
        drop(places);
        first.into_iter().for_each(Waker::wake);
        more.into_iter().flatten().for_each(|(_, waker)| waker.wake());
    }

    #[inline]
    pub(crate) fn is_spent(&self, direction: Direction) -> bool {
        self.spent[direction as usize].load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn set_spent(&self, direction: Direction, spent: bool) {
        self.spent[direction as usize].store(spent, Ordering::Relaxed);
        if spent && direction == Direction::Write {
            self.was_full.store(true, Ordering::Relaxed);
        }
    }

    #[inline]
    pub(crate) fn was_full(&self) -> bool {
        self.was_full.load(Ordering::Relaxed)
    }

    #[inline]
    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Places {
    /// One that none of those who wait has: never do so many wait at once.
    fn next_number(&mut self) -> NonZeroU32 {
        self.last = self.last.checked_add(1).unwrap_or(0).max(POLLED.get() + 1);
        NonZeroU32::new(self.last).unwrap_or(POLLED)
    }

    /// Gives back the waker that this one takes the place of, to be dropped without the lock.
    #[inline]
    fn enlist(&mut self, direction: Direction, number: NonZeroU32, waker: &Waker) -> Option<Waker> {
        let owner = &mut self.first_number[direction as usize];
        match &mut self.first[direction as usize] {
            Some(first) if *owner == number.get() => replace(first, waker),
            // While there are others, this may be one of them.
            first @ None if self.more.is_none() => {
                *first = Some(waker.clone());
                *owner = number.get();
                None
            }
            _ => self.enlist_more(direction, number, waker),
        }
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
        Some(waiting.swap_remove(index).1)
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

    #[test]
    fn a_number_is_given_once_until_all_are_used_up() {
        let mut places = Places { last: u32::MAX - 1, ..Places::default() };
        let numbers = [(); 3].map(|()| places.next_number().get());
        assert_eq!(numbers, [u32::MAX, 2, 3], "and never the one of those who poll");
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
