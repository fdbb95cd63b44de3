//! The limit: two fresh sockets a lookup and nothing shared but the loop.
//!
//! Lookups stand in a queue, the oldest is waited for, so no poller has to be told of sockets: socket,
//! sendto, recvfrom and close, twice, and a poll when the server is slower than we are.

use std::{
    collections::VecDeque,
    io,
    net::{SocketAddr, SocketAddrV4},
    os::fd::OwnedFd,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType},
};

use super::message;
use crate::{args::Span, outcome::Outcome, pace::Pace};

/// How long an answer may take on loopback before we call it lost.
const PATIENCE: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

pub(crate) fn run(to: SocketAddrV4, in_flight: usize, span: Span) -> io::Result<Outcome> {
    let pace = Pace::new(span);
    let mut waiting = VecDeque::with_capacity(in_flight);
    loop {
        while waiting.len() < in_flight
            && let Some(number) = pace.another()
        {
            let name = super::name(number);
            // A real resolver draws its ids at random; that needs no call of its own either.
            let id = (number as u16).wrapping_mul(40_503);
            waiting.push_back([
                Exchange::start(to, id, &name, message::A)?,
                Exchange::start(to, !id, &name, message::AAAA)?,
            ]);
        }
        let Some(lookup) = waiting.pop_front() else { return Ok(pace.outcome()) };
        for exchange in lookup {
            exchange.finish(to)?;
        }
        pace.done();
    }
}

struct Exchange {
    socket: OwnedFd,
    query: Vec<u8>,
}

impl Exchange {
    fn start(to: SocketAddrV4, id: u16, name: &str, kind: u16) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = net::socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)?;
        let mut query = Vec::with_capacity(64);
        message::write_query(id, name, kind, &mut query);
        net::sendto(&socket, &query, SendFlags::empty(), &to)?;
        Ok(Self { socket, query })
    }

    fn finish(self, server: SocketAddrV4) -> io::Result<()> {
        let mut buffer = [0; 1232];
        loop {
            let (len, _, from) = match net::recvfrom(&self.socket, &mut buffer, RecvFlags::empty()) {
                Ok(received) => received,
                Err(Errno::AGAIN) => {
                    self.wait()?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let from = from.map(SocketAddr::try_from).transpose()?;
            if from == Some(SocketAddr::V4(server)) && message::answers(&self.query, &buffer[..len]) {
                return Ok(());
            }
        }
    }

    fn wait(&self) -> io::Result<()> {
        match poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&PATIENCE))? {
            0 => Err(io::Error::new(io::ErrorKind::TimedOut, "the name server lost a query")),
            _ => Ok(()),
        }
    }
}
