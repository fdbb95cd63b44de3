//! For tests: a waker that does something when it is cloned, as the reactor does between its two looks at readiness.

use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{RawWaker, RawWakerVTable, Waker};

type Hook = Box<dyn FnOnce() + Send>;

/// Counts its wakes.
#[derive(Default)]
pub(crate) struct Hooked {
    wakes: AtomicUsize,
    on_clone: Mutex<Option<Hook>>,
}

const VTABLE: RawWakerVTable = RawWakerVTable::new(
    |data| {
        // SAFETY: see `of`; the reference is not given up.
        let hooked = ManuallyDrop::new(unsafe { of(data) });
        let hook = hooked.on_clone.lock().unwrap().take();
        if let Some(hook) = hook {
            hook();
        }
        raw(Arc::clone(&hooked))
    },
    // SAFETY: see `of`; a waker that is woken by value is used up.
    |data| unsafe { of(data) }.woken(),
    // SAFETY: see `of`; the reference is not given up.
    |data| ManuallyDrop::new(unsafe { of(data) }).woken(),
    // SAFETY: see `of`.
    |data| drop(unsafe { of(data) }),
);

fn raw(hooked: Arc<Hooked>) -> RawWaker {
    RawWaker::new(Arc::into_raw(hooked).cast(), &VTABLE)
}

/// # Safety
/// Of what a waker was made of, whose reference is given up with what this gives.
unsafe fn of(data: *const ()) -> Arc<Hooked> {
    // SAFETY: `raw` made it of such an `Arc`.
    unsafe { Arc::from_raw(data.cast()) }
}

impl Hooked {
    pub(crate) fn waker(self: &Arc<Hooked>) -> Waker {
        // SAFETY: the functions are those of an `Arc` that is counted, and everything within may be shared among threads.
        unsafe { Waker::from_raw(raw(self.clone())) }
    }

    /// Does this when it is cloned the next time.
    pub(crate) fn when_cloned(&self, hook: impl FnOnce() + Send + 'static) {
        *self.on_clone.lock().unwrap() = Some(Box::new(hook));
    }

    pub(crate) fn wakes(&self) -> usize {
        self.wakes.load(Ordering::SeqCst)
    }

    fn woken(&self) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
    }
}
