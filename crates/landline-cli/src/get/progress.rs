//! How far a file is: a line on stderr that changes, where that is a terminal.

use std::io::IsTerminal;
use std::time::Duration;

use tokio::time::Instant;

use crate::output;
use crate::values::bytes;

/// How often the line changes at most.
const EVERY: Duration = Duration::from_millis(100);
const BAR: usize = 24;

#[derive(Debug)]
pub(super) struct Progress {
    /// None where nobody looks.
    shown: Option<Instant>,
    began: Instant,
    from: u64,
    whole: Option<u64>,
    last: u64,
    /// How long the line is that stands there.
    width: usize,
}

impl Progress {
    /// Begins with a file of `from` bytes, which will be `whole` long if that is known.
    pub(super) fn new(from: u64, whole: Option<u64>) -> Progress {
        let now = Instant::now();
        Progress {
            shown: std::io::stderr().is_terminal().then_some(now),
            began: now,
            from,
            whole,
            last: from,
            width: 0,
        }
    }

    /// Tells how long the file is now.
    pub(super) fn show(&mut self, written: u64) {
        self.last = written;
        let now = Instant::now();
        if let Some(shown) = &mut self.shown
            && now.duration_since(*shown) >= EVERY
        {
            *shown = now;
            self.draw(now);
        }
    }

    /// The last word.
    pub(super) fn end(mut self) {
        if self.shown.is_some() {
            self.draw(Instant::now());
            output::tell("\n");
        }
    }

    fn draw(&mut self, now: Instant) {
        let took = now.duration_since(self.began);
        let line = line(self.last, self.whole, self.last - self.from, took);
        // Written over with spaces, since escape sequences are taken out by NO_COLOR.
        let before = std::mem::replace(&mut self.width, line.chars().count());
        output::tell(&format!("\r{line:<before$}"));
    }
}

/// The line, of what there is, what there will be, and what came in how long.
fn line(written: u64, whole: Option<u64>, came: u64, took: Duration) -> String {
    let speed = match took.as_secs_f64() {
        seconds if seconds > 0.0 => format!("{}/s", bytes(came as f64 / seconds)),
        _ => String::new(),
    };
    match whole.filter(|whole| *whole > 0) {
        Some(whole) => {
            let part = (written as f64 / whole as f64).min(1.0);
            let full = (part * BAR as f64) as usize;
            let bar = format!("{}{}", "=".repeat(full), " ".repeat(BAR - full));
            let of = bytes(whole as f64);
            format!("{:>3.0}% [{bar}] {} of {of}, {speed}", part * 100.0, bytes(written as f64))
        }
        None => format!("{}, {speed}", bytes(written as f64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        for (written, whole, came, millis, expected) in [
            (0, Some(100), 0, 0, "  0% [                        ] 0 B of 100 B, "),
            (
                50_000,
                Some(100_000),
                25_000,
                500,
                " 50% [============            ] 50.0 kB of 100 kB, 50.0 kB/s",
            ),
            (3_000_000, Some(3_000_000), 1, 1000, "100% [========================] 3.0 MB of 3.0 MB, 1 B/s"),
            (5, Some(3), 5, 1000, "100% [========================] 5 B of 3 B, 5 B/s"),
            (1_500_000_000, None, 1_500_000_000, 2000, "1.5 GB, 750 MB/s"),
            (0, Some(0), 0, 1, "0 B, 0 B/s"),
        ] {
            assert_eq!(line(written, whole, came, Duration::from_millis(millis)), expected);
        }
    }
}
