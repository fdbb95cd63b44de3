//! Echo, churn, and conns that do nothing.

use super::{CONN, COUNT, Cores, MESSAGE, Metric, Peer, RATES, Shape, Workload, bench, go};
use crate::bench::{
    calls::Count,
    goal::{at_least, at_most, within},
};

const BARE: Peer = bench("bare", "one epoll loop on rustix", &["serve", "echo", "bare"]);
const BARE_CALL: Peer = bench(
    "bare-call",
    "the same with a function of its own for a conn's turn",
    &["serve", "echo", "bare-call"],
);
const LANDLINE: Peer =
    bench("landline", "Server with one worker, read_pooled and write_all", &["serve", "echo", "landline"]);
const TOKIO: Peer = bench("tokio", "tokio::net, a task per conn, one thread", &["serve", "echo", "tokio"]);
const TOKIO_MT: Peer = bench("tokio-mt", "tokio::net, multi-thread runtime", &["serve", "echo", "tokio-mt"]);
const GO: Peer = go("net, a goroutine per conn", "./echo", &[]);

const ECHO_PEERS: &[Peer] = &[
    BARE,
    BARE_CALL,
    LANDLINE,
    bench(
        "landline-accept",
        "listen, accept and Conn, a task per conn, one thread",
        &["serve", "echo", "landline-accept"],
    ),
    bench("landline-io", "the same by AsyncRead and AsyncWrite", &["serve", "echo", "landline-traits"]),
    bench("landline-tcp", "the same with listen_tcp and TcpConn", &["serve", "echo", "landline-tcp"]),
    TOKIO,
    TOKIO_MT,
    GO,
];

pub(super) const ECHO: Workload = Workload {
    name: "echo",
    title: "64 conns, each sending 64 bytes and waiting for the echo",
    unit: &MESSAGE,
    shape: Shape::Server { load: &["load", "echo", "--conns", "64", "--size", "64"], cores: Cores::Apart },
    is_timed: true,
    ready_ms: 250,
    metrics: &[Metric::Rate, Metric::Cpu, Metric::Busy, Metric::P99, Metric::Calls],
    count: COUNT,
    peers: ECHO_PEERS,
    goals: &[
        at_least(Metric::Rate, 0.95, "bare"),
        at_most(Metric::Cpu, 1.05, "bare"),
        at_most(Metric::Cpu, 1.05, "bare-call"),
        at_least(Metric::Rate, 1.5, "go"),
        at_least(Metric::Rate, 0.97, "tokio"),
        at_most(Metric::Calls, 1.0, "tokio"),
    ],
};

pub(super) const ECHO_1000: Workload = Workload {
    name: "echo-1000",
    title: "1,000 conns, each sending 64 bytes and waiting for the echo",
    shape: Shape::Server { load: &["load", "echo", "--conns", "1000", "--size", "64"], cores: Cores::Apart },
    ready_ms: 350,
    count: Some(Count { counted: [5_000, 25_000], named: Some([2_000, 7_000]) }),
    ..ECHO
};

const CHURN_PEERS: &[Peer] = &[
    bench("bare", "one epoll loop on rustix", &["serve", "churn", "bare"]),
    bench("landline", "Server with one worker", &["serve", "churn", "landline"]),
    bench(
        "landline-accept",
        "listen, accept and Conn, a task per conn, one thread",
        &["serve", "churn", "landline-accept"],
    ),
    bench("tokio", "tokio::net, a task per conn, one thread", &["serve", "churn", "tokio"]),
    bench("tokio-mt", "tokio::net, multi-thread runtime", &["serve", "churn", "tokio-mt"]),
    go("net, a goroutine per conn", "./churn", &[]),
];

const CHURN_LOAD: &[&str] = &["load", "churn", "--at-once", "64"];

pub(super) const CHURN: Workload = Workload {
    name: "churn",
    title: "conns for one byte each way, 64 at once: accept, read, write, close",
    unit: &CONN,
    shape: Shape::Server { load: CHURN_LOAD, cores: Cores::Apart },
    is_timed: true,
    ready_ms: 250,
    metrics: RATES,
    count: COUNT,
    peers: CHURN_PEERS,
    goals: &[at_least(Metric::Rate, 0.97, "bare"), at_least(Metric::Rate, 1.3, "go")],
};

pub(super) const CHURN_2: Workload = Workload {
    name: "churn-2",
    title: "the same with two workers, and the load beside them on the same two cores",
    shape: Shape::Server { load: CHURN_LOAD, cores: Cores::Shared },
    peers: &[
        bench(
            "bare",
            "two epoll loops on rustix with a listener each",
            &["serve", "churn", "bare", "--workers", "2"],
        ),
        bench("landline", "Server with two workers", &["serve", "churn", "landline", "--workers", "2"]),
        bench(
            "reuse-port",
            "the same with Spread::ReusePort",
            &["serve", "churn", "landline", "--workers", "2", "--spread", "reuse-port"],
        ),
        bench(
            "incoming-cpu",
            "the same with Spread::IncomingCpu",
            &["serve", "churn", "landline", "--workers", "2", "--spread", "incoming-cpu"],
        ),
        bench(
            "least-conns",
            "the same with Spread::LeastConns",
            &["serve", "churn", "landline", "--workers", "2", "--spread", "least-conns"],
        ),
        bench("tokio-mt", "tokio::net, multi-thread runtime", &["serve", "churn", "tokio-mt"]),
        go("net, a goroutine per conn", "./churn", &[]),
    ],
    goals: &[at_least(Metric::Rate, 0.93, "bare"), at_least(Metric::Rate, 1.3, "go")],
    ..CHURN
};

pub(super) const FEW: Workload = Workload {
    name: "few",
    title: "6 long conns, each sending 4 KiB and waiting for the echo, for two workers and the load on two cores",
    unit: &MESSAGE,
    shape: Shape::Server { load: &["load", "echo", "--conns", "6", "--size", "4096"], cores: Cores::Shared },
    is_timed: true,
    ready_ms: 250,
    metrics: &[Metric::Rate, Metric::Cpu, Metric::Busy, Metric::P99, Metric::Calls],
    count: COUNT,
    peers: &[
        bench("landline", "Server with two workers", &["serve", "echo", "landline", "--workers", "2"]),
        bench(
            "reuse-port",
            "the same with Spread::ReusePort",
            &["serve", "echo", "landline", "--workers", "2", "--spread", "reuse-port"],
        ),
        bench(
            "incoming-cpu",
            "the same with Spread::IncomingCpu",
            &["serve", "echo", "landline", "--workers", "2", "--spread", "incoming-cpu"],
        ),
        bench(
            "least-conns",
            "the same with Spread::LeastConns",
            &["serve", "echo", "landline", "--workers", "2", "--spread", "least-conns"],
        ),
        TOKIO_MT,
        GO,
    ],
    goals: &[],
};

pub(super) const IDLE: Workload = Workload {
    name: "idle",
    title: "9,000 conns, opened 64 at a time, that echoed once each; where a loop has a buffer, it has the 4 KiB of a usual one",
    unit: &CONN,
    shape: Shape::Server { load: &["load", "idle", "--conns", "9000"], cores: Cores::Apart },
    is_timed: false,
    ready_ms: 400,
    metrics: &[Metric::Memory, Metric::Cpu],
    count: None,
    peers: ECHO_PEERS,
    goals: &[within(Metric::Memory, 1024.0), at_most(Metric::Memory, 1.2, "tokio")],
};

pub(super) const BESIDE: Workload = Workload {
    name: "beside",
    title: "100 conns that echo 64 bytes without a pause, beside 15,000 that echoed once",
    unit: &MESSAGE,
    shape: Shape::Server {
        load: &["load", "beside", "--idle", "15000", "--busy", "100"],
        cores: Cores::Apart,
    },
    is_timed: true,
    ready_ms: 900,
    metrics: &[Metric::P99, Metric::Rate, Metric::Cpu, Metric::Busy, Metric::Calls],
    // Without names: strace would have to follow how all those conns come in.
    count: Some(Count { counted: [2_000, 102_000], named: None }),
    peers: &[BARE, LANDLINE, TOKIO, TOKIO_MT, GO],
    goals: &[within(Metric::P99, 20.0)],
};
