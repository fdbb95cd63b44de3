//! When to dial again: decided without a clock.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::Error;

/// What a client does when its conn has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reconnect {
    /// Nothing: every later call fails.
    Never,
    /// The next call dials again.
    ///
    /// After a dial that failed, or a conn that did not last, calls fail at once until some time has passed: `first`
    /// after the first failure, twice that after the next and so on up to `most`, each less up to a fifth, at random, so
    /// that the clients of a server that failed do not come back all at once.
    Backoff {
        /// After the first failure.
        first: Duration,
        /// At most.
        most: Duration,
    },
}

impl Default for Reconnect {
    /// Again after 100 ms, and 10 s at most.
    fn default() -> Reconnect {
        Reconnect::Backoff { first: Duration::from_millis(100), most: Duration::from_secs(10) }
    }
}

/// What has happened so far.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    /// In a row.
    failures: u32,
    /// No dial before this, and why the last one failed.
    closed: Option<(Instant, Error)>,
    connected: Option<Instant>,
}

impl Attempts {
    /// Whether a dial may be made now; if not, what the last one failed of.
    pub(super) fn may_dial(&self, now: Instant) -> Result<(), Error> {
        match &self.closed {
            Some((until, error)) if now < *until => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// Whether calls can go out, or a dial can be tried.
    pub(super) fn is_open(&self, now: Instant) -> bool {
        self.may_dial(now).is_ok()
    }

    /// The conn is left, and how long it lasts says nothing any more.
    pub(super) fn left(&mut self) {
        self.connected = None;
    }

    pub(super) fn connected(&mut self, now: Instant) {
        self.connected = Some(now);
        self.closed = None;
    }

    /// A conn has ended. One that lasted longer than the next delay would be has made good for earlier failures.
    pub(super) fn ended(&mut self, now: Instant, policy: Reconnect, chance: f64) {
        let Some(connected) = self.connected.take() else { return };
        match delay(policy, self.failures, 0.0) {
            Some(delay) if now - connected < delay => {
                self.failed(now, policy, chance, Error::ended());
            }
            _ => *self = Attempts::default(),
        }
    }

    /// A dial has failed. `chance` is from 0 to 1.
    pub(super) fn failed(&mut self, now: Instant, policy: Reconnect, chance: f64, error: Error) {
        if let Some(until) = delay(policy, self.failures, chance).and_then(|delay| now.checked_add(delay)) {
            self.closed = Some((until, error));
        }
        self.failures = self.failures.saturating_add(1);
    }
}

/// How long to wait after one more failure than `failures`.
pub(super) fn delay(policy: Reconnect, failures: u32, chance: f64) -> Option<Duration> {
    let Reconnect::Backoff { first, most } = policy else { return None };
    let factor = 2_u32.checked_pow(failures).unwrap_or(u32::MAX);
    Some(first.saturating_mul(factor).min(most).mul_f64(1.0 - chance.clamp(0.0, 1.0) / 5.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Reconnect =
        Reconnect::Backoff { first: Duration::from_millis(100), most: Duration::from_secs(1) };

    fn failure() -> Error {
        Error::Handshake("no".to_owned())
    }

    #[test]
    fn each_failure_doubles_the_wait_up_to_the_most() {
        let mut attempts = Attempts::default();
        let mut now = Instant::now();
        for wait in [100, 200, 400, 800, 1000, 1000] {
            assert!(attempts.is_open(now));
            attempts.failed(now, POLICY, 0.0, failure());
            assert!(!attempts.is_open(now + Duration::from_millis(wait - 1)), "{wait}");
            now += Duration::from_millis(wait);
        }
        assert!(attempts.is_open(now));
    }

    #[test]
    fn chance_takes_off_up_to_a_fifth() {
        assert_eq!(delay(POLICY, 0, 1.0), Some(Duration::from_millis(80)));
        assert_eq!(delay(POLICY, u32::MAX, 0.5), Some(Duration::from_millis(900)));
        assert_eq!(delay(Reconnect::Never, 3, 0.5), None);
    }

    #[test]
    fn a_conn_that_lasts_makes_good_and_one_that_does_not_counts_as_a_failure() {
        let mut attempts = Attempts::default();
        let now = Instant::now();
        attempts.failed(now, POLICY, 0.0, failure());
        attempts.connected(now);
        attempts.ended(now + Duration::from_millis(1), POLICY, 0.0);
        assert!(!attempts.is_open(now + Duration::from_millis(200)));
        assert!(attempts.is_open(now + Duration::from_millis(201)));
        attempts.connected(now);
        attempts.ended(now + Duration::from_secs(5), POLICY, 0.0);
        assert!(attempts.is_open(now));
        assert_eq!(attempts.failures, 0);
    }
}
