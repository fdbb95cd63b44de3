//! How a target is: what its failures and successes lead to. Pure: instants and outcomes in, a state out.

use std::time::Duration;

use tokio::time::Instant;

/// How long a target rests that fails.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest {
    pub(super) first: Duration,
    pub(super) longest: Duration,
}

impl Rest {
    /// After so many failures in a row.
    fn after(self, failures: u32) -> Duration {
        let factor = 1u32 << failures.saturating_sub(1).min(31);
        self.first.saturating_mul(factor).min(self.longest)
    }
}

/// What a request says of the target that it was sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Good,
    Bad,
    /// The client left, or was at fault.
    Unknown,
}

/// How many checks in a row change a target's state.
#[derive(Clone, Copy, Debug)]
pub(super) struct Thresholds {
    /// Failed, until it is down.
    pub(super) fall: u32,
    /// Passed, until it is up again.
    pub(super) rise: u32,
}

/// How a target is.
#[derive(Clone, Debug, Default)]
pub(super) struct Health {
    state: State,
    /// In a row.
    failures: u32,
    /// The word of the health check, if there is one.
    is_down: bool,
    /// Checks in a row that speak against `is_down`.
    contrary: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Well,
    Resting {
        until: Instant,
    },
    /// It has rested, and one request finds out how it is.
    OnTrial,
}

/// Whether a target may be given a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fitness {
    Fit,
    /// Until then; better than one that a health check found down.
    Resting(Instant),
    OnTrial,
    Down,
}

impl Health {
    pub(super) fn fitness(&self, now: Instant) -> Fitness {
        match self.state {
            _ if self.is_down => Fitness::Down,
            State::Well => Fitness::Fit,
            State::Resting { until } if until <= now => Fitness::Fit,
            State::Resting { until } => Fitness::Resting(until),
            State::OnTrial => Fitness::OnTrial,
        }
    }

    /// A request is sent to it.
    pub(super) fn taken(&mut self, now: Instant) {
        if let State::Resting { until } = self.state
            && until <= now
        {
            self.state = State::OnTrial;
        }
    }

    /// What a request says. Whether it has begun to rest.
    pub(super) fn told(&mut self, outcome: Outcome, now: Instant, rest: Rest) -> bool {
        match (outcome, self.state) {
            (Outcome::Good, _) => {
                self.state = State::Well;
                self.failures = 0;
                false
            }
            // Those that were under way when it began to rest say nothing new.
            (Outcome::Bad, State::Resting { .. }) => false,
            (Outcome::Bad, State::Well | State::OnTrial) => {
                self.failures = self.failures.saturating_add(1);
                self.state = State::Resting { until: now + rest.after(self.failures) };
                true
            }
            (Outcome::Unknown, State::OnTrial) => {
                self.state = State::Resting { until: now };
                false
            }
            (Outcome::Unknown, _) => false,
        }
    }

    /// What a health check says. Whether it has made a difference.
    pub(super) fn checked(&mut self, has_passed: bool, thresholds: Thresholds) -> bool {
        if has_passed != self.is_down {
            self.contrary = 0;
            return false;
        }
        self.contrary += 1;
        let enough = if self.is_down { thresholds.rise } else { thresholds.fall };
        if self.contrary < enough {
            return false;
        }
        self.contrary = 0;
        self.is_down = !self.is_down;
        if !self.is_down {
            self.state = State::Well;
            self.failures = 0;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: Rest = Rest { first: Duration::from_secs(1), longest: Duration::from_secs(5) };

    #[test]
    fn rests_grow_until_one_request_succeeds() {
        let (mut health, mut now) = (Health::default(), Instant::now());
        for seconds in [1, 2, 4, 5, 5] {
            health.taken(now);
            assert!(health.told(Outcome::Bad, now, REST));
            let until = now + Duration::from_secs(seconds);
            assert_eq!(health.fitness(now), Fitness::Resting(until));
            // Late news from before.
            assert!(!health.told(Outcome::Bad, now, REST));
            assert!(!health.told(Outcome::Unknown, now, REST));
            assert_eq!(health.fitness(now), Fitness::Resting(until));
            now = until;
            assert_eq!(health.fitness(now), Fitness::Fit);
        }
        health.taken(now);
        assert_eq!(health.fitness(now), Fitness::OnTrial);
        assert!(!health.told(Outcome::Good, now, REST));
        assert_eq!(health.fitness(now), Fitness::Fit);
        health.told(Outcome::Bad, now, REST);
        assert_eq!(health.fitness(now), Fitness::Resting(now + REST.first));
    }

    #[test]
    fn a_trial_that_says_nothing_is_repeated() {
        let (mut health, now) = (Health::default(), Instant::now());
        health.told(Outcome::Bad, now, REST);
        let later = now + REST.first;
        health.taken(later);
        assert_eq!(health.fitness(later), Fitness::OnTrial);
        health.told(Outcome::Unknown, later, REST);
        assert_eq!(health.fitness(later), Fitness::Fit);
        health.taken(later);
        assert_eq!(health.fitness(later), Fitness::OnTrial);
    }

    #[test]
    fn no_rest_is_none() {
        let rest = Rest { first: Duration::ZERO, longest: Duration::ZERO };
        let (mut health, now) = (Health::default(), Instant::now());
        for _ in 0..100 {
            health.told(Outcome::Bad, now, rest);
            assert_eq!(health.fitness(now), Fitness::Fit);
            health.taken(now);
        }
    }

    #[test]
    fn checks_take_down_and_bring_up() {
        let (mut health, now) = (Health::default(), Instant::now());
        let thresholds = Thresholds { fall: 3, rise: 2 };
        let steps = [
            (false, false, false),
            (false, false, false),
            (true, false, false),
            (false, false, false),
            (false, false, false),
            (false, true, true),
            (false, false, true),
            (true, false, true),
            (false, false, true),
            (true, false, true),
            (true, true, false),
        ];
        for (index, (has_passed, is_change, is_down)) in steps.into_iter().enumerate() {
            assert_eq!(health.checked(has_passed, thresholds), is_change, "{index}");
            assert_eq!(health.fitness(now) == Fitness::Down, is_down, "{index}");
        }
    }
}
