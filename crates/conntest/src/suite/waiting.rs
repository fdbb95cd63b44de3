//! Knowing that a call waits, without sleeping to find out.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use tokio::sync::oneshot;

/// Polls once; `None` if it waits. It stays enlisted with whatever it waits for.
pub(super) async fn poll_once<F: Future>(mut work: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Runs `work` and tells `waits` when it has been polled and waits, or is done.
pub(super) async fn telling<F: Future>(work: F, waits: oneshot::Sender<()>) -> F::Output {
    let mut work = pin!(work);
    let first = poll_once(work.as_mut()).await;
    // Nobody listens any more when the behaviour has ended.
    let _ = waits.send(());
    match first {
        Some(output) => output,
        None => work.await,
    }
}
