//! The lean client of echo servers: one message at a time over each conn, all conns from one epoll loop.
//!
//! It spins instead of sleeping, so that the server never pays for waking it, and keeps the core it is
//! pinned to for itself.

use std::{io, net::SocketAddrV4, os::fd::OwnedFd, time::Duration};

use rustix::{
    buffer::spare_capacity,
    event::{Timespec, epoll},
    io::Errno,
    net::{self, AddressFamily, SocketFlags, SocketType, sockopt},
};

use crate::{
    args::{Extent, Span},
    clock,
    outcome::Outcome,
};

pub(crate) fn run(to: SocketAddrV4, pid: u32, conns: usize, size: usize, span: Span) -> io::Result<Outcome> {
    let load = Load::open(to, conns, size)?;
    let until = match span.extent() {
        Extent::Operations(operations) => Until::Count(operations),
        Extent::Time { warm_up, run } => {
            load.drive(Until::Time(clock::wall() + warm_up))?;
            Until::Time(clock::wall() + run)
        }
    };
    // No message is under way here or below, so the server sleeps and its account is exact.
    let (wall, cpu) = (clock::wall(), clock::cpu_of(pid)?);
    let messages = load.drive(until)?;
    Ok(Outcome::new(messages, clock::wall() - wall, clock::cpu_of(pid)? - cpu))
}

/// Opens a conn that leaves no TIME_WAIT behind when it is closed.
pub(crate) fn connect(to: SocketAddrV4) -> io::Result<OwnedFd> {
    let conn = net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    net::connect(&conn, &to)?;
    sockopt::set_tcp_nodelay(&conn, true)?;
    sockopt::set_socket_linger(&conn, Some(Duration::ZERO))?;
    Ok(conn)
}

#[derive(Clone, Copy)]
enum Until {
    Time(Duration),
    Count(u64),
}

struct Load {
    poller: OwnedFd,
    conns: Vec<OwnedFd>,
    message: Vec<u8>,
}

impl Load {
    fn open(to: SocketAddrV4, conns: usize, size: usize) -> io::Result<Self> {
        let poller = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let conns = (0..conns).map(|_| connect(to)).collect::<io::Result<Vec<_>>>()?;
        for (index, conn) in conns.iter().enumerate() {
            rustix::io::ioctl_fionbio(conn, true)?;
            let mark = epoll::EventData::new_u64(index as u64);
            epoll::add(&poller, conn, mark, epoll::EventFlags::IN)?;
        }
        Ok(Self { poller, conns, message: vec![b'e'; size] })
    }

    /// Sends on every conn, answers every echo with the next message until it is time, and waits for the
    /// echoes still under way. Returns the number of messages echoed.
    fn drive(&self, until: Until) -> io::Result<u64> {
        let mut sent = 0;
        let mut echoed = 0;
        for conn in &self.conns {
            self.send(conn)?;
            sent += 1;
        }
        let mut received = vec![0; self.conns.len()];
        let mut buffer = vec![0; self.message.len()];
        let mut events = Vec::with_capacity(1024);
        let mut over = false;
        while echoed < sent {
            events.clear();
            epoll::wait(&self.poller, spare_capacity(&mut events), Some(&Timespec::default()))?;
            over = over
                || match until {
                    Until::Time(end) => clock::wall() >= end,
                    Until::Count(_) => false,
                };
            for event in &events {
                let index = event.data.u64() as usize;
                let conn = &self.conns[index];
                received[index] += self.receive(conn, &mut buffer)?;
                if received[index] < self.message.len() {
                    continue;
                }
                received[index] = 0;
                echoed += 1;
                if over || matches!(until, Until::Count(count) if sent >= count) {
                    continue;
                }
                self.send(conn)?;
                sent += 1;
            }
        }
        Ok(echoed)
    }

    fn send(&self, conn: &OwnedFd) -> io::Result<()> {
        match rustix::io::write(conn, &self.message)? {
            sent if sent == self.message.len() => Ok(()),
            sent => Err(io::Error::other(format!("the socket took {sent} bytes of a message"))),
        }
    }

    fn receive(&self, conn: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
        match rustix::io::read(conn, buffer) {
            Ok(0) => Err(io::Error::other("the server closed a conn")),
            Ok(len) => Ok(len),
            Err(Errno::AGAIN) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }
}
