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
    /// the next, which is most often of the same task. So the conn may keep the memory of a task that is done, until it is
    /// used again or closed.
    vacated: AtomicU32,
    /// The last number given to a call; changed under the lock.
    last: AtomicU32,
    /// Whose the first places are, or were; changed under the lock.
    owners: [AtomicU32; 2],
    /// Whether some wait beside those in the first places; set under the lock.
    crowded: AtomicBool,
    /// Whether a write has ever found the socket full.
    was_full: AtomicBool,
}

#[derive(Default)]
struct Places {
    /// One place in each direction, for whoever came first.
    first: [Option<Waker>; 2],
    /// For all others.
    more: Option<Box<[More; 2]>>,
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
    /// [leave](Waiters::leave) or [vacate](Waiters::vacate). What it waits for must be looked at again after this.
    ///
    /// Gives its number if surely nobody else waits in this direction: then whatever would wake all may wake this one alone,
    /// for as long as it [is alone](Waiters::is_alone).
    #[inline(always)]
    pub(crate) fn enlist(
        &self,
        direction: Direction,
        number: &mut Option<NonZeroU32>,
        waker: &Waker,
    ) -> Option<NonZeroU32> {
        let mut places = self.places();
        let number = *number.get_or_insert_with(|| self.next_number());
        self.enlisted[direction as usize].store(true, Ordering::Relaxed);
        let replaced = places.enlist(direction, number, self, waker);
        self.crowded.store(places.more.is_some(), Ordering::Relaxed);
        drop(places);
        // It may be the last of its kind, and what is dropped with it may use this.
        drop(replaced);
        self.is_alone(direction, number).then_some(number)
    }

    /// Whether nobody has enlisted in this direction since this one did, whether or not it was woken meanwhile.
    #[inline]
    pub(crate) fn is_alone(&self, direction: Direction, number: NonZeroU32) -> bool {
        !self.is_crowded() && self.owners[direction as usize].load(Ordering::Relaxed) == number.get()
    }

    /// Enlists the task that polls. A task that polled before it in the same direction is forgotten, as tokio's
    /// reactor forgets it.
    #[inline]
    pub(crate) fn register_polled(&self, direction: Direction, waker: &Waker) -> Option<NonZeroU32> {
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
        // There is one note of who left for both directions: that of the other is not to be lost, as long as its place is
        // that one's. Otherwise a note means nothing.
        let left = self.vacated.load(Ordering::Relaxed);
        let other = self.owners[1 - direction as usize].load(Ordering::Relaxed);
        if self.is_crowded() || (left != 0 && left == other) {
            return self.leave(direction, number);
        }
        self.vacated.store(number.get(), Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn leave(&self, direction: Direction, number: NonZeroU32) {
        // Where nobody is, it was woken, and with it whoever else was there.
        if self.enlisted[direction as usize].load(Ordering::Acquire) {
            self.give_up(direction, number);
        }
    }

    fn give_up(&self, direction: Direction, number: NonZeroU32) {
        let mut places = self.places();
        let owner = self.owners[direction as usize].load(Ordering::Relaxed);
        let waker = places.remove(direction, number, owner == number.get());
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
        let [read, write] =
            [Direction::Read, Direction::Write].map(|direction| self.take_first(&mut places, direction));
        let more = places.more.take();
        self.crowded.store(false, Ordering::Relaxed);
        for direction in [Direction::Read, Direction::Write] {
            self.believe(direction, Belief::Ready);
            self.enlisted[direction as usize].store(false, Ordering::Release);
        }
        drop(places);
        [read, write].into_iter().for_each(First::wake);
        if let Some(more) = more {
            more.into_iter().flatten().for_each(|(_, waker)| waker.wake());
        }
    }

    /// Wakes all who wait in this direction.
    pub(crate) fn wake_all(&self, direction: Direction) {
        let mut places = self.places();
        let first = self.take_first(&mut places, direction);
        let more = places.more.as_mut().map(|more| std::mem::take(&mut more[direction as usize]));
        places.tidy();
        self.crowded.store(places.more.is_some(), Ordering::Relaxed);
        self.enlisted[direction as usize].store(false, Ordering::Release);
        drop(places);
        first.wake();
        more.into_iter().flatten().for_each(|(_, waker)| waker.wake());
    }

    /// Under the lock.
    #[inline]
    fn take_first(&self, places: &mut Places, direction: Direction) -> First {
        let owner = self.owners[direction as usize].load(Ordering::Relaxed);
        let is_left = owner == self.vacated.load(Ordering::Relaxed);
        First { waker: places.first[direction as usize].take(), is_left }
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

    /// One that none of those who wait has, unless one of them has waited for as long as the conn had four billion others.
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

/// Who was first.
struct First {
    waker: Option<Waker>,
    /// Nobody waits there any more.
    is_left: bool,
}

impl First {
    #[inline]
    fn wake(self) {
        if let Some(waker) = self.waker
            && !self.is_left
        {
            waker.wake();
        }
    }
}

impl Places {
    #[inline]
    fn enlist(
        &mut self,
        direction: Direction,
        number: NonZeroU32,
        waiters: &Waiters,
        waker: &Waker,
    ) -> Option<Waker> {
        let owner = &waiters.owners[direction as usize];
        let (owned_by, left) = (owner.load(Ordering::Relaxed), waiters.vacated.load(Ordering::Relaxed));
        let replaced = match &mut self.first[direction as usize] {
            Some(first) if owned_by == number.get() => replace(first, waker),
            // While there are others, this may be one of them.
            Some(first) if owned_by == left && self.more.is_none() => replace(first, waker),
            first @ None if self.more.is_none() => {
                *first = Some(waker.clone());
                None
            }
            _ => return self.enlist_more(direction, number, waker),
        };
        if left == owned_by || left == number.get() {
            waiters.vacated.store(0, Ordering::Relaxed);
        }
        owner.store(number.get(), Ordering::Relaxed);
        replaced
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

    fn remove(&mut self, direction: Direction, number: NonZeroU32, is_first: bool) -> Option<Waker> {
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
        assert!(waiters.enlist(Direction::Read, &mut number, &first).is_some());
        waiters.vacate(Direction::Read, number.unwrap());
        assert!(waiters.enlist(Direction::Read, &mut next, &second).is_some(), "alone");
        assert_eq!(Arc::strong_count(&one), 2, "nothing is kept of the one before");
        // It cannot be left twice.
        let mut third = None;
        assert!(waiters.enlist(Direction::Read, &mut third, &first).is_none());
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
        assert!(waiters.enlist(Direction::Read, &mut next, &second).is_some());
        waiters.vacate(Direction::Read, number.unwrap());
        assert!(waiters.enlist(Direction::Read, &mut None, &first).is_none(), "the other is there");
        waiters.wake_both();
        assert_eq!(woken(&[&one, &two]), [2, 1]);
        // What it left behind is in nobody's way.
        let mut last = None;
        waiters.enlist(Direction::Read, &mut last, &second);
        waiters.vacate(Direction::Read, last.unwrap());
        assert_eq!(Arc::strong_count(&two), 3, "kept for the next call");
    }

    #[test]
    fn it_is_crowded_as_long_as_one_waits_beside_the_first() {
        let waiters = Waiters::default();
        let ((one, first), (two, second)) = (waker(), waker());
        let (mut number, mut next) = (None, None);
        assert!(waiters.enlist(Direction::Read, &mut number, &first).is_some());
        assert!(
            waiters.enlist(Direction::Write, &mut None, &second).is_some(),
            "the other direction is another matter"
        );
        assert!(!waiters.is_crowded());
        assert!(waiters.enlist(Direction::Read, &mut next, &second).is_none());
        assert!(waiters.is_crowded());
        assert!(
            waiters.enlist(Direction::Read, &mut number, &first).is_none(),
            "nor is the first alone any more"
        );
        waiters.vacate(Direction::Read, next.unwrap());
        assert!(!waiters.is_crowded());
        assert!(waiters.enlist(Direction::Read, &mut number, &first).is_some());
        waiters.wake_all(Direction::Read);
        assert_eq!(woken(&[&one, &two]), [1, 0]);
        waiters.wake_all(Direction::Write);
        assert_eq!(woken(&[&one, &two]), [1, 1]);
    }

    #[test]
    fn who_has_left_is_not_woken() {
        let waiters = Waiters::default();
        let (count, waker) = waker();
        let mut number = None;
        waiters.enlist(Direction::Read, &mut number, &waker);
        waiters.vacate(Direction::Read, number.unwrap());
        waiters.wake_all(Direction::Read);
        waiters.wake_both();
        assert_eq!(woken(&[&count]), [0]);
        assert_eq!(Arc::strong_count(&count), 2, "nor kept");
    }

    #[test]
    fn a_read_and_a_write_that_leave_are_both_forgotten() {
        let waiters = Waiters::default();
        let (_, waker) = waker();
        for _ in 0..3 {
            for direction in [Direction::Read, Direction::Write] {
                let mut number = None;
                assert!(waiters.enlist(direction, &mut number, &waker).is_some(), "alone");
                waiters.vacate(direction, number.unwrap());
            }
        }
    }

    #[test]
    fn nobody_is_alone_whose_place_another_has_taken() {
        let waiters = Waiters::default();
        let (_, waker) = waker();
        let (mut number, mut next) = (None, None);
        let number = waiters.enlist(Direction::Read, &mut number, &waker).unwrap();
        waiters.wake_all(Direction::Read);
        assert!(waiters.is_alone(Direction::Read, number), "woken, but the last to enlist");
        let next = waiters.enlist(Direction::Read, &mut next, &waker).unwrap();
        assert!(!waiters.is_alone(Direction::Read, number));
        assert!(waiters.is_alone(Direction::Read, next));
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
