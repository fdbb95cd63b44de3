//! `accept4()`, in a loop that survives.

use std::os::fd::{BorrowedFd, OwnedFd};
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

/// What came of a try to accept.
pub(crate) enum Attempt {
    /// A conn, non-blocking, and its peer's address.
    Conn(OwnedFd, Option<SocketAddrAny>),
    /// There was none, or it broke off while it was queued.
    Nothing,
    /// Resources had run out, and it has waited a little.
    Paused,
    /// They had been out for long: the oldest queued conn was closed, and it has waited.
    Shed,
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
            self.queued().await?;
            if let Attempt::Conn(conn, peer) = self.attempt().await? {
                return Ok((NetFd::new(conn)?, peer));
            }
        }
    }

    /// Waits until there may be something to accept.
    pub(crate) async fn queued(&self) -> Result<(), Cause> {
        self.fd.io(Direction::Read, |_| Ok(Io::kept(()))).await
    }

    /// Accepts a conn if there is one. Waits only if resources have run out. Cancel-safe.
    pub(crate) async fn attempt(&self) -> Result<Attempt, Cause> {
        let mut accept = |fd: BorrowedFd<'_>| {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            rustix::net::acceptfrom_with(fd, flags).map(Io::kept)
        };
        let error = match self.fd.try_io(Direction::Read, &mut accept) {
            None => return Ok(Attempt::Nothing),
            Some(Ok((conn, peer))) => {
                self.state().trouble.over();
                return Ok(Attempt::Conn(conn, peer));
            }
            Some(Err(Cause::System { error, .. })) => error,
            Some(Err(cause)) => return Err(cause),
        };
        let remedy = self.state().trouble.remedy(error);
        match remedy {
            Remedy::Next => Ok(Attempt::Nothing),
            Remedy::Pause(pause) => {
                self.fd.pause(Direction::Read, pause).await?;
                Ok(Attempt::Paused)
            }
            Remedy::ShedThenPause(pause) => {
                self.shed();
                self.fd.pause(Direction::Read, pause).await?;
                Ok(Attempt::Shed)
            }
            Remedy::Fail => Err(Cause::System { call: "accept4", error }),
        }
    }

    /// Accepts a conn if one is queued, whether or not the reactor knows of it yet. `None` also where it fails.
    pub(crate) fn attempt_at_once(&self) -> Option<(OwnedFd, Option<SocketAddrAny>)> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        self.fd.with_fd("accept4", |fd| rustix::net::acceptfrom_with(fd, flags)).ok()
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
