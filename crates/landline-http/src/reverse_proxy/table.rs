//! The targets: every address of every backend, how it is, and how much it has to do.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::balance::{Candidate, choose};
use super::health::{Fitness, Health, Outcome, Rest, Thresholds};
use crate::client::route::To;

/// All targets.
#[derive(Debug)]
pub(super) struct Table {
    rest: Rest,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    targets: Vec<Target>,
    next_id: u64,
}

#[derive(Debug)]
struct Target {
    id: u64,
    backend: usize,
    to: To,
    in_flight: usize,
    health: Health,
}

impl Table {
    pub(super) fn new(rest: Rest) -> Table {
        Table { rest, state: Mutex::default() }
    }

    /// The targets of a backend are these. Those that are no longer among them take no more requests, and end what they
    /// have.
    pub(super) fn set(&self, backend: usize, places: &[To]) {
        let mut state = self.state();
        state.targets.retain(|target| target.backend != backend || places.contains(&target.to));
        for to in places {
            if state.targets.iter().any(|target| target.backend == backend && target.to == *to) {
                continue;
            }
            let id = state.next_id;
            state.next_id += 1;
            state.targets.push(Target {
                id,
                backend,
                to: to.clone(),
                in_flight: 0,
                health: Health::default(),
            });
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.state().targets.is_empty()
    }

    /// A target for a request that was tried with others already; `None` if there is none that is worth it.
    pub(super) fn take(self: &Arc<Self>, tried: &[u64]) -> Option<Turn> {
        let now = Instant::now();
        let mut state = self.state();
        let candidate = |target: &Target| Candidate {
            fitness: target.health.fitness(now),
            in_flight: target.in_flight,
            was_tried: tried.contains(&target.id),
        };
        let candidates: Vec<Candidate> = state.targets.iter().map(candidate).collect();
        if candidates.iter().all(|candidate| !candidate.was_tried) && !tried.is_empty() {
            // The targets have changed since; still a second try is for those that are fit.
            if candidates.iter().all(|candidate| candidate.fitness != Fitness::Fit) {
                return None;
            }
        }
        let chosen = choose(&candidates, fastrand::usize(..))?;
        let target = &mut state.targets[chosen];
        target.in_flight += 1;
        target.health.taken(now);
        let (id, backend, to) = (target.id, target.backend, target.to.clone());
        drop(state);
        Some(Turn { table: self.clone(), id, backend, to, is_told: false })
    }

    /// The targets as they are now, for a health check.
    pub(super) fn all(&self) -> Vec<(u64, usize, To)> {
        self.state().targets.iter().map(|target| (target.id, target.backend, target.to.clone())).collect()
    }

    /// What a health check says.
    pub(super) fn checked(&self, id: u64, has_passed: bool, thresholds: Thresholds) {
        let mut state = self.state();
        let Some(target) = state.target(id) else { return };
        if target.health.checked(has_passed, thresholds) {
            let (to, is) = (&target.to, if has_passed { "up" } else { "down" });
            tracing::warn!(target: "landline", ?to, "a backend is {is} by its health check");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn target(&mut self, id: u64) -> Option<&mut Target> {
        self.targets.iter_mut().find(|target| target.id == id)
    }
}

/// A request that a target has. While it is there, it counts as under way.
#[derive(Debug)]
pub(super) struct Turn {
    table: Arc<Table>,
    pub(super) id: u64,
    pub(super) backend: usize,
    pub(super) to: To,
    is_told: bool,
}

impl Turn {
    /// What the request says of the target.
    pub(super) fn told(&mut self, outcome: Outcome) {
        self.is_told = true;
        let (now, rest) = (Instant::now(), self.table.rest);
        let mut state = self.table.state();
        let Some(target) = state.target(self.id) else { return };
        if target.health.told(outcome, now, rest) {
            tracing::warn!(target: "landline", to = ?self.to, "a backend failed and is let rest");
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.is_told {
            self.told(Outcome::Unknown);
        }
        if let Some(target) = self.table.state().target(self.id) {
            target.in_flight -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn places(ports: &[u16]) -> Vec<To> {
        ports.iter().map(|port| To::Addr(([127, 0, 0, 1], *port).into())).collect()
    }

    fn table() -> Arc<Table> {
        Arc::new(Table::new(Rest { first: Duration::from_secs(60), longest: Duration::from_secs(60) }))
    }

    #[test]
    fn turns_count_until_they_are_dropped() {
        let table = table();
        table.set(0, &places(&[1]));
        table.set(1, &places(&[2]));
        let one = table.take(&[]).unwrap();
        let two = table.take(&[]).unwrap();
        assert_ne!(one.to, two.to);
        let freed = one.to.clone();
        drop(one);
        assert_eq!(table.take(&[]).unwrap().to, freed);
        assert_eq!(table.take(&[two.id]).unwrap().to, freed);
    }

    #[test]
    fn addresses_come_and_go() {
        let table = table();
        table.set(0, &places(&[1, 2]));
        let mut turn = table.take(&[]).unwrap();
        turn.told(Outcome::Bad);
        let rests = turn.to.clone();
        // It is known as it was, among others.
        table.set(0, &places(&[1, 2, 3]));
        for _ in 0..8 {
            assert_ne!(table.take(&[]).unwrap().to, rests);
        }
        table.set(0, &[]);
        assert!(table.take(&[]).is_none() && table.is_empty());
        drop(turn);
        // It comes back without its past.
        table.set(0, std::slice::from_ref(&rests));
        assert_eq!(table.take(&[]).unwrap().to, rests);
    }

    #[test]
    fn no_second_try_with_one_that_rests() {
        let table = table();
        table.set(0, &places(&[1, 2]));
        let mut one = table.take(&[]).unwrap();
        one.told(Outcome::Bad);
        let mut two = table.take(&[one.id]).unwrap();
        two.told(Outcome::Bad);
        assert!(table.take(&[one.id, two.id]).is_none());
        // But a first.
        assert!(table.take(&[]).is_some());
        table.set(0, &places(&[3]));
        assert!(table.take(&[one.id, two.id]).is_some());
    }
}
