//! `landline tour`: one dial from the name to the last byte, on a stage of its own, explained step by step.

mod name_server;
mod narrative;
mod stage;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use landline::explain::Report;
use landline::explain::render::Html;
use landline::{Conn, Dialer};
use serde::Serialize;
use tokio::time::Instant;

use crate::failure::Failure;
use crate::output::{self, Page, To};
use crate::resolver;
use narrative::Step;
use stage::{NAME, Stage};

/// Watch a dial happen: on this machine alone, without a network and without root.
///
/// The tour sets up a name server, an IPv6 address that never answers and an echo server on loopback, dials through
/// all of it, converses, and explains each step. It takes less than a second.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  landline tour
  landline tour --html tour.html && xdg-open tour.html
  landline tour --json | jq .report.steps")]
pub(crate) struct Tour {
    /// Print everything as one line of JSON
    #[arg(long, conflicts_with = "html")]
    json: bool,
    /// Write a web page instead, - for stdout
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// For all of the dial, which needs a quarter of a second; the rest is for machines that are very busy.
const BUDGET: Duration = Duration::from_secs(10);
const LINES: [&str; 2] = ["hello, is anybody there?", "goodbye"];

/// One thing said, or heard.
#[derive(Debug, Serialize)]
struct Line {
    at_us: u64,
    who: &'static str,
    what: String,
}

impl Tour {
    /// Runs the command.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let page = self.html.as_deref().map(Page::create).transpose()?;
        let stage = Stage::set().await?;
        let address = format!("{NAME}:{}", stage.echo_server.port());
        let resolver = resolver::asking(&[stage.name_server.into()]);
        let dialer = Dialer::new().timeout(BUDGET).resolver(resolver);
        let (result, report) = raced(&dialer, &address).await;
        let lines = match result {
            Ok(conn) => converse(&conn, report.began()).await?,
            Err(error) => {
                // Drawn all the same: the tour is there to show what happened.
                output::tell(&output::waterfall(&report, To::Stderr));
                return Err(error.into());
            }
        };
        let steps = narrative::steps(&stage, &report, BUDGET, &lines);
        let show = Show { stage: &stage, report: &report, steps: &steps, lines: &lines };
        match page {
            _ if self.json => output::print(&show.json()),
            Some(page) => {
                let path = page.path();
                page.write(&show.html())?;
                match path {
                    None => Ok(()),
                    Some(path) => output::print(&format!("The tour is in {}.\n", path.display())),
                }
            }
            None => output::print(&show.text()),
        }
    }
}

/// Dials until there was something to see: when the machine stands still for longer than a dial waits for the answer
/// about IPv6, it goes without, and then there is no race.
async fn raced(dialer: &Dialer, address: &str) -> (landline::Result<Conn>, Report) {
    let mut tries = 0;
    loop {
        let (result, report) = dialer.explain("tcp", address).await;
        if result.is_err() || report.attempts().count() > 1 || tries == 9 {
            return (result, report);
        }
        tries += 1;
    }
}

/// Says its lines, one after the other, each heard back before the next, and ends the conversation from this side.
async fn converse(conn: &Conn, began: Instant) -> Result<Vec<Line>, Failure> {
    let at_us = || u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    conn.set_deadline(Instant::now() + BUDGET);
    let mut lines = Vec::new();
    for text in LINES {
        conn.write_all(format!("{text}\n").as_bytes()).await?;
        lines.push(Line { at_us: at_us(), who: "sent", what: text.to_owned() });
        let heard = read_line(conn).await?;
        lines.push(Line { at_us: at_us(), who: "received", what: heard });
    }
    conn.close_write()?;
    lines.push(Line {
        at_us: at_us(),
        who: "sent",
        what: "end of stream (a half-close: reading goes on)".into(),
    });
    match conn.read(&mut [0; 1]).await? {
        0 => lines.push(Line { at_us: at_us(), who: "received", what: "end of stream".into() }),
        _ => return Err(Failure::Refused("tour: the echo server said more than it was told".into())),
    }
    conn.close()?;
    Ok(lines)
}

async fn read_line(conn: &Conn) -> Result<String, Failure> {
    let mut line = Vec::new();
    let mut byte = [0; 64];
    while !line.ends_with(b"\n") {
        match conn.read(&mut byte).await? {
            0 => return Err(Failure::Refused("tour: the echo server ended before its line did".into())),
            length => line.extend_from_slice(&byte[..length]),
        }
    }
    line.pop();
    Ok(String::from_utf8_lossy(&line).into_owned())
}

/// What there is to show, three ways.
struct Show<'a> {
    stage: &'a Stage,
    report: &'a Report,
    steps: &'a [Step],
    lines: &'a [Line],
}

const TITLE: &str = "A tour of landline";

impl Show<'_> {
    fn text(&self) -> String {
        let mut text = output::wrap(
            "",
            &format!("{TITLE}: one dial from a name to the last byte, on this machine alone"),
        );
        text.push_str("\nThe stage\n");
        for (name, line) in narrative::stage(self.stage) {
            text.push_str(&output::wrap(&format!("  {name:<13}"), &line));
        }
        text.push_str("\nThe way\n");
        for step in self.steps {
            text.push_str(&output::wrap(&format!("  {} {:<8} ", step.number, step.name), &step.text));
        }
        text.push_str("\nThe dial, drawn\n\n");
        text.push_str(&output::waterfall(self.report, To::Stdout));
        text.push_str("\nThe conversation\n");
        for line in self.lines {
            text.push_str(&output::wrap("  ", &line.to_string()));
        }
        text
    }

    fn html(&self) -> Html<'_> {
        let steps = self.steps.iter().map(|step| format!("{}: {}", step.name, step.text)).collect();
        let stage =
            narrative::stage(self.stage).into_iter().map(|(name, line)| format!("{name}: {line}")).collect();
        Html::new(self.report)
            .title(TITLE)
            .before("The stage", stage)
            .before("The way", steps)
            .after("The conversation", self.lines.iter().map(Line::to_string).collect())
    }

    fn json(&self) -> String {
        #[derive(Serialize)]
        struct Whole<'a> {
            schema: u32,
            stage: StageView<'a>,
            way: &'a [Step],
            report: &'a Report,
            conversation: &'a [Line],
        }
        #[derive(Serialize)]
        struct StageView<'a> {
            name: &'a str,
            name_server: String,
            black_hole: String,
            echo_server: String,
        }
        let whole = Whole {
            schema: 1,
            stage: StageView {
                name: NAME,
                name_server: self.stage.name_server.to_string(),
                black_hole: self.stage.black_hole.to_string(),
                echo_server: self.stage.echo_server.to_string(),
            },
            way: self.steps,
            report: self.report,
            conversation: self.lines,
        };
        let mut text = serde_json::to_string(&whole).expect("strings and numbers always serialize");
        text.push('\n');
        text
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = Duration::from_micros(self.at_us).as_secs_f64() * 1000.0;
        write!(f, "{at:>6.1} ms  {:<8}  {}", self.who, self.what)
    }
}
