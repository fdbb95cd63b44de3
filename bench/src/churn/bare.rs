//! The limit: accept, watch, read, write, close, and a share of an epoll_wait.

use std::{io, os::fd::OwnedFd};

use crate::bare::{self, Fate, Service, Told, fate_of};

pub(crate) fn serve(workers: usize) -> io::Result<()> {
    bare::serve_on(workers, || Answer)
}

struct Answer;

impl Service for Answer {
    type Conn = OwnedFd;

    fn open(&mut self, accepted: OwnedFd) -> io::Result<OwnedFd> {
        Ok(accepted)
    }

    fn ready(&mut self, conn: &mut OwnedFd, _: Told) -> Fate {
        match rustix::io::read(&*conn, &mut [0]) {
            Ok(_) => {
                // A client that has gone away is none of our business.
                let _ = rustix::io::write(conn, b"a");
                Fate::Over
            }
            Err(error) => fate_of(error),
        }
    }
}
