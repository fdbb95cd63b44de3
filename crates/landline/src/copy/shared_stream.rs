//! Any stream, shared by reference as conns are.

use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::end::sealed::{Side, Sink, Source};
use super::route::Kind;
use crate::error::{Cause, Error, Operation};

/// Makes a side of a [copy](crate::copy()) of any stream of tokio's, such as one of TLS; its bytes go through a buffer.
///
/// One task may read and one may write at the same time; each of their polls locks it, and none waits while it is
/// locked. The end is passed on to it by [`AsyncWrite::poll_shutdown`], and it is flushed whenever nothing more has
/// arrived for it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> landline::Result<()> {
/// use landline::SharedStream;
/// # let (near, far) = tokio::io::duplex(64);
/// # let tls_stream = near;
/// let tls = SharedStream::new(tls_stream);
/// let (inside, outside) = landline::pipe();
/// outside.write_all(b"plain").await?;
/// outside.close_write()?;
/// landline::copy(&inside, &tls).await?;
/// # drop(far); Ok(()) }
/// ```
#[derive(Debug, Default)]
pub struct SharedStream<T> {
    stream: Mutex<T>,
}

impl<T> SharedStream<T> {
    /// Shares it.
    pub fn new(stream: T) -> SharedStream<T> {
        SharedStream { stream: Mutex::new(stream) }
    }

    /// Gives it back.
    pub fn into_inner(self) -> T {
        self.stream.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stream itself, to look at it or set something of it, by who has it alone.
    pub fn stream(&mut self) -> &mut T {
        self.stream.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, T> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> From<T> for SharedStream<T> {
    fn from(stream: T) -> SharedStream<T> {
        SharedStream::new(stream)
    }
}

impl<T> Side for SharedStream<T> {
    fn kind(&self) -> Result<Kind, Cause> {
        Ok(Kind::Stream)
    }

    fn mixes_wakers(&self) -> bool {
        true
    }

    fn error(&self, operation: Operation, cause: Cause) -> Error {
        Error::new(operation, cause)
    }

    fn name(&self) -> String {
        "stream".to_owned()
    }
}

impl<T: AsyncRead + Unpin> Source for SharedStream<T> {
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<(), Cause>> {
        Pin::new(&mut *self.lock()).poll_read(cx, buffer).map_err(Cause::from)
    }
}

impl<T: AsyncWrite + Unpin> Sink for SharedStream<T> {
    fn poll_write(&self, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<Result<usize, Cause>> {
        Pin::new(&mut *self.lock()).poll_write(cx, buffer).map_err(Cause::from)
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<Result<(), Cause>> {
        Pin::new(&mut *self.lock()).poll_flush(cx).map_err(Cause::from)
    }

    fn poll_end(&self, cx: &mut Context<'_>) -> Poll<Result<(), Cause>> {
        Pin::new(&mut *self.lock()).poll_shutdown(cx).map_err(Cause::from)
    }
}
