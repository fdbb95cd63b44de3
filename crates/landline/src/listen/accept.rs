//! `accept4()`, in a loop that survives.

use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::net::{SocketAddrAny, SocketFlags};

use super::trouble::{Remedy, Trouble};
use crate::error::Cause;
use crate::fd::{Direction, Io, NetFd};

/// A listening socket in the reactor.
pub(crate) struct Acceptor {
    fd: NetFd,
    state: Mutex<State>,
}

struct State {
    trouble: Trouble,
    /// A descriptor held back for the time when there are no others; see [`Remedy::ShedThenPause`].
    reserve: Option<OwnedFd>,
}

impl Acceptor {
    pub(crate) fn new(fd: OwnedFd) -> std::io::Result<Acceptor> {
        let state = State { trouble: Trouble::default(), reserve: reserve() };
        Ok(Acceptor { fd: NetFd::new(fd)?, state: Mutex::new(state) })
    }

    pub(crate) fn fd(&self) -> &NetFd {
        &self.fd
    }

    /// Gives the socket up, still listening.
    pub(crate) fn into_owned_fd(self) -> Result<OwnedFd, Cause> {
        self.fd.into_owned_fd()
    }

    /// Waits for a conn. Cancel-safe: no conn is lost when the future is dropped.
    pub(crate) async fn accept(&self) -> Result<(NetFd, Option<SocketAddrAny>), Cause> {
        loop {
            let accepted = self
                .fd
                .io(Direction::Read, |fd| {
                    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
                    rustix::net::acceptfrom_with(fd, flags).map(Io::kept)
                })
                .await;
            match accepted {
                Ok((conn, peer)) => {
                    self.state().trouble.over();
                    return Ok((NetFd::new(conn)?, peer));
                }
                Err(Cause::System { error, .. }) => {
                    let remedy = self.state().trouble.remedy(error);
                    match remedy {
                        Remedy::Next => {}
                        Remedy::Pause(pause) => self.fd.pause(Direction::Read, pause).await?,
                        Remedy::ShedThenPause(pause) => {
                            self.shed();
                            self.fd.pause(Direction::Read, pause).await?;
                        }
                        Remedy::Fail => return Err(Cause::System { call: "accept4", error }),
                    }
                }
                Err(cause) => return Err(cause),
            }
        }
    }

    fn shed(&self) {
        let mut state = self.state();
        state.reserve = None;
        drop(rustix::net::accept_with(&self.fd, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK));
        state.reserve = reserve();
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn reserve() -> Option<OwnedFd> {
    rustix::fs::openat(CWD, "/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()
}
