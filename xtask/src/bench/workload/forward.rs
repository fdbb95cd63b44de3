//! Forwarding between two conns.

use super::{COUNT, GIGABYTE, MESSAGE, Metric, Peer, Program, RATES, Shape, Workload, bench, go};
use crate::bench::{
    calls::Count,
    daemon::HAPROXY,
    goal::{at_least, at_most},
};

const LANDLINE: Peer = bench(
    "landline",
    "Server with one worker, dial and copy_both",
    &["serve", "forward", "landline", "--to", "SINK"],
);
const TOKIO: Peer = bench(
    "tokio",
    "tokio::io::copy_bidirectional, one thread",
    &["serve", "forward", "tokio", "--to", "SINK"],
);
const TOKIO_MT: Peer =
    bench("tokio-mt", "the same, multi-thread runtime", &["serve", "forward", "tokio-mt", "--to", "SINK"]);
const GO: Peer = go("io.Copy both ways, which splices", "./forward", &["-to", "SINK"]);
const PROXY: Peer = Peer {
    name: "haproxy",
    what: "Debian's haproxy, one thread, splice-auto",
    program: Program::Daemon(&HAPROXY),
};

pub(super) const BULK: Workload = Workload {
    name: "forward",
    title: "one stream of bytes from one conn to another, as fast as it goes",
    unit: &GIGABYTE,
    shape: Shape::Forwarder { load: &["load", "bulk"] },
    is_timed: true,
    ready_ms: 250,
    metrics: RATES,
    count: Some(Count { counted: [256 << 20, 1280 << 20], named: Some([64 << 20, 320 << 20]) }),
    peers: &[
        bench(
            "bare",
            "splice through a pipe of 1 MiB on an epoll loop",
            &["serve", "forward", "bare-splice", "--to", "SINK"],
        ),
        bench(
            "bare-buffer",
            "read and write with 64 KiB on an epoll loop",
            &["serve", "forward", "bare-buffer", "--to", "SINK"],
        ),
        LANDLINE,
        TOKIO,
        TOKIO_MT,
        GO,
        PROXY,
    ],
    goals: &[at_least(Metric::Rate, 0.95, "bare"), at_most(Metric::Cpu, 1.15, "bare")],
};

pub(super) const SMALL: Workload = Workload {
    name: "forward-small",
    title: "64 conns, each sending 64 bytes through a forwarder and waiting for the echo from behind it",
    unit: &MESSAGE,
    shape: Shape::Forwarder { load: &["load", "relay", "--conns", "64", "--size", "64"] },
    is_timed: true,
    ready_ms: 250,
    metrics: RATES,
    count: COUNT,
    peers: &[
        bench(
            "bare",
            "read and write with one buffer on an epoll loop",
            &["serve", "forward", "bare-buffer", "--to", "SINK"],
        ),
        bench(
            "bare-splice",
            "splice through a pipe on an epoll loop",
            &["serve", "forward", "bare-splice", "--to", "SINK"],
        ),
        LANDLINE,
        TOKIO,
        TOKIO_MT,
        GO,
        PROXY,
    ],
    goals: &[at_most(Metric::Cpu, 1.05, "bare")],
};
