//! Telling handlers that the server is about to end.

use tokio_util::sync::CancellationToken;

/// Tells a handler that a drain has begun, so that it can end what is idle at once and take up nothing new; what it does
/// about that is its own matter. Got from [`Worker::draining`](super::Worker::draining); cheap to clone.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> landline::Result<()> {
/// use std::time::Duration;
/// use landline::Server;
///
/// let server = Server::new().workers(1).bind("tcp", "127.0.0.1:0").await?;
/// let serving = server.serve_with(|worker| {
///     let draining = worker.draining();
///     move |conn| {
///         let draining = draining.clone();
///         async move {
///             // Keeps the conn until the peer has something to say, but not into a drain.
///             tokio::select! {
///                 readable = conn.readable() => readable?,
///                 () = draining.begun() => return Ok(()),
///             }
///             conn.write_all(b"hello\n").await
///         }
///     }
/// }).await?;
///
/// let _idle = landline::dial("tcp", &serving.local_addr().to_string()).await?;
/// while serving.counters().total().conns == 0 {
///     tokio::task::yield_now().await;
/// }
/// let drained = serving.shutdown(Duration::from_secs(3600)).await;
/// assert_eq!((drained.finished, drained.cut), (1, 0));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Draining(pub(super) CancellationToken);

impl Draining {
    /// Waits until a drain begins; returns at once if one has begun. Cancel-safe.
    pub async fn begun(&self) {
        self.0.cancelled().await;
    }

    /// Whether a drain has begun.
    pub fn has_begun(&self) -> bool {
        self.0.is_cancelled()
    }
}
