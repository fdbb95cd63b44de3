//! System calls per operation, the steadiest figure of all.
//!
//! Counted in runs of their own, as counting slows what is counted: `perf stat` on the tracepoint
//! `raw_syscalls:sys_enter`, which needs root, or `strace -c`. Two runs of different lengths are taken and
//! their difference is divided, so that starting up and winding down do not count.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, BufRead as _, BufReader, PipeReader},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use serde::Serialize;

use super::{
    process::{Core, Process, Server, scratch},
    programs::Programs,
    stage::Stage,
    workload::{Peer, Workload},
};

const PATIENCE: Duration = Duration::from_secs(120);

/// System calls of one unit.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Calls {
    /// Nothing when neither tool could count.
    pub(crate) each: Option<f64>,
    /// Who counted.
    pub(crate) by: Option<&'static str>,
    /// By name, the most frequent first. From strace, under which a server finds more work at each wake-up and
    /// so makes fewer calls that wait.
    pub(crate) names: Vec<(String, f64)>,
}

/// How many operations to count.
#[derive(Debug, PartialEq)]
pub(crate) struct Count {
    /// In the short and in the long run.
    pub(crate) counted: [u64; 2],
    /// The same under strace, which is a hundred times slower; nothing where getting ready would take it too long.
    pub(crate) named: Option<[u64; 2]>,
}

/// Counts as well as this machine can.
pub(crate) fn count(workload: &Workload, peer: &Peer, programs: &Programs) -> Calls {
    let mut calls = Calls::default();
    let Some(Count { counted, named }) = workload.count else { return calls };
    if let Some(perf) = &programs.perf {
        match difference(counted, |ops| under_perf(perf, workload, peer, programs, ops)) {
            Ok(names) => {
                calls.each = Some(names.values().sum::<f64>() * workload.unit.operations);
                calls.by = Some("perf");
            }
            Err(why) => eprintln!("perf cannot count: {why}"),
        }
    }
    if let (Some(strace), Some(named)) = (&programs.strace, named) {
        match difference(named, |ops| under_strace(strace, workload, peer, programs, ops)) {
            Ok(mut names) => {
                names.values_mut().for_each(|each| *each *= workload.unit.operations);
                if calls.each.is_none() {
                    calls.each = Some(names.values().sum());
                    calls.by = Some("strace");
                }
                let most = names.values().copied().fold(0.0, f64::max);
                calls.names = names.into_iter().filter(|(_, each)| *each >= most / 200.0).collect();
                calls.names.sort_by(|(_, one), (_, other)| other.total_cmp(one));
            }
            Err(why) => eprintln!("strace cannot count: {why}"),
        }
    }
    calls
}

type Counts = BTreeMap<String, f64>;

/// What one more operation costs, by name.
fn difference(
    [short, long]: [u64; 2],
    mut counts: impl FnMut(u64) -> Result<Counts, String>,
) -> Result<Counts, String> {
    let few = counts(short)?;
    let mut many = counts(long)?;
    for (name, count) in &mut many {
        *count = (*count - few.get(name).unwrap_or(&0.0)) / (long - short) as f64;
    }
    Ok(many)
}

fn under_perf(
    perf: &Path,
    workload: &Workload,
    peer: &Peer,
    programs: &Programs,
    ops: u64,
) -> Result<Counts, String> {
    let file = scratch("perf")?;
    let mut command = Command::new(perf);
    command.args(["stat", "-x", ",", "-e", "raw_syscalls:sys_enter", "-o"]).arg(&file);
    let stage = Stage::set(workload, peer, programs)?;
    if let Some(server) = stage.measured() {
        command.args(["-p", &server.pid().to_string()]);
    }
    let done = stage.finish_under(command, &["--ops", &ops.to_string()], PATIENCE);
    parse_perf(&taken(&file, done)?)
}

fn under_strace(
    strace: &Path,
    workload: &Workload,
    peer: &Peer,
    programs: &Programs,
    ops: u64,
) -> Result<Counts, String> {
    let file = scratch("strace")?;
    let mut command = Command::new(strace);
    command.args(["-f", "-c", "-U", "name,calls", "-o"]).arg(&file);
    let stage = Stage::set(workload, peer, programs)?;
    let ops = ["--ops", &ops.to_string()];
    let done = if let Some(server) = stage.measured() {
        let mut tracer = Tracer::attach(command, server)?;
        let done = stage.finish(&ops, PATIENCE);
        tracer.process.interrupt(PATIENCE)?;
        done
    } else {
        stage.finish_under(command, &ops, PATIENCE)
    };
    parse_strace(&taken(&file, done)?)
}

/// What a tool wrote into its file, which is no more needed.
fn taken(file: &Path, done: Result<String, String>) -> Result<String, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()));
    let _ = fs::remove_file(file);
    done.and(text)
}

/// A tracer on a running server.
struct Tracer {
    process: Process,
    /// Kept, since it speaks of every thread that begins: without a reader it would take its leave there and then.
    _says: BufReader<PipeReader>,
}

impl Tracer {
    /// Starts it and waits until it says that it has the server.
    fn attach(mut command: Command, server: &Server) -> Result<Tracer, String> {
        let (said, says) = io::pipe().map_err(|error| format!("pipe: {error}"))?;
        command.args(["-p", &server.pid().to_string()]).stdin(Stdio::null()).stderr(says);
        // Beside what it traces, where each of its turns is a switch and not a wake-up of another core.
        let process = Process::start(command, Core::Measured)?;
        let (mut line, mut said) = (String::new(), BufReader::new(said));
        said.read_line(&mut line).map_err(|error| format!("strace: {error}"))?;
        if line.contains("attached") {
            Ok(Tracer { process, _says: said })
        } else {
            Err(line.trim().to_owned())
        }
    }
}

fn parse_perf(text: &str) -> Result<Counts, String> {
    text.lines()
        .filter(|line| line.contains("raw_syscalls:sys_enter"))
        .find_map(|line| line.split(',').next()?.parse().ok())
        .map(|count| Counts::from([("all".to_owned(), count)]))
        .ok_or_else(|| text.trim().to_owned())
}

/// Lines of a name and a number, between rules, with a title and a total.
fn parse_strace(text: &str) -> Result<Counts, String> {
    let counts: Counts = text
        .lines()
        .filter_map(|line| line.trim().split_once(char::is_whitespace))
        .filter(|(name, _)| *name != "total")
        .filter_map(|(name, count)| Some((name.to_owned(), count.trim().parse().ok()?)))
        .collect();
    if counts.is_empty() { Err(format!("no counts in {text:?}")) } else { Ok(counts) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn perf_and_strace_are_read_as_they_print() {
        let perf = "# started on Sun\n\n407080,,raw_syscalls:sys_enter,1096673345,100.00,,\n";
        assert_eq!(parse_perf(perf).unwrap()["all"], 407_080.0);
        assert!(parse_perf("<not supported>,,raw_syscalls:sys_enter,0,100.00,,").is_err());
        let strace = "syscall              calls\n---------------- ---------\nrecvfrom              2500\n\
                      sendto                2501\n---------------- ---------\ntotal                 5001\n";
        let counts = parse_strace(strace).unwrap();
        assert_eq!(counts, Counts::from([("recvfrom".into(), 2500.0), ("sendto".into(), 2501.0)]));
        assert!(parse_strace("").is_err());
    }

    #[test]
    fn what_does_not_grow_with_the_operations_does_not_count() {
        let counts = difference([100, 200], |ops| {
            Ok(Counts::from([("openat".into(), 30.0), ("connect".into(), ops as f64)]))
        });
        assert_eq!(counts.unwrap(), Counts::from([("connect".into(), 1.0), ("openat".into(), 0.0)]));
    }
}
