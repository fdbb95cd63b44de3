//! Keeps the addresses of the backends' names.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use landline::{Cause, Error, Resolver};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::table::Table;
use crate::client::route::To;

/// How long a name is left alone after its lookup failed, and at least after it succeeded.
const SHORTEST: Duration = Duration::from_secs(1);

/// The names of backends, and what is known of them. Ends its lookups when it is dropped.
#[derive(Debug)]
pub(super) struct Names {
    names: Vec<Name>,
    resolver: Resolver,
    interval: Duration,
    table: Arc<Table>,
    /// Says that a lookup has ended.
    changes: watch::Sender<()>,
}

#[derive(Debug)]
struct Name {
    backend: usize,
    host: String,
    port: u16,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When to look it up; at once by default.
    due: Option<Instant>,
    running: Option<AbortHandle>,
    error: Option<Error>,
}

impl Name {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Names {
    /// Of names, each with its backend and its port.
    pub(super) fn new(
        names: impl Iterator<Item = (usize, String, u16)>,
        resolver: Resolver,
        interval: Duration,
        table: Arc<Table>,
    ) -> Arc<Names> {
        let names = names
            .map(|(backend, host, port)| Name { backend, host, port, state: Mutex::default() })
            .collect();
        Arc::new(Names { names, resolver, interval, table, changes: watch::Sender::new(()) })
    }

    /// Waits until there is a target, and has looked up what is due. An error, if all lookups have failed, is the last;
    /// `None` of a name that has no address.
    pub(super) async fn ready(self: &Arc<Self>) -> Result<(), Option<Error>> {
        let mut changes = self.changes.subscribe();
        loop {
            self.look_up();
            if !self.table.is_empty() {
                return Ok(());
            }
            if !self.names.iter().any(|name| name.state().running.is_some()) {
                // The last of them may just have ended.
                if !self.table.is_empty() {
                    return Ok(());
                }
                return Err(self.names.iter().rev().find_map(|name| name.state().error.clone()));
            }
            // The sender is kept.
            let _ = changes.changed().await;
        }
    }

    /// Begins to look up what is due.
    fn look_up(self: &Arc<Self>) {
        let now = Instant::now();
        for (index, name) in self.names.iter().enumerate() {
            let mut state = name.state();
            if state.running.is_some() || state.due.is_some_and(|due| due > now) {
                continue;
            }
            let lookup = Lookup { names: Arc::downgrade(self), index };
            let (resolver, host) = (self.resolver.clone(), name.host.clone());
            let task = tokio::spawn(async move {
                let found = resolver.lookup_ip(&host).await;
                lookup.done(found);
            });
            state.running = Some(task.abort_handle());
        }
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        for name in &self.names {
            if let Some(running) = name.state().running.take() {
                running.abort();
            }
        }
    }
}

/// A lookup under way. Dropped, as when its runtime ends, it leaves the name to the next.
struct Lookup {
    names: Weak<Names>,
    index: usize,
}

impl Lookup {
    fn done(&self, found: landline::Result<landline::Lookup<landline::ScopedIp>>) {
        let Some(names) = self.names.upgrade() else { return };
        let name = &names.names[self.index];
        let mut state = name.state();
        match found {
            Ok(found) => {
                let places: Vec<To> = found.iter().map(|ip| To::Addr(ip.with_port(name.port))).collect();
                names.table.set(name.backend, &places);
                let wait = found.ttl().unwrap_or(names.interval).min(names.interval).max(SHORTEST);
                state.due = Some(Instant::now() + wait);
                state.error = None;
            }
            // What was found before goes on being used.
            Err(error) => {
                tracing::warn!(target: "landline", %error, "a backend's lookup");
                state.due = Some(Instant::now() + SHORTEST);
                state.error = Some(error);
            }
        }
    }
}

impl Drop for Lookup {
    fn drop(&mut self) {
        let Some(names) = self.names.upgrade() else { return };
        names.names[self.index].state().running = None;
        names.changes.send_replace(());
    }
}

/// Whether a lookup failed for want of time.
pub(super) fn is_timeout(error: Option<&Error>) -> bool {
    error.is_some_and(|error| match error.cause() {
        Cause::Lookup(lookup) => lookup.is_timeout(),
        _ => error.is_timeout(),
    })
}
