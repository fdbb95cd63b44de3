//! Calls of conns as futures of their own types. Every task that reads or writes keeps one, and layers of `async fn`
//! would each keep the arguments again.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use pin_project_lite::pin_project;

use super::StreamConn;
use crate::error::{Cause, Operation, Result};

pin_project! {
    /// A call whose cause of failure is made an error of the conn's.
    pub(crate) struct Named<'a, C, F> {
        conn: &'a C,
        operation: Operation,
        #[pin]
        call: F,
    }
}

impl<'a, C, F> Named<'a, C, F> {
    pub(crate) fn new(conn: &'a C, operation: Operation, call: F) -> Named<'a, C, F> {
        Named { conn, operation, call }
    }
}

impl<C: StreamConn, T, F: Future<Output = Result<T, Cause>>> Future for Named<'_, C, F> {
    type Output = Result<T>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let this = self.project();
        this.call.poll(cx).map_err(|cause| this.conn.error(*this.operation, cause))
    }
}

pin_project! {
    /// One of two calls: that of `futures_util` but for being compiled into its caller, as all of a call is that may be over
    /// at once (see `fd/attempt.rs`).
    #[project = EitherProjected]
    pub(crate) enum Either<A, B> {
        Left { #[pin] call: A },
        Right { #[pin] call: B },
    }
}

impl<A, B> Either<A, B> {
    pub(crate) fn left(call: A) -> Self {
        Either::Left { call }
    }

    pub(crate) fn right(call: B) -> Self {
        Either::Right { call }
    }
}

impl<A: Future, B: Future<Output = A::Output>> Future for Either<A, B> {
    type Output = A::Output;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<A::Output> {
        match self.project() {
            EitherProjected::Left { call } => call.poll(cx),
            EitherProjected::Right { call } => call.poll(cx),
        }
    }
}

/// One of three calls: a TCP conn's, a Unix socket's, or one [`apart`].
pub(crate) type AnyCall<'a, T, U, O> = Either<T, Either<U, BoxFuture<'a, O>>>;

/// Puts a call on the heap. Waiting for a message, or on a pipe, takes more room than waiting for a socket's bytes, and
/// where one function does either, every stream would pay for it.
pub(crate) fn apart<'a, T>(call: impl Future<Output = T> + Send + 'a) -> BoxFuture<'a, T> {
    Box::pin(call)
}
