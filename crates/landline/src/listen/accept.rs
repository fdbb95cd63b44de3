//! `accept4()`, in a loop that survives.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
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
    /// There was none.
    Nothing,
    /// It broke off while it was queued; there may be others behind it.
    Lost,
    /// Resources have run out: to be [waited](Acceptor::pause) for.
    Exhausted(Exhausted),
}

/// How resources have run out.
pub(crate) struct Exhausted {
    pause: Duration,
    /// For so long that the oldest queued conn was closed.
    pub(crate) has_shed: bool,
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
            match self.attempt()? {
                Attempt::Conn(conn, peer) => return Ok((NetFd::new(conn)?, peer)),
                Attempt::Nothing | Attempt::Lost => {}
                Attempt::Exhausted(exhausted) => self.pause(exhausted).await?,
            }
        }
    }

    /// Waits until there may be something to accept.
    pub(crate) async fn queued(&self) -> Result<(), Cause> {
        self.fd.io(Direction::Read, |_| Ok(Io::kept(()))).await
    }

    /// Waits for resources. Cancel-safe.
    pub(crate) async fn pause(&self, exhausted: Exhausted) -> Result<(), Cause> {
        self.fd.pause(Direction::Read, exhausted.pause).await
    }

    /// Accepts a conn, if the reactor believes that there is one.
    pub(crate) fn attempt(&self) -> Result<Attempt, Cause> {
        match self.fd.try_io(Direction::Read, &mut |fd| accept(fd).map(Io::kept)) {
            Some(accepted) => self.attempted(accepted),
            None => Ok(Attempt::Nothing),
        }
    }

    /// Accepts a conn if one is queued, whether or not the reactor knows of it yet.
    pub(crate) fn attempt_queued(&self) -> Result<Attempt, Cause> {
        match self.fd.with_fd("accept4", accept) {
            Err(Cause::System { error: Errno::AGAIN, .. }) => Ok(Attempt::Nothing),
            accepted => self.attempted(accepted),
        }
    }

    fn attempted(&self, accepted: Result<Accepted, Cause>) -> Result<Attempt, Cause> {
        let error = match accepted {
            Ok((conn, peer)) => {
                self.state().trouble.over();
                return Ok(Attempt::Conn(conn, peer));
            }
            Err(Cause::System { error, .. }) => error,
            Err(cause) => return Err(cause),
        };
        let remedy = self.state().trouble.remedy(error);
        match remedy {
            Remedy::Next => Ok(Attempt::Lost),
            Remedy::Pause(pause) => Ok(Attempt::Exhausted(Exhausted { pause, has_shed: false })),
            Remedy::ShedThenPause(pause) => {
                self.shed();
                Ok(Attempt::Exhausted(Exhausted { pause, has_shed: true }))
            }
            Remedy::Fail => Err(Cause::System { call: "accept4", error }),
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

type Accepted = (OwnedFd, Option<SocketAddrAny>);

fn accept(fd: BorrowedFd<'_>) -> rustix::io::Result<Accepted> {
    rustix::net::acceptfrom_with(fd, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)
}

fn reserve() -> Option<OwnedFd> {
    rustix::fs::openat(CWD, "/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()
}
