//! Conns passed on.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use landline::serve::Drained;
use landline::{
    Addr, Conn, Copier, Error, Network, Operation, ProxyHeader, ProxyHeaderVersion, Result, Server,
};
use tokio::time::{Instant, sleep};

use super::counters::Open;
use super::target::Target;
use super::{Forward, IDLE, announce};
use crate::failure::Failure;
use crate::output;
use crate::reset::Unfinished;
use crate::signals;

/// What is to be done with every conn.
struct Way {
    target: Target,
    /// How long to wait for a header, if there is to be one.
    header_in: Option<Duration>,
    header_out: Option<ProxyHeaderVersion>,
}

/// Why a conn was not passed on to its end.
enum Broken {
    Failed(Error),
    /// Nothing has moved for so long.
    Idle(Duration),
    /// The client has reset its conn while its target was being dialed.
    ClientGone,
}

impl From<Error> for Broken {
    fn from(error: Error) -> Broken {
        Broken::Failed(error)
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::Failed(error) => error.fmt(f),
            Broken::Idle(idle) => write!(f, "timeout: nothing has moved for {idle:?} (--idle)"),
            Broken::ClientGone => f.write_str("connection reset by the client before its target was reached"),
        }
    }
}

impl Forward {
    pub(super) async fn conns(
        &self,
        network: Network,
        target: Target,
    ) -> std::result::Result<Drained, Failure> {
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
        // Before anybody is served who would be cut off by one.
        let mut signals = signals::to_end()?;
        let serving = bound
            .serve(move |conn| {
                let way = way.clone();
                async move { way.forward(conn).await }
            })
            .await?;
        announce(&local)?;
        Ok(serving.drain_on(&mut signals, self.drain.0).await?)
    }
}

impl Way {
    /// Passes one conn on, to its end. What goes wrong is this conn's matter: it is told, and counted.
    async fn forward(&self, conn: Conn) {
        let open = self.target.counters.opened();
        if let Err(broken) = self.pass(&conn, &open).await {
            self.target.counters.failed();
            let client = conn.peer_addr().map_or_else(|_| "a client".to_owned(), |addr| addr.to_string());
            output::complain(&format!("{client}: {broken}"));
        }
    }

    async fn pass(&self, conn: &Conn, open: &Open<'_>) -> std::result::Result<(), Broken> {
        let client = Unfinished::new(conn);
        let (header, said) = self.header(conn).await?;
        let there = self.target.dial_for(conn).await?.ok_or(Broken::ClientGone)?;
        let server = Unfinished::new(&there);
        let mut prefix = match self.header_out {
            Some(version) => header.encode(version),
            None => Vec::new(),
        };
        prefix.extend(said);
        if self.target.network.is_packet() {
            self.pass_to_packets(conn, &there, prefix, open).await?;
        } else {
            let mut copier = Copier::new().prefix(prefix).progress(open.progress());
            if let Some(idle) = self.target.idle {
                copier = copier.idle_timeout(idle);
            }
            copier.copy_both(conn, &there).await.map_err(|error| match self.target.idle {
                Some(idle) if error.is_timeout() && error.operation() == Operation::Copy => {
                    Broken::Idle(idle)
                }
                _ => Broken::Failed(error),
            })?;
        }
        client.finished();
        server.finished();
        Ok(())
    }

    /// Between a client and what has no end. When the client has ended, it is over as soon as no answer has come for a
    /// while; before that, when nothing has moved for the time that a session has.
    async fn pass_to_packets(
        &self,
        conn: &Conn,
        there: &Conn,
        prefix: Vec<u8>,
        open: &Open<'_>,
    ) -> std::result::Result<(), Broken> {
        let idle = self.target.idle.unwrap_or(IDLE);
        let counted = open.own();
        let mut to =
            pin!(async { Copier::new().prefix(prefix).progress(counted.to()).copy(conn, there).await });
        let mut back = pin!(async { Copier::new().progress(counted.back()).copy(there, conn).await });
        let (mut seen, mut since, mut has_ended) = (0, Instant::now(), false);
        loop {
            let patience = if has_ended { idle.min(self.target.timeout) } else { idle };
            tokio::select! {
                sent = &mut to, if !has_ended => {
                    sent?;
                    (has_ended, since) = (true, Instant::now());
                }
                received = &mut back => return Ok(received.map(drop)?),
                () = sleep((patience / LOOKS).min(LONGEST_LOOK)) => {
                    let moved = counted.settle();
                    if moved != seen {
                        (seen, since) = (moved, Instant::now());
                    } else if since.elapsed() >= patience {
                        return if has_ended { Ok(()) } else { Err(Broken::Idle(idle)) };
                    }
                }
            }
        }
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

/// A silence is noticed within a quarter of its length, or a second.
const LOOKS: u32 = 4;
const LONGEST_LOOK: Duration = Duration::from_secs(1);

fn own_header(source: &Addr, destination: &Addr) -> ProxyHeader {
    match (source.as_socket(), destination.as_socket()) {
        (Some(source), Some(destination)) => ProxyHeader::relayed(source, destination),
        // Of a Unix socket, nobody could make use of the name.
        _ => ProxyHeader::Local,
    }
}
