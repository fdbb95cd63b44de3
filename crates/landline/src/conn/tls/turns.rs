//! Taking turns at something, for calls that wait in a future and for one task that polls.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// What one at a time may use.
#[derive(Default)]
pub(super) struct Turns<T> {
    of: tokio::sync::Mutex<T>,
    /// Who polled in vain. It has no place in the queue: it might never come back for its turn.
    polled: Mutex<Option<Waker>>,
}

/// A turn, until it is dropped.
pub(super) struct Turn<'a, T> {
    turns: &'a Turns<T>,
    /// `None` only while it is dropped.
    guard: Option<tokio::sync::MutexGuard<'a, T>>,
}

impl<T> Turns<T> {
    pub(super) async fn turn(&self) -> Turn<'_, T> {
        Turn { turns: self, guard: Some(self.of.lock().await) }
    }

    pub(super) fn try_turn(&self) -> Option<Turn<'_, T>> {
        let guard = self.of.try_lock().ok()?;
        Some(Turn { turns: self, guard: Some(guard) })
    }

    /// For one task at a time.
    pub(super) fn poll_turn(&self, cx: &Context<'_>) -> Poll<Turn<'_, T>> {
        if let Some(turn) = self.try_turn() {
            return Poll::Ready(turn);
        }
        *self.polled.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        // The turn may have ended before we said that we wait for it.
        self.try_turn().map_or(Poll::Pending, Poll::Ready)
    }
}

impl<T> Deref for Turn<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.guard.as_ref().expect("taken only when dropped")
    }
}

impl<T> DerefMut for Turn<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.guard.as_mut().expect("taken only when dropped")
    }
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        self.guard = None;
        let polled = self.turns.polled.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = polled {
            waker.wake();
        }
    }
}
