//! Building and installing what takes part.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    process::{Core, Server},
    workload::{FILES, Peer, Program, Shape, Workload},
};
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

/// What stands in a peer's arguments and is known only when it is started.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// For `SINK`.
    pub(crate) sink: Option<String>,
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
        let helpers = workloads.iter().filter_map(|workload| match &workload.shape {
            Shape::Client { helper } => Some(helper),
            _ => None,
        });
        let daemons =
            all_peers().map(|peer| &peer.program).chain(helpers).filter_map(|program| match program {
                Program::Daemon(daemon) => Some(daemon.peer),
                _ => None,
            });
        for missing in peers::provide(daemons) {
            eprintln!("without {missing}");
        }
        write_files()?;
        Ok(programs)
    }

    /// The command of `landline-bench` with these arguments.
    pub(crate) fn bench(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.bench);
        command.args(args);
        command
    }

    /// Why a peer cannot take part, if so.
    pub(crate) fn is_ready(&self, peer: &Peer) -> Result<(), String> {
        match peer.program {
            Program::Daemon(daemon) => peers::find(daemon.peer.program)
                .map(drop)
                .ok_or_else(|| format!("there is no program {}", daemon.peer.program)),
            _ => self.command(&peer.program, &Places::default()).map(drop),
        }
    }

    /// Starts a program that serves.
    pub(crate) fn start(&self, program: &Program, places: &Places, core: Core) -> Result<Server, String> {
        match program {
            Program::Daemon(daemon) => daemon.start(&tools(), places.sink.as_deref(), core),
            _ => Server::start(self.command(program, places)?, core),
        }
    }

    /// The command of a program, or why it cannot be had.
    pub(crate) fn command(&self, program: &Program, places: &Places) -> Result<Command, String> {
        let (program, args) = match *program {
            Program::Bench(args) => (&self.bench, args),
            Program::Go(source, args) | Program::C { source, args, .. } => {
                let built = self.built.get(source).ok_or_else(|| format!("{source} was not built"))?;
                (built.as_ref().map_err(String::clone)?, args)
            }
            Program::Daemon(daemon) => return Err(format!("{} takes no arguments", daemon.peer.program)),
        };
        let mut command = Command::new(program);
        for argument in args {
            match *argument {
                "FILE" => command.arg(tools().join(FILES[0].0)),
                "FILES" => command.arg(tools()),
                "SINK" => command.arg(places.sink.as_deref().unwrap_or_default()),
                argument => command.arg(argument),
            };
        }
        Ok(command)
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

/// Writes what is sent, once; reading it through leaves it in the page cache, where every round finds it.
fn write_files() -> Result<(), String> {
    for (name, length) in FILES {
        let file = tools().join(name);
        if std::fs::read(&file).is_ok_and(|bytes| bytes.len() as u64 == length) {
            continue;
        }
        std::fs::create_dir_all(tools())
            .and_then(|()| std::fs::write(&file, vec![b'f'; length as usize]))
            .map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(())
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
