//! From a file to a socket.

use super::{Cores, GIGABYTE, Metric, Peer, Program, RATES, Shape, Workload, bench, go};
use crate::bench::{
    calls::Count,
    daemon::NGINX,
    goal::{at_least, at_most},
};

/// The length of the file.
const BYTES: u64 = 64 << 20;
/// That of the one that is not as long.
const MEDIUM: u64 = 256 << 10;

/// The files that are sent, with their lengths; the first is `FILE`, and all are in `FILES`.
pub(crate) const FILES: [(&str, u64); 2] = [("file", BYTES), ("file-256k", MEDIUM)];

const SENDING_NGINX: Peer = Peer {
    name: "nginx",
    what: "Debian's nginx, one process, sendfile on",
    program: Program::Daemon(&NGINX),
};

pub(super) const SENDFILE: Workload = Workload {
    name: "sendfile",
    title: "a file of 64 MiB from the page cache, behind a short header, again and again over one conn",
    unit: &GIGABYTE,
    shape: Shape::Server { load: &["load", "file"], cores: Cores::Apart },
    is_timed: true,
    ready_ms: 250,
    metrics: RATES,
    count: Some(Count { counted: [4 * BYTES, 20 * BYTES], named: Some([2 * BYTES, 10 * BYTES]) }),
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
        SENDING_NGINX,
    ],
    goals: &[at_least(Metric::Rate, 0.95, "bare"), at_most(Metric::Cpu, 1.1, "bare")],
};

const HTTP: &[Peer] = &[
    bench("landline", "FileServer, Server with one worker", &["serve", "http-file", "landline", "FILES"]),
    bench(
        "landline-read",
        "the same with a body around the file's, which so is read",
        &["serve", "http-file", "landline-read", "FILES"],
    ),
    go("http.FileServer, which is sendfile", "./http-file", &["-directory", "FILES"]),
    SENDING_NGINX,
];

pub(super) const HTTP_LARGE: Workload = Workload {
    name: "http-file",
    title: "a file of 64 MiB from the page cache by HTTP/1.1, again and again over one conn",
    peers: HTTP,
    goals: &[
        at_most(Metric::Cpu, 0.7, "landline-read"),
        at_most(Metric::Cpu, 1.1, "nginx"),
        at_most(Metric::Cpu, 1.0, "go"),
    ],
    ..SENDFILE
};

pub(super) const HTTP_MEDIUM: Workload = Workload {
    name: "http-file-256k",
    title: "the same with a file of 256 KiB",
    shape: Shape::Server { load: &["load", "file", "--path", "/file-256k"], cores: Cores::Apart },
    count: Some(Count { counted: [64 * MEDIUM, 320 * MEDIUM], named: Some([32 * MEDIUM, 160 * MEDIUM]) }),
    goals: &[
        at_most(Metric::Cpu, 0.8, "landline-read"),
        at_most(Metric::Cpu, 1.2, "nginx"),
        at_most(Metric::Cpu, 1.0, "go"),
    ],
    ..HTTP_LARGE
};
