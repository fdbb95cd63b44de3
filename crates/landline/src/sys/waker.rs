//! Wakers that borrow what they wake.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::sync::Arc;
use std::task::{Wake, Waker};

/// A waker that shares the reference of an `Arc` in place of counting one of its own. Clones of it count.
pub(crate) struct BorrowedWaker<'a> {
    waker: ManuallyDrop<Waker>,
    of: PhantomData<&'a ()>,
}

pub(crate) fn borrowed_waker<W: Wake + Send + Sync + 'static>(of: &Arc<W>) -> BorrowedWaker<'_> {
    // SAFETY: the reference that is made here without counting it is never given up, and the one that it shares lives
    // for as long as the borrow.
    let shared = unsafe { Arc::from_raw(Arc::as_ptr(of)) };
    BorrowedWaker { waker: ManuallyDrop::new(Waker::from(shared)), of: PhantomData }
}

impl Deref for BorrowedWaker<'_> {
    type Target = Waker;

    #[inline]
    fn deref(&self) -> &Waker {
        &self.waker
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn it_counts_nothing_and_its_clones_do() {
        let count = Arc::new(Count::default());
        let waker = borrowed_waker(&count);
        assert_eq!(Arc::strong_count(&count), 1);
        let clone = waker.clone();
        assert_eq!(Arc::strong_count(&count), 2);
        clone.wake();
        waker.wake_by_ref();
        assert_eq!((count.0.load(Ordering::SeqCst), Arc::strong_count(&count)), (2, 1));
    }
}
