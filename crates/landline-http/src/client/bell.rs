//! Whom a conn wakes: the request that uses it, or who looks after the idle ones.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

use tokio::sync::Notify;

/// The conn is to be polled.
const RUNG: u8 = 1;
/// Somebody is at it and looks again before leaving.
const ATTENDED: u8 = 2;

/// The waker that a conn knows for as long as it lives, whoever uses it.
///
/// It tells nobody while the conn is being polled: what wakes it then is mostly the conn itself, and a task that wakes
/// itself is run once more for nothing.
#[derive(Debug)]
pub(super) struct Bell {
    state: AtomicU8,
    /// Of who uses the conn; none while it is idle.
    user: Mutex<Option<Waker>>,
    /// Who looks after idle conns.
    keeper: Arc<Notify>,
}

impl Bell {
    /// Of a conn that has yet to be polled.
    pub(super) fn new(keeper: Arc<Notify>) -> Arc<Bell> {
        Arc::new(Bell { state: AtomicU8::new(RUNG), user: Mutex::new(None), keeper })
    }

    pub(super) fn is_rung(&self) -> bool {
        self.state.load(Ordering::Acquire) & RUNG != 0
    }

    /// The conn is about to be polled for what rang.
    pub(super) fn answer(&self) {
        self.state.fetch_and(!RUNG, Ordering::AcqRel);
    }

    /// From now on who rings is heard without being told on.
    pub(super) fn attend(&self) {
        self.state.fetch_or(ATTENDED, Ordering::AcqRel);
    }

    /// Who is told once nobody attends.
    pub(super) fn tell(&self, waker: &Waker) {
        let mut user = self.user();
        match &mut *user {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    /// Leaves, whether it rang or not.
    pub(super) fn leave(&self) {
        self.state.fetch_and(!ATTENDED, Ordering::AcqRel);
    }

    /// Leaves unless it rang meanwhile.
    pub(super) fn leave_unless_rung(&self) -> bool {
        self.state.compare_exchange(ATTENDED, 0, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// The conn is idle: from now on its keeper is told.
    pub(super) fn rest(&self) {
        let user = self.user().take();
        drop(user);
        if self.is_rung() {
            self.keeper.notify_one();
        }
    }

    fn user(&self) -> MutexGuard<'_, Option<Waker>> {
        self.user.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Otherwise somebody is at it, or was told.
        if self.state.fetch_or(RUNG, Ordering::AcqRel) == 0 {
            // Not under the lock, as a waker may do anything.
            let user = self.user().clone();
            match user {
                Some(user) => user.wake(),
                None => self.keeper.notify_one(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts.
    #[derive(Default)]
    struct Told(AtomicU8);

    impl Wake for Told {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn is_told(keeper: &Notify) -> bool {
        use futures_util::FutureExt as _;
        keeper.notified().now_or_never().is_some()
    }

    #[test]
    fn who_uses_the_conn_is_told_once_and_not_while_at_it() {
        let (keeper, told) = (Arc::new(Notify::new()), Arc::new(Told::default()));
        let bell = Bell::new(keeper.clone());
        let waker = Waker::from(bell.clone());
        let count = || told.0.load(Ordering::Relaxed);
        assert!(bell.is_rung(), "a new conn is to be polled");
        bell.attend();
        bell.tell(&Waker::from(told.clone()));
        bell.answer();
        waker.wake_by_ref();
        assert_eq!((count(), bell.leave_unless_rung()), (0, false));
        bell.answer();
        assert!(bell.leave_unless_rung());
        waker.wake_by_ref();
        waker.wake_by_ref();
        assert_eq!((count(), bell.is_rung()), (1, true));
        assert!(!is_told(&keeper));
    }

    #[test]
    fn of_an_idle_conn_the_keeper_is_told() {
        let (keeper, told) = (Arc::new(Notify::new()), Arc::new(Told::default()));
        let bell = Bell::new(keeper.clone());
        bell.tell(&Waker::from(told.clone()));
        bell.answer();
        bell.rest();
        assert!(!is_told(&keeper));
        Waker::from(bell.clone()).wake();
        assert!(is_told(&keeper));
        // What rang before the rest is not forgotten by it.
        bell.rest();
        assert!(is_told(&keeper));
        assert_eq!(told.0.load(Ordering::Relaxed), 0);
        assert_eq!(Arc::strong_count(&told), 1, "an idle conn keeps no task");
    }
}
