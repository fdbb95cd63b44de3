//! Conns as a [`Stream`].

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_util::stream::{self, BoxStream, StreamExt};

use crate::error::Result;

/// The conns of a listener, one after another; ends when the listener is closed. Any other error is an item, after
/// which the stream goes on.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> landline::Result<()> {
/// use futures_util::StreamExt;
///
/// let listener = landline::listen("tcp", "127.0.0.1:0").await?;
/// let _client = landline::dial("tcp", &listener.local_addr()?.to_string()).await?;
/// let mut incoming = listener.incoming();
/// let conn = incoming.next().await.unwrap()?;
/// listener.close()?;
/// assert!(incoming.next().await.is_none());
/// # Ok(()) }
/// ```
pub struct Incoming<'a, C>(BoxStream<'a, Result<C>>);

impl<'a, C: Send + 'a> Incoming<'a, C> {
    /// `accept` is called for each conn, as soon as the one before was taken.
    pub(crate) fn new<F>(mut accept: impl FnMut() -> F + Send + 'a) -> Incoming<'a, C>
    where
        F: Future<Output = Result<C>> + Send + 'a,
    {
        let conns = stream::unfold((), move |()| {
            let accepting = accept();
            async move {
                match accepting.await {
                    Err(error) if error.is_closed() => None,
                    accepted => Some((accepted, ())),
                }
            }
        });
        // Once ended it stays so; `unfold` would panic.
        Incoming(Box::pin(conns.fuse()))
    }
}

impl<C> Stream for Incoming<'_, C> {
    type Item = Result<C>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<C>>> {
        self.0.as_mut().poll_next(cx)
    }
}

impl<C> std::fmt::Debug for Incoming<'_, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Incoming")
    }
}
