//! One conn to a server, and the calls on it.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use atomic_waker::AtomicWaker;
use landline_gob::Encode;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::call::{Place, Slot, Waiting};
use super::driver::Driver;
use super::pending::BySequence;
use crate::buffer::Output;
use crate::codec::{Codec, Fault, Header, RequestWriter};
use crate::error::Error;

/// Room for as many calls is kept when there are none, as a busy conn needs.
const KEPT: usize = 4096;

/// What a client takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) message: usize,
    pub(super) calls: usize,
    pub(super) unsent: usize,
}

/// How often something has come from a server, over all its conns.
pub(super) type Heard = Arc<AtomicU64>;

/// A conn and its driver, which ends with it.
pub(super) struct Link<C: Codec> {
    shared: Arc<Shared<C>>,
    driver: AbortHandle,
}

/// What callers and the driver share.
pub(super) struct Shared<C: Codec> {
    state: Mutex<State<C>>,
    limits: Limits,
    /// Told when a call that had to wait may be made.
    room: Notify,
    /// The driver's task.
    pub(super) driver: AtomicWaker,
    /// How many calls are under way, for those who balance.
    in_flight: AtomicUsize,
    heard: Heard,
}

type Slots<C> = BySequence<Arc<dyn Slot<<C as Codec>::Replies>>>;

pub(super) struct State<C: Codec> {
    requests: C::Requests,
    /// Requests that the driver has not taken yet.
    pub(super) out: Vec<u8>,
    pending: Slots<C>,
    next: u64,
    /// Calls from this one on have not been taken by the driver.
    untaken: u64,
    /// How many callers wait for room.
    queued: usize,
    /// Why there will be no more calls.
    failure: Option<Error>,
}

impl<C: Codec> Link<C> {
    /// Takes over a conn; `received` is what has been read from it already. The driver is a task of the current runtime.
    pub(super) fn open<Io>(conn: Io, codec: &C, limits: Limits, received: &[u8], heard: Heard) -> Link<C>
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let shared = Arc::new(Shared::new(codec, limits, heard));
        let driver = Driver::new(conn, codec.replies(limits.message), shared.clone(), received);
        let driver = tokio::spawn(driver).abort_handle();
        Link { shared, driver }
    }

    /// Whether calls can be made.
    pub(super) fn is_alive(&self) -> bool {
        self.shared.state().failure.is_none() && !self.driver.is_finished()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.shared.in_flight.load(Ordering::Relaxed)
    }

    /// Ends it; calls under way fail.
    pub(super) fn shut_down(&self) {
        self.shared.fail(Error::Shutdown);
        self.driver.abort();
    }

    /// Makes a call: `write` writes its request.
    pub(super) async fn call<R, W>(&self, method: &str, write: W) -> Result<R, Error>
    where
        R: DeserializeOwned + Send + 'static,
        W: Fn(&mut C::Requests, &Header<'_>, &mut Vec<u8>) -> Result<(), Fault>,
    {
        let place = Arc::new(Place::new());
        let sequence = match self.shared.submit(method, &place, &write)? {
            Some(sequence) => sequence,
            None => Box::pin(self.shared.submit_later(method, &place, &write)).await?,
        };
        Waiting { shared: &self.shared, place, sequence, is_over: false }.await
    }

    pub(super) async fn call_with<A: Encode, R: DeserializeOwned + Send + 'static>(
        &self,
        method: &str,
        args: &A,
    ) -> Result<R, Error> {
        self.call(method, |requests, header, out| requests.request(header, args, out)).await
    }
}

impl<C: Codec> Drop for Link<C> {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl<C: Codec> Shared<C> {
    pub(super) fn new(codec: &C, limits: Limits, heard: Heard) -> Shared<C> {
        let state = State {
            requests: codec.requests(limits.message),
            out: Vec::new(),
            pending: BySequence::default(),
            next: 0,
            untaken: 0,
            queued: 0,
            failure: None,
        };
        Shared {
            state: Mutex::new(state),
            limits,
            room: Notify::new(),
            driver: AtomicWaker::new(),
            in_flight: AtomicUsize::new(0),
            heard,
        }
    }

    /// Something has come.
    pub(super) fn hear(&self) {
        self.heard.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a request, to be sent by the driver; nothing if there is no room for it.
    pub(super) fn submit<R, W>(
        &self,
        method: &str,
        place: &Arc<Place<R>>,
        write: &W,
    ) -> Result<Option<u64>, Error>
    where
        R: DeserializeOwned + Send + 'static,
        W: Fn(&mut C::Requests, &Header<'_>, &mut Vec<u8>) -> Result<(), Fault>,
    {
        let mut state = self.state();
        let state = &mut *state;
        if let Some(failure) = &state.failure {
            return Err(failure.clone().unsent());
        }
        if state.out.len() > self.limits.unsent || state.pending.len() >= self.limits.calls {
            return Ok(None);
        }
        let sequence = state.next;
        let header = Header { method: Cow::Borrowed(method), sequence };
        let is_first = state.out.is_empty();
        write(&mut state.requests, &header, &mut state.out)
            .map_err(|fault| Error::Args(fault.to_string()))?;
        state.next += 1;
        state.pending.insert(sequence, place.clone());
        self.in_flight.store(state.pending.len(), Ordering::Relaxed);
        if is_first {
            // Else it has been told, and will find this one too.
            self.driver.wake();
        }
        Ok(Some(sequence))
    }

    #[cold]
    async fn submit_later<R, W>(&self, method: &str, place: &Arc<Place<R>>, write: &W) -> Result<u64, Error>
    where
        R: DeserializeOwned + Send + 'static,
        W: Fn(&mut C::Requests, &Header<'_>, &mut Vec<u8>) -> Result<(), Fault>,
    {
        let queued = Queued::new(self);
        loop {
            let room = self.room.notified();
            tokio::pin!(room);
            // Enlisted before looking, so that room made in between is not missed.
            room.as_mut().enable();
            if let Some(sequence) = self.submit(method, place, write)? {
                drop(queued);
                return Ok(sequence);
            }
            room.await;
        }
    }

    /// Gives up a call that its caller no longer waits for.
    pub(super) fn forget(&self, sequence: u64) {
        let mut state = self.state();
        let slot = state.pending.remove(&sequence);
        self.after_removal(&mut state);
        drop(state);
        drop(slot);
    }

    /// The slot of a call whose reply has come.
    pub(super) fn answered(&self, sequence: u64) -> Option<Arc<dyn Slot<C::Replies>>> {
        let mut state = self.state();
        let slot = state.pending.remove(&sequence);
        self.after_removal(&mut state);
        slot
    }

    fn after_removal(&self, state: &mut State<C>) {
        if state.pending.is_empty() && state.pending.capacity() > KEPT {
            state.pending = BySequence::default();
        }
        self.in_flight.store(state.pending.len(), Ordering::Relaxed);
        // Not at every one, as all who wait are woken.
        if state.queued > 0 && state.pending.len() <= self.limits.calls / 2 {
            self.room.notify_waiters();
        }
    }

    /// Gives the driver what is to be sent.
    pub(super) fn take_out(&self, state: &mut State<C>, out: &mut Output) {
        out.swap(&mut state.out);
        state.untaken = state.next;
        if state.queued > 0 {
            self.room.notify_waiters();
        }
    }

    /// Fails all calls under way, and those to come.
    pub(super) fn fail(&self, error: Error) {
        let mut state = self.state();
        let failure = state.failure.get_or_insert(error).clone();
        let pending = std::mem::take(&mut state.pending);
        self.in_flight.store(0, Ordering::Relaxed);
        state.out = Vec::new();
        let untaken = state.untaken;
        drop(state);
        for (sequence, slot) in pending {
            let failure = failure.clone();
            slot.fail(if sequence < untaken { failure } else { failure.unsent() });
        }
        self.room.notify_waiters();
    }
}

impl<C: Codec> State<C> {
    pub(super) fn in_flight(&self) -> usize {
        self.pending.len()
    }
}

/// Counts a caller that waits for room.
struct Queued<'a, C: Codec>(&'a Shared<C>);

impl<C: Codec> Queued<'_, C> {
    fn new(shared: &Shared<C>) -> Queued<'_, C> {
        shared.state().queued += 1;
        Queued(shared)
    }
}

impl<C: Codec> Drop for Queued<'_, C> {
    fn drop(&mut self) {
        self.0.state().queued -= 1;
    }
}
