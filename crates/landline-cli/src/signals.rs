//! The signals that ask the program to end: it cleans up, and ends with 128 and the signal's number.

use std::fs;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::maybe_done;
use landline::Serving;
use landline::serve::Drained;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::Failure;

/// Waits for SIGINT (Ctrl-C), SIGTERM or SIGHUP; gives the exit status that a shell shows for it.
///
/// A signal that was ignored when the program began, as `nohup` and the background jobs of scripts have it, stays so.
pub(crate) async fn asked_to_end() -> io::Result<u8> {
    let ignored = ignored(&fs::read_to_string("/proc/self/status").unwrap_or_default());
    let watch = |kind: SignalKind| -> io::Result<Option<Signal>> {
        let bit = 1_u64 << (kind.as_raw_value() - 1);
        if ignored & bit != 0 { Ok(None) } else { signal(kind).map(Some) }
    };
    let (mut interrupt, mut terminate, mut hangup) =
        (watch(SignalKind::interrupt())?, watch(SignalKind::terminate())?, watch(SignalKind::hangup())?);
    let kind = tokio::select! {
        () = arrival(&mut interrupt) => SignalKind::interrupt(),
        () = arrival(&mut terminate) => SignalKind::terminate(),
        () = arrival(&mut hangup) => SignalKind::hangup(),
    };
    Ok(128 + u8::try_from(kind.as_raw_value()).unwrap_or(0))
}

/// [`asked_to_end`] without the status. Without a way to hear of signals, they end the program as they do any other.
pub(crate) async fn asked() {
    if asked_to_end().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Ends a server when it is asked to: its conns have `drain` to finish, or until it is asked again.
pub(crate) async fn drain(serving: &Serving, drain: Duration) -> landline::Result<Drained> {
    tokio::select! {
        ended = serving.wait() => return ended,
        () = asked() => {}
    }
    tokio::select! {
        drained = serving.shutdown(drain) => return Ok(drained),
        () = asked() => {}
    }
    Ok(serving.shutdown(Duration::ZERO).await)
}

/// Runs `served` to its end, and `announce` as soon as it has begun: it listens for signals then, and whoever hears of it
/// may send one.
pub(crate) async fn announcing<T>(
    served: impl Future<Output = T>,
    announce: impl FnOnce() -> Result<(), Failure>,
) -> Result<T, Failure> {
    let mut served = pin!(maybe_done(served));
    poll_fn(|cx| Poll::Ready(served.as_mut().poll(cx).is_ready())).await;
    announce()?;
    served.as_mut().await;
    Ok(served.take_output().expect("it is done"))
}

/// Waits for a signal that is watched; for ever for one that is not.
async fn arrival(signal: &mut Option<Signal>) {
    if let Some(signal) = signal
        && signal.recv().await.is_some()
    {
        return;
    }
    std::future::pending::<()>().await;
}

/// The signals ignored by this process, a bit each (proc_pid_status(5)).
fn ignored(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_mask_is_read() {
        assert_eq!(ignored("Name:\tx\nSigIgn:\t0000000000001002\nSigCgt:\t0\n"), 0x1002);
        assert_eq!(ignored(""), 0);
    }
}
