//! When to begin which attempt: RFC 8305 as pure code. Answers, outcomes and an instant go in; attempts come out.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::explain::AttemptReason;

/// How the addresses of a name are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Race {
    /// A new attempt whenever this long passes without an outcome, or at once when one fails; the first to connect
    /// wins and the others are closed (RFC 8305 section 5). The default is 250 ms. The RFC asks for 10 ms at least.
    After(Duration),
    /// One after another, each with a fair share of the budget that is left.
    Off,
}

impl Default for Race {
    fn default() -> Race {
        Race::After(ATTEMPT_DELAY)
    }
}

/// RFC 8305 section 8: Connection Attempt Delay.
pub(crate) const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// RFC 8305 section 8: Resolution Delay.
pub(crate) const RESOLUTION_DELAY: Duration = Duration::from_millis(50);

/// The least that a serial attempt is given, as long as that much is left: two seconds, as in Go.
const LEAST_SHARE: Duration = Duration::from_secs(2);

/// What is known, tried and under way.
#[derive(Debug)]
pub(crate) struct Pace {
    race: Race,
    resolution_delay: Duration,
    /// Addresses not tried yet, best first.
    untried: Vec<SocketAddr>,
    resolution: Resolution,
    begun: u32,
    running: u32,
    last_began: Option<Instant>,
    last_was_ipv6: Option<bool>,
    failed_since: bool,
}

/// How far the lookup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resolution {
    Waiting,
    /// IPv4 addresses came first: IPv6 is waited for until then, but no longer.
    Delayed {
        until: Instant,
    },
    /// Enough came to begin, and more may come.
    Enough,
    Done,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Begin an attempt; a serial one is given until `until`.
    Begin { peer: SocketAddr, reason: AttemptReason, until: Option<Instant> },
    /// Nothing until an answer, an outcome, or this instant.
    Wait { until: Option<Instant> },
    /// All addresses were tried, and all failed.
    Exhausted,
}

impl Pace {
    pub(crate) fn new(race: Race, resolution_delay: Duration) -> Pace {
        Pace {
            race,
            resolution_delay,
            untried: Vec::new(),
            resolution: Resolution::Waiting,
            begun: 0,
            running: 0,
            last_began: None,
            last_was_ipv6: None,
            failed_since: false,
        }
    }

    /// The lookup's answer for one family, or for more: `untried` are all addresses known and not tried yet, in the
    /// order of RFC 6724. Returns the delay that begins now, if one does.
    pub(crate) fn answered(&mut self, untried: Vec<SocketAddr>, now: Instant) -> Option<Duration> {
        self.untried = untried;
        if self.resolution != Resolution::Waiting || self.untried.is_empty() {
            return None;
        }
        // Section 3: IPv6 addresses are reason to begin, IPv4 addresses to wait a little for IPv6.
        if self.untried.iter().any(SocketAddr::is_ipv6) {
            self.resolution = Resolution::Enough;
            return None;
        }
        self.resolution = Resolution::Delayed { until: now + self.resolution_delay };
        (self.race != Race::Off).then_some(self.resolution_delay)
    }

    /// IPv6 is known to have no addresses, or to have been answered: nothing to wait for.
    pub(crate) fn ipv6_settled(&mut self) {
        if matches!(self.resolution, Resolution::Delayed { .. }) {
            self.resolution = Resolution::Enough;
        }
    }

    /// No further answer will come.
    pub(crate) fn resolved(&mut self) {
        self.resolution = Resolution::Done;
    }

    /// An attempt failed.
    pub(crate) fn failed(&mut self) {
        self.running -= 1;
        self.failed_since = true;
    }

    /// The addresses not tried yet.
    pub(crate) fn untried(&self) -> &[SocketAddr] {
        &self.untried
    }

    /// What to do at `now`; asked again after every event and at the instant returned. `budget` is the dial's end.
    pub(crate) fn step(&mut self, now: Instant, budget: Option<Instant>) -> Step {
        let reason = match self.race {
            Race::Off => match self.resolution {
                Resolution::Done if self.running == 0 => {
                    if self.begun == 0 {
                        AttemptReason::First
                    } else {
                        AttemptReason::PreviousFailed
                    }
                }
                _ => return Step::Wait { until: None },
            },
            Race::After(delay) => {
                match self.resolution {
                    Resolution::Waiting => return Step::Wait { until: None },
                    Resolution::Delayed { until } if now < until => return Step::Wait { until: Some(until) },
                    Resolution::Delayed { .. } | Resolution::Enough | Resolution::Done => {}
                }
                match self.last_began {
                    None => AttemptReason::First,
                    Some(_) if self.failed_since => AttemptReason::PreviousFailed,
                    Some(last) if now >= last + delay => AttemptReason::DelayPassed,
                    Some(_) if self.untried.is_empty() => return self.nothing_untried(),
                    Some(last) => return Step::Wait { until: Some(last + delay) },
                }
            }
        };
        match self.next_address() {
            Some(peer) => {
                let until = match self.race {
                    Race::Off => budget.map(|budget| share(now, budget, self.untried.len() + 1)),
                    Race::After(_) => None,
                };
                self.begun += 1;
                self.running += 1;
                self.last_began = Some(now);
                self.last_was_ipv6 = Some(peer.is_ipv6());
                self.failed_since = false;
                Step::Begin { peer, reason, until }
            }
            None => self.nothing_untried(),
        }
    }

    fn nothing_untried(&self) -> Step {
        if self.running == 0 && self.resolution == Resolution::Done {
            return Step::Exhausted;
        }
        Step::Wait { until: None }
    }

    /// Section 4: the best address of the family that was not tried last, so that families alternate; the best of
    /// all at first. Serially, simply the best.
    fn next_address(&mut self) -> Option<SocketAddr> {
        let wanted = match (self.race, self.last_was_ipv6) {
            (Race::After(_), Some(last_was_ipv6)) => {
                self.untried.iter().position(|peer| peer.is_ipv6() != last_was_ipv6).unwrap_or(0)
            }
            _ => 0,
        };
        (!self.untried.is_empty()).then(|| self.untried.remove(wanted))
    }
}

/// The end of the share of one of `count` attempts that are still to be made one after another: an equal part of what
/// is left, but two seconds if as much is left.
fn share(now: Instant, budget: Instant, count: usize) -> Instant {
    let left = budget.saturating_duration_since(now);
    let equal = left / u32::try_from(count).unwrap_or(u32::MAX).max(1);
    now + equal.max(LEAST_SHARE.min(left))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const V6: &str = "[2001:db8::1]:80";
    const V6B: &str = "[2001:db8::2]:80";
    const V4: &str = "192.0.2.1:80";
    const V4B: &str = "192.0.2.2:80";

    fn addrs(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn begin(peer: &str, reason: AttemptReason) -> Step {
        Step::Begin { peer: peer.parse().unwrap(), reason, until: None }
    }

    fn race() -> Pace {
        Pace::new(Race::default(), RESOLUTION_DELAY)
    }

    #[tokio::test(start_paused = true)]
    async fn ipv6_answers_begin_at_once() {
        let now = Instant::now();
        let mut pace = race();
        assert_eq!(pace.step(now, None), Step::Wait { until: None });
        assert_eq!(pace.answered(addrs(&[V6]), now), None);
        assert_eq!(pace.step(now, None), begin(V6, AttemptReason::First));
        assert_eq!(pace.step(now, None), Step::Wait { until: None });
    }

    #[tokio::test(start_paused = true)]
    async fn ipv4_answers_wait_for_ipv6_and_no_longer_than_the_resolution_delay() {
        let now = Instant::now();
        let mut pace = race();
        assert_eq!(pace.answered(addrs(&[V4]), now), Some(ms(50)));
        assert_eq!(pace.step(now, None), Step::Wait { until: Some(now + ms(50)) });
        assert_eq!(pace.step(now + ms(50), None), begin(V4, AttemptReason::First));

        let mut pace = race();
        pace.answered(addrs(&[V4]), now);
        pace.answered(addrs(&[V6, V4]), now + ms(20));
        pace.ipv6_settled();
        assert_eq!(pace.step(now + ms(20), None), begin(V6, AttemptReason::First));

        let mut pace = race();
        pace.answered(addrs(&[V4]), now);
        pace.ipv6_settled();
        assert_eq!(pace.step(now + ms(1), None), begin(V4, AttemptReason::First));
    }

    #[tokio::test(start_paused = true)]
    async fn families_alternate_every_attempt_delay() {
        let now = Instant::now();
        let mut pace = race();
        pace.answered(addrs(&[V6, V6B, V4, V4B]), now);
        pace.resolved();
        assert_eq!(pace.step(now, None), begin(V6, AttemptReason::First));
        assert_eq!(pace.step(now, None), Step::Wait { until: Some(now + ms(250)) });
        assert_eq!(pace.step(now + ms(250), None), begin(V4, AttemptReason::DelayPassed));
        assert_eq!(pace.step(now + ms(500), None), begin(V6B, AttemptReason::DelayPassed));
        assert_eq!(pace.step(now + ms(750), None), begin(V4B, AttemptReason::DelayPassed));
        assert_eq!(pace.step(now + ms(1000), None), Step::Wait { until: None });
        for _ in 0..4 {
            pace.failed();
        }
        assert_eq!(pace.step(now + ms(1000), None), Step::Exhausted);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_begins_the_next_at_once() {
        let now = Instant::now();
        let mut pace = race();
        pace.answered(addrs(&[V6, V4]), now);
        pace.resolved();
        pace.step(now, None);
        pace.failed();
        assert_eq!(pace.step(now + ms(1), None), begin(V4, AttemptReason::PreviousFailed));
        assert_eq!(pace.step(now + ms(1), None), Step::Wait { until: None });
        pace.failed();
        assert_eq!(pace.step(now + ms(2), None), Step::Exhausted);
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_answer_takes_its_turn_in_the_alternation() {
        let now = Instant::now();
        let mut pace = race();
        pace.answered(addrs(&[V4, V4B]), now);
        assert_eq!(pace.step(now + ms(50), None), begin(V4, AttemptReason::First));
        pace.answered(addrs(&[V6, V4B]), now + ms(60));
        pace.resolved();
        assert_eq!(pace.step(now + ms(60), None), Step::Wait { until: Some(now + ms(300)) });
        assert_eq!(pace.step(now + ms(300), None), begin(V6, AttemptReason::DelayPassed));
    }

    #[tokio::test(start_paused = true)]
    async fn all_failed_while_a_family_is_still_looked_up_waits_for_it() {
        let now = Instant::now();
        let mut pace = race();
        pace.answered(addrs(&[V6]), now);
        pace.step(now, None);
        pace.failed();
        assert_eq!(pace.step(now + ms(1), None), Step::Wait { until: None });
        pace.answered(addrs(&[V4]), now + ms(5));
        pace.resolved();
        assert_eq!(pace.step(now + ms(5), None), begin(V4, AttemptReason::PreviousFailed));
    }

    #[tokio::test(start_paused = true)]
    async fn serially_each_attempt_has_its_share_of_what_is_left() {
        let now = Instant::now();
        let budget = Some(now + Duration::from_secs(12));
        let mut pace = Pace::new(Race::Off, RESOLUTION_DELAY);
        assert_eq!(pace.answered(addrs(&[V6, V6B, V4]), now), None);
        assert_eq!(pace.step(now, budget), Step::Wait { until: None });
        pace.resolved();
        let share_of = |step| match step {
            Step::Begin { until: Some(until), .. } => until - now,
            step => panic!("{step:?}"),
        };
        assert_eq!(share_of(pace.step(now, budget)), Duration::from_secs(4));
        assert_eq!(pace.step(now, budget), Step::Wait { until: None });
        pace.failed();
        let later = now + Duration::from_secs(4);
        assert_eq!(share_of(pace.step(later, budget)), Duration::from_secs(8));
        pace.failed();
        let last = now + Duration::from_secs(11);
        assert_eq!(share_of(pace.step(last, budget)), Duration::from_secs(12));
    }

    #[tokio::test(start_paused = true)]
    async fn a_share_is_two_seconds_at_least_and_never_past_the_budget() {
        let now = Instant::now();
        assert_eq!(share(now, now + Duration::from_secs(10), 10), now + Duration::from_secs(2));
        assert_eq!(share(now, now + Duration::from_secs(1), 10), now + Duration::from_secs(1));
        assert_eq!(share(now, now, 3), now);
    }

    proptest! {
        /// Whatever the order of events, every address is tried once, and the race ends exhausted.
        #[test]
        fn every_address_is_tried_exactly_once(
            v6 in 0usize..5,
            v4 in 0usize..5,
            v6_first: bool,
            outcomes in proptest::collection::vec((0u64..400, any::<bool>()), 0..40),
            serial: bool,
        ) {
            let race = if serial { Race::Off } else { Race::default() };
            let mut pace = Pace::new(race, RESOLUTION_DELAY);
            let make = |count: usize, v6: bool| -> Vec<SocketAddr> {
                (0..count)
                    .map(|n| if v6 { format!("[2001:db8::{n}]:1") } else { format!("192.0.2.{n}:1") })
                    .map(|text| text.parse().unwrap())
                    .collect()
            };
            let base = Instant::now();
            let (first, second) = (make(if v6_first { v6 } else { v4 }, v6_first), make(if v6_first { v4 } else { v6 }, !v6_first));
            let mut now = base;
            pace.answered(first.clone(), now);
            let mut tried: Vec<SocketAddr> = Vec::new();
            let mut running = 0;
            let mut answered_both = false;
            for (wait, fail) in outcomes.into_iter().chain(std::iter::repeat_n((300, true), 40)) {
                while let Step::Begin { peer, .. } = pace.step(now, None) {
                    tried.push(peer);
                    running += 1;
                }
                prop_assert!(!serial || running <= 1);
                now += Duration::from_millis(wait);
                if !answered_both {
                    answered_both = true;
                    let mut untried = pace.untried().to_vec();
                    untried.extend(&second);
                    pace.answered(untried, now);
                    pace.resolved();
                }
                if fail && running > 0 {
                    running -= 1;
                    pace.failed();
                }
            }
            prop_assert_eq!(pace.step(now, None), Step::Exhausted);
            let mut wanted: Vec<SocketAddr> = first.into_iter().chain(second).collect();
            wanted.sort();
            tried.sort();
            prop_assert_eq!(tried, wanted);
        }
    }
}
