//! Datagrams passed on: a session for each sender.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use landline::{Conn, ListenConfig, Network, PacketConn};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Forward, Target, announce};
use crate::failure::Failure;
use crate::output;
use crate::signals;

/// How long a session lasts in which nothing moves; RFC 4787 section 4.3 wants two minutes at least of a NAT, but this one
/// keeps a descriptor for each.
const IDLE: Duration = Duration::from_secs(60);
/// The longest datagram.
const DATAGRAM: usize = 64 * 1024;
/// How many datagrams a session may be behind; more are dropped, as by a router.
const QUEUE: usize = 64;

/// What a session is told.
type Inbox = mpsc::Sender<Vec<u8>>;

impl Forward {
    pub(super) async fn sessions(&self, network: Network, target: Target) -> Result<(), Failure> {
        let front = ListenConfig::new().listen_packet(network, &self.address).await;
        let front = Arc::new(front.map_err(|error| Failure::at(&self.address, &error))?);
        let local = front.local_addr()?;
        signals::announcing(self.pass_datagrams(&front, target), || announce(&local)).await
    }

    /// Until a signal asks it to end.
    async fn pass_datagrams(&self, front: &Arc<PacketConn>, target: Target) {
        let target = Arc::new(target);
        let idle = self.idle.map_or(IDLE, |idle| idle.0);
        let mut sessions: HashMap<SocketAddr, Inbox> = HashMap::new();
        // Dropped at the end, and with it every session.
        let mut running = JoinSet::new();
        let mut buffer = vec![0; DATAGRAM];
        let ended = async {
            // Without a way to hear of signals, they end the program as they do any other.
            if signals::asked_to_end().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::pin!(ended);
        loop {
            tokio::select! {
                biased;
                () = &mut ended => return,
                Some(Ok(sender)) = running.join_next() => {
                    sessions.remove(&sender);
                }
                received = front.recv_from(&mut buffer) => {
                    // An ICMP error for a sender that has gone is nobody's matter here.
                    let Ok(received) = received else { continue };
                    let Some(from) = received.from.as_socket() else { continue };
                    let datagram = buffer[..received.len].to_vec();
                    // A session that ended just now has left its inbox.
                    let inbox = sessions.get(&from).filter(|inbox| !inbox.is_closed());
                    let inbox = match inbox {
                        Some(inbox) => inbox,
                        None if running.len() >= self.max_conns.get() => {
                            target.counters.refused();
                            continue;
                        }
                        None => {
                            let (inbox, arrivals) = mpsc::channel(QUEUE);
                            let (front, target) = (front.clone(), target.clone());
                            running.spawn(async move {
                                session(&front, from, &target, arrivals, idle).await;
                                from
                            });
                            sessions.insert(from, inbox);
                            &sessions[&from]
                        }
                    };
                    if inbox.try_send(datagram).is_err() {
                        target.counters.dropped();
                    }
                }
            }
        }
    }
}

/// One sender's: what it says goes to the target, and the answers back, until nothing moves for `idle`.
async fn session(
    front: &PacketConn,
    sender: SocketAddr,
    target: &Target,
    mut arrivals: mpsc::Receiver<Vec<u8>>,
    idle: Duration,
) {
    let _open = target.counters.opened();
    let there = match target.dial().await {
        Ok(there) => there,
        Err(error) => return failed(target, sender, &error),
    };
    loop {
        let moved = timeout(idle, async {
            tokio::select! {
                Some(datagram) = arrivals.recv() => send(&there, &datagram).await,
                answer = there.read_pooled() => {
                    let answer = answer?;
                    // The end of a stream is the session's; a datagram may be empty.
                    if answer.is_empty() && !target.network.is_packet() {
                        return Ok(None);
                    }
                    front.send_to(&answer, &sender.into()).await?;
                    Ok(Some((0, answer.len())))
                }
            }
        });
        match moved.await {
            Ok(Ok(Some((to, back)))) => target.counters.moved(to as u64, back as u64),
            Ok(Ok(None)) | Err(_) => return,
            // Nobody at the port just now, or no way: a datagram was lost, as datagrams are.
            Ok(Err(error)) if target.network.is_packet() && !error.is_closed() => target.counters.dropped(),
            Ok(Err(error)) => return failed(target, sender, &error),
        }
    }
}

async fn send(there: &Conn, datagram: &[u8]) -> landline::Result<Option<(usize, usize)>> {
    there.write_all(datagram).await?;
    Ok(Some((datagram.len(), 0)))
}

fn failed(target: &Target, sender: SocketAddr, error: &landline::Error) {
    target.counters.failed();
    output::complain(&format!("{sender}: {error}"));
}
