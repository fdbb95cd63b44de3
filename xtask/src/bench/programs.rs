//! Building and installing what takes part.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
    process::Command,
};

use super::workload::{Peer, Program, Workload};
use crate::{go, paths, peers};

/// Programs that are ready to run, and why others are not.
#[derive(Debug)]
pub(crate) struct Programs {
    bench: PathBuf,
    /// By peer's source; the error is why it is skipped.
    built: BTreeMap<&'static str, Result<PathBuf, String>>,
    /// Versions worth writing beside the figures.
    pub(crate) versions: BTreeMap<&'static str, String>,
    pub(crate) perf: Option<PathBuf>,
    pub(crate) strace: Option<PathBuf>,
}

impl Programs {
    /// Builds our programs and the peers', installing what they need. A peer that cannot be had is no error.
    pub(crate) fn provide(workloads: &[&Workload]) -> Result<Self, String> {
        for missing in peers::provide(peers::COUNTERS) {
            eprintln!("without {missing}");
        }
        let mut programs = Self {
            bench: build_bench()?,
            built: BTreeMap::new(),
            versions: BTreeMap::new(),
            perf: peers::find("perf"),
            strace: peers::find("strace"),
        };
        programs.versions.insert("rustc", version_of("rustc"));
        let all_peers = || workloads.iter().flat_map(|workload| workload.peers);
        if all_peers().any(|peer| matches!(peer.program, Program::Go(..))) {
            programs.build_go(all_peers());
        }
        for peer in all_peers() {
            if let Program::C { source, library, package, .. } = peer.program {
                programs.built.entry(source).or_insert_with(|| build_c(source, library, package));
            }
        }
        Ok(programs)
    }

    /// The command of `landline-bench` with these arguments.
    pub(crate) fn bench(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.bench);
        command.args(args);
        command
    }

    /// The command of a peer, or why it is skipped.
    pub(crate) fn peer(&self, peer: &Peer) -> Result<Command, String> {
        match peer.program {
            Program::Bench(args) => Ok(self.bench(args)),
            Program::Go(source, args) | Program::C { source, args, .. } => {
                let built = self.built.get(source).ok_or_else(|| format!("{source} was not built"))?;
                let mut command = Command::new(built.as_ref().map_err(String::clone)?);
                command.args(args);
                Ok(command)
            }
        }
    }

    fn build_go<'a>(&mut self, all_peers: impl Iterator<Item = &'a Peer>) {
        let toolchain = go::toolchain();
        if let Ok(go) = &toolchain {
            self.versions.insert("go", go.version.clone());
        }
        for peer in all_peers {
            let Program::Go(package, _) = peer.program else { continue };
            let output = tools().join(format!("go-{}", package.trim_start_matches("./")));
            self.built.entry(package).or_insert_with(|| {
                let go = toolchain.as_ref().map_err(String::clone)?;
                go.build(&paths::root().join("bench/peers/go"), package, &output)?;
                Ok(output)
            });
        }
    }
}

/// Where built peers are kept.
fn tools() -> PathBuf {
    paths::target().join("tools/bench")
}

fn build_bench() -> Result<PathBuf, String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--release", "--package", "landline-bench"])
        .current_dir(paths::root())
        .status()
        .map_err(|error| format!("cargo build: {error}"))?;
    if !status.success() {
        return Err(format!("cargo build --package landline-bench: {status}"));
    }
    Ok(paths::target().join("release/landline-bench"))
}

fn build_c(source: &str, library: &str, package: &'static str) -> Result<PathBuf, String> {
    let file = paths::root().join("bench/peers/c").join(source).with_extension("c");
    let output = tools().join(format!("c-{source}"));
    std::fs::create_dir_all(tools()).map_err(|error| format!("{}: {error}", tools().display()))?;
    compile(&file, library, &output).or_else(|first| {
        // The usual reason is that the library is not there.
        crate::apt::install(&[package]).map_err(|why| format!("{first}; {why}"))?;
        compile(&file, library, &output)
    })?;
    Ok(output)
}

fn compile(source: &Path, library: &str, output: &Path) -> Result<(), String> {
    let done = Command::new("cc")
        .args(["-O2", "-Wall", "-o"])
        .args([output, source])
        .arg(format!("-l{library}"))
        .output()
        .map_err(|error| format!("cc: {error}"))?;
    if done.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&done.stderr).into_owned();
    Err(format!("cc: {}", text.lines().find(|line| line.contains("error")).unwrap_or("failed")))
}

fn version_of(program: &str) -> String {
    match Command::new(program).arg("--version").output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        Err(error) => error.to_string(),
    }
}
