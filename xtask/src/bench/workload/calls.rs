//! Calls of methods.

use super::{COUNT, Cores, Metric, Peer, RATES, Shape, Unit, Workload, bench, go, micros};
use crate::bench::goal::{Goal, at_least, at_most};

const CALLING: Unit = micros("call");

const LANDLINE: Peer = bench("landline", "landline_rpc::Server, one thread", &["serve", "rpc", "landline"]);
const TARPC: Peer = bench("tarpc", "tarpc 0.37, bincode over TCP, one thread", &["serve", "rpc", "tarpc"]);
const GO: Peer = go("net/rpc", "./rpc", &[]);
const PEERS: &[Peer] = &[LANDLINE, TARPC, GO];

/// Against Go, which has the same wire.
const GOALS: &[Goal] = &[
    at_least(Metric::Rate, 4.0, "go"),
    at_least(Metric::Rate, 1.0, "tarpc"),
    at_most(Metric::Cpu, 1.0 / 3.0, "go"),
];

pub(super) const ONE: Workload = Workload {
    name: "call",
    title: "one call at a time over one conn; bare is an echo of the same bytes",
    unit: &CALLING,
    shape: Shape::Server { load: &["load", "rpc", "--conns", "1", "--in-flight", "1"], cores: Cores::Apart },
    is_timed: true,
    ready_ms: 250,
    metrics: RATES,
    count: COUNT,
    peers: &[
        bench("bare", "one epoll loop on rustix that echoes", &["serve", "echo", "bare"]),
        LANDLINE,
        TARPC,
        GO,
    ],
    // One call at a time, so the rate is the latency's inverse.
    goals: &[at_least(Metric::Rate, 1.0 / 1.25, "bare")],
};

pub(super) const MANY: Workload = Workload {
    name: "calls",
    title: "64 calls in flight over one conn",
    shape: Shape::Server { load: &["load", "rpc", "--conns", "1", "--in-flight", "64"], cores: Cores::Apart },
    peers: PEERS,
    goals: GOALS,
    ..ONE
};

pub(super) const MANY_CONNS: Workload = Workload {
    name: "calls-16",
    title: "64 calls in flight over each of 16 conns",
    shape: Shape::Server {
        load: &["load", "rpc", "--conns", "16", "--in-flight", "64"],
        cores: Cores::Apart,
    },
    ..MANY
};
