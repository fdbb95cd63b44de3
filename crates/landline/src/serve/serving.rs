//! A server that runs, and its end.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::counters::Counters;
use super::state::Shared;
use crate::addr::Addr;
use crate::error::Result;

/// A server that runs: what [`Server::serve`](crate::Server::serve) and its like give.
///
/// All methods take `&self`, so that one task can wait while another ends it.
///
/// # Drop
/// Dropping it ends the server at once: listeners are closed, and so is every conn, by dropping its handler. It does not
/// wait for that; [`Serving::shutdown`] does.
#[must_use = "dropping it ends the server"]
pub struct Serving {
    shared: Arc<Shared>,
    local: Vec<Addr>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// How a server ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// How many conns ended by themselves after the drain began.
    pub finished: u64,
    /// How many were cut: their handlers were dropped.
    pub cut: u64,
    /// How many were closed unserved: they were queued when the drain began, and until its end
    /// [`max_conns`](crate::Server::max_conns) had no place for them.
    pub refused: u64,
    /// How many workers did not come to their end, because a handler blocks their thread. They end when it no longer
    /// does.
    pub stuck_workers: usize,
}

/// What a worker is given to drop what it has, beyond the deadline of a drain; it needs it only if its thread is blocked.
const GRACE: Duration = Duration::from_secs(1);

impl Serving {
    pub(super) fn new(shared: Arc<Shared>, local: Vec<Addr>) -> Serving {
        Serving { shared, local, threads: Mutex::default() }
    }

    pub(super) fn add_thread(&self, thread: JoinHandle<()>) {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
    }

    /// The address listened on, with the port that the kernel chose where it was 0; of several the first.
    pub fn local_addr(&self) -> Addr {
        self.local[0].clone()
    }

    /// All addresses listened on.
    pub fn local_addrs(&self) -> &[Addr] {
        &self.local
    }

    /// What has been done so far.
    pub fn counters(&self) -> Counters {
        self.shared.counters()
    }

    /// Ends the server gracefully, in `drain` at most.
    ///
    /// New conns are no longer accepted, apart from those already queued in the kernel; each listener is closed once its
    /// queue is empty. Those that were queued get served, at once or, where [`max_conns`](crate::Server::max_conns) keeps
    /// them waiting, as others end. Handlers that asked to be told are told
    /// ([`Worker::draining`](super::Worker::draining)), and all have until the deadline to end. What is left then is cut:
    /// the handlers are dropped, and with them their conns; who is still waiting for a place is closed unserved, which is
    /// counted apart. A drain of zero cuts at once, and takes none from the queues.
    ///
    /// It returns on time, whatever the peers do: at the latest a second after the deadline, even if a handler blocks
    /// its thread.
    ///
    /// Several calls may wait at once; the earliest deadline holds. If the future is dropped, the drain goes on without
    /// a deadline.
    pub async fn shutdown(&self, drain: Duration) -> Drained {
        if drain.is_zero() {
            self.shared.cut();
        } else {
            self.shared.drain();
            // A deadline beyond the clock is none.
            match Instant::now().checked_add(drain) {
                Some(deadline) => drop(timeout_at(deadline, self.shared.ended()).await),
                None => self.shared.ended().await,
            }
            if self.shared.running() > 0 {
                self.shared.cut();
            }
        }
        drop(timeout(GRACE, self.shared.ended()).await);
        self.join();
        self.drained()
    }

    /// Waits until the server has ended: by [`Serving::shutdown`], or because none of its listeners is of any use any
    /// more, which is an error. In that case its conns were served to their ends. Cancel-safe.
    ///
    /// It is an error too if a worker panicked, as one does whose handler panics when it is dropped: its conns are lost,
    /// and the server drains. A handler's own panics end their conns only.
    pub async fn wait(&self) -> Result<Drained> {
        self.shared.ended().await;
        self.join();
        match self.shared.failure() {
            Some(error) => Err(error.clone()),
            None => Ok(self.drained()),
        }
    }

    fn drained(&self) -> Drained {
        let (before, now) = self.shared.since_drain();
        Drained {
            finished: now.finished + now.panicked - before.finished - before.panicked,
            cut: now.cut.saturating_sub(before.cut),
            refused: now.refused_in_drain - before.refused_in_drain,
            stuck_workers: self.shared.running(),
        }
    }

    /// Waits for threads that have done their work, until the kernel has forgotten them.
    fn join(&self) {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if self.shared.running() == 0 {
            for thread in threads.drain(..) {
                // A worker that panicked has said so, and its conns are gone.
                let _ = thread.join();
            }
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.shared.cut();
    }
}

impl std::fmt::Debug for Serving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Serving").field("local_addrs", &self.local).finish_non_exhaustive()
    }
}
