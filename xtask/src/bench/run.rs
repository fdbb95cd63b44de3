//! One round of one peer.

use std::time::Duration;

use serde::Deserialize;

use super::{
    programs::Programs,
    stage::Stage,
    workload::{Peer, Workload},
};

/// How long a run may take beyond what it was asked to.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a load or a client under test prints; `bench/src/outcome.rs` is the other side.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) ops: u64,
    pub(crate) wall_ns: u64,
    pub(crate) cpu_ns: u64,
    pub(crate) rss_bytes: Option<u64>,
    pub(crate) p99_ns: Option<u64>,
}

pub(crate) fn once(
    workload: &Workload,
    peer: &Peer,
    programs: &Programs,
    run: Duration,
) -> Result<Outcome, String> {
    let millis = run.as_millis().to_string();
    // What fills a server with conns takes as long as it takes.
    let span: &[&str] = if workload.is_timed { &["--run-ms", &millis] } else { &[] };
    let printed = Stage::set(workload, peer, programs)?.finish(span, run + PATIENCE)?;
    let outcome: Outcome = serde_json::from_str(&printed).map_err(|error| format!("{printed:?}: {error}"))?;
    if outcome.ops == 0 || outcome.wall_ns == 0 {
        return Err("not one operation was done".to_owned());
    }
    Ok(outcome)
}
