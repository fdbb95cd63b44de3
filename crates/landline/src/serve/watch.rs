//! When a conn has been silent for too long: pure code. Time is counted in ticks, one for each sweep over the conns.

use std::time::Duration;

/// How long a conn may be silent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Timeouts {
    /// Until its first byte has come in.
    pub(super) first_byte: Option<Duration>,
    /// Between any bytes that come in or go out.
    pub(super) idle: Option<Duration>,
}

/// The same in ticks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    tick: Duration,
    first_byte: Option<u32>,
    idle: Option<u32>,
    /// What is left to a handler to end after its conn's I/O was ended.
    grace: u32,
}

/// What is remembered of one conn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch {
    /// It need not be looked at before.
    due: u32,
    began: u32,
    /// When it was last known to have moved bytes.
    moved: u32,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing has come in yet.
    Unheard,
    Heard,
    /// Its I/O was ended.
    Expired,
}

/// What a conn did since it was last looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Activity {
    /// Whether bytes moved.
    pub(super) moved: bool,
    /// Whether any byte has ever come in.
    pub(super) heard: bool,
}

/// What to do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    GoOn,
    /// End its I/O.
    FirstByteTimeout,
    /// End its I/O.
    IdleTimeout,
    /// Its handler has not ended although its I/O was: drop it.
    Cut,
}

/// The shorter timeout has so many ticks: it is kept to an eighth.
const TICKS: u32 = 8;
const SHORTEST_TICK: Duration = Duration::from_millis(1);
const LONGEST_TICK: Duration = Duration::from_secs(1);
/// A conn in use is looked at so many times in its idle timeout.
const LOOKS: u32 = 4;

impl Rules {
    /// `None` if there is nothing to watch for.
    pub(super) fn new(timeouts: Timeouts) -> Option<Rules> {
        let Timeouts { first_byte, idle } = timeouts;
        let shortest = first_byte.into_iter().chain(idle).min()?;
        let tick = (shortest / TICKS).clamp(SHORTEST_TICK, LONGEST_TICK);
        let ticks = |timeout: Duration| {
            let ticks = timeout.as_nanos().div_ceil(tick.as_nanos());
            u32::try_from(ticks).unwrap_or(u32::MAX / 4).clamp(1, u32::MAX / 4)
        };
        let grace = ticks(shortest.max(LONGEST_TICK));
        Some(Rules { tick, first_byte: first_byte.map(ticks), idle: idle.map(ticks), grace })
    }

    pub(super) fn tick(&self) -> Duration {
        self.tick
    }

    /// A conn begins.
    pub(super) fn begin(&self, now: u32) -> Watch {
        let mut watch = Watch { due: now, began: now, moved: now, stage: Stage::Unheard };
        watch.due = self.next_look(&watch, now);
        watch
    }

    /// Looks at a conn, if it is time to; only then is its activity asked for.
    pub(super) fn look(&self, watch: &mut Watch, now: u32, activity: impl FnOnce() -> Activity) -> Verdict {
        // Ticks run for as long as the server does, and begin again after the largest.
        if now.wrapping_sub(watch.due) > u32::MAX / 2 {
            return Verdict::GoOn;
        }
        if watch.stage == Stage::Expired {
            watch.due = now.wrapping_add(self.grace);
            return Verdict::Cut;
        }
        let activity = activity();
        if activity.moved {
            watch.moved = now;
        }
        if activity.heard {
            watch.stage = Stage::Heard;
        }
        let reached = |since: u32, timeout: Option<u32>| {
            timeout.is_some_and(|timeout| now.wrapping_sub(since) >= timeout)
        };
        let verdict = if watch.stage == Stage::Unheard && reached(watch.began, self.first_byte) {
            Verdict::FirstByteTimeout
        } else if reached(watch.moved, self.idle) {
            Verdict::IdleTimeout
        } else {
            watch.due = self.next_look(watch, now);
            return Verdict::GoOn;
        };
        watch.stage = Stage::Expired;
        watch.due = now.wrapping_add(self.grace);
        verdict
    }

    fn next_look(&self, watch: &Watch, now: u32) -> u32 {
        let left = |since: u32, timeout: u32| timeout.saturating_sub(now.wrapping_sub(since)).max(1);
        let first_byte = match watch.stage {
            Stage::Unheard => self.first_byte.map(|timeout| left(watch.began, timeout)),
            _ => None,
        };
        // Often enough to know when it last moved, and when the timeout would be reached.
        let idle = self.idle.map(|timeout| left(watch.moved, timeout).min((timeout / LOOKS).max(1)));
        let ticks = first_byte.into_iter().chain(idle).min();
        // Of a conn that has nothing more to keep to, seldom.
        now.wrapping_add(ticks.unwrap_or(u32::MAX / 4))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rules(first_byte: Option<u64>, idle: Option<u64>) -> Rules {
        let [first_byte, idle] = [first_byte, idle].map(|millis| millis.map(Duration::from_millis));
        Rules::new(Timeouts { first_byte, idle }).unwrap()
    }

    /// Looks at every tick at a conn that moves bytes at the given ones, as `heard` or not; the first verdict and its tick.
    fn watch(rules: &Rules, from: u32, moves: &[u32], heard: bool) -> (u32, Verdict) {
        let mut watch = rules.begin(from);
        let mut last = 0;
        for tick in 1..100_000 {
            let activity = || {
                let moved = moves.iter().any(|at| (last..tick).contains(at));
                last = tick;
                Activity { moved, heard: heard && moves.iter().any(|at| *at < tick) }
            };
            let verdict = rules.look(&mut watch, from.wrapping_add(tick), activity);
            if verdict != Verdict::GoOn {
                return (tick, verdict);
            }
        }
        (0, Verdict::GoOn)
    }

    #[test]
    fn nothing_to_keep_to_is_nothing_to_watch() {
        assert!(Rules::new(Timeouts::default()).is_none());
    }

    #[test]
    fn a_tick_is_an_eighth_of_the_shorter_timeout_within_bounds() {
        assert_eq!(rules(Some(800), Some(60_000)).tick(), Duration::from_millis(100));
        assert_eq!(rules(Some(1), None).tick(), SHORTEST_TICK);
        assert_eq!(rules(None, Some(3_600_000)).tick(), LONGEST_TICK);
    }

    #[test]
    fn who_says_nothing_is_ended_in_time_and_who_said_something_is_not() {
        let rules = rules(Some(800), None);
        assert_eq!(watch(&rules, 0, &[], true), (8, Verdict::FirstByteTimeout));
        assert_eq!(watch(&rules, 0, &[3], false), (8, Verdict::FirstByteTimeout), "bytes out do not count");
        assert_eq!(watch(&rules, 0, &[7], true), (0, Verdict::GoOn));
    }

    #[test]
    fn a_handler_that_stays_after_its_end_is_cut() {
        let rules = rules(None, Some(8000));
        let mut conn = rules.begin(0);
        let look = |conn: &mut Watch, tick| rules.look(conn, tick, Activity::default);
        let verdicts: Vec<(u32, Verdict)> = (1..=30)
            .map(|tick| (tick, look(&mut conn, tick)))
            .filter(|(_, verdict)| *verdict != Verdict::GoOn)
            .collect();
        assert_eq!(verdicts, [(8, Verdict::IdleTimeout), (16, Verdict::Cut), (24, Verdict::Cut)]);
    }

    proptest! {
        /// Never early, and late by a quarter at most, wherever the count of ticks stands.
        #[test]
        fn idle_conns_are_ended_after_their_last_move(
            idle in 1_u64..100_000,
            from in prop_oneof![Just(0), Just(u32::MAX - 20), any::<u32>()],
            moves in prop::collection::vec(1_u32..2000, 0..20),
        ) {
            let rules = rules(None, Some(idle));
            let ticks = rules.idle.unwrap();
            let (at, verdict) = watch(&rules, from, &moves, true);
            prop_assert_eq!(verdict, Verdict::IdleTimeout);
            let mut last = 0;
            let mut sorted = moves.clone();
            sorted.sort_unstable();
            for at in sorted {
                if at - last <= ticks {
                    last = at;
                } else {
                    break;
                }
            }
            prop_assert!(at >= last + ticks || moves.iter().all(|moved| *moved >= at), "ended at {at}, last moved at {last}");
            let latest = moves.iter().max().copied().unwrap_or(0) + ticks + ticks.div_ceil(LOOKS) + 1;
            prop_assert!(at <= latest, "ended at {at}, not by {latest}");
        }
    }
}
