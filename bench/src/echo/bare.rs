//! The limit: one edge-triggered epoll loop, one shared buffer, two calls a message and a share of a third.

use std::{io, os::fd::OwnedFd};

use crate::{
    bare::{self, Fate, Service, Told, fate_of},
    sockets,
};

pub(crate) fn serve() -> io::Result<()> {
    bare::serve(&sockets::listen()?, Echo { buffer: vec![0; super::BUFFER] })
}

/// The same where a conn's turn is a call, as in any server that does not consist of its one handler.
///
/// What that costs is no matter of the instructions: where the kernel guards its returns (Safe RET, retbleed), the first
/// return out of a function that made a system call was measured to take 140 ns, and [`serve`] has none.
pub(crate) fn serve_by_calls() -> io::Result<()> {
    bare::serve(&sockets::listen()?, Called(Echo { buffer: vec![0; super::BUFFER] }))
}

struct Called(Echo);

impl Service for Called {
    type Conn = OwnedFd;

    fn open(&mut self, accepted: OwnedFd) -> io::Result<OwnedFd> {
        self.0.open(accepted)
    }

    #[inline(never)]
    fn ready(&mut self, conn: &mut OwnedFd, told: Told) -> Fate {
        self.0.ready(conn, told)
    }
}

struct Echo {
    buffer: Vec<u8>,
}

impl Service for Echo {
    type Conn = OwnedFd;

    fn open(&mut self, accepted: OwnedFd) -> io::Result<OwnedFd> {
        Ok(accepted)
    }

    /// One read, one write; within the loop itself, see [`serve_by_calls`]. The load has one small message in
    /// flight, so a write that is not whole is a conn that is over.
    #[inline(always)]
    fn ready(&mut self, conn: &mut OwnedFd, told: Told) -> Fate {
        loop {
            let len = match rustix::io::read(&*conn, &mut *self.buffer) {
                Ok(0) => return Fate::Over,
                Ok(len) => len,
                Err(error) => return fate_of(error),
            };
            if rustix::io::write(&*conn, &self.buffer[..len]) != Ok(len) {
                return Fate::Over;
            }
            // Less than the buffer holds was all there is, unless the end is behind it.
            if len < self.buffer.len() && !told.ends() {
                return Fate::Open;
            }
        }
    }
}
