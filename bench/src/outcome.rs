//! What one run of a peer gave.

use std::time::Duration;

use serde::Serialize;

/// One line of JSON, the same from every peer in every language.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Outcome {
    /// Operations done in the measured time: messages, dials, lookups, conns, datagrams, bytes.
    pub(crate) ops: u64,
    /// Wall time they took.
    pub(crate) wall_ns: u64,
    /// CPU time of the measured process, user and system.
    pub(crate) cpu_ns: u64,
    /// Growth of the measured process's resident memory, where that is the question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rss_bytes: Option<u64>,
    /// The time that 99 of 100 operations stayed below, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p99_ns: Option<u64>,
}

impl Outcome {
    pub(crate) fn new(ops: u64, wall: Duration, cpu: Duration) -> Self {
        Self { ops, wall_ns: nanos(wall), cpu_ns: nanos(cpu), ..Self::default() }
    }
}

pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
