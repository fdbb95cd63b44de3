//! The sink that tells `tracing`: a span for the dial, one for each lookup, query and attempt, and events within them.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use tracing::{Level, Span, debug_span, trace};

use super::event::{Event, What};
use super::sink::Sink;
use crate::error::Operation;

/// Turns the events of one dial, lookup or copy into `tracing` spans and events with the target `landline`.
///
/// Spans, and how they ended, are of the level `DEBUG`; single system calls and choices are `TRACE`. Every dial, lookup
/// and copy makes one of its own when a subscriber wants the target `landline` at `DEBUG`, so that
/// `RUST_LOG=landline=debug` is all it takes; make one by hand to have a dial within a span of yours.
#[derive(Debug)]
pub struct Tracing {
    root: Span,
    open: Mutex<Vec<Open>>,
}

struct Open {
    key: Key,
    span: Span,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Key {
    Lookup(String),
    Query(u32),
    Attempt(u32),
    Hop(u32),
    Copy(u32),
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key.fmt(f)
    }
}

impl Tracing {
    /// A span named `dial`, `listen`, `lookup` or `copy`, below the current span. Of a lookup, `network` is the kind and
    /// `address` the name; of a copy, they are the two sides.
    pub fn new(operation: Operation, network: impl fmt::Display, address: &str) -> Tracing {
        let root = match operation {
            Operation::Listen => debug_span!(target: "landline", "listen", %network, address),
            Operation::Lookup => debug_span!(target: "landline", "lookup", kind = %network, name = address),
            Operation::Copy => debug_span!(target: "landline", "copy", from = %network, to = address),
            Operation::Request => {
                debug_span!(target: "landline", "request", method = %network, url = address)
            }
            _ => debug_span!(target: "landline", "dial", %network, address),
        };
        Tracing { root, open: Mutex::default() }
    }

    /// Whether any subscriber wants to know; one atomic load where there is none.
    #[inline]
    pub fn is_wanted() -> bool {
        tracing::enabled!(target: "landline", Level::DEBUG)
    }

    /// Opens a span within the lookup that goes on, or else within the dial.
    fn open(&self, key: Key, make: impl FnOnce(&Span) -> Span) {
        let parent = match key {
            Key::Query(_) => self.lookup(),
            Key::Lookup(_) | Key::Attempt(_) | Key::Hop(_) | Key::Copy(_) => self.root.clone(),
        };
        let span = make(&parent);
        self.opened().push(Open { key, span });
    }

    /// Takes a span out, so that it closes when the caller is done with it.
    fn close(&self, key: &Key) -> Span {
        let mut open = self.opened();
        match open.iter().rposition(|open| open.key == *key) {
            Some(index) => open.remove(index).span,
            None => self.root.clone(),
        }
    }

    fn find(&self, key: &Key) -> Span {
        let open = self.opened();
        open.iter()
            .rev()
            .find(|open| open.key == *key)
            .map_or_else(|| self.root.clone(), |open| open.span.clone())
    }

    fn lookup(&self) -> Span {
        let open = self.opened();
        let lookup = open.iter().rev().find(|open| matches!(open.key, Key::Lookup(_)));
        lookup.map_or_else(|| self.root.clone(), |open| open.span.clone())
    }

    fn opened(&self) -> std::sync::MutexGuard<'_, Vec<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An event within a span; the level has to be a constant, so the two used here are spelled out.
macro_rules! debug_in {
    ($span:expr, $($rest:tt)+) => { tracing::debug!(target: "landline", parent: $span, $($rest)+) };
}
macro_rules! trace_in {
    ($span:expr, $($rest:tt)+) => { trace!(target: "landline", parent: $span, $($rest)+) };
}

impl Sink for Tracing {
    fn event(&self, event: &Event) {
        let root = &self.root;
        match &event.what {
            What::Parsed { network, address } => trace_in!(root, %network, address, "parsed"),
            What::LookupStarted { name, kind } => self.open(
                Key::Lookup(name.clone()),
                |parent| debug_span!(target: "landline", parent: parent, "lookup", name, kind),
            ),
            What::Policy { sources, reason, .. } => trace_in!(&self.lookup(), ?sources, reason, "policy"),
            What::SourceAnswered { source, answer } => {
                debug_in!(&self.lookup(), source, answer, "source answered");
            }
            What::NameTried { name } => trace_in!(&self.lookup(), name, "trying name"),
            What::QuerySent { query, name, record, server, transport, attempt } => {
                self.open(Key::Query(*query), |parent| {
                    debug_span!(
                        target: "landline", parent: parent, "query",
                        name, record, %server, transport, attempt
                    )
                });
            }
            What::QueryAnswered { query, rcode, records, ttl, truncated } => {
                debug_in!(&self.close(&Key::Query(*query)), rcode, ?records, ?ttl, truncated, "answered");
            }
            What::QueryFailed { query, error } => {
                debug_in!(&self.close(&Key::Query(*query)), error, "no usable answer");
            }
            What::QueryAbandoned { query } => debug_in!(&self.close(&Key::Query(*query)), "no longer needed"),
            What::CacheHit { name, record, remaining, stale } => {
                debug_in!(&self.lookup(), name, record, ?remaining, stale, "answered from the cache");
            }
            What::QueryShared { name, record } => {
                debug_in!(&self.lookup(), name, record, "shares a query under way");
            }
            What::HandedToSystem { reason } => debug_in!(&self.lookup(), reason, "handed to the system"),
            What::LookupDone { name, answer } => {
                debug_in!(&self.close(&Key::Lookup(name.clone())), ?answer, "resolved");
            }
            What::LookupFailed { name, error } => {
                debug_in!(&self.close(&Key::Lookup(name.clone())), %error, "not resolved");
            }
            What::Ordered { addresses } => {
                let addresses: Vec<_> = addresses.iter().map(|ordered| ordered.address).collect();
                trace_in!(root, ?addresses, "ordered");
            }
            What::ResolutionDelay { delay } => trace_in!(root, ?delay, "waiting for the other family"),
            What::AttemptStarted { attempt, peer, reason, budget } => {
                self.open(Key::Attempt(*attempt), |parent| {
                    debug_span!(
                        target: "landline", parent: parent, "attempt",
                        attempt, %peer, ?reason, ?budget
                    )
                });
            }
            What::SystemCall { attempt, call, detail, error } => {
                let error = error.map(crate::error::errno_text);
                trace_in!(&self.find(&Key::Attempt(*attempt)), call, detail, error, "system call");
            }
            What::DefaultNotSet { attempt, option, error } => {
                let error = crate::error::errno_text(*error);
                debug_in!(&self.find(&Key::Attempt(*attempt)), option, error, "default not set");
            }
            What::FellBack { attempt, what } => {
                debug_in!(&self.find(&Key::Attempt(*attempt)), what, "fell back");
            }
            What::SelfConnect { attempt } => {
                debug_in!(&self.find(&Key::Attempt(*attempt)), "connected to itself, trying again");
            }
            What::AttemptConnected { attempt } => {
                debug_in!(&self.close(&Key::Attempt(*attempt)), "connected");
            }
            What::AttemptFailed { attempt, error } => {
                debug_in!(&self.close(&Key::Attempt(*attempt)), error = %error.cause(), "failed");
            }
            What::AttemptAbandoned { attempt } => {
                debug_in!(&self.close(&Key::Attempt(*attempt)), "given up");
            }
            What::ProxyChosen { proxies, reason } => debug_in!(root, ?proxies, reason, "proxies chosen"),
            What::HopStarted { hop, proxy, target } => self.open(
                Key::Hop(*hop),
                |parent| debug_span!(target: "landline", parent: parent, "hop", hop, proxy, target),
            ),
            What::HopAsked { hop, step, question } => {
                trace_in!(&self.find(&Key::Hop(*hop)), %step, question, "asked the proxy");
            }
            What::HopAnswered { hop, step, answer } => {
                trace_in!(&self.find(&Key::Hop(*hop)), %step, answer, "the proxy answered");
            }
            What::HopDone { hop } => debug_in!(&self.close(&Key::Hop(*hop)), "open"),
            What::HopFailed { hop, error } => {
                debug_in!(&self.close(&Key::Hop(*hop)), error = %error.cause(), "failed");
            }
            What::Connected { attempt, peer } => debug_in!(root, attempt, %peer, "connected"),
            What::DialFailed { error } => debug_in!(root, %error, "failed"),
            What::CopyStarted { copy, from, to } => self.open(
                Key::Copy(*copy),
                |parent| debug_span!(target: "landline", parent: parent, "direction", copy, from, to),
            ),
            What::CopyPath { copy, path, detour } => {
                let detour = detour.map(|detour| detour.to_string());
                debug_in!(&self.find(&Key::Copy(*copy)), %path, detour, "path");
            }
            What::CopyDone { copy, copied } => {
                debug_in!(&self.close(&Key::Copy(*copy)), bytes = copied.bytes, path = %copied.path, "copied");
            }
            What::CopyFailed { copy, copied, error } => {
                debug_in!(&self.close(&Key::Copy(*copy)), bytes = copied.bytes, %error, "failed");
            }
            What::StageStarted { stage, subject } => trace_in!(root, stage, subject, "stage began"),
            What::StageDone { stage, result } => debug_in!(root, stage, result, "stage done"),
            What::StageFailed { stage, error } => debug_in!(root, stage, error, "stage failed"),
            What::Remarked { stage, text } => debug_in!(root, stage, text),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::field::{Field, Visit};
    use tracing::{Subscriber, span};

    use super::*;
    use crate::explain::event::AttemptReason;
    use crate::explain::render::samples;

    /// Writes down what it is told: `+name`, `name: event`, `-name`.
    #[derive(Default)]
    struct Log {
        lines: Mutex<Vec<String>>,
        names: Mutex<Vec<&'static str>>,
    }

    #[derive(Clone)]
    struct Shared(Arc<Log>);

    struct Message(String);

    impl Visit for Message {
        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            if field.name() == "message" {
                self.0 = format!("{value:?}");
            }
        }
    }

    impl Subscriber for Shared {
        fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
            assert_eq!(metadata.target(), "landline");
            *metadata.level() <= Level::DEBUG
        }
        fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
            let mut names = self.0.names.lock().unwrap();
            names.push(span.metadata().name());
            let parent = span.parent().map_or("", |id| names[id.into_u64() as usize - 1]);
            self.0.lines.lock().unwrap().push(format!("+{}<{parent}", span.metadata().name()));
            span::Id::from_u64(names.len() as u64)
        }
        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn event(&self, event: &tracing::Event<'_>) {
            let mut message = Message(String::new());
            event.record(&mut message);
            let names = self.0.names.lock().unwrap();
            let parent = event.parent().map_or("", |id| names[id.into_u64() as usize - 1]);
            self.0.lines.lock().unwrap().push(format!("{parent}: {}", message.0));
        }
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
        fn clone_span(&self, id: &span::Id) -> span::Id {
            id.clone()
        }
        fn try_close(&self, _: span::Id) -> bool {
            true
        }
    }

    #[test]
    fn a_dial_becomes_nested_spans() {
        let log = Arc::new(Log::default());
        tracing::subscriber::with_default(Shared(log.clone()), || {
            let report = samples::raced_dial();
            let sink = Tracing::new(report.operation(), report.network(), report.address());
            for event in report.events() {
                sink.event(event);
            }
            let peer = samples::addr("127.0.0.1:1");
            let what = samples::started(3, &peer, AttemptReason::PreviousFailed);
            sink.event(&Event { at: report.began(), what });
        });
        let lines = log.lines.lock().unwrap().join("\n");
        assert_eq!(
            lines,
            "+dial<\n+lookup<dial\nlookup: source answered\n+query<lookup\n+query<lookup\nquery: answered\n\
             query: answered\nlookup: resolved\n+attempt<dial\n+attempt<dial\nattempt: default not set\n\
             attempt: connected\nattempt: given up\ndial: connected\n+attempt<dial"
        );
    }

    #[test]
    fn without_a_subscriber_nobody_wants_it() {
        assert!(!Tracing::is_wanted());
    }
}
