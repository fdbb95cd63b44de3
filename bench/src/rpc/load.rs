//! The lean client of RPC servers: so many calls in flight over each conn, all conns from one epoll loop, requests
//! made beforehand and replies only counted. It spins, as that of echo servers does.

use std::{io, net::SocketAddrV4, os::fd::OwnedFd};

use rustix::{
    buffer::spare_capacity,
    event::{Timespec, epoll},
    io::Errno,
};

use super::protocol::{Protocol, Talk};
use crate::{
    args::Span,
    clock,
    load::{self, Until},
    outcome::Outcome,
};

pub(crate) fn run(
    to: SocketAddrV4,
    pid: u32,
    conns: usize,
    in_flight: u64,
    span: Span,
) -> io::Result<Outcome> {
    let mut all = Load::open(to, Protocol::of(pid)?, conns, in_flight)?;
    load::measure(pid, span, |until| all.drive(until))
}

struct Load {
    poller: OwnedFd,
    conns: Vec<Conn>,
    in_flight: u64,
}

struct Conn {
    socket: OwnedFd,
    talk: Talk,
    out: Vec<u8>,
}

impl Load {
    fn open(to: SocketAddrV4, protocol: Protocol, conns: usize, in_flight: u64) -> io::Result<Self> {
        let poller = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut all = Vec::with_capacity(conns);
        for index in 0..conns {
            let socket = load::connect(to)?;
            rustix::io::ioctl_fionbio(&socket, true)?;
            let mark = epoll::EventData::new_u64(index as u64);
            epoll::add(&poller, &socket, mark, epoll::EventFlags::IN)?;
            all.push(Conn { socket, talk: Talk::new(protocol), out: Vec::new() });
        }
        Ok(Self { poller, conns: all, in_flight })
    }

    /// Fills every conn, replaces every reply by a request until it is time, and waits for the replies still under way.
    /// Returns the number of calls done.
    fn drive(&mut self, until: Until) -> io::Result<u64> {
        let mut asked = 0;
        let mut answered = 0;
        for conn in &mut self.conns {
            conn.ask(self.in_flight)?;
            asked += self.in_flight;
        }
        let mut buffer = vec![0; 64 << 10];
        let mut events = Vec::with_capacity(1024);
        let mut over = false;
        while answered < asked {
            events.clear();
            epoll::wait(&self.poller, spare_capacity(&mut events), Some(&Timespec::default()))?;
            over = over
                || match until {
                    Until::Time(end) => clock::wall() >= end,
                    Until::Count(_) => false,
                };
            for event in &events {
                let conn = &mut self.conns[event.data.u64() as usize];
                let replies = match rustix::io::read(&conn.socket, &mut buffer[..]) {
                    Ok(0) => return Err(io::Error::other("the server closed a conn")),
                    Ok(len) => conn.talk.hear(&buffer[..len])?,
                    Err(Errno::AGAIN) => continue,
                    Err(error) => return Err(error.into()),
                };
                answered += replies;
                let more = match until {
                    _ if over => 0,
                    Until::Time(_) => replies,
                    Until::Count(count) => replies.min(count.saturating_sub(asked)),
                };
                conn.ask(more)?;
                asked += more;
            }
        }
        Ok(answered)
    }
}

impl Conn {
    fn ask(&mut self, count: u64) -> io::Result<()> {
        self.out.clear();
        self.talk.ask(count, &mut self.out)?;
        match rustix::io::write(&self.socket, &self.out)? {
            sent if sent == self.out.len() => Ok(()),
            sent => Err(io::Error::other(format!("the socket took {sent} bytes of the requests"))),
        }
    }
}
