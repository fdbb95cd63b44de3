//! Ending a server by the signals that ask a program to end.

use std::future::pending;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::serving::{Drained, Serving};
use crate::error::{Error, Operation, Result};
use crate::sys;

impl Serving {
    /// Serves until SIGTERM or SIGINT (Ctrl-C) asks the program to end, then drains as [`Serving::shutdown`] does, and
    /// returns what came of it; a second signal cuts the drain short. Returns as [`Serving::wait`] does if the server
    /// ends in another way before.
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
        let watch = |kind| Watched::new(kind).map_err(|error| Error::new(Operation::Serve, error));
        let (terminate, interrupt) = (watch(SignalKind::terminate()), watch(SignalKind::interrupt()));
        async move {
            let (mut terminate, mut interrupt) = (terminate?, interrupt?);
            tokio::select! {
                ended = self.wait() => return ended,
                () = terminate.arrival() => {}
                () = interrupt.arrival() => {}
            }
            tokio::select! {
                drained = self.shutdown(drain) => return Ok(drained),
                () = terminate.arrival() => {}
                () = interrupt.arrival() => {}
            }
            Ok(self.shutdown(Duration::ZERO).await)
        }
    }
}

/// A signal, unless it was ignored.
struct Watched(Option<Signal>);

impl Watched {
    fn new(kind: SignalKind) -> std::io::Result<Watched> {
        if sys::is_ignored(kind.as_raw_value()) {
            Ok(Watched(None))
        } else {
            signal(kind).map(Some).map(Watched)
        }
    }

    async fn arrival(&mut self) {
        if let Watched(Some(signal)) = self
            && signal.recv().await.is_some()
        {
            return;
        }
        pending::<()>().await;
    }
}
