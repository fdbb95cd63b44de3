//! The one task of a client's conn: it sends what callers have written, and gives them their replies.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};

use super::call::Slot;
use super::link::Shared;
use crate::buffer::{Input, Output};
use crate::codec::{Codec, Fault, ReplyReader};
use crate::error::Error;

/// Ends when the conn does.
pub(super) struct Driver<C: Codec, Io> {
    io: Io,
    replies: C::Replies,
    shared: Arc<Shared<C>>,
    input: Input,
    /// What is being sent, and was taken from the callers.
    out: Output,
    /// A reply whose header was taken, and whose body is not there yet.
    begun: Option<Begun<C::Replies>>,
    /// Whether callers that are about to run have been let go first.
    has_yielded: bool,
}

enum Begun<R> {
    Take(Arc<dyn Slot<R>>),
    Skip,
}

// It is never pinned to anything.
impl<C: Codec, Io> Unpin for Driver<C, Io> {}

impl<C: Codec, Io: AsyncRead + AsyncWrite + Unpin> Driver<C, Io> {
    pub(super) fn new(io: Io, replies: C::Replies, shared: Arc<Shared<C>>, received: &[u8]) -> Driver<C, Io> {
        let input = Input::of(received);
        Driver { io, replies, shared, input, out: Output::default(), begun: None, has_yielded: false }
    }

    fn drive(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        self.shared.driver.register(cx.waker());
        loop {
            if let Err(fault) = self.take_replies() {
                return Poll::Ready(Error::Protocol(fault.to_string()));
            }
            match self.input.poll_fill(Pin::new(&mut self.io), cx) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Error::ended()),
                Poll::Ready(Ok(_)) => self.shared.hear(),
                Poll::Ready(Err(error)) => return Poll::Ready(error.into()),
                Poll::Pending => break,
            }
        }
        self.send(cx)
    }

    /// Sends what there is, several requests at a time where several callers are at it.
    fn send(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        loop {
            match self.out.poll_send(Pin::new(&mut self.io), cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(error.into()),
                Poll::Pending => return Poll::Pending,
            }
            let mut state = self.shared.state();
            if state.out.is_empty() {
                return Poll::Pending;
            }
            if state.in_flight() > 1 && !self.has_yielded {
                // Others are about to make calls too: to the end of the queue, so that they go out together.
                self.has_yielded = true;
                drop(state);
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.has_yielded = false;
            self.shared.take_out(&mut state, &mut self.out);
        }
    }

    /// Gives every reply that has come whole to its caller.
    fn take_replies(&mut self) -> Result<(), Fault> {
        let mut rest = self.input.received();
        let taken = loop {
            let begun = match self.begun.take() {
                Some(begun) => begun,
                None if rest.is_empty() => break Ok(()),
                None => match self.replies.header(&mut rest) {
                    Ok(None) => break Ok(()),
                    Err(fault) => break Err(fault),
                    Ok(Some(header)) => match (self.shared.answered(header.sequence), header.error) {
                        (Some(slot), None) => Begun::Take(slot),
                        (Some(slot), Some(error)) => {
                            slot.fail(Error::Service(error.into_owned()));
                            Begun::Skip
                        }
                        // Its caller has gone.
                        (None, _) => Begun::Skip,
                    },
                },
            };
            let done = match &begun {
                Begun::Take(slot) => slot.take(&mut self.replies, &mut rest),
                Begun::Skip => self.replies.skip(&mut rest),
            };
            match done {
                Ok(true) => {}
                Ok(false) => {
                    self.begun = Some(begun);
                    break Ok(());
                }
                Err(fault) => break Err(fault),
            }
        };
        let left = rest.len();
        self.input.keep_last(left);
        taken
    }
}

impl<C: Codec, Io: AsyncRead + AsyncWrite + Unpin> Future for Driver<C, Io> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.drive(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(error) => {
                self.shared.fail(error);
                Poll::Ready(())
            }
        }
    }
}

impl<C: Codec, Io> Drop for Driver<C, Io> {
    /// The runtime may end before the client does.
    fn drop(&mut self) {
        self.shared.fail(Error::Shutdown);
        if let Some(Begun::Take(slot)) = self.begun.take() {
            slot.fail(Error::ended());
        }
    }
}
