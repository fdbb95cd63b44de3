//! The workloads, their peers, and what they must show.

use super::goal::{Bound, Goal, Metric};

/// One thing to be fast at.
#[derive(Debug, PartialEq)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// What one operation is, in the singular.
    pub(crate) unit: &'static str,
    pub(crate) shape: Shape,
    /// The limit first, where there is one.
    pub(crate) peers: &'static [Peer],
    pub(crate) goals: &'static [Goal],
}

/// Which process is measured.
#[derive(Debug, PartialEq)]
pub(crate) enum Shape {
    /// The peer serves; a load with these arguments drives it and reads its account.
    Server { load: &'static [&'static str] },
    /// The same, and the figure is the memory it grew by.
    Memory { load: &'static [&'static str] },
    /// The peer is the client of a helper with these arguments, and reads its own account.
    Client { helper: &'static [&'static str] },
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
}

/// The peer that all others are held against.
pub(crate) const OURS: &str = "landline";
/// The peer that does nothing but what the kernel demands.
pub(crate) const LIMIT: &str = "bare";

pub(crate) const ALL: [&Workload; 5] = [&ECHO, &IDLE, &DIAL, &DIAL_PLAIN, &LOOKUP];

const fn bench(name: &'static str, what: &'static str, args: &'static [&'static str]) -> Peer {
    Peer { name, what, program: Program::Bench(args) }
}

const fn go(what: &'static str, package: &'static str, args: &'static [&'static str]) -> Peer {
    Peer { name: "go", what, program: Program::Go(package, args) }
}

const ECHO_PEERS: &[Peer] = &[
    bench("bare", "one epoll loop on rustix", &["serve", "echo", "bare"]),
    bench("landline", "listen and Conn, a task per conn, one thread", &["serve", "echo", "landline"]),
    bench("landline-io", "the same by AsyncRead and AsyncWrite", &["serve", "echo", "landline-traits"]),
    bench("landline-tcp", "the same with listen_tcp and TcpConn", &["serve", "echo", "landline-tcp"]),
    bench("tokio", "tokio::net, a task per conn, one thread", &["serve", "echo", "tokio"]),
    bench("tokio-mt", "tokio::net, multi-thread runtime", &["serve", "echo", "tokio-mt"]),
    go("net, a goroutine per conn", "./echo", &[]),
];

const ECHO: Workload = Workload {
    name: "echo",
    title: "64 conns, each sending 64 bytes and waiting for the echo",
    unit: "message",
    shape: Shape::Server { load: &["load", "echo", "--conns", "64", "--size", "64"] },
    peers: ECHO_PEERS,
    goals: &[
        Goal { metric: Metric::Rate, of: Some("tokio"), bound: Bound::AtLeast(0.97) },
        Goal { metric: Metric::Calls, of: Some("tokio"), bound: Bound::AtMost(1.0) },
    ],
};

const IDLE: Workload = Workload {
    name: "idle",
    title: "9,000 conns that echoed once each, with the 4 KiB buffer of a usual echo loop",
    unit: "conn",
    shape: Shape::Memory { load: &["load", "idle", "--conns", "9000"] },
    peers: ECHO_PEERS,
    goals: &[Goal { metric: Metric::Memory, of: Some("tokio"), bound: Bound::AtMost(1.2) }],
};

const DIAL: Workload = Workload {
    name: "dial",
    title: "dial an IP literal on loopback and close; no-delay and keep-alive (five options) set by all",
    unit: "dial",
    shape: Shape::Client { helper: &["serve", "accept"] },
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
        Goal { metric: Metric::Rate, of: Some("tokio"), bound: Bound::AtLeast(0.95) },
        // Six, and five options.
        Goal { metric: Metric::Calls, of: None, bound: Bound::AtMost(11.0) },
    ],
};

const DIAL_PLAIN: Workload = Workload {
    name: "dial-plain",
    title: "the same with no-delay alone, one option",
    unit: "dial",
    shape: Shape::Client { helper: &["serve", "accept"] },
    peers: &[
        bench("bare", "connect on an epoll loop on rustix", &["measure", "dial", "bare", "--plain"]),
        bench("landline", "Dialer with keep-alive off", &["measure", "dial", "landline", "--plain"]),
        bench("tokio", "TcpStream::connect, then no-delay", &["measure", "dial", "tokio", "--plain"]),
        go("net.Dialer with keep-alive off", "./dial", &["-plain"]),
    ],
    goals: &[
        Goal { metric: Metric::Rate, of: Some("tokio"), bound: Bound::AtLeast(0.95) },
        // Six, and TCP_NODELAY.
        Goal { metric: Metric::Calls, of: None, bound: Bound::AtMost(7.0) },
    ],
};

const LOOKUP: Workload = Workload {
    name: "lookup",
    title: "A and AAAA of names never asked for before, 64 lookups in flight, a local name server, no cache",
    unit: "lookup",
    shape: Shape::Client { helper: &["serve", "names"] },
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
        Goal { metric: Metric::Rate, of: Some("go"), bound: Bound::AtLeast(2.2) },
        Goal { metric: Metric::Rate, of: Some("hickory"), bound: Bound::AtLeast(1.2) },
        Goal { metric: Metric::Cpu, of: Some("go"), bound: Bound::AtMost(0.35) },
        Goal { metric: Metric::Cpu, of: Some("hickory"), bound: Bound::AtMost(0.6) },
        Goal { metric: Metric::Calls, of: None, bound: Bound::AtMost(10.0) },
    ],
};

impl Workload {
    pub(crate) fn named(name: &str) -> Option<&'static Workload> {
        ALL.into_iter().find(|workload| workload.name == name)
    }

    pub(crate) fn peer(&self, name: &str) -> Option<&Peer> {
        self.peers.iter().find(|peer| peer.name == name)
    }

    /// Memory is not a matter of calls.
    pub(crate) fn counts_calls(&self) -> bool {
        !matches!(self.shape, Shape::Memory { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workload_has_ours_and_every_goal_names_a_peer_of_it() {
        for workload in ALL {
            assert!(workload.peer(OURS).is_some(), "{}", workload.name);
            for of in workload.goals.iter().filter_map(|goal| goal.of) {
                assert!(workload.peer(of).is_some(), "{}: {of}", workload.name);
            }
        }
    }
}
