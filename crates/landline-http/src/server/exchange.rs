//! One request and its response, from the complete head to the last byte.

use std::sync::{Arc, OnceLock};

use http::{Method, Request, StatusCode, Uri, Version};
use landline::Context;
use tokio::time::Instant;
use tracing::Level;

use super::state::State;
use super::stream::Stream;

/// The target of the access log's events.
pub(super) const LOG: &str = "landline_http::access";

/// Counts and logs what becomes of a request when it is dropped.
pub(super) struct Exchange {
    life: Arc<Life>,
    /// That of HTTP/2.
    stream: Option<Arc<Stream>>,
    began: Instant,
    status: Option<StatusCode>,
    is_complete: bool,
    bytes: u64,
    /// How long the body is, where it is known: then its end is not asked for.
    expected: Option<u64>,
    is_head: bool,
    /// There only if somebody wants to know.
    log: Option<Box<Line>>,
}

struct Line {
    method: Method,
    uri: Uri,
    version: Version,
}

/// What a request has in common with whoever its handler tells of it.
pub(super) struct Life {
    pub(super) state: Arc<State>,
    /// Ends with the request; made when a handler asks for it.
    context: OnceLock<Context>,
}

impl Life {
    pub(super) fn context(&self) -> &Context {
        self.context.get_or_init(|| Context::background().child())
    }
}

impl Exchange {
    pub(super) fn begin<B>(state: Arc<State>, stream: Option<Arc<Stream>>, request: &Request<B>) -> Exchange {
        state.counts.requests.add(1);
        let wants_log = tracing::enabled!(target: LOG, Level::INFO);
        let log = wants_log.then(|| {
            Box::new(Line {
                method: request.method().clone(),
                uri: request.uri().clone(),
                version: request.version(),
            })
        });
        Exchange {
            life: Arc::new(Life { state, context: OnceLock::new() }),
            stream,
            began: Instant::now(),
            status: None,
            is_complete: false,
            bytes: 0,
            expected: None,
            is_head: request.method() == Method::HEAD,
            log,
        }
    }

    pub(super) fn state(&self) -> &Arc<State> {
        &self.life.state
    }

    pub(super) fn stream(&self) -> Option<Arc<Stream>> {
        self.stream.clone()
    }

    pub(super) fn life(&self) -> &Arc<Life> {
        &self.life
    }

    pub(super) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    pub(super) fn expects(&mut self, length: Option<u64>) {
        self.expected = length;
    }

    /// Hyper has so much more of the response.
    pub(super) fn sent(&mut self, count: usize) {
        self.bytes += count as u64;
    }

    pub(super) fn complete(&mut self) {
        self.is_complete = true;
    }

    /// Whether the response ends with its head (RFC 9110 section 6.4.1).
    pub(super) fn has_no_content(&self) -> bool {
        let has_none = |status: StatusCode| status.is_informational() || matches!(status.as_u16(), 204 | 304);
        self.status.is_some_and(|status| self.is_head || has_none(status))
    }

    /// Whether hyper had all of the response to send.
    fn has_gone(&self) -> bool {
        self.has_no_content()
            || self.is_complete
            || self.expected.is_some_and(|expected| self.bytes >= expected)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(context) = self.life.context.get() {
            context.cancel();
        }
        let time = self.began.elapsed();
        let state = &self.life.state;
        state.counts.ended(self.status, self.has_gone(), time);
        state.done();
        if let Some(line) = self.log.take() {
            tracing::info!(
                target: LOG,
                peer = state.peer.as_ref().map(tracing::field::display),
                method = %line.method,
                uri = %line.uri,
                version = ?line.version,
                status = self.status.map(|status| status.as_u16()),
                bytes = self.bytes,
                whole = self.has_gone(),
                micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX),
                "request"
            );
        }
    }
}
