//! The limit: one edge-triggered epoll loop, one shared buffer, two calls a message and a share of a third.

use std::{io, os::fd::OwnedFd};

use crate::{
    bare::{self, Fate, Service, Told, fate_of},
    sockets,
};

pub(crate) fn serve() -> io::Result<()> {
    bare::serve(&sockets::listen()?, Echo { buffer: vec![0; super::BUFFER] })
}

struct Echo {
    buffer: Vec<u8>,
}

impl Service for Echo {
    type Conn = OwnedFd;

    fn open(&mut self, accepted: OwnedFd) -> io::Result<OwnedFd> {
        Ok(accepted)
    }

    /// One read, one write. The load has one small message in flight, so a write that is not whole is a conn
    /// that is over.
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
