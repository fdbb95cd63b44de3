//! HTTP: a short text, and conns that cost memory.

use super::{CONN, COUNT, Cores, Metric, Peer, Program, RATES, Shape, Unit, Workload, bench, go, micros};
use crate::bench::{
    daemon::NGINX,
    goal::{at_least, at_most, within},
};

const REQUEST: Unit = micros("request");

const BARE: Peer = bench("bare", "one epoll loop on rustix that parses nothing", &["serve", "http", "bare"]);
const LANDLINE: Peer = bench(
    "landline",
    "landline_http::server::Server with one worker, handle",
    &["serve", "http", "landline"],
);
const HYPER: Peer = bench(
    "hyper",
    "hyper 1, http1 over tokio::net, a task per conn, one thread",
    &["serve", "http", "hyper"],
);
const AXUM: Peer = bench("axum", "axum 0.8, axum::serve on one thread", &["serve", "http", "axum"]);
const ACTIX: Peer = bench("actix", "actix-web 4 with one worker", &["serve", "http", "actix"]);
const GO: Peer = go("net/http", "./http", &[]);

pub(super) const HELLO: Workload = Workload {
    name: "http",
    title: "64 conns, each sending GET over HTTP/1.1 and waiting for the 13 bytes of a plain text",
    unit: &REQUEST,
    shape: Shape::Server { load: &["load", "http", "--conns", "64"], cores: Cores::Apart },
    is_timed: true,
    ready_ms: 250,
    metrics: &[Metric::Rate, Metric::Cpu, Metric::Busy, Metric::P99, Metric::Calls],
    count: COUNT,
    peers: &[
        BARE,
        LANDLINE,
        HYPER,
        AXUM,
        ACTIX,
        GO,
        Peer {
            name: "nginx",
            what: "Debian's nginx, one process, return 200",
            program: Program::Daemon(&NGINX),
        },
    ],
    goals: &[
        at_least(Metric::Rate, 1.0, "hyper"),
        at_most(Metric::Cpu, 1.0, "hyper"),
        at_least(Metric::Rate, 1.4, "go"),
        at_least(Metric::Rate, 0.9, "bare"),
    ],
};

pub(super) const CLIENT: Workload = Workload {
    name: "http-client",
    title: "64 requests at a time for 13 bytes of nginx's, over kept conns",
    unit: &REQUEST,
    shape: Shape::Client { helper: Program::Daemon(&NGINX) },
    is_timed: true,
    ready_ms: 250,
    metrics: RATES,
    count: COUNT,
    peers: &[
        bench("bare", "one epoll loop on rustix that parses nothing", &["measure", "http-client", "bare"]),
        bench(
            "landline",
            "landline_http::client::Client with its defaults, one thread",
            &["measure", "http-client", "landline"],
        ),
        bench(
            "hyper-util",
            "hyper-util's legacy Client, one thread",
            &["measure", "http-client", "hyper-util"],
        ),
        bench(
            "reqwest",
            "reqwest 0.13 with its defaults, one thread",
            &["measure", "http-client", "reqwest"],
        ),
        go("net/http, which keeps 64 conns", "./http-client", &[]),
    ],
    goals: &[
        at_least(Metric::Rate, 1.0, "hyper-util"),
        at_least(Metric::Rate, 1.3, "reqwest"),
        at_least(Metric::Rate, 1.8, "go"),
        at_most(Metric::Cpu, 1.0, "hyper-util"),
    ],
};

/// Without nginx, which takes the memory of all conns when it starts.
const MANY_PEERS: &[Peer] = &[BARE, LANDLINE, HYPER, AXUM, ACTIX, GO];

pub(super) const IDLE: Workload = Workload {
    name: "http-idle",
    title: "10,000 conns 2.5 s after the one request that each made; the p99 is of one client beside them",
    unit: &CONN,
    shape: Shape::Server { load: &["load", "http-idle", "--conns", "10000"], cores: Cores::Apart },
    is_timed: false,
    ready_ms: 6_500,
    metrics: &[Metric::Memory, Metric::Cpu, Metric::P99],
    count: None,
    peers: MANY_PEERS,
    goals: &[within(Metric::Memory, 10_000.0), within(Metric::P99, 50.0)],
};

pub(super) const SLOW: Workload = Workload {
    name: "http-slow",
    title: "1,000 conns that send a byte of a head every 100 ms; the p99 is of one client beside them",
    shape: Shape::Server { load: &["load", "http-slow", "--conns", "1000"], cores: Cores::Apart },
    ready_ms: 2_700,
    metrics: &[Metric::Memory, Metric::P99],
    goals: &[within(Metric::Memory, 20_000.0), within(Metric::P99, 50.0)],
    ..IDLE
};
