//! A limit on how long something may take.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::Sleep;

use crate::error::Error;

pin_project! {
    /// Work, and until when it may go on. An async function around both would have room for the work twice, in every call.
    pub(super) struct Within<F> {
        #[pin]
        work: F,
        #[pin]
        end: Option<Sleep>,
    }
}

impl<F> Within<F> {
    pub(super) fn new(timeout: Option<Duration>, work: F) -> Within<F> {
        Within { work, end: timeout.map(tokio::time::sleep) }
    }
}

impl<T, F: Future<Output = Result<T, Error>>> Future for Within<F> {
    type Output = Result<T, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, Error>> {
        let this = self.project();
        if let Poll::Ready(done) = this.work.poll(cx) {
            return Poll::Ready(done);
        }
        match this.end.as_pin_mut().map(|end| end.poll(cx)) {
            Some(Poll::Ready(())) => Poll::Ready(Err(Error::Timeout)),
            _ => Poll::Pending,
        }
    }
}
