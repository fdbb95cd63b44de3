//! One conn being served: its handler's future, and the place it takes.

use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::task::JoinHandle;

use super::counters::Count;
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

/// The place that a conn takes in all that is counted and limited; given up when dropped. Small, since every conn has one.
pub(super) struct Ticket {
    own: Own,
    key: Option<Key>,
}

impl Ticket {
    /// For a conn that is counted already, and entered in the registry if there is anything to be known of it.
    pub(super) fn new(own: Own, key: Option<Key>) -> Ticket {
        Ticket { own, key }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let peer = self.key.and_then(|key| self.own.registry().remove(key));
        self.own.conn_gone(peer);
    }
}

impl Own {
    /// Takes no more conns from others, and closes those that nobody will serve.
    pub(super) fn drop_arrivals(&self) {
        for arrival in self.close_inbox() {
            drop(arrival.fd);
            self.conn_gone(arrival.peer);
        }
    }

    /// A conn that was counted as this worker's is no more.
    pub(super) fn conn_gone(&self, peer: Option<Peer>) {
        self.counts.ended.increase();
        self.shared().release(peer);
        self.conn_uncounted();
    }

    /// The same, of one that never was this worker's.
    pub(super) fn conn_uncounted(&self) {
        if self.counts.conns.decrease() == 0 && self.shared().is_draining() {
            self.vacant.notify_waiters();
        }
    }
}

impl Shared {
    /// Gives back what an accepted conn took of the limits.
    pub(super) fn release(&self, peer: Option<Peer>) {
        if let (Some(peers), Some(peer)) = (&self.limits.per_peer, peer) {
            peers.leave(peer);
        }
        if let Some(conns) = &self.limits.conns {
            conns.give_back();
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
        let counts = &this.ticket.own.counts;
        // tokio catches the panic, so that it is this conn's end alone.
        let panic = Unwinding(&counts.panicked);
        let polled = this.future.poll(cx);
        std::mem::forget(panic);
        polled.map(|_| counts.finished.increase())
    }
}

/// Counts a panic, if it is dropped by one.
struct Unwinding<'a>(&'a Count);

impl Drop for Unwinding<'_> {
    fn drop(&mut self) {
        self.0.increase();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conn::{Conn, UnixConn};
    use crate::error::Result;
    use crate::network::UnixKind;
    use crate::serve::state::Limits;

    async fn echo(conn: Conn) -> Result<()> {
        loop {
            let bytes = conn.read_pooled().await?;
            if bytes.is_empty() {
                return Ok(());
            }
            conn.write_all(&bytes).await?;
        }
    }

    #[tokio::test]
    async fn a_simple_handler_fits_a_small_task() {
        let (conn, _peer) = UnixConn::pair(UnixKind::Stream).unwrap();
        let own = Own::new(Shared::new(Limits::default(), 1, Vec::new(), None), 0);
        own.counts.conns.increase();
        let task = Serve::new(echo(conn.into()), Ticket::new(own, None));
        // tokio keeps 104 bytes of its own beside it, and rounds up to a multiple of 128.
        let size = size_of_val(&task);
        assert!(size <= 256 - 104, "{size}");
    }
}
