//! Clients that send the head of a request a byte at a time and never come to its end, and one that does not.

use std::{io, net::SocketAddrV4, os::fd::OwnedFd, time::Duration};

use super::load::{self, BESIDE};
use crate::{
    clock,
    idle::{self, FIRST},
    load::Until,
    outcome::Outcome,
};

/// From one byte of a conn to its next.
const INTERVAL: Duration = Duration::from_millis(100);

/// How long there are bytes before memory is read.
const SPELL: Duration = Duration::from_secs(1);

/// A request whose field nobody will see the end of.
const BEGIN: &[u8] = b"GET / HTTP/1.1\r\nHost: bench\r\nSlow: ";

/// Measures the memory of slow conns, and how fast a client is answered beside them.
pub(crate) fn run(to: SocketAddrV4, pid: u32, conns: usize) -> io::Result<Outcome> {
    let mut client = load::client(to, 1)?;
    let mut slow = Slow { conns: Vec::with_capacity(FIRST + conns), sent: 0, began: clock::wall() };
    slow.open(to, FIRST)?;
    client.drive(Until::Time(clock::wall() + SPELL), || slow.send())?;
    let before = idle::resident(pid)?;
    let (wall, cpu) = (clock::wall(), clock::cpu_of(pid)?);
    slow.open(to, conns)?;
    client.drive(Until::Time(clock::wall() + SPELL), || slow.send())?;
    let mut outcome = Outcome::new(conns as u64, clock::wall() - wall, clock::cpu_of(pid)? - cpu);
    outcome.rss_bytes = Some(idle::resident(pid)?.saturating_sub(before));
    client.drive(Until::Time(clock::wall() + BESIDE), || slow.send())?;
    outcome.p99_ns = client.p99();
    Ok(outcome)
}

struct Slow {
    conns: Vec<OwnedFd>,
    /// Bytes of all conns, which take turns.
    sent: usize,
    began: Duration,
}

impl Slow {
    fn open(&mut self, to: SocketAddrV4, conns: usize) -> io::Result<()> {
        for _ in 0..conns {
            self.conns.push(idle::open_another(self.conns.len(), to)?);
        }
        (self.sent, self.began) = (0, clock::wall());
        Ok(())
    }

    /// Sends the bytes that are due now, so that a conn has one each interval, and all are spread over it.
    fn send(&mut self) -> io::Result<()> {
        let age = clock::wall() - self.began;
        let due = (age.as_nanos() * self.conns.len() as u128 / INTERVAL.as_nanos()) as usize;
        while self.sent < due {
            let turn = self.sent / self.conns.len();
            let byte = BEGIN.get(turn).unwrap_or(&b's');
            rustix::io::write(&self.conns[self.sent % self.conns.len()], &[*byte])?;
            self.sent += 1;
        }
        Ok(())
    }
}
