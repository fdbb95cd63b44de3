//! What was passed on: counted, and told on SIGUSR1, at the end, and to a terminal all along.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use crate::failure::Failure;
use crate::output;

/// Counted by every worker; a conn counts a few times, not for every byte.
#[derive(Debug, Default)]
pub(super) struct Counters {
    open: AtomicU64,
    conns: AtomicU64,
    failed: AtomicU64,
    refused: AtomicU64,
    dropped: AtomicU64,
    there: AtomicU64,
    back: AtomicU64,
}

/// A conn that is open, until it is dropped.
pub(super) struct Open<'a>(&'a Counters);

impl Counters {
    pub(super) fn opened(&self) -> Open<'_> {
        self.open.fetch_add(1, Relaxed);
        self.conns.fetch_add(1, Relaxed);
        Open(self)
    }

    pub(super) fn failed(&self) {
        self.failed.fetch_add(1, Relaxed);
    }

    /// A sender for whom there was no session left.
    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    /// A datagram that was not passed on.
    pub(super) fn dropped(&self) {
        self.dropped.fetch_add(1, Relaxed);
    }

    pub(super) fn moved(&self, there: u64, back: u64) {
        self.there.fetch_add(there, Relaxed);
        self.back.fetch_add(back, Relaxed);
    }

    /// One line.
    fn line(&self) -> String {
        let mut line = format!(
            "{} open, {} conns, {} failed, {} bytes there, {} back",
            self.open.load(Relaxed),
            self.conns.load(Relaxed),
            self.failed.load(Relaxed),
            self.there.load(Relaxed),
            self.back.load(Relaxed),
        );
        for (count, what) in [(&self.refused, "refused"), (&self.dropped, "datagrams dropped")] {
            match count.load(Relaxed) {
                0 => {}
                count => line.push_str(&format!(", {count} {what}")),
            }
        }
        line
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
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
                    output::tell(&format!("{}\n", counters.line()));
                }
            }
        });
        let progress = std::io::stderr().is_terminal().then(|| tokio::spawn(show(counters.clone())));
        Ok(Report { counters, on_signal, progress })
    }

    /// Tells them a last time.
    pub(super) fn end(self) {
        let counters = self.counters.clone();
        drop(self);
        output::tell(&format!("{}\n", counters.line()));
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        self.on_signal.abort();
        if let Some(progress) = &self.progress {
            progress.abort();
        }
    }
}

/// A line on the terminal that is written over and over, and taken away when this is dropped.
async fn show(counters: Arc<Counters>) {
    let bar = ProgressBar::new_spinner().with_finish(indicatif::ProgressFinish::AndClear);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        bar.set_style(style);
    }
    loop {
        bar.set_message(format!(
            "{} open of {}, {} there, {} back",
            counters.open.load(Relaxed),
            counters.conns.load(Relaxed),
            HumanBytes(counters.there.load(Relaxed)),
            HumanBytes(counters.back.load(Relaxed)),
        ));
        bar.tick();
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
        assert_eq!(counters.line(), "1 open, 2 conns, 1 failed, 15 bytes there, 4 back");
        drop(open);
        counters.dropped();
        counters.refused();
        assert_eq!(
            counters.line(),
            "0 open, 2 conns, 1 failed, 15 bytes there, 4 back, 1 refused, 1 datagrams dropped"
        );
    }
}
