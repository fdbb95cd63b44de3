//! What a server wants to know of its conns: how many bytes they move, and whether they moved any of late.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;

use super::limits::Direction;

/// Bytes moved by many sockets, such as those of one worker; on cache lines of its own, which workers do not share.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Traffic {
    bytes: [AtomicU64; 2],
    /// The runtime that accepts the sockets, while it runs. Here because all of them point here already.
    home: Mutex<Option<Handle>>,
}

impl Traffic {
    pub(crate) fn bytes(&self, direction: Direction) -> u64 {
        self.bytes[direction as usize].load(Ordering::Relaxed)
    }

    /// Sockets that are registered from now on are registered with this runtime, wherever they are waited for; `None` once
    /// it is about to end, since the handle keeps descriptors of its reactor open.
    pub(crate) fn set_home(&self, home: Option<Handle>) {
        *self.home() = home;
    }

    fn home(&self) -> MutexGuard<'_, Option<Handle>> {
        self.home.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The meter of one socket. Without a [`Traffic`] to add to, it costs a look at a pointer.
#[derive(Default)]
pub(crate) struct Meter {
    traffic: Option<Arc<Traffic>>,
    /// Whether bytes have moved since somebody last asked.
    moved: AtomicBool,
    /// Whether any have ever come in.
    heard: AtomicBool,
}

impl Meter {
    pub(crate) fn new(traffic: Arc<Traffic>) -> Meter {
        Meter { traffic: Some(traffic), ..Meter::default() }
    }

    /// So many bytes were moved; bytes looked at and left where they are count as 0.
    #[inline]
    pub(crate) fn count(&self, direction: Direction, bytes: usize) {
        let Some(traffic) = &self.traffic else { return };
        traffic.bytes[direction as usize].fetch_add(bytes as u64, Ordering::Relaxed);
        // Looked at first: nearly always they are set already, and the line stays as it is.
        if !self.moved.load(Ordering::Relaxed) {
            self.moved.store(true, Ordering::Relaxed);
        }
        if direction == Direction::Read && !self.heard.load(Ordering::Relaxed) {
            self.heard.store(true, Ordering::Relaxed);
        }
    }

    /// The runtime that the socket belongs to, if it was accepted by one that still runs.
    pub(crate) fn home(&self) -> Option<Handle> {
        self.traffic.as_ref().and_then(|traffic| traffic.home().clone())
    }

    /// Whether bytes have moved since the last time.
    pub(crate) fn take_moved(&self) -> bool {
        self.moved.load(Ordering::Relaxed) && self.moved.swap(false, Ordering::Relaxed)
    }

    pub(crate) fn has_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }
}
