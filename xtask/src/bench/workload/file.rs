//! From a file to a socket.

use super::{Cores, GIGABYTE, Metric, Peer, Program, RATES, Shape, Workload, bench, go};
use crate::bench::{
    calls::Count,
    daemon::NGINX,
    goal::{at_least, at_most},
};

/// The length of the file.
pub(crate) const BYTES: u64 = 64 << 20;

pub(super) const SENDFILE: Workload = Workload {
    name: "sendfile",
    title: "a file of 64 MiB from the page cache, behind a short header, again and again over one conn",
    unit: &GIGABYTE,
    shape: Shape::Server { load: &["load", "file"], cores: Cores::Apart },
    is_timed: true,
    ready_ms: 250,
    metrics: RATES,
    count: Some(Count { counted: [4 * BYTES, 20 * BYTES], named: [2 * BYTES, 10 * BYTES] }),
    peers: &[
        bench("bare", "sendfile on an epoll loop", &["serve", "file", "bare", "--file", "FILE"]),
        bench(
            "landline",
            "Server with one worker, copy from a file",
            &["serve", "file", "landline", "--file", "FILE"],
        ),
        bench(
            "tokio",
            "tokio::io::copy from a tokio::fs::File, one thread",
            &["serve", "file", "tokio", "--file", "FILE"],
        ),
        bench("tokio-mt", "the same, multi-thread runtime", &["serve", "file", "tokio-mt", "--file", "FILE"]),
        go("io.Copy from an os.File, which is sendfile", "./file", &["-file", "FILE"]),
        Peer {
            name: "nginx",
            what: "Debian's nginx, one process, sendfile on",
            program: Program::Daemon(&NGINX),
        },
    ],
    goals: &[at_least(Metric::Rate, 0.95, "bare"), at_most(Metric::Cpu, 1.1, "bare")],
};
