//! A worker: a thread with a runtime of its own, or a task in somebody else's.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;

use rustix::io::Errno;
use rustix::thread::CpuSet;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::oneshot;

use super::draining::Draining;
use super::restart::Answering;
use super::runner::{Door, Runner};
use super::spread::Placement;
use super::state::Shared;
use super::task::{OnThread, Own, Serve, Spawn};
use crate::conn::Conn;
use crate::error::{Error, Operation, Result};
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

/// A socket on its way to a worker.
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
    /// Makes what answers a successor, once it is in the worker's runtime.
    pub(super) answering: Option<OpenAnswering>,
}

pub(super) type OpenAnswering = Box<dyn FnOnce() -> Result<Answering> + Send>;

/// Tells the server that a worker is over, however it ended.
struct Exit(Own);

impl Drop for Exit {
    fn drop(&mut self) {
        self.0.traffic.set_home(None);
        self.0.drop_arrivals();
        if thread::panicking() {
            self.0.shared().worker_panicked();
        }
        self.0.shared().worker_ended();
    }
}

/// Tells whoever starts a worker that it serves, or why it cannot.
pub(super) type Start = oneshot::Sender<Result<()>>;

/// The same for whoever starts it; nothing if it panicked.
pub(super) type Started = oneshot::Receiver<Result<()>>;

impl Assignment {
    /// Starts a worker that serves conns, on a thread and in a runtime of its own.
    pub(super) fn start<M, H, F>(self, make: Arc<M>) -> io::Result<(thread::JoinHandle<()>, Started)>
    where
        M: Fn(&Worker) -> H + Send + Sync + 'static,
        H: Fn(Conn) -> F + 'static,
        F: Future + 'static,
    {
        self.start_with(move |assignment, own, start| async move {
            match assignment.open() {
                Ok((doors, answering)) => {
                    let handler = make(&Worker { own: own.clone() });
                    let _ = start.send(Ok(()));
                    Runner::<H, OnThread>::new(own, handler, false).run(doors, answering).await;
                }
                Err(error) => drop(start.send(Err(error))),
            }
        })
    }

    /// Starts a worker that does `work`.
    pub(super) fn start_with<W, F>(mut self, work: W) -> io::Result<(thread::JoinHandle<()>, Started)>
    where
        W: FnOnce(Assignment, Own, Start) -> F + Send + 'static,
        F: Future<Output = ()>,
    {
        let (start, started) = oneshot::channel();
        let name = format!("landline-{}", self.index);
        let exit = Exit(self.own());
        let cpu = self.cpu.take();
        let run = move || {
            // Dropped last: by then all is given up.
            let exit = exit;
            if let Some(cpu) = cpu {
                let mut cpus = CpuSet::new();
                cpus.set(cpu);
                // A CPU that may not be used, or is gone: the worker runs where it can.
                let _ = rustix::thread::sched_setaffinity(None, &cpus);
            }
            let built = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
            match built {
                Ok(runtime) => {
                    runtime.block_on(work(self, exit.0.clone(), start));
                    // Drops what is left, and waits for no thread that somebody's `spawn_blocking` keeps busy.
                    runtime.shutdown_background();
                }
                Err(error) => drop(start.send(Err(Error::new(Operation::Serve, error)))),
            }
        };
        Ok((thread::Builder::new().name(name).spawn(run)?, started))
    }

    /// Starts a worker as a task of the current runtime, that spawns its conns with `S`.
    pub(super) fn into_task<H, F, S>(self, handler: H) -> Result<impl Future<Output = ()>>
    where
        H: Fn(Conn) -> F,
        F: Future,
        S: Spawn<Serve<F>>,
    {
        let exit = Exit(self.own());
        let (doors, answering) = self.open()?;
        Ok(async move {
            let exit = exit;
            Runner::<H, S>::new(exit.0.clone(), handler, true).run(doors, answering).await;
        })
    }

    /// The one socket of a worker that accepts nothing, and what answers a successor.
    pub(super) fn into_socket(mut self) -> Result<(OwnedFd, Option<Answering>)> {
        let answering = self.answering.take().map(|open| open()).transpose()?;
        match self.sockets.pop() {
            Some(Assigned { socket, .. }) => Ok((socket.fd, answering)),
            None => Err(Error::new(Operation::Serve, Errno::INVAL)),
        }
    }

    pub(super) fn worker(&self) -> Worker {
        Worker { own: self.own() }
    }

    fn own(&self) -> Own {
        Own::new(self.shared.clone(), self.index)
    }

    /// Registers sockets with this runtime's reactor.
    fn open(self) -> Result<(Vec<Door>, Option<Answering>)> {
        let open = |Assigned { socket, placement }| {
            let ListeningSocket { fd, network, local, .. } = socket;
            let acceptor =
                Acceptor::new(fd).map_err(|error| Error::new(Operation::Serve, error).on(network))?;
            Ok(Door { acceptor, network, local, placement })
        };
        let doors = self.sockets.into_iter().map(open).collect::<Result<_>>()?;
        let answering = self.answering.map(|open| open()).transpose()?;
        Ok((doors, answering))
    }
}
