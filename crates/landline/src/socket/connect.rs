//! `connect()`, without blocking.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use tokio::io::Interest;

use super::traced::Traced;
use crate::addr::Addr;
use crate::error::Cause;
use crate::fd::{Direction, NetFd};

/// Connects and registers with the reactor; dropping the future closes the socket.
pub(crate) async fn connect(fd: OwnedFd, peer: &Addr, traced: Traced<'_>) -> Result<NetFd, Cause> {
    match begin(&fd, peer, traced).await? {
        Progress::Done => Ok(NetFd::new(fd)?),
        Progress::Begun => {
            // Registered only now: epoll reports a socket that never began to connect as hung up.
            let fd = NetFd::new(fd)?;
            finish(&fd, traced).await?;
            Ok(fd)
        }
    }
}

enum Progress {
    Done,
    Begun,
}

async fn begin(fd: &OwnedFd, peer: &Addr, traced: Traced<'_>) -> Result<Progress, Cause> {
    // For a Unix stream socket: EAGAIN says that the listener's queue is full, and nothing will tell when it has
    // room again (connect(2)), so it is asked again, ever more rarely.
    let mut pause = Duration::from_millis(1);
    loop {
        let result = match peer {
            Addr::Socket(peer) => rustix::net::connect(fd, peer),
            Addr::Ip(peer) => rustix::net::connect(fd, &peer.with_port(0)),
            Addr::Unix(peer) => peer.to_raw().and_then(|raw| rustix::net::connect(fd, &raw)),
            Addr::Pipe => Err(Errno::AFNOSUPPORT),
        };
        match result {
            Ok(()) => {
                return traced.call("connect", || peer.to_string(), Ok(Progress::Done));
            }
            // An interrupted connect goes on by itself, like one in progress (connect(2)).
            Err(Errno::INPROGRESS | Errno::INTR | Errno::ALREADY) => {
                return traced.call("connect", || format!("{peer}: in progress"), Ok(Progress::Begun));
            }
            Err(Errno::ISCONN) => return Ok(Progress::Done),
            Err(Errno::AGAIN) if matches!(peer, Addr::Unix(_)) => {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_millis(64));
            }
            Err(error) => return traced.call("connect", || peer.to_string(), Err(error)),
        }
    }
}

async fn finish(fd: &NetFd, traced: Traced<'_>) -> Result<(), Cause> {
    let ready = fd.ready(Direction::Write, Interest::WRITABLE | Interest::ERROR).await?;
    // A failed connect always raises EPOLLERR, so one that did not fail needs no getsockopt to tell.
    if !ready.is_error() && !ready.is_write_closed() {
        return Ok(());
    }
    match rustix::net::sockopt::socket_error(fd) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) | Err(error) => traced.call("connect", String::new, Err(error)),
    }
}
