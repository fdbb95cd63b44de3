//! The sockets of a server, and which worker gets which.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;

use rustix::io::Errno;
use rustix::thread::CpuSet;

use super::restart::{Answering, Kept, Point, Predecessor};
use super::server::Server;
use super::serving::Serving;
use super::spread::Spread;
use super::state::Shared;
use super::worker::{Assigned, Assignment, Started};
use crate::addr::Addr;
use crate::conn::UdpConn;
use crate::error::{Error, Operation, Result};
use crate::listen::{Listener, ListeningSocket, TcpListener, UnixListener};
use crate::network::Network;
use crate::socket::BoundPath;
use crate::sys;

/// The sockets of all addresses, and who they were taken over from.
#[derive(Debug)]
pub(super) struct Groups {
    groups: Vec<Group>,
    predecessors: Vec<Predecessor>,
}

/// The sockets of one address.
#[derive(Debug)]
struct Group {
    network: Network,
    /// As it was written, by which a successor knows it.
    address: String,
    sockets: Vec<ListeningSocket>,
}

/// Every worker's share, and what is to be done once they serve.
pub(super) struct Shares {
    serving: Serving,
    assignments: Vec<Assignment>,
    predecessors: Vec<Predecessor>,
}

impl Groups {
    pub(super) fn new(predecessor: Option<Predecessor>) -> Groups {
        Groups { groups: Vec::new(), predecessors: predecessor.into_iter().collect() }
    }

    /// Takes over the sockets of an address from the predecessor; false if it has none.
    pub(super) fn take_over(&mut self, network: Network, address: &str) -> Result<bool> {
        let Some(predecessor) = self.predecessors.first_mut() else { return Ok(false) };
        let sockets = predecessor.take(network, address);
        if sockets.is_empty() {
            return Ok(false);
        }
        let sockets = sockets.into_iter().map(|fd| taken_over(network, fd)).collect::<Result<_>>()?;
        self.push(network, address, sockets);
        Ok(true)
    }

    pub(super) fn push(&mut self, network: Network, address: &str, sockets: Vec<ListeningSocket>) {
        self.groups.push(Group { network, address: address.to_owned(), sockets });
    }

    /// Adds a socket to those of the same address.
    pub(super) fn adopt(&mut self, socket: ListeningSocket) {
        let same = |group: &&mut Group| {
            let first = &group.sockets[0];
            first.network == socket.network && first.local == socket.local
        };
        match self.groups.iter_mut().find(same) {
            Some(group) => group.sockets.push(socket),
            None => {
                let address = socket.local.to_string();
                self.push(socket.network, &address, vec![socket]);
            }
        }
    }

    pub(super) fn append(&mut self, other: Groups) {
        self.groups.extend(other.groups);
        self.predecessors.extend(other.predecessors);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// How many the first address has.
    pub(super) fn sockets_of_first(&self) -> usize {
        self.groups.first().map_or(0, |group| group.sockets.len())
    }

    pub(super) fn local_addrs(&self) -> Vec<Addr> {
        self.groups.iter().map(|group| group.sockets[0].local.clone()).collect()
    }

    /// Gives every worker its share.
    pub(super) async fn assign(mut self, server: &Server, workers: usize) -> Result<Shares> {
        let spread = server.chosen_spread();
        let cpus = match spread {
            Spread::IncomingCpu => usable_cpus(),
            _ => Vec::new(),
        };
        let cpu = |worker: usize| (!cpus.is_empty()).then(|| cpus[worker % cpus.len()]);
        let mut paths: Vec<BoundPath> = self.sockets().filter_map(|socket| socket.bound.take()).collect();
        let local = self.local_addrs();
        let succession = match server.restart_point() {
            Some(point) => Some(self.prepare_succession(point, &mut paths).await?),
            None => None,
        };
        let (kept, mut answering) = succession.unzip();
        let shared = Shared::new(server.limits(), workers, paths, kept);
        let mut assignments: Vec<Assignment> = (0..workers)
            .map(|index| Assignment {
                shared: shared.clone(),
                index,
                sockets: Vec::new(),
                cpu: cpu(index),
                answering: answering.take(),
            })
            .collect();
        for group in self.groups {
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
        let serving = Serving::new(shared, local);
        Ok(Shares { serving, assignments, predecessors: self.predecessors })
    }

    /// Copies of all sockets, and what will answer a successor.
    async fn prepare_succession(
        &mut self,
        point: &Point,
        paths: &mut Vec<BoundPath>,
    ) -> Result<(Arc<Kept>, super::worker::OpenAnswering)> {
        let failed = |error: io::Error| Error::new(Operation::Serve, error);
        let (fd, path) = match self.predecessors.iter_mut().find_map(Predecessor::take_point) {
            Some(fd) => {
                let ListeningSocket { fd, bound, .. } = taken_over(point.network(), fd)?;
                (fd, bound)
            }
            None => point.listen().await?,
        };
        paths.extend(path);
        let copies = |group: &Group| -> io::Result<_> {
            let copies =
                group.sockets.iter().map(|socket| socket.fd.try_clone()).collect::<io::Result<_>>()?;
            Ok((group.network, group.address.clone(), copies))
        };
        let addresses = self.groups.iter().map(copies).collect::<io::Result<_>>().map_err(failed)?;
        let kept = Arc::new(Kept { addresses, point: fd.try_clone().map_err(failed)? });
        let drain = point.drain;
        Ok((kept, Box::new(move || Answering::new(fd, drain))))
    }

    fn sockets(&mut self) -> impl Iterator<Item = &mut ListeningSocket> {
        self.groups.iter_mut().flat_map(|group| &mut group.sockets)
    }
}

impl Shares {
    /// The only worker's.
    pub(super) fn take_one(&mut self) -> Assignment {
        self.assignments.remove(0)
    }

    /// Starts all workers on threads, and waits until they serve.
    pub(super) async fn start(
        mut self,
        start: impl Fn(Assignment) -> io::Result<(JoinHandle<()>, Started)>,
    ) -> Result<Serving> {
        let failed = |error: io::Error| Error::new(Operation::Serve, error);
        let mut starting = Vec::with_capacity(self.assignments.len());
        for assignment in self.assignments.drain(..) {
            let (thread, started) = start(assignment).map_err(failed)?;
            self.serving.add_thread(thread);
            starting.push(started);
        }
        for started in starting {
            started.await.map_err(|_| failed(io::Error::other("a worker panicked as it began")))??;
        }
        Ok(self.served().await)
    }

    /// All is served: whoever served it before is no longer needed.
    pub(super) async fn served(self) -> Serving {
        for predecessor in self.predecessors {
            predecessor.relieve().await;
        }
        self.serving
    }
}

/// A socket that a predecessor sent, looked at before it is trusted to be what it was called.
fn taken_over(network: Network, fd: OwnedFd) -> Result<ListeningSocket> {
    let mut socket = match network {
        Network::Tcp(_) => Listener::from(TcpListener::from_owned_fd(fd)?).into_socket()?,
        Network::Udp(_) => {
            let conn = UdpConn::from_owned_fd(fd)?;
            let local = conn.local_addr()?.into();
            ListeningSocket { bound: None, fd: conn.into_owned_fd()?, network, local }
        }
        Network::Unix(_) => Listener::from(UnixListener::from_owned_fd(fd)?).into_socket()?,
        Network::Ip(..) => return Err(Error::new(Operation::Serve, Errno::PROTONOSUPPORT).on(network)),
    };
    // Its file is ours to remove now.
    socket.bound = socket.local.as_unix().and_then(BoundPath::of);
    Ok(socket)
}

/// The CPUs that this process may use, in ascending order.
fn usable_cpus() -> Vec<usize> {
    match rustix::thread::sched_getaffinity(None) {
        Ok(set) => (0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect(),
        Err(_) => Vec::new(),
    }
}
