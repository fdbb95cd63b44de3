//! The plan of a DNS lookup: which question goes to which server, over what and for how long, and what each word of a
//! server, or its silence, leads to. A pure decision: it is told what was heard and what time it is.
//!
//! A lookup asks one or more record types (lanes) of one name after another (the search list). Each lane goes through
//! the servers on its own, so that a server's trouble with AAAA does not hold up A.

mod terms;

use std::collections::VecDeque;

use tokio::time::Instant;

use super::message::Carrier;

pub(crate) use terms::{Action, Ask, Attempt, Failure, Outcome, Role, Settings, Word};

/// See the module's text.
#[derive(Clone, Debug)]
pub(crate) struct QueryPlan {
    settings: Settings,
    deadline: Option<Instant>,
    names: usize,
    name: Option<usize>,
    /// The server that this name began with.
    begun_with: usize,
    stage: Stage,
    lanes: Vec<Lane>,
    ready: VecDeque<Ask>,
    last_ask: u32,
    /// Servers that refuse OPT records.
    without_edns: Vec<usize>,
    /// Set once a server kept silent: some drop the second of two questions from one port, and so do some firewalls.
    separate: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Searching,
    /// This name it is; the other lanes are still asked about it.
    Decided,
    /// Nothing more will be asked.
    Over,
}

#[derive(Clone, Debug)]
struct Lane {
    role: Role,
    state: State,
    /// The most telling of what was said against this name and the ones before.
    worst: Option<Outcome>,
    /// From when on an old answer for this name is better than none.
    fallback: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Waiting,
    Asking {
        ask: u32,
        attempt: Attempt,
        since: Instant,
        /// The ask before, which ran out of time and may still be answered, and its server.
        late: Option<(u32, usize)>,
    },
    /// Nothing more to ask about this name.
    Ended {
        found: bool,
    },
    Settled,
}

impl QueryPlan {
    /// For `names` candidates of the search list.
    pub(crate) fn new(settings: Settings, names: usize, roles: &[Role]) -> QueryPlan {
        let lane = |&role| Lane { role, state: State::Waiting, worst: None, fallback: None };
        QueryPlan {
            begun_with: settings.first,
            settings,
            deadline: None,
            names,
            name: None,
            stage: Stage::Searching,
            lanes: roles.iter().map(lane).collect(),
            ready: VecDeque::new(),
            last_ask: 0,
            without_edns: Vec::new(),
            separate: false,
        }
    }

    /// When the caller stops waiting. With it, no server goes unasked because the one before it was given all the
    /// time there is.
    pub(crate) fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// What to do now; to be asked until it says to wait, or that all is done.
    pub(crate) fn next(&mut self, now: Instant) -> Action {
        self.expire(now);
        loop {
            self.judge();
            if let Some((lane, outcome)) = self.settle() {
                return Action::Settle(lane, outcome);
            }
            if let Some(ask) = self.ready.pop_front() {
                return Action::Ask(ask);
            }
            if self.stage == Stage::Searching && (self.name.is_none() || self.is_hopeless()) {
                match self.next_name() {
                    Some(name) => return Action::Name(name),
                    None => continue,
                }
            }
            if self.start_waiting(now) {
                continue;
            }
            let untils = self.lanes.iter().filter_map(|lane| match lane.state {
                State::Asking { attempt, since, .. } => {
                    let until = self.until(attempt, since);
                    Some(lane.fallback.map_or(until, |at| until.min(at)))
                }
                _ => None,
            });
            return untils.min().map_or(Action::Done, Action::Wait);
        }
    }

    /// Takes in what was heard from the server that `ask` went to, about one of its lanes.
    pub(crate) fn hear(&mut self, ask: u32, lane: usize, word: Word, now: Instant) {
        let State::Asking { ask: current, attempt, late, .. } = self.lanes[lane].state else { return };
        let is_late = ask != current;
        let server = match late {
            _ if !is_late => attempt.server,
            Some((late, server)) if late == ask => server,
            _ => return,
        };
        let by = |carrier, edns| Attempt { carrier, edns, ..attempt };
        match word {
            Word::Found | Word::NoData | Word::NameError => {
                // It works, so the next name begins with it.
                self.settings.first = server;
                match word {
                    Word::NoData => self.remember(lane, Outcome::NoData { server }),
                    Word::NameError => self.remember(lane, Outcome::NameError { server }),
                    _ => {}
                }
                self.lanes[lane].state = State::Ended { found: word == Word::Found };
            }
            Word::Failed(failure) if is_late => self.remember(lane, Outcome::Failed { server, failure }),
            _ if is_late => {}
            Word::Truncated => self.ask(lane, by(Carrier::Stream, attempt.edns), None, now),
            Word::Failed(Failure::Garbled(_)) if attempt.carrier == Carrier::Datagram => {
                // The datagram may have been forged, so the real one still counts.
                self.ask(lane, by(Carrier::Stream, attempt.edns), Some((ask, server)), now);
            }
            Word::NoEdns(_) if attempt.edns => {
                self.without_edns.push(server);
                self.ask(lane, by(attempt.carrier, false), None, now);
            }
            Word::NoEdns(rcode) => self.try_next(lane, attempt, Failure::Rcode(rcode), late, now),
            Word::Failed(failure) => self.try_next(lane, attempt, failure, late, now),
        }
    }

    /// There is an old answer to this name's question in `lane`, to be settled for at `from` or when the servers have
    /// failed; the lane then ends as found without a word that says so.
    pub(crate) fn offer(&mut self, lane: usize, from: Instant) {
        self.lanes[lane].fallback = Some(from);
    }

    /// Whether anything heard about `lane` from `ask` would still matter.
    pub(crate) fn wants(&self, ask: u32, lane: usize) -> bool {
        match self.lanes[lane].state {
            State::Asking { ask: current, late, .. } => {
                ask == current || late.is_some_and(|(late, _)| late == ask)
            }
            _ => false,
        }
    }

    /// Goes on where a server did not answer in time.
    fn expire(&mut self, now: Instant) {
        if self.deadline.is_some_and(|deadline| now >= deadline) && self.stage != Stage::Over {
            return self.give_up();
        }
        for lane in 0..self.lanes.len() {
            let State::Asking { ask, attempt, since, .. } = self.lanes[lane].state else { continue };
            if self.lanes[lane].fallback.is_some_and(|from| now >= from) {
                self.lanes[lane].state = State::Ended { found: true };
            } else if now >= self.until(attempt, since) {
                self.separate = true;
                self.try_next(lane, attempt, Failure::TimedOut, Some((ask, attempt.server)), now);
            }
        }
    }

    fn give_up(&mut self) {
        self.stage = Stage::Over;
        self.ready.clear();
        for lane in 0..self.lanes.len() {
            let server = match self.lanes[lane].state {
                State::Asking { attempt, .. } => attempt.server,
                State::Waiting => self.begun_with,
                State::Ended { .. } | State::Settled => continue,
            };
            self.remember(lane, Outcome::Failed { server, failure: Failure::TimedOut });
            self.exhaust(lane);
        }
    }

    /// No server is left to ask.
    fn exhaust(&mut self, lane: usize) {
        let lane = &mut self.lanes[lane];
        lane.state = State::Ended { found: lane.fallback.is_some() };
    }

    /// Whether the name is decided on, or the lookup over.
    fn judge(&mut self) {
        if self.stage != Stage::Searching {
            return;
        }
        let deciding = || self.lanes.iter().filter(|lane| lane.role == Role::Decides);
        let failed = |lane: &Lane| {
            matches!((lane.state, &lane.worst), (State::Ended { found: false }, Some(Outcome::Failed { .. })))
        };
        let found = deciding().any(|lane| matches!(lane.state, State::Ended { found: true }));
        let ended = deciding().all(|lane| matches!(lane.state, State::Ended { .. }));
        if self.settings.strict && deciding().any(failed) {
            self.fail_all();
        } else if found && (ended || !self.settings.strict) {
            self.stage = Stage::Decided;
        }
    }

    /// Makes the failure of one lane that of all.
    fn fail_all(&mut self) {
        let failures = self.lanes.iter().filter(|lane| lane.role == Role::Decides);
        let worst = failures.filter_map(|lane| lane.worst.clone()).max_by_key(Outcome::weight);
        self.give_up();
        for lane in self.lanes.iter_mut().filter(|lane| !matches!(lane.state, State::Settled)) {
            lane.worst.clone_from(&worst);
            lane.state = State::Ended { found: false };
        }
    }

    /// The next lane that has come to its end. While the name is not decided on, that is one with hints at most: they
    /// are worth most before the addresses are there.
    fn settle(&mut self) -> Option<(usize, Outcome)> {
        let searching = self.stage == Stage::Searching;
        let index = self.lanes.iter().position(|lane| match lane.state {
            State::Ended { found } => !searching || (found && lane.role == Role::Hints),
            _ => false,
        })?;
        let lane = &mut self.lanes[index];
        let outcome = match lane.state {
            State::Ended { found: true } => Outcome::Found,
            _ => lane.worst.clone().unwrap_or(Outcome::NoData { server: self.begun_with }),
        };
        lane.state = State::Settled;
        Some((index, outcome))
    }

    /// Whether no lane that decides can still find the name.
    fn is_hopeless(&self) -> bool {
        let deciding = self.lanes.iter().filter(|lane| lane.role == Role::Decides);
        deciding.clone().all(|lane| matches!(lane.state, State::Ended { found: false }))
    }

    fn next_name(&mut self) -> Option<usize> {
        let name = self.name.map_or(0, |name| name + 1);
        if name >= self.names {
            self.give_up_hints();
            return None;
        }
        self.name = Some(name);
        self.begun_with = self.settings.first;
        self.ready.clear();
        for lane in self.lanes.iter_mut().filter(|lane| !matches!(lane.state, State::Settled)) {
            lane.state = State::Waiting;
            lane.fallback = None;
        }
        Some(name)
    }

    /// Without a name there is nothing to hint at.
    fn give_up_hints(&mut self) {
        self.stage = Stage::Over;
        for lane in self.lanes.iter_mut().filter(|lane| !matches!(lane.state, State::Settled)) {
            lane.state = State::Ended { found: false };
        }
    }

    /// Asks the first server about the lanes whose turn it is; together, while nothing speaks against it.
    fn start_waiting(&mut self, now: Instant) -> bool {
        let waiting = |lane: &usize| matches!(self.lanes[*lane].state, State::Waiting);
        let asking = self.lanes.iter().any(|lane| matches!(lane.state, State::Asking { .. }));
        let mut lanes: Vec<usize> = (0..self.lanes.len()).filter(waiting).collect();
        if self.settings.single_request {
            if asking {
                return false;
            }
            lanes.truncate(1);
        }
        if lanes.is_empty() {
            return false;
        }
        if self.settings.servers == 0 {
            for &lane in &lanes {
                self.remember(lane, Outcome::Failed { server: 0, failure: Failure::NoServers });
                self.lanes[lane].state = State::Ended { found: false };
            }
            return true;
        }
        let attempt = self.attempt(self.begun_with, 1);
        for &lane in &lanes {
            self.ask(lane, attempt, None, now);
        }
        true
    }

    /// Turns to the next server, or ends the lane for this name after the last.
    fn try_next(
        &mut self,
        lane: usize,
        attempt: Attempt,
        failure: Failure,
        late: Option<(u32, usize)>,
        now: Instant,
    ) {
        self.remember(lane, Outcome::Failed { server: attempt.server, failure });
        let server = (attempt.server + 1) % self.settings.servers;
        let round = attempt.round + u32::from(server == self.begun_with);
        if round > self.settings.attempts {
            self.exhaust(lane);
        } else {
            self.ask(lane, self.attempt(server, round), late, now);
        }
    }

    fn attempt(&self, server: usize, round: u32) -> Attempt {
        let edns = self.settings.edns && !self.without_edns.contains(&server);
        Attempt { server, round, carrier: self.settings.carrier, edns }
    }

    fn ask(&mut self, lane: usize, attempt: Attempt, late: Option<(u32, usize)>, now: Instant) {
        let until = self.until(attempt, now);
        let shared = self.ready.back_mut().filter(|ask| !self.separate && ask.attempt == attempt);
        let ask = match shared {
            Some(ask) => {
                ask.lanes.push(lane);
                ask.id
            }
            None => {
                self.last_ask += 1;
                self.ready.push_back(Ask { id: self.last_ask, lanes: vec![lane], attempt, until });
                self.last_ask
            }
        };
        self.lanes[lane].state = State::Asking { ask, attempt, since: now, late };
    }

    /// When the time of a server asked at `since` is over: after the timeout, or if that comes first, in the first
    /// round after its even share of what was left for those not yet asked. Not fixed, because the deadline may move.
    fn until(&self, attempt: Attempt, since: Instant) -> Instant {
        let timeout = since + self.settings.timeout;
        let Some(deadline) = self.deadline else { return timeout };
        let left = deadline.saturating_duration_since(since);
        let servers = self.settings.servers;
        let asked = (attempt.server + servers - self.begun_with) % servers;
        let share = match attempt.round {
            1 => left / u32::try_from(servers - asked).unwrap_or(u32::MAX),
            _ => left,
        };
        timeout.min(since + share)
    }

    fn remember(&mut self, lane: usize, outcome: Outcome) {
        let worst = &mut self.lanes[lane].worst;
        if worst.as_ref().is_none_or(|worst| worst.weight() <= outcome.weight()) {
            *worst = Some(outcome);
        }
    }
}

#[cfg(test)]
mod tests;
