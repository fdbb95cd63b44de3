//! The lean client of echo servers: one message at a time over each conn, all conns from one epoll loop.
//!
//! With a forwarder in between it is the echo server behind it too, in the same loop.

use std::{io, net::SocketAddrV4, os::fd::OwnedFd};

use rustix::io::Errno;

use crate::{
    args::Span,
    bare, clock,
    load::{self, Until},
    outcome::{Outcome, nanos},
    poller::{Events, Poller, READ},
};

/// The keys of the conns behind a forwarder begin here.
const BEHIND: u64 = 1 << 32;

pub(crate) fn run(to: SocketAddrV4, pid: u32, conns: usize, size: usize, span: Span) -> io::Result<Outcome> {
    Load::open(to, conns, size)?.measure(pid, span)
}

/// Through a forwarder, to the sink.
pub(crate) fn run_through(
    to: SocketAddrV4,
    pid: u32,
    conns: usize,
    size: usize,
    span: Span,
) -> io::Result<Outcome> {
    let sink = load::sink()?;
    let mut load = Load::open(to, conns, size)?;
    load.echo_behind(&sink)?;
    load.measure(pid, span)
}

pub(crate) struct Load {
    poller: Poller,
    conns: Vec<OwnedFd>,
    behind: Vec<OwnedFd>,
    message: Vec<u8>,
    /// Bytes that come back for each.
    answer: usize,
    /// From each message's sending to its echo's arrival, in nanoseconds.
    latencies: Vec<u32>,
}

impl Load {
    pub(crate) fn open(to: SocketAddrV4, conns: usize, size: usize) -> io::Result<Self> {
        Self::asking(to, conns, vec![b'e'; size], size)
    }

    /// One whose messages have answers of another length.
    pub(crate) fn asking(
        to: SocketAddrV4,
        conns: usize,
        message: Vec<u8>,
        answer: usize,
    ) -> io::Result<Self> {
        let poller = Poller::new()?;
        let conns = (0..conns).map(|_| load::connect(to)).collect::<io::Result<Vec<_>>>()?;
        for (key, conn) in (0..).zip(&conns) {
            rustix::io::ioctl_fionbio(conn, true)?;
            poller.add(conn, key, READ)?;
        }
        Ok(Self { poller, conns, behind: Vec::new(), message, answer, latencies: Vec::new() })
    }

    /// Accepts as many conns as were opened and echoes on them.
    fn echo_behind(&mut self, sink: &OwnedFd) -> io::Result<()> {
        while self.behind.len() < self.conns.len() {
            bare::accept(sink, |conn| {
                self.poller.add(&conn, BEHIND + self.behind.len() as u64, READ)?;
                self.behind.push(conn);
                Ok(())
            })?;
        }
        Ok(())
    }

    pub(crate) fn measure(&mut self, pid: u32, span: Span) -> io::Result<Outcome> {
        let mut outcome = load::measure(pid, span, |until| self.drive(until, || Ok(())))?;
        outcome.p99_ns = self.p99();
        Ok(outcome)
    }

    /// The time, in nanoseconds, that 99 of 100 of the last drive's answers took at most.
    pub(crate) fn p99(&mut self) -> Option<u64> {
        load::p99(&mut self.latencies)
    }

    /// Sends on every conn, answers every echo with the next message until it is time, and waits for the
    /// echoes still under way; with `meanwhile` done in each turn. Returns the number of messages echoed.
    pub(crate) fn drive(
        &mut self,
        until: Until,
        mut meanwhile: impl FnMut() -> io::Result<()>,
    ) -> io::Result<u64> {
        let Self { poller, conns, behind, message, answer, latencies } = self;
        latencies.clear();
        let mut sent_at = vec![clock::wall(); conns.len()];
        for conn in &*conns {
            send(conn, message)?;
        }
        let mut sent = conns.len() as u64;
        let mut echoed = 0;
        let mut received = vec![0; conns.len()];
        let mut buffer = vec![0; *answer];
        let mut events = Events::new();
        while echoed < sent {
            meanwhile()?;
            poller.look(&mut events)?;
            for (key, _) in events.iter() {
                if key >= BEHIND {
                    let conn = &behind[(key - BEHIND) as usize];
                    let len = receive(conn, &mut buffer)?;
                    send(conn, &buffer[..len])?;
                    continue;
                }
                let index = key as usize;
                received[index] += receive(&conns[index], &mut buffer)?;
                if received[index] < *answer {
                    continue;
                }
                if received[index] > *answer {
                    return Err(io::Error::other("the server said more than the answer"));
                }
                received[index] = 0;
                echoed += 1;
                let now = clock::wall();
                latencies.push(u32::try_from(nanos(now - sent_at[index])).unwrap_or(u32::MAX));
                if !until.is_over(sent) {
                    sent_at[index] = now;
                    send(&conns[index], message)?;
                    sent += 1;
                }
            }
        }
        Ok(echoed)
    }
}

fn send(conn: &OwnedFd, message: &[u8]) -> io::Result<()> {
    match rustix::io::write(conn, message) {
        Ok(sent) if sent == message.len() => Ok(()),
        Ok(sent) => Err(io::Error::other(format!("the socket took {sent} bytes of a message"))),
        Err(error) => Err(error.into()),
    }
}

fn receive(conn: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
    match rustix::io::read(conn, buffer) {
        Ok(0) => Err(io::Error::other("the server closed a conn")),
        Ok(len) => Ok(len),
        Err(Errno::AGAIN) => Ok(0),
        Err(error) => Err(error.into()),
    }
}
