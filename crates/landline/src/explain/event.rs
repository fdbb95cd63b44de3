//! The typed events of a dial, lookup or copy, one for every step of the flow.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::time::Instant;

use crate::addr::Addr;
use crate::copy::{Copied, CopyPath, Detour};
use crate::error::{Error, ProxyStep};
use crate::network::Network;

/// One thing that happened, and when.
#[derive(Clone, Debug)]
pub struct Event {
    /// When it happened.
    pub at: Instant,
    /// What happened.
    pub what: What,
}

/// What happened, in the order of the flow.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum What {
    // 1 parse
    /// The network and the address were understood.
    Parsed {
        /// The network.
        network: Network,
        /// The address as given.
        address: String,
    },

    // 2 resolve
    /// A lookup began.
    LookupStarted {
        /// The name as given.
        name: String,
        /// What is asked of it: `ip`, `addr`, `mx`, …
        kind: &'static str,
    },
    /// Which sources will be asked, in which order, and why.
    Policy {
        /// The name asked for.
        name: String,
        /// The sources in order: `literal`, `files`, `dns`, `system`, …
        sources: Vec<&'static str>,
        /// Why these, such as `nsswitch.conf: hosts: files dns`.
        reason: String,
    },
    /// A source other than DNS gave its answer.
    SourceAnswered {
        /// The source: `literal`, `files`, `myhostname`, `cache`, `system`, …
        source: &'static str,
        /// What it said, in words: addresses, or why there are none.
        answer: String,
    },
    /// A full name made by the search list is about to be asked for.
    NameTried {
        /// The absolute name.
        name: String,
    },
    /// A question was sent to a server.
    QuerySent {
        /// Pairs this with its outcome; unique within one lookup.
        query: u32,
        /// The absolute name.
        name: String,
        /// The record type, such as `AAAA`.
        record: String,
        /// The server asked.
        server: SocketAddr,
        /// `udp` or `tcp`.
        transport: &'static str,
        /// Which round over the servers this is, from 1.
        attempt: u32,
    },
    /// The question was answered.
    QueryAnswered {
        /// As in [`What::QuerySent`].
        query: u32,
        /// The response code, such as `NOERROR` or `NXDOMAIN`.
        rcode: String,
        /// The answer's records in presentation form.
        records: Vec<String>,
        /// The shortest time to live among them.
        ttl: Option<Duration>,
        /// Whether the answer was truncated, so that TCP follows.
        truncated: bool,
    },
    /// The question was not answered, or not in a way that can be used.
    QueryFailed {
        /// As in [`What::QuerySent`].
        query: u32,
        /// Why.
        error: String,
    },
    /// A question was neither answered nor given up: another made it pointless.
    QueryAbandoned {
        /// As in [`What::QuerySent`].
        query: u32,
    },
    /// An answer was taken from the cache.
    CacheHit {
        /// The absolute name.
        name: String,
        /// The record type.
        record: String,
        /// What is left of its time to live; zero when it is stale.
        remaining: Duration,
        /// Whether it is past its time to live (RFC 8767).
        stale: bool,
    },
    /// The same lookup was already under way, and its answer is shared.
    QueryShared {
        /// The absolute name.
        name: String,
        /// The record type.
        record: String,
    },
    /// The lookup was handed to the system's `getaddrinfo` or `getnameinfo`.
    HandedToSystem {
        /// Why it could not be done here.
        reason: String,
    },
    /// The lookup ended with an answer.
    LookupDone {
        /// The name as given.
        name: String,
        /// The answer in presentation form.
        answer: Vec<String>,
    },
    /// The lookup ended without one.
    LookupFailed {
        /// The name as given.
        name: String,
        /// Why.
        error: Error,
    },

    // 3 order
    /// The addresses were put in the order of RFC 6724.
    Ordered {
        /// The addresses, best first.
        addresses: Vec<OrderedAddress>,
    },

    // 4 dial
    /// The first family's addresses came; the other's are waited for (RFC 8305 section 3).
    ResolutionDelay {
        /// How long at most.
        delay: Duration,
    },
    /// One attempt began.
    AttemptStarted {
        /// Its number, from 1.
        attempt: u32,
        /// Where to.
        peer: Addr,
        /// Why now.
        reason: AttemptReason,
        /// Its share of the budget, where it has one.
        budget: Option<Duration>,
    },
    // 5 socket
    /// A system call of an attempt.
    SystemCall {
        /// The attempt.
        attempt: u32,
        /// The call, such as `socket` or `connect`.
        call: &'static str,
        /// Its arguments or result, in words.
        detail: String,
        /// What it returned, where it failed; `EINPROGRESS` is not a failure.
        error: Option<rustix::io::Errno>,
    },
    /// A default socket option could not be set; the dial goes on.
    DefaultNotSet {
        /// The attempt.
        attempt: u32,
        /// The option, such as `SO_KEEPALIVE`.
        option: &'static str,
        /// Why.
        error: rustix::io::Errno,
    },
    /// Something asked for was done another way, such as TCP in place of MPTCP.
    FellBack {
        /// The attempt.
        attempt: u32,
        /// What was wanted, what was done, and why, in words.
        what: String,
    },
    // 6 fd
    /// The attempt connected.
    AttemptConnected {
        /// The attempt.
        attempt: u32,
    },
    /// The attempt failed.
    AttemptFailed {
        /// The attempt.
        attempt: u32,
        /// Why.
        error: Error,
    },
    /// The attempt was closed because another had won, or the dial had ended.
    AttemptAbandoned {
        /// The attempt.
        attempt: u32,
    },
    /// The socket had connected to itself (a simultaneous open with its own port) and is tried again.
    SelfConnect {
        /// The attempt.
        attempt: u32,
    },

    // 4 dial, through proxies
    /// Which proxies the environment asks for.
    ProxyChosen {
        /// The proxies in order, as URLs without passwords; none for a direct conn.
        proxies: Vec<String>,
        /// Why.
        reason: String,
    },
    /// The conn has reached a proxy, which is now asked to go on.
    HopStarted {
        /// Its place in the chain, from 1.
        hop: u32,
        /// The proxy as a URL without its password.
        proxy: String,
        /// Where it is to connect to: the next proxy, or the target.
        target: String,
    },
    /// Something was said to a proxy.
    HopAsked {
        /// The proxy's place in the chain.
        hop: u32,
        /// The step.
        step: ProxyStep,
        /// What was said, in words and without secrets.
        question: String,
    },
    /// A proxy answered.
    HopAnswered {
        /// The proxy's place in the chain.
        hop: u32,
        /// The step.
        step: ProxyStep,
        /// What it said, in words.
        answer: String,
    },
    /// The way through a proxy is open.
    HopDone {
        /// The proxy's place in the chain.
        hop: u32,
    },
    /// The way through a proxy failed.
    HopFailed {
        /// The proxy's place in the chain.
        hop: u32,
        /// Why.
        error: Error,
    },
    /// The dial ended with a conn.
    Connected {
        /// The attempt that won, 0 where there was only one way to go.
        attempt: u32,
        /// The peer.
        peer: Addr,
    },
    /// The dial ended without one.
    DialFailed {
        /// Why.
        error: Error,
    },

    // Between conns
    /// A copy began in one direction.
    CopyStarted {
        /// The direction: 1 from the first side to the second, 2 back.
        copy: u32,
        /// What is copied from, as in `tcp 192.0.2.1:80`.
        from: String,
        /// What is copied to.
        to: String,
    },
    /// Bytes took this path for the first time.
    CopyPath {
        /// As in [`What::CopyStarted`].
        copy: u32,
        /// The path.
        path: CopyPath,
        /// Why not a shorter one.
        detour: Option<Detour>,
    },
    /// The copy has come to its end.
    CopyDone {
        /// As in [`What::CopyStarted`].
        copy: u32,
        /// What was moved, and how.
        copied: Copied,
    },
    /// The copy was ended by a failure, its own or that of the other direction.
    CopyFailed {
        /// As in [`What::CopyStarted`].
        copy: u32,
        /// What was moved before.
        copied: Copied,
        /// Why.
        error: Error,
    },

    // On top: what a protocol does with the conn.
    /// A stage of a protocol began.
    StageStarted {
        /// Its name, at most eleven characters: `tls`, `wait`, `body`, …
        stage: &'static str,
        /// What it is about, in words and without secrets.
        subject: String,
    },
    /// A stage was done; of several with this name, the latest that goes on.
    StageDone {
        /// As in [`What::StageStarted`].
        stage: &'static str,
        /// What came of it, in words; may be empty.
        result: String,
    },
    /// A stage failed; of several with this name, the latest that goes on.
    StageFailed {
        /// As in [`What::StageStarted`].
        stage: &'static str,
        /// Why.
        error: String,
    },
    /// Something that took no time: a conn was used again, a redirect followed.
    Remarked {
        /// What it is about, at most eleven characters.
        stage: &'static str,
        /// In words and without secrets.
        text: String,
    },
}

/// Why an attempt began when it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttemptReason {
    /// It is the first.
    First,
    /// The one before it failed.
    PreviousFailed,
    /// The attempt delay passed without an outcome (RFC 8305 section 5).
    DelayPassed,
}

/// An address in its place, and what put it there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderedAddress {
    /// The destination.
    pub address: SocketAddr,
    /// The source address this host would use for it; `None` if it is unreachable, or if nobody asked because there
    /// was nothing to decide.
    pub source: Option<IpAddr>,
    /// The rule of RFC 6724 section 6 that put it before the one that follows; `None` for the last, or where they
    /// stayed as they were given.
    pub decided_by: Option<u8>,
}
