//! A sink that keeps what it is told, and makes the [`Report`] of it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::time::Instant;

use super::event::Event;
use super::report::{Outcome, Report};
use super::sink::Sink;
use crate::error::Operation;

/// Keeps the events of one dial, lookup or copy in the order in which they came.
///
/// The clock of the report starts when the recorder is made. It keeps everything: make one for each operation.
///
/// ```
/// use landline::Operation;
/// use landline::explain::{Event, Outcome, Recorder, Sink, What};
///
/// let recorder = Recorder::new();
/// recorder.event(&Event { at: tokio::time::Instant::now(), what: What::NameTried { name: "example.com.".into() } });
/// let report = recorder.report(Operation::Lookup, "ip", "example.com", Outcome::Answered(vec!["192.0.2.1".into()]));
/// assert_eq!(report.events().len(), 1);
/// ```
#[derive(Debug)]
pub struct Recorder {
    started: SystemTime,
    began: Instant,
    events: Mutex<Vec<Event>>,
}

impl Recorder {
    /// One that begins now.
    #[allow(clippy::new_without_default)] // A default that reads two clocks would surprise.
    pub fn new() -> Recorder {
        Recorder { started: SystemTime::now(), began: Instant::now(), events: Mutex::default() }
    }

    /// The report up to now; leaves the recorder without events.
    ///
    /// `network` and `address` are what the caller asked for, as it was given; of a lookup, the kind of record and the
    /// name; of a copy, its two sides.
    pub fn report(
        &self,
        operation: Operation,
        network: impl Into<String>,
        address: impl Into<String>,
        outcome: impl Into<Outcome>,
    ) -> Report {
        let events = std::mem::take(&mut *self.events());
        Report::new(
            operation,
            network.into(),
            address.into(),
            outcome.into(),
            self.started,
            (self.began, Instant::now()),
            events,
        )
    }

    /// What has been told so far.
    pub(crate) fn events(&self) -> MutexGuard<'_, Vec<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Recorder {
    fn event(&self, event: &Event) {
        self.events().push(event.clone());
    }
}
