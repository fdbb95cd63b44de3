//! A worker: a thread with a runtime of its own, or a task in somebody else's.

use std::io;
use std::sync::Arc;
use std::thread;

use rustix::thread::CpuSet;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::oneshot;

use super::draining::Draining;
use super::runner::{Door, Runner};
use super::spread::Placement;
use super::state::Shared;
use super::task::{OnThread, Own, Serve, Spawn};
use crate::conn::Conn;
use crate::error::Cause;
use crate::listen::{Acceptor, ListeningSocket};

/// What a handler may know of the worker it is made on; see [`Bound::serve_with`](super::Bound::serve_with).
pub struct Worker {
    own: Own,
}

impl Worker {
    /// Which of the server's workers it is, from 0.
    pub fn index(&self) -> usize {
        self.own.index()
    }

    /// Tells when a drain begins.
    pub fn draining(&self) -> Draining {
        self.own.draining()
    }
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("index", &self.index()).finish_non_exhaustive()
    }
}

/// A listening socket on its way to a worker.
pub(super) struct Assigned {
    pub(super) socket: ListeningSocket,
    pub(super) placement: Placement,
}

/// What a worker begins with.
pub(super) struct Assignment {
    pub(super) shared: Arc<Shared>,
    pub(super) index: usize,
    pub(super) sockets: Vec<Assigned>,
    pub(super) cpu: Option<usize>,
}

/// Tells the server that a worker is over, however it ended.
struct Exit(Own);

impl Drop for Exit {
    fn drop(&mut self) {
        self.0.drop_arrivals();
        self.0.shared().worker_ended();
    }
}

/// Whether a worker could begin; nothing if it panicked.
pub(super) type Started = oneshot::Receiver<Result<(), Cause>>;

impl Assignment {
    /// Starts a worker on a thread and in a runtime of its own.
    pub(super) fn start<M, H, F>(self, make: Arc<M>) -> io::Result<(thread::JoinHandle<()>, Started)>
    where
        M: Fn(&Worker) -> H + Send + Sync + 'static,
        H: Fn(Conn) -> F + 'static,
        F: Future + 'static,
    {
        let (started, starting) = oneshot::channel();
        let name = format!("landline-{}", self.index);
        let exit = Exit(Own::new(self.shared.clone(), self.index));
        let work = move || {
            // Dropped last: by then all is given up.
            let exit = exit;
            if let Some(cpu) = self.cpu {
                let mut cpus = CpuSet::new();
                cpus.set(cpu);
                // A CPU that may not be used, or is gone: the worker runs where it can.
                let _ = rustix::thread::sched_setaffinity(None, &cpus);
            }
            let built = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
            let runtime = match built {
                Ok(runtime) => runtime,
                Err(error) => return drop(started.send(Err(error.into()))),
            };
            let own = exit.0.clone();
            runtime.block_on(async {
                let doors = match open(self.sockets) {
                    Ok(doors) => doors,
                    Err(cause) => return drop(started.send(Err(cause))),
                };
                let handler = make(&Worker { own: own.clone() });
                drop(started.send(Ok(())));
                Runner::<H, OnThread>::new(own, handler, false).run(doors).await;
            });
            // Drops the conns that are left, and waits for no thread that somebody's `spawn_blocking` keeps busy.
            runtime.shutdown_background();
        };
        Ok((thread::Builder::new().name(name).spawn(work)?, starting))
    }

    /// Starts a worker as a task of the current runtime, that spawns its conns with `S`.
    pub(super) fn into_task<M, H, F, S>(self, make: M) -> Result<impl Future<Output = ()>, Cause>
    where
        M: FnOnce(&Worker) -> H,
        H: Fn(Conn) -> F,
        F: Future,
        S: Spawn<Serve<F>>,
    {
        let exit = Exit(Own::new(self.shared, self.index));
        let doors = open(self.sockets)?;
        let handler = make(&Worker { own: exit.0.clone() });
        Ok(async move {
            let exit = exit;
            Runner::<H, S>::new(exit.0.clone(), handler, true).run(doors).await;
        })
    }
}

/// Registers sockets with this runtime's reactor.
fn open(sockets: Vec<Assigned>) -> Result<Vec<Door>, Cause> {
    let open = |Assigned { socket, placement }| {
        let ListeningSocket { fd, network, local, .. } = socket;
        Ok(Door { acceptor: Acceptor::new(fd)?, network, local, placement })
    };
    sockets.into_iter().map(open).collect()
}
