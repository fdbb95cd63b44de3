//! What the loads share: when they stop, what they read from the kernel, and how they connect.

use std::{
    io,
    net::{Ipv4Addr, SocketAddrV4},
    os::fd::{AsFd as _, OwnedFd},
    thread,
    time::Duration,
};

use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};

use crate::{
    args::{Extent, Span},
    clock,
    outcome::Outcome,
};

/// When to begin no further operation.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    Time(Duration),
    Count(u64),
}

impl Until {
    /// Whether enough have begun.
    pub(crate) fn is_over(self, begun: u64) -> bool {
        match self {
            Until::Time(end) => clock::wall() >= end,
            Until::Count(count) => begun >= count,
        }
    }
}

/// Warms a server up and measures it.
///
/// `drive` begins operations until it is told to stop, finishes those under way and returns how many there were. So
/// nothing is under way when the server's account is read: it sleeps then, and its account is exact.
pub(crate) fn measure(
    pid: u32,
    span: Span,
    mut drive: impl FnMut(Until) -> io::Result<u64>,
) -> io::Result<Outcome> {
    let until = match span.extent() {
        Extent::Operations(operations) => Until::Count(operations),
        Extent::Time { warm_up, run } => {
            drive(Until::Time(clock::wall() + warm_up))?;
            Until::Time(clock::wall() + run)
        }
    };
    let (wall, cpu) = (clock::wall(), clock::cpu_of(pid)?);
    let operations = drive(until)?;
    Ok(Outcome::new(operations, clock::wall() - wall, clock::cpu_of(pid)? - cpu))
}

/// Waits until the server does next to nothing any more, for a while at most.
pub(crate) fn wait_until_quiet(pid: u32) -> io::Result<()> {
    let mut before = clock::cpu_of(pid)?;
    for _ in 0..100 {
        thread::sleep(GLANCE);
        let now = clock::cpu_of(pid)?;
        if now.saturating_sub(before) < GLANCE / 100 {
            break;
        }
        before = now;
    }
    Ok(())
}

/// How long it is to do nothing.
const GLANCE: Duration = Duration::from_millis(20);

/// Opens a conn that leaves no TIME_WAIT behind when it is closed.
pub(crate) fn connect(to: SocketAddrV4) -> io::Result<OwnedFd> {
    connect_from(Ipv4Addr::UNSPECIFIED, to)
}

/// The same from one of loopback's addresses, each of which has 28,000 ports of its own.
pub(crate) fn connect_from(source: Ipv4Addr, to: SocketAddrV4) -> io::Result<OwnedFd> {
    let conn = net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    if !source.is_unspecified() {
        net::bind(&conn, &SocketAddrV4::new(source, 0))?;
    }
    net::connect(&conn, &to)?;
    sockopt::set_tcp_nodelay(&conn, true)?;
    sockopt::set_socket_linger(&conn, Some(Duration::ZERO))?;
    Ok(conn)
}

/// The listener that forwarders forward to, which is given to a load as its standard input.
pub(crate) fn sink() -> io::Result<OwnedFd> {
    let sink = io::stdin().as_fd().try_clone_to_owned()?;
    match sockopt::socket_acceptconn(&sink) {
        Ok(true) => Ok(sink),
        _ => Err(io::Error::other("standard input is not a listening socket")),
    }
}

/// The time that 99 of 100 stayed below.
pub(crate) fn p99(nanos: &mut [u32]) -> Option<u64> {
    let index = (nanos.len() * 99).div_ceil(100).checked_sub(1)?;
    let (_, &mut it, _) = nanos.select_nth_unstable(index);
    Some(it.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_a_hundred_is_above_the_99th_percentile() {
        assert_eq!(p99(&mut []), None);
        assert_eq!(p99(&mut [7]), Some(7));
        let mut hundred: Vec<u32> = (1..=100).rev().collect();
        assert_eq!(p99(&mut hundred), Some(99));
        let mut two_hundred: Vec<u32> = (1..=200).collect();
        assert_eq!(p99(&mut two_hundred), Some(198));
    }

    #[test]
    fn a_count_is_over_when_so_many_have_begun() {
        assert!(!Until::Count(3).is_over(2));
        assert!(Until::Count(3).is_over(3));
        assert!(Until::Time(Duration::ZERO).is_over(0));
        assert!(!Until::Time(clock::wall() + Duration::from_secs(3600)).is_over(u64::MAX));
    }
}
