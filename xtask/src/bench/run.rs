//! One round of one peer.

use std::{process::Command, time::Duration};

use serde::Deserialize;

use super::{
    process::{Core, Process, Server},
    programs::Programs,
    workload::{Peer, Shape, Workload},
};

/// How long a run may take beyond what it was asked to.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a load or a client under test prints; `bench/src/outcome.rs` is the other side.
#[derive(Debug, Deserialize)]
pub(crate) struct Outcome {
    ops: u64,
    wall_ns: u64,
    cpu_ns: u64,
    #[serde(default)]
    rss_bytes: Option<u64>,
}

impl Outcome {
    /// Operations a second.
    pub(crate) fn rate(&self) -> f64 {
        self.ops as f64 * 1e9 / self.wall_ns as f64
    }

    /// Microseconds of CPU an operation.
    pub(crate) fn cpu(&self) -> f64 {
        self.cpu_ns as f64 / 1e3 / self.ops as f64
    }

    /// Bytes of memory an operation, that is, a conn.
    pub(crate) fn memory(&self) -> Option<f64> {
        self.rss_bytes.map(|bytes| bytes as f64 / self.ops as f64)
    }
}

pub(crate) fn once(
    workload: &Workload,
    peer: &Peer,
    programs: &Programs,
    run: Duration,
) -> Result<Outcome, String> {
    let millis = run.as_millis().to_string();
    let span = ["--run-ms", &millis];
    let printed = match workload.shape {
        Shape::Server { load } => {
            let server = Server::start(programs.peer(peer)?, Core::Measured)?;
            let mut command = drive(programs, load, &server);
            command.args(span);
            Process::start(command, Core::Driving)?.finish(run + PATIENCE)?
        }
        Shape::Memory { load } => {
            let server = Server::start(programs.peer(peer)?, Core::Measured)?;
            Process::start(drive(programs, load, &server), Core::Driving)?.finish(PATIENCE)?
        }
        Shape::Client { helper } => {
            let helper = Server::start(programs.bench(helper), Core::Driving)?;
            let mut command = programs.peer(peer)?;
            command.args(["--to", &helper.address]).args(span);
            Process::start(command, Core::Measured)?.finish(run + PATIENCE)?
        }
    };
    let outcome: Outcome = serde_json::from_str(&printed).map_err(|error| format!("{printed:?}: {error}"))?;
    if outcome.ops == 0 || outcome.wall_ns == 0 {
        return Err("not one operation was done".to_owned());
    }
    Ok(outcome)
}

/// The command of a load against a server.
pub(crate) fn drive(programs: &Programs, load: &[&str], server: &Server) -> Command {
    let mut command = programs.bench(load);
    command.args(["--to", &server.address, "--pid", &server.pid().to_string()]);
    command
}
