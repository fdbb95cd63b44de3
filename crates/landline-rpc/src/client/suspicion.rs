//! Which servers have gone silent, and when to ask them again: decided without a clock.

use std::time::Duration;

use tokio::time::Instant;

use super::reconnect::{Reconnect, delay};

/// What a pool thinks of a server that it has a conn to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Well,
    /// It was silent, and one call may find out whether it still is.
    Due,
    /// It is passed by as long as others are well.
    Suspect,
}

/// Whether a server is suspected of having gone silent.
#[derive(Debug, Default)]
pub(super) struct Suspicion(Option<Suspect>);

#[derive(Debug)]
struct Suspect {
    /// How much had been heard from it. Once there is more, it is well.
    heard: u64,
    /// How many calls have been sent to find out.
    probes: u32,
    /// No other one before this.
    until: Instant,
}

/// However long a call may take, a server that owed an answer for so long when it was given up was silent.
const SILENT: Duration = Duration::from_secs(1);

/// For how long a server has to have owed an answer without a word, for a call that may take `allowed`. A part of that may
/// go by before the call is sent.
pub(super) fn patience(allowed: Option<Duration>) -> Duration {
    allowed.map_or(SILENT, |allowed| SILENT.min(allowed / 2))
}

impl Suspicion {
    /// `heard` is how much has been heard from the server by now.
    pub(super) fn standing(&self, now: Instant, heard: u64) -> Standing {
        match &self.0 {
            Some(suspect) if suspect.heard != heard => Standing::Well,
            Some(suspect) if now < suspect.until => Standing::Suspect,
            Some(_) => Standing::Due,
            None => Standing::Well,
        }
    }

    /// A call was given up, and the server had been silent for long enough. Further ones that were sent before that say
    /// nothing new.
    pub(super) fn silent(&mut self, now: Instant, heard: u64, pauses: Reconnect, chance: f64) {
        if self.standing(now, heard) == Standing::Well {
            self.0 = Some(Suspect { heard, probes: 0, until: now + pause(pauses, 0, chance) });
        }
    }

    /// A call is sent to find out. Until it is known, or until the next pause is over, others are not.
    pub(super) fn probe(&mut self, now: Instant, pauses: Reconnect, chance: f64) {
        if let Some(suspect) = &mut self.0 {
            suspect.probes = suspect.probes.saturating_add(1);
            suspect.until = now + pause(pauses, suspect.probes, chance);
        }
    }
}

/// Clients that do not dial again have no pauses; those that have long ones mean it.
fn pause(pauses: Reconnect, probes: u32, chance: f64) -> Duration {
    delay(pauses, probes, chance).or_else(|| delay(Reconnect::default(), probes, chance)).unwrap_or(SILENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSES: Reconnect =
        Reconnect::Backoff { first: Duration::from_millis(100), most: Duration::from_secs(1) };

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn one_call_finds_out_after_each_pause_and_pauses_grow() {
        let mut suspicion = Suspicion::default();
        let mut now = Instant::now();
        assert_eq!(suspicion.standing(now, 7), Standing::Well);
        suspicion.silent(now, 7, PAUSES, 0.0);
        for pause in [100, 200, 400, 800, 1000, 1000] {
            assert_eq!(suspicion.standing(now + millis(pause - 1), 7), Standing::Suspect, "{pause}");
            now += millis(pause);
            assert_eq!(suspicion.standing(now, 7), Standing::Due, "{pause}");
            suspicion.probe(now, PAUSES, 0.0);
        }
    }

    #[test]
    fn calls_that_were_under_way_do_not_lengthen_a_pause() {
        let mut suspicion = Suspicion::default();
        let now = Instant::now();
        for late in 0..100 {
            suspicion.silent(now + millis(late), 7, PAUSES, 0.0);
        }
        assert_eq!(suspicion.standing(now + millis(100), 7), Standing::Due);
    }

    #[test]
    fn a_word_makes_good_and_a_new_silence_begins_anew() {
        let mut suspicion = Suspicion::default();
        let now = Instant::now();
        suspicion.silent(now, 7, PAUSES, 0.0);
        suspicion.probe(now + millis(100), PAUSES, 0.0);
        suspicion.probe(now + millis(300), PAUSES, 0.0);
        assert_eq!(suspicion.standing(now + millis(301), 8), Standing::Well);
        suspicion.silent(now + millis(400), 8, PAUSES, 0.0);
        assert_eq!(suspicion.standing(now + millis(499), 8), Standing::Suspect);
        assert_eq!(suspicion.standing(now + millis(500), 8), Standing::Due);
    }

    #[test]
    fn without_pauses_of_its_own_a_client_has_the_usual_ones() {
        let mut suspicion = Suspicion::default();
        let now = Instant::now();
        suspicion.silent(now, 0, Reconnect::Never, 0.0);
        assert_eq!(suspicion.standing(now + millis(99), 0), Standing::Suspect);
        assert_eq!(suspicion.standing(now + millis(100), 0), Standing::Due);
    }

    #[test]
    fn patience_is_half_of_what_a_call_may_take_and_a_second_at_most() {
        for (allowed, expected) in
            [(None, 1000), (Some(0), 0), (Some(300), 150), (Some(2000), 1000), (Some(30_000), 1000)]
        {
            assert_eq!(patience(allowed.map(millis)), millis(expected), "{allowed:?}");
        }
    }
}
