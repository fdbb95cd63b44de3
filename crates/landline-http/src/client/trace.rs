//! What a request tells of itself, if somebody listens.

use std::sync::Arc;

use http::{Method, Uri};
use landline::Operation;
use landline::explain::{Event, Outcome, Recorder, Report, Sink, What};
use tokio::time::Instant;

/// Where a request tells what it does; without a recorder nothing is made.
#[derive(Clone, Default)]
pub(super) struct Trace(Option<Arc<Recorder>>);

impl Trace {
    pub(super) fn to(recorder: Arc<Recorder>) -> Trace {
        Trace(Some(recorder))
    }

    pub(super) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn started(&self, stage: &'static str, subject: impl FnOnce() -> String) {
        self.tell(|| What::StageStarted { stage, subject: subject() });
    }

    pub(super) fn done(&self, stage: &'static str, result: impl FnOnce() -> String) {
        self.tell(|| What::StageDone { stage, result: result() });
    }

    pub(super) fn failed(&self, stage: &'static str, error: impl std::fmt::Display) {
        self.tell(|| What::StageFailed { stage, error: error.to_string() });
    }

    pub(super) fn remark(&self, stage: &'static str, text: impl FnOnce() -> String) {
        self.tell(|| What::Remarked { stage, text: text() });
    }

    /// Takes over what a dial told.
    pub(super) fn dialed(&self, report: &Report) {
        if let Some(recorder) = &self.0 {
            report.events().iter().for_each(|event| recorder.event(event));
        }
    }

    fn tell(&self, what: impl FnOnce() -> What) {
        if let Some(recorder) = &self.0 {
            recorder.event(&Event { at: Instant::now(), what: what() });
        }
    }
}

/// The report of a request in the making: what happens while the body is read belongs to it too.
///
/// [`Client::explain`](super::Client::explain) returns one.
#[derive(Debug)]
pub struct Explanation {
    pub(super) recorder: Arc<Recorder>,
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) outcome: Outcome,
}

impl Explanation {
    /// The report up to now. Best asked for when the body has been read, or will not be.
    pub fn report(self) -> Report {
        let Explanation { recorder, method, uri, outcome } = self;
        recorder.report(Operation::Request, method.as_str(), uri.to_string(), outcome)
    }
}
