//! What is known of one conn, by those who speak over it and by those who watch it.

use std::sync::atomic::{
    AtomicBool, AtomicU32, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use atomic_waker::AtomicWaker;
use bytes::Bytes;
use landline::serve::Draining;
use landline::{Addr, Conn};

use super::counters::Counts;
use super::send_file::Handover;
use super::settings::{Doing, Settings, Tick, is_idle_for_long, ticks};
use super::stream::Streams;
use super::tls::PeerCertificates;
use super::watch::Worker;
use crate::kept::Kept;

/// A worker's time: it only moves when somebody looks, so that nobody asks the kernel for it.
#[derive(Debug)]
pub(super) struct Clock(AtomicU32);

impl Clock {
    pub(super) fn new() -> Clock {
        Clock(AtomicU32::new(1))
    }

    pub(super) fn now(&self) -> Tick {
        self.0.load(Relaxed)
    }

    pub(super) fn tick(&self) -> Tick {
        self.0.fetch_add(1, Relaxed) + 1
    }
}

/// One conn. All of it is told by one thread and looked at by the same one, but for what an upgraded conn does; so
/// nothing is ordered by it.
#[derive(Debug)]
pub(super) struct State {
    pub(super) peer: Option<Addr>,
    /// There if it is over TLS.
    pub(super) secured: Option<Secured>,
    /// Whether it is one, over which the kernel can send files by itself.
    pub(super) is_socket: bool,
    pub(super) draining: Draining,
    pub(super) clock: Arc<Clock>,
    pub(super) counts: Arc<Counts>,
    /// Those of HTTP/2.
    pub(super) streams: Streams,
    /// Requests that are being answered.
    exchanges: AtomicU32,
    /// Bodies that are still to be read, which may be on another thread, and tunnels.
    others: AtomicU32,
    heading_since: AtomicU32,
    idle_since: AtomicU32,
    body_since: AtomicU32,
    /// How many bodies are waited for.
    waited_bodies: AtomicU32,
    writing_since: AtomicU32,
    /// When the conn last took no more, whether or not it has since.
    blocked_at: AtomicU32,
    requests: AtomicU32,
    /// Which of them is the first since the conn last rested, where it may rest again after that one.
    lone_request: AtomicU32,
    /// How much of a response hyper has and the conn has not, in HTTP/1.1.
    queued: AtomicUsize,
    most_queued: usize,
    /// Whoever waits for that to become less.
    room: AtomicWaker,
    /// A request's body was given up before its end, so that the peer may still be sending it.
    left_unread: AtomicBool,
    /// When it was.
    left_unread_at: AtomicU32,
    /// HTTP is over, and somebody has the conn.
    has_left: AtomicBool,
    /// A head is waited for byte by byte, which is not so in HTTP/2.
    has_heads: AtomicBool,
    /// No further request is wanted.
    is_ending: AtomicBool,
    wants_parking: AtomicBool,
    /// What the peer has said while it was being answered, before hyper asked for it.
    pub(super) early: Kept<Bytes>,
    /// Hyper has asked for more of the peer than there was.
    is_listening: AtomicBool,
    /// It ends here and now.
    is_cut: AtomicBool,
    /// How many others have the conn after an upgrade, or wait for it.
    takers: AtomicU32,
    /// Of files that the kernel sends.
    pub(super) handover: Handover,
    /// Whoever drives the conn.
    driver: Mutex<Option<Waker>>,
    /// Whoever waits for HTTP to be over.
    heir: AtomicWaker,
}

/// What the handshake of TLS has found out.
#[derive(Debug)]
pub(super) struct Secured {
    pub(super) certificates: Option<PeerCertificates>,
}

/// Keeps a conn from being taken for idle.
#[derive(Debug)]
pub(super) struct Busy(Arc<State>);

impl Busy {
    pub(super) fn new(state: Arc<State>) -> Busy {
        state.busy();
        Busy(state)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.done();
    }
}

/// Keeps a conn from being closed when HTTP is over.
#[derive(Debug)]
pub(super) struct Taken(Arc<State>);

impl Taken {
    pub(super) fn new(state: Arc<State>) -> Taken {
        state.takers.fetch_add(1, Relaxed);
        Taken(state)
    }

    pub(super) fn state(&self) -> &Arc<State> {
        &self.0
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        // As the last of several owners does: what was done with the conn comes before.
        self.0.takers.fetch_sub(1, Release);
        self.0.wake_driver();
    }
}

impl State {
    pub(super) fn new(
        conn: &Conn,
        secured: Option<Secured>,
        worker: &Worker,
        counts: Arc<Counts>,
        settings: &Settings,
    ) -> State {
        let (clock, now) = (worker.clock.clone(), worker.clock.now());
        State {
            peer: conn.peer_addr().ok(),
            secured,
            is_socket: matches!(conn, Conn::Tcp(_) | Conn::Unix(_)),
            draining: worker.draining.clone(),
            clock,
            counts,
            streams: Streams::default(),
            exchanges: AtomicU32::new(0),
            others: AtomicU32::new(0),
            // The first head is waited for from the beginning.
            heading_since: AtomicU32::new(now),
            idle_since: AtomicU32::new(now),
            body_since: AtomicU32::new(0),
            waited_bodies: AtomicU32::new(0),
            writing_since: AtomicU32::new(0),
            blocked_at: AtomicU32::new(0),
            requests: AtomicU32::new(0),
            lone_request: AtomicU32::new(1),
            queued: AtomicUsize::new(0),
            most_queued: settings.write_buffer.max(1),
            room: AtomicWaker::new(),
            left_unread: AtomicBool::new(false),
            left_unread_at: AtomicU32::new(0),
            has_left: AtomicBool::new(false),
            has_heads: AtomicBool::new(true),
            is_ending: AtomicBool::new(false),
            wants_parking: AtomicBool::new(false),
            early: Kept::default(),
            is_listening: AtomicBool::new(false),
            is_cut: AtomicBool::new(false),
            takers: AtomicU32::new(0),
            handover: Handover::default(),
            driver: Mutex::default(),
            heir: AtomicWaker::new(),
        }
    }

    pub(super) fn doing(&self) -> Doing {
        if self.has_left.load(Relaxed) {
            // How long it takes is the matter of whoever has it.
            return Doing { in_flight: 1, ..Doing::default() };
        }
        Doing {
            in_flight: self.in_flight(),
            heading_since: self.heading_since.load(Relaxed),
            idle_since: self.idle_since.load(Relaxed),
            body_since: self.body_since.load(Relaxed),
            writing_since: self.writing_since.load(Relaxed),
        }
    }

    fn in_flight(&self) -> u32 {
        self.exchanges.load(Relaxed) + self.others.load(Relaxed)
    }

    /// It speaks HTTP/2, where frames come at any time and requests are counted.
    pub(super) fn speaks_http2(&self) {
        self.has_heads.store(false, Relaxed);
        self.heading_since.store(0, Relaxed);
    }

    pub(super) fn speaks_http1(&self) -> bool {
        self.has_heads.load(Relaxed)
    }

    pub(super) fn read(&self, count: usize) {
        self.counts.received.add(count as u64);
        if self.waited_bodies.load(Relaxed) > 0 {
            self.body_since.store(self.clock.now(), Relaxed);
        }
        if self.in_flight() == 0 && self.heading_since.load(Relaxed) == 0 && self.speaks_http1() {
            self.heading_since.store(self.clock.now(), Relaxed);
        }
    }

    pub(super) fn wrote(&self, count: usize) {
        self.counts.sent.add(count as u64);
        self.writing_since.store(0, Relaxed);
        self.queue_shrinks(self.queued.load(Relaxed).saturating_sub(count));
    }

    pub(super) fn flushed(&self) {
        self.writing_since.store(0, Relaxed);
        self.queue_shrinks(0);
    }

    pub(super) fn cannot_write(&self) {
        self.blocked_at.store(self.clock.now(), Relaxed);
        if self.writing_since.load(Relaxed) == 0 {
            self.writing_since.store(self.clock.now(), Relaxed);
        }
    }

    pub(super) fn blocked_at(&self) -> Tick {
        self.blocked_at.load(Relaxed)
    }

    /// Hyper, which speaks HTTP/1.1, was given so much of a response.
    pub(super) fn queued(&self, count: usize) {
        self.queued.store(self.queued.load(Relaxed) + count, Relaxed);
    }

    fn queue_shrinks(&self, left: usize) {
        let queued = self.queued.load(Relaxed);
        if queued > left {
            self.queued.store(left, Relaxed);
        }
        if queued >= self.most_queued && left < self.most_queued {
            self.room.wake();
        }
    }

    /// Whether hyper has as much of a response as it may keep. Whoever asks is woken when it no longer has: with a body
    /// that has nothing for it, hyper would not ask again by itself.
    pub(super) fn is_queue_full(&self, cx: &Context<'_>) -> bool {
        let is_full = self.queued.load(Relaxed) >= self.most_queued;
        if is_full {
            self.room.register(cx.waker());
        }
        is_full
    }

    /// A handler waits for more of a body than is there.
    pub(super) fn begins_to_wait(&self) {
        self.waited_bodies.fetch_add(1, Relaxed);
        if self.body_since.load(Relaxed) == 0 {
            self.body_since.store(self.clock.now(), Relaxed);
        }
    }

    /// It has come, or is no longer waited for.
    pub(super) fn ends_to_wait(&self) {
        if self.waited_bodies.fetch_sub(1, Relaxed) == 1 {
            self.body_since.store(0, Relaxed);
        }
    }

    /// HTTP is over, and its times are. Whoever took the conn over has it alone now, for as long as he likes.
    pub(super) fn leaves(&self) {
        self.has_left.store(true, Release);
        self.heir.wake();
    }

    /// Ready when HTTP is over.
    pub(super) fn poll_left(&self, cx: &Context<'_>) -> Poll<()> {
        self.heir.register(cx.waker());
        if self.has_left.load(Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }

    /// The rest of a request's body will be read by nobody.
    pub(super) fn leaves_unread(&self) {
        self.left_unread.store(true, Relaxed);
        self.left_unread_at.store(self.clock.now(), Relaxed);
    }

    /// Whether it was within such a time.
    pub(super) fn has_just_left_unread(&self, time: Duration) -> bool {
        let passed = self.clock.now().saturating_sub(self.left_unread_at.load(Relaxed));
        self.has_left_unread() && passed < ticks(time)
    }

    pub(super) fn has_left_unread(&self) -> bool {
        self.left_unread.load(Relaxed)
    }

    /// The conn is at rest: hyper was, so that of a body that nobody read the end has come.
    pub(super) fn has_rested(&self) {
        self.left_unread.store(false, Relaxed);
    }

    /// The conn has rested and is to speak again. One that was idle for long before may well be so again, and rests as
    /// soon as the request that has come is answered; one that asks again before that is in use, and rests when it no longer
    /// is.
    pub(super) fn speaks_again(&self) {
        let next = self.requests.load(Relaxed) + 1;
        let was_idle = is_idle_for_long(self.idle_since.load(Relaxed), self.clock.now());
        self.lone_request.store(if was_idle { next } else { 0 }, Relaxed);
    }

    /// A head that had begun before the last response was complete is waited for since then.
    pub(super) fn heads_since_idle(&self) {
        self.heading_since.store(self.idle_since.load(Relaxed), Relaxed);
    }

    /// A request has come, which keeps the conn busy until [`State::request_ended`]. Returns which it is on this conn, from 1.
    pub(super) fn request_began(&self) -> u32 {
        self.heading_since.store(0, Relaxed);
        if self.speaks_http1() {
            // Of the body before, the end has come.
            self.left_unread.store(false, Relaxed);
        }
        // By the one thread of the worker, so without locked instructions.
        self.exchanges.store(self.exchanges.load(Relaxed) + 1, Relaxed);
        let number = self.requests.load(Relaxed).wrapping_add(1);
        self.requests.store(number, Relaxed);
        number
    }

    /// How many requests have come.
    pub(super) fn requests(&self) -> u32 {
        self.requests.load(Relaxed)
    }

    /// Its response has gone, or never will.
    pub(super) fn request_ended(&self) {
        let left = self.exchanges.load(Relaxed) - 1;
        self.exchanges.store(left, Relaxed);
        if left == 0 && self.others.load(Relaxed) == 0 {
            self.idles();
        }
    }

    /// Something goes on beside the next head and the responses: a body still to be read, or a tunnel.
    pub(super) fn busy(&self) {
        self.others.fetch_add(1, Relaxed);
    }

    /// It has come to its end, or never will.
    pub(super) fn done(&self) {
        if self.others.fetch_sub(1, Relaxed) == 1 {
            // The last response may be going just now, on another thread. Where it is not, this is not looked at.
            self.idle_since.store(self.clock.now(), Relaxed);
            if self.exchanges.load(Relaxed) == 0 {
                self.idles();
            }
        }
    }

    fn idles(&self) {
        self.idle_since.store(self.clock.now(), Relaxed);
        // Where the request has not come to its end, hyper is not at rest yet.
        if self.requests.load(Relaxed) == self.lone_request.load(Relaxed) && !self.has_left_unread() {
            self.wants_parking.store(true, Relaxed);
        }
    }

    /// Whether a request is being answered all of which has come, or whose body nobody reads.
    pub(super) fn only_answers(&self) -> bool {
        self.exchanges.load(Relaxed) > 0 && self.others.load(Relaxed) == 0
    }

    /// Asks whoever drives the conn to take no further request.
    pub(super) fn end(&self) {
        self.is_ending.store(true, Relaxed);
        self.wake_driver();
    }

    pub(super) fn is_ending(&self) -> bool {
        self.is_ending.load(Relaxed)
    }

    pub(super) fn park(&self) {
        // Once is enough for whoever is at rest already.
        if !self.wants_parking.swap(true, Relaxed) {
            self.wake_driver();
        }
    }

    pub(super) fn listens(&self, is_listening: bool) {
        self.is_listening.store(is_listening, Relaxed);
    }

    pub(super) fn is_listening(&self) -> bool {
        self.is_listening.load(Relaxed)
    }

    /// Whether it was asked to, and nothing has come since.
    pub(super) fn take_parking(&self) -> bool {
        self.wants_parking.load(Relaxed) && self.wants_parking.swap(false, Relaxed) && {
            let doing = self.doing();
            doing.in_flight == 0 && doing.heading_since == 0 && doing.writing_since == 0
        }
    }

    /// Has whoever drives the conn drop it.
    pub(super) fn cut(&self) {
        self.is_cut.store(true, Relaxed);
        self.wake_driver();
    }

    pub(super) fn is_cut(&self) -> bool {
        self.is_cut.load(Relaxed)
    }

    pub(super) fn is_taken(&self) -> bool {
        self.takers.load(Acquire) > 0
    }

    /// Has whoever drives the conn woken when there is something to look at. `known` is what it was the last time, so
    /// that this costs nothing where it is still the same.
    pub(super) fn drive(&self, cx: &Context<'_>, known: &mut Option<Waker>) {
        if !known.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            *known = Some(cx.waker().clone());
            self.driver().clone_from(known);
        }
    }

    fn wake_driver(&self) {
        let driver = self.driver().clone();
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    fn driver(&self) -> MutexGuard<'_, Option<Waker>> {
        self.driver.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
