//! `connect()`, without blocking.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use tokio::io::Interest;

use super::traced::Traced;
use crate::addr::Addr;
use crate::error::Cause;
use crate::fd::{Direction, NetFd};
use crate::sys;

/// States of TCP, by the numbers of net/tcp_states.h.
const ESTABLISHED: u8 = 1;
const CLOSED: u8 = 7;

/// What is known of how a conn came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handshake {
    /// The peer answered what this end sent, so it is another socket.
    Answered,
    /// Not known. Of TCP both ends may have begun at once, and both may even be this very socket (RFC 9293 section
    /// 3.5).
    Unseen,
}

/// Connects and registers with the reactor; dropping the future closes the socket.
pub(crate) async fn connect(
    fd: OwnedFd,
    peer: &Addr,
    traced: Traced<'_>,
) -> Result<(NetFd, Handshake), Cause> {
    match begin(&fd, peer, traced).await? {
        Progress::Done => Ok((NetFd::new(fd)?, Handshake::Unseen)),
        Progress::Begun => {
            // On loopback all is over by now, which is asked in place of waiting to be told.
            if peer.ip().is_some_and(|ip| ip.is_loopback()) {
                match seen(&fd, traced) {
                    Seen::Answered => {
                        tokio::task::coop::consume_budget().await;
                        return Ok((NetFd::new(fd)?, Handshake::Answered));
                    }
                    Seen::Failed => failure(&fd, traced)?,
                    Seen::Otherwise => {}
                }
            }
            // Registered only now: epoll reports a socket that never began to connect as hung up.
            let fd = NetFd::new(fd)?;
            let ready = fd.ready(Direction::Write, Interest::WRITABLE | Interest::ERROR).await?;
            // A failed connect always raises EPOLLERR, so one that did not fail needs no getsockopt to tell.
            if ready.is_error() || ready.is_write_closed() {
                failure(&fd, traced)?;
            }
            Ok((fd, Handshake::Unseen))
        }
    }
}

/// What TCP says of a connect that has begun.
enum Seen {
    /// One segment made the conn what it is, a SYN that acknowledges ours. Where both ends begin at once, each gets a
    /// SYN that acknowledges nothing, and then another segment (RFC 9293 section 3.5).
    Answered,
    Failed,
    /// In progress, or both ends began at once; or the kernel does not say.
    Otherwise,
}

fn seen(fd: &OwnedFd, traced: Traced<'_>) -> Seen {
    // Only TCP is ever in progress with an address of its own.
    let info = sys::tcp_info(fd.as_fd());
    let (seen, words) = match &info {
        Ok(info) if info.tcpi_state == ESTABLISHED && info.tcpi_segs_in == 1 => {
            (Seen::Answered, "established")
        }
        Ok(info) if info.tcpi_state == CLOSED => (Seen::Failed, "closed"),
        Ok(_) => (Seen::Otherwise, "in progress"),
        Err(_) => (Seen::Otherwise, ""),
    };
    let _ = traced.call("getsockopt", || format!("TCP_INFO: {words}"), info.map(|_| ()));
    seen
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

/// The error of a connect that failed.
fn failure(fd: &impl AsFd, traced: Traced<'_>) -> Result<(), Cause> {
    match rustix::net::sockopt::socket_error(fd) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) | Err(error) => traced.call("connect", String::new, Err(error)),
    }
}
