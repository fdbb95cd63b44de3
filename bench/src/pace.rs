//! When a client under test starts, is counted, and stops.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::{
    args::{Extent, Span},
    clock,
    outcome::Outcome,
};

/// The measured window of a closed loop: ask [`Pace::another`] before each operation, tell
/// [`Pace::done`] after it.
///
/// With several operations in flight the first ones counted began before the window and the last ones
/// begun in it are not counted; both are the number in flight.
#[derive(Debug)]
pub(crate) struct Pace {
    extent: Extent,
    born: Duration,
    begun: AtomicU64,
    done: AtomicU64,
    window: Mutex<Window>,
}

#[derive(Debug, Default)]
struct Window {
    start: Option<Moment>,
    end: Option<Moment>,
}

#[derive(Clone, Copy, Debug)]
struct Moment {
    wall: Duration,
    cpu: Duration,
    done: u64,
}

impl Pace {
    pub(crate) fn new(span: Span) -> Self {
        Self {
            extent: span.extent(),
            born: clock::wall(),
            begun: AtomicU64::new(0),
            done: AtomicU64::new(0),
            window: Mutex::default(),
        }
    }

    /// The number of the operation to do next, or nothing when the time is over.
    pub(crate) fn another(&self) -> Option<u64> {
        let number = self.begun.load(Relaxed);
        let more = match self.extent {
            Extent::Operations(operations) => number < operations,
            Extent::Time { warm_up, run } => self.within(warm_up, run),
        };
        if more {
            self.begun.store(number + 1, Relaxed);
        }
        more.then_some(number)
    }

    pub(crate) fn done(&self) {
        self.done.store(self.done.load(Relaxed) + 1, Relaxed);
    }

    pub(crate) fn outcome(&self) -> Outcome {
        let window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.now();
        let start = window.start.unwrap_or(Moment { wall: self.born, cpu: Duration::ZERO, done: 0 });
        let end = window.end.unwrap_or(now);
        Outcome::new(end.done - start.done, end.wall - start.wall, end.cpu - start.cpu)
    }

    fn within(&self, warm_up: Duration, run: Duration) -> bool {
        let age = clock::wall() - self.born;
        if age < warm_up {
            return true;
        }
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let start = *window.start.get_or_insert_with(|| self.now());
        if clock::wall() - start.wall < run {
            return true;
        }
        window.end.get_or_insert_with(|| self.now());
        false
    }

    fn now(&self) -> Moment {
        Moment { wall: clock::wall(), cpu: clock::own_cpu(), done: self.done.load(Relaxed) }
    }
}
