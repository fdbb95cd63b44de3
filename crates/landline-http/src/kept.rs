//! What one end of a conn leaves for the other, which is of the same task.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// Something that waits for somebody; mostly there is nothing, which is found out without a lock.
#[derive(Debug)]
pub(crate) struct Kept<T> {
    value: Mutex<Option<T>>,
    is_there: AtomicBool,
}

impl<T> Default for Kept<T> {
    fn default() -> Kept<T> {
        Kept { value: Mutex::new(None), is_there: AtomicBool::new(false) }
    }
}

impl<T> Kept<T> {
    pub(crate) fn is_there(&self) -> bool {
        self.is_there.load(Relaxed)
    }

    /// In place of what is there already.
    pub(crate) fn keep(&self, value: T) {
        *self.value.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        self.is_there.store(true, Relaxed);
    }

    pub(crate) fn take(&self) -> Option<T> {
        if !self.is_there() {
            return None;
        }
        self.is_there.store(false, Relaxed);
        self.value.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
