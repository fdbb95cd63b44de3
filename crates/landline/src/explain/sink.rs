//! Where events go: to a [`Sink`], or nowhere, and then they are never made.

use std::fmt;
use std::sync::Arc;

use tokio::time::Instant;

use super::event::{Event, What};
use super::tracing::Tracing;
use crate::error::Operation;

/// Receives the events of a dial, lookup or copy as they happen.
///
/// Called from inside of it, so it must be quick and must not block.
pub trait Sink: Send + Sync {
    /// One event.
    fn event(&self, event: &Event);
}

impl<F: Fn(&Event) + Send + Sync> Sink for F {
    fn event(&self, event: &Event) {
        self(event);
    }
}

impl<S: Sink + ?Sized> Sink for Arc<S> {
    fn event(&self, event: &Event) {
        (**self).event(event);
    }
}

/// Passed down the flow; every step tells it what it does. Without a sink it is one `None` check.
#[derive(Clone, Default)]
pub(crate) struct Explainer(Option<Arc<dyn Sink>>);

impl Explainer {
    /// Tells nobody.
    pub(crate) const SILENT: Explainer = Explainer(None);

    pub(crate) fn new(sink: Arc<dyn Sink>) -> Explainer {
        Explainer(Some(sink))
    }

    /// For an operation that begins: tells `tracing` where a subscriber wants it, and nobody otherwise.
    #[inline]
    pub(crate) fn of(operation: Operation, network: &dyn fmt::Display, address: &str) -> Explainer {
        if !Tracing::is_wanted() {
            return Explainer::SILENT;
        }
        Explainer::new(Arc::new(Tracing::new(operation, network, address)))
    }

    /// For a copy between two sides that begins.
    #[inline]
    pub(crate) fn of_copy(from: impl FnOnce() -> String, to: impl FnOnce() -> String) -> Explainer {
        if !Tracing::is_wanted() {
            return Explainer::SILENT;
        }
        Explainer::new(Arc::new(Tracing::new(Operation::Copy, from(), &to())))
    }

    /// Tells this sink as well.
    pub(crate) fn and(self, sink: Arc<dyn Sink>) -> Explainer {
        match self.0 {
            None => Explainer(Some(sink)),
            Some(first) => Explainer(Some(Arc::new(move |event: &Event| {
                first.event(event);
                sink.event(event);
            }))),
        }
    }

    /// Who listens.
    pub(crate) fn sink(&self) -> Option<&Arc<dyn Sink>> {
        self.0.as_ref()
    }

    /// Whether anybody listens.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Tells of an event, which is only made if somebody listens.
    #[inline]
    pub(crate) fn tell(&self, what: impl FnOnce() -> What) {
        if let Some(sink) = &self.0 {
            sink.event(&Event { at: Instant::now(), what: what() });
        }
    }
}

impl fmt::Debug for Explainer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_on() { "Explainer(on)" } else { "Explainer(silent)" })
    }
}
