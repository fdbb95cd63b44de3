//! What a dial, lookup or copy was, how it went, and how it ended.

use std::fmt;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::event::Event;
use super::render::Waterfall;
use super::span::{self, Fate, Span, Step};
use crate::addr::Addr;
use crate::copy::Copied;
use crate::error::{Error, Operation};

/// A dial, lookup or copy from its beginning to its end, on success and on failure alike.
///
/// `Dialer::explain`, the resolver's explaining lookups and `Copier::explain` return one. [`Report::spans`] gives the steps; `Display` draws
/// them as a plain [`Waterfall`] of ASCII.
#[derive(Clone, Debug)]
pub struct Report {
    operation: Operation,
    network: String,
    address: String,
    outcome: Outcome,
    started: SystemTime,
    began: Instant,
    total: Duration,
    events: Vec<Event>,
    spans: Vec<Span>,
}

/// How a dial, lookup or copy ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// The dial has a conn.
    Connected {
        /// This end, where it has a name.
        local: Option<Addr>,
        /// The other end, where it has a name.
        peer: Option<Addr>,
    },
    /// The lookup has an answer, in presentation form.
    Answered(Vec<String>),
    /// The copy has moved this, in each of its directions.
    Copied(Vec<Copied>),
    /// The request has a response.
    Responded {
        /// Its status in words, such as `200 OK`.
        status: String,
    },
    /// It failed.
    Failed(Error),
}

impl Report {
    pub(crate) fn new(
        operation: Operation,
        network: String,
        address: String,
        outcome: Outcome,
        started: SystemTime,
        (began, ended): (Instant, Instant),
        events: Vec<Event>,
    ) -> Report {
        let total = ended.saturating_duration_since(began);
        let spans = span::build(&events, began, total);
        Report { operation, network, address, outcome, started, began, total, events, spans }
    }

    /// What was done: [`Operation::Dial`], [`Operation::Lookup`], [`Operation::Request`] or [`Operation::Copy`].
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// The network as it was given; of a lookup, the kind of record asked for; of a request, its method; of a copy, the
    /// side copied from.
    pub fn network(&self) -> &str {
        &self.network
    }

    /// The address as it was given; of a lookup, the name; of a request, its URL; of a copy, the side copied to.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// When it began, by the wall clock.
    pub fn started(&self) -> SystemTime {
        self.started
    }

    /// When it began, by the clock that the events' instants are of.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// How long it took in all.
    pub fn total(&self) -> Duration {
        self.total
    }

    /// How it ended.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// The error, where it failed.
    pub fn error(&self) -> Option<&Error> {
        match &self.outcome {
            Outcome::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// Everything that happened, in the order in which it did.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The steps, in the order in which they began; those that were part of another follow it.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// The attempts to connect, in the order in which they began.
    pub fn attempts(&self) -> impl Iterator<Item = &Span> {
        self.spans.iter().filter(|span| matches!(span.step, Step::Attempt { .. }))
    }

    /// The questions put to name servers, in the order in which they were sent.
    pub fn queries(&self) -> impl Iterator<Item = &Span> {
        self.spans.iter().filter(|span| matches!(span.step, Step::Query { .. }))
    }

    /// The attempt whose conn the dial returned.
    pub fn winner(&self) -> Option<&Span> {
        self.attempts().find(|span| span.fate == Fate::Won)
    }

    /// The attempts that failed or were left because another won.
    pub fn losers(&self) -> impl Iterator<Item = &Span> {
        self.attempts().filter(|span| span.fate != Fate::Won)
    }

    /// The steps as lines of text with bars, plain unless asked otherwise.
    pub fn waterfall(&self) -> Waterfall<'_> {
        Waterfall::new(self)
    }
}

impl From<Error> for Outcome {
    fn from(error: Error) -> Outcome {
        Outcome::Failed(error)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.waterfall().fmt(f)
    }
}
