//! The tour in words: what stands on the stage, and what happened at each step of the flow.

use std::time::Duration;

use landline::explain::{Fate, Report, Step as Explained};
use serde::Serialize;

use super::Line;
use super::stage::{NAME, Stage};

/// One step of the flow.
#[derive(Debug, Serialize)]
pub(crate) struct Step {
    /// Its number, as in the table at the top of the library's documentation.
    pub(crate) number: u8,
    /// Its name.
    pub(crate) name: &'static str,
    /// What happened, in words.
    pub(crate) text: String,
}

/// What the dial will meet, each with its name.
pub(crate) fn stage(stage: &Stage) -> Vec<(&'static str, String)> {
    let Stage { name_server, black_hole, echo_server, .. } = stage;
    let mut lines = vec![
        (
            "name server",
            format!(
                "{name_server}, knows one name, {NAME}: {} and {}; answers about IPv6 last",
                black_hole.ip(),
                echo_server.ip(),
            ),
        ),
        ("black hole", format!("{black_hole}, listens with a full queue: a SYN to it is never answered")),
        ("echo server", format!("{echo_server}, sends back what it hears")),
    ];
    if !stage.has_ipv6() {
        lines.push((
            "no IPv6",
            "on this machine, so two IPv4 addresses stand in for the two families".to_owned(),
        ));
    }
    lines
}

/// What happened, step by step, told from the report.
pub(crate) fn steps(stage: &Stage, report: &Report, budget: Duration, lines: &[Line]) -> Vec<Step> {
    let texts = [
        (
            "budget",
            format!("{} s for all of it, from the first packet to the name server on", budget.as_secs()),
        ),
        ("parse", format!("{} is the network, {} a name and a port", report.network(), report.address())),
        ("resolve", resolve(report)),
        ("order", order(report)),
        ("dial", dial(stage, report)),
        ("socket", socket(report)),
        ("fd", descriptor(report)),
        ("move", format!("{} lines went there and came back over the winner", lines.len() / 2 - 1)),
        (
            "conn",
            "this side said that it was done, the other side answered in kind, and all is closed".to_owned(),
        ),
    ];
    (0..).zip(texts).map(|(number, (name, text))| Step { number, name, text }).collect()
}

fn resolve(report: &Report) -> String {
    let answers: Vec<(&str, Duration)> = report
        .queries()
        .filter_map(|span| match &span.step {
            Explained::Query { record, .. } => Some((record.as_str(), span.end? - span.start)),
            _ => None,
        })
        .collect();
    let records: Vec<&str> = answers.iter().map(|(record, _)| *record).collect();
    let took: Vec<String> =
        answers.iter().map(|(record, took)| format!("{record} after {} ms", ms(*took))).collect();
    let waited = report.spans().iter().find_map(|span| match &span.step {
        Explained::ResolutionDelay { delay } => Some(format!(
            "; the IPv4 address came first, and was not dialed yet: IPv6 has up to {} ms to catch up (RFC 8305)",
            ms(*delay)
        )),
        _ => None,
    });
    format!(
        "asked for {} side by side, each from a fresh random port with a random id; answered: {}{}",
        records.join(" and "),
        took.join(", "),
        waited.unwrap_or_default()
    )
}

fn order(report: &Report) -> String {
    // The last is the one that saw all addresses.
    let ordered = report.spans().iter().rev().find_map(|span| match &span.step {
        Explained::Ordering { addresses } => Some(addresses.as_slice()),
        _ => None,
    });
    match ordered {
        Some([first, second, ..]) => match first.decided_by {
            Some(rule) => format!(
                "{} goes before {} by rule {rule} of RFC 6724: {}",
                first.address.ip(),
                second.address.ip(),
                match rule {
                    6 => "its precedence is higher, as IPv6 has it over IPv4",
                    9 => "it has more bits in common with the address it would be dialed from",
                    _ => "see its section 6",
                }
            ),
            None => format!("{} stays before {}, as it was given", first.address.ip(), second.address.ip()),
        },
        _ => "one address, nothing to order".to_owned(),
    }
}

fn dial(stage: &Stage, report: &Report) -> String {
    let starts: Vec<Duration> = report.attempts().map(|span| span.start).collect();
    match starts.as_slice() {
        [first, second, ..] => format!(
            "raced as in RFC 8305: {} came first and did not answer, so {} ms later, without giving it up, {} was \
             tried as well; one by one, this dial would still be waiting",
            stage.black_hole.ip(),
            ms(second.saturating_sub(*first)),
            stage.echo_server.ip(),
        ),
        _ => "there was nothing to race".to_owned(),
    }
}

fn socket(report: &Report) -> String {
    let winner = report.attempts().find_map(|span| match (&span.step, &span.fate) {
        (Explained::Attempt { attempt, .. }, Fate::Won) => Some(*attempt),
        _ => None,
    });
    let mut calls: Vec<String> = Vec::new();
    let mut options: Vec<&str> = Vec::new();
    for span in report.spans() {
        match &span.step {
            Explained::Call { attempt, call, detail } if Some(*attempt) == winner => match *call {
                "setsockopt" => options.push(detail),
                call => calls.push(call.to_owned()),
            },
            _ => {}
        }
    }
    format!(
        "the winner's system calls were {}, with setsockopt for {} in between",
        calls.join(", "),
        options.join(", ")
    )
}

fn descriptor(report: &Report) -> String {
    let Some(winner) = report.winner() else { return "nothing connected".to_owned() };
    let took = winner.end.unwrap_or(winner.start).saturating_sub(winner.start);
    let abandoned = report.losers().count();
    format!(
        "the connection stood {} ms after its attempt began, and its socket went to the reactor, which tells when it is \
         ready; the {} was closed at once",
        ms(took),
        if abandoned == 1 { "other socket" } else { "rest" },
    )
}

fn ms(of: Duration) -> String {
    let ms = of.as_secs_f64() * 1000.0;
    if ms < 10.0 { format!("{ms:.2}") } else { format!("{ms:.0}") }
}
