//! Datagrams that come back.

use super::{Cores, Metric, Peer, RATES, Shape, Unit, Workload, bench, go, micros};
use crate::bench::{
    calls::Count,
    goal::{at_least, within},
};

const DATAGRAM: Unit = micros("datagram");

const TOKIO: Peer =
    bench("tokio", "tokio::net::UdpSocket, one at a time, one thread", &["serve", "datagrams", "tokio"]);
const TOKIO_MT: Peer =
    bench("tokio-mt", "the same, multi-thread runtime", &["serve", "datagrams", "tokio-mt"]);
const GO: Peer = go("net.UDPConn, one at a time, the only way it has", "./datagrams", &[]);

pub(super) const BATCHED: Workload = Workload {
    name: "udp",
    title: "64 datagrams of 64 bytes in flight from one client, which sends up to 16 at once",
    unit: &DATAGRAM,
    shape: Shape::Server {
        load: &["load", "datagrams", "--in-flight", "64", "--size", "64"],
        cores: Cores::Apart,
    },
    is_timed: true,
    ready_ms: 250,
    metrics: RATES,
    count: Some(Count { counted: [5_000, 105_000], named: Some([2_000, 12_000]) }),
    peers: &[
        bench(
            "bare",
            "recvmmsg with GRO and sends with GSO on an epoll loop",
            &["serve", "datagrams", "bare-batched"],
        ),
        bench("landline", "recv_batch and send_batch", &["serve", "datagrams", "landline-batched"]),
        TOKIO,
        TOKIO_MT,
        GO,
    ],
    goals: &[at_least(Metric::Rate, 0.9, "bare"), within(Metric::Calls, 0.5)],
};

pub(super) const SINGLE: Workload = Workload {
    name: "udp-single",
    title: "the same, answered one at a time",
    peers: &[
        bench("bare", "recvfrom and sendto on an epoll loop", &["serve", "datagrams", "bare"]),
        bench("landline", "recv_from and send_to", &["serve", "datagrams", "landline"]),
        TOKIO,
        TOKIO_MT,
        GO,
    ],
    goals: &[at_least(Metric::Rate, 0.97, "bare")],
    ..BATCHED
};
