//! The words for each step, the same in every rendering.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use super::event::{AttemptReason, OrderedAddress};
use super::report::{Outcome, Report};
use super::span::{Answer, Fate, Span, Step};
use crate::error::Operation;

/// How many items of a list are named; the rest are counted.
const NAMED: usize = 8;

/// A step's name, at most eleven characters.
pub(crate) fn label(step: &Step) -> String {
    match step {
        Step::Parse { .. } => "parse",
        Step::Lookup { .. } => "lookup",
        Step::Policy { .. } => "policy",
        Step::Source { source, .. } => source,
        Step::Name { .. } => "name",
        Step::Query { .. } => "query",
        Step::Cache { .. } => "cache",
        Step::Shared { .. } => "shared",
        Step::System { .. } => "system",
        Step::Ordering { .. } => "order",
        Step::ResolutionDelay { .. } => "wait",
        Step::Attempt { attempt, .. } => return format!("attempt {attempt}"),
        Step::Call { call, .. } => call,
        Step::Note { .. } => "note",
        Step::Proxies { .. } => "proxies",
        Step::Hop { hop, .. } => return format!("proxy {hop}"),
        Step::HopStep { step, .. } => step.as_str(),
        Step::Connected { .. } => "connected",
        Step::DialFailed => "failed",
        Step::Copy { copy, .. } => return format!("copy {copy}"),
        Step::Path { .. } => "path",
        Step::Stage { stage, .. } => stage,
    }
    .to_owned()
}

/// The lines of a drawing: the spans, but options that were set one after the other share a line.
pub(crate) fn lines(spans: &[Span]) -> Vec<Cow<'_, Span>> {
    let mut lines: Vec<Cow<'_, Span>> = Vec::with_capacity(spans.len());
    for span in spans {
        if let (Some(option), Some(Some(last))) = (option(span), lines.last().map(|last| option(last))) {
            let Step::Call { attempt, call, .. } = span.step else { continue };
            let detail = format!("{last}, {option}");
            let start = lines.last().map_or(span.start, |last| last.start);
            lines.pop();
            lines.push(Cow::Owned(Span {
                start,
                step: Step::Call { attempt, call, detail },
                ..span.clone()
            }));
        } else {
            lines.push(Cow::Borrowed(span));
        }
    }
    lines
}

/// The option that a step set, where it did.
fn option(span: &Span) -> Option<&str> {
    match &span.step {
        Step::Call { call: "setsockopt", detail, .. } if span.fate == Fate::Done => Some(detail),
        _ => None,
    }
}

/// What the step was and how it ended, in one line without control characters.
pub(crate) fn text(span: &Span) -> String {
    let mut text = what(&span.step);
    let end = fate(span);
    if !end.is_empty() {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&end);
    }
    printable(&text)
}

/// The first line: what was done, how it ended, and how long it took.
pub(crate) fn headline(report: &Report) -> String {
    let took = duration(report.total());
    let subject = subject(report);
    printable(&match report.outcome() {
        Outcome::Connected { peer: Some(peer), .. } if !peer.to_string().is_empty() => {
            format!("{subject}: connected to {peer} in {took}")
        }
        Outcome::Connected { .. } => format!("{subject}: connected in {took}"),
        Outcome::Answered(answer) => {
            format!("{subject}: {} in {took}", count(answer.len(), "answer", "answers"))
        }
        Outcome::Copied(copied) => {
            let bytes: Vec<String> = copied.iter().map(|copied| copied.bytes.to_string()).collect();
            let unit = if bytes == ["1"] { "byte" } else { "bytes" };
            format!("{subject}: {} {unit} in {took}", bytes.join(" and "))
        }
        Outcome::Responded { status } => format!("{subject}: {status} in {took}"),
        Outcome::Failed(_) => format!("{subject}: failed after {took}"),
    })
}

/// What was done, as in `dial tcp example.com:443`.
pub(crate) fn subject(report: &Report) -> String {
    let (operation, network, address) = (report.operation(), report.network(), report.address());
    match operation {
        // The method says what is done.
        Operation::Request => format!("{network} {address}"),
        Operation::Copy => format!("{operation} {network} to {address}"),
        _ => format!("{operation} {network} {address}"),
    }
}

/// The error of a report, in one line without control characters.
pub(crate) fn error(report: &Report) -> Option<String> {
    report.error().map(|error| printable(&error.to_string()))
}

fn what(step: &Step) -> String {
    match step {
        Step::Parse { network, address } => format!("{network}, {address}"),
        Step::Lookup { name, kind, .. } => format!("{kind} of {name}"),
        Step::Policy { sources, reason, .. } => match sources.as_slice() {
            [] => format!("no source to ask ({reason})"),
            sources => format!("{} ({reason})", sources.join(", then ")),
        },
        Step::Source { answer, .. } => answer.clone(),
        Step::Name { name } => format!("trying {name}"),
        Step::Query { name, record, server, transport, attempt, .. } => {
            let again = if *attempt > 1 { format!(", round {attempt}") } else { String::new() };
            format!("{record} {name} from {server}/{transport}{again}")
        }
        Step::Cache { name, record, stale: true, .. } => format!("{record} {name}, past its time to live"),
        Step::Cache { name, record, remaining, .. } => {
            format!("{record} {name}, good for another {}", duration(*remaining))
        }
        Step::Shared { name, record } => {
            format!("{record} {name} is being asked for already, and that answer is shared")
        }
        Step::System { reason } => format!("handed to the system's resolver ({reason})"),
        Step::Ordering { addresses } => ordering(addresses),
        Step::ResolutionDelay { delay } => {
            format!("up to {} for the other family's addresses (RFC 8305 section 3)", duration(*delay))
        }
        Step::Attempt { peer, reason, budget, .. } => {
            let why = match reason {
                AttemptReason::First => "the first",
                AttemptReason::PreviousFailed => "since the one before failed",
                AttemptReason::DelayPassed => "since the one before is slow",
            };
            let budget = budget.map(|share| format!(", with {} to do it in", duration(share)));
            let peer = peer.to_string();
            let peer = if peer.is_empty() { "an unnamed socket" } else { &peer };
            format!("{peer}, {why}{}", budget.unwrap_or_default())
        }
        Step::Call { detail, .. } => detail.clone(),
        Step::Note { text, .. } => text.clone(),
        Step::Proxies { proxies, reason } if proxies.is_empty() => format!("none ({reason})"),
        Step::Proxies { proxies, reason } => format!("{} ({reason})", proxies.join(", then ")),
        Step::Hop { proxy, target, .. } => format!("{proxy} to {target}"),
        Step::HopStep { question, .. } => question.clone(),
        Step::Connected { attempt: 0, peer } => format!("to {peer}"),
        Step::Connected { attempt, peer } => format!("to {peer} by attempt {attempt}"),
        Step::DialFailed => "the dial ended without a conn".to_owned(),
        Step::Copy { from, to, .. } => format!("{from} to {to}"),
        Step::Path { path, detour: None, .. } => path.to_string(),
        Step::Path { path, detour: Some(detour), .. } => format!("{path} ({detour})"),
        Step::Stage { subject, .. } => subject.clone(),
    }
}

fn fate(span: &Span) -> String {
    match (&span.step, &span.fate) {
        (Step::Lookup { answer, .. }, Fate::Done) => list(answer, "an empty answer"),
        (Step::Query { record, answer: Some(answer), .. }, _) => answered(record, answer),
        (Step::Query { .. }, Fate::Abandoned) => "no longer needed".to_owned(),
        (Step::HopStep { answer: Some(answer), .. }, Fate::Done) => answer.clone(),
        (Step::Hop { .. }, Fate::Done) => "open".to_owned(),
        (Step::Attempt { .. }, Fate::Done) => "connected".to_owned(),
        (Step::Attempt { .. }, Fate::Won) => "connected, and won".to_owned(),
        (Step::Attempt { .. }, Fate::Abandoned) => "no longer needed".to_owned(),
        (Step::Copy { copied: Some(copied), .. }, Fate::Done) => copied.to_string(),
        (Step::Copy { copied: Some(copied), .. }, Fate::Failed(error)) => format!("{copied}, then {error}"),
        (Step::Stage { result, .. }, Fate::Done) => result.clone(),
        // The report gives the whole error once, and its parts stand at the steps they belong to.
        (_, Fate::Done | Fate::Won) | (Step::DialFailed, _) => String::new(),
        (_, Fate::Failed(error)) => error.clone(),
        (_, Fate::Abandoned) => "given up".to_owned(),
        (_, Fate::Unfinished) => "not finished".to_owned(),
    }
}

fn answered(asked: &str, answer: &Answer) -> String {
    let Answer { rcode, records, ttl, truncated } = answer;
    // Records begin with their type, which goes without saying where it is the one asked for.
    let unprefixed = |record: &String| match record.split_once(' ') {
        Some((kind, data)) if kind == asked => data.to_owned(),
        _ => record.clone(),
    };
    let records: Vec<String> = records.iter().map(unprefixed).collect();
    let mut text = match rcode.as_str() {
        "NOERROR" => list(&records, "no records of this type"),
        "NXDOMAIN" => "NXDOMAIN, no such name".to_owned(),
        other => other.to_owned(),
    };
    if let Some(ttl) = ttl {
        let _ = write!(text, ", ttl {} s", ttl.as_secs());
    }
    if *truncated {
        text.push_str(", truncated, so TCP follows");
    }
    text
}

fn ordering(addresses: &[OrderedAddress]) -> String {
    if let [only] = addresses {
        // Alone it is not compared with anything, and its source was not asked for.
        return format!("only {}, nothing to compare it with", only.address);
    }
    let mut text = String::new();
    for (index, OrderedAddress { address, source, decided_by }) in addresses.iter().take(NAMED).enumerate() {
        if index > 0 {
            text.push_str(", then ");
        }
        let _ = write!(text, "{address}");
        match (source, decided_by.and_then(rule)) {
            (None, Some(rule)) => {
                let _ = write!(text, " (unreachable; {rule})");
            }
            (None, None) => text.push_str(" (unreachable)"),
            (Some(_), Some(rule)) => {
                let _ = write!(text, " ({rule})");
            }
            (Some(_), None) => {}
        }
    }
    if addresses.len() > NAMED {
        let _ = write!(text, " and {} more", addresses.len() - NAMED);
    }
    text
}

/// The rules of RFC 6724 section 6 by number.
pub(crate) fn rule(number: u8) -> Option<String> {
    let name = match number {
        1 => "avoid unusable destinations",
        2 => "prefer matching scope",
        3 => "avoid deprecated addresses",
        4 => "prefer home addresses",
        5 => "prefer matching label",
        6 => "prefer higher precedence",
        7 => "prefer native transport",
        8 => "prefer smaller scope",
        9 => "use longest matching prefix",
        _ => return None,
    };
    Some(format!("rule {number}, {name}"))
}

fn list(items: &[String], none: &str) -> String {
    match items.len() {
        0 => none.to_owned(),
        1..=NAMED => items.join(", "),
        more => format!("{} and {} more", items[..NAMED].join(", "), more - NAMED),
    }
}

pub(crate) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// `0.047 ms`, `12.3 ms`, `1.2 s`: three digits that matter.
pub(crate) fn duration(of: Duration) -> String {
    let ms = of.as_secs_f64() * 1000.0;
    match ms {
        ms if of.subsec_nanos() == 0 && ms >= 1000.0 => format!("{} s", of.as_secs()),
        ms if ms >= 10_000.0 => format!("{:.1} s", ms / 1000.0),
        ms if ms >= 1000.0 => format!("{:.2} s", ms / 1000.0),
        ms if ms.fract() == 0.0 || ms >= 100.0 => format!("{ms:.0} ms"),
        ms if ms >= 10.0 => format!("{ms:.1} ms"),
        ms if ms >= 1.0 => format!("{ms:.2} ms"),
        ms => format!("{ms:.3} ms"),
    }
}

/// Text that came from outside, made harmless to a terminal: control characters, and those that turn the direction of
/// writing, are shown as escapes.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for ch in text.chars() {
        match ch {
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => {
                out.extend(ch.escape_unicode());
            }
            ch if ch.is_control() => out.extend(ch.escape_debug()),
            ch => out.push(ch),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_show_the_digits_that_matter() {
        for (micros, text) in [
            (0, "0 ms"),
            (47, "0.047 ms"),
            (1_234, "1.23 ms"),
            (12_345, "12.3 ms"),
            (250_000, "250 ms"),
            (251_940, "252 ms"),
            (1_500_000, "1.50 s"),
            (2_000_000, "2 s"),
            (12_345_678, "12.3 s"),
        ] {
            assert_eq!(duration(Duration::from_micros(micros)), text);
        }
    }

    #[test]
    fn what_came_from_outside_cannot_drive_the_terminal() {
        assert_eq!(printable("a\x1b[31mb\r\n\u{9b}\u{202e}c"), "a\\u{1b}[31mb\\r\\n\\u{9b}\\u{202e}c");
    }

    #[test]
    fn options_set_one_after_the_other_share_a_line() {
        let step = |call, detail: &str| Step::Call { attempt: 1, call, detail: detail.to_owned() };
        let span = |step, fate| Span { start: Duration::ZERO, end: None, depth: 1, step, fate };
        let spans = [
            span(step("socket", "tcp"), Fate::Done),
            span(step("setsockopt", "A"), Fate::Done),
            span(step("setsockopt", "B"), Fate::Done),
            span(step("setsockopt", "C"), Fate::Failed("no".to_owned())),
            span(step("setsockopt", "D"), Fate::Done),
            span(step("connect", ""), Fate::Done),
        ];
        let texts: Vec<String> =
            lines(&spans).iter().map(|line| format!("{} {}", label(&line.step), text(line))).collect();
        assert_eq!(texts, ["socket tcp", "setsockopt A, B", "setsockopt C: no", "setsockopt D", "connect "]);
    }

    #[test]
    fn long_lists_are_counted() {
        let items: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        assert_eq!(list(&items, ""), "0, 1, 2, 3, 4, 5, 6, 7 and 12 more");
    }
}
