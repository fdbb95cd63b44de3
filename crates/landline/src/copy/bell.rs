//! Who was woken: of two directions in one task, only the one for which something happened is looked at.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// What the two directions wait by: each bell remembers that it was rung, and wakes the task.
pub(super) struct Bells {
    bells: [Arc<Bell>; 2],
    /// Each rings the bell of its number.
    wakers: [Waker; 2],
    /// The task's waker that the bells have, to compare with.
    task: Waker,
}

struct Bell {
    rung: AtomicBool,
    task: Mutex<Waker>,
}

impl Bells {
    /// Two that have rung.
    pub(super) fn new() -> Bells {
        let task = Waker::noop().clone();
        let bell = || Arc::new(Bell { rung: AtomicBool::new(true), task: Mutex::new(task.clone()) });
        let bells = [bell(), bell()];
        let wakers = bells.each_ref().map(|bell| Waker::from(bell.clone()));
        Bells { bells, wakers, task }
    }

    /// Which have rung since this was last asked; from now on they wake `task`.
    #[inline]
    pub(super) fn rung(&mut self, task: &Waker) -> [bool; 2] {
        if !self.task.will_wake(task) {
            self.task.clone_from(task);
            for bell in &self.bells {
                bell.task().clone_from(task);
            }
        }
        // After the task is known, so that whoever rang before wakes nobody in vain.
        let [first, second] = &self.bells;
        [first.has_rung(), second.has_rung()]
    }

    pub(super) fn waker(&self, bell: usize) -> &Waker {
        &self.wakers[bell]
    }
}

impl Bell {
    #[inline]
    fn has_rung(&self) -> bool {
        // Looked at before it is written to, since mostly one of two has not.
        self.rung.load(Ordering::Acquire) && self.rung.swap(false, Ordering::AcqRel)
    }

    fn task(&self) -> MutexGuard<'_, Waker> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.task().wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn each_remembers_that_it_rang_and_wakes_the_task_that_asked_last() {
        let tasks: [Arc<Count>; 2] = Default::default();
        let wakers = tasks.clone().map(Waker::from);
        let mut bells = Bells::new();
        assert_eq!(bells.rung(&wakers[0]), [true, true], "at first");
        assert_eq!(bells.rung(&wakers[0]), [false, false]);
        bells.waker(1).wake_by_ref();
        bells.waker(1).wake_by_ref();
        assert_eq!(bells.rung(&wakers[1]), [false, true]);
        bells.waker(0).wake_by_ref();
        assert_eq!(bells.rung(&wakers[1]), [true, false]);
        assert_eq!(bells.rung(&wakers[1]), [false, false]);
        assert_eq!(tasks.map(|task| task.0.load(Ordering::SeqCst)), [2, 1]);
    }
}
