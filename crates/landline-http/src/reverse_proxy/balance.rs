//! Which target a request goes to. Pure.

use super::health::Fitness;

/// A target to choose from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) fitness: Fitness,
    /// Requests under way.
    pub(super) in_flight: usize,
    /// This request was tried with it already.
    pub(super) was_tried: bool,
}

/// The fit one that has the fewest requests under way and was not tried; among equals, one by chance.
///
/// A first try goes to one that is not fit rather than to none: to one on trial, or whose rest ends first, or, at last, to
/// one that is down.
pub(super) fn choose(candidates: &[Candidate], random: usize) -> Option<usize> {
    let is_fit = |candidate: &Candidate| candidate.fitness == Fitness::Fit && !candidate.was_tried;
    let fewest =
        candidates.iter().filter(|candidate| is_fit(candidate)).map(|candidate| candidate.in_flight).min();
    if let Some(fewest) = fewest {
        let mut equals = candidates
            .iter()
            .enumerate()
            .filter(|(_, candidate)| is_fit(candidate) && candidate.in_flight == fewest)
            .map(|(index, _)| index)
            .collect::<Vec<_>>();
        return Some(equals.swap_remove(random % equals.len()));
    }
    if candidates.iter().any(|candidate| candidate.was_tried) {
        return None;
    }
    let until = |candidate: &Candidate| match candidate.fitness {
        Fitness::Fit | Fitness::OnTrial => (0, None, candidate.in_flight),
        Fitness::Resting(until) => (1, Some(until), candidate.in_flight),
        Fitness::Down => (2, None, candidate.in_flight),
    };
    let best = candidates.iter().enumerate().min_by_key(|(_, candidate)| until(candidate));
    best.map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use tokio::time::Instant;

    use super::*;

    fn candidate(fitness: Fitness, in_flight: usize, was_tried: bool) -> Candidate {
        Candidate { fitness, in_flight, was_tried }
    }

    #[test]
    fn the_least_busy_of_the_fit() {
        use Fitness::{Down, Fit, OnTrial, Resting};
        let (soon, late) = (Instant::now(), Instant::now() + Duration::from_secs(9));
        for (candidates, chosen) in [
            (&[][..], None),
            (&[(Fit, 3, false), (Fit, 1, false), (Fit, 2, false)], Some(1)),
            (&[(Fit, 0, true), (Fit, 5, false)], Some(1)),
            (&[(Down, 0, false), (Resting(soon), 0, false), (OnTrial, 0, false), (Fit, 9, false)], Some(3)),
            (&[(Down, 0, false), (Resting(late), 0, false), (Resting(soon), 7, false)], Some(2)),
            (&[(Down, 0, false), (Resting(soon), 0, false), (OnTrial, 1, false)], Some(2)),
            (&[(Down, 4, false), (Down, 3, false)], Some(1)),
            // A second try is for those that are fit.
            (&[(Fit, 0, true), (Resting(soon), 0, false), (OnTrial, 0, false)], None),
            (&[(Resting(soon), 0, true)], None),
        ] {
            let candidates: Vec<_> =
                candidates.iter().map(|&(fitness, busy, tried)| candidate(fitness, busy, tried)).collect();
            assert_eq!(choose(&candidates, 0), chosen, "{candidates:?}");
        }
    }

    #[test]
    fn equals_share() {
        let candidates = [2, 1, 1, 5, 1].map(|busy| candidate(Fitness::Fit, busy, false));
        let mut counts = [0; 5];
        for random in 0..300 {
            counts[choose(&candidates, random).unwrap()] += 1;
        }
        assert_eq!(counts, [0, 100, 100, 0, 100]);
    }

    proptest! {
        #[test]
        fn whoever_is_chosen_is_the_best(
            given in prop::collection::vec((0..4u8, 0..4usize, any::<bool>()), 0..8),
            random in any::<usize>(),
        ) {
            let now = Instant::now();
            let candidates: Vec<_> = given
                .iter()
                .map(|&(fitness, busy, tried)| {
                    let fitness = match fitness {
                        0 => Fitness::Down,
                        1 => Fitness::Resting(now),
                        2 => Fitness::OnTrial,
                        _ => Fitness::Fit,
                    };
                    candidate(fitness, busy, tried)
                })
                .collect();
            let fit = |candidate: &&Candidate| candidate.fitness == Fitness::Fit && !candidate.was_tried;
            match choose(&candidates, random) {
                Some(chosen) => {
                    let chosen = candidates[chosen];
                    prop_assert!(!chosen.was_tried);
                    let least = candidates.iter().filter(fit).map(|candidate| candidate.in_flight).min();
                    match least {
                        Some(least) => prop_assert!(chosen.fitness == Fitness::Fit && chosen.in_flight == least),
                        None => prop_assert!(candidates.iter().all(|candidate| !candidate.was_tried)),
                    }
                }
                None => {
                    prop_assert!(!candidates.iter().any(|candidate| fit(&candidate)));
                    prop_assert!(candidates.is_empty() || candidates.iter().any(|candidate| candidate.was_tried));
                }
            }
        }
    }
}
