//! What the workers of a server and its handle share.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::counters::{Counters, Counts, WorkerCounters};
use super::draining::Draining;
use super::peers::{Peer, Peers};
use super::places::Places;
use super::rate::Rate;
use super::registry::Registry;
use super::restart::Kept;
use super::watch::Rules;
use crate::addr::Addr;
use crate::context::sleep_until;
use crate::error::{Error, Operation};
use crate::fd::{Direction, Traffic};
use crate::network::Network;
use crate::socket::BoundPath;

/// What a server keeps to.
#[derive(Debug, Default)]
pub(super) struct Limits {
    pub(super) conns: Option<Places>,
    pub(super) per_peer: Option<Peers>,
    pub(super) rate: Option<Rate>,
    pub(super) silence: Option<Rules>,
}

/// All of a server.
pub(super) struct Shared {
    pub(super) limits: Limits,
    pub(super) workers: Box<[State]>,
    pub(super) began: Instant,
    draining: CancellationToken,
    /// The same as a flag, for those who look at it for every conn.
    is_draining: AtomicBool,
    /// What had been done when the drain began.
    before: OnceLock<WorkerCounters>,
    cut: CancellationToken,
    /// When those are cut that a successor has left behind.
    cut_at: OnceLock<Instant>,
    is_handed_over: AtomicBool,
    /// Successors that have been sent everything, and do not serve yet.
    promised: AtomicUsize,
    /// For a successor.
    kept: Mutex<Option<Arc<Kept>>>,
    /// Listeners from which somebody accepts.
    accepting: AtomicUsize,
    /// Why the last of them was given up, if not for a drain; or that a worker panicked.
    failure: OnceLock<Error>,
    running: AtomicUsize,
    ended: Notify,
    /// Files of Unix sockets.
    paths: Mutex<Vec<BoundPath>>,
}

/// What is known of one worker.
#[derive(Default)]
pub(super) struct State {
    pub(super) counts: Counts,
    pub(super) traffic: Arc<Traffic>,
    pub(super) draining: CancellationToken,
    inbox: Mutex<Inbox>,
    pub(super) arrivals: Notify,
    registry: Mutex<Registry>,
    /// The registry is no longer empty.
    pub(super) occupied: Notify,
    /// There are no conns left.
    pub(super) vacant: Notify,
}

#[derive(Default)]
struct Inbox {
    arrivals: VecDeque<Arrival>,
    closed: bool,
}

/// A conn on its way to the worker that will serve it: not in any reactor yet.
pub(super) struct Arrival {
    pub(super) fd: OwnedFd,
    /// `None` where the kernel gave none that makes sense.
    pub(super) from: Option<Addr>,
    pub(super) network: Network,
    /// Counted, where conns are counted by peer.
    pub(super) peer: Option<Peer>,
}

impl Shared {
    pub(super) fn new(
        limits: Limits,
        workers: usize,
        paths: Vec<BoundPath>,
        kept: Option<Arc<Kept>>,
    ) -> Arc<Shared> {
        let draining = CancellationToken::new();
        let state = |_| State { draining: draining.child_token(), ..State::default() };
        Arc::new(Shared {
            limits,
            workers: (0..workers).map(state).collect(),
            began: Instant::now(),
            draining,
            is_draining: AtomicBool::new(false),
            before: OnceLock::new(),
            cut: CancellationToken::new(),
            cut_at: OnceLock::new(),
            is_handed_over: AtomicBool::new(false),
            promised: AtomicUsize::new(0),
            kept: Mutex::new(kept),
            accepting: AtomicUsize::new(0),
            failure: OnceLock::new(),
            running: AtomicUsize::new(workers),
            ended: Notify::new(),
            paths: Mutex::new(paths),
        })
    }

    pub(super) fn counters(&self) -> Counters {
        let snapshot = |state: &State| {
            let [read, written] = [Direction::Read, Direction::Write].map(|way| state.traffic.bytes(way));
            state.counts.snapshot(read, written)
        };
        Counters { workers: self.workers.iter().map(snapshot).collect() }
    }

    /// No conns are accepted from now on, apart from those that are queued.
    pub(super) fn drain(&self) {
        let _ = self.before.set(self.counters().total());
        self.is_draining.store(true, Ordering::SeqCst);
        *lock(&self.kept) = None;
        if self.promised.load(Ordering::SeqCst) == 0 {
            self.remove_paths();
        }
        self.draining.cancel();
    }

    /// While the sockets are still open: whoever comes then finds no file in place of a dead one.
    fn remove_paths(&self) {
        lock(&self.paths).clear();
    }

    /// They are a successor's now.
    fn leave_paths(&self) {
        lock(&self.paths).iter().for_each(|path| path.set_unlink_on_close(false));
    }

    /// To be had before a successor is told that it has everything; `None` in a drain.
    pub(super) fn promise(&self) -> Option<Promise<'_>> {
        // Counted before looking, as a drain begins before it looks at the count.
        self.promised.fetch_add(1, Ordering::SeqCst);
        let promise = Promise(self);
        if self.is_draining() {
            promise.cancel();
            return None;
        }
        Some(promise)
    }

    /// A successor accepts from now on. What is served here may be until `drain` has passed.
    pub(super) fn hand_over(&self, drain: Duration) {
        self.leave_paths();
        self.is_handed_over.store(true, Ordering::SeqCst);
        // A deadline beyond the clock is none.
        if let Some(deadline) = Instant::now().checked_add(drain) {
            let _ = self.cut_at.set(deadline);
        }
        self.drain();
    }

    pub(super) fn is_handed_over(&self) -> bool {
        self.is_handed_over.load(Ordering::SeqCst)
    }

    pub(super) fn kept(&self) -> Option<Arc<Kept>> {
        lock(&self.kept).clone()
    }

    /// What has been done since the drain began.
    pub(super) fn since_drain(&self) -> (WorkerCounters, WorkerCounters) {
        let now = self.counters().total();
        (self.before.get().copied().unwrap_or(now), now)
    }

    pub(super) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::SeqCst)
    }

    /// Drops all that is left, at once.
    pub(super) fn cut(&self) {
        self.drain();
        self.cut.cancel();
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut.is_cancelled()
    }

    pub(super) async fn wait_for_cut(&self) {
        let deadline = async {
            self.draining.cancelled().await;
            sleep_until(self.cut_at.get().copied()).await;
        };
        tokio::select! {
            () = self.cut.cancelled() => {}
            () = deadline => self.cut(),
        }
    }

    pub(super) fn accepting_begins(&self) {
        self.accepting.fetch_add(1, Ordering::Relaxed);
    }

    /// A listener is of no more use. With the last one, the server ends as soon as its conns have.
    pub(super) fn accepting_failed(&self, error: Error) {
        if self.accepting.fetch_sub(1, Ordering::AcqRel) == 1 {
            let _ = self.failure.set(error);
            self.drain();
        }
    }

    /// A worker has panicked, which no handler makes it do. What it had is lost; the others serve what they have to the
    /// end, so that whoever waits for the server learns of it.
    pub(super) fn worker_panicked(&self) {
        let error = std::io::Error::other("a worker panicked");
        let _ = self.failure.set(Error::new(Operation::Serve, error));
        self.drain();
    }

    pub(super) fn failure(&self) -> Option<&Error> {
        self.failure.get()
    }

    /// A worker is over.
    pub(super) fn worker_ended(&self) {
        self.running.fetch_sub(1, Ordering::SeqCst);
        self.ended.notify_waiters();
    }

    pub(super) fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    /// Waits until all workers are over.
    pub(super) async fn ended(&self) {
        wait_for(&self.ended, || (self.running() == 0).then_some(())).await;
    }
}

/// That a successor may have what it was sent: if the server ends by itself meanwhile, files of sockets stay for the
/// successor.
pub(super) struct Promise<'a>(&'a Shared);

impl Promise<'_> {
    /// The successor is gone.
    pub(super) fn cancel(self) {
        let shared = self.0;
        std::mem::forget(self);
        if shared.promised.fetch_sub(1, Ordering::SeqCst) == 1 && shared.is_draining() {
            shared.remove_paths();
        }
    }
}

impl Drop for Promise<'_> {
    fn drop(&mut self) {
        if self.0.is_draining() {
            self.0.leave_paths();
        }
        self.0.promised.fetch_sub(1, Ordering::SeqCst);
    }
}

impl State {
    pub(super) fn draining(&self) -> Draining {
        Draining(self.draining.clone())
    }

    /// Gives it a conn to serve, which is counted already; gives it back if the worker takes no more.
    pub(super) fn hand(&self, arrival: Arrival) -> Result<(), Arrival> {
        let mut inbox = lock(&self.inbox);
        if inbox.closed {
            return Err(arrival);
        }
        inbox.arrivals.push_back(arrival);
        drop(inbox);
        self.arrivals.notify_one();
        Ok(())
    }

    pub(super) fn take_arrival(&self) -> Option<Arrival> {
        lock(&self.inbox).arrivals.pop_front()
    }

    /// Takes no more; returns what is left.
    pub(super) fn close_inbox(&self) -> VecDeque<Arrival> {
        let mut inbox = lock(&self.inbox);
        inbox.closed = true;
        std::mem::take(&mut inbox.arrivals)
    }

    pub(super) fn registry(&self) -> MutexGuard<'_, Registry> {
        lock(&self.registry)
    }

    /// Waits until it has no conns.
    pub(super) async fn vacant(&self) {
        wait_for(&self.vacant, || (self.counts.conns.value() == 0).then_some(())).await;
    }
}

/// Waits until `look` finds something, of which those who wait are told by `notify`.
pub(super) async fn wait_for<T>(notify: &Notify, look: impl Fn() -> Option<T>) -> T {
    loop {
        let mut notified = std::pin::pin!(notify.notified());
        // Enlisted before looking, so that nothing is missed in between.
        notified.as_mut().enable();
        if let Some(found) = look() {
            return found;
        }
        notified.await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
