//! A service whose every request has its line in the log.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::header::{HOST, USER_AGENT};
use http::{HeaderName, Request, Response};
use http_body::{Body, Frame, SizeHint};
use time::OffsetDateTime;
use tokio::time::Instant;
use tower_service::Service;

use super::log::{Entry, Log};

/// A service, and the log of it.
#[derive(Clone)]
pub(super) struct Logged<S> {
    inner: S,
    log: Log,
    /// Who asks, as the server tells it.
    client: fn(&http::Extensions) -> Option<String>,
}

impl<S> Logged<S> {
    pub(super) fn new(inner: S, log: Log, client: fn(&http::Extensions) -> Option<String>) -> Logged<S> {
        Logged { inner, log, client }
    }
}

impl<S, B, R> Service<Request<B>> for Logged<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    R: Body,
{
    type Response = Response<Counted<R>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let client = self.client;
        let mut line = Line::of(&request, client(request.extensions()), self.log.clone());
        let answered = self.inner.call(request);
        Box::pin(async move {
            let (head, inner) = answered.await?.into_parts();
            line.entry.status = Some(head.status.as_u16());
            // Nobody asks such a body for its end: that of a HEAD, or of a 304.
            line.entry.is_whole = inner.is_end_stream();
            Ok(Response::from_parts(head, Counted { inner, line }))
        })
    }
}

/// How much of each word of a client's is kept, in bytes: lines wait in memory.
const LONGEST: usize = 2048;

/// A client's word, or the beginning of it.
fn cut(text: &str) -> String {
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    let end = (0..=LONGEST).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    format!("{}…", &text[..end])
}

/// What becomes a line as soon as nothing more can happen to its request.
struct Line {
    entry: Entry,
    began: Instant,
    log: Log,
}

impl Line {
    fn of<B>(request: &Request<B>, client: Option<String>, log: Log) -> Line {
        let header = |name: HeaderName| {
            let value = request.headers().get(name)?;
            Some(cut(&String::from_utf8_lossy(value.as_bytes())))
        };
        // HTTP/2 has the host in the target (RFC 9113 section 8.3.1).
        let authority = request.uri().authority().map(ToString::to_string);
        let target = request.uri().path_and_query().map_or("*", |target| target.as_str());
        let entry = Entry {
            began: OffsetDateTime::now_utc(),
            took: std::time::Duration::ZERO,
            client,
            method: cut(request.method().as_str()),
            target: cut(target),
            version: request.version(),
            status: None,
            bytes: 0,
            is_whole: false,
            host: authority.map(|authority| cut(&authority)).or_else(|| header(HOST)),
            agent: header(USER_AGENT),
        };
        Line { entry, began: Instant::now(), log }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.entry.took = self.began.elapsed();
        self.log.add(self.entry.clone());
    }
}

/// A body whose bytes are counted.
pub(super) struct Counted<B> {
    inner: B,
    line: Line,
}

impl<B: Body<Data = bytes::Bytes> + Unpin> Body for Counted<B> {
    type Data = bytes::Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<bytes::Bytes>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        let is_over = frame.is_none() || self.inner.is_end_stream();
        let entry = &mut self.line.entry;
        if let Some(Ok(frame)) = &frame {
            entry.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        entry.is_whole |= is_over && !matches!(frame, Some(Err(_)));
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_words_are_cut_between_characters() {
        assert_eq!(cut("/a"), "/a");
        assert_eq!(cut(&"a".repeat(LONGEST)), "a".repeat(LONGEST));
        assert_eq!(cut(&"a".repeat(LONGEST + 1)), format!("{}…", "a".repeat(LONGEST)));
        assert_eq!(cut(&"é".repeat(LONGEST)), format!("{}…", "é".repeat(LONGEST / 2)));
        assert_eq!(cut(&format!("a{}", "é".repeat(LONGEST))), format!("a{}…", "é".repeat(LONGEST / 2 - 1)));
    }
}
