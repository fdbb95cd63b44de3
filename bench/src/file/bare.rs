//! The limit: sendfile as far as the socket takes it, and an epoll_wait when it takes no more.

use std::{
    fs::File,
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::{fs::sendfile, io::Errno};

use crate::{
    bare::{self, Fate, Service, Sockets, Told, fate_of},
    head,
    poller::{EventFlags, READ_WRITE},
    sockets,
};

pub(crate) fn serve(file: &Path) -> io::Result<()> {
    let (file, length) = super::open(file)?;
    bare::serve(&sockets::listen()?, Sender { file, length, header: super::header(length) })
}

struct Sender {
    file: File,
    length: u64,
    header: String,
}

struct Conn {
    socket: OwnedFd,
    /// How much of the file has been sent, while it is.
    sent: Option<u64>,
}

impl Sockets for Conn {
    fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        [self.socket.as_fd()].into_iter()
    }
}

impl Service for Sender {
    type Conn = Conn;

    const INTEREST: EventFlags = READ_WRITE;

    fn open(&mut self, accepted: OwnedFd) -> io::Result<Conn> {
        Ok(Conn { socket: accepted, sent: None })
    }

    fn ready(&mut self, conn: &mut Conn, told: Told) -> Fate {
        if told.ends() {
            return Fate::Over;
        }
        if conn.sent.is_none() && told.flags.contains(EventFlags::IN) {
            match self.begin(conn) {
                Ok(()) => {}
                Err(error) => return fate_of(error),
            }
        }
        match self.send(conn) {
            Ok(()) => Fate::Open,
            Err(error) => fate_of(error),
        }
    }
}

impl Sender {
    /// A request comes whole, and the next only after the file: the load sees to that.
    fn begin(&self, conn: &mut Conn) -> rustix::io::Result<()> {
        let mut request = [0; super::REQUEST];
        let len = rustix::io::read(&conn.socket, &mut request)?;
        if !request[..len].ends_with(head::END) {
            return Err(Errno::PROTO);
        }
        rustix::io::write(&conn.socket, self.header.as_bytes())?;
        conn.sent = Some(0);
        Ok(())
    }

    fn send(&self, conn: &mut Conn) -> rustix::io::Result<()> {
        while let Some(sent) = &mut conn.sent {
            let left = self.length - *sent;
            sendfile(&conn.socket, &self.file, Some(sent), left as usize)?;
            if *sent == self.length {
                conn.sent = None;
            }
        }
        Ok(())
    }
}
