//! Dialling.

use super::{COUNT, Metric, Program, RATES, Shape, Unit, Workload, bench, go, micros};
use crate::bench::goal::{at_least, within};

const DIALLING: Unit = micros("dial");

pub(super) const DIAL: Workload = Workload {
    name: "dial",
    title: "dial an IP literal on loopback and close; no-delay and keep-alive (five options) set by all",
    unit: &DIALLING,
    shape: Shape::Client { helper: Program::Bench(&["serve", "accept"]) },
    is_timed: true,
    ready_ms: 250,
    metrics: RATES,
    count: COUNT,
    peers: &[
        bench("bare", "connect on an epoll loop on rustix", &["measure", "dial", "bare"]),
        bench("landline", "Dialer::dial_tcp with its defaults", &["measure", "dial", "landline"]),
        bench(
            "landline-heard",
            "the same, explained to nobody in particular",
            &["measure", "dial", "landline-heard"],
        ),
        bench("tokio", "TcpStream::connect, then the same options", &["measure", "dial", "tokio"]),
        go("net.Dialer with its defaults", "./dial", &[]),
    ],
    goals: &[
        at_least(Metric::Rate, 0.95, "tokio"),
        // Six, and five options.
        within(Metric::Calls, 11.0),
    ],
};

pub(super) const DIAL_PLAIN: Workload = Workload {
    name: "dial-plain",
    title: "the same with no-delay alone, one option",
    peers: &[
        bench("bare", "connect on an epoll loop on rustix", &["measure", "dial", "bare", "--plain"]),
        bench("landline", "Dialer with keep-alive off", &["measure", "dial", "landline", "--plain"]),
        bench("tokio", "TcpStream::connect, then no-delay", &["measure", "dial", "tokio", "--plain"]),
        go("net.Dialer with keep-alive off", "./dial", &["-plain"]),
    ],
    goals: &[
        at_least(Metric::Rate, 0.95, "tokio"),
        // Six, and TCP_NODELAY.
        within(Metric::Calls, 7.0),
    ],
    ..DIAL
};
