//! How fast conns are accepted: pure code, time given in nanoseconds since some beginning.

use std::sync::atomic::{AtomicU64, Ordering};

/// Spaces what it lets pass evenly, so many a second, and lets a little more pass at once after a quiet time: the
/// generic cell rate algorithm (ITU-T I.371, annex A).
#[derive(Debug)]
pub(super) struct Rate {
    interval: u64,
    tolerance: u64,
    /// When the next would come if all came evenly.
    expected: AtomicU64,
}

const SECOND: u64 = 1_000_000_000;
/// What may pass at once is what comes in this time. Timers go by the millisecond, so with less, high rates would not
/// be reached.
const AT_ONCE_PER_SECOND: u64 = 100;

impl Rate {
    /// At least one a second.
    pub(super) fn per_second(count: u32) -> Rate {
        let count = u64::from(count.max(1));
        let interval = SECOND / count;
        let at_once = (count / AT_ONCE_PER_SECOND).max(1);
        Rate { interval, tolerance: interval * (at_once - 1), expected: AtomicU64::new(0) }
    }

    /// Takes the next place, and returns how long to wait for it.
    pub(super) fn reserve(&self, now: u64) -> u64 {
        let after = |expected: u64| expected.max(now) + self.interval;
        let (Ok(expected) | Err(expected)) =
            self.expected
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |expected| Some(after(expected)));
        expected.saturating_sub(self.tolerance).saturating_sub(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_burst_is_spaced() {
        let rate = Rate::per_second(10);
        let waits: Vec<u64> = (0..4).map(|_| rate.reserve(SECOND) / 1_000_000).collect();
        assert_eq!(waits, [0, 100, 200, 300]);
        assert_eq!(rate.reserve(5 * SECOND), 0, "after a quiet time");
        assert_eq!(rate.reserve(5 * SECOND) / 1_000_000, 100);
    }

    #[test]
    fn a_hundredth_of_a_second_may_come_at_once() {
        let rate = Rate::per_second(1000);
        let at_once = (0..100).take_while(|_| rate.reserve(SECOND) == 0).count();
        assert_eq!(at_once, 10);
    }

    proptest! {
        /// Whoever waits as told never exceeds the rate in any second by more than what may come at once.
        #[test]
        fn no_second_has_more(per_second in 1_u32..5000, gaps in prop::collection::vec(0_u64..50_000_000, 1..400)) {
            let rate = Rate::per_second(per_second);
            let mut now = SECOND;
            let mut passed = Vec::new();
            for gap in gaps {
                now += gap;
                now += rate.reserve(now);
                passed.push(now);
            }
            for (index, start) in passed.iter().enumerate() {
                let within = passed[index..].iter().take_while(|time| **time < start + SECOND).count();
                let most = per_second as usize + (per_second as usize / 100).max(1) + 1;
                prop_assert!(within <= most, "{within} in a second");
            }
        }
    }
}
