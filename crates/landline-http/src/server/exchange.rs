//! One request and its response, from the complete head to the last byte.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use http::{Method, Request, StatusCode, Uri, Version};
use landline::Context;
use tokio::time::Instant;
use tracing::Level;

use super::state::State;
use super::stream::Stream;

/// The target of the access log's events.
pub(super) const LOG: &str = "landline_http::access";

thread_local! {
    /// That of the handler that is being called or polled.
    static CURRENT: Cell<Option<Exchange>> = const { Cell::new(None) };
}

/// Counts and logs what becomes of a request when it is dropped. Small, as it moves with the response.
pub(super) struct Exchange {
    life: Arc<Life>,
    /// That of HTTP/2.
    stream: Option<Arc<Stream>>,
    /// There only if somebody wants to know.
    log: Option<Box<Line>>,
}

struct Line {
    method: Method,
    uri: Uri,
    version: Version,
}

/// What a request has in common with whoever its handler tells of it. Used for one request after the other.
pub(super) struct Life {
    pub(super) state: Arc<State>,
    course: Course,
}

/// What becomes of one request: told by the one thread of its conn.
struct Course {
    /// Ends with the request; made when a handler asks for it.
    context: OnceLock<Context>,
    /// Those who want to know the end of it.
    hearers: OnceLock<Mutex<Vec<Hearer>>>,
    began: Instant,
    is_head: bool,
    /// 0 until there is one.
    status: AtomicU16,
    is_complete: AtomicBool,
    bytes: AtomicU64,
    /// How long the body is; [`UNKNOWN`] where only its end tells.
    expected: AtomicU64,
}

pub(super) type Hearer = Box<dyn FnOnce(&Outcome) + Send>;

/// What became of a request; told by [`Caller::on_end`](super::Caller::on_end).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// That of the response, whoever made it; `None` where the peer left before there was one.
    pub status: Option<StatusCode>,
    /// How many bytes of the response's body were sent, or were handed over to be: those of a file that the kernel sends by
    /// itself, too.
    pub bytes: u64,
    /// All of the response was.
    pub is_whole: bool,
    /// The time from the head of the request to the end of the response.
    pub time: Duration,
}

/// No body is as long.
const UNKNOWN: u64 = u64::MAX;

impl Course {
    fn begin(is_head: bool) -> Course {
        Course {
            context: OnceLock::new(),
            hearers: OnceLock::new(),
            began: Instant::now(),
            is_head,
            status: AtomicU16::new(0),
            is_complete: AtomicBool::new(false),
            bytes: AtomicU64::new(0),
            expected: AtomicU64::new(UNKNOWN),
        }
    }
}

impl Life {
    pub(super) fn context(&self) -> &Context {
        self.course.context.get_or_init(|| Context::background().child())
    }

    pub(super) fn on_end(&self, hearer: Hearer) {
        self.course
            .hearers
            .get_or_init(Mutex::default)
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(hearer);
    }
}

/// The lives of a conn's requests: one behind the other they are the same one, unless somebody keeps it.
pub(super) struct Lives(RefCell<Arc<Life>>);

impl Lives {
    pub(super) fn new(state: Arc<State>) -> Lives {
        Lives(RefCell::new(Arc::new(Life { state, course: Course::begin(false) })))
    }

    fn begin(&self, is_head: bool) -> Arc<Life> {
        let (mut last, course) = (self.0.borrow_mut(), Course::begin(is_head));
        match Arc::get_mut(&mut last) {
            Some(life) => life.course = course,
            None => *last = Arc::new(Life { state: last.state.clone(), course }),
        }
        last.clone()
    }
}

/// Calls or polls a handler, which can ask for its [`Exchange::current`] meanwhile. That one is lent and not cloned, as a clone
/// is two locked instructions. `handler` catches its panics.
#[inline(always)]
pub(super) fn within<T>(exchange: &mut Option<Exchange>, handler: impl FnOnce() -> T) -> T {
    let outer = CURRENT.replace(exchange.take());
    let done = handler();
    *exchange = CURRENT.replace(outer);
    done
}

impl Exchange {
    pub(super) fn begin<B>(lives: &Lives, stream: Option<Arc<Stream>>, request: &Request<B>) -> Exchange {
        let life = lives.begin(request.method() == Method::HEAD);
        life.state.counts.requests.add(1);
        let wants_log = tracing::enabled!(target: LOG, Level::INFO);
        let log = wants_log.then(|| {
            Box::new(Line {
                method: request.method().clone(),
                uri: request.uri().clone(),
                version: request.version(),
            })
        });
        Exchange { life, stream, log }
    }

    pub(super) fn state(&self) -> &Arc<State> {
        &self.life.state
    }

    pub(super) fn stream(&self) -> Option<Arc<Stream>> {
        self.stream.clone()
    }

    /// The life of the request whose handler asks for it.
    pub(super) fn current() -> Option<Arc<Life>> {
        let exchange = CURRENT.take();
        let life = exchange.as_ref().map(|exchange| exchange.life.clone());
        CURRENT.set(exchange);
        life
    }

    pub(super) fn answered(&self, status: StatusCode) {
        self.life.course.status.store(status.as_u16(), Relaxed);
    }

    pub(super) fn expects(&self, length: Option<u64>) {
        self.life.course.expected.store(length.unwrap_or(UNKNOWN), Relaxed);
    }

    /// Hyper has so much more of the response.
    pub(super) fn sent(&self, count: usize) {
        self.life.course.bytes.store(self.bytes() + count as u64, Relaxed);
    }

    pub(super) fn complete(&self) {
        self.life.course.is_complete.store(true, Relaxed);
    }

    fn status(&self) -> Option<u16> {
        Some(self.life.course.status.load(Relaxed)).filter(|&status| status != 0)
    }

    fn bytes(&self) -> u64 {
        self.life.course.bytes.load(Relaxed)
    }

    /// Whether the response ends with its head (RFC 9110 section 6.4.1).
    pub(super) fn has_no_content(&self) -> bool {
        self.status()
            .is_some_and(|status| self.life.course.is_head || matches!(status, 100..=199 | 204 | 304))
    }

    /// Whether hyper had all of the response to send.
    fn has_gone(&self) -> bool {
        self.has_no_content()
            || self.life.course.is_complete.load(Relaxed)
            || self.bytes() >= self.life.course.expected.load(Relaxed)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(context) = self.life.course.context.get() {
            context.cancel();
        }
        let time = self.life.course.began.elapsed();
        let state = &self.life.state;
        state.counts.ended(self.status(), self.has_gone(), time);
        state.request_ended();
        if let Some(hearers) = self.life.course.hearers.get() {
            let hearers = std::mem::take(&mut *hearers.lock().unwrap_or_else(PoisonError::into_inner));
            let status = self.status().and_then(|status| StatusCode::from_u16(status).ok());
            let outcome = Outcome { status, bytes: self.bytes(), is_whole: self.has_gone(), time };
            for hearer in hearers {
                if catch_unwind(AssertUnwindSafe(|| hearer(&outcome))).is_err() {
                    tracing::error!(target: "landline_http", "who hears the end of a request panicked");
                }
            }
        }
        if let Some(line) = self.log.take() {
            tracing::info!(
                target: LOG,
                peer = state.peer.as_ref().map(tracing::field::display),
                method = %line.method,
                uri = %line.uri,
                version = ?line.version,
                status = self.status(),
                bytes = self.bytes(),
                whole = self.has_gone(),
                micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX),
                "request"
            );
        }
    }
}
