//! Where the client keeps its conns: does what the [pool](super::pool) decides.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use http::Uri;
use http::uri::{Authority, Scheme};
use tokio::sync::{Notify, oneshot};
use tokio::task::{AbortHandle, yield_now};
use tokio::time::{Instant, sleep_until};

use super::conn::{Lease, Shared, connect};
use super::error::Error;
use super::origin::Origin;
use super::pool::{Answer, Grant, Grants, Limits, Pool, Ticket};
use super::route::Route;
use super::settings::Settings;
use super::single::Single;
use super::trace::Trace;

/// A conn with one request at a time; boxed, as it passes through many hands.
type Kept = Box<Single>;

/// The conns of a client. Closes the idle ones when it is dropped.
pub(super) struct Shelf {
    state: Mutex<State>,
    /// Rings for idle conns, which mostly means that the server has closed them.
    news: Arc<Notify>,
    /// The route that was asked for last.
    recent: Mutex<Option<(Scheme, Authority, Arc<Route>)>>,
}

struct State {
    pool: Pool<Arc<Route>, Kept, Shared>,
    waiting: HashMap<Ticket, oneshot::Sender<Grant<Kept, Shared>>>,
    /// Closes what is idle for too long, or closed by the server; there while anything is idle.
    sweeper: Option<AbortHandle>,
}

impl Shelf {
    pub(super) fn new(limits: Limits) -> Arc<Shelf> {
        let state = State { pool: Pool::new(limits), waiting: HashMap::new(), sweeper: None };
        Arc::new(Shelf { state: Mutex::new(state), news: Arc::default(), recent: Mutex::default() })
    }

    /// The route to whom a URL names, or why there is none. Mostly the next request has the same.
    pub(super) fn route(&self, uri: &Uri, is_http1: bool) -> Result<Arc<Route>, &'static str> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((scheme, authority, route)) = &*recent
            && uri.scheme() == Some(scheme)
            && uri.authority() == Some(authority)
            && route.is_http1 == is_http1
        {
            return Ok(route.clone());
        }
        let route = Arc::new(Route { is_http1, ..Route::to_origin(Origin::of(uri)?) });
        if let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) {
            *recent = Some((scheme.clone(), authority.clone(), route.clone()));
        }
        Ok(route)
    }

    /// A conn for a request: one that is there, unless it `must_be_new`, or one that is dialed, or the next to come free.
    ///
    /// Dropping the future leaves its place to the next.
    pub(super) async fn lease(
        self: &Arc<Self>,
        settings: &Settings,
        route: &Arc<Route>,
        must_be_new: bool,
        trace: &Trace,
    ) -> Result<Lease, Error> {
        let may_share = (route.origin.is_secure || settings.http2_prior_knowledge) && !route.is_http1;
        let grant = if must_be_new {
            self.state().pool.take_new(route);
            Grant::Dial
        } else {
            let (answer, receiver) = {
                let mut state = self.state();
                let usable =
                    (|single: &mut Kept| single.is_usable(), |shared: &Shared| !shared.sender.is_closed());
                let answer = state.pool.take(route, may_share, Instant::now(), &usable);
                let receiver = match &answer {
                    Answer::Wait(ticket) => {
                        let (sender, receiver) = oneshot::channel();
                        state.waiting.insert(*ticket, sender);
                        Some(receiver)
                    }
                    Answer::Granted(_) => None,
                };
                (answer, receiver)
            };
            match (answer, receiver) {
                (Answer::Granted(grant), _) => grant,
                (Answer::Wait(ticket), receiver) => {
                    trace.started("queue", || format!("for a conn to {}", route.origin));
                    let mut place = Place { shelf: self, route, ticket, receiver };
                    let grant = place.wait().await;
                    trace.done("queue", String::new);
                    grant
                }
            }
        };
        let reused = |info: &mut super::conn::ConnInfo| {
            info.is_reused = true;
            trace.remark("reuse", || {
                let peer = info.peer_addr.as_ref().map(ToString::to_string).unwrap_or_default();
                format!("of a conn to {peer}")
            });
        };
        match grant {
            Grant::Single(mut single) => {
                reused(&mut single.info);
                Ok(Lease::Single(single))
            }
            Grant::Shared(mut shared) => {
                reused(&mut shared.info);
                Ok(Lease::Shared(Box::new(shared)))
            }
            Grant::Dial => {
                let dial = Dial { shelf: self, route, is_over: false };
                // Boxed, since it is much larger than all else, and most requests have no use for it.
                Box::pin(dial.run(settings, trace)).await
            }
        }
    }

    /// Takes a conn back that may carry another request.
    pub(super) fn give_back(self: &Arc<Self>, route: &Arc<Route>, single: Kept) {
        single.rest();
        let mut state = self.state();
        let (grants, surplus) = state.pool.give_back(route, single, Instant::now());
        let undelivered = state.deliver(grants);
        self.keep_sweeping(&mut state);
        drop(state);
        drop(surplus);
        self.take_up(route, undelivered);
    }

    /// A conn that one request had to itself is gone.
    pub(super) fn lost(self: &Arc<Self>, route: &Arc<Route>) {
        let mut state = self.state();
        let grants = state.pool.lost(route);
        let undelivered = state.deliver(grants);
        drop(state);
        self.take_up(route, undelivered);
    }

    /// A shared conn takes no more requests; those that it has go on.
    pub(super) fn retire(&self, route: &Arc<Route>, shared: &Shared) {
        let retired = self.state().pool.retire(route, |known| known.is(shared));
        drop(retired);
    }

    /// How many conns are idle, and how many there are.
    pub(super) fn counts(&self) -> (usize, usize) {
        self.state().pool.counts()
    }

    /// Grants to requests that were dropped in this very moment go back.
    fn take_up(self: &Arc<Self>, route: &Arc<Route>, undelivered: Vec<Grant<Kept, Shared>>) {
        for grant in undelivered {
            match grant {
                Grant::Single(single) => self.give_back(route, single),
                Grant::Dial => self.not_dialed(route),
                Grant::Shared(_) => {}
            }
        }
    }

    fn not_dialed(self: &Arc<Self>, route: &Arc<Route>) {
        let mut state = self.state();
        let grants = state.pool.not_dialed(route);
        let undelivered = state.deliver(grants);
        drop(state);
        self.take_up(route, undelivered);
    }

    fn keep_sweeping(self: &Arc<Self>, state: &mut State) {
        if state.sweeper.as_ref().is_some_and(|sweeper| !sweeper.is_finished()) {
            return;
        }
        // Not while the runtime shuts down and drops the bodies of responses.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            state.sweeper =
                Some(runtime.spawn(sweep(Arc::downgrade(self), self.news.clone())).abort_handle());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Hands grants to those that wait; gives back those of whom has left.
    #[must_use]
    fn deliver(&mut self, grants: Grants<Kept, Shared>) -> Vec<Grant<Kept, Shared>> {
        let mut undelivered = Vec::new();
        for (ticket, grant) in grants {
            match self.waiting.remove(&ticket) {
                Some(waiter) => undelivered.extend(waiter.send(grant).err()),
                None => undelivered.push(grant),
            }
        }
        undelivered
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        if let Some(sweeper) = &self.state().sweeper {
            sweeper.abort();
        }
    }
}

/// Closes what is idle for too long, or closed by the server, until nothing is idle.
async fn sweep(shelf: Weak<Shelf>, news: Arc<Notify>) {
    loop {
        let next = {
            let Some(shelf) = shelf.upgrade() else { return };
            let mut state = shelf.state();
            let (singles, shared, next) =
                state.pool.sweep(Instant::now(), |single| single.is_usable(), Shared::is_busy);
            if next.is_none() {
                state.sweeper = None;
            }
            drop(state);
            drop((singles, shared));
            next
        };
        match next {
            Some(next) => tokio::select! {
                () = sleep_until(next) => {}
                () = news.notified() => {}
            },
            None => return,
        }
        // Conns that want to be polled again and again do not keep others from running.
        yield_now().await;
    }
}

/// A place in the queue.
struct Place<'a> {
    shelf: &'a Arc<Shelf>,
    route: &'a Arc<Route>,
    ticket: Ticket,
    receiver: Option<oneshot::Receiver<Grant<Kept, Shared>>>,
}

impl Place<'_> {
    async fn wait(&mut self) -> Grant<Kept, Shared> {
        let granted = match &mut self.receiver {
            Some(receiver) => receiver.await.ok(),
            None => None,
        };
        self.receiver = None;
        // The sender is dropped with the shelf alone, which this keeps.
        granted.unwrap_or(Grant::Dial)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let Some(mut receiver) = self.receiver.take() else { return };
        let mut state = self.shelf.state();
        state.waiting.remove(&self.ticket);
        state.pool.abandon(self.route, self.ticket);
        drop(state);
        receiver.close();
        self.shelf.take_up(self.route, receiver.try_recv().into_iter().collect());
    }
}

/// A dial under way; one that is dropped counts as failed.
struct Dial<'a> {
    shelf: &'a Arc<Shelf>,
    route: &'a Arc<Route>,
    is_over: bool,
}

impl Dial<'_> {
    async fn run(mut self, settings: &Settings, trace: &Trace) -> Result<Lease, Error> {
        let lease = connect(settings, self.route, trace, self.shelf.news.clone()).await?;
        self.is_over = true;
        let mut state = self.shelf.state();
        let grants = match &lease {
            Lease::Single(_) => state.pool.dialed_single(self.route),
            Lease::Shared(shared) => state.pool.dialed_shared(self.route, shared, Instant::now()),
        };
        let undelivered = state.deliver(grants);
        if let Lease::Shared(_) = lease {
            self.shelf.keep_sweeping(&mut state);
        }
        drop(state);
        self.shelf.take_up(self.route, undelivered);
        Ok(lease)
    }
}

impl Drop for Dial<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.shelf.not_dialed(self.route);
        }
    }
}
