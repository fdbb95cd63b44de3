//! Where words go: standard output and error, files, and what to do when they are gone or full.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use landline::explain::Report;
use landline::explain::render::{self, Colors, Glyphs, Html, printable};

use crate::failure::Failure;
use crate::lines::{Lines, Weight};

/// Standard error of a program that runs for long, once [`queue`] has been called.
static ERRORS: OnceLock<Lines> = OnceLock::new();
/// The same of standard output.
static LOG: OnceLock<Lines> = OnceLock::new();

/// How long what was said last may take to be read, at the end of the program.
const PATIENCE: Duration = Duration::from_secs(1);

/// From now on, [`tell`], [`complain`] and [`log`] leave their words to threads of their own and wait for nobody: a pipe
/// that is not read stops no server, nor a terminal that was stopped.
pub(crate) fn queue() -> Result<(), Failure> {
    let begin = |lines: &'static OnceLock<Lines>, name: &str, write: fn(&str)| {
        let write = move || lines.get_or_init(Lines::new).write_all(write);
        lines.get_or_init(Lines::new);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(write);
        thread.map(drop).map_err(|error| Failure::Refused(format!("no thread: {error}")))
    };
    begin(&ERRORS, "stderr", tell_now)?;
    begin(&LOG, "stdout", |line| {
        // Whoever read it may have gone, which stops nothing.
        let _ = print(line);
    })
}

/// Waits a while until what is queued has been written.
pub(crate) fn finish() {
    for lines in [&LOG, &ERRORS] {
        if let Some(lines) = lines.get() {
            lines.finish(PATIENCE);
        }
    }
}

/// Writes to standard output and makes sure that it has gone out.
///
/// Escape sequences are taken out where the output is not a terminal, or `NO_COLOR` or `CLICOLOR` say so.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = anstream::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    written.map_err(|error| Failure::of_file("standard output", &error))
}

/// Writes to standard error; there is nobody to tell if that fails.
pub(crate) fn tell(text: &str) {
    say(text, Weight::Asked);
}

fn say(text: &str, weight: Weight) {
    match ERRORS.get() {
        Some(lines) => lines.push(text.to_owned(), weight),
        None => tell_now(text),
    }
}

/// [`tell`], waiting until it is written, for threads that may.
pub(crate) fn tell_now(text: &str) {
    let mut stderr = anstream::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

/// One line on standard error, `landline: …`, whatever the message holds.
pub(crate) fn complain(message: &str) {
    say(&format!("landline: {}\n", printable(message)), Weight::Common);
}

/// One line on standard output, of which there may be more than anybody reads.
pub(crate) fn log(line: &str) {
    let line = format!("{}\n", printable(line));
    match LOG.get() {
        Some(lines) => lines.push(line, Weight::Common),
        None => drop(print(&line)),
    }
}

/// A line that is written over by the next, behind all others; none takes it away. For a terminal, once [`queue`] has
/// been called.
pub(crate) fn show(status: Option<String>) {
    let Some(lines) = ERRORS.get() else { return };
    let room = width(To::Stderr, true).unwrap_or(80).saturating_sub(1);
    lines.set_status(status.map(|status| status.chars().take(room).collect()));
}

/// Which of the standard streams a drawing is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A report drawn for a stream: as wide as its terminal, with the characters its locale has; plain in a file.
pub(crate) fn waterfall(report: &Report, to: To) -> String {
    let terminal = match to {
        To::Stdout => io::stdout().is_terminal(),
        To::Stderr => io::stderr().is_terminal(),
    };
    let width = width(to, terminal);
    let mut drawing = report.waterfall().colors(Colors::Ansi);
    if let Some(width) = width {
        drawing = drawing.width(width);
    }
    if terminal && speaks_utf8(|name| std::env::var(name).ok()) {
        drawing = drawing.glyphs(Glyphs::Unicode);
    }
    drawing.to_string()
}

/// Gives a report where it is wanted: drawn on stderr, as a line of JSON on stdout, as a page.
pub(crate) fn give(
    report: &Report,
    explain: bool,
    json: bool,
    page: Option<Page<'_>>,
) -> Result<(), Failure> {
    if explain {
        tell(&waterfall(report, To::Stderr));
    }
    if json {
        print(&format!("{}\n", render::to_string(report)))?;
    }
    if let Some(page) = page {
        page.write(&Html::new(report))?;
    }
    Ok(())
}

/// Columns to fit into: those of the terminal, or what `COLUMNS` says; none for a file or pipe.
fn width(to: To, terminal: bool) -> Option<usize> {
    let columns = || std::env::var("COLUMNS").ok()?.parse().ok().filter(|columns| *columns > 0);
    let size = || match to {
        To::Stdout => terminal_size::terminal_size_of(io::stdout()),
        To::Stderr => terminal_size::terminal_size_of(io::stderr()),
    };
    columns().or_else(|| size().filter(|_| terminal).map(|(width, _)| usize::from(width.0)))
}

/// A paragraph for stdout: `prefix` before its first line, and spaces as wide before the others.
pub(crate) fn wrap(prefix: &str, text: &str) -> String {
    wrap_to(prefix, text, width(To::Stdout, io::stdout().is_terminal()))
}

fn wrap_to(prefix: &str, text: &str, width: Option<usize>) -> String {
    let indent = prefix.chars().count();
    // Narrower than this, a terminal breaks lines better than we do.
    let room = width.map_or(usize::MAX, |width| width.saturating_sub(indent).max(20));
    let mut out = prefix.to_owned();
    let mut column = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > room {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out.push('\n');
    out
}

/// What the locale says, by the precedence of setlocale(3).
fn speaks_utf8(variable: impl Fn(&str) -> Option<String>) -> bool {
    let locale =
        ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable).find(|value| !value.is_empty());
    locale.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.ends_with("utf-8") || locale.ends_with("utf8")
    })
}

/// Where a document will go, opened before there is one, so that a wrong path is known at once.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    path: &'a Path,
    /// None for standard output.
    file: Option<File>,
}

impl<'a> Page<'a> {
    /// Makes the file anew; `-` is standard output.
    pub(crate) fn create(path: &'a Path) -> Result<Page<'a>, Failure> {
        if path == Path::new("-") {
            return Ok(Page { path, file: None });
        }
        let file = File::create(path).map_err(|error| Failure::of_file(path.display(), &error))?;
        Ok(Page { path, file: Some(file) })
    }

    /// The file's path; none for standard output.
    pub(crate) fn path(&self) -> Option<&'a Path> {
        self.file.is_some().then_some(self.path)
    }

    /// Writes the document. A file that could not be written whole is an error that names it.
    pub(crate) fn write(self, html: &Html<'_>) -> Result<(), Failure> {
        let text = html.to_string();
        let Some(mut file) = self.file else { return print(&text) };
        // Synced, because a full disk or a quota may only be noticed then.
        let written = file.write_all(text.as_bytes()).and_then(|()| match file.sync_all() {
            // Pipes and devices cannot be synced (fsync(2)).
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            synced => synced,
        });
        written.map_err(|error| match Failure::of_file(self.path.display(), &error) {
            // For a file it is as bad as any other error.
            Failure::ReaderGone => Failure::Refused(format!("{}: broken pipe", self.path.display())),
            failure => failure,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_locale_variable_that_is_set_decides() {
        let speaks = |set: &[(&str, &str)]| {
            speaks_utf8(|name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        };
        assert!(speaks(&[("LANG", "de_DE.UTF-8")]));
        assert!(speaks(&[("LC_ALL", ""), ("LC_CTYPE", "C.utf8"), ("LANG", "C")]));
        assert!(!speaks(&[("LC_ALL", "C"), ("LANG", "de_DE.UTF-8")]));
        assert!(!speaks(&[]));
    }

    #[test]
    fn paragraphs_hang_below_their_prefix() {
        let text = "one two three four five six seven";
        assert_eq!(wrap_to("  a  ", text, Some(25)), "  a  one two three four\n     five six seven\n");
        assert_eq!(wrap_to("", text, None), format!("{text}\n"));
    }
}
