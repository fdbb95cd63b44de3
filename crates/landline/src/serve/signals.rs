//! Ending a server by the signals that ask a program to end.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::serving::{Drained, Serving};
use crate::error::{Error, Operation, Result};
use crate::sys;

impl Serving {
    /// Serves until SIGTERM or SIGINT (Ctrl-C) asks the program to end, then drains as [`Serving::shutdown`] does, and
    /// returns what came of it; a second signal cuts the drain short. Returns as [`Serving::wait`] does if the server
    /// ends in another way before. [`Serving::drain_on`] is the same with signals of one's own choice.
    ///
    /// From the call on, and not only from the first poll, these signals no longer end the program by themselves, for as
    /// long as it runs. One that was ignored stays so: `nohup` and the background jobs of scripts have them ignored.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use landline::{Conn, Server};
    /// # async fn greet(conn: Conn) -> landline::Result<()> { conn.write_all(b"hello\n").await }
    /// #[tokio::main(flavor = "current_thread")]
    /// async fn main() -> landline::Result<()> {
    ///     let serving = Server::new().serve("tcp", ":8080", greet).await?;
    ///     let drained = serving.drain_on_signals(Duration::from_secs(30)).await?;
    ///     println!("{} conns finished, {} were cut", drained.finished, drained.cut);
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// If the signals cannot be listened for, or as [`Serving::wait`].
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn drain_on_signals(&self, drain: Duration) -> impl Future<Output = Result<Drained>> {
        let signals = Signals::new();
        async move { self.drain_on(&mut signals?, drain).await }
    }

    /// [`Serving::drain_on_signals`] with these signals, in place of SIGTERM and SIGINT.
    ///
    /// If the future is dropped before a signal has come, the server serves on; after that, the drain goes on without a
    /// deadline.
    ///
    /// # Errors
    /// As [`Serving::wait`].
    pub async fn drain_on(&self, signals: &mut Signals, drain: Duration) -> Result<Drained> {
        tokio::select! {
            ended = self.wait() => return ended,
            _ = signals.arrival() => {}
        }
        tokio::select! {
            drained = self.shutdown(drain) => return Ok(drained),
            _ = signals.arrival() => {}
        }
        Ok(self.shutdown(Duration::ZERO).await)
    }
}

/// Signals that ask a program to end, listened for: for [`Serving::drain_on`], and for what a program does beside a server.
///
/// Once it is made, these signals no longer end the program by themselves, for as long as it runs, also when this has been
/// dropped (tokio's handlers stay). One that was ignored stays so, and never arrives: `nohup` and the background jobs of
/// scripts have them ignored.
///
/// ```no_run
/// # use std::time::Duration;
/// # use landline::{Conn, Server};
/// # async fn greet(conn: Conn) -> landline::Result<()> { conn.write_all(b"hello\n").await }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> landline::Result<()> {
/// use landline::serve::Signals;
/// use tokio::signal::unix::SignalKind;
///
/// let serving = Server::new().serve("tcp", ":8080", greet).await?;
/// // Also when its terminal is closed.
/// let mut signals = Signals::of([SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()])?;
/// serving.drain_on(&mut signals, Duration::from_secs(30)).await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Signals(Vec<(SignalKind, Signal)>);

impl Signals {
    /// SIGTERM and SIGINT (Ctrl-C).
    ///
    /// # Errors
    /// If they cannot be listened for.
    ///
    /// # Panics
    /// Outside of a tokio runtime that drives I/O.
    pub fn new() -> Result<Signals> {
        Signals::of([SignalKind::terminate(), SignalKind::interrupt()])
    }

    /// These.
    ///
    /// # Errors
    /// If one of them cannot be listened for, as SIGKILL.
    ///
    /// # Panics
    /// Outside of a tokio runtime that drives I/O.
    pub fn of(kinds: impl IntoIterator<Item = SignalKind>) -> Result<Signals> {
        let heeded = kinds.into_iter().filter(|kind| !sys::is_ignored(kind.as_raw_value()));
        let watched = heeded.map(|kind| signal(kind).map(|signal| (kind, signal)));
        let watched: std::io::Result<_> = watched.collect();
        watched.map(Signals).map_err(|error| Error::new(Operation::Serve, error))
    }

    /// Waits for one of them, and tells which; for ever if all are ignored. One that has come since the last time, or since
    /// this was made, counts once, however often it came. Cancel-safe.
    pub async fn arrival(&mut self) -> SignalKind {
        poll_fn(|cx| {
            for (kind, signal) in &mut self.0 {
                if signal.poll_recv(cx).is_ready() {
                    return Poll::Ready(*kind);
                }
            }
            Poll::Pending
        })
        .await
    }
}
