//! One conn being served: its handler's future, and the place it takes.

use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::task::JoinHandle;

use super::peers::Peer;
use super::registry::Key;
use super::state::{Shared, State};

/// One worker, for those who belong to it. Counted by itself, so that workers do not meet at one counter for every conn.
#[derive(Clone)]
pub(super) struct Own(Arc<(Arc<Shared>, usize)>);

impl Own {
    pub(super) fn new(shared: Arc<Shared>, index: usize) -> Own {
        Own(Arc::new((shared, index)))
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.0.0
    }

    pub(super) fn index(&self) -> usize {
        self.0.1
    }
}

impl Deref for Own {
    type Target = State;

    fn deref(&self) -> &State {
        &self.0.0.workers[self.0.1]
    }
}

/// The place that a conn takes in all that is counted and limited; given up when dropped.
pub(super) struct Ticket {
    own: Own,
    key: Option<Key>,
    peer: Option<Peer>,
    outcome: Outcome,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// What it was if nothing else is known: its future was dropped.
    Cut,
    Finished,
    Panicked,
}

impl Ticket {
    /// For a conn that is counted already.
    pub(super) fn new(own: Own, peer: Option<Peer>) -> Ticket {
        Ticket { own, key: None, peer, outcome: Outcome::Cut }
    }

    pub(super) fn set_key(&mut self, key: Key) {
        self.key = Some(key);
    }

    pub(super) fn panicked(&mut self) {
        self.outcome = Outcome::Panicked;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let counts = &self.own.counts;
        match self.outcome {
            Outcome::Cut => counts.cut.increase(),
            Outcome::Finished => counts.finished.increase(),
            Outcome::Panicked => counts.panicked.increase(),
        }
        if let Some(key) = self.key {
            self.own.registry().remove(key);
        }
        self.own.shared().release(self.peer);
        self.own.conn_ended();
    }
}

impl Shared {
    /// Gives back what an accepted conn took of the limits.
    pub(super) fn release(&self, peer: Option<Peer>) {
        if let (Some(peers), Some(peer)) = (&self.limits.per_peer, peer) {
            peers.leave(peer);
        }
        if let Some(conns) = &self.limits.conns {
            conns.add_permits(1);
        }
    }
}

impl Own {
    /// Takes no more conns from others, and closes those that nobody will serve.
    pub(super) fn drop_arrivals(&self) {
        for arrival in self.close_inbox() {
            drop(arrival.fd);
            drop(Ticket::new(self.clone(), arrival.peer));
        }
    }

    /// A conn that was counted as this worker's is no more.
    pub(super) fn conn_ended(&self) {
        if self.counts.conns.decrease() == 0 && self.shared().is_draining() {
            self.vacant.notify_waiters();
        }
    }
}

pin_project! {
    /// The future of a handler. The conn inside is dropped, and so closed, before its place is given up.
    pub(super) struct Serve<F> {
        #[pin]
        future: F,
        ticket: Ticket,
    }
}

impl<F> Serve<F> {
    pub(super) fn new(future: F, ticket: Ticket) -> Serve<F> {
        Serve { future, ticket }
    }
}

impl<F: Future> Future for Serve<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        // What is known if the poll does not return. tokio catches the panic, so that it is this conn's end alone.
        let before = std::mem::replace(&mut this.ticket.outcome, Outcome::Panicked);
        match this.future.poll(cx) {
            Poll::Ready(_) => {
                this.ticket.outcome = Outcome::Finished;
                Poll::Ready(())
            }
            Poll::Pending => {
                this.ticket.outcome = before;
                Poll::Pending
            }
        }
    }
}

/// Where the handlers' futures run.
pub(super) trait Spawn<F> {
    fn spawn(future: F) -> JoinHandle<()>;
}

/// On this thread's `LocalRuntime` or `LocalSet`.
pub(super) struct OnThread;

/// Anywhere in this runtime.
pub(super) struct InRuntime;

impl<F: Future<Output = ()> + 'static> Spawn<F> for OnThread {
    fn spawn(future: F) -> JoinHandle<()> {
        tokio::task::spawn_local(future)
    }
}

impl<F: Future<Output = ()> + Send + 'static> Spawn<F> for InRuntime {
    fn spawn(future: F) -> JoinHandle<()> {
        tokio::spawn(future)
    }
}
