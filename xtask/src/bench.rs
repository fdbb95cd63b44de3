//! `cargo xtask bench`: each workload beside its peers, all in one run.
//!
//! Rounds are short and interleaved, each peer is a fresh process in each round, the order turns from round to
//! round, and every figure is a median: what a shared machine does meanwhile falls on all peers alike. What is
//! measured has one core and what drives it another.

mod calls;
mod conditions;
mod daemon;
mod goal;
mod html;
mod machine;
mod markdown;
mod metric;
mod process;
mod programs;
mod report;
mod run;
mod stage;
mod stats;
mod table;
mod workload;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use self::{
    machine::Machine,
    programs::Programs,
    report::{Report, WorkloadReport},
    workload::Workload,
};

const USAGE: &str = "\
usage: cargo xtask bench [WORKLOAD]... [OPTION]...

Measures each workload beside its peers; all of them when none is named:
  echo, echo-1000, churn, churn-2, few, idle, beside, forward, forward-small, sendfile, http-file, http-file-256k,
  udp, udp-single, dial, dial-plain, lookup, call, calls, calls-16, gob-encode-struct, gob-decode-struct,
  gob-encode-slice, gob-decode-slice, http, http-client, http-idle, http-slow

  --rounds N        interleaved rounds, 10 by default
  --run-ms N        how long each peer is measured in a round, 200 by default
  --peer NAME       only this peer; may be given several times
  --no-calls        leaves the system calls uncounted
  --json FILE       all figures of all rounds
  --html FILE       one page with plots
  --markdown FILE   the page kept as bench/RESULTS.md
";

/// What the command line asks for.
#[derive(Debug, PartialEq)]
struct Options {
    workloads: Vec<&'static Workload>,
    /// All when empty.
    peers: Vec<String>,
    rounds: usize,
    run: Duration,
    counts_calls: bool,
    json: Option<PathBuf>,
    html: Option<PathBuf>,
    markdown: Option<PathBuf>,
}

/// Runs the benches that `words`, the arguments after `bench`, ask for.
pub(crate) fn run(words: &[&str]) -> Result<(), String> {
    if words.iter().any(|word| matches!(*word, "help" | "-h" | "--help")) {
        print!("{USAGE}");
        return Ok(());
    }
    let options = Options::parse(words)?;
    let programs = Programs::provide(&options.workloads)?;
    let machine = Machine::look(conditions::enter_own_network(words)?)?;
    conditions::take_precedence();
    let mut report = Report::new(machine, &programs, options.rounds, options.run);
    eprintln!("this takes about {} minutes", options.estimate().as_secs().div_ceil(60));
    for workload in &options.workloads {
        let done = measure(workload, &options, &programs)?;
        print!("{}", table::render(&done));
        report.workloads.push(done);
    }
    if let Some(file) = &options.json {
        let text = serde_json::to_string_pretty(&report).map_err(|error| error.to_string())?;
        write(file, &text)?;
    }
    if let Some(file) = &options.html {
        write(file, &html::render(&report))?;
    }
    if let Some(file) = &options.markdown {
        write(file, &markdown::render(&report))?;
    }
    Ok(())
}

fn measure(
    workload: &'static Workload,
    options: &Options,
    programs: &Programs,
) -> Result<WorkloadReport, String> {
    let mut report = WorkloadReport::new(workload, programs, |peer| options.wants(peer));
    for round in 0..options.rounds {
        eprintln!("{}: round {} of {}", workload.name, round + 1, options.rounds);
        for index in report.order(round) {
            let outcome = run::once(workload, &workload.peers[index], programs, options.run);
            report.peers[index].note(outcome, workload.unit);
        }
    }
    for (index, peer) in workload.peers.iter().enumerate() {
        if report.peers[index].skipped.is_none() && options.counts_calls && workload.count.is_some() {
            eprintln!("{}: system calls of {}", workload.name, peer.name);
            report.peers[index].calls = calls::count(workload, peer, programs);
        }
    }
    report.conclude(workload);
    Ok(report)
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))
}

impl Options {
    fn parse(words: &[&str]) -> Result<Self, String> {
        let mut options = Self {
            workloads: Vec::new(),
            peers: Vec::new(),
            rounds: 10,
            run: Duration::from_millis(200),
            counts_calls: true,
            json: None,
            html: None,
            markdown: None,
        };
        let mut words = words.iter().copied();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} wants a value\n\n{USAGE}"));
            match word {
                "--rounds" => options.rounds = number(word, value()?)?,
                "--run-ms" => options.run = Duration::from_millis(number(word, value()?)? as u64),
                "--no-calls" => options.counts_calls = false,
                "--peer" => options.peers.push(value()?.to_owned()),
                "--json" => options.json = Some(value()?.into()),
                "--html" => options.html = Some(value()?.into()),
                "--markdown" => options.markdown = Some(value()?.into()),
                name => options.workloads.push(
                    Workload::named(name)
                        .ok_or_else(|| format!("no workload or option {name}\n\n{USAGE}"))?,
                ),
            }
        }
        if options.workloads.is_empty() {
            options.workloads.extend(workload::ALL);
        }
        for peer in &options.peers {
            if !options.workloads.iter().any(|workload| workload.peer(peer).is_some()) {
                return Err(format!("--peer {peer}: no chosen workload has this peer"));
            }
        }
        Ok(options)
    }
}

/// How long it takes to count the system calls of one peer, twice with each of two tools.
const COUNTING: Duration = Duration::from_millis(500);

impl Options {
    fn wants(&self, peer: &str) -> bool {
        self.peers.is_empty() || self.peers.iter().any(|wanted| wanted == peer)
    }

    /// How long all of it takes, roughly.
    fn estimate(&self) -> Duration {
        let of = |workload: &&Workload| {
            let ready = Duration::from_millis(workload.ready_ms);
            let round = if workload.is_timed { ready + self.run } else { ready };
            let counting =
                if self.counts_calls && workload.count.is_some() { COUNTING } else { Duration::ZERO };
            let peers = workload.peers.iter().filter(|peer| self.wants(peer.name)).count();
            (round * self.rounds as u32 + counting) * peers as u32
        };
        self.workloads.iter().copied().map(|workload| of(&workload)).sum()
    }
}

fn number(option: &str, word: &str) -> Result<usize, String> {
    match word.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("{option} {word}: not a number above zero")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_named_means_every_workload_in_ten_rounds() {
        let options = Options::parse(&[]).unwrap();
        assert_eq!(options.workloads.len(), workload::ALL.len());
        assert_eq!(options.rounds, 10);
    }

    #[test]
    fn the_estimate_grows_with_the_rounds_and_shrinks_with_the_peers() {
        let estimate = |words: &[&str]| Options::parse(words).unwrap().estimate();
        assert!(estimate(&["echo"]) < estimate(&["echo", "--rounds", "20"]));
        assert!(estimate(&["echo", "--peer", "bare"]) < estimate(&["echo"]));
        assert!(estimate(&["echo", "--no-calls"]) < estimate(&["echo"]));
    }

    #[test]
    fn the_help_names_every_workload() {
        for workload in workload::ALL {
            assert!(USAGE.contains(workload.name), "{}", workload.name);
        }
    }

    #[test]
    fn bad_words_are_named() {
        for (words, part) in [
            (&["eccho"][..], "no workload or option eccho"),
            (&["--rounds"], "--rounds wants a value"),
            (&["--rounds", "0"], "--rounds 0: not a number above zero"),
            (&["idle", "--peer", "hickory"], "--peer hickory: no chosen workload"),
        ] {
            let why = Options::parse(words).unwrap_err();
            assert!(why.starts_with(part), "{words:?}: {why}");
        }
    }
}
