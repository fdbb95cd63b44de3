//! The calls of one conn that go on: like a set of tasks, without tasks.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use atomic_waker::AtomicWaker;
use tokio::sync::OwnedSemaphorePermit;

use super::method::{Call, Entry};
use crate::codec::{Header, ServerCodec};

/// Calls that go on, and which of them have been woken.
pub(super) struct Calls<C> {
    slots: Vec<Slot<C>>,
    /// Slots that are free.
    free: Vec<usize>,
    woken: Arc<Woken>,
    /// What is polled now; kept for its room.
    turn: Vec<usize>,
}

/// A place for a call, and the waker of whichever call is in it.
///
/// A waker outlives its call in the hands of those it was given to, and may then wake the next one in its place, which is
/// polled once too often, and no harm done. So no waker has to be made for a call.
struct Slot<C> {
    going_on: Option<GoingOn<C>>,
    flag: Arc<Flag>,
    waker: Waker,
}

/// A call and what its reply needs.
pub(super) struct GoingOn<C> {
    pub(super) call: Call<C>,
    pub(super) entry: Arc<Entry<C>>,
    pub(super) sequence: u64,
    /// Its place among the calls that the whole server may have.
    pub(super) _permit: Option<OwnedSemaphorePermit>,
}

#[derive(Default)]
struct Woken {
    slots: Mutex<Vec<usize>>,
    /// The task of the conn.
    task: AtomicWaker,
}

struct Flag {
    slot: usize,
    is_queued: AtomicBool,
    woken: Arc<Woken>,
}

impl Wake for Flag {
    fn wake(self: Arc<Flag>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Flag>) {
        if !self.is_queued.swap(true, Ordering::AcqRel) {
            self.woken.slots.lock().unwrap_or_else(PoisonError::into_inner).push(self.slot);
            self.woken.task.wake();
        }
    }
}

/// As many free slots are kept as a busy conn needs.
const KEPT: usize = 1024;

impl<C: ServerCodec> Calls<C> {
    pub(super) fn new() -> Calls<C> {
        Calls { slots: Vec::new(), free: Vec::new(), woken: Arc::default(), turn: Vec::new() }
    }

    pub(super) fn count(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whom to wake when a call is woken.
    pub(super) fn register(&self, cx: &Context<'_>) {
        self.woken.task.register(cx.waker());
    }

    /// Polls a new call, and keeps it unless that has been all.
    #[inline]
    pub(super) fn start(&mut self, mut going_on: GoingOn<C>, codec: &mut C, out: &mut Vec<u8>) {
        let index = match self.free.last() {
            Some(&index) => index,
            None => self.add_slot(),
        };
        let slot = &mut self.slots[index];
        if going_on.poll(&slot.waker, codec, out).is_pending() {
            slot.going_on = Some(going_on);
            self.free.pop();
        }
    }

    #[cold]
    fn add_slot(&mut self) -> usize {
        let slot = self.slots.len();
        let flag = Arc::new(Flag { slot, is_queued: AtomicBool::new(false), woken: self.woken.clone() });
        self.slots.push(Slot { going_on: None, waker: flag.clone().into(), flag });
        self.free.push(slot);
        slot
    }

    /// Polls the calls that were woken.
    pub(super) fn poll_woken(&mut self, codec: &mut C, out: &mut Vec<u8>) {
        if self.slots.is_empty() {
            return;
        }
        {
            let mut woken = self.woken.slots.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut *woken, &mut self.turn);
        }
        for index in self.turn.drain(..) {
            let Some(slot) = self.slots.get_mut(index) else { continue };
            // Before polling, so that what happens meanwhile wakes it again.
            slot.flag.is_queued.store(false, Ordering::Release);
            let Some(going_on) = &mut slot.going_on else { continue };
            if going_on.poll(&slot.waker, codec, out).is_ready() {
                slot.going_on = None;
                self.free.push(index);
            }
        }
        if self.slots.len() > KEPT && self.free.len() == self.slots.len() {
            // What old wakers wake from now on is not theirs.
            *self = Calls { woken: self.fresh(), ..Calls::new() };
        }
    }

    fn fresh(&self) -> Arc<Woken> {
        let woken = Woken::default();
        if let Some(task) = self.woken.task.take() {
            woken.task.register(&task);
        }
        Arc::new(woken)
    }
}

impl<C: ServerCodec> GoingOn<C> {
    #[inline]
    fn poll(&mut self, waker: &Waker, codec: &mut C, out: &mut Vec<u8>) -> Poll<()> {
        let header = Header { method: Cow::Borrowed(&self.entry.name), sequence: self.sequence };
        self.call.as_mut().poll_reply(&mut Context::from_waker(waker), codec, &header, out)
    }
}
