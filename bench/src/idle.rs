//! What a conn costs a server while nothing happens on it, and what it costs the conns beside it.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddrV4},
    os::fd::OwnedFd,
};

use crate::{args::Span, clock, echo::load::Load, load, outcome::Outcome};

/// Conns opened first, so that what a server allocates once is not charged to the conns that follow.
pub(crate) const FIRST: usize = 256;

/// Conns from one source address, far fewer than it has ports.
const FROM_ONE: usize = 4_000;

/// So many are opened before the first of them is waited for: one by one, both sides would sleep most of the time.
const AT_ONCE: usize = 64;

/// Measures the memory and the work of conns that echo once.
pub(crate) fn run(to: SocketAddrV4, pid: u32, conns: usize) -> io::Result<Outcome> {
    let mut open = Vec::with_capacity(FIRST + conns);
    fill(&mut open, to, FIRST, ECHO)?;
    let before = resident(pid)?;
    let (wall, cpu) = (clock::wall(), clock::cpu_of(pid)?);
    fill(&mut open, to, conns, ECHO)?;
    let mut outcome = Outcome::new(conns as u64, clock::wall() - wall, clock::cpu_of(pid)? - cpu);
    outcome.rss_bytes = Some(resident(pid)?.saturating_sub(before));
    Ok(outcome)
}

/// Measures the echo on `busy` conns while `idle` others say nothing.
pub(crate) fn run_beside(
    to: SocketAddrV4,
    pid: u32,
    idle: usize,
    busy: usize,
    span: Span,
) -> io::Result<Outcome> {
    let mut open = Vec::with_capacity(idle);
    fill(&mut open, to, idle, ECHO)?;
    Load::open(to, busy, 64)?.measure(pid, span)
}

/// What is said once on a conn.
#[derive(Clone, Copy)]
pub(crate) struct Exchange<'a> {
    pub(crate) message: &'a [u8],
    /// Bytes that come back.
    pub(crate) answer: usize,
}

const ECHO: Exchange<'static> = Exchange { message: &[b'i'; 64], answer: 64 };

/// Opens conns that have each been served once: a handler that never ran has not allocated yet.
pub(crate) fn fill(
    open: &mut Vec<OwnedFd>,
    to: SocketAddrV4,
    conns: usize,
    Exchange { message, answer }: Exchange<'_>,
) -> io::Result<()> {
    let mut room = vec![0; answer];
    let end = open.len() + conns;
    while open.len() < end {
        let first = open.len();
        for _ in first..end.min(first + AT_ONCE) {
            let conn = open_another(open.len(), to)?;
            rustix::io::write(&conn, message)?;
            open.push(conn);
        }
        for conn in &open[first..] {
            let mut received = 0;
            while received < answer {
                match rustix::io::read(conn, &mut room[received..])? {
                    0 => return Err(io::Error::other("the server closed an idle conn")),
                    len => received += len,
                }
            }
        }
    }
    Ok(())
}

/// Opens a conn beside so many others.
pub(crate) fn open_another(others: usize, to: SocketAddrV4) -> io::Result<OwnedFd> {
    load::connect_from(Ipv4Addr::new(127, 0, 0, 2 + (others / FROM_ONE) as u8), to)
}

/// Resident memory, from `smaps_rollup`, which counts pages; the counters behind `statm` lag by megabytes.
pub(crate) fn resident(pid: u32) -> io::Result<u64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path)?;
    text.lines()
        .find_map(|line| line.strip_prefix("Rss:")?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok())
        .map(|kib| kib * 1024)
        .ok_or_else(|| io::Error::other(format!("{path} names no Rss")))
}
