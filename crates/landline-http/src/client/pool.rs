//! Which conn a request is to have: one that is idle, one that is shared, a new one, or the next that comes free. Pure:
//! it holds conns of whatever kind, and knows neither sockets nor the clock.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

/// How much is kept and allowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Conns to one host, busy and idle.
    pub(crate) per_host: usize,
    /// Idle conns to one host.
    pub(crate) idle_per_host: usize,
    /// Idle conns to all hosts.
    pub(crate) idle: usize,
    /// How long a conn may be idle.
    pub(crate) idle_timeout: Duration,
}

/// Stands for a request that waits.
pub(crate) type Ticket = u64;

/// What a request is given: a conn of its own, a share of one that takes many requests at once, or leave to dial.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Grant<S, M> {
    Single(S),
    Shared(M),
    Dial,
}

/// What a request that asks is told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer<S, M> {
    Granted(Grant<S, M>),
    Wait(Ticket),
}

/// Grants to those that waited, to be handed on.
pub(crate) type Grants<S, M> = Vec<(Ticket, Grant<S, M>)>;

/// Conns of kind `S` carry one request at a time, those of kind `M` any number, to hosts of kind `K`.
#[derive(Debug)]
pub(crate) struct Pool<K, S, M> {
    limits: Limits,
    hosts: HashMap<K, Host<S, M>>,
    idle: usize,
    next_ticket: Ticket,
}

#[derive(Debug)]
struct Host<S, M> {
    /// The latest used last.
    idle: VecDeque<(S, Instant)>,
    shared: Option<(M, Instant)>,
    /// Single conns that exist or are being made.
    singles: usize,
    /// Of these, being made.
    dials: usize,
    /// Whether the host is known to speak the protocol of single conns.
    is_known_single: bool,
    waiting: VecDeque<Ticket>,
}

impl<K: Hash + Eq + Clone, S, M: Clone> Pool<K, S, M> {
    pub(crate) fn new(limits: Limits) -> Pool<K, S, M> {
        Pool { limits, hosts: HashMap::new(), idle: 0, next_ticket: 0 }
    }

    /// A request asks for a conn. Those that are no longer `usable` are dropped on the way.
    ///
    /// Where the host may speak the shared protocol (`may_share`) and one dial is under way, it waits for what comes of
    /// that.
    pub(crate) fn take(
        &mut self,
        key: &K,
        may_share: bool,
        now: Instant,
        usable: &(impl Fn(&S) -> bool, impl Fn(&M) -> bool),
    ) -> Answer<S, M> {
        let Limits { per_host, idle_timeout, .. } = self.limits;
        let host = match self.hosts.get_mut(key) {
            Some(host) => host,
            None => self.hosts.entry(key.clone()).or_default(),
        };
        if let Some((shared, since)) = &mut host.shared {
            if usable.1(shared) {
                *since = now;
                return Answer::Granted(Grant::Shared(shared.clone()));
            }
            host.shared = None;
        }
        while let Some((single, since)) = host.idle.pop_back() {
            self.idle -= 1;
            if now.saturating_duration_since(since) < idle_timeout && usable.0(&single) {
                return Answer::Granted(Grant::Single(single));
            }
            host.singles -= 1;
        }
        let joins = may_share && !host.is_known_single && host.dials > 0;
        if host.singles >= per_host || joins {
            let ticket = self.next_ticket;
            self.next_ticket += 1;
            host.waiting.push_back(ticket);
            return Answer::Wait(ticket);
        }
        host.begin_dial();
        Answer::Granted(Grant::Dial)
    }

    /// A request asks for a conn that nobody has used.
    pub(crate) fn take_new(&mut self, key: &K) {
        // It replaces one that was just lost, so the limit holds nearly.
        self.hosts.entry(key.clone()).or_default().begin_dial();
    }

    /// A dial gave a single conn, which the request that dialed uses. Those that waited for the outcome may dial too.
    #[must_use]
    pub(crate) fn dialed_single(&mut self, key: &K) -> Grants<S, M> {
        let Some(host) = self.hosts.get_mut(key) else { return Vec::new() };
        host.dials = host.dials.saturating_sub(1);
        host.is_known_single = true;
        Self::let_dial(host, self.limits.per_host)
    }

    /// A dial gave a shared conn: all that wait have it, and it stays.
    #[must_use]
    pub(crate) fn dialed_shared(&mut self, key: &K, conn: &M, now: Instant) -> Grants<S, M> {
        let host = self.hosts.entry(key.clone()).or_default();
        host.dials = host.dials.saturating_sub(1);
        host.singles = host.singles.saturating_sub(1);
        host.is_known_single = false;
        host.shared = Some((conn.clone(), now));
        host.waiting.drain(..).map(|ticket| (ticket, Grant::Shared(conn.clone()))).collect()
    }

    /// A dial failed or was given up: the next may try.
    #[must_use]
    pub(crate) fn not_dialed(&mut self, key: &K) -> Grants<S, M> {
        if let Some(host) = self.hosts.get_mut(key) {
            host.dials = host.dials.saturating_sub(1);
        }
        self.lost(key)
    }

    /// A single conn is at an end: its place is free.
    #[must_use]
    pub(crate) fn lost(&mut self, key: &K) -> Grants<S, M> {
        let Some(host) = self.hosts.get_mut(key) else { return Vec::new() };
        host.singles = host.singles.saturating_sub(1);
        let grants = if host.dials > 0 && !host.is_known_single {
            Vec::new()
        } else {
            // One at a time where the protocol is not known: the others join its dial.
            let most = if host.is_known_single {
                self.limits.per_host
            } else {
                (host.singles + 1).min(self.limits.per_host)
            };
            Self::let_dial(host, most)
        };
        self.forget(key);
        grants
    }

    /// The shared conn is kept no longer, if it `is_it`; returned, to be dropped.
    pub(crate) fn retire(&mut self, key: &K, is_it: impl Fn(&M) -> bool) -> Option<M> {
        let host = self.hosts.get_mut(key)?;
        let retired = host.shared.take_if(|(shared, _)| is_it(shared)).map(|(shared, _)| shared);
        self.forget(key);
        retired
    }

    /// A single conn is free: who waits longest has it, or it is kept. What is not kept is returned, to be closed.
    #[must_use]
    pub(crate) fn give_back(&mut self, key: &K, conn: S, now: Instant) -> (Grants<S, M>, Vec<S>) {
        let Some(host) = self.hosts.get_mut(key) else { return (Vec::new(), vec![conn]) };
        if let Some(ticket) = host.waiting.pop_front() {
            return (vec![(ticket, Grant::Single(conn))], Vec::new());
        }
        host.idle.push_back((conn, now));
        self.idle += 1;
        let mut surplus = Vec::new();
        if host.idle.len() > self.limits.idle_per_host {
            surplus.extend(host.idle.pop_front().map(|(conn, _)| conn));
            host.singles -= 1;
            self.idle -= 1;
        }
        if self.idle > self.limits.idle {
            surplus.extend(self.drop_oldest());
        }
        if !surplus.is_empty() {
            self.forget(key);
        }
        (Vec::new(), surplus)
    }

    /// A request no longer waits.
    pub(crate) fn abandon(&mut self, key: &K, ticket: Ticket) {
        if let Some(host) = self.hosts.get_mut(key) {
            host.waiting.retain(|waiting| *waiting != ticket);
        }
        self.forget(key);
    }

    /// Takes out what has been idle for too long, and says when to look again; `None` if nothing is left to look for.
    /// A shared conn that `is_busy` counts as used now.
    pub(crate) fn sweep(
        &mut self,
        now: Instant,
        is_busy: impl Fn(&M) -> bool,
    ) -> (Vec<S>, Vec<M>, Option<Instant>) {
        let (mut singles, mut shared, mut next) = (Vec::new(), Vec::new(), None::<Instant>);
        let timeout = self.limits.idle_timeout;
        let mut look_at = |at: Instant| next = Some(next.map_or(at, |next| next.min(at)));
        for host in self.hosts.values_mut() {
            while let Some((_, since)) = host.idle.front() {
                let ends = *since + timeout;
                if ends > now {
                    look_at(ends);
                    break;
                }
                singles.extend(host.idle.pop_front().map(|(conn, _)| conn));
                host.singles -= 1;
                self.idle -= 1;
            }
            if let Some((conn, since)) = &mut host.shared {
                if is_busy(conn) {
                    *since = now;
                }
                if *since + timeout > now {
                    look_at(*since + timeout);
                } else {
                    shared.extend(host.shared.take().map(|(conn, _)| conn));
                }
            }
        }
        self.hosts.retain(|_, host| !host.is_empty());
        (singles, shared, next)
    }

    /// How many conns are idle, and how many of all kinds there are.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let all =
            self.hosts.values().map(|host| host.singles - host.dials + usize::from(host.shared.is_some()));
        (self.idle, all.sum())
    }

    fn let_dial(host: &mut Host<S, M>, most: usize) -> Grants<S, M> {
        let mut grants = Vec::new();
        while host.singles < most
            && let Some(ticket) = host.waiting.pop_front()
        {
            host.begin_dial();
            grants.push((ticket, Grant::Dial));
        }
        grants
    }

    /// Of all hosts, the conn that has been idle for longest.
    fn drop_oldest(&mut self) -> Option<S> {
        let oldest = |host: &Host<S, M>| host.idle.front().map(|(_, since)| *since);
        let host =
            self.hosts.values_mut().filter(|host| oldest(host).is_some()).min_by_key(|host| oldest(host))?;
        let (conn, _) = host.idle.pop_front()?;
        host.singles -= 1;
        self.idle -= 1;
        Some(conn)
    }

    fn forget(&mut self, key: &K) {
        if self.hosts.get(key).is_some_and(Host::is_empty) {
            self.hosts.remove(key);
        }
    }
}

impl<S, M> Host<S, M> {
    fn begin_dial(&mut self) {
        self.singles += 1;
        self.dials += 1;
    }

    fn is_empty(&self) -> bool {
        self.singles == 0 && self.shared.is_none() && self.waiting.is_empty()
    }
}

impl<S, M> Default for Host<S, M> {
    fn default() -> Host<S, M> {
        Host {
            idle: VecDeque::new(),
            shared: None,
            singles: 0,
            dials: 0,
            is_known_single: false,
            waiting: VecDeque::new(),
        }
    }
}

#[cfg(test)]
mod tests;
