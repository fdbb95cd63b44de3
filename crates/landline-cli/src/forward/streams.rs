//! Conns passed on.

use std::sync::Arc;

use landline::{Addr, Conn, Copier, Network, Progress, ProxyHeader, ProxyHeaderVersion, Result, Server};
use tokio::time::Instant;

use super::{Forward, Target, announce};
use crate::failure::Failure;
use crate::output;
use crate::signals;

/// What is to be done with every conn.
struct Way {
    target: Target,
    /// How long to wait for a header, if there is to be one.
    header_in: Option<std::time::Duration>,
    header_out: Option<ProxyHeaderVersion>,
}

impl Forward {
    pub(super) async fn conns(&self, network: Network, target: Target) -> std::result::Result<(), Failure> {
        let mut server = Server::new().max_conns(self.max_conns.get());
        if let Some(workers) = self.workers {
            server = server.workers(workers.get());
        }
        let way = Arc::new(Way {
            target,
            header_in: self.proxy_in.then_some(self.timeout.0),
            header_out: self.proxy_out.map(Into::into),
        });
        let bound = server.bind(network, &self.address).await;
        let bound = bound.map_err(|error| Failure::at(&self.address, &error))?;
        let local = bound.local_addr();
        let serving = bound
            .serve(move |conn| {
                let way = way.clone();
                async move { way.forward(conn).await }
            })
            .await?;
        signals::announcing(serving.drain_on_signals(self.drain.0), || announce(&local)).await??;
        Ok(())
    }
}

impl Way {
    /// Passes one conn on, to its end. What goes wrong is this conn's matter: it is told, and counted.
    async fn forward(&self, conn: Conn) {
        let counters = &self.target.counters;
        let _open = counters.opened();
        let progress = Progress::new();
        let ended = self.pass(&conn, &progress).await;
        counters.moved(progress.there(), progress.back());
        if let Err(error) = ended {
            counters.failed();
            let client = conn.peer_addr().map_or_else(|_| "a client".to_owned(), |addr| addr.to_string());
            output::complain(&format!("{client}: {error}"));
        }
    }

    async fn pass(&self, conn: &Conn, progress: &Progress) -> Result<()> {
        let (header, said) = self.header(conn).await?;
        let there = self.target.dial().await?;
        let mut prefix = match self.header_out {
            Some(version) => header.encode(version),
            None => Vec::new(),
        };
        prefix.extend(said);
        let mut copier = Copier::new().prefix(prefix).progress(progress);
        if let Some(idle) = self.target.idle {
            copier = copier.idle_timeout(idle.0);
        }
        copier.copy_both(conn, &there).await.map(|_| ())
    }

    /// Who the client is, and what it has said behind a header that said so.
    async fn header(&self, conn: &Conn) -> Result<(ProxyHeader, Vec<u8>)> {
        if let Some(patience) = self.header_in {
            conn.set_read_deadline(Instant::now() + patience);
            let received = ProxyHeader::receive(conn).await?;
            conn.set_read_deadline(None);
            return Ok(received);
        }
        let header = match self.header_out {
            Some(_) => own_header(&conn.peer_addr()?, &conn.local_addr()?),
            None => ProxyHeader::Local,
        };
        Ok((header, Vec::new()))
    }
}

impl Target {
    pub(super) async fn dial(&self) -> Result<Conn> {
        self.dialer.dial(self.network, &self.address).await
    }
}

fn own_header(source: &Addr, destination: &Addr) -> ProxyHeader {
    match (source.as_socket(), destination.as_socket()) {
        (Some(source), Some(destination)) => ProxyHeader::relayed(source, destination),
        // Of a Unix socket, nobody could make use of the name.
        _ => ProxyHeader::Local,
    }
}
