//! Step 0: the budget. A [`Context`] carries cancellation, its cause, and a deadline that can be moved while
//! something waits on it.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{self, Poll, ready};

use pin_project_lite::pin_project;
use tokio::sync::Notify;
use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use crate::error::Cause;

/// How long, and until when, an operation may go on.
///
/// Contexts form a tree: a child ends when it is cancelled, when its own deadline passes, or when its parent ends.
/// Clones are handles to the same context. Dropping a context cancels nothing and wakes nobody; ending one never
/// needs a task or a thread, because whoever waits watches the clock itself.
///
/// The first end is the only one: once cancelled or past its deadline, a context stays so, and moving the deadline
/// then has no effect.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use landline::{Context, Ended};
/// use std::time::Duration;
///
/// let request = Context::background().with_timeout(Duration::from_secs(30));
/// let step = request.child();
/// request.cancel();
/// assert!(matches!(step.done().await, Ended::Canceled { cause: None }));
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Context(Option<Arc<Node>>);

type EndCause = Arc<dyn StdError + Send + Sync>;

struct Node {
    parent: Context,
    token: CancellationToken,
    cause: OnceLock<Option<EndCause>>,
    /// Given when it is cancelled without one.
    default_cause: Option<EndCause>,
    deadline: Mutex<Deadline>,
    /// One for the whole tree: a moved deadline makes every waiter below it look again.
    moved: Arc<Notify>,
}

#[derive(Clone, Copy, Default)]
struct Deadline {
    at: Option<Instant>,
    /// Set by the first look that found the deadline passed, so that an end is never taken back.
    passed: bool,
}

/// How a context ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Ended {
    /// It, or an ancestor, was cancelled.
    Canceled {
        /// What [`Context::cancel_with`] was given.
        cause: Option<Arc<dyn StdError + Send + Sync>>,
    },
    /// Its deadline, or an ancestor's, passed.
    DeadlineExceeded,
}

impl Context {
    /// The root: never ends.
    pub const fn background() -> Context {
        Context(None)
    }

    /// A child that can be cancelled and given a deadline on its own.
    #[must_use]
    pub fn child(&self) -> Context {
        self.child_with(None)
    }

    /// A child together with the guard that cancels it when dropped.
    pub fn with_cancel(&self) -> (Context, CancelOnDrop) {
        let child = self.child();
        (child.clone(), CancelOnDrop(child))
    }

    /// A child that ends `timeout` from now, or with its parent. A timeout too long for the clock is no timeout.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Context {
        self.child_with(Instant::now().checked_add(timeout))
    }

    /// A child that ends at `deadline`, or with its parent.
    #[must_use]
    pub fn with_deadline(&self, deadline: Instant) -> Context {
        self.child_with(Some(deadline))
    }

    /// A child that gives `cause` whenever it, or its guard, cancels without a cause of its own.
    #[must_use]
    pub fn with_cause(&self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Context {
        self.make_child(None, Some(Arc::from(cause.into())))
    }

    fn child_with(&self, deadline: Option<Instant>) -> Context {
        self.make_child(deadline, None)
    }

    fn make_child(&self, deadline: Option<Instant>, default_cause: Option<EndCause>) -> Context {
        let (token, moved) = match &self.0 {
            Some(node) => (node.token.child_token(), node.moved.clone()),
            None => (CancellationToken::new(), Arc::new(Notify::new())),
        };
        Context(Some(Arc::new(Node {
            parent: self.clone(),
            token,
            cause: OnceLock::new(),
            default_cause,
            deadline: Mutex::new(Deadline { at: deadline, passed: false }),
            moved,
        })))
    }

    /// Ends this context and all its descendants. Has no effect on the background, or on one that has ended.
    pub fn cancel(&self) {
        self.end(None);
    }

    /// Ends it with a cause that whoever waits will see in its error.
    pub fn cancel_with(&self, cause: impl Into<Box<dyn StdError + Send + Sync>>) {
        self.end(Some(Arc::from(cause.into())));
    }

    fn end(&self, cause: Option<Arc<dyn StdError + Send + Sync>>) {
        let Some(node) = &self.0 else { return };
        if self.ended().is_none() {
            // The cause goes in before the token fires, so that whoever sees the token sees the cause.
            let _ = node.cause.set(cause.or_else(|| node.default_cause.clone()));
            node.token.cancel();
        }
    }

    /// Moves, sets or (with `None`) removes this context's own deadline; whoever waits follows at once. An ancestor's
    /// earlier deadline still holds. Returns whether it had an effect: the background has no deadline, and a context
    /// that has ended stays ended.
    pub fn set_deadline(&self, deadline: impl Into<Option<Instant>>) -> bool {
        let Some(node) = &self.0 else { return false };
        if self.ended().is_some() {
            return false;
        }
        node.own_deadline().at = deadline.into();
        node.moved.notify_waiters();
        true
    }

    /// The earliest deadline of this context and its ancestors.
    pub fn deadline(&self) -> Option<Instant> {
        self.ancestry().filter_map(|node| node.own_deadline().at).min()
    }

    /// How it ended, or `None` while it goes on.
    pub fn ended(&self) -> Option<Ended> {
        let mut now = None;
        for node in self.ancestry() {
            if let Some(cause) = node.cause.get() {
                return Some(Ended::Canceled { cause: cause.clone() });
            }
            let mut deadline = node.own_deadline();
            if let Some(at) = deadline.at {
                deadline.passed |= *now.get_or_insert_with(Instant::now) >= at;
            }
            if deadline.passed {
                return Some(Ended::DeadlineExceeded);
            }
        }
        None
    }

    /// Waits for the end. Never returns for the background; cancel-safe.
    pub async fn done(&self) -> Ended {
        let Some(node) = &self.0 else { return std::future::pending().await };
        loop {
            let moved = node.moved.notified();
            tokio::pin!(moved);
            // Enlisted before looking, so that a move between the look and the wait is not missed.
            moved.as_mut().enable();
            if let Some(ended) = self.ended() {
                return ended;
            }
            let deadline = self.deadline();
            tokio::select! {
                () = node.token.cancelled() => {}
                () = &mut moved => {}
                () = sleep_until(deadline) => {}
            }
        }
    }

    /// Runs `work` until it is done or this context ends, whichever is first; an end drops the work.
    pub fn run<'a, W: Future + 'a>(
        &'a self,
        work: W,
    ) -> impl Future<Output = Result<W::Output, Ended>> + use<'a, W> {
        let done = (!self.is_background()).then(|| self.done());
        Run { context: self, work: Some(work), done, has_begun: false }
    }

    /// Whether this is the background, which never ends.
    pub fn is_background(&self) -> bool {
        self.0.is_none()
    }

    fn ancestry(&self) -> impl Iterator<Item = &Arc<Node>> {
        std::iter::successors(self.0.as_ref(), |node| node.parent.0.as_ref())
    }
}

pin_project! {
    /// Work within a context. A type of its own, as an `async fn` would keep the work twice: as what it was given and as
    /// what it waits for.
    struct Run<'a, W, D> {
        context: &'a Context,
        // Dropped at the end of the context.
        #[pin]
        work: Option<W>,
        #[pin]
        done: Option<D>,
        has_begun: bool,
    }
}

impl<W: Future, D: Future<Output = Ended>> Future for Run<'_, W, D> {
    type Output = Result<W::Output, Ended>;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let has_begun = std::mem::replace(this.has_begun, true);
        let ended = if has_begun { None } else { this.context.ended() };
        if ended.is_none()
            && let Some(work) = this.work.as_mut().as_pin_mut()
            && let Poll::Ready(output) = work.poll(cx)
        {
            return Poll::Ready(Ok(output));
        }
        let ended = match (ended, this.done.as_pin_mut()) {
            (Some(ended), _) => ended,
            (None, Some(done)) => ready!(done.poll(cx)),
            (None, None) => return Poll::Pending,
        };
        this.work.set(None);
        Poll::Ready(Err(ended))
    }
}

impl Node {
    fn own_deadline(&self) -> std::sync::MutexGuard<'_, Deadline> {
        self.deadline.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sleeps until `deadline`; for ever if there is none.
pub(crate) async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Cancels its context when dropped, so that an early return ends what it started.
#[derive(Debug)]
#[must_use = "dropping it cancels the context at once"]
pub struct CancelOnDrop(Context);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl From<Ended> for Cause {
    fn from(ended: Ended) -> Cause {
        match ended {
            Ended::Canceled { cause } => Cause::Canceled { cause },
            Ended::DeadlineExceeded => Cause::Timeout,
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Canceled { cause: None } => f.write_str("context canceled"),
            Ended::Canceled { cause: Some(cause) } => write!(f, "context canceled: {cause}"),
            Ended::DeadlineExceeded => f.write_str("context deadline exceeded"),
        }
    }
}

impl StdError for Ended {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Ended::Canceled { cause: Some(cause) } => Some(&**cause),
            _ => None,
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("Context(background)"),
            Some(_) => f
                .debug_struct("Context")
                .field("deadline", &self.deadline())
                .field("ended", &self.ended())
                .finish_non_exhaustive(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn is_timeout(ended: &Ended) -> bool {
        matches!(ended, Ended::DeadlineExceeded)
    }

    #[tokio::test(start_paused = true)]
    async fn a_child_ends_with_its_parent_and_not_the_other_way() {
        let parent = Context::background().child();
        let child = parent.child();
        child.cancel();
        assert!(child.ended().is_some() && parent.ended().is_none());
        let other = parent.child();
        parent.cancel_with("shutting down");
        match other.done().await {
            Ended::Canceled { cause: Some(cause) } => assert_eq!(cause.to_string(), "shutting down"),
            ended => panic!("{ended}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_earliest_deadline_of_the_line_counts() {
        let start = Instant::now();
        let parent = Context::background().with_timeout(Duration::from_secs(1));
        let child = parent.with_timeout(Duration::from_secs(5));
        assert_eq!(child.deadline(), Some(start + Duration::from_secs(1)));
        assert!(is_timeout(&child.done().await));
        assert_eq!(start.elapsed(), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_moved_deadline_takes_waiters_with_it() {
        let start = Instant::now();
        let parent = Context::background().with_timeout(Duration::from_secs(1));
        let child = parent.child();
        let waiter = tokio::spawn(async move { child.done().await });
        tokio::task::yield_now().await;
        assert!(parent.set_deadline(start + Duration::from_secs(10)));
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(!waiter.is_finished());
        assert!(parent.set_deadline(start + Duration::from_secs(6)));
        assert!(is_timeout(&waiter.await.unwrap()));
        assert_eq!(start.elapsed(), Duration::from_secs(6));
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_is_never_taken_back() {
        let context = Context::background().with_timeout(Duration::from_secs(1));
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(!context.set_deadline(None));
        context.cancel();
        assert!(is_timeout(&context.ended().unwrap()));

        let canceled = Context::background().with_timeout(Duration::from_secs(1));
        canceled.cancel();
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(!is_timeout(&canceled.ended().unwrap()));
    }

    #[tokio::test(start_paused = true)]
    async fn run_drops_the_work_at_the_end() {
        let context = Context::background().with_timeout(Duration::from_secs(1));
        let held = Arc::new(());
        let work = {
            let held = held.clone();
            async move {
                let _held = held;
                std::future::pending::<()>().await;
            }
        };
        assert!(context.run(work).await.is_err());
        assert_eq!(Arc::strong_count(&held), 1);
        assert_eq!(Context::background().run(async { 7 }).await.unwrap(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_guard_cancels() {
        let (context, guard) = Context::background().with_cancel();
        drop(guard);
        assert!(matches!(context.done().await, Ended::Canceled { cause: None }));
    }

    #[tokio::test(start_paused = true)]
    async fn a_cause_given_beforehand_is_the_cause_of_a_cancel_without_one() {
        let told = |context: &Context| match context.ended() {
            Some(Ended::Canceled { cause: Some(cause) }) => cause.to_string(),
            ended => panic!("{ended:?}"),
        };
        let context = Context::background().with_cause("shutting down");
        let child = context.child();
        context.cancel();
        assert_eq!(told(&child), "shutting down");
        let context = Context::background().with_cause("shutting down");
        context.cancel_with("out of memory");
        assert_eq!(told(&context), "out of memory");
    }

    #[tokio::test(start_paused = true)]
    async fn the_background_never_ends() {
        let background = Context::background();
        background.cancel();
        assert!(!background.set_deadline(Instant::now()));
        assert!(background.ended().is_none());
    }
}
