//! Lines on their way to a standard stream that nobody may be reading.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many lines may wait; more are dropped and counted.
const QUEUE: usize = 1024;
/// For so many more there is room if they are what the program was asked to tell.
const RESERVE: usize = 64;

/// Lines that wait for a thread of their own to write them, so that whoever has something to say never waits for whoever
/// reads it; and a line behind them all that is written over and over, for a terminal.
pub(crate) struct Lines {
    state: Mutex<State>,
    changed: Condvar,
}

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// One of many, which peers may cause.
    Common,
    /// What was asked for, such as the counters.
    Asked,
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<String>,
    /// Lines for which there was no room, since the last one that had some.
    dropped: u64,
    /// What the last line of the terminal is to be.
    status: Option<String>,
    /// What it is.
    shown: Option<String>,
    is_writing: bool,
}

impl Lines {
    pub(crate) fn new() -> Lines {
        Lines { state: Mutex::default(), changed: Condvar::new() }
    }

    /// Takes a line, its end included.
    pub(crate) fn push(&self, line: String, weight: Weight) {
        self.lock().push(line, weight);
        self.changed.notify_all();
    }

    /// The line that stands behind all others from now on, without an end; none to take it away.
    pub(crate) fn set_status(&self, status: Option<String>) {
        self.lock().status = status;
        self.changed.notify_all();
    }

    /// Gives everything to `write`, for ever.
    pub(crate) fn write_all(&self, mut write: impl FnMut(&str)) -> ! {
        let mut state = self.lock();
        loop {
            let Some(text) = state.next() else {
                state.is_writing = false;
                self.changed.notify_all();
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            state.is_writing = true;
            drop(state);
            write(&text);
            state = self.lock();
        }
    }

    /// Takes the status away and waits until all is written, or for so long.
    pub(crate) fn finish(&self, patience: Duration) {
        let mut state = self.lock();
        state.status = None;
        self.changed.notify_all();
        let unwritten = |state: &mut State| state.is_writing || !state.is_empty();
        drop(self.changed.wait_timeout_while(state, patience, unwritten));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, line: String, weight: Weight) {
        let room = QUEUE + if weight == Weight::Asked { RESERVE } else { 0 };
        if self.lines.len() >= room {
            self.dropped += 1;
            return;
        }
        // Where they would have stood.
        let note = self.note();
        self.lines.extend(note);
        self.lines.push_back(line);
    }

    fn note(&mut self) -> Option<String> {
        match std::mem::take(&mut self.dropped) {
            0 => None,
            1 => Some("landline: … and 1 more line dropped\n".to_owned()),
            dropped => Some(format!("landline: … and {dropped} more lines dropped\n")),
        }
    }

    /// What to write next: lines go before the status, which is put behind the last of them again.
    fn next(&mut self) -> Option<String> {
        let line = self.lines.pop_front().or_else(|| self.note());
        let wipe = self.shown.as_deref().map(wipe).unwrap_or_default();
        if let Some(line) = line {
            let text = format!("{wipe}{line}");
            self.shown = None;
            return Some(text);
        }
        if self.status == self.shown {
            return None;
        }
        self.shown.clone_from(&self.status);
        Some(format!("{wipe}{}", self.status.as_deref().unwrap_or_default()))
    }

    fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.dropped == 0 && self.status == self.shown
    }
}

/// Back to the beginning of the terminal's line, where this was and now is nothing. An escape sequence would be shorter, and
/// taken out by `NO_COLOR`.
fn wipe(shown: &str) -> String {
    format!("\r{}\r", " ".repeat(shown.chars().count()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, mpsc};

    fn all(state: &mut State) -> String {
        std::iter::from_fn(|| state.next()).collect()
    }

    #[test]
    fn lines_without_room_are_counted_where_they_would_have_stood() {
        let mut state = State::default();
        for number in 0..QUEUE + 3 {
            state.push(format!("{number}\n"), Weight::Common);
        }
        state.push("asked\n".to_owned(), Weight::Asked);
        let text = all(&mut state);
        assert!(text.starts_with("0\n1\n"), "{text}");
        let last = QUEUE - 1;
        assert!(
            text.ends_with(&format!("\n{last}\nlandline: … and 3 more lines dropped\nasked\n")),
            "{text}"
        );
        for _ in 0..=QUEUE {
            state.push(String::new(), Weight::Common);
        }
        assert_eq!(all(&mut state), "landline: … and 1 more line dropped\n");
        assert!(state.is_empty());
    }

    #[test]
    fn what_was_asked_for_has_a_bound_too() {
        let mut state = State::default();
        for _ in 0..2 * (QUEUE + RESERVE) {
            state.push("\n".to_owned(), Weight::Asked);
        }
        assert_eq!(state.lines.len(), QUEUE + RESERVE);
    }

    #[test]
    fn the_status_stands_behind_all_lines() {
        let mut state = State { status: Some("1 open".to_owned()), ..State::default() };
        assert_eq!(all(&mut state), "1 open");
        state.push("a\n".to_owned(), Weight::Common);
        state.push("b\n".to_owned(), Weight::Common);
        assert_eq!(all(&mut state), "\r      \ra\nb\n1 open");
        state.status = Some("2 open".to_owned());
        assert_eq!(all(&mut state), "\r      \r2 open");
        state.push("the end\n".to_owned(), Weight::Asked);
        state.status = None;
        assert_eq!(all(&mut state), "\r      \rthe end\n");
        assert!(state.is_empty());
    }

    #[test]
    fn nobody_waits_for_a_stream_that_nobody_reads() {
        let lines = Arc::new(Lines::new());
        let (begun, begins) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let (written, all) = mpsc::channel();
        let writer = lines.clone();
        // It ends with the test program, as it does with the program.
        std::thread::spawn(move || {
            writer.write_all(|text| {
                let _ = begun.send(());
                let _ = released.recv();
                let _ = written.send(text.to_owned());
            })
        });
        lines.push("stuck\n".to_owned(), Weight::Common);
        begins.recv().unwrap();
        for _ in 0..QUEUE + 2 {
            lines.push("more\n".to_owned(), Weight::Common);
        }
        lines.finish(Duration::from_millis(10));
        drop(release);
        lines.finish(Duration::from_secs(60));
        let all: String = all.try_iter().collect();
        assert!(
            all.starts_with("stuck\nmore\n") && all.ends_with("more\nlandline: … and 2 more lines dropped\n")
        );
    }
}
