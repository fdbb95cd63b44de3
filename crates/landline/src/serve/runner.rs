//! What a worker does: accept, hand over, serve, and look after what it serves.

use std::collections::VecDeque;
use std::future::pending;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use rustix::net::SocketAddrAny;
use tokio::runtime::Handle;

use super::counters::Counts;
use super::peers::Peer;
use super::places::Place;
use super::registry::Found;
use super::restart::Answering;
use super::spread::Placement;
use super::state::Arrival;
use super::task::{Own, Serve, Spawn, Ticket};
use crate::addr::{Addr, UnixAddr};
use crate::conn::{Conn, TcpConn, UnixConn};
use crate::error::{Cause, Error, Operation};
use crate::fd::NetFd;
use crate::listen::{Acceptor, Attempt, Exhausted};
use crate::network::Network;

/// A listening socket in the reactor of the worker that accepts from it.
pub(super) struct Door {
    pub(super) acceptor: Acceptor,
    pub(super) network: Network,
    pub(super) local: Addr,
    pub(super) placement: Placement,
}

/// A worker and the handler of its conns.
pub(super) struct Runner<H, S> {
    own: Own,
    handler: H,
    /// Whether conns are ended one by one, because the runtime they run in goes on.
    outlived: bool,
    /// When it was last told that resources have run out, in seconds since the server began and one more; 0 for never.
    told: AtomicU64,
    spawn: PhantomData<fn() -> S>,
}

/// So many conns are taken from a queue that is to be closed.
const MOST_QUEUED: usize = 4096;
/// How often it is told that resources have run out, in seconds: it can go on for long, and nobody reads it twice.
const TELL_EVERY: u64 = 60;

impl<H, F, S> Runner<H, S>
where
    H: Fn(Conn) -> F,
    F: Future,
    S: Spawn<Serve<F>>,
{
    pub(super) fn new(own: Own, handler: H, outlived: bool) -> Runner<H, S> {
        Runner { own, handler, outlived, told: AtomicU64::new(0), spawn: PhantomData }
    }

    /// Runs until the server ends: all conns have ended, or it was cut, when those left are dropped with the runtime or
    /// one by one.
    ///
    /// One of the workers answers a successor.
    pub(super) async fn run(&self, doors: Vec<Door>, answering: Option<Answering>) {
        self.own.traffic.set_home(Some(Handle::current()));
        let serving = async {
            self.accept(doors).await;
            loop {
                self.own.vacant().await;
                let late = self.own.close_inbox();
                if late.is_empty() {
                    break;
                }
                late.into_iter().for_each(|arrival| self.serve(arrival));
            }
        };
        let answering = async {
            if let Some(answering) = answering {
                answering.run(&self.own).await;
            }
            pending::<()>().await;
        };
        let cut = tokio::select! {
            biased;
            () = self.own.shared().wait_for_cut() => true,
            () = serving => false,
            () = self.receive() => false,
            () = self.look_after() => false,
            () = answering => false,
        };
        if cut && self.outlived {
            let tasks = self.own.registry().tasks();
            tasks.iter().for_each(tokio::task::AbortHandle::abort);
            self.own.drop_arrivals();
            self.own.vacant().await;
        }
    }

    /// Accepts from all doors until a drain begins, and then what is queued there.
    async fn accept(&self, doors: Vec<Door>) {
        let draining = self.own.draining();
        let accepting = async {
            join_all(doors.iter().map(|door| self.accept_from(door))).await;
            // Nothing is left to accept from; conns are still handed over by others.
            pending::<()>().await;
        };
        tokio::select! {
            biased;
            () = draining.begun() => {}
            () = accepting => {}
        }
        let mut waiting = Vec::new();
        for door in doors {
            let mut late = Late::new(&self.own.counts);
            // What is queued is the successor's, where there is one.
            if !self.own.shared().is_handed_over() {
                self.empty(&door, &mut late).await;
            }
            // Closed before the next is emptied, and before anybody waits for a place: who comes now is refused, and does
            // not wait in vain.
            let Door { acceptor, network, placement, .. } = door;
            drop(acceptor);
            waiting.push((network, placement, late));
        }
        for (network, placement, mut late) in waiting {
            while !late.conns.is_empty() {
                let place = self.place().await;
                if let Some((fd, from)) = late.conns.pop_front() {
                    place.keep();
                    self.accepted(network, &placement, fd, from);
                }
            }
        }
    }

    async fn accept_from(&self, door: &Door) {
        if let Err(cause) = self.try_accept_from(door).await {
            let error = Error::new(Operation::Accept, cause).on(door.network).to_peer(door.local.clone());
            self.own.shared().accepting_failed(error);
        }
    }

    async fn try_accept_from(&self, door: &Door) -> Result<(), Cause> {
        let mut is_paced = false;
        loop {
            door.acceptor.queued().await?;
            if !is_paced {
                self.keep_pace().await;
                is_paced = true;
            }
            // Only now, since a worker that keeps a place while nobody comes keeps it from others.
            let place = self.place().await;
            match door.acceptor.attempt()? {
                Attempt::Conn(fd, from) => {
                    place.keep();
                    is_paced = false;
                    self.accepted(door.network, &door.placement, fd, from);
                }
                Attempt::Nothing | Attempt::Lost => {}
                Attempt::Exhausted(exhausted) => {
                    drop(place);
                    self.wait_for_resources(door, exhausted).await?;
                }
            }
        }
    }

    async fn wait_for_resources(&self, door: &Door, exhausted: Exhausted) -> Result<(), Cause> {
        self.own.counts.waits_for_resources.increase();
        if exhausted.has_shed {
            self.own.counts.refused_without_resources.increase();
        }
        self.tell_of_exhaustion(&door.local);
        door.acceptor.pause(exhausted).await
    }

    fn tell_of_exhaustion(&self, local: &Addr) {
        let now = self.own.shared().began.elapsed().as_secs() + 1;
        let told = self.told.load(Ordering::Relaxed);
        if told == 0 || now.saturating_sub(told) >= TELL_EVERY {
            self.told.store(now, Ordering::Relaxed);
            tracing::warn!(target: "landline", %local, "descriptors or memory have run out: conns wait to be accepted");
        }
    }

    /// Waits as long as the accept rate wants it.
    async fn keep_pace(&self) {
        let shared = self.own.shared();
        if let Some(rate) = &shared.limits.rate {
            let now = u64::try_from(shared.began.elapsed().as_nanos()).unwrap_or(u64::MAX / 2);
            let wait = rate.reserve(now);
            if wait > 0 {
                self.own.counts.waits_by_rate.increase();
                tokio::time::sleep(Duration::from_nanos(wait)).await;
            }
        }
    }

    /// Waits until there may be a conn more.
    async fn place(&self) -> Place<'_> {
        if let Some(place) = self.try_place() {
            return place;
        }
        self.own.counts.waits_for_conns.increase();
        match &self.own.shared().limits.conns {
            Some(places) => places.take().await,
            None => Place::UNLIMITED,
        }
    }

    fn try_place(&self) -> Option<Place<'_>> {
        match &self.own.shared().limits.conns {
            Some(places) => places.try_take(),
            None => Some(Place::UNLIMITED),
        }
    }

    /// Accepts what is queued at a door that is about to be closed: closing it resets them. Those for which there is no
    /// place yet are `late`.
    async fn empty(&self, door: &Door, late: &mut Late<'_>) {
        let shared = self.own.shared();
        for _ in 0..MOST_QUEUED {
            if shared.is_cut() {
                return;
            }
            match door.acceptor.attempt_queued() {
                Ok(Attempt::Conn(fd, from)) => {
                    match late.conns.is_empty().then(|| self.try_place()).flatten() {
                        Some(place) => {
                            place.keep();
                            self.accepted(door.network, &door.placement, fd, from);
                        }
                        None => late.conns.push_back((fd, from)),
                    }
                }
                Ok(Attempt::Lost) => {}
                Ok(Attempt::Exhausted(exhausted)) => {
                    // Those that are served end one by one, and leave their descriptors to those that are queued.
                    if self.wait_for_resources(door, exhausted).await.is_err() {
                        return;
                    }
                }
                Ok(Attempt::Nothing) | Err(_) => return,
            }
        }
    }

    /// A conn has come in at a door; its place is taken.
    fn accepted(&self, network: Network, placement: &Placement, fd: OwnedFd, from: Option<SocketAddrAny>) {
        let shared = self.own.shared();
        self.own.counts.accepted.increase();
        let from = from.and_then(|from| address(from, network));
        let mut arrival = Arrival { fd, from, network, peer: None };
        if let (Some(peers), Some(ip)) = (&shared.limits.per_peer, arrival.from.as_ref().and_then(Addr::ip)) {
            let peer = Peer::of(ip);
            if !peers.enter(peer) {
                self.own.counts.refused_by_peer.increase();
                shared.release(None);
                return;
            }
            arrival.peer = Some(peer);
        }
        let own = self.own.index();
        let conns = |worker: usize| shared.workers[worker].counts.conns.value();
        let chosen = placement.choose(own, shared.workers.len(), conns);
        if chosen != own {
            let other = &shared.workers[chosen];
            other.counts.conns.increase();
            match other.hand(arrival) {
                Ok(()) => {
                    self.own.counts.handed_over.increase();
                    return;
                }
                Err(back) => {
                    Own::new(shared.clone(), chosen).conn_uncounted();
                    arrival = back;
                }
            }
        }
        self.own.counts.conns.increase();
        self.serve(arrival);
    }

    /// Serves what other workers hand over.
    async fn receive(&self) {
        loop {
            while let Some(arrival) = self.own.take_arrival() {
                self.serve(arrival);
            }
            self.own.arrivals.notified().await;
        }
    }

    /// Serves a conn that is counted as this worker's.
    fn serve(&self, arrival: Arrival) {
        let Arrival { fd, from, network, peer } = arrival;
        let fd = NetFd::accepted(fd, self.own.traffic.clone());
        let silence = self.own.shared().limits.silence.as_ref();
        let key = (self.outlived || silence.is_some() || peer.is_some()).then(|| {
            let watch = silence.map(|rules| rules.begin(self.ticks(rules.tick())));
            let mut registry = self.own.registry();
            if registry.is_empty() {
                self.own.occupied.notify_one();
            }
            registry.insert(fd.monitor(), watch, peer)
        });
        let ticket = Ticket::new(self.own.clone(), key);
        let conn = conn(fd, from, network);
        let Ok(future) = catch_unwind(AssertUnwindSafe(|| (self.handler)(conn))) else {
            self.own.counts.panicked.increase();
            return;
        };
        let task = S::spawn(Serve::new(future, ticket));
        if let Some(key) = key {
            self.own.registry().set_task(key, task.abort_handle());
        }
    }

    /// Ends the conns that are silent for too long.
    async fn look_after(&self) {
        let Some(rules) = &self.own.shared().limits.silence else { return pending().await };
        let mut found = Vec::new();
        loop {
            while self.own.registry().is_empty() {
                self.own.occupied.notified().await;
            }
            tokio::time::sleep(rules.tick()).await;
            self.own.registry().sweep(rules, self.ticks(rules.tick()), &mut found);
            let counts = &self.own.counts;
            for found in found.drain(..) {
                match found {
                    Found::FirstByteTimeout(conn) => {
                        counts.first_byte_timeouts.increase();
                        conn.expire();
                    }
                    Found::IdleTimeout(conn) => {
                        counts.idle_timeouts.increase();
                        conn.expire();
                    }
                    Found::Overstayed(task) => task.abort(),
                }
            }
        }
    }

    /// How many have passed since the server began, modulo the largest number.
    fn ticks(&self, tick: Duration) -> u32 {
        let ticks = self.own.shared().began.elapsed().as_nanos() / tick.as_nanos();
        ticks as u32
    }
}

/// Conns that were queued at a door when it closed, and wait for places. Those that are still there when this is dropped are
/// closed, and counted.
struct Late<'a> {
    conns: VecDeque<(OwnedFd, Option<SocketAddrAny>)>,
    counts: &'a Counts,
}

impl Late<'_> {
    fn new(counts: &Counts) -> Late<'_> {
        Late { conns: VecDeque::new(), counts }
    }
}

impl Drop for Late<'_> {
    fn drop(&mut self) {
        self.counts.refused_in_drain.add(self.conns.len() as u64);
    }
}

fn address(from: SocketAddrAny, network: Network) -> Option<Addr> {
    match network {
        Network::Unix(_) => Some(Addr::Unix(UnixAddr::from_any(Some(from)))),
        _ => SocketAddr::try_from(from).ok().map(Addr::Socket),
    }
}

fn conn(fd: NetFd, from: Option<Addr>, network: Network) -> Conn {
    match (network, from) {
        (Network::Unix(kind), Some(Addr::Unix(peer))) => {
            Conn::Unix(UnixConn::new(fd, kind, Some(peer), None))
        }
        (Network::Unix(kind), _) => Conn::Unix(UnixConn::new(fd, kind, Some(UnixAddr::Unnamed), None)),
        (_, from) => Conn::Tcp(TcpConn::new(fd, from.and_then(|from| from.as_socket()))),
    }
}
