//! Serving packets: a UDP socket for each worker.

use std::future::pending;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::groups::Groups;
use super::restart::Predecessor;
use super::server::{Server, parsed};
use super::serving::Serving;
use super::task::{OnThread, Own, Serve, Spawn, Ticket};
use super::worker::{Assignment, Start};
use crate::addr::{AddressError, AddressErrorKind};
use crate::conn::{PacketConn, UdpBatchConn, UdpConn};
use crate::error::{Cause, Error, Operation, Result};
use crate::fd::{Monitor, NetFd};
use crate::listen::ListeningSocket;
use crate::network::{Network, ToNetwork};

impl Server {
    /// Serves UDP: each worker has a socket of its own at the same address, among which the kernel spreads senders by a hash
    /// of the addresses (`SO_REUSEPORT`, socket(7)), and runs the handler once, with that socket. It sends and receives
    /// in batches.
    ///
    /// A handler is to serve until its socket fails. If it returns or panics before, it is called again with the same
    /// socket, where what has arrived meanwhile waits, after a pause of 10 ms at first and a second at most. When a drain
    /// begins, receiving fails with a timeout ([`Error::is_timeout`]) and sending goes on, so that the handler can finish
    /// what it has begun, and return. At the deadline it is dropped.
    ///
    /// Of the server's settings, those about conns have no meaning here; in the counters, each worker's socket is a conn.
    /// Of [`Spread`](crate::Spread), only whether the CPU of a packet counts does.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> landline::Result<()> {
    /// use std::time::Duration;
    /// use landline::{RecvBatch, SendBatch, Server, UdpBatchConn};
    ///
    /// async fn echo(socket: UdpBatchConn) -> landline::Result<()> {
    ///     let mut batch = RecvBatch::new();
    ///     loop {
    ///         socket.recv_batch(&mut batch).await?;
    ///         for datagram in batch.datagrams() {
    ///             let answer = SendBatch::new(datagram.bytes, datagram.bytes.len().max(1)).to(datagram.from);
    ///             // One whom nothing reaches is no trouble of the others'.
    ///             let _ = socket.send_batch(&answer).await;
    ///         }
    ///     }
    /// }
    ///
    /// let serving = Server::new().workers(2).serve_packets("udp", "127.0.0.1:0", echo).await?;
    /// let client = landline::dial("udp", &serving.local_addr().to_string()).await?;
    /// client.write_all(b"hello").await?;
    /// assert_eq!(client.read(&mut [0; 16]).await?, 5);
    /// serving.shutdown(Duration::from_secs(1)).await;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If the network is not `udp`, `udp4` or `udp6`, it cannot listen, or a worker cannot be started.
    pub async fn serve_packets<H, F>(
        &self,
        network: impl ToNetwork,
        address: &str,
        handler: H,
    ) -> Result<Serving>
    where
        H: Fn(UdpBatchConn) -> F + Send + Sync + 'static,
        F: Future + 'static,
    {
        let network = parsed(&network, address)?;
        if !matches!(network, Network::Udp(_)) {
            let kind = AddressErrorKind::Invalid(format!("{network} is not UDP"));
            return Err(Error::new(Operation::Listen, AddressError::new(address, kind)).on(network));
        }
        let groups = self.open_packets(network, address).await?;
        // More would have nothing to receive from.
        let workers = groups.sockets_of_first();
        let handler = Arc::new(handler);
        let shares = groups.assign(self, workers).await?;
        shares
            .start(|assignment| {
                let handler = handler.clone();
                assignment.start_with(move |assignment, own, start| serve(assignment, own, start, handler))
            })
            .await
    }

    async fn open_packets(&self, network: Network, address: &str) -> Result<Groups> {
        let mut groups = Groups::new(match self.restart_point() {
            Some(point) => Predecessor::call(point).await?,
            None => None,
        });
        if !groups.take_over(network, address)? {
            let conns =
                self.chosen_listen_config().listen_packet_several(network, address, self.count()).await?;
            let socket = |conn: PacketConn| match conn.into_udp() {
                Ok(conn) => {
                    let local = conn.local_addr()?.into();
                    Ok(ListeningSocket { bound: None, fd: conn.into_owned_fd()?, network, local })
                }
                Err(_) => unreachable!("asked for UDP"),
            };
            let sockets = conns.into_iter().map(socket).collect::<Result<_>>()?;
            groups.push(network, address, sockets);
        }
        Ok(groups)
    }
}

/// What a worker does.
async fn serve<H, F>(assignment: Assignment, own: Own, start: Start, handler: Arc<H>)
where
    H: Fn(UdpBatchConn) -> F + 'static,
    F: Future + 'static,
{
    let (socket, answering) = match assignment.into_socket() {
        Ok(parts) => parts,
        Err(error) => return drop(start.send(Err(error))),
    };
    // Tried once, so that a failure is told to whoever starts the server.
    let first = match open(&socket, &own) {
        Ok(opened) => opened,
        Err(cause) => return drop(start.send(Err(Error::new(Operation::Serve, cause)))),
    };
    let _ = start.send(Ok(()));
    let answering = async {
        if let Some(answering) = answering {
            answering.run(&own).await;
        }
        pending::<()>().await;
    };
    tokio::select! {
        biased;
        () = own.shared().wait_for_cut() => {}
        () = again_and_again(socket, first, &own, &handler) => {}
        () = answering => {}
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Calls the handler until a drain begins.
async fn again_and_again<H, F>(socket: OwnedFd, first: (UdpBatchConn, Monitor), own: &Own, handler: &Arc<H>)
where
    H: Fn(UdpBatchConn) -> F + 'static,
    F: Future + 'static,
{
    let draining = own.draining();
    let mut opened = Some(first);
    let mut pause = FIRST_PAUSE;
    loop {
        if let Some((conn, monitor)) = opened.take() {
            let began = Instant::now();
            own.counts.conns.increase();
            let ticket = Ticket::new(own.clone(), None);
            let handler = handler.clone();
            // A task of its own, so that nothing else is looked at for every batch. What panics, tokio catches.
            let mut served = OnThread::spawn(Serve::new(async move { handler(conn).await }, ticket));
            tokio::select! {
                _ = &mut served => {}
                () = draining.begun() => {
                    monitor.expire_reads();
                    let _ = served.await;
                    return;
                }
            }
            if began.elapsed() > LONGEST_PAUSE {
                pause = FIRST_PAUSE;
            }
        }
        if draining.has_begun() {
            return;
        }
        tokio::select! {
            () = draining.begun() => return,
            () = sleep(pause) => {}
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
        own.counts.restarts.increase();
        opened = open(&socket, own).ok();
    }
}

/// The worker's socket, for one run of the handler.
fn open(socket: &OwnedFd, own: &Own) -> Result<(UdpBatchConn, Monitor), Cause> {
    let fd = NetFd::metered(socket.try_clone()?, own.traffic.clone())?;
    let monitor = fd.monitor();
    let conn = UdpConn::new(fd, None).into_batched().map_err(|error| error.cause().clone())?;
    Ok((conn, monitor))
}
