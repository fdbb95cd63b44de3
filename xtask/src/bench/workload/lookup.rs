//! Looking up names.

use super::{COUNT, Metric, Peer, Program, RATES, Shape, Unit, Workload, bench, go, micros};
use crate::bench::goal::{at_least, at_most, within};

const LOOKING_UP: Unit = micros("lookup");

pub(super) const LOOKUP: Workload = Workload {
    name: "lookup",
    title: "A and AAAA of names never asked for before, 64 lookups in flight, a local name server, no cache",
    unit: &LOOKING_UP,
    shape: Shape::Client { helper: Program::Bench(&["serve", "names"]) },
    is_timed: true,
    ready_ms: 250,
    metrics: RATES,
    count: COUNT,
    peers: &[
        bench("bare", "two fresh sockets a lookup on rustix", &["measure", "lookup", "bare"]),
        bench("landline", "Resolver::lookup_ip", &["measure", "lookup", "landline"]),
        bench("hickory", "hickory-resolver 0.26", &["measure", "lookup", "hickory"]),
        Peer {
            name: "c-ares",
            what: "Debian's libc-ares, ares_getaddrinfo",
            program: Program::C { source: "lookup", library: "cares", package: "libc-ares-dev", args: &[] },
        },
        go("the pure Go resolver", "./lookup", &[]),
    ],
    goals: &[
        at_least(Metric::Rate, 2.2, "go"),
        at_least(Metric::Rate, 1.2, "hickory"),
        at_most(Metric::Cpu, 0.35, "go"),
        at_most(Metric::Cpu, 0.6, "hickory"),
        within(Metric::Calls, 10.0),
    ],
};
