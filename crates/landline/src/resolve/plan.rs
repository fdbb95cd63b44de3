//! The plan of a DNS lookup: which question goes to which server, over what and for how long, and what each word of a
//! server, or its silence, leads to. A pure decision: it is told what was heard and what time it is.
//!
//! A lookup asks one or more record types (lanes) of one name after another (the search list). Each lane goes through
//! the servers on its own, so that a server's trouble with AAAA does not hold up A.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::Duration;

use domain::base::iana::OptRcode;
use rustix::io::Errno;
use tokio::time::Instant;

use super::message::Carrier;

/// What does not change during one lookup.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// How many servers there are.
    pub(crate) servers: usize,
    /// The server to begin with.
    pub(crate) first: usize,
    /// How many times to go through the servers.
    pub(crate) attempts: u32,
    /// How long a server may take to answer.
    pub(crate) timeout: Duration,
    /// What the first try of each server goes over.
    pub(crate) carrier: Carrier,
    /// Whether queries carry an OPT record.
    pub(crate) edns: bool,
    /// One lane after the other.
    pub(crate) single_request: bool,
    /// Whether a failure in one lane is the failure of the lookup, so that trouble with a server never makes a name
    /// look as if it had fewer addresses than it has.
    pub(crate) strict: bool,
}

/// What a lane's answer means for the lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Records in it end the search.
    Decides,
    /// Only of interest for the name that the others decide on.
    Hints,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// The questions are now about this name of the search list; nothing said about the one before matters any more.
    Name(usize),
    /// Send questions.
    Ask(Ask),
    /// This is the end of a lane.
    Settle(usize, Outcome),
    /// Wait for something to be heard, or for this instant.
    Wait(Instant),
    /// All lanes are settled.
    Done,
}

/// Questions to be sent to one server over one socket of their own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ask {
    /// Names it when something is heard of it.
    pub(crate) id: u32,
    pub(crate) lanes: Vec<usize>,
    pub(crate) attempt: Attempt,
}

/// One question's turn with one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) server: usize,
    /// Which round over the servers this is, from 1.
    pub(crate) round: u32,
    pub(crate) carrier: Carrier,
    pub(crate) edns: bool,
}

/// What a server said, or what became of the way to it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Word {
    /// The name has such records.
    Found,
    /// It has none (NODATA).
    NoData,
    /// It does not exist (NXDOMAIN).
    NameError,
    Truncated,
    NoEdns(OptRcode),
    Failed(Failure),
}

/// Why a server was of no use.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Failure {
    NoServers,
    /// It could not be reached.
    Unreachable(&'static str, Errno),
    /// The caller's own transport failed.
    Transport(String),
    TimedOut,
    Lame,
    Garbled(Cow<'static, str>),
    Rcode(OptRcode),
}

/// How a lane ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    Found,
    /// No name of the search list has such records; at least one exists.
    NoData {
        server: usize,
    },
    /// None exists.
    NameError {
        server: usize,
    },
    /// The most telling failure, and the server it was of.
    Failed {
        server: usize,
        failure: Failure,
    },
}

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
}

#[derive(Clone, Copy, Debug)]
enum State {
    Waiting,
    Asking {
        ask: u32,
        attempt: Attempt,
        until: Instant,
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
        let lane = |&role| Lane { role, state: State::Waiting, worst: None };
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
                State::Asking { until, .. } => Some(until),
                _ => None,
            });
            let wake = untils.min().map(|until| self.deadline.map_or(until, |deadline| until.min(deadline)));
            return wake.map_or(Action::Done, Action::Wait);
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
                self.ask(lane, by(Carrier::Stream, attempt.edns), None, now);
            }
            Word::NoEdns(_) if attempt.edns => {
                self.without_edns.push(server);
                self.ask(lane, by(attempt.carrier, false), None, now);
            }
            Word::NoEdns(rcode) => self.try_next(lane, attempt, Failure::Rcode(rcode), late, now),
            Word::Failed(failure) => self.try_next(lane, attempt, failure, late, now),
        }
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
            if let State::Asking { ask, attempt, until, .. } = self.lanes[lane].state
                && now >= until
            {
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
            self.lanes[lane].state = State::Ended { found: false };
        }
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
        let worst = failures.filter_map(|lane| lane.worst.clone()).max_by_key(|outcome| outcome.weight());
        self.give_up();
        for lane in &mut self.lanes {
            lane.worst.clone_from(&worst);
            lane.state = State::Ended { found: false };
        }
    }

    fn settle(&mut self) -> Option<(usize, Outcome)> {
        if self.stage == Stage::Searching {
            return None;
        }
        let ended = |lane: &Lane| matches!(lane.state, State::Ended { .. });
        let index = self.lanes.iter().position(ended)?;
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
        for lane in &mut self.lanes {
            lane.state = State::Waiting;
        }
        Some(name)
    }

    /// Without a name there is nothing to hint at.
    fn give_up_hints(&mut self) {
        self.stage = Stage::Over;
        for lane in &mut self.lanes {
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
            self.lanes[lane].state = State::Ended { found: false };
        } else {
            self.ask(lane, self.attempt(server, round), late, now);
        }
    }

    fn attempt(&self, server: usize, round: u32) -> Attempt {
        let edns = self.settings.edns && !self.without_edns.contains(&server);
        Attempt { server, round, carrier: self.settings.carrier, edns }
    }

    fn ask(&mut self, lane: usize, attempt: Attempt, late: Option<(u32, usize)>, now: Instant) {
        let shared = self.ready.back_mut().filter(|ask| !self.separate && ask.attempt == attempt);
        let ask = match shared {
            Some(ask) => {
                ask.lanes.push(lane);
                ask.id
            }
            None => {
                self.last_ask += 1;
                self.ready.push_back(Ask { id: self.last_ask, lanes: vec![lane], attempt });
                self.last_ask
            }
        };
        let until = now + self.allowance(attempt, now);
        self.lanes[lane].state = State::Asking { ask, attempt, until, late };
    }

    /// How long a server has: the timeout, or in the first round its even share of what is left for those not yet
    /// asked, if that is less.
    fn allowance(&self, attempt: Attempt, now: Instant) -> Duration {
        let Some(deadline) = self.deadline else { return self.settings.timeout };
        let left = deadline.saturating_duration_since(now);
        let servers = self.settings.servers;
        let asked = (attempt.server + servers - self.begun_with) % servers;
        let share = match attempt.round {
            1 => left / u32::try_from(servers - asked).unwrap_or(u32::MAX),
            _ => left,
        };
        share.min(self.settings.timeout)
    }

    fn remember(&mut self, lane: usize, outcome: Outcome) {
        let worst = &mut self.lanes[lane].worst;
        if worst.as_ref().is_none_or(|worst| worst.weight() <= outcome.weight()) {
            *worst = Some(outcome);
        }
    }
}

impl Outcome {
    /// How much it tells: a failure leaves open whether the name exists, so it must not be hidden behind another
    /// name's absence, nor a name that exists behind one that does not.
    pub(crate) fn weight(&self) -> u8 {
        match self {
            Outcome::Found => 0,
            Outcome::NameError { .. } => 1,
            Outcome::NoData { .. } => 2,
            Outcome::Failed { failure, .. } => match failure {
                Failure::NoServers => 3,
                Failure::Unreachable(..) => 4,
                Failure::Transport(_) => 5,
                Failure::TimedOut => 6,
                Failure::Lame => 7,
                Failure::Garbled(_) => 8,
                Failure::Rcode(_) => 9,
            },
        }
    }
}

#[cfg(test)]
mod tests;
