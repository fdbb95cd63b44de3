//! What a run found: the one source of the table, the JSON and the pages.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use super::{
    calls::Calls,
    goal::{Goal, Metric, Verdict},
    machine::Machine,
    programs::Programs,
    run::Outcome,
    stats::Summary,
    workload::{LIMIT, OURS, Shape, Workload},
};

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) versions: BTreeMap<&'static str, String>,
    pub(crate) rounds: usize,
    pub(crate) run_ms: u128,
    pub(crate) workloads: Vec<WorkloadReport>,
}

#[derive(Debug, Serialize)]
pub(crate) struct WorkloadReport {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) unit: &'static str,
    /// Whether memory is the question, and rates only tell how long filling took.
    pub(crate) is_memory: bool,
    pub(crate) peers: Vec<PeerReport>,
    pub(crate) goals: Vec<Verdict>,
}

#[derive(Debug, Serialize)]
pub(crate) struct PeerReport {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    /// Why it did not take part, or stopped.
    pub(crate) skipped: Option<String>,
    /// Operations a second, round by round.
    pub(crate) rate: Series,
    /// Microseconds of CPU an operation.
    pub(crate) cpu_us: Series,
    /// Bytes a conn, where memory is the question.
    pub(crate) memory: Series,
    pub(crate) calls: Calls,
    /// This peer's rate and CPU as shares of the limit's.
    pub(crate) of_limit: Ratios,
    /// Landline's figures as shares of this peer's.
    pub(crate) landline_to_it: Ratios,
}

#[derive(Debug, Default, Serialize)]
pub(crate) struct Series {
    pub(crate) rounds: Vec<f64>,
    pub(crate) summary: Option<Summary>,
}

/// Medians of the ratios of the rounds.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Ratios {
    pub(crate) rate: Option<Summary>,
    pub(crate) cpu: Option<Summary>,
    pub(crate) memory: Option<Summary>,
}

impl Report {
    pub(crate) fn new(machine: Machine, programs: &Programs, rounds: usize, run: Duration) -> Self {
        let versions = programs.versions.clone();
        Self { machine, versions, rounds, run_ms: run.as_millis(), workloads: Vec::new() }
    }
}

impl WorkloadReport {
    /// With every peer that takes part; `chosen` says which the user wants.
    pub(crate) fn new(workload: &Workload, programs: &Programs, chosen: impl Fn(&str) -> bool) -> Self {
        let peers = workload.peers.iter().map(|peer| PeerReport {
            name: peer.name,
            what: peer.what,
            skipped: if chosen(peer.name) {
                programs.peer(peer).err()
            } else {
                Some("left out by --peer".to_owned())
            },
            rate: Series::default(),
            cpu_us: Series::default(),
            memory: Series::default(),
            calls: Calls::default(),
            of_limit: Ratios::default(),
            landline_to_it: Ratios::default(),
        });
        Self {
            name: workload.name,
            title: workload.title,
            unit: workload.unit,
            is_memory: matches!(workload.shape, Shape::Memory { .. }),
            peers: peers.collect(),
            goals: Vec::new(),
        }
    }

    /// The peers still taking part, each round beginning with another.
    pub(crate) fn order(&self, round: usize) -> Vec<usize> {
        let mut order: Vec<usize> =
            (0..self.peers.len()).filter(|index| self.peers[*index].skipped.is_none()).collect();
        if !order.is_empty() {
            let by = round % order.len();
            order.rotate_left(by);
        }
        order
    }

    /// Draws the conclusions from the rounds.
    pub(crate) fn conclude(&mut self, workload: &Workload) {
        let figures = |peers: &[PeerReport], name: &str| {
            peers.iter().find(|peer| peer.name == name).map(PeerReport::figures)
        };
        let limit = figures(&self.peers, LIMIT);
        let ours = figures(&self.peers, OURS);
        for peer in &mut self.peers {
            for series in [&mut peer.rate, &mut peer.cpu_us, &mut peer.memory] {
                series.summary = Summary::of(series.rounds.iter().copied());
            }
            let its = peer.figures();
            if let Some(limit) = &limit {
                peer.of_limit = Ratios::between(&its, limit);
            }
            if let Some(ours) = &ours {
                peer.landline_to_it = Ratios::between(ours, &its);
            }
        }
        self.goals = workload.goals.iter().map(|goal| goal.judge(self.value(goal))).collect();
    }

    pub(crate) fn peer(&self, name: &str) -> Option<&PeerReport> {
        self.peers.iter().find(|peer| peer.name == name)
    }

    fn value(&self, goal: &Goal) -> Option<f64> {
        let ours = self.peer(OURS)?;
        let Some(of) = goal.of else {
            return match goal.metric {
                Metric::Rate => ours.rate.summary.map(|it| it.median),
                Metric::Cpu => ours.cpu_us.summary.map(|it| it.median),
                Metric::Memory => ours.memory.summary.map(|it| it.median),
                Metric::Calls => ours.calls.each,
            };
        };
        let peer = self.peer(of)?;
        match goal.metric {
            Metric::Rate => peer.landline_to_it.rate.map(|it| it.median),
            Metric::Cpu => peer.landline_to_it.cpu.map(|it| it.median),
            Metric::Memory => peer.landline_to_it.memory.map(|it| it.median),
            Metric::Calls => Some(ours.calls.each? / peer.calls.each?),
        }
    }
}

impl PeerReport {
    /// Takes a round's outcome; a peer that failed takes no further part.
    pub(crate) fn note(&mut self, outcome: Result<Outcome, String>) {
        match outcome {
            Ok(outcome) => {
                self.rate.rounds.push(outcome.rate());
                self.cpu_us.rounds.push(outcome.cpu());
                self.memory.rounds.extend(outcome.memory());
            }
            Err(why) => {
                eprintln!("{}: {why}", self.name);
                self.skipped = Some(why);
            }
        }
    }

    fn figures(&self) -> [Vec<f64>; 3] {
        [self.rate.rounds.clone(), self.cpu_us.rounds.clone(), self.memory.rounds.clone()]
    }
}

impl Ratios {
    fn between(one: &[Vec<f64>; 3], other: &[Vec<f64>; 3]) -> Self {
        let [rate, cpu, memory] = std::array::from_fn(|index| Summary::of_ratios(&one[index], &other[index]));
        Self { rate, cpu, memory }
    }
}
