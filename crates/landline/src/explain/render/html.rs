//! The rendering for a browser: one file that needs nothing else, with the waterfall as a picture.

use std::fmt;

use crate::explain::report::{Outcome, Report};
use crate::explain::span::{Fate, Span, Step};
use crate::explain::words;

/// A [`Report`] as one HTML document, printed with `{}`.
///
/// The picture is inline SVG and below it every step stands in words. The document loads nothing, runs nothing,
/// escapes all text, and follows the reader's light or dark setting.
#[derive(Clone, Debug)]
pub struct Html<'a> {
    report: &'a Report,
    title: Option<String>,
    before: Vec<Section>,
    after: Vec<Section>,
}

#[derive(Clone, Debug)]
struct Section {
    heading: String,
    lines: Vec<String>,
}

impl<'a> Html<'a> {
    /// The document of a report.
    pub fn new(report: &'a Report) -> Html<'a> {
        Html { report, title: None, before: Vec::new(), after: Vec::new() }
    }

    /// The title; without one it is what was done, as in `dial tcp example.com:443`.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Html<'a> {
        self.title = Some(title.into());
        self
    }

    /// A list of lines with a heading, put before the picture; plain text.
    #[must_use]
    pub fn before(mut self, heading: impl Into<String>, lines: Vec<String>) -> Html<'a> {
        self.before.push(Section { heading: heading.into(), lines });
        self
    }

    /// A list of lines with a heading, put after the steps; plain text.
    #[must_use]
    pub fn after(mut self, heading: impl Into<String>, lines: Vec<String>) -> Html<'a> {
        self.after.push(Section { heading: heading.into(), lines });
        self
    }
}

const WIDTH: f64 = 1000.0;
const LABELS: f64 = 330.0;
const NUMBERS: f64 = 90.0;
const ROW: f64 = 22.0;
const AXIS: f64 = 24.0;
/// Characters of the label column.
const BRIEF: usize = 44;

const STYLE: &str = "\
:root{color-scheme:light dark;--fg:#1c1e21;--soft:#5f6670;--line:#d9dde2;--bg:#fff;--busy:#2f6fb7;--good:#1a7f37;\
--bad:#c62f2f;--left:#9aa2ac}\
@media(prefers-color-scheme:dark){:root{--fg:#e6e8eb;--soft:#9aa3ad;--line:#343a41;--bg:#15181c;--busy:#5b9ee6;\
--good:#4cc26a;--bad:#f2716b;--left:#6d757f}}\
body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif}\
main{max-width:70rem;margin:0 auto;padding:1.5rem}\
h1{font-size:1.4rem;margin:0;overflow-wrap:anywhere}h2{font-size:1.05rem;margin:1.6rem 0 .4rem}\
p{margin:.3rem 0 1rem;overflow-wrap:anywhere}.won{color:var(--good)}.failed{color:var(--bad)}\
.scroll{overflow-x:auto}svg{display:block;width:100%;min-width:44rem;height:auto}\
svg text{font:12px ui-monospace,monospace;fill:var(--fg)}svg .soft{fill:var(--soft)}svg .tick{stroke:var(--line)}\
.b-done{fill:var(--busy)}.b-won{fill:var(--good)}.b-failed{fill:var(--bad)}.b-left{fill:var(--left)}\
svg text.t-won{fill:var(--good)}svg text.t-failed{fill:var(--bad)}\
table{border-collapse:collapse;width:100%;font-size:.9rem}\
td,th{text-align:left;vertical-align:top;padding:.2rem .6rem .2rem 0;border-bottom:1px solid var(--line)}\
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\
td.s{white-space:nowrap;font-family:ui-monospace,monospace}td.d1{padding-left:1.2rem}td.w{overflow-wrap:anywhere}\
ul{padding-left:1.2rem}li{overflow-wrap:anywhere}footer{color:var(--soft);font-size:.85rem;margin-top:2rem}";

impl fmt::Display for Html<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = words::subject(self.report);
        let title = escape(self.title.as_deref().unwrap_or(&subject));
        let outcome = match self.report.outcome() {
            Outcome::Failed(_) => "failed",
            Outcome::Connected { .. }
            | Outcome::Answered(_)
            | Outcome::Responded { .. }
            | Outcome::Copied(_) => "won",
        };
        writeln!(f, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">")?;
        writeln!(f, "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">")?;
        writeln!(f, "<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>")?;
        writeln!(f, "<h1>{title}</h1>")?;
        writeln!(f, "<p class=\"{outcome}\">{}</p>", escape(&words::headline(self.report)))?;
        if let Some(error) = words::error(self.report) {
            writeln!(f, "<p class=\"failed\">{}</p>", escape(&error))?;
        }
        write_sections(f, &self.before)?;
        if !self.report.spans().is_empty() {
            self.write_picture(f)?;
            self.write_steps(f)?;
        }
        write_sections(f, &self.after)?;
        writeln!(f, "<footer>Drawn by landline. Times are milliseconds from the beginning.</footer>")?;
        writeln!(f, "</main>\n</body>\n</html>")
    }
}

fn write_sections(f: &mut fmt::Formatter<'_>, sections: &[Section]) -> fmt::Result {
    for Section { heading, lines } in sections {
        writeln!(f, "<h2>{}</h2>\n<ul>", escape(heading))?;
        for line in lines {
            writeln!(f, "<li>{}</li>", escape(line))?;
        }
        writeln!(f, "</ul>")?;
    }
    Ok(())
}

impl Html<'_> {
    fn write_picture(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spans = words::lines(self.report.spans());
        let total = (self.report.total().as_secs_f64() * 1000.0).max(0.001);
        let x = |ms: f64| LABELS + (ms / total).clamp(0.0, 1.0) * (WIDTH - LABELS - NUMBERS);
        let height = AXIS + ROW * spans.len() as f64 + 6.0;
        writeln!(
            f,
            "<h2>Waterfall</h2>\n<div class=\"scroll\"><svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
             aria-label=\"When each step began and how long it took\">"
        )?;
        for tick in ticks(total) {
            let at = x(tick);
            writeln!(
                f,
                "<line class=\"tick\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{AXIS}\" y2=\"{height}\"/>\
                 <text class=\"soft\" x=\"{at:.1}\" y=\"15\" text-anchor=\"middle\">{tick} ms</text>"
            )?;
        }
        for (row, span) in spans.iter().enumerate() {
            let top = AXIS + ROW * row as f64;
            let baseline = top + 15.0;
            let class = class(span);
            let indent = 12.0 * f64::from(span.depth);
            let start = span.start.as_secs_f64() * 1000.0;
            let from = x(start);
            write!(f, "<g><title>{}</title>", escape(&words::text(span)))?;
            let text_class = match span.fate {
                Fate::Won => " class=\"t-won\"",
                Fate::Failed(_) => " class=\"t-failed\"",
                _ => "",
            };
            write!(f, "<text{text_class} x=\"{indent}\" y=\"{baseline}\">{}</text>", escape(&brief(span)))?;
            let to = match span.end {
                None => {
                    write!(
                        f,
                        "<circle class=\"b-{class}\" cx=\"{from:.1}\" cy=\"{:.1}\" r=\"3\"/>",
                        top + 11.0
                    )?;
                    from + 3.0
                }
                Some(end) => {
                    let to = x(end.as_secs_f64() * 1000.0).max(from + 2.0);
                    write!(
                        f,
                        "<rect class=\"b-{class}\" x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"12\" rx=\"2\"/>",
                        top + 5.0,
                        to - from
                    )?;
                    to
                }
            };
            let number = match span.end {
                Some(end) => words::duration(end.saturating_sub(span.start)),
                None => words::duration(span.start),
            };
            // A moment says when it was, and a bar how long it took.
            let at = if span.end.is_none() { format!("at {number}") } else { number };
            writeln!(f, "<text class=\"soft\" x=\"{:.1}\" y=\"{baseline}\">{at}</text></g>", to + 5.0)?;
        }
        writeln!(f, "</svg></div>")
    }

    fn write_steps(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "<h2>Step by step</h2>\n<table>")?;
        writeln!(f, "<tr><th class=\"n\">at</th><th class=\"n\">took</th><th>step</th><th>what</th></tr>")?;
        for span in words::lines(self.report.spans()) {
            let took =
                span.end.map(|end| words::duration(end.saturating_sub(span.start))).unwrap_or_default();
            let class = match span.fate {
                Fate::Won => " won",
                Fate::Failed(_) => " failed",
                _ => "",
            };
            writeln!(
                f,
                "<tr><td class=\"n\">{}</td><td class=\"n\">{took}</td><td class=\"s d{}\">{}</td>\
                 <td class=\"w{class}\">{}</td></tr>",
                words::duration(span.start),
                span.depth,
                escape(&words::label(&span.step)),
                escape(&words::text(&span)),
            )?;
        }
        writeln!(f, "</table>")
    }
}

fn class(span: &Span) -> &'static str {
    match span.fate {
        Fate::Done => "done",
        Fate::Won => "won",
        Fate::Failed(_) => "failed",
        Fate::Abandoned | Fate::Unfinished => "left",
    }
}

/// What fits beside the bar: the step's name and the one thing that tells it from its like.
fn brief(span: &Span) -> String {
    let label = words::label(&span.step);
    let of = match &span.step {
        Step::Parse { address, .. } => address.clone(),
        Step::Lookup { name, kind, .. } => format!("{kind} {name}"),
        Step::Policy { sources, .. } => sources.join(", "),
        Step::Name { name } => name.clone(),
        Step::Query { record, server, .. } => format!("{record} from {server}"),
        Step::Cache { record, .. } | Step::Shared { record, .. } => record.clone(),
        Step::Ordering { addresses } => match addresses.as_slice() {
            [first, ..] => format!("{} first", first.address),
            [] => String::new(),
        },
        Step::Attempt { peer, .. } | Step::Connected { peer, .. } => peer.to_string(),
        Step::Call { detail, .. } => detail.clone(),
        Step::Note { text, .. } => text.clone(),
        Step::Source { answer, .. } => answer.clone(),
        Step::Proxies { proxies, .. } => proxies.join(", "),
        Step::Hop { proxy, .. } => proxy.clone(),
        Step::HopStep { question, .. } => question.clone(),
        Step::Copy { to, .. } => format!("to {to}"),
        Step::Path { path, .. } => path.to_string(),
        Step::Stage { subject, .. } => subject.clone(),
        Step::System { .. } | Step::ResolutionDelay { .. } | Step::DialFailed => String::new(),
    };
    let text = words::printable(format!("{label} {of}").trim_end());
    match text.char_indices().nth(BRIEF - usize::from(span.depth) * 2) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Four to ten round numbers from 0 to `total`.
fn ticks(total: f64) -> Vec<f64> {
    let magnitude = 10_f64.powf((total / 5.0).log10().floor());
    let step = [1.0, 2.0, 5.0].map(|n| n * magnitude).into_iter().find(|step| total / step <= 6.0);
    let step = step.unwrap_or(10.0 * magnitude);
    // Computed from whole numbers and rounded to the magnitude, so that they print short.
    let digits = 1.0 / magnitude;
    (0_u32..=10)
        .map(|n| f64::from(n) * step)
        .take_while(|tick| *tick <= total)
        .map(|tick| if digits >= 1.0 { (tick * digits).round() / digits } else { tick.round() })
        .collect()
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for ch in words::printable(text).chars() {
        match ch {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            ch => out.push(ch),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::render::samples;

    #[test]
    fn a_dial_through_proxies() {
        insta::assert_snapshot!(Html::new(&samples::proxied_dial()).to_string());
    }

    #[test]
    fn a_raced_dial() {
        let report = samples::raced_dial();
        insta::assert_snapshot!(
            Html::new(&report)
                .title("A tour")
                .before("What is about to happen", vec!["one".into()])
                .after("Conversation", vec!["> hello & goodbye".into(), "< hello".into()])
                .to_string()
        );
    }

    #[test]
    fn no_text_from_outside_becomes_markup() {
        let html = Html::new(&samples::lookup_with_everything()).to_string();
        assert!(
            !html.contains("<script") && html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"),
            "{html}"
        );
        assert!(html.chars().all(|ch| ch == '\n' || !ch.is_control()));
        assert!(!html.contains("http://") && !html.contains("https://") && !html.contains("src="), "{html}");
    }

    #[test]
    fn ticks_are_round_and_few() {
        for (total, expected) in [
            (251.9, vec![0.0, 50.0, 100.0, 150.0, 200.0, 250.0]),
            (2000.2, vec![0.0, 500.0, 1000.0, 1500.0, 2000.0]),
            (0.42, vec![0.0, 0.1, 0.2, 0.3, 0.4]),
            (4.0, vec![0.0, 1.0, 2.0, 3.0, 4.0]),
        ] {
            assert_eq!(ticks(total), expected, "{total}");
        }
        for total in [0.001, 0.07, 1.0, 33.3, 99_999.0] {
            assert!((4..=11).contains(&ticks(total).len()), "{total}: {:?}", ticks(total));
        }
    }
}
