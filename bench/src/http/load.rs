//! The lean client of HTTP servers: that of echo servers, which asks and counts the bytes of responses whose length it learns
//! from the first.

use std::{io, net::SocketAddrV4, os::fd::OwnedFd, thread, time::Duration};

use super::{HELLO, REQUEST};
use crate::{
    args::Span,
    clock,
    echo::load::Load,
    head,
    idle::{self, Exchange},
    load::{self, Until},
    outcome::Outcome,
};

/// How long conns are idle before their memory is read; landline gives up buffers after a second and a half.
const IDLENESS: Duration = Duration::from_millis(2_500);

/// How long the client beside many conns is measured.
pub(super) const BESIDE: Duration = Duration::from_millis(300);

pub(crate) fn run(to: SocketAddrV4, pid: u32, conns: usize, span: Span) -> io::Result<Outcome> {
    client(to, conns)?.measure(pid, span)
}

/// Measures the memory and the work of conns that made one request, and then how fast one more client is answered.
pub(crate) fn run_idle(to: SocketAddrV4, pid: u32, conns: usize) -> io::Result<Outcome> {
    let request = Exchange { message: REQUEST, answer: response_length(to)? };
    let mut client = client(to, 1)?;
    let mut open = Vec::with_capacity(idle::FIRST + conns);
    idle::fill(&mut open, to, idle::FIRST, request)?;
    thread::sleep(IDLENESS);
    let before = idle::resident(pid)?;
    let (wall, cpu) = (clock::wall(), clock::cpu_of(pid)?);
    idle::fill(&mut open, to, conns, request)?;
    let mut outcome = Outcome::new(conns as u64, clock::wall() - wall, clock::cpu_of(pid)? - cpu);
    thread::sleep(IDLENESS);
    outcome.rss_bytes = Some(idle::resident(pid)?.saturating_sub(before));
    client.drive(Until::Time(clock::wall() + BESIDE), || Ok(()))?;
    outcome.p99_ns = client.p99();
    Ok(outcome)
}

/// One that makes a request at a time over each conn.
pub(super) fn client(to: SocketAddrV4, conns: usize) -> io::Result<Load> {
    Load::asking(to, conns, REQUEST.to_vec(), response_length(to)?)
}

/// The length of the first response, which is that of all.
pub(crate) fn response_length(to: SocketAddrV4) -> io::Result<usize> {
    let conn = load::connect(to)?;
    rustix::io::write(&conn, REQUEST)?;
    let mut heard = Vec::new();
    loop {
        receive(&conn, &mut heard)?;
        let Some((length, begin)) = head::body(&heard)? else { continue };
        let end = begin + length as usize;
        while heard.len() < end {
            receive(&conn, &mut heard)?;
        }
        return match &heard[begin..] {
            text if text == HELLO.as_bytes() => Ok(end),
            text => Err(io::Error::other(format!("the server said {:?}", String::from_utf8_lossy(text)))),
        };
    }
}

fn receive(conn: &OwnedFd, heard: &mut Vec<u8>) -> io::Result<()> {
    let mut part = [0; 512];
    match rustix::io::read(conn, &mut part)? {
        0 => Err(io::Error::other("the server closed the conn")),
        len => {
            heard.extend_from_slice(&part[..len]);
            Ok(())
        }
    }
}
