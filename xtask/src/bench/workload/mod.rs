//! The workloads, their peers, and what they must show.

mod calls;
mod datagrams;
mod dial;
mod echo;
mod file;
mod forward;
mod gob;
mod http;
mod lookup;

use super::{
    calls::Count,
    daemon::Daemon,
    goal::Goal,
    metric::{Metric, Time, Unit},
};

pub(crate) use self::file::FILES;

/// One thing to be fast at.
#[derive(Debug, PartialEq)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) unit: &'static Unit,
    pub(crate) shape: Shape,
    /// Whether it is measured for a time; else until it has done what it has to do.
    pub(crate) is_timed: bool,
    /// Roughly how long it takes to be ready to be measured, for the estimate.
    pub(crate) ready_ms: u64,
    /// What its table shows, the first with its spread.
    pub(crate) metrics: &'static [Metric],
    /// How many operations to count the system calls of, where they are counted.
    pub(crate) count: Option<Count>,
    /// The limit first, where there is one.
    pub(crate) peers: &'static [Peer],
    pub(crate) goals: &'static [Goal],
}

/// Which process is measured.
#[derive(Debug, PartialEq)]
pub(crate) enum Shape {
    /// The peer serves; a load with these arguments drives it and reads its account.
    Server { load: &'static [&'static str], cores: Cores },
    /// The same, and the load is behind it too.
    Forwarder { load: &'static [&'static str] },
    /// The peer is the client of a helper, and reads its own account.
    Client { helper: Program },
    /// The peer has nothing to do with anyone, and reads its own account.
    Alone,
}

/// Who runs where.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cores {
    /// What is measured has one core, what drives it another.
    Apart,
    /// Both have all.
    Shared,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) program: Program,
}

/// Where a peer's program comes from, and its arguments.
#[derive(Debug, PartialEq)]
pub(crate) enum Program {
    /// `landline-bench` itself.
    Bench(&'static [&'static str]),
    /// A package below `bench/peers/go`.
    Go(&'static str, &'static [&'static str]),
    /// A file below `bench/peers/c`, without its ending, that needs a library.
    C { source: &'static str, library: &'static str, package: &'static str, args: &'static [&'static str] },
    /// A server of others.
    Daemon(&'static Daemon),
}

/// The peer that all others are held against.
pub(crate) const OURS: &str = "landline";
/// The peer that does nothing but what the kernel demands.
pub(crate) const LIMIT: &str = "bare";

pub(crate) const ALL: [&Workload; 28] = [
    &echo::ECHO,
    &echo::ECHO_1000,
    &echo::CHURN,
    &echo::CHURN_2,
    &echo::FEW,
    &echo::IDLE,
    &echo::BESIDE,
    &forward::BULK,
    &forward::SMALL,
    &file::SENDFILE,
    &file::HTTP_LARGE,
    &file::HTTP_MEDIUM,
    &datagrams::BATCHED,
    &datagrams::SINGLE,
    &dial::DIAL,
    &dial::DIAL_PLAIN,
    &lookup::LOOKUP,
    &calls::ONE,
    &calls::MANY,
    &calls::MANY_CONNS,
    &gob::ENCODE_STRUCT,
    &gob::DECODE_STRUCT,
    &gob::ENCODE_SLICE,
    &gob::DECODE_SLICE,
    &http::HELLO,
    &http::CLIENT,
    &http::IDLE,
    &http::SLOW,
];

const fn bench(name: &'static str, what: &'static str, args: &'static [&'static str]) -> Peer {
    Peer { name, what, program: Program::Bench(args) }
}

const fn go(what: &'static str, package: &'static str, args: &'static [&'static str]) -> Peer {
    Peer { name: "go", what, program: Program::Go(package, args) }
}

const fn micros(name: &'static str) -> Unit {
    Unit { name, operations: 1.0, cpu: Time::Micros }
}

const MESSAGE: Unit = micros("message");
const CONN: Unit = micros("conn");
const GIGABYTE: Unit = Unit { name: "GB", operations: 1e9, cpu: Time::Millis };

/// What most are about: rates, beside what they cost.
const RATES: &[Metric] = &[Metric::Rate, Metric::Cpu, Metric::Busy, Metric::Calls];

/// Enough of small operations for a steady count.
const COUNT: Option<Count> = Some(Count { counted: [2_000, 12_000], named: Some([500, 2_500]) });

impl Workload {
    pub(crate) fn named(name: &str) -> Option<&'static Workload> {
        ALL.into_iter().find(|workload| workload.name == name)
    }

    pub(crate) fn peer(&self, name: &str) -> Option<&Peer> {
        self.peers.iter().find(|peer| peer.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workload_has_ours_and_every_goal_names_a_peer_of_it() {
        for workload in ALL {
            assert!(workload.peer(OURS).is_some(), "{}", workload.name);
            for goal in workload.goals {
                assert!(workload.metrics.contains(&goal.metric), "{}: {goal}", workload.name);
                assert!(goal.of.is_none_or(|of| workload.peer(of).is_some()), "{}: {goal}", workload.name);
            }
        }
    }

    #[test]
    fn every_name_is_one_workloads() {
        for workload in ALL {
            assert_eq!(Workload::named(workload.name), Some(workload));
        }
    }

    #[test]
    fn calls_are_counted_where_they_are_shown() {
        for workload in ALL {
            let shown = workload.metrics.contains(&Metric::Calls);
            assert_eq!(workload.count.is_some(), shown, "{}", workload.name);
        }
    }

    #[test]
    fn a_rate_of_what_speaks_to_others_has_its_system_calls_beside_it() {
        for workload in ALL.into_iter().filter(|workload| workload.shape != Shape::Alone) {
            let is_rated = workload.metrics.contains(&Metric::Rate);
            assert!(!is_rated || workload.metrics.contains(&Metric::Calls), "{}", workload.name);
        }
    }
}
