//! From events to spans: pure, one event after the other.

use std::time::Duration;

use tokio::time::Instant;

use super::{Answer, Fate, Span, Step};
use crate::explain::event::{Event, What};

/// The steps of `events`, in the order in which they began; those that are part of another follow it.
pub(crate) fn build(events: &[Event], began: Instant, total: Duration) -> Vec<Span> {
    let mut builder = Builder::default();
    for event in events {
        builder.take(event.at.saturating_duration_since(began), &event.what);
    }
    builder.finish(total)
}

#[derive(Default)]
struct Builder {
    groups: Vec<Group>,
}

/// A step and the steps that are part of it.
struct Group {
    head: Span,
    parts: Vec<Span>,
}

impl Builder {
    fn take(&mut self, at: Duration, what: &What) {
        match what.clone() {
            What::Parsed { network, address } => {
                self.moment(at, Step::Parse { network: network.to_string(), address });
            }
            What::LookupStarted { name, kind } => {
                self.open(at, Step::Lookup { name, kind, answer: Vec::new() });
            }
            What::Policy { name, sources, reason } => {
                self.in_lookup(moment(at, Step::Policy { name, sources, reason }));
            }
            What::SourceAnswered { source, answer } => {
                self.in_lookup(moment(at, Step::Source { source, answer }));
            }
            What::NameTried { name } => self.in_lookup(moment(at, Step::Name { name })),
            What::QuerySent { query, name, record, server, transport, attempt } => self.in_lookup(opened(
                at,
                Step::Query { query, name, record, server, transport, attempt, answer: None },
            )),
            What::QueryAnswered { query, rcode, records, ttl, truncated } => {
                // Both are answers that end a question; any other code sends the resolver to the next server.
                let fate = match rcode.as_str() {
                    "NOERROR" | "NXDOMAIN" => Fate::Done,
                    _ => Fate::Failed(rcode.clone()),
                };
                if let Some(span) = self.query(query) {
                    if let Step::Query { answer, .. } = &mut span.step {
                        *answer = Some(Answer { rcode, records, ttl, truncated });
                    }
                    close(span, at, fate);
                }
            }
            What::QueryFailed { query, error } => {
                if let Some(span) = self.query(query) {
                    close(span, at, Fate::Failed(error));
                }
            }
            What::QueryAbandoned { query } => {
                if let Some(span) = self.query(query) {
                    close(span, at, Fate::Abandoned);
                }
            }
            What::CacheHit { name, record, remaining, stale } => {
                self.in_lookup(moment(at, Step::Cache { name, record, remaining, stale }));
            }
            What::QueryShared { name, record } => {
                self.in_lookup(moment(at, Step::Shared { name, record }));
            }
            What::HandedToSystem { reason } => self.in_lookup(moment(at, Step::System { reason })),
            What::LookupDone { name, answer: found } => {
                if let Some(span) = self.lookup(&name) {
                    if let Step::Lookup { answer, .. } = &mut span.step {
                        *answer = found;
                    }
                    close(span, at, Fate::Done);
                }
            }
            What::LookupFailed { name, error } => {
                if let Some(span) = self.lookup(&name) {
                    close(span, at, Fate::Failed(error.to_string()));
                }
            }
            What::Ordered { addresses } => self.moment(at, Step::Ordering { addresses }),
            What::ResolutionDelay { delay } => self.moment(at, Step::ResolutionDelay { delay }),
            What::AttemptStarted { attempt, peer, reason, budget } => {
                self.open(at, Step::Attempt { attempt, peer, reason, budget });
            }
            What::SystemCall { attempt, call, detail, error } => {
                let mut span = moment(at, Step::Call { attempt, call, detail });
                if let Some(error) = error {
                    span.fate = Fate::Failed(crate::error::errno_text(error));
                }
                self.in_attempt(attempt, span);
            }
            What::DefaultNotSet { attempt, option, error } => {
                let text = format!("the default of {option} could not be set: {}", crate::error::errno_text(error));
                self.in_attempt(attempt, moment(at, Step::Note { attempt, text }));
            }
            What::FellBack { attempt, what } => {
                self.in_attempt(attempt, moment(at, Step::Note { attempt, text: what }));
            }
            What::SelfConnect { attempt } => {
                let text = "connected to itself (a simultaneous open), so tried again".to_owned();
                self.in_attempt(attempt, moment(at, Step::Note { attempt, text }));
            }
            What::AttemptConnected { attempt } => {
                if let Some(group) = self.attempt(attempt) {
                    close(&mut group.head, at, Fate::Done);
                }
            }
            What::AttemptFailed { attempt, error } => {
                if let Some(group) = self.attempt(attempt) {
                    close(&mut group.head, at, Fate::Failed(error.cause().to_string()));
                }
            }
            What::AttemptAbandoned { attempt } => {
                if let Some(group) = self.attempt(attempt) {
                    close(&mut group.head, at, Fate::Abandoned);
                }
            }
            What::Connected { attempt, peer } => {
                if let Some(group) = self.attempt(attempt) {
                    group.head.end.get_or_insert(at);
                    group.head.fate = Fate::Won;
                }
                let mut span = moment(at, Step::Connected { attempt, peer });
                span.fate = Fate::Won;
                self.groups.push(Group { head: span, parts: Vec::new() });
            }
            What::DialFailed { error } => {
                let mut span = moment(at, Step::DialFailed);
                span.fate = Fate::Failed(error.to_string());
                self.groups.push(Group { head: span, parts: Vec::new() });
            }
        }
    }

    fn moment(&mut self, at: Duration, step: Step) {
        self.groups.push(Group { head: moment(at, step), parts: Vec::new() });
    }

    fn open(&mut self, at: Duration, step: Step) {
        self.groups.push(Group { head: opened(at, step), parts: Vec::new() });
    }

    /// Puts a step under the lookup that goes on, the latest if several do; on its own if none does.
    fn in_lookup(&mut self, span: Span) {
        let open = self.groups.iter_mut().rev().find(|group| {
            matches!(group.head.step, Step::Lookup { .. }) && group.head.fate == Fate::Unfinished
        });
        match open {
            Some(group) => group.parts.push(Span { depth: 1, ..span }),
            None => self.groups.push(Group { head: span, parts: Vec::new() }),
        }
    }

    /// Puts a step under its attempt; on its own if there is none.
    fn in_attempt(&mut self, attempt: u32, span: Span) {
        match self.attempt(attempt) {
            Some(group) => group.parts.push(Span { depth: 1, ..span }),
            None => self.groups.push(Group { head: span, parts: Vec::new() }),
        }
    }

    fn query(&mut self, number: u32) -> Option<&mut Span> {
        self.groups
            .iter_mut()
            .rev()
            .flat_map(|group| group.parts.iter_mut().rev().chain(Some(&mut group.head)))
            .find(|span| {
                matches!(span.step, Step::Query { query, .. } if query == number) && span.fate == Fate::Unfinished
            })
    }

    /// The lookup of this name that goes on, the earliest if several do.
    fn lookup(&mut self, of: &str) -> Option<&mut Span> {
        self.groups.iter_mut().map(|group| &mut group.head).find(|span| {
            matches!(&span.step, Step::Lookup { name, .. } if name == of) && span.fate == Fate::Unfinished
        })
    }

    /// An attempt by its number; number 0 means the only one.
    fn attempt(&mut self, number: u32) -> Option<&mut Group> {
        self.groups.iter_mut().rev().find(
            |group| matches!(group.head.step, Step::Attempt { attempt, .. } if attempt == number || number == 0),
        )
    }

    fn finish(self, total: Duration) -> Vec<Span> {
        let mut groups = self.groups;
        groups.sort_by_key(|group| group.head.start);
        let mut spans: Vec<Span> =
            groups.into_iter().flat_map(|group| std::iter::once(group.head).chain(group.parts)).collect();
        for span in &mut spans {
            if span.fate == Fate::Unfinished {
                span.end = Some(total.max(span.start));
            }
        }
        spans
    }
}

fn moment(start: Duration, step: Step) -> Span {
    Span { start, end: None, depth: 0, step, fate: Fate::Done }
}

fn opened(start: Duration, step: Step) -> Span {
    Span { start, end: None, depth: 0, step, fate: Fate::Unfinished }
}

fn close(span: &mut Span, at: Duration, fate: Fate) {
    // An attempt that connected and then lost keeps the moment at which it connected.
    span.end.get_or_insert(at.max(span.start));
    span.fate = fate;
}
