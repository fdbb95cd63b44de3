//! The body of a response: a backend's, as it comes, or our own.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::table::Turn;
use crate::client::{Error, ResponseBody};

/// The body of a response of a [`ReverseProxy`](super::ReverseProxy): what the backend sends, as it comes, and its
/// trailers.
///
/// # Errors
/// Where the backend breaks off or is too slow; the conn to the client has to be broken off then too, as hyper does.
///
/// # Cancellation
/// Dropping it before its end ends the request to the backend.
pub struct Body(Kind);

enum Kind {
    Empty,
    Own(Bytes),
    Backend {
        body: ResponseBody,
        /// Until its end, the request counts as under way.
        turn: Option<Turn>,
    },
}

impl Body {
    pub(super) fn empty() -> Body {
        Body(Kind::Empty)
    }

    pub(super) fn own(text: Bytes) -> Body {
        Body(Kind::Own(text))
    }

    pub(super) fn backend(body: ResponseBody, turn: Turn) -> Body {
        let turn = (!body.is_end_stream()).then_some(turn);
        Body(Kind::Backend { body, turn })
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match &mut self.0 {
            Kind::Empty => Poll::Ready(None),
            Kind::Own(text) => {
                let text = std::mem::take(text);
                self.0 = Kind::Empty;
                Poll::Ready(Some(Ok(Frame::data(text))))
            }
            Kind::Backend { body, turn } => {
                let frame = ready!(Pin::new(body).poll_frame(cx));
                if !matches!(frame, Some(Ok(_))) {
                    *turn = None;
                }
                Poll::Ready(frame)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Empty => true,
            Kind::Own(_) => false,
            Kind::Backend { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Own(text) => SizeHint::with_exact(text.len() as u64),
            Kind::Backend { body, .. } => body.size_hint(),
        }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match &self.0 {
            Kind::Empty => "Body(empty)",
            Kind::Own(_) => "Body(our own)",
            Kind::Backend { .. } => "Body(backend's)",
        })
    }
}
