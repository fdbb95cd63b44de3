//! The steps that a list of events adds up to.

mod build;

use std::net::SocketAddr;
use std::time::Duration;

use super::event::{AttemptReason, OrderedAddress};
use crate::addr::Addr;
use crate::copy::{Copied, CopyPath, Detour};
use crate::error::ProxyStep;

pub(crate) use build::build;

/// One step: what it was, from when to when, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Span {
    /// When it began, from the beginning of the report.
    pub start: Duration,
    /// When it ended; `None` for a step that was a moment.
    pub end: Option<Duration>,
    /// 0 for a step of its own, 1 for one that was part of the lookup, attempt, hop or copy before it.
    pub depth: u8,
    /// What it was.
    pub step: Step,
    /// How it ended.
    pub fate: Fate,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fate {
    /// It did what it should.
    Done,
    /// It is the attempt, or the end of the dial, that gave the conn.
    Won,
    /// It failed, and this is why.
    Failed(String),
    /// It was given up because it was no longer needed.
    Abandoned,
    /// It was still going on at the end of the report.
    Unfinished,
}

/// What a step was.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// The network and the address were understood.
    Parse {
        /// The network's name.
        network: String,
        /// The address as given.
        address: String,
    },
    /// A whole lookup; the steps up to its end are part of it.
    Lookup {
        /// The name as given.
        name: String,
        /// What was asked of it: `ip`, `addr`, `mx`, …
        kind: &'static str,
        /// The answer in presentation form.
        answer: Vec<String>,
    },
    /// The choice of sources.
    Policy {
        /// The name asked for.
        name: String,
        /// The sources in order.
        sources: Vec<&'static str>,
        /// Why these.
        reason: String,
    },
    /// A source other than DNS.
    Source {
        /// Its name.
        source: &'static str,
        /// What it said, in words.
        answer: String,
    },
    /// A name made by the search list.
    Name {
        /// The absolute name.
        name: String,
    },
    /// One question to one server.
    Query {
        /// Its number.
        query: u32,
        /// The absolute name.
        name: String,
        /// The record type.
        record: String,
        /// The server.
        server: SocketAddr,
        /// `udp` or `tcp`.
        transport: &'static str,
        /// Which round over the servers, from 1.
        attempt: u32,
        /// What came back, where something did.
        answer: Option<Answer>,
    },
    /// An answer from the cache.
    Cache {
        /// The absolute name.
        name: String,
        /// The record type.
        record: String,
        /// What is left of its time to live.
        remaining: Duration,
        /// Whether it is past it.
        stale: bool,
    },
    /// An answer shared with the same lookup already under way.
    Shared {
        /// The absolute name.
        name: String,
        /// The record type.
        record: String,
    },
    /// A hand-off to `getaddrinfo` or `getnameinfo`.
    System {
        /// Why it could not be done here.
        reason: String,
    },
    /// The order of RFC 6724.
    Ordering {
        /// The addresses, best first.
        addresses: Vec<OrderedAddress>,
    },
    /// The wait for the other family's addresses.
    ResolutionDelay {
        /// How long at most.
        delay: Duration,
    },
    /// One attempt to connect.
    Attempt {
        /// Its number, from 1.
        attempt: u32,
        /// Where to.
        peer: Addr,
        /// Why it began when it did.
        reason: AttemptReason,
        /// Its share of the budget, where it had one.
        budget: Option<Duration>,
    },
    /// A system call of the attempt before it.
    Call {
        /// The attempt.
        attempt: u32,
        /// The call.
        call: &'static str,
        /// Its arguments or result, in words.
        detail: String,
    },
    /// Something about the attempt before it that is worth a line: a default that could not be set, a way round.
    Note {
        /// The attempt.
        attempt: u32,
        /// In words.
        text: String,
    },
    /// The choice of proxies.
    Proxies {
        /// The proxies in order, as URLs without passwords; none for a direct conn.
        proxies: Vec<String>,
        /// Why these.
        reason: String,
    },
    /// The way through one proxy.
    Hop {
        /// Its place in the chain, from 1.
        hop: u32,
        /// The proxy as a URL without its password.
        proxy: String,
        /// Where it is to connect to.
        target: String,
    },
    /// Something said to the proxy of the hop before it, until the answer.
    HopStep {
        /// The proxy's place in the chain.
        hop: u32,
        /// The step.
        step: ProxyStep,
        /// What was said, in words.
        question: String,
        /// What it answered, where it did.
        answer: Option<String>,
    },
    /// The end of a dial that has a conn.
    Connected {
        /// The attempt that won, 0 where there was only one way to go.
        attempt: u32,
        /// The peer.
        peer: Addr,
    },
    /// The end of a dial that has none.
    DialFailed,
    /// One direction of a copy.
    Copy {
        /// 1 from the first side to the second, 2 back.
        copy: u32,
        /// What was copied from.
        from: String,
        /// What was copied to.
        to: String,
        /// What was moved, once it has ended.
        copied: Option<Copied>,
    },
    /// The first time that the copy before it took this path.
    Path {
        /// The direction.
        copy: u32,
        /// The path.
        path: CopyPath,
        /// Why not a shorter one.
        detour: Option<Detour>,
    },
    /// What a protocol on top did: a stage, or a remark.
    Stage {
        /// Its name: `tls`, `wait`, `body`, …
        stage: &'static str,
        /// What it was about, in words.
        subject: String,
        /// What came of it, in words; empty where there is nothing to say.
        result: String,
    },
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// The response code, such as `NOERROR`.
    pub rcode: String,
    /// The records in presentation form.
    pub records: Vec<String>,
    /// The shortest time to live among them.
    pub ttl: Option<Duration>,
    /// Whether it was truncated, so that TCP followed.
    pub truncated: bool,
}
