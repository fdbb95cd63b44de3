//! From events to spans: pure, one event after the other.

use std::time::Duration;

use tokio::time::Instant;

use super::{Answer, Fate, Span, Step};
use crate::copy::Copied;
use crate::error::Cause;
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
                    close(span, at, Fate::Failed(error.cause().to_string()));
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
                let text =
                    format!("the default of {option} could not be set: {}", crate::error::errno_text(error));
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
            What::ProxyChosen { proxies, reason } => self.moment(at, Step::Proxies { proxies, reason }),
            What::HopStarted { hop, proxy, target } => self.open(at, Step::Hop { hop, proxy, target }),
            What::HopAsked { hop, step, question } => {
                let span = opened(at, Step::HopStep { hop, step, question, answer: None });
                match self.hop(hop) {
                    Some(group) => group.parts.push(Span { depth: 1, ..span }),
                    None => self.groups.push(Group { head: span, parts: Vec::new() }),
                }
            }
            What::HopAnswered { hop, step: answered, answer: said } => {
                let asked = self.hop(hop).and_then(|group| group.parts.last_mut());
                if let Some(span) = asked.filter(|span| span.fate == Fate::Unfinished)
                    && let Step::HopStep { step, answer, .. } = &mut span.step
                    && *step == answered
                {
                    *answer = Some(said);
                    close(span, at, Fate::Done);
                }
            }
            What::HopDone { hop } => {
                if let Some(group) = self.hop(hop) {
                    close(&mut group.head, at, Fate::Done);
                }
            }
            What::HopFailed { hop, error } => {
                if let Some(group) = self.hop(hop) {
                    // The span itself names the proxy and the step.
                    let error = match error.cause() {
                        Cause::Proxy(at_proxy) => at_proxy.kind().to_string(),
                        cause => cause.to_string(),
                    };
                    let asked = group.parts.last_mut().filter(|span| span.fate == Fate::Unfinished);
                    if let Some(span) = asked {
                        close(span, at, Fate::Failed(error.clone()));
                    }
                    close(&mut group.head, at, Fate::Failed(error));
                }
            }
            What::Connected { attempt, peer } => {
                // With one way to go there is no number, and the only attempt is the winner.
                let winner = if attempt == 0 { self.only_attempt() } else { self.attempt(attempt) };
                if let Some(group) = winner {
                    close(&mut group.head, at, Fate::Won);
                }
                let mut span = moment(at, Step::Connected { attempt, peer });
                span.fate = Fate::Won;
                self.groups.push(Group { head: span, parts: Vec::new() });
            }
            What::StageStarted { stage, subject } => {
                self.open(at, Step::Stage { stage, subject, result: String::new() });
            }
            What::StageDone { stage, result: came } => {
                if let Some(span) = self.stage(stage) {
                    if let Step::Stage { result, .. } = &mut span.step {
                        *result = came;
                    }
                    close(span, at, Fate::Done);
                }
            }
            What::StageFailed { stage, error } => {
                if let Some(span) = self.stage(stage) {
                    close(span, at, Fate::Failed(error));
                }
            }
            What::Remarked { stage, text } => {
                self.moment(at, Step::Stage { stage, subject: text, result: String::new() });
            }
            What::DialFailed { error } => {
                let mut span = moment(at, Step::DialFailed);
                span.fate = Fate::Failed(error.to_string());
                self.groups.push(Group { head: span, parts: Vec::new() });
            }
            What::CopyStarted { copy, from, to } => {
                self.open(at, Step::Copy { copy, from, to, copied: None });
            }
            What::CopyPath { copy, path, detour } => {
                let span = moment(at, Step::Path { copy, path, detour });
                match self.copy(copy) {
                    Some(group) => group.parts.push(Span { depth: 1, ..span }),
                    None => self.groups.push(Group { head: span, parts: Vec::new() }),
                }
            }
            What::CopyDone { copy, copied } => self.end_copy(at, copy, copied, Fate::Done),
            What::CopyFailed { copy, copied, error } => {
                self.end_copy(at, copy, copied, Fate::Failed(error.to_string()));
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
                matches!(span.step, Step::Query { query, .. } if query == number)
                    && span.fate == Fate::Unfinished
            })
    }

    /// The lookup of this name that goes on, the earliest if several do.
    fn lookup(&mut self, of: &str) -> Option<&mut Span> {
        self.groups.iter_mut().map(|group| &mut group.head).find(|span| {
            matches!(&span.step, Step::Lookup { name, .. } if name == of) && span.fate == Fate::Unfinished
        })
    }

    fn attempt(&mut self, number: u32) -> Option<&mut Group> {
        // The latest: a proxy may have to be dialed again, with attempts from 1.
        let mut groups = self.groups.iter_mut().rev();
        groups.find(|group| matches!(group.head.step, Step::Attempt { attempt, .. } if attempt == number))
    }

    /// The latest way through the proxy at this place of the chain: there may be one for each address of a target.
    fn hop(&mut self, number: u32) -> Option<&mut Group> {
        let mut groups = self.groups.iter_mut().rev();
        groups.find(|group| matches!(group.head.step, Step::Hop { hop, .. } if hop == number))
    }

    /// The direction that goes on, the latest of its number.
    fn copy(&mut self, number: u32) -> Option<&mut Group> {
        self.groups.iter_mut().rev().find(|group| {
            matches!(group.head.step, Step::Copy { copy, .. } if copy == number)
                && group.head.fate == Fate::Unfinished
        })
    }

    fn end_copy(&mut self, at: Duration, number: u32, moved: Copied, fate: Fate) {
        if let Some(group) = self.copy(number) {
            if let Step::Copy { copied, .. } = &mut group.head.step {
                *copied = Some(moved);
            }
            close(&mut group.head, at, fate);
        }
    }

    /// The latest stage of this name that goes on.
    fn stage(&mut self, name: &str) -> Option<&mut Span> {
        self.groups.iter_mut().rev().map(|group| &mut group.head).find(|span| {
            matches!(span.step, Step::Stage { stage, .. } if stage == name) && span.fate == Fate::Unfinished
        })
    }

    fn only_attempt(&mut self) -> Option<&mut Group> {
        let mut attempts =
            self.groups.iter_mut().filter(|group| matches!(group.head.step, Step::Attempt { .. }));
        attempts.next().filter(|_| attempts.next().is_none())
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::explain::event::AttemptReason;
    use crate::explain::render::samples::{self, addr, call, sent, started};

    /// The spans of events given in microseconds, each written `depth step start-end fate`.
    fn table(events: Vec<(u64, What)>, total: u64) -> Vec<String> {
        let began = Instant::now();
        let events: Vec<Event> = events
            .into_iter()
            .map(|(micros, what)| Event { at: began + Duration::from_micros(micros), what })
            .collect();
        build(&events, began, Duration::from_micros(total))
            .iter()
            .map(|span| {
                let end = span.end.map(|end| end.as_micros().to_string()).unwrap_or_default();
                let label = crate::explain::words::label(&span.step);
                let fate = match &span.fate {
                    Fate::Failed(error) => format!("failed ({error})"),
                    fate => format!("{fate:?}").to_lowercase(),
                };
                format!("{} {label} {}-{end} {fate}", span.depth, span.start.as_micros())
            })
            .collect()
    }

    #[test]
    fn steps_of_a_lookup_and_of_attempts_follow_what_they_are_part_of() {
        let report = samples::raced_dial();
        let events = report.events().iter();
        let events = events
            .map(|event| ((event.at - report.began()).as_micros() as u64, event.what.clone()))
            .collect();
        assert_eq!(
            table(events, 251_900),
            [
                "0 parse 12- done",
                "0 lookup 20-1450 done",
                "1 policy 31- done",
                "1 files 60- done",
                "1 query 90-900 done",
                "1 query 110-1400 done",
                "0 order 1500- done",
                "0 attempt 1 1520-251820 abandoned",
                "1 socket 1540- done",
                "1 setsockopt 1550- done",
                "1 setsockopt 1555- done",
                "1 connect 1560- done",
                "0 attempt 2 251600-251800 won",
                "1 socket 251640- done",
                "1 note 251650- done",
                "1 connect 251700- done",
                "0 connected 251840- won",
            ]
        );
    }

    #[test]
    fn what_never_ended_is_unfinished_and_lasts_to_the_end() {
        let what = What::LookupStarted { name: "a".into(), kind: "ip" };
        assert_eq!(
            table(vec![(5, what), (6, sent(1, "A", 1))], 100),
            ["0 lookup 5-100 unfinished", "1 query 6-100 unfinished"]
        );
    }

    #[test]
    fn queries_of_the_same_number_are_told_apart_by_their_time() {
        let abandoned = |query| What::QueryAbandoned { query };
        let failed = |query| What::QueryFailed { query, error: "refused".into() };
        let events = vec![
            (1, sent(1, "A", 1)),
            (2, failed(1)),
            (3, sent(1, "A", 1)),
            (4, abandoned(1)),
            (5, failed(1)),
        ];
        assert_eq!(table(events, 9), ["0 query 1-2 failed (refused)", "0 query 3-4 abandoned"]);
    }

    #[test]
    fn codes_that_send_the_resolver_on_are_failures_and_nxdomain_is_not() {
        let answered = |query, rcode: &str| What::QueryAnswered {
            query,
            rcode: rcode.into(),
            records: vec![],
            ttl: None,
            truncated: false,
        };
        let events = vec![
            (1, sent(1, "A", 1)),
            (2, sent(2, "A", 1)),
            (3, answered(2, "NXDOMAIN")),
            (4, answered(1, "REFUSED")),
        ];
        assert_eq!(table(events, 9), ["0 query 1-4 failed (REFUSED)", "0 query 2-3 done"]);
    }

    #[test]
    fn a_conn_that_came_too_late_keeps_the_time_at_which_it_came() {
        let peer = addr("127.0.0.1:1");
        let events = vec![
            (1, started(1, &peer, AttemptReason::First)),
            (2, started(2, &peer, AttemptReason::DelayPassed)),
            (3, What::AttemptConnected { attempt: 2 }),
            (4, What::AttemptConnected { attempt: 1 }),
            (5, What::Connected { attempt: 2, peer: peer.clone() }),
            (6, What::AttemptAbandoned { attempt: 1 }),
        ];
        assert_eq!(
            table(events, 9),
            ["0 attempt 1 1-4 abandoned", "0 attempt 2 2-3 won", "0 connected 5- won"]
        );
    }

    #[test]
    fn attempt_0_wins_as_the_only_one_and_its_calls_stand_alone() {
        let peer = addr("127.0.0.1:1");
        let events = vec![
            (0, call(0, "bind", "", Some(rustix::io::Errno::ADDRINUSE))),
            (1, started(1, &peer, AttemptReason::First)),
            (5, What::Connected { attempt: 0, peer }),
        ];
        assert_eq!(
            table(events, 9),
            ["0 bind 0- failed (address already in use)", "0 attempt 1 1-5 won", "0 connected 5- won"]
        );
    }

    #[test]
    fn outcomes_of_what_never_began_are_left_out() {
        let events = vec![
            (1, What::QueryAbandoned { query: 7 }),
            (2, What::AttemptConnected { attempt: 7 }),
            (3, What::LookupDone { name: "x".into(), answer: vec![] }),
        ];
        assert!(table(events, 9).is_empty());
    }

    proptest! {
        #[test]
        fn no_order_of_events_breaks_what_holds_of_spans(
            picks in prop::collection::vec((0..64_usize, 0..1_000_u64), 0..60),
            total in 0..1_000_u64,
        ) {
            let all: Vec<What> = samples::all()
                .iter()
                .flat_map(|report| report.events().iter().map(|event| event.what.clone()))
                .collect();
            let began = Instant::now();
            let events: Vec<Event> = picks
                .into_iter()
                .map(|(pick, at)| Event { at: began + Duration::from_micros(at), what: all[pick % all.len()].clone() })
                .collect();
            let spans = build(&events, began, Duration::from_micros(total));
            for span in &spans {
                prop_assert!(span.end.is_none_or(|end| end >= span.start), "{span:?}");
                prop_assert!(span.fate != Fate::Unfinished || span.end.is_some(), "{span:?}");
            }
            let heads: Vec<Duration> =
                spans.iter().filter(|span| span.depth == 0).map(|span| span.start).collect();
            prop_assert!(heads.is_sorted());
            prop_assert!(spans.first().is_none_or(|span| span.depth == 0));
        }
    }
}
