//! The lean client of file servers: asks for the file over one conn, has the kernel throw it away, and asks again.

use std::{io, net::SocketAddrV4, os::fd::OwnedFd};

use rustix::{
    io::Errno,
    net::{self, RecvFlags},
};

use crate::{
    args::Span,
    head,
    load::{self, Until},
    outcome::Outcome,
    poller::{Events, Poller, READ},
};

/// What the client asks for at most.
const READ_MOST: usize = 1 << 20;

/// Operations are bytes of files.
pub(crate) fn run(to: SocketAddrV4, pid: u32, path: &str, span: Span) -> io::Result<Outcome> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n").into_bytes();
    let conn = load::connect(to)?;
    rustix::io::ioctl_fionbio(&conn, true)?;
    let poller = Poller::new()?;
    poller.add(&conn, 0, READ)?;
    let mut client = Client { request, conn, poller, events: Events::new(), room: vec![0; READ_MOST] };
    load::measure(pid, span, |until| client.drive(until))
}

struct Client {
    request: Vec<u8>,
    conn: OwnedFd,
    poller: Poller,
    events: Events,
    /// Touched only by headers.
    room: Vec<u8>,
}

impl Client {
    fn drive(&mut self, until: Until) -> io::Result<u64> {
        let mut received = 0;
        while !until.is_over(received) {
            received += self.fetch()?;
        }
        Ok(received)
    }

    /// Asks for one file and returns its length.
    fn fetch(&mut self) -> io::Result<u64> {
        rustix::io::write(&self.conn, &self.request)?;
        let mut heard = Vec::new();
        let (length, begin) = loop {
            // A few bytes at a time, as what is read here is read in earnest.
            let mut part = [0; 512];
            let len = self.receive(&mut part, RecvFlags::empty())?;
            heard.extend_from_slice(&part[..len]);
            if let Some(found) = head::body(&heard)? {
                break found;
            }
        };
        let mut left = length - (heard.len() - begin) as u64;
        let mut room = std::mem::take(&mut self.room);
        while left > 0 {
            let most = room.len().min(left as usize);
            left -= self.receive(&mut room[..most], RecvFlags::TRUNC)? as u64;
        }
        self.room = room;
        Ok(length)
    }

    fn receive(&mut self, buffer: &mut [u8], flags: RecvFlags) -> io::Result<usize> {
        loop {
            match net::recv(&self.conn, &mut *buffer, flags) {
                Ok((0, _)) => return Err(io::Error::other("the server closed the conn")),
                Ok((len, _)) => return Ok(len),
                Err(Errno::AGAIN) => while self.nothing_new()? {},
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn nothing_new(&mut self) -> io::Result<bool> {
        self.poller.look(&mut self.events)?;
        Ok(self.events.iter().next().is_none())
    }
}
