//! A server that listens and does not serve yet.

use std::sync::Arc;

use rustix::io::Errno;

use super::groups::Groups;
use super::restart::Predecessor;
use super::server::Server;
use super::serving::Serving;
use super::task::{InRuntime, OnThread};
use super::worker::Worker;
use crate::addr::Addr;
use crate::conn::Conn;
use crate::error::{Cause, Error, Operation, Result};
use crate::listen::Listener;
use crate::network::Network;

/// A server that listens already and serves nothing yet, from [`Server::bind`]: to know its address before it serves, to
/// serve several addresses as one, or to give each worker a handler of its own.
#[derive(Debug)]
#[must_use = "it listens, and serves only when it is told to"]
pub struct Bound {
    server: Server,
    groups: Groups,
}

impl Bound {
    pub(super) async fn open(server: Server, network: Network, address: &str) -> Result<Bound> {
        let predecessor = match server.restart_point() {
            Some(point) => Predecessor::call(point).await?,
            None => None,
        };
        let mut groups = Groups::new(predecessor);
        if !groups.take_over(network, address)? {
            let each = if server.chosen_spread().wants_sockets_each() { server.count() } else { 1 };
            let listeners = server.chosen_listen_config().listen_several(network, address, each).await?;
            let sockets = listeners.into_iter().map(Listener::into_socket).collect::<Result<_>>()?;
            groups.push(network, address, sockets);
        }
        Ok(Bound { server, groups })
    }

    /// Sockets of the same address are one group.
    pub(super) fn adopt(server: Server, listeners: impl Iterator<Item = Listener>) -> Result<Bound> {
        let mut groups = Groups::new(None);
        for listener in listeners {
            groups.adopt(listener.into_socket()?);
        }
        if groups.is_empty() {
            let cause = Cause::System { call: "no listeners", error: Errno::INVAL };
            return Err(Error::new(Operation::Serve, cause));
        }
        Ok(Bound { server, groups })
    }

    /// The address listened on, with the port that the kernel chose where it was 0; of several the first.
    pub fn local_addr(&self) -> Addr {
        self.groups.local_addrs()[0].clone()
    }

    /// Serves the conns of another as well, with its addresses after those of this one. The settings are those of this
    /// one.
    pub fn and(mut self, other: Bound) -> Bound {
        self.groups.append(other.groups);
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
        let assigned = self.groups.assign(&self.server, workers).await?;
        let make = Arc::new(make);
        assigned.start(|assignment| assignment.start(make.clone())).await
    }

    /// [`Server::serve_here`].
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn serve_here<H, F>(self, handler: H) -> Result<Serving>
    where
        H: Fn(Conn) -> F + Send + Sync + 'static,
        F: Future + Send + 'static,
    {
        self.serve_here_with(|_| handler).await
    }

    /// [`Bound::serve_here`] with a handler that knows its worker.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn serve_here_with<M, H, F>(self, make: M) -> Result<Serving>
    where
        M: FnOnce(&Worker) -> H,
        H: Fn(Conn) -> F + Send + Sync + 'static,
        F: Future + Send + 'static,
    {
        let mut assigned = self.groups.assign(&self.server, 1).await?;
        let assignment = assigned.take_one();
        let handler = make(&assignment.worker());
        drop(tokio::spawn(assignment.into_task::<_, _, InRuntime>(handler)?));
        Ok(assigned.served().await)
    }

    /// [`Server::serve_local`].
    ///
    /// # Panics
    /// Outside of tokio's `LocalRuntime` and `LocalSet`.
    pub async fn serve_local<H, F>(self, handler: H) -> Result<Serving>
    where
        H: Fn(Conn) -> F + 'static,
        F: Future + 'static,
    {
        self.serve_local_with(|_| handler).await
    }

    /// [`Bound::serve_local`] with a handler that knows its worker.
    ///
    /// # Panics
    /// Outside of tokio's `LocalRuntime` and `LocalSet`.
    pub async fn serve_local_with<M, H, F>(self, make: M) -> Result<Serving>
    where
        M: FnOnce(&Worker) -> H,
        H: Fn(Conn) -> F + 'static,
        F: Future + 'static,
    {
        let mut assigned = self.groups.assign(&self.server, 1).await?;
        let assignment = assigned.take_one();
        let handler = make(&assignment.worker());
        drop(tokio::task::spawn_local(assignment.into_task::<_, _, OnThread>(handler)?));
        Ok(assigned.served().await)
    }
}
