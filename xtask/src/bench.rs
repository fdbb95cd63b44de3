//! `cargo xtask bench`: each workload beside its peers, all in one run.
//!
//! Rounds are short and interleaved, each peer is a fresh process in each round, the order turns from round to
//! round, and every figure is a median: what a shared machine does meanwhile falls on all peers alike. What is
//! measured has one core and what drives it another.

mod calls;
mod goal;
mod html;
mod machine;
mod markdown;
mod process;
mod programs;
mod report;
mod run;
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

Measures each workload beside its peers: echo, idle, dial, dial-plain, lookup; all of them when none is named.

  --rounds N        interleaved rounds, 10 by default
  --run-ms N        how long each peer is measured in a round, 700 by default
  --peer NAME       only this peer; may be given several times
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
    let machine = Machine::look()?;
    let mut report = Report::new(machine, &programs, options.rounds, options.run);
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

fn measure(workload: &Workload, options: &Options, programs: &Programs) -> Result<WorkloadReport, String> {
    let chosen = |name: &str| options.peers.is_empty() || options.peers.iter().any(|peer| peer == name);
    let mut report = WorkloadReport::new(workload, programs, chosen);
    for round in 0..options.rounds {
        eprintln!("{}: round {} of {}", workload.name, round + 1, options.rounds);
        for index in report.order(round) {
            let outcome = run::once(workload, &workload.peers[index], programs, options.run);
            report.peers[index].note(outcome);
        }
    }
    for (index, peer) in workload.peers.iter().enumerate() {
        if report.peers[index].skipped.is_none() && workload.counts_calls() {
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
            run: Duration::from_millis(700),
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
