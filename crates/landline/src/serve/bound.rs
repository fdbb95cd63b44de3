//! A server that listens and does not serve yet.

use std::sync::Arc;

use rustix::io::Errno;
use rustix::thread::CpuSet;

use super::server::Server;
use super::serving::Serving;
use super::spread::Spread;
use super::state::Shared;
use super::task::{InRuntime, OnThread, Serve, Spawn};
use super::worker::{Assigned, Assignment, Worker};
use crate::addr::Addr;
use crate::conn::Conn;
use crate::error::{Cause, Error, Operation, Result};
use crate::listen::{Listener, ListeningSocket};
use crate::network::Network;
use crate::sys;

/// A server that listens already and serves nothing yet, from [`Server::bind`]: to know its address before it serves, to
/// serve several addresses as one, or to give each worker a handler of its own.
#[derive(Debug)]
#[must_use = "it listens, and serves only when it is told to"]
pub struct Bound {
    server: Server,
    groups: Vec<Group>,
}

/// The sockets of one address.
#[derive(Debug)]
struct Group {
    sockets: Vec<ListeningSocket>,
}

impl Bound {
    pub(super) async fn open(server: Server, network: Network, address: &str) -> Result<Bound> {
        let each = if server.chosen_spread().wants_sockets_each() { server.count() } else { 1 };
        let listeners = server.chosen_listen_config().listen_several(network, address, each).await?;
        let sockets = listeners.into_iter().map(Listener::into_socket).collect::<Result<_>>()?;
        Ok(Bound { server, groups: vec![Group { sockets }] })
    }

    /// Sockets of the same address are one group.
    pub(super) fn adopt(server: Server, listeners: impl Iterator<Item = Listener>) -> Result<Bound> {
        let mut groups: Vec<Group> = Vec::new();
        for listener in listeners {
            let socket = listener.into_socket()?;
            let same = |group: &&mut Group| {
                let first = &group.sockets[0];
                first.network == socket.network && first.local == socket.local
            };
            match groups.iter_mut().find(same) {
                Some(group) => group.sockets.push(socket),
                None => groups.push(Group { sockets: vec![socket] }),
            }
        }
        if groups.is_empty() {
            return Err(Error::new(
                Operation::Serve,
                Cause::System { call: "no listeners", error: Errno::INVAL },
            ));
        }
        Ok(Bound { server, groups })
    }

    /// The address listened on, with the port that the kernel chose where it was 0; of several the first.
    pub fn local_addr(&self) -> Addr {
        self.groups[0].sockets[0].local.clone()
    }

    /// Serves the conns of another as well, with its addresses after those of this one. The settings are those of this
    /// one.
    pub fn and(mut self, other: Bound) -> Bound {
        self.groups.extend(other.groups);
        self
    }

    /// [`Server::serve`].
    pub async fn serve<H, F>(self, handler: H) -> Result<Serving>
    where
        H: Fn(Conn) -> F + Send + Sync + 'static,
        F: Future + 'static,
    {
        let handler = Arc::new(handler);
        self.serve_with(move |_| {
            let handler = handler.clone();
            move |conn| handler(conn)
        })
        .await
    }

    /// Serves on threads of its own, with a handler that each worker makes for itself, on its own thread. So handlers can
    /// share what one thread keeps (an `Rc`, a cache without locks), and can know of drains; see
    /// [`Draining`](super::Draining).
    ///
    /// # Errors
    /// If a worker cannot be started.
    pub async fn serve_with<M, H, F>(self, make: M) -> Result<Serving>
    where
        M: Fn(&Worker) -> H + Send + Sync + 'static,
        H: Fn(Conn) -> F + 'static,
        F: Future + 'static,
    {
        let workers = self.server.count();
        let (serving, assignments) = self.assign(workers);
        let make = Arc::new(make);
        let failed = |cause: Cause| Error::new(Operation::Serve, cause);
        let mut starting = Vec::with_capacity(workers);
        for assignment in assignments {
            let (thread, started) = assignment.start(make.clone()).map_err(|error| failed(error.into()))?;
            serving.add_thread(thread);
            starting.push(started);
        }
        for started in starting {
            match started.await {
                Ok(Ok(())) => {}
                Ok(Err(cause)) => return Err(failed(cause)),
                Err(_) => return Err(failed(std::io::Error::other("a worker panicked as it began").into())),
            }
        }
        Ok(serving)
    }

    /// [`Server::serve_here`].
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn serve_here<H, F>(self, handler: H) -> Result<Serving>
    where
        H: Fn(Conn) -> F + Send + Sync + 'static,
        F: Future + Send + 'static,
    {
        self.serve_here_with(|_| handler)
    }

    /// [`Bound::serve_here`] with a handler that knows its worker.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn serve_here_with<M, H, F>(self, make: M) -> Result<Serving>
    where
        M: FnOnce(&Worker) -> H + 'static,
        H: Fn(Conn) -> F + Send + Sync + 'static,
        F: Future + Send + 'static,
    {
        let (serving, worker) = self.one_worker::<_, _, _, InRuntime>(make)?;
        drop(tokio::spawn(worker));
        Ok(serving)
    }

    /// [`Server::serve_local`].
    ///
    /// # Panics
    /// Outside of tokio's `LocalRuntime` and `LocalSet`.
    pub fn serve_local<H, F>(self, handler: H) -> Result<Serving>
    where
        H: Fn(Conn) -> F + 'static,
        F: Future + 'static,
    {
        self.serve_local_with(|_| handler)
    }

    /// [`Bound::serve_local`] with a handler that knows its worker.
    ///
    /// # Panics
    /// Outside of tokio's `LocalRuntime` and `LocalSet`.
    pub fn serve_local_with<M, H, F>(self, make: M) -> Result<Serving>
    where
        M: FnOnce(&Worker) -> H + 'static,
        H: Fn(Conn) -> F + 'static,
        F: Future + 'static,
    {
        let (serving, worker) = self.one_worker::<_, _, _, OnThread>(make)?;
        drop(tokio::task::spawn_local(worker));
        Ok(serving)
    }

    fn one_worker<M, H, F, S>(self, make: M) -> Result<(Serving, impl Future<Output = ()> + use<M, H, F, S>)>
    where
        M: FnOnce(&Worker) -> H + 'static,
        H: Fn(Conn) -> F,
        F: Future,
        S: Spawn<Serve<F>>,
    {
        let (serving, mut assignments) = self.assign(1);
        let worker = assignments.remove(0).into_task::<_, _, _, S>(make);
        Ok((serving, worker.map_err(|cause| Error::new(Operation::Serve, cause))?))
    }

    /// Gives every worker its share.
    fn assign(self, workers: usize) -> (Serving, Vec<Assignment>) {
        let Bound { server, mut groups } = self;
        let spread = server.chosen_spread();
        let cpus = match spread {
            Spread::IncomingCpu => usable_cpus(),
            _ => Vec::new(),
        };
        let cpu = |worker: usize| (!cpus.is_empty()).then(|| cpus[worker % cpus.len()]);
        let local = groups.iter().map(|group| group.sockets[0].local.clone()).collect();
        let paths = groups.iter_mut().flat_map(|group| &mut group.sockets);
        let paths = paths.filter_map(|socket| socket.bound.take()).collect();
        let shared = Shared::new(server.limits(), workers, paths);
        let assignment =
            |index| Assignment { shared: shared.clone(), index, sockets: Vec::new(), cpu: cpu(index) };
        let mut assignments: Vec<Assignment> = (0..workers).map(assignment).collect();
        for group in groups {
            let placement = spread.placement(group.sockets.len(), workers);
            for (index, socket) in group.sockets.into_iter().enumerate() {
                let worker = index % workers;
                if let Some(cpu) = cpu(worker) {
                    // A preference, so nothing is lost where the kernel does not know it.
                    let _ = sys::set_incoming_cpu(&socket.fd, cpu);
                }
                shared.accepting_begins();
                assignments[worker].sockets.push(Assigned { socket, placement });
            }
        }
        (Serving::new(shared, local), assignments)
    }
}

/// The CPUs that this process may use, in ascending order.
fn usable_cpus() -> Vec<usize> {
    match rustix::thread::sched_getaffinity(None) {
        Ok(set) => (0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect(),
        Err(_) => Vec::new(),
    }
}
