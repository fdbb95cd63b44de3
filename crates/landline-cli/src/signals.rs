//! The signals that ask the program to end: it cleans up, and ends with 128 and the signal's number.

use landline::Result;
use landline::serve::Signals;
use tokio::signal::unix::SignalKind;

/// Listens for SIGINT (Ctrl-C), SIGTERM and SIGHUP, from now on.
pub(crate) fn to_end() -> Result<Signals> {
    Signals::of([SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()])
}

/// Waits for one of them; gives the exit status that a shell shows for it.
pub(crate) async fn asked_to_end() -> Result<u8> {
    let kind = to_end()?.arrival().await;
    Ok(128 + u8::try_from(kind.as_raw_value()).unwrap_or(0))
}
