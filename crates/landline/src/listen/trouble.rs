//! What an accept loop does about errors: pure code.

use std::time::Duration;

use rustix::io::Errno;

/// What to do after `accept` failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// The conn that was to be accepted is gone: accept the next.
    Next,
    /// Resources have run out: wait, then try again. The conn stays queued.
    Pause(Duration),
    /// They have been out for long: give the descriptor held in reserve to the oldest queued conn and close it, so
    /// that its client learns of it, then wait.
    ShedThenPause(Duration),
    /// The listener itself is broken.
    Fail,
}

/// Remembers how long resources have been out.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    pauses: u32,
}

const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// After 5 + 10 + … + 640 ms, a little over a second, queued conns are shed one by one.
const PAUSES_BEFORE_SHEDDING: u32 = 8;

impl Trouble {
    /// A conn was accepted.
    pub(crate) fn over(&mut self) {
        self.pauses = 0;
    }

    /// `accept` failed with `error`.
    pub(crate) fn remedy(&mut self, error: Errno) -> Remedy {
        match error {
            // The peer gave up while queued, or an error was already pending on the new conn; accept(2) lists the
            // network errors that Linux passes on this way, and EPERM for a firewall's refusal.
            Errno::CONNABORTED
            | Errno::PROTO
            | Errno::INTR
            | Errno::PERM
            | Errno::NETDOWN
            | Errno::NOPROTOOPT
            | Errno::HOSTDOWN
            | Errno::NONET
            | Errno::HOSTUNREACH
            | Errno::OPNOTSUPP
            | Errno::NETUNREACH
            | Errno::TIMEDOUT
            | Errno::CONNRESET => Remedy::Next,
            Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM => {
                let pause = FIRST_PAUSE.saturating_mul(1 << self.pauses.min(20)).min(LONGEST_PAUSE);
                self.pauses += 1;
                // A shed conn frees a queue's place, not memory.
                let descriptors = matches!(error, Errno::MFILE | Errno::NFILE);
                match self.pauses > PAUSES_BEFORE_SHEDDING && descriptors {
                    true => Remedy::ShedThenPause(pause),
                    false => Remedy::Pause(pause),
                }
            }
            _ => Remedy::Fail,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_conn_is_passed_over() {
        let mut trouble = Trouble::default();
        for error in [Errno::CONNABORTED, Errno::PROTO, Errno::PERM] {
            assert_eq!(trouble.remedy(error), Remedy::Next);
        }
    }

    #[test]
    fn without_descriptors_pauses_grow_and_then_conns_are_shed() {
        let mut trouble = Trouble::default();
        let mut total = Duration::ZERO;
        for millis in [5, 10, 20, 40, 80, 160, 320, 640] {
            let pause = Duration::from_millis(millis);
            assert_eq!(trouble.remedy(Errno::MFILE), Remedy::Pause(pause));
            total += pause;
        }
        assert!(total > Duration::from_secs(1));
        for _ in 0..40 {
            assert_eq!(trouble.remedy(Errno::MFILE), Remedy::ShedThenPause(LONGEST_PAUSE));
        }
        trouble.over();
        assert_eq!(trouble.remedy(Errno::NFILE), Remedy::Pause(FIRST_PAUSE));
    }

    #[test]
    fn without_memory_nothing_is_shed() {
        let mut trouble = Trouble::default();
        for _ in 0..20 {
            assert!(matches!(trouble.remedy(Errno::NOBUFS), Remedy::Pause(_)));
        }
    }

    #[test]
    fn a_broken_listener_fails() {
        for error in [Errno::BADF, Errno::INVAL, Errno::NOTSOCK, Errno::FAULT] {
            assert_eq!(Trouble::default().remedy(error), Remedy::Fail);
        }
    }
}
