//! The rendering for programs. Its schema is part of the public API: fields are added, never changed or taken away.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};

use crate::addr::Addr;
use crate::copy::Copied;
use crate::error::{Error, LookupError, Operation};
use crate::explain::event::{AttemptReason, OrderedAddress};
use crate::explain::report::{Outcome, Report};
use crate::explain::span::{Answer, Fate, Span, Step};
use crate::explain::words;

/// A report as one line of JSON.
///
/// ```text
/// schema      1
/// operation   "dial", "lookup", "request" or "copy"
/// network, address   of a dial, as given
/// kind, name         of a lookup, as given
/// method, url        of a request, as given
/// from, to           of a copy, as in "tcp 192.0.2.1:80"
/// started     when it began: RFC 3339, UTC, microseconds
/// total_us    how long it took, in microseconds
/// outcome     { status: "connected", local, peer }
///             { status: "answered", answer: [text] }
///             { status: "copied", copied: [copied] }, one for each direction, with
///               copied = { bytes, path (sendfile splice buffer), buffered, detour (in words), undelivered }
///             { status: "responded", response }
///             { status: "failed", error: { message, timeout, temporary, canceled, not_found, refused,
///                                          attempts: [{ address, message }] } }
/// steps       in the order in which they began; each has
///   step      parse lookup policy source name query cache shared system order delay attempt call note proxies hop
///             hop_step connected failed copy path
///   start_us  from the beginning of the report
///   end_us    null for a moment
///   depth     1 for a step that was part of the lookup, attempt, hop or copy before it, else 0
///   fate      done won failed abandoned unfinished
///   error     why it failed, where it did
///   text      the step and its end in words, which may change
///   and       parse: network address · lookup: name kind answer · policy: name sources reason · source: source answer
///             name: name · query: query name record server transport attempt rcode records ttl_s truncated
///             cache: name record remaining_s stale · shared: name record · system: reason
///             order: addresses [{ address, source, decided_by }] (the number of the rule of RFC 6724 section 6)
///             delay: delay_us · attempt: attempt peer reason (first previous_failed delay_passed) budget_us
///             call: attempt call detail · note: attempt note · proxies: proxies reason · hop: hop proxy target
///             hop_step: hop name (tls greeting auth request) question answer · connected: attempt peer
///             copy: copy (1 there, 2 back) from to copied · path: copy path detour
///             stage: stage subject result
/// ```
///
/// Addresses are in the form in which they are dialed. Values that are not known are null; whoever reads it should
/// ignore fields and values of `step` it does not know.
pub fn to_string(report: &Report) -> String {
    serde_json::to_string(report).expect("strings and numbers always serialize")
}

/// The same on many lines, indented for reading.
pub fn to_string_pretty(report: &Report) -> String {
    serde_json::to_string_pretty(report).expect("strings and numbers always serialize")
}

/// In the schema of [`to_string`].
impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let asked = match self.operation() {
            Operation::Lookup => Asked::Lookup { kind: self.network(), name: self.address() },
            Operation::Request => Asked::Request { method: self.network(), url: self.address() },
            Operation::Copy => Asked::Copy { from: self.network(), to: self.address() },
            _ => Asked::Dial { network: self.network(), address: self.address() },
        };
        ReportView {
            schema: 1,
            operation: self.operation().as_str(),
            asked,
            started: rfc3339(self.started()),
            total_us: micros(self.total()),
            outcome: OutcomeView::of(self.outcome()),
            steps: self.spans().iter().map(SpanView::of).collect(),
        }
        .serialize(serializer)
    }
}

#[derive(Serialize)]
struct ReportView<'a> {
    schema: u32,
    operation: &'static str,
    #[serde(flatten)]
    asked: Asked<'a>,
    started: String,
    total_us: u64,
    outcome: OutcomeView<'a>,
    steps: Vec<SpanView<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Asked<'a> {
    Dial { network: &'a str, address: &'a str },
    Request { method: &'a str, url: &'a str },
    Lookup { kind: &'a str, name: &'a str },
    Copy { from: &'a str, to: &'a str },
}

#[derive(Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
enum OutcomeView<'a> {
    Connected { local: Option<String>, peer: Option<String> },
    Answered { answer: &'a [String] },
    Copied { copied: Vec<CopiedView> },
    Responded { response: &'a str },
    Failed { error: ErrorView },
}

#[derive(Serialize)]
struct ErrorView {
    message: String,
    timeout: bool,
    temporary: bool,
    canceled: bool,
    not_found: bool,
    refused: bool,
    attempts: Vec<FailedAttempt>,
}

#[derive(Serialize)]
struct FailedAttempt {
    address: Option<String>,
    message: String,
}

impl OutcomeView<'_> {
    fn of(outcome: &Outcome) -> OutcomeView<'_> {
        match outcome {
            Outcome::Connected { local, peer } => OutcomeView::Connected {
                local: local.as_ref().map(Addr::to_string),
                peer: peer.as_ref().map(Addr::to_string),
            },
            Outcome::Answered(answer) => OutcomeView::Answered { answer },
            Outcome::Copied(copied) => {
                OutcomeView::Copied { copied: copied.iter().map(CopiedView::of).collect() }
            }
            Outcome::Responded { status } => OutcomeView::Responded { response: status },
            Outcome::Failed(error) => OutcomeView::Failed { error: ErrorView::of(error) },
        }
    }
}

impl ErrorView {
    fn of(error: &Error) -> ErrorView {
        let attempts = error.attempts().iter().map(|attempt| FailedAttempt {
            address: attempt.peer_addr().map(Addr::to_string),
            message: attempt.cause().to_string(),
        });
        ErrorView {
            message: error.to_string(),
            timeout: error.is_timeout(),
            temporary: error.is_timeout() || error.lookup_error().is_some_and(LookupError::is_temporary),
            canceled: error.is_canceled(),
            not_found: error.is_not_found(),
            refused: error.is_connection_refused(),
            attempts: attempts.collect(),
        }
    }
}

#[derive(Serialize)]
struct CopiedView {
    bytes: u64,
    path: &'static str,
    buffered: u64,
    detour: Option<String>,
    undelivered: u64,
}

impl CopiedView {
    fn of(copied: &Copied) -> CopiedView {
        let Copied { bytes, path, buffered, detour, undelivered } = *copied;
        let detour = detour.map(|detour| detour.to_string());
        CopiedView { bytes, path: path.as_str(), buffered, detour, undelivered }
    }
}

#[derive(Serialize)]
struct SpanView<'a> {
    #[serde(flatten)]
    step: StepView<'a>,
    start_us: u64,
    end_us: Option<u64>,
    depth: u8,
    fate: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    text: String,
}

impl SpanView<'_> {
    fn of(span: &Span) -> SpanView<'_> {
        let (fate, error) = match &span.fate {
            Fate::Done => ("done", None),
            Fate::Won => ("won", None),
            Fate::Failed(error) => ("failed", Some(error.as_str())),
            Fate::Abandoned => ("abandoned", None),
            Fate::Unfinished => ("unfinished", None),
        };
        SpanView {
            step: StepView::of(&span.step),
            start_us: micros(span.start),
            end_us: span.end.map(micros),
            depth: span.depth,
            fate,
            error,
            text: words::text(span),
        }
    }
}

#[derive(Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
enum StepView<'a> {
    Parse {
        network: &'a str,
        address: &'a str,
    },
    Lookup {
        name: &'a str,
        kind: &'static str,
        answer: &'a [String],
    },
    Policy {
        name: &'a str,
        sources: &'a [&'static str],
        reason: &'a str,
    },
    Source {
        source: &'static str,
        answer: &'a str,
    },
    Name {
        name: &'a str,
    },
    Query {
        query: u32,
        name: &'a str,
        record: &'a str,
        server: SocketAddr,
        transport: &'static str,
        attempt: u32,
        rcode: Option<&'a str>,
        records: Option<&'a [String]>,
        ttl_s: Option<u64>,
        truncated: Option<bool>,
    },
    Cache {
        name: &'a str,
        record: &'a str,
        remaining_s: u64,
        stale: bool,
    },
    Shared {
        name: &'a str,
        record: &'a str,
    },
    System {
        reason: &'a str,
    },
    Order {
        addresses: Vec<OrderedView>,
    },
    Delay {
        delay_us: u64,
    },
    Attempt {
        attempt: u32,
        peer: String,
        reason: &'static str,
        budget_us: Option<u64>,
    },
    Call {
        attempt: u32,
        call: &'static str,
        detail: &'a str,
    },
    Note {
        attempt: u32,
        note: &'a str,
    },
    Proxies {
        proxies: &'a [String],
        reason: &'a str,
    },
    Hop {
        hop: u32,
        proxy: &'a str,
        target: &'a str,
    },
    HopStep {
        hop: u32,
        name: &'static str,
        question: &'a str,
        answer: Option<&'a str>,
    },
    Connected {
        attempt: u32,
        peer: String,
    },
    Failed,
    Copy {
        copy: u32,
        from: &'a str,
        to: &'a str,
        copied: Option<CopiedView>,
    },
    Path {
        copy: u32,
        path: &'static str,
        detour: Option<String>,
    },
    Stage {
        stage: &'static str,
        subject: &'a str,
        result: &'a str,
    },
}

#[derive(Serialize)]
struct OrderedView {
    address: SocketAddr,
    source: Option<IpAddr>,
    decided_by: Option<u8>,
}

impl StepView<'_> {
    fn of(step: &Step) -> StepView<'_> {
        match step {
            Step::Parse { network, address } => StepView::Parse { network, address },
            Step::Lookup { name, kind, answer } => StepView::Lookup { name, kind, answer },
            Step::Policy { name, sources, reason } => StepView::Policy { name, sources, reason },
            Step::Source { source, answer } => StepView::Source { source, answer },
            Step::Name { name } => StepView::Name { name },
            Step::Query { query, name, record, server, transport, attempt, answer } => {
                let answer = answer.as_ref();
                StepView::Query {
                    query: *query,
                    name,
                    record,
                    server: *server,
                    transport,
                    attempt: *attempt,
                    rcode: answer.map(|answer| answer.rcode.as_str()),
                    records: answer.map(|answer| answer.records.as_slice()),
                    ttl_s: answer.and_then(|Answer { ttl, .. }| ttl.map(|ttl| ttl.as_secs())),
                    truncated: answer.map(|answer| answer.truncated),
                }
            }
            Step::Cache { name, record, remaining, stale } => {
                StepView::Cache { name, record, remaining_s: remaining.as_secs(), stale: *stale }
            }
            Step::Shared { name, record } => StepView::Shared { name, record },
            Step::System { reason } => StepView::System { reason },
            Step::Ordering { addresses } => StepView::Order {
                addresses: addresses
                    .iter()
                    .map(|&OrderedAddress { address, source, decided_by }| OrderedView {
                        address,
                        source,
                        decided_by,
                    })
                    .collect(),
            },
            Step::ResolutionDelay { delay } => StepView::Delay { delay_us: micros(*delay) },
            Step::Attempt { attempt, peer, reason, budget } => StepView::Attempt {
                attempt: *attempt,
                peer: peer.to_string(),
                reason: match reason {
                    AttemptReason::First => "first",
                    AttemptReason::PreviousFailed => "previous_failed",
                    AttemptReason::DelayPassed => "delay_passed",
                },
                budget_us: budget.map(micros),
            },
            Step::Call { attempt, call, detail } => StepView::Call { attempt: *attempt, call, detail },
            Step::Note { attempt, text } => StepView::Note { attempt: *attempt, note: text },
            Step::Proxies { proxies, reason } => StepView::Proxies { proxies, reason },
            Step::Hop { hop, proxy, target } => StepView::Hop { hop: *hop, proxy, target },
            Step::HopStep { hop, step, question, answer } => {
                StepView::HopStep { hop: *hop, name: step.as_str(), question, answer: answer.as_deref() }
            }
            Step::Connected { attempt, peer } => {
                StepView::Connected { attempt: *attempt, peer: peer.to_string() }
            }
            Step::DialFailed => StepView::Failed,
            Step::Copy { copy, from, to, copied } => {
                StepView::Copy { copy: *copy, from, to, copied: copied.as_ref().map(CopiedView::of) }
            }
            Step::Path { copy, path, detour } => StepView::Path {
                copy: *copy,
                path: path.as_str(),
                detour: detour.map(|detour| detour.to_string()),
            },
            Step::Stage { stage, subject, result } => StepView::Stage { stage, subject, result },
        }
    }
}

fn micros(of: Duration) -> u64 {
    u64::try_from(of.as_micros()).unwrap_or(u64::MAX)
}

/// RFC 3339 in UTC with microseconds; a clock set before 1970 gives the epoch.
fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:06}Z",
        second / 3600,
        second / 60 % 60,
        second % 60,
        since.subsec_micros()
    )
}

/// The date of a day counted from 1 January 1970, in the Gregorian calendar.
fn civil(days: u64) -> (u64, u64, u64) {
    // Counted from 1 March of the year 0, so that the leap day is the last of its year; an era is 400 years.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::render::samples;

    #[test]
    fn a_dial_through_proxies() {
        insta::assert_snapshot!(to_string_pretty(&samples::proxied_dial()));
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_399, "2000-02-28T23:59:59.000000Z"),
            (951_782_400, "2000-02-29T00:00:00.000000Z"),
            (1_709_251_199, "2024-02-29T23:59:59.000000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000000Z"),
        ] {
            assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn a_raced_dial() {
        insta::assert_snapshot!(to_string_pretty(&samples::raced_dial()));
    }

    #[test]
    fn a_failed_dial() {
        insta::assert_snapshot!(to_string_pretty(&samples::failed_dial()));
    }

    #[test]
    fn a_copy() {
        insta::assert_snapshot!(to_string_pretty(&samples::copy()));
    }

    #[test]
    fn a_request() {
        let report = serde_json::to_value(samples::request()).unwrap();
        assert_eq!((&report["method"], &report["url"]), (&"GET".into(), &"https://shop.example/".into()));
        assert_eq!(report["outcome"], serde_json::json!({ "status": "responded", "response": "200 OK" }));
        let steps = report["steps"].as_array().unwrap();
        let tls = steps.iter().find(|step| step["stage"] == "tls").unwrap();
        assert_eq!((&tls["step"], &tls["subject"]), (&"stage".into(), &"shop.example".into()));
        assert_eq!(tls["result"], "TLS1_3, h2");
        assert_eq!(steps.last().unwrap()["error"], "unexpected end of stream");
    }

    #[test]
    fn a_lookup_with_everything() {
        insta::assert_snapshot!(to_string_pretty(&samples::lookup_with_everything()));
    }
}
