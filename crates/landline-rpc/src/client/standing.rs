//! What a pool knows of one of its clients, and asks of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use landline::{Cause, Operation};
use tokio::time::Instant;

use super::link::Link;
use super::suspicion::Standing;
use super::{Client, Reconnect};
use crate::codec::Codec;
use crate::error::Error;

impl<C: Codec> Client<C> {
    pub(super) fn standing(&self, now: Instant) -> Standing {
        let current = self.current();
        let ended_for_good = || {
            self.0.config.reconnect == Reconnect::Never
                && current.link.as_ref().is_some_and(|link| !link.is_alive())
        };
        match current.suspicion.standing(now, self.heard()) {
            _ if current.is_closed || !current.attempts.is_open(now) || ended_for_good() => Standing::Suspect,
            standing => standing,
        }
    }

    /// If the server was silent and its pause is over: the next call finds out, on a new conn where one can be made, as it
    /// may be the conn that is broken. Calls on the old one go on.
    pub(super) fn begin_probe(&self, now: Instant) {
        let mut current = self.current();
        if current.suspicion.standing(now, self.heard()) != Standing::Due {
            return;
        }
        let pauses = self.0.config.reconnect;
        current.suspicion.probe(now, pauses, fastrand::f64());
        if pauses != Reconnect::Never {
            let left = current.link.take();
            current.attempts.left();
            drop(current);
            drop(left);
        }
    }

    /// [`link`](Client::link) for so long at most. What takes longer counts as a dial that failed.
    #[cold]
    pub(super) async fn link_within(&self, share: Option<Duration>) -> Result<Arc<Link<C>>, Error> {
        let Some(share) = share else { return self.link().await };
        match tokio::time::timeout(share, self.link()).await {
            Ok(linked) => linked,
            Err(_) => Err(self.dial_took_too_long()),
        }
    }

    fn dial_took_too_long(&self) -> Error {
        let mut error = landline::Error::new(Operation::Dial, Cause::Timeout);
        if let Some(target) = &self.0.target {
            error = error.on(target.network).to_text(&target.address);
        }
        let error = Error::from(error);
        let mut current = self.current();
        let now = Instant::now();
        // Of several callers that waited for one dial, one says so.
        if current.attempts.is_open(now) && !current.link.as_ref().is_some_and(|link| link.is_alive()) {
            current.attempts.failed(now, self.0.config.reconnect, fastrand::f64(), error.clone());
        }
        error
    }

    /// Watches a call that is about to be sent.
    pub(super) fn watch(&self, now: Instant, patience: Duration) -> Watch<'_, C> {
        Watch { client: self, heard: self.heard(), since: now, patience, is_over: false }
    }

    fn heard(&self) -> u64 {
        self.0.heard.load(Ordering::Relaxed)
    }
}

/// A call under way. Dropped before it is over, it says whether the server was silent all the while.
pub(super) struct Watch<'a, C: Codec> {
    client: &'a Client<C>,
    heard: u64,
    since: Instant,
    patience: Duration,
    pub(super) is_over: bool,
}

impl<C: Codec> Drop for Watch<'_, C> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let now = Instant::now();
        if self.client.heard() == self.heard && now - self.since >= self.patience {
            let pauses = self.client.0.config.reconnect;
            self.client.current().suspicion.silent(now, self.heard, pauses, fastrand::f64());
        }
    }
}
