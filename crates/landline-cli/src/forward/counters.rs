//! What was passed on: counted, and told on SIGUSR1, at the end, and to a terminal all along.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use landline::Progress;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use crate::failure::Failure;
use crate::output;
use crate::values::bytes;

/// Conns share so many counters of bytes, so that few threads meet at one.
const SHARDS: usize = 16;

/// Counted by every worker, bytes as they move.
#[derive(Debug, Default)]
pub(super) struct Counters {
    open: AtomicU64,
    conns: AtomicU64,
    failed: AtomicU64,
    refused: AtomicU64,
    dropped: AtomicU64,
    there: AtomicU64,
    back: AtomicU64,
    streams: [Progress; SHARDS],
}

/// A conn that is open, until it is dropped.
pub(super) struct Open<'a> {
    counters: &'a Counters,
    shard: usize,
}

/// Bytes of one conn that are counted where they can be told from others', and handed on from time to time, and when this
/// is dropped.
pub(super) struct Own<'a> {
    counters: &'a Counters,
    to: Progress,
    back: Progress,
    /// What was handed on, of either.
    settled: (AtomicU64, AtomicU64),
}

impl Counters {
    pub(super) fn opened(&self) -> Open<'_> {
        self.open.fetch_add(1, Relaxed);
        let number = self.conns.fetch_add(1, Relaxed);
        Open { counters: self, shard: number as usize % SHARDS }
    }

    pub(super) fn failed(&self) {
        self.failed.fetch_add(1, Relaxed);
    }

    /// Senders for whom there was no session left, and conns that waited for a place until the end of the drain.
    pub(super) fn refused(&self, more: u64) {
        self.refused.fetch_add(more, Relaxed);
    }

    /// A datagram that was not passed on.
    pub(super) fn dropped(&self) {
        self.dropped.fetch_add(1, Relaxed);
    }

    pub(super) fn moved(&self, there: u64, back: u64) {
        self.there.fetch_add(there, Relaxed);
        self.back.fetch_add(back, Relaxed);
    }

    fn there(&self) -> u64 {
        self.there.load(Relaxed) + self.streams.iter().map(Progress::there).sum::<u64>()
    }

    fn back(&self) -> u64 {
        self.back.load(Relaxed) + self.streams.iter().map(Progress::back).sum::<u64>()
    }

    /// One line; `cut` is how many conns were not left to finish.
    fn line(&self, cut: u64) -> String {
        let mut line = format!(
            "{} open, {} conns, {} failed, {} bytes there, {} back",
            self.open.load(Relaxed),
            self.conns.load(Relaxed),
            self.failed.load(Relaxed),
            self.there(),
            self.back(),
        );
        let (refused, dropped) = (self.refused.load(Relaxed), self.dropped.load(Relaxed));
        for (count, what) in [(refused, "refused"), (dropped, "datagrams dropped"), (cut, "cut")] {
            if count > 0 {
                line.push_str(&format!(", {count} {what}"));
            }
        }
        line
    }

    /// A shorter one, that changes.
    fn status(&self) -> String {
        format!(
            "{} open of {}, {} there, {} back",
            self.open.load(Relaxed),
            self.conns.load(Relaxed),
            bytes(self.there() as f64),
            bytes(self.back() as f64),
        )
    }
}

impl<'a> Open<'a> {
    /// Where its bytes are counted, along with those of others.
    pub(super) fn progress(&self) -> &'a Progress {
        &self.counters.streams[self.shard]
    }

    /// Where its bytes are counted apart.
    pub(super) fn own(&self) -> Own<'a> {
        Own {
            counters: self.counters,
            to: Progress::new(),
            back: Progress::new(),
            settled: Default::default(),
        }
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.counters.open.fetch_sub(1, Relaxed);
    }
}

impl Own<'_> {
    pub(super) fn to(&self) -> &Progress {
        &self.to
    }

    pub(super) fn back(&self) -> &Progress {
        &self.back
    }

    /// Hands on what has moved since; the sum of all that has.
    pub(super) fn settle(&self) -> u64 {
        let (to, back) = (self.to.there(), self.back.there());
        let new = |now: u64, settled: &AtomicU64| now - settled.swap(now, Relaxed);
        self.counters.moved(new(to, &self.settled.0), new(back, &self.settled.1));
        to + back
    }
}

impl Drop for Own<'_> {
    fn drop(&mut self) {
        self.settle();
    }
}

/// Tells of the counters for as long as the program runs.
pub(super) struct Report {
    counters: Arc<Counters>,
    on_signal: JoinHandle<()>,
    progress: Option<JoinHandle<()>>,
}

const BEAT: Duration = Duration::from_millis(250);

impl Report {
    pub(super) fn begin(counters: Arc<Counters>) -> Result<Report, Failure> {
        let mut asked = signal(SignalKind::user_defined1())
            .map_err(|error| Failure::Refused(format!("SIGUSR1: {error}")))?;
        let on_signal = tokio::spawn({
            let counters = counters.clone();
            async move {
                while asked.recv().await.is_some() {
                    output::tell(&format!("{}\n", counters.line(0)));
                }
            }
        });
        let progress = std::io::stderr().is_terminal().then(|| tokio::spawn(show(counters.clone())));
        Ok(Report { counters, on_signal, progress })
    }

    /// Tells them a last time, and how many conns were cut.
    pub(super) fn end(self, cut: u64) {
        let counters = self.counters.clone();
        drop(self);
        output::tell(&format!("{}\n", counters.line(cut)));
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        self.on_signal.abort();
        if let Some(progress) = &self.progress {
            progress.abort();
            output::show(None);
        }
    }
}

/// A line on the terminal that is written over and over, behind whatever else is told.
async fn show(counters: Arc<Counters>) {
    loop {
        output::show(Some(counters.status()));
        tokio::time::sleep(BEAT).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_what_there_was() {
        let counters = Counters::default();
        let open = counters.opened();
        drop(counters.opened());
        counters.failed();
        counters.moved(12, 0);
        counters.moved(3, 4);
        assert_eq!(counters.line(0), "1 open, 2 conns, 1 failed, 15 bytes there, 4 back");
        drop(open);
        counters.dropped();
        counters.refused(1);
        assert_eq!(
            counters.line(0),
            "0 open, 2 conns, 1 failed, 15 bytes there, 4 back, 1 refused, 1 datagrams dropped"
        );
        assert!(counters.line(2).ends_with(" dropped, 2 cut"));
        assert_eq!(counters.status(), "0 open of 2, 15 B there, 4 B back");
    }
}
