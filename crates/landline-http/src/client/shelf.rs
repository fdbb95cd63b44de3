//! Where the client keeps its conns: does what the [pool](super::pool) decides.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use http::Uri;
use http::uri::Scheme;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::conn::{Lease, Shared, Single, connect};
use super::error::Error;
use super::origin::Origin;
use super::pool::{Answer, Grant, Grants, Limits, Pool, Ticket};
use super::route::{Route, To};
use super::settings::Settings;
use super::trace::Trace;

/// A conn with one request at a time; boxed, as it passes through many hands.
type Kept = Box<Single>;

/// The conns of a client. Closes the idle ones when it is dropped.
pub(super) struct Shelf {
    state: Mutex<State>,
    latest: Mutex<Option<Latest>>,
}

/// Where the last URL led to, since the next most often leads there too.
struct Latest {
    /// As the URL had it.
    authority: Box<str>,
    route: Arc<Route>,
}

struct State {
    pool: Pool<Arc<Route>, Kept, Shared>,
    waiting: HashMap<Ticket, oneshot::Sender<Grant<Kept, Shared>>>,
    /// Closes what is idle for too long; there while anything is idle.
    sweeper: Option<AbortHandle>,
}

impl Shelf {
    pub(super) fn new(limits: Limits) -> Arc<Shelf> {
        let state = State { pool: Pool::new(limits), waiting: HashMap::new(), sweeper: None };
        Arc::new(Shelf { state: Mutex::new(state), latest: Mutex::default() })
    }

    /// The route to whom the URL names.
    ///
    /// # Errors
    /// As [`Origin::of`] says.
    pub(super) fn route_to(&self, uri: &Uri, is_http1: bool) -> Result<Arc<Route>, &'static str> {
        // Whoever would have to wait for it is faster alone.
        let mut latest = self.latest.try_lock().ok();
        if let Some(Some(Latest { authority, route })) = latest.as_deref()
            && uri.authority().is_some_and(|asked| asked.as_str() == &**authority)
            && uri.scheme() == Some(if route.origin.is_secure { &Scheme::HTTPS } else { &Scheme::HTTP })
            && route.is_http1 == is_http1
        {
            return Ok(route.clone());
        }
        let route = Arc::new(Route::new(Origin::of(uri)?, To::Origin, is_http1));
        if let (Some(latest), Some(authority)) = (&mut latest, uri.authority()) {
            **latest = Some(Latest { authority: authority.as_str().into(), route: route.clone() });
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
                    (|single: &Kept| single.is_ready(), |shared: &Shared| !shared.sender.is_closed());
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
            state.sweeper = Some(runtime.spawn(sweep(Arc::downgrade(self))).abort_handle());
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

/// Closes what is idle for too long, until nothing is idle.
async fn sweep(shelf: Weak<Shelf>) {
    loop {
        let next = {
            let Some(shelf) = shelf.upgrade() else { return };
            let mut state = shelf.state();
            let (singles, shared, next) = state.pool.sweep(Instant::now(), Shared::is_busy);
            if next.is_none() {
                state.sweeper = None;
            }
            drop(state);
            drop((singles, shared));
            next
        };
        match next {
            Some(next) => sleep_until(next).await,
            None => return,
        }
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
        let lease = connect(settings, self.route, trace).await?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_route_is_known_again_and_taken_for_no_other() {
        let shelf = Shelf::new(Settings::default().limits);
        let route = |url: &str, is_http1| shelf.route_to(&url.parse().unwrap(), is_http1).unwrap();
        let known = route("http://a:443/x", false);
        assert!(Arc::ptr_eq(&known, &route("http://a:443/y?z", false)));
        for (url, is_http1) in [
            ("http://a:443/", true),
            ("https://a:443/", false),
            ("http://a/", false),
            ("http://b:443/", false),
        ] {
            assert_ne!(route(url, is_http1), known, "{url}");
            assert_eq!(route("http://A:443", false), known);
        }
        assert!(shelf.route_to(&"http://user@a:443/".parse().unwrap(), false).is_err());
    }
}
