//! What a Unix socket carries besides bytes: descriptors and credentials (unix(7)).

use std::io::IoSlice;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{ReturnFlags, sockopt};

use super::UnixConn;
use crate::addr::UnixAddr;
use crate::error::{Cause, Operation, Result};
use crate::sys;

/// A message received on a Unix socket, and what came with it. Descriptors not taken out are closed with it.
#[derive(Debug)]
#[non_exhaustive]
pub struct UnixMessage {
    /// How many bytes of it are in the buffer.
    pub len: usize,
    /// Who sent it.
    pub from: UnixAddr,
    /// Whether it was longer than the buffer. The rest is lost; of a stream, nothing ever is.
    pub truncated: bool,
    /// The descriptors passed, close-on-exec.
    pub descriptors: Vec<OwnedFd>,
    /// Whether more descriptors were passed than were asked for, or than this process may have open. They are closed.
    pub descriptors_truncated: bool,
    /// Who the sender is, if [`UnixConn::set_recv_credentials`] is on.
    pub credentials: Option<Credentials>,
}

/// A process, as the kernel vouches for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Credentials {
    /// Its process ID; `None` if it is in a PID namespace that this process cannot see into.
    pub pid: Option<u32>,
    /// Its user ID.
    pub uid: u32,
    /// Its group ID.
    pub gid: u32,
}

impl UnixConn {
    /// Receives a message, or of a stream what has arrived, with up to `most` descriptors that were passed along
    /// (`SCM_RIGHTS`); 253 is the kernel's limit. They are close-on-exec from the start. Those beyond are closed by the
    /// kernel and reported, as are all when a message with descriptors is taken by a read or a `recv_from`.
    ///
    /// Of a stream, bytes that were sent with different descriptors are never received together.
    pub async fn recv_msg(&self, buffer: &mut [u8], most: usize) -> Result<UnixMessage> {
        let received = self.fd.recv_rights(buffer, most).await;
        let (incoming, rights) = self.named(Operation::Read, received)?;
        let from = match self.fd.is_stream() {
            true => self.peer_addr().unwrap_or(UnixAddr::Unnamed),
            false => UnixAddr::from_any(incoming.from),
        };
        Ok(UnixMessage {
            len: incoming.bytes,
            from,
            truncated: incoming.flags.contains(ReturnFlags::TRUNC),
            descriptors: rights.descriptors,
            descriptors_truncated: incoming.flags.contains(ReturnFlags::CTRUNC),
            credentials: rights.credentials.and_then(Credentials::from_raw),
        })
    }

    /// Sends bytes and, with the first of them, copies of descriptors, to `to` or to the peer; returns how many bytes
    /// were taken: of a message all, of a stream at least one.
    ///
    /// A stream cannot carry descriptors without bytes (`EINVAL`), and no socket more than 253 at once.
    pub async fn send_msg(
        &self,
        bytes: &[u8],
        descriptors: &[BorrowedFd<'_>],
        to: Option<&UnixAddr>,
    ) -> Result<usize> {
        let sent = async {
            if bytes.is_empty() && !descriptors.is_empty() && self.fd.is_stream() {
                return Err(Errno::INVAL.into());
            }
            let control = rights(descriptors);
            let to = to.map(|to| to.to_raw().map(Into::into)).transpose()?;
            let send = |fd: BorrowedFd<'_>| {
                self.fd.sent_message(sys::send_msg(fd, to.as_ref(), &[IoSlice::new(bytes)], &control))
            };
            match to {
                None => self.fd.send_io(send).await,
                Some(_) => self.fd.send_asking_again(send).await,
            }
        };
        self.named(Operation::Write, sent.await)
    }

    /// Whether received messages tell who sent them (`SO_PASSCRED`, unix(7)).
    pub fn recv_credentials(&self) -> Result<bool> {
        let on = self.fd.with_fd("getsockopt SO_PASSCRED", |fd| sockopt::socket_passcred(fd));
        self.named(Operation::Set, on)
    }

    /// Sets [`UnixConn::recv_credentials`]; off by default. While it is on, a socket without a name is given an
    /// abstract one when it sends.
    pub fn set_recv_credentials(&self, on: bool) -> Result<()> {
        let set = self.fd.with_fd("setsockopt SO_PASSCRED", |fd| sockopt::set_socket_passcred(fd, on));
        self.named(Operation::Set, set)
    }

    /// Who the peer was when it connected, or listened, or made the pair (`SO_PEERCRED`). An error on a datagram socket
    /// that is not one of a pair.
    pub fn peer_credentials(&self) -> Result<Credentials> {
        let credentials = self.fd.with_fd("getsockopt SO_PEERCRED", sys::peer_credentials);
        let credentials = credentials.and_then(|raw| {
            Credentials::from_raw(raw)
                .ok_or(Cause::System { call: "getsockopt SO_PEERCRED", error: Errno::NOTCONN })
        });
        self.named(Operation::Set, credentials)
    }

    /// A descriptor for the process of [`UnixConn::peer_credentials`] (pidfd_open(2)), which unlike its number cannot
    /// come to mean another process (`SO_PEERPIDFD`). Since Linux 6.5.
    pub fn peer_pidfd(&self) -> Result<OwnedFd> {
        let pidfd = self.fd.with_fd("getsockopt SO_PEERPIDFD", sys::peer_pidfd);
        self.named(Operation::Set, pidfd)
    }
}

impl Credentials {
    /// `None` if nobody is behind them: the kernel then gives the user -1.
    fn from_raw((pid, uid, gid): (i32, u32, u32)) -> Option<Credentials> {
        let pid = u32::try_from(pid).ok().filter(|pid| *pid != 0);
        (uid != u32::MAX).then_some(Credentials { pid, uid, gid })
    }
}

/// The control message that passes descriptors on.
fn rights(descriptors: &[BorrowedFd<'_>]) -> Vec<u8> {
    let mut control = Vec::new();
    if !descriptors.is_empty() {
        let numbers: Vec<u8> =
            descriptors.iter().flat_map(|descriptor| descriptor.as_raw_fd().to_ne_bytes()).collect();
        sys::push_control(&mut control, libc::SOL_SOCKET, libc::SCM_RIGHTS, &numbers);
    }
    control
}
