//! The terminal's rendering: one line each step, when it began, how long it took, a bar, and what it was in words.

use std::fmt;
use std::time::Duration;

use crate::explain::report::{Outcome, Report};
use crate::explain::span::{Fate, Span, Step};
use crate::explain::words;

/// A [`Report`] as lines of text with bars; made by [`Report::waterfall`], printed with `{}`.
///
/// Unless told otherwise it is plain ASCII without colors, and its lines are as long as they need to be, which suits
/// files and `grep`. With a width, longer texts go on below themselves.
#[derive(Clone, Copy, Debug)]
pub struct Waterfall<'a> {
    report: &'a Report,
    width: Option<usize>,
    glyphs: Glyphs,
    colors: Colors,
}

/// What bars are drawn with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Glyphs {
    /// `=` for what succeeded, `x` for what failed, `-` for what was given up, `.` for a moment.
    #[default]
    Ascii,
    /// Box-drawing characters of Unicode.
    Unicode,
}

/// Whether bars and errors are colored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colors {
    /// No escape sequences.
    #[default]
    Plain,
    /// The sixteen colors of ANSI terminals.
    Ansi,
}

/// The narrowest that is drawn; below it lines are longer than asked for.
const NARROWEST: usize = 48;
const LABEL: usize = 11;

impl<'a> Waterfall<'a> {
    pub(crate) fn new(report: &'a Report) -> Waterfall<'a> {
        Waterfall { report, width: None, glyphs: Glyphs::default(), colors: Colors::default() }
    }

    /// Breaks texts so that no line is longer than this many columns; at least 48.
    #[must_use]
    pub fn width(mut self, columns: usize) -> Waterfall<'a> {
        self.width = Some(columns);
        self
    }

    /// What bars are drawn with.
    #[must_use]
    pub fn glyphs(mut self, glyphs: Glyphs) -> Waterfall<'a> {
        self.glyphs = glyphs;
        self
    }

    /// Whether it is colored.
    #[must_use]
    pub fn colors(mut self, colors: Colors) -> Waterfall<'a> {
        self.colors = colors;
        self
    }

    fn painted(&self, style: Style, text: &str) -> String {
        let code = match (self.colors, style) {
            (Colors::Plain, _) | (_, Style::Plain) => return text.to_owned(),
            (_, Style::Good) => "32",
            (_, Style::Bad) => "31",
            (_, Style::Faint) => "2",
            (_, Style::Busy) => "36",
            (_, Style::Strong) => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    Good,
    Bad,
    Faint,
    Busy,
    Strong,
}

impl fmt::Display for Waterfall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.width.map(|width| width.max(NARROWEST));
        for line in wrap(&words::headline(self.report), width) {
            writeln!(f, "{}", self.painted(Style::Strong, &line))?;
        }
        if self.report.spans().is_empty() {
            return self.write_outcome(f, width);
        }
        let scale = Scale::new(self.report.total(), width);
        let took = if scale.shows_took { "took" } else { "" };
        let header = format!("{:>w$} {took:>w$}", "at ms", w = scale.digits);
        writeln!(f, "\n{}", self.painted(Style::Faint, header.trim_end()))?;
        for span in words::lines(self.report.spans()) {
            self.write_span(f, &span, &scale, width)?;
        }
        self.write_outcome(f, width)
    }
}

impl Waterfall<'_> {
    fn write_span(
        &self,
        f: &mut fmt::Formatter<'_>,
        span: &Span,
        scale: &Scale,
        width: Option<usize>,
    ) -> fmt::Result {
        let style = style(span);
        let at = format!("{:>w$}", scale.number(span.start), w = scale.digits);
        let took = span.end.map(|end| scale.number(end.saturating_sub(span.start))).unwrap_or_default();
        let took = if scale.shows_took { format!(" {took:>w$}", w = scale.digits) } else { String::new() };
        let (before, bar, after) = scale.bar(span, self.glyphs);
        let indent = usize::from(span.depth);
        let label = format!("{}{:w$}", " ".repeat(indent), words::label(&span.step), w = LABEL - indent);
        let left = at.len() + took.len() + 1 + scale.bar + 2 + label.chars().count() + 1;
        let lines = wrap(&words::text(span), width.map(|width| width.saturating_sub(left).max(10)));

        let mut lines = lines.into_iter();
        let first = lines.next().unwrap_or_default();
        let edge = self.painted(Style::Faint, if self.glyphs == Glyphs::Ascii { "|" } else { "│" });
        let label_style = match (span.depth, style) {
            (_, Style::Bad) => Style::Bad,
            (0, Style::Good) => Style::Good,
            (0, _) => Style::Strong,
            _ => Style::Plain,
        };
        let line = format!(
            "{at}{took} {edge}{before}{bar}{after}{edge}{label} {first}",
            bar = self.painted(style, &bar),
            label = self.painted(label_style, &label),
        );
        writeln!(f, "{}", line.trim_end())?;
        for more in lines {
            writeln!(f, "{:left$}{more}", "")?;
        }
        Ok(())
    }

    fn write_outcome(&self, f: &mut fmt::Formatter<'_>, width: Option<usize>) -> fmt::Result {
        match self.report.outcome() {
            Outcome::Failed(_) => {
                let error = words::error(self.report).unwrap_or_default();
                writeln!(f)?;
                for line in wrap(&error, width) {
                    writeln!(f, "{}", self.painted(Style::Bad, &line))?;
                }
                Ok(())
            }
            Outcome::Connected { .. }
            | Outcome::Answered(_)
            | Outcome::Responded { .. }
            | Outcome::Copied(_) => Ok(()),
        }
    }
}

fn style(span: &Span) -> Style {
    match (&span.fate, &span.step) {
        (Fate::Won, _) => Style::Good,
        (Fate::Failed(_), _) => Style::Bad,
        (Fate::Abandoned | Fate::Unfinished, _) => Style::Faint,
        (
            Fate::Done,
            Step::Lookup { .. }
            | Step::Query { .. }
            | Step::Attempt { .. }
            | Step::Hop { .. }
            | Step::HopStep { .. }
            | Step::Copy { .. },
        ) => Style::Busy,
        (Fate::Done, _) => Style::Plain,
    }
}

/// How time becomes columns and numbers.
struct Scale {
    total: f64,
    /// Narrow terminals have no room for it, and the bar tells.
    shows_took: bool,
    bar: usize,
    decimals: usize,
    digits: usize,
}

impl Scale {
    fn new(total: Duration, width: Option<usize>) -> Scale {
        let total = total.as_secs_f64() * 1000.0;
        let decimals = match total {
            total if total < 10.0 => 3,
            total if total < 10_000.0 => 1,
            _ => 0,
        };
        let digits = format!("{total:.decimals$}").len().max(5);
        let bar = match width {
            None => 24,
            Some(width) => (width / 6).clamp(8, 40),
        };
        let shows_took = width.is_none_or(|width| width >= 72);
        Scale { total: total.max(0.001), shows_took, bar, decimals, digits }
    }

    fn number(&self, at: Duration) -> String {
        format!("{:.*}", self.decimals, at.as_secs_f64() * 1000.0)
    }

    fn column(&self, at: Duration) -> f64 {
        (at.as_secs_f64() * 1000.0 / self.total).clamp(0.0, 1.0) * self.bar as f64
    }

    /// The empty space before the bar, the bar, and the space after it.
    fn bar(&self, span: &Span, glyphs: Glyphs) -> (String, String, String) {
        let from = (self.column(span.start).floor() as usize).min(self.bar - 1);
        let length = match span.end {
            None => 1,
            Some(end) => (self.column(end).ceil() as usize).clamp(from + 1, self.bar) - from,
        };
        let glyph = match (glyphs, span.end, &span.fate) {
            (Glyphs::Ascii, _, Fate::Failed(_)) => "x",
            (Glyphs::Ascii, None, _) => ".",
            (Glyphs::Ascii, _, Fate::Abandoned | Fate::Unfinished) => "-",
            (Glyphs::Ascii, _, _) => "=",
            (Glyphs::Unicode, None, Fate::Failed(_)) => "×",
            (Glyphs::Unicode, None, _) => "·",
            (Glyphs::Unicode, _, Fate::Failed(_)) => "▒",
            (Glyphs::Unicode, _, Fate::Abandoned | Fate::Unfinished) => "░",
            (Glyphs::Unicode, _, _) => "█",
        };
        (" ".repeat(from), glyph.repeat(length), " ".repeat(self.bar - from - length))
    }
}

/// Breaks at spaces, and within a word that is longer than a line.
fn wrap(text: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width else { return vec![text.to_owned()] };
    let mut lines = vec![String::new()];
    let mut column = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            lines.push(String::new());
            column = 0;
        } else if column > 0 {
            lines.last_mut().expect("never empty").push(' ');
            column += 1;
        }
        for ch in word.chars() {
            if column == width {
                lines.push(String::new());
                column = 0;
            }
            lines.last_mut().expect("never empty").push(ch);
            column += 1;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::render::samples;

    #[test]
    fn a_dial_through_proxies() {
        insta::assert_snapshot!(samples::proxied_dial().waterfall().to_string());
    }

    #[test]
    fn a_request() {
        insta::assert_snapshot!(samples::request().waterfall().width(110).to_string());
    }

    #[test]
    fn a_raced_dial_plain() {
        insta::assert_snapshot!(samples::raced_dial().to_string());
    }

    #[test]
    fn a_raced_dial_at_60_80_and_120_columns() {
        let report = samples::raced_dial();
        for width in [60, 80, 120] {
            let text = report.waterfall().width(width).glyphs(Glyphs::Unicode).to_string();
            assert!(text.lines().all(|line| line.chars().count() <= width), "{text}");
            insta::assert_snapshot!(format!("raced_dial_{width}"), text);
        }
    }

    #[test]
    fn a_raced_dial_in_color() {
        insta::assert_snapshot!(
            samples::raced_dial()
                .waterfall()
                .width(100)
                .colors(Colors::Ansi)
                .to_string()
                .replace('\x1b', "ESC")
        );
    }

    #[test]
    fn a_failed_dial() {
        insta::assert_snapshot!(samples::failed_dial().waterfall().width(100).to_string());
    }

    #[test]
    fn a_lookup_with_everything() {
        let text = samples::lookup_with_everything().to_string();
        assert!(text.chars().all(|ch| ch == '\n' || !ch.is_control()), "{text:?}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_copy() {
        insta::assert_snapshot!(samples::copy().waterfall().width(100).to_string());
    }

    #[test]
    fn any_width_is_drawn_and_kept_to_from_48_columns_on() {
        for width in 0..200 {
            for report in samples::all() {
                let text = report.waterfall().width(width).to_string();
                let longest = text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
                assert!(longest <= width.max(NARROWEST), "{width}: {longest}\n{text}");
            }
        }
    }

    #[test]
    fn words_are_kept_whole_where_they_fit() {
        assert_eq!(wrap("ab cd efghij k", Some(5)), ["ab cd", "efghi", "j k"]);
        assert_eq!(wrap("", Some(5)), [""]);
        assert_eq!(wrap("ab cd", None), ["ab cd"]);
    }
}
