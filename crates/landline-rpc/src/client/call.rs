//! A call that waits for its reply.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use serde::de::DeserializeOwned;

use super::link::Shared;
use crate::codec::{Codec, Fault, ReplyReader};
use crate::error::Error;

/// Where a reply goes, with its type forgotten.
pub(super) trait Slot<R>: Send + Sync {
    /// Takes the reply from the front of the input, and says whether all of it was there.
    fn take(&self, replies: &mut R, input: &mut &[u8]) -> Result<bool, Fault>;

    fn fail(&self, error: Error);
}

/// Where a reply goes.
pub(super) struct Place<T>(Mutex<State<T>>);

enum State<T> {
    Waiting(Option<Waker>),
    Done(Result<T, Error>),
    /// The caller has it, or has gone.
    Over,
}

impl<T> Place<T> {
    pub(super) fn new() -> Place<T> {
        Place(Mutex::new(State::Waiting(None)))
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(any(test, fuzzing))]
    pub(super) fn is_done(&self) -> bool {
        matches!(*self.state(), State::Done(_))
    }

    fn set(&self, result: Result<T, Error>) {
        let mut state = self.state();
        if let State::Waiting(waker) = &mut *state {
            let waker = waker.take();
            *state = State::Done(result);
            drop(state);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

impl<R: ReplyReader, T: DeserializeOwned + Send + 'static> Slot<R> for Place<T> {
    fn take(&self, replies: &mut R, input: &mut &[u8]) -> Result<bool, Fault> {
        match replies.reply(input) {
            Ok(None) => Ok(false),
            Ok(Some(reply)) => {
                self.set(Ok(reply));
                Ok(true)
            }
            Err(fault) => {
                self.set(Err(Error::Reply(fault.to_string())));
                if fault.is_fatal() { Err(fault) } else { Ok(true) }
            }
        }
    }

    fn fail(&self, error: Error) {
        self.set(Err(error));
    }
}

/// A call under way. Dropping it forgets the call: its reply is passed over when it comes.
pub(super) struct Waiting<'a, C: Codec, T> {
    pub(super) shared: &'a Shared<C>,
    pub(super) place: Arc<Place<T>>,
    pub(super) sequence: u64,
    pub(super) is_over: bool,
}

impl<C: Codec, T> Future for Waiting<'_, C, T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, Error>> {
        let mut state = self.place.state();
        match &mut *state {
            State::Waiting(Some(waker)) if waker.will_wake(cx.waker()) => Poll::Pending,
            State::Waiting(waker) => {
                *waker = Some(cx.waker().clone());
                Poll::Pending
            }
            State::Done(_) | State::Over => {
                let done = std::mem::replace(&mut *state, State::Over);
                drop(state);
                self.is_over = true;
                match done {
                    State::Done(result) => Poll::Ready(result),
                    _ => Poll::Ready(Err(Error::Shutdown)),
                }
            }
        }
    }
}

impl<C: Codec, T> Drop for Waiting<'_, C, T> {
    fn drop(&mut self) {
        if !self.is_over {
            self.shared.forget(self.sequence);
        }
    }
}
