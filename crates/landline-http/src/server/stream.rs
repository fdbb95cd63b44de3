//! The streams of HTTP/2, each with what of its response is still to be sent.
//!
//! A client opens the window of a stream (RFC 9113 section 5.2) when it likes. Until then neither hyper nor h2 asks for
//! anything, so what they were given tells here how it fares, and the task of a stream that stands still is dropped, which
//! resets it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;

use atomic_waker::AtomicWaker;

use super::settings::Tick;
use super::state::{Busy, State};

/// One stream; as the conn's state, told and looked at by one thread.
#[derive(Debug)]
pub(super) struct Stream {
    state: Arc<State>,
    number: u32,
    unsent: AtomicUsize,
    /// When something was last sent, or the first of what is unsent was given; 0 while nothing is unsent.
    since: AtomicU32,
    task: AtomicWaker,
    has_task: AtomicBool,
    is_reset: AtomicBool,
}

impl Stream {
    fn begin(state: Arc<State>, number: u32) -> Arc<Stream> {
        let stream = Arc::new(Stream {
            state,
            number,
            unsent: AtomicUsize::new(0),
            since: AtomicU32::new(0),
            task: AtomicWaker::new(),
            has_task: AtomicBool::new(true),
            is_reset: AtomicBool::new(false),
        });
        stream.state.streams.lock().insert(number, Arc::downgrade(&stream));
        stream
    }

    /// So much is to be sent.
    pub(super) fn given(&self, count: usize) {
        self.unsent.store(self.unsent.load(Relaxed) + count, Relaxed);
        if count > 0 && self.since.load(Relaxed) == 0 {
            self.since.store(self.state.clock.now(), Relaxed);
        }
    }

    /// So much of it was.
    pub(super) fn sent(&self, count: usize) {
        let unsent = self.unsent.load(Relaxed).saturating_sub(count);
        self.unsent.store(unsent, Relaxed);
        self.since.store(if unsent == 0 { 0 } else { self.state.clock.now() }, Relaxed);
    }

    /// Resets it, unless all of the response was handed over, so that only h2 knows of it.
    pub(super) fn reset(&self) -> bool {
        self.is_reset.store(true, Relaxed);
        self.task.wake();
        self.has_task.load(Relaxed)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.state.streams.lock().remove(&self.number);
    }
}

/// Those of one conn, by the numbers of their requests.
#[derive(Debug, Default)]
pub(super) struct Streams(Mutex<BTreeMap<u32, Weak<Stream>>>);

impl Streams {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, Weak<Stream>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those whose response has waited since such a time, and which were not reset for it.
    pub(super) fn all_that(&self, is_late: impl Fn(Tick) -> bool) -> Vec<Arc<Stream>> {
        // Outside of the lock: whichever is dropped takes it.
        let all: Vec<_> = self.lock().values().filter_map(Weak::upgrade).collect();
        let late = |stream: &Arc<Stream>| {
            let since = stream.since.load(Relaxed);
            since != 0 && is_late(since) && !stream.is_reset.load(Relaxed)
        };
        all.into_iter().filter(late).collect()
    }
}

/// Streams run on the worker's own thread, as their conn does. While one does, the conn is not idle: a tunnel (RFC 9113
/// section 8.5) may outlast its request.
#[derive(Clone)]
pub(super) struct OnThread {
    state: Arc<State>,
    /// The stream of the request that the handler was just called for, whose task comes next.
    next: Rc<RefCell<Option<Arc<Stream>>>>,
}

impl OnThread {
    pub(super) fn new(state: Arc<State>) -> OnThread {
        OnThread { state, next: Rc::default() }
    }

    /// A stream for a request, before hyper executes it.
    pub(super) fn begin(&self, number: u32) -> Arc<Stream> {
        let stream = Stream::begin(self.state.clone(), number);
        self.next.replace(Some(stream.clone()));
        stream
    }
}

impl<F: Future + 'static> hyper::rt::Executor<F> for OnThread {
    fn execute(&self, future: F) {
        let busy = Busy::new(self.state.clone());
        // What follows an upgrade is no stream of ours.
        let stream = self.next.take();
        drop(tokio::task::spawn_local(async move {
            match stream {
                Some(stream) => run(future, stream).await,
                None => drop(future.await),
            }
            drop(busy);
        }));
    }
}

async fn run(future: impl Future, stream: Arc<Stream>) {
    let mut future = pin!(future);
    poll_fn(|cx| {
        stream.task.register(cx.waker());
        if stream.is_reset.load(Relaxed) { Poll::Ready(()) } else { future.as_mut().poll(cx).map(drop) }
    })
    .await;
    stream.has_task.store(false, Relaxed);
}
