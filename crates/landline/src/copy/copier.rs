//! How to copy, and the two ways: one direction, or both.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::both::{Both, Direction};
use super::copied::Copied;
use super::end::sealed::{Side, Sink as Destination, Source};
use super::end::{CopySink, CopySource};
use super::idle::Idle;
use super::progress::{Meter, Progress};
use super::pump::{Pump, Task};
use super::voice::Voice;
use crate::error::{Cause, Error, Operation, Result};
use crate::explain::{Explainer, Outcome, Recorder, Report, Sink};

/// How to copy; see [`copy`](crate::copy()) and [`copy_both`](crate::copy_both) for what a copy is. Every default is
/// usable; cheap to clone unless it has a prefix.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> landline::Result<()> {
/// use landline::Copier;
/// use std::time::Duration;
/// # let (client, client_far) = landline::pipe();
/// # let (server, server_far) = landline::pipe();
/// # server_far.close()?;
///
/// // The first bytes were read to see who is there, and belong to the server too.
/// let seen = b"GET / HTTP/1.1\r\n".to_vec();
/// let copier = Copier::new().prefix(seen).idle_timeout(Duration::from_secs(300));
/// let ended = copier.copy_both(&client, &server).await;
/// # assert!(ended.is_err()); drop(client_far); Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct Copier {
    prefix: Vec<u8>,
    prefix_back: Vec<u8>,
    limit: Option<u64>,
    idle: Option<Duration>,
    keeps_open: bool,
    progress: Option<Progress>,
    sink: Option<Arc<dyn Sink>>,
}

impl Copier {
    /// The defaults: no prefix, no limit, no idle timeout, and the end passed on.
    pub fn new() -> Copier {
        Copier::default()
    }

    /// Bytes that go before those of the source: what was read of it already. What was only peeked at is still there
    /// and needs no prefix. Of `copy_both(a, b)`, bytes that go to `b`.
    #[must_use]
    pub fn prefix(mut self, bytes: impl Into<Vec<u8>>) -> Copier {
        self.prefix = bytes.into();
        self
    }

    /// The same for the way back: of `copy_both(a, b)`, bytes that go to `a`.
    #[must_use]
    pub fn prefix_back(mut self, bytes: impl Into<Vec<u8>>) -> Copier {
        self.prefix_back = bytes.into();
        self
    }

    /// The most bytes taken from a source, a prefix not counted: what comes behind them stays there, and the
    /// destination is not told of an end. Of messages, none is begun behind it. No limit by default.
    #[must_use]
    pub fn limit(mut self, bytes: u64) -> Copier {
        self.limit = Some(bytes);
        self
    }

    /// How long nothing may move, in any direction, before the copy fails with a timeout. None by default; the conns'
    /// own deadlines and contexts hold besides.
    #[must_use]
    pub fn idle_timeout(mut self, after: Duration) -> Copier {
        self.idle = Some(after);
        self
    }

    /// Whether the destination stays open for writing when the source has ended. Off by default; always so for a
    /// file, whose end is no end of a conversation.
    #[must_use]
    pub fn keep_open(mut self, keep: bool) -> Copier {
        self.keeps_open = keep;
        self
    }

    /// Counts here as bytes move, for those who want to know before the end.
    #[must_use]
    pub fn progress(mut self, progress: &Progress) -> Copier {
        self.progress = Some(progress.clone());
        self
    }

    /// Tells this sink of every copy what it does.
    #[must_use]
    pub fn sink(mut self, sink: impl Sink + 'static) -> Copier {
        self.sink = Some(Arc::new(sink));
        self
    }

    /// [`copy`](crate::copy()), done this way.
    pub async fn copy<S, D>(&self, source: &S, destination: &D) -> Result<Copied>
    where
        S: CopySource + ?Sized,
        D: CopySink + ?Sized,
    {
        self.copy_telling(source, destination, &self.explainer(source, destination)).await
    }

    /// [`copy_both`](crate::copy_both), done this way.
    pub async fn copy_both<A, B>(&self, a: &A, b: &B) -> Result<(Copied, Copied)>
    where
        A: CopySource + CopySink + ?Sized,
        B: CopySource + CopySink + ?Sized,
    {
        self.copy_both_telling(a, b, &self.explainer(a, b)).await
    }

    /// [`Copier::copy`], and the report of it: which paths the bytes took, and why not a shorter one.
    pub async fn explain<S, D>(&self, source: &S, destination: &D) -> (Result<Copied>, Report)
    where
        S: CopySource + ?Sized,
        D: CopySink + ?Sized,
    {
        let recorder = Arc::new(Recorder::new());
        let explainer = self.explainer(source, destination).and(recorder.clone());
        let result = self.copy_telling(source, destination, &explainer).await;
        let outcome = match &result {
            Ok(copied) => Outcome::Copied(vec![*copied]),
            Err(error) => Outcome::Failed(error.clone()),
        };
        (result, recorder.report(Operation::Copy, source.name(), destination.name(), outcome))
    }

    /// [`Copier::copy_both`], and the report of it.
    pub async fn explain_both<A, B>(&self, a: &A, b: &B) -> (Result<(Copied, Copied)>, Report)
    where
        A: CopySource + CopySink + ?Sized,
        B: CopySource + CopySink + ?Sized,
    {
        let recorder = Arc::new(Recorder::new());
        let explainer = self.explainer(a, b).and(recorder.clone());
        let result = self.copy_both_telling(a, b, &explainer).await;
        let outcome = match &result {
            Ok((there, back)) => Outcome::Copied(vec![*there, *back]),
            Err(error) => Outcome::Failed(error.clone()),
        };
        (result, recorder.report(Operation::Copy, a.name(), b.name(), outcome))
    }

    async fn copy_telling<S, D>(&self, source: &S, destination: &D, explainer: &Explainer) -> Result<Copied>
    where
        S: Source + ?Sized,
        D: Destination + ?Sized,
    {
        let task = self.task(&self.prefix, Meter::there(self.progress.as_ref()), Voice::new(explainer, 1));
        let mut pump = Pump::new(source, destination, task)?;
        let mut idle = self.idle.map(Idle::new);
        let ended = poll_fn(|cx| {
            if let Poll::Ready(ended) = pump.poll(cx) {
                return Poll::Ready(Some(ended));
            }
            match &mut idle {
                Some(idle) => idle.poll(pump.moved(), cx).map(|()| None),
                None => Poll::Pending,
            }
        });
        let error = match ended.await {
            Some(Ok(())) => return Ok(pump.finish()),
            Some(Err(failure)) => pump.error(failure),
            None => Error::new(Operation::Copy, Cause::Timeout),
        };
        let error = error.after(&[pump.copied()]);
        pump.fail(&error);
        Err(error)
    }

    async fn copy_both_telling<A, B>(&self, a: &A, b: &B, explainer: &Explainer) -> Result<(Copied, Copied)>
    where
        A: Source + Destination + ?Sized,
        B: Source + Destination + ?Sized,
    {
        let there = self.task(&self.prefix, Meter::there(self.progress.as_ref()), Voice::new(explainer, 1));
        let back =
            self.task(&self.prefix_back, Meter::back(self.progress.as_ref()), Voice::new(explainer, 2));
        let mut both = Both::new(Pump::new(a, b, there)?, Pump::new(b, a, back)?);
        let mut idle = self.idle.map(Idle::new);
        let ended = poll_fn(|cx| {
            if let Poll::Ready(ended) = both.poll(cx) {
                return Poll::Ready(Some(ended));
            }
            match &mut idle {
                Some(idle) => idle.poll(both.moved(), cx).map(|()| None),
                None => Poll::Pending,
            }
        });
        let error = match ended.await {
            Some(Ok(())) => return Ok((both.there.finish(), both.back.finish())),
            Some(Err((Direction::There, failure))) => both.there.error(failure),
            Some(Err((Direction::Back, failure))) => both.back.error(failure),
            None => Error::new(Operation::Copy, Cause::Timeout),
        };
        let error = error.after(&[both.there.copied(), both.back.copied()]);
        both.there.fail(&error);
        both.back.fail(&error);
        Err(error)
    }

    fn task<'a>(&self, prefix: &'a [u8], meter: Meter<'a>, voice: Voice<'a>) -> Task<'a> {
        Task { prefix, limit: self.limit.unwrap_or(u64::MAX), passes_end: !self.keeps_open, meter, voice }
    }

    fn explainer(&self, from: &(impl Side + ?Sized), to: &(impl Side + ?Sized)) -> Explainer {
        let explainer = Explainer::of_copy(|| from.name(), || to.name());
        match &self.sink {
            Some(sink) => explainer.and(sink.clone()),
            None => explainer,
        }
    }
}

impl fmt::Debug for Copier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Copier")
            .field("prefix", &self.prefix.len())
            .field("prefix_back", &self.prefix_back.len())
            .field("limit", &self.limit)
            .field("idle_timeout", &self.idle)
            .field("keep_open", &self.keeps_open)
            .finish_non_exhaustive()
    }
}
