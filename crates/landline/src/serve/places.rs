//! How many conns more there may be.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use super::state::wait_for;

/// Places for conns, of which a worker takes one before it accepts.
///
/// Not permits of a semaphore, which go to whoever has waited longest: a worker whose thread is blocked by a handler would
/// be given one and keep it, while others could use it. Here those who wait are told of a free place, and whoever comes
/// first has it.
#[derive(Debug)]
pub(super) struct Places {
    free: AtomicUsize,
    freed: Notify,
}

impl Places {
    pub(super) fn at_most(conns: usize) -> Places {
        Places { free: AtomicUsize::new(conns), freed: Notify::new() }
    }

    pub(super) fn try_take(&self) -> Option<Place<'_>> {
        let less = |free: usize| free.checked_sub(1);
        self.free.fetch_update(Ordering::AcqRel, Ordering::Relaxed, less).ok().map(|_| Place(Some(self)))
    }

    /// Waits for one.
    pub(super) async fn take(&self) -> Place<'_> {
        wait_for(&self.freed, || self.try_take()).await
    }

    /// For a place that was [kept](Place::keep).
    pub(super) fn give_back(&self) {
        self.free.fetch_add(1, Ordering::AcqRel);
        self.freed.notify_waiters();
    }
}

/// The right to accept a conn; given back when dropped. Without a limit it is nobody's to give back.
#[must_use]
pub(super) struct Place<'a>(Option<&'a Places>);

impl Place<'_> {
    /// Where there is no limit.
    pub(super) const UNLIMITED: Place<'static> = Place(None);

    /// It is a conn's now.
    pub(super) fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(places) = self.0 {
            places.give_back();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    #[test]
    fn there_are_no_more_than_that_and_each_is_given_back() {
        let places = Places::at_most(2);
        let first = places.try_take().unwrap();
        places.try_take().unwrap().keep();
        assert!(places.try_take().is_none());
        drop(first);
        let again = places.try_take();
        assert!(again.is_some() && places.try_take().is_none());
        places.give_back();
        assert!(places.try_take().is_some());
        assert!(Places::at_most(0).try_take().is_none());
    }

    #[test]
    fn who_waits_and_does_not_come_keeps_no_place_from_others() {
        let places = Places::at_most(1);
        places.try_take().unwrap().keep();
        let mut blocked = pin!(places.take());
        let mut other = pin!(places.take());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(blocked.as_mut().poll(&mut cx).is_pending() && other.as_mut().poll(&mut cx).is_pending());
        places.give_back();
        let Poll::Ready(place) = other.as_mut().poll(&mut cx) else { panic!("the place is kept from it") };
        assert!(blocked.as_mut().poll(&mut cx).is_pending());
        drop(place);
        assert!(blocked.as_mut().poll(&mut cx).is_ready());
    }
}
