//! TCP keep-alive.

use std::time::Duration;

use rustix::fd::BorrowedFd;
use rustix::io::Errno;
use rustix::net::sockopt;

use super::traced::Traced;
use crate::error::Cause;

/// TCP keep-alive probes (tcp(7)): how a peer that vanished without a word is noticed.
///
/// The default, as in Go, is 15 s of silence before the first probe, 15 s between probes, and death after 9 of them
/// went unanswered: two and a half minutes.
///
/// A custom setting leaves what is `None` to the system (`net.ipv4.tcp_keepalive_*`). Durations are rounded up to
/// whole seconds, the kernel's unit; the kernel refuses idle times and intervals above 32,767 s and counts above 127.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeepAlive {
    /// On: 15 s, 15 s, 9.
    #[default]
    Default,
    /// Off, and no system call is made for it.
    Off,
    /// On, with these.
    Custom {
        /// Silence before the first probe (`TCP_KEEPIDLE`).
        idle: Option<Duration>,
        /// Time between probes (`TCP_KEEPINTVL`).
        interval: Option<Duration>,
        /// Unanswered probes before the conn is dead (`TCP_KEEPCNT`).
        count: Option<u32>,
    },
}

const IDLE: Duration = Duration::from_secs(15);
const INTERVAL: Duration = Duration::from_secs(15);
const COUNT: u32 = 9;

impl KeepAlive {
    /// What a socket has.
    pub(crate) fn of(fd: BorrowedFd<'_>) -> rustix::io::Result<KeepAlive> {
        if !sockopt::socket_keepalive(fd)? {
            return Ok(KeepAlive::Off);
        }
        let (idle, interval) = (sockopt::tcp_keepidle(fd)?, sockopt::tcp_keepintvl(fd)?);
        let count = sockopt::tcp_keepcnt(fd)?;
        Ok(KeepAlive::Custom { idle: Some(idle), interval: Some(interval), count: Some(count) })
    }

    /// The default in figures, which like all that is asked for must be set; anything else as it is.
    pub(crate) fn spelled_out(self) -> KeepAlive {
        match self {
            KeepAlive::Default => {
                KeepAlive::Custom { idle: Some(IDLE), interval: Some(INTERVAL), count: Some(COUNT) }
            }
            other => other,
        }
    }

    /// Sets it on a socket: what the caller asked for must succeed, the default may fail.
    pub(crate) fn apply(self, fd: BorrowedFd<'_>, traced: Traced<'_>) -> Result<(), Cause> {
        let (idle, interval, count) = match self {
            KeepAlive::Off => return Ok(()),
            KeepAlive::Default => (Some(IDLE), Some(INTERVAL), Some(COUNT)),
            KeepAlive::Custom { idle, interval, count } => (idle, interval, count),
        };
        let set = |option, result: Result<(), Errno>| match self {
            KeepAlive::Default => {
                traced.prefer(option, result);
                Ok(())
            }
            _ => traced.require(option, result),
        };
        set("SO_KEEPALIVE", sockopt::set_socket_keepalive(fd, true))?;
        if let Some(idle) = idle {
            set("TCP_KEEPIDLE", sockopt::set_tcp_keepidle(fd, whole_seconds(idle)))?;
        }
        if let Some(interval) = interval {
            set("TCP_KEEPINTVL", sockopt::set_tcp_keepintvl(fd, whole_seconds(interval)))?;
        }
        if let Some(count) = count {
            set("TCP_KEEPCNT", sockopt::set_tcp_keepcnt(fd, count))?;
        }
        Ok(())
    }
}

/// Rounded up, so that half a second is not "never"; too long for the kernel stays too long.
fn whole_seconds(duration: Duration) -> Duration {
    match duration.subsec_nanos() {
        0 => duration,
        _ => Duration::from_secs(duration.as_secs().saturating_add(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_rounded_up() {
        assert_eq!(whole_seconds(Duration::from_millis(1)), Duration::from_secs(1));
        assert_eq!(whole_seconds(Duration::from_secs(2)), Duration::from_secs(2));
        assert_eq!(whole_seconds(Duration::MAX), Duration::from_secs(u64::MAX));
    }
}
