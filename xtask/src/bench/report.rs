//! What a run found: the one source of the table, the JSON and the pages.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use super::{
    calls::Calls,
    goal::{Goal, Verdict},
    machine::Machine,
    metric::{Metric, Unit},
    programs::Programs,
    run::Outcome,
    stats::Summary,
    workload::{LIMIT, OURS, Workload},
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
    #[serde(skip)]
    pub(crate) unit: &'static Unit,
    /// The first is what it is about.
    pub(crate) metrics: &'static [Metric],
    pub(crate) peers: Vec<PeerReport>,
    pub(crate) goals: Vec<Verdict>,
}

#[derive(Debug, Serialize)]
pub(crate) struct PeerReport {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    /// Why it did not take part, or stopped.
    pub(crate) skipped: Option<String>,
    /// Figures of each round.
    pub(crate) figures: BTreeMap<Metric, Series>,
    pub(crate) calls: Calls,
    /// This peer's figures as shares of the limit's.
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
type Ratios = BTreeMap<Metric, Summary>;

/// Figures of the rounds, without more.
type Rounds = BTreeMap<Metric, Vec<f64>>;

impl Report {
    pub(crate) fn new(machine: Machine, programs: &Programs, rounds: usize, run: Duration) -> Self {
        let versions = programs.versions.clone();
        Self { machine, versions, rounds, run_ms: run.as_millis(), workloads: Vec::new() }
    }

    /// How it was measured, for the heads of pages.
    pub(crate) fn method(&self) -> String {
        format!(
            "{} interleaved rounds of {} ms, a fresh process for each peer in each round, the order turning. What is \
             measured has one core, what drives it the other, unless a workload says otherwise. Figures are medians of \
             the rounds; a ratio is the median of the ratios of the rounds. CPU is the kernel's account of the measured \
             process, user and system; cores says how much of one it took, and with less than one the load was the limit; \
             system calls are counted in runs of their own.",
            self.rounds, self.run_ms
        )
    }
}

impl WorkloadReport {
    /// With every peer that takes part; `chosen` says which the user wants.
    pub(crate) fn new(
        workload: &'static Workload,
        programs: &Programs,
        chosen: impl Fn(&str) -> bool,
    ) -> Self {
        let peers = workload.peers.iter().map(|peer| PeerReport {
            name: peer.name,
            what: peer.what,
            skipped: if chosen(peer.name) {
                programs.is_ready(peer).err()
            } else {
                Some("left out by --peer".to_owned())
            },
            figures: BTreeMap::new(),
            calls: Calls::default(),
            of_limit: Ratios::new(),
            landline_to_it: Ratios::new(),
        });
        Self {
            name: workload.name,
            title: workload.title,
            unit: workload.unit,
            metrics: workload.metrics,
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
        let limit = self.peer(LIMIT).map(PeerReport::rounds);
        let ours = self.peer(OURS).map(PeerReport::rounds);
        for peer in &mut self.peers {
            for series in peer.figures.values_mut() {
                series.summary = Summary::of(series.rounds.iter().copied());
            }
            let its = peer.rounds();
            peer.of_limit = limit.as_ref().map_or(Ratios::new(), |limit| ratios(&its, limit));
            peer.landline_to_it = ours.as_ref().map_or(Ratios::new(), |ours| ratios(ours, &its));
        }
        self.goals = workload.goals.iter().map(|goal| goal.judge(self.value(goal))).collect();
    }

    pub(crate) fn peer(&self, name: &str) -> Option<&PeerReport> {
        self.peers.iter().find(|peer| peer.name == name)
    }

    fn value(&self, goal: &Goal) -> Option<f64> {
        let ours = self.peer(OURS)?;
        match goal.of {
            None => ours.median(goal.metric),
            Some(of) if goal.metric == Metric::Calls => {
                Some(ours.median(goal.metric)? / self.peer(of)?.median(goal.metric)?)
            }
            Some(of) => Some(self.peer(of)?.landline_to_it.get(&goal.metric)?.median),
        }
    }
}

impl PeerReport {
    /// Takes a round's outcome; a peer that failed takes no further part.
    pub(crate) fn note(&mut self, outcome: Result<Outcome, String>, unit: &Unit) {
        match outcome {
            Ok(outcome) => {
                for metric in Metric::MEASURED {
                    if let Some(figure) = metric.of(&outcome, unit) {
                        self.figures.entry(metric).or_default().rounds.push(figure);
                    }
                }
            }
            Err(why) => {
                eprintln!("{}: {why}", self.name);
                self.skipped = Some(why);
            }
        }
    }

    pub(crate) fn summary(&self, metric: Metric) -> Option<Summary> {
        self.figures.get(&metric)?.summary
    }

    pub(crate) fn median(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Calls => self.calls.each,
            _ => self.summary(metric).map(|it| it.median),
        }
    }

    fn rounds(&self) -> Rounds {
        self.figures.iter().map(|(metric, series)| (*metric, series.rounds.clone())).collect()
    }
}

fn ratios(these: &Rounds, those: &Rounds) -> Ratios {
    let both = these.iter().filter_map(|(metric, ours)| Some((*metric, ours, those.get(metric)?)));
    both.filter_map(|(metric, ours, theirs)| Some((metric, Summary::of_ratios(ours, theirs)?))).collect()
}
