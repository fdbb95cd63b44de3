//! What a plan is told, and what it says.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use domain::base::iana::OptRcode;
use rustix::io::Errno;
use tokio::time::Instant;

use crate::error::{LookupErrorKind, errno_text};
use crate::resolve::message::Carrier;

/// What does not change during one lookup.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// How many servers there are.
    pub(crate) servers: usize,
    /// The server to begin with.
    pub(crate) first: usize,
    /// How many times to go through the servers.
    pub(crate) attempts: u32,
    /// How long a server may take to answer.
    pub(crate) timeout: Duration,
    /// What the first try of each server goes over.
    pub(crate) carrier: Carrier,
    /// Whether queries carry an OPT record.
    pub(crate) edns: bool,
    /// One lane after the other.
    pub(crate) single_request: bool,
    /// Whether a failure in one lane is the failure of the lookup, so that trouble with a server never makes a name
    /// look as if it had fewer addresses than it has.
    pub(crate) strict: bool,
}

/// What a lane's answer means for the lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    /// Records in it end the search.
    Decides,
    /// Only of interest for the name that the others decide on.
    Hints,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// The questions are now about this name of the search list; nothing said about the one before matters any more.
    Name(usize),
    /// Send questions.
    Ask(Ask),
    /// This is the end of a lane.
    Settle(usize, Outcome),
    /// Wait for something to be heard, or for this instant.
    Wait(Instant),
    /// All lanes are settled.
    Done,
}

/// Questions to be sent to one server over one socket of their own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ask {
    /// Names it when something is heard of it.
    pub(crate) id: u32,
    pub(crate) lanes: Vec<usize>,
    pub(crate) attempt: Attempt,
    /// When the server's time is over.
    pub(crate) until: Instant,
}

/// One question's turn with one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) server: usize,
    /// Which round over the servers this is, from 1.
    pub(crate) round: u32,
    pub(crate) carrier: Carrier,
    pub(crate) edns: bool,
}

/// What a server said, or what became of the way to it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Word {
    /// The name has such records.
    Found,
    /// It has none (NODATA).
    NoData,
    /// It does not exist (NXDOMAIN).
    NameError,
    Truncated,
    NoEdns(OptRcode),
    Failed(Failure),
}

/// Why a server was of no use.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Failure {
    NoServers,
    /// It could not be reached.
    Unreachable(&'static str, Errno),
    /// The caller's own transport failed.
    Transport(String),
    TimedOut,
    Lame,
    Garbled(Cow<'static, str>),
    Rcode(OptRcode),
}

/// How a lane ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    Found,
    /// No name of the search list has such records; at least one exists.
    NoData {
        server: usize,
    },
    /// None exists.
    NameError {
        server: usize,
    },
    /// The most telling failure, and the server it was of.
    Failed {
        server: usize,
        failure: Failure,
    },
}

impl Outcome {
    /// How much it tells: a failure leaves open whether the name exists, so it must not be hidden behind another
    /// name's absence, nor a name that exists behind one that does not.
    pub(crate) fn weight(&self) -> u8 {
        match self {
            Outcome::Found => 0,
            Outcome::NameError { .. } => 1,
            Outcome::NoData { .. } => 2,
            Outcome::Failed { failure, .. } => match failure {
                Failure::NoServers => 3,
                Failure::Unreachable(..) => 4,
                Failure::Transport(_) => 5,
                Failure::TimedOut => 6,
                Failure::Lame => 7,
                Failure::Garbled(_) => 8,
                Failure::Rcode(_) => 9,
            },
        }
    }
}

impl Failure {
    /// What it is to the one who looked something up.
    pub(crate) fn kind(&self) -> LookupErrorKind {
        match self {
            Failure::NoServers => LookupErrorKind::System,
            Failure::TimedOut | Failure::Unreachable(_, Errno::TIMEDOUT) => LookupErrorKind::Timeout,
            Failure::Garbled(_) => LookupErrorKind::BadAnswer,
            Failure::Unreachable(..) | Failure::Transport(_) | Failure::Lame | Failure::Rcode(_) => {
                LookupErrorKind::ServerFailure
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::NoServers => f.write_str("no name servers to ask"),
            Failure::Unreachable("", error) => f.write_str(&errno_text(*error)),
            Failure::Unreachable(call, error) => write!(f, "{call}: {}", errno_text(*error)),
            Failure::Transport(words) => f.write_str(words),
            Failure::TimedOut => f.write_str("i/o timeout"),
            Failure::Lame => f.write_str("lame referral"),
            Failure::Garbled(fault) => write!(f, "cannot understand the DNS answer: {fault}"),
            Failure::Rcode(rcode) => write!(f, "server misbehaving ({rcode})"),
        }
    }
}
