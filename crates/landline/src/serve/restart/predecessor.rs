//! The successor's side: taking over from the server that runs.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use tokio::time::{Instant, sleep};

use super::message::{LONGEST, MOST_SOCKETS, Message};
use super::{PROMPT, Point};
use crate::conn::UnixConn;
use crate::dial::Dialer;
use crate::error::{Cause, Error, Operation, Result};
use crate::network::Network;

/// A server that runs, and that has sent its sockets. Dropped before [`Predecessor::relieve`], it goes on as before.
#[derive(Debug)]
pub(crate) struct Predecessor {
    conn: UnixConn,
    sockets: Vec<(Network, String, OwnedFd)>,
    point: Option<OwnedFd>,
}

/// A server that is called while it ends is called again, in case another takes its place.
const CALLS: u32 = 50;
const BETWEEN_CALLS: Duration = Duration::from_millis(20);

impl Predecessor {
    /// Calls the server that runs; `None` if there is none.
    pub(crate) async fn call(point: &Point) -> Result<Option<Predecessor>> {
        for _ in 0..CALLS {
            let Some(conn) = dial(point).await? else { return Ok(None) };
            conn.set_deadline(Instant::now() + PROMPT);
            let mut predecessor = Predecessor { conn, sockets: Vec::new(), point: None };
            if predecessor.receive().await? {
                predecessor.conn.set_deadline(None);
                return Ok(Some(predecessor));
            }
            sleep(BETWEEN_CALLS).await;
        }
        Ok(None)
    }

    /// Receives all there is; false if the server ends before it has sent all.
    async fn receive(&mut self) -> Result<bool> {
        match self.conn.write(&Message::Hello.encode()).await {
            Ok(_) => {}
            Err(error) if has_gone(&error) => return Ok(false),
            Err(error) => return Err(error),
        }
        loop {
            let mut buffer = [0; LONGEST];
            let message = match self.conn.recv_msg(&mut buffer, MOST_SOCKETS).await {
                Ok(message) if message.len == 0 => return Ok(false),
                Ok(message) => message,
                Err(error) if has_gone(&error) => return Ok(false),
                Err(error) => return Err(error),
            };
            if message.truncated || message.descriptors_truncated {
                // A socket that is not here would be lost with the one who sent it.
                return Err(Error::new(
                    Operation::Serve,
                    Cause::System { call: "recvmsg", error: Errno::MSGSIZE },
                ));
            }
            match understood(&buffer[..message.len])? {
                Message::Sockets { network, address } => {
                    let sockets = message.descriptors.into_iter();
                    self.sockets.extend(sockets.map(|fd| (network, address.clone(), fd)));
                }
                Message::Point => self.point = message.descriptors.into_iter().next(),
                Message::End => return Ok(true),
                Message::Hello | Message::Ready | Message::Done => {}
            }
        }
    }

    /// The sockets of an address, as it was written; none if the server does not have it.
    pub(crate) fn take(&mut self, network: Network, address: &str) -> Vec<OwnedFd> {
        let (wanted, others) = std::mem::take(&mut self.sockets)
            .into_iter()
            .partition(|(its_network, its_address, _)| *its_network == network && its_address == address);
        self.sockets = others;
        wanted.into_iter().map(|(_, _, fd)| fd).collect()
    }

    /// The socket on which successors call.
    pub(crate) fn take_point(&mut self) -> Option<OwnedFd> {
        self.point.take()
    }

    /// Tells the server that its conns are accepted here from now on, and waits until it accepts no more.
    pub(crate) async fn relieve(self) {
        self.conn.set_deadline(Instant::now() + PROMPT);
        // One that has ended meanwhile accepts no more either.
        if self.conn.write(&Message::Ready.encode()).await.is_ok() {
            let _ = self.conn.read(&mut [0; LONGEST]).await;
        }
    }
}

async fn dial(point: &Point) -> Result<Option<UnixConn>> {
    let dialed = Dialer::new().timeout(PROMPT).dial("unixpacket", &point.address).await;
    match dialed {
        Ok(conn) => Ok(conn.into_unix().ok()),
        // Nobody was ever there, or somebody was who did not tidy up.
        Err(error) if error.is_not_found() || error.is_connection_refused() => Ok(None),
        Err(error) => Err(error),
    }
}

fn has_gone(error: &Error) -> bool {
    matches!(error.errno(), Some(Errno::PIPE | Errno::CONNRESET))
}

fn understood(bytes: &[u8]) -> Result<Message> {
    let not_understood = |error| Error::new(Operation::Serve, std::io::Error::other(error));
    Message::decode(bytes).map_err(not_understood)
}
