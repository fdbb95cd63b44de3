//! The side of the server that runs: giving its sockets away.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::Instant;

use super::PROMPT;
use super::message::{LONGEST, MOST_SOCKETS, Message};
use crate::conn::UnixConn;
use crate::error::{Error, Operation, Result};
use crate::listen::UnixListener;
use crate::network::Network;
use crate::serve::state::Promise;
use crate::serve::task::Own;

/// Copies of all sockets of a server, kept for its successor.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) addresses: Vec<(Network, String, Vec<OwnedFd>)>,
    pub(crate) point: OwnedFd,
}

/// So many may call at once; others wait.
const MOST_CALLERS: usize = 8;

/// The socket on which successors call, in the reactor of the worker that answers.
pub(crate) struct Answering {
    listener: UnixListener,
    drain: Duration,
}

impl Answering {
    pub(crate) fn new(point: OwnedFd, drain: Duration) -> Result<Answering> {
        Ok(Answering { listener: UnixListener::from_owned_fd(point)?, drain })
    }

    /// Answers all who call, until one has taken over, or the server ends in another way. Then the copies of its sockets
    /// are closed as it closes its own, and only those who have been sent them are still listened to.
    pub(crate) async fn run(self, own: &Own) {
        let mut kept = own.shared().kept();
        let draining = own.draining();
        let mut callers = FuturesUnordered::new();
        loop {
            tokio::select! {
                caller = self.listener.accept(), if kept.is_some() && callers.len() < MOST_CALLERS => {
                    match (caller, &kept) {
                        (Ok(caller), Some(kept)) => callers.push(answer(caller, kept.clone(), own)),
                        // The socket is of no more use; the server goes on without.
                        _ => return,
                    }
                }
                () = draining.begun(), if kept.is_some() => kept = None,
                Some(taken_over) = callers.next() => {
                    if let Ok(Some((successor, _promise))) = taken_over {
                        own.shared().hand_over(self.drain);
                        // Whether or not it hears of it.
                        let _ = successor.write(&Message::Done.encode()).await;
                        return;
                    }
                }
                else => return,
            }
        }
    }
}

/// Sends everything, and waits for the word that it is served; `None` if the caller goes away before.
async fn answer(caller: UnixConn, kept: Arc<Kept>, own: &Own) -> Result<Option<(UnixConn, Promise<'_>)>> {
    caller.set_deadline(Instant::now() + PROMPT);
    let draining = own.draining();
    let is_sent = tokio::select! {
        biased;
        is_sent = send_all(&caller, &kept) => is_sent?,
        () = draining.begun() => false,
    };
    drop(kept);
    let Some(promise) = is_sent.then(|| own.shared().promise()).flatten() else { return Ok(None) };
    match end_and_wait(&caller).await {
        Ok(true) => Ok(Some((caller, promise))),
        gone => {
            promise.cancel();
            gone.map(|_| None)
        }
    }
}

/// False for whoever is not to have it.
async fn send_all(caller: &UnixConn, kept: &Kept) -> Result<bool> {
    // Whoever may act for this user, and nobody else.
    let (user, own) = (caller.peer_credentials()?.uid, rustix::process::geteuid().as_raw());
    if user != own && user != 0 {
        return Ok(false);
    }
    if listen_for(caller).await? != Some(Message::Hello) {
        return Ok(false);
    }
    for (network, address, sockets) in &kept.addresses {
        let message = Message::Sockets { network: *network, address: address.clone() }.encode();
        for sockets in sockets.chunks(MOST_SOCKETS) {
            let sockets: Vec<BorrowedFd<'_>> = sockets.iter().map(AsFd::as_fd).collect();
            caller.send_msg(&message, &sockets, None).await?;
        }
    }
    caller.send_msg(&Message::Point.encode(), &[kept.point.as_fd()], None).await?;
    Ok(true)
}

/// Whether the caller serves, after it was told that it has everything.
async fn end_and_wait(caller: &UnixConn) -> Result<bool> {
    caller.write(&Message::End.encode()).await?;
    // It may have much to prepare, and while it does nothing is lost.
    caller.set_deadline(None);
    let is_ready = listen_for(caller).await? == Some(Message::Ready);
    caller.set_deadline(Instant::now() + PROMPT);
    Ok(is_ready)
}

/// The caller's next words; `None` if it has gone.
async fn listen_for(caller: &UnixConn) -> Result<Option<Message>> {
    let mut buffer = [0; LONGEST];
    let count = caller.read(&mut buffer).await?;
    if count == 0 {
        return Ok(None);
    }
    let not_understood = |error| Error::new(Operation::Serve, std::io::Error::other(error));
    Message::decode(&buffer[..count]).map(Some).map_err(not_understood)
}
