//! Looks, on each worker, for conns that take too long, and tells them of drains.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::SystemTime;

use landline::serve::Draining;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::settings::{Late, Settings, TICK, Tick, Verdict};
use super::state::{Clock, State};

/// What one worker's conns share.
pub(super) struct Worker {
    pub(super) clock: Arc<Clock>,
    pub(super) draining: Draining,
    /// There while there are conns.
    watch: RefCell<Weak<Watch>>,
    /// The time as HTTP writes it, and when that was.
    date: RefCell<(Tick, String)>,
}

/// Goes on while a conn holds it.
pub(super) struct Watch {
    conns: RefCell<Vec<std::sync::Weak<State>>>,
    task: RefCell<Option<AbortHandle>>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

impl Worker {
    pub(super) fn new(draining: Draining) -> Worker {
        Worker {
            clock: Arc::new(Clock::new()),
            draining,
            watch: RefCell::default(),
            date: RefCell::default(),
        }
    }

    /// One of a server that does nothing.
    #[cfg(test)]
    pub(super) async fn of_none() -> Worker {
        let (tell, told) = std::sync::mpsc::channel();
        let bound = landline::Server::new().workers(1).bind("tcp", "127.0.0.1:0").await.unwrap();
        let serving = bound.serve_with(move |worker| {
            tell.send(worker.draining()).unwrap();
            |_| std::future::ready(())
        });
        let _serving = serving.await.unwrap();
        Worker::new(told.recv().unwrap())
    }

    /// Tells the time (RFC 9110 section 5.6.7), as it was at the last tick.
    pub(super) fn with_date<T>(&self, tell: impl FnOnce(&[u8]) -> T) -> T {
        let mut date = self.date.borrow_mut();
        let now = self.clock.now();
        if date.0 != now {
            *date = (now, httpdate::fmt_http_date(SystemTime::now()));
        }
        tell(date.1.as_bytes())
    }

    /// Watches a conn for as long as what it returns is kept.
    pub(super) fn watch(&self, state: &Arc<State>, settings: &Arc<Settings>) -> Rc<Watch> {
        let known = self.watch.borrow().upgrade();
        let watch = known.unwrap_or_else(|| {
            let watch = Rc::new(Watch { conns: RefCell::default(), task: RefCell::default() });
            let looking =
                look(Rc::downgrade(&watch), self.clock.clone(), self.draining.clone(), settings.clone());
            *watch.task.borrow_mut() = Some(tokio::task::spawn_local(looking).abort_handle());
            *self.watch.borrow_mut() = Rc::downgrade(&watch);
            watch
        });
        watch.conns.borrow_mut().push(Arc::downgrade(state));
        if self.draining.has_begun() {
            state.end();
        }
        watch
    }
}

impl Watch {
    /// Of every conn that is still there.
    fn for_each(&self, mut tell: impl FnMut(&Arc<State>)) {
        // Outside of the borrow: what is told may drop a conn.
        let mut conns = self.conns.take();
        conns.retain(|conn| match conn.upgrade() {
            Some(state) => {
                tell(&state);
                true
            }
            None => false,
        });
        let mut now = self.conns.borrow_mut();
        // Those that came meanwhile.
        conns.append(&mut now);
        *now = conns;
    }
}

fn tell_of(state: &State, late: Late) {
    state.counts.late.add(1);
    let peer = state.peer.as_ref().map(tracing::field::display);
    tracing::debug!(target: "landline_http", peer, "{} took too long", late.as_str());
}

async fn look(watch: Weak<Watch>, clock: Arc<Clock>, draining: Draining, settings: Arc<Settings>) {
    let mut next = Instant::now();
    let mut was_told = false;
    loop {
        next += TICK;
        tokio::select! {
            () = sleep_until(next) => {}
            () = draining.begun(), if !was_told => was_told = true,
        }
        let now = clock.tick();
        let Some(watch) = watch.upgrade() else { return };
        watch.for_each(|state| {
            if was_told && !state.is_ending() {
                state.end();
            }
            match settings.judge(state.doing(), now) {
                Verdict::GoOn => {}
                Verdict::Park => state.park(),
                Verdict::End if state.is_ending() => state.cut(),
                Verdict::End => state.end(),
                Verdict::Cut(late) => {
                    tell_of(state, late);
                    state.cut();
                }
            }
            let began = |since: Tick| since.max(state.blocked_at());
            for stream in state.streams.all_that(|since| settings.is_stalled(began(since), now)) {
                tell_of(state, Late::Write);
                if !stream.reset() {
                    state.cut();
                }
            }
        });
    }
}
