//! Watching over a socket from outside.

use std::sync::Arc;

use tokio::time::Instant;

use super::limits::Direction;
use super::net_fd::Shared;

/// Sees whether a socket is in use, and can end its I/O, without keeping it open: it belongs to somebody else.
#[derive(Clone)]
pub(crate) struct Monitor(Arc<Shared>);

impl Monitor {
    pub(super) fn new(shared: Arc<Shared>) -> Monitor {
        Monitor(shared)
    }

    /// Whether bytes have moved since the last time this was asked.
    pub(crate) fn take_moved(&self) -> bool {
        self.0.meter.take_moved()
    }

    /// Whether any byte has ever come in.
    pub(crate) fn has_heard(&self) -> bool {
        self.0.meter.has_heard()
    }

    /// Makes reads fail with a timeout, those that wait included, by way of their deadline.
    pub(crate) fn expire_reads(&self) {
        self.0.limits.set_deadline(Direction::Read, Some(Instant::now()));
    }

    /// The same for reads and writes.
    pub(crate) fn expire(&self) {
        self.expire_reads();
        self.0.limits.set_deadline(Direction::Write, Some(Instant::now()));
    }
}
