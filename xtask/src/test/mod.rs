//! `cargo xtask test`: the workspace's own tests, then the ones that need other programs or networks of their own.

mod strays;
mod summary;

use std::{
    fs,
    io::{self, BufRead, BufReader, IsTerminal},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{go, paths, peers};
use summary::{Summary, Tally};

/// The crate whose tests need more than cargo.
const INTEROP_PACKAGE: &str = "landline-interop";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Unit,
    Interop,
    Netns,
}

/// Runs the named parts, or all, and prints what ran and what did not.
pub(crate) fn run(names: &[&str]) -> Result<(), String> {
    let mut parts = Vec::new();
    for name in names {
        parts.push(match *name {
            "unit" => Part::Unit,
            "interop" => Part::Interop,
            "netns" => Part::Netns,
            other => return Err(format!("unknown part {other}; there are unit, interop and netns")),
        });
    }
    if parts.is_empty() {
        parts = vec![Part::Unit, Part::Interop, Part::Netns];
    }

    let sockets = || strays::sockets(paths::root()).map_err(|error| format!("looking for sockets: {error}"));
    let before = sockets()?;
    let mut summary = Summary::default();
    if parts.contains(&Part::Unit) {
        let mut tests = cargo("test");
        tests.args(["--workspace", "--all-features", "--no-fail-fast", "--exclude", INTEROP_PACKAGE]);
        summary.ran("unit", tally(&mut tests, None)?);
    }
    if parts.contains(&Part::Interop) {
        interop(&mut summary)?;
    }
    if parts.contains(&Part::Netns) {
        netns(&mut summary)?;
    }
    summary.print();
    if let Some(stray) = sockets()?.difference(&before).next() {
        return Err(format!("tests have left a socket behind: {}", stray.display()));
    }
    if summary.is_good() { Ok(()) } else { Err("tests failed".to_owned()) }
}

fn interop(summary: &mut Summary) -> Result<(), String> {
    for missing in peers::provide(peers::INTEROP) {
        summary.skipped("interop", missing);
    }
    let mut tests = cargo("test");
    tests.args(["--package", INTEROP_PACKAGE, "--no-fail-fast", "--lib", "--test", "interop"]);
    tests.env("LANDLINE_PROGRAM", program()?);
    match go_programs() {
        Ok(dir) => {
            tests.env("LANDLINE_GO_PROGRAMS", dir);
        }
        Err(why) => summary.skipped("interop", format!("programs in Go: {why}")),
    }
    ran_with_skips("interop", &mut tests, summary)
}

fn netns(summary: &mut Summary) -> Result<(), String> {
    for missing in peers::provide(peers::NETNS) {
        summary.skipped("netns", missing);
    }
    if let Err(why) = peers::namespaces() {
        summary.skipped("netns", format!("all of it: {why}"));
        return Ok(());
    }
    let mut tests = cargo("test");
    tests.args(["--package", INTEROP_PACKAGE, "--no-fail-fast", "--test", "netns"]);
    tests.env("LANDLINE_PROGRAM", program()?).env("LANDLINE_NETNS", "1");
    ran_with_skips("netns", &mut tests, summary)
}

/// Runs tests that write down what they skip: a test of Rust's harness cannot say so itself.
fn ran_with_skips(part: &'static str, tests: &mut Command, summary: &mut Summary) -> Result<(), String> {
    let skips = paths::target().join(format!("skipped-{part}-{}", std::process::id()));
    let _ = fs::remove_file(&skips);
    let tally = tally(tests, Some(&skips))?;
    summary.ran(part, tally);
    let text = fs::read_to_string(&skips).unwrap_or_default();
    let _ = fs::remove_file(&skips);
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.dedup();
    for line in lines {
        summary.skipped(part, line.to_owned());
    }
    Ok(())
}

/// Cargo as it was called, with the lock file as it stands.
fn cargo(task: &str) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.arg(task).arg("--locked").current_dir(paths::root()).stdin(Stdio::null());
    command.env("PATH", peers::search_path());
    command
}

/// Runs cargo test, passing its output on and counting on the way.
fn tally(tests: &mut Command, skips: Option<&Path>) -> Result<Tally, String> {
    if let Some(skips) = skips {
        tests.env("LANDLINE_SKIPS", skips);
    }
    // One pipe for both streams, or the names of test binaries would come before the results of others.
    let described = |error: io::Error| format!("cargo test: {error}");
    let (output, input) = io::pipe().map_err(described)?;
    if io::stdout().is_terminal() {
        tests.env("CARGO_TERM_COLOR", "always");
    }
    let mut child =
        tests.stdout(input.try_clone().map_err(described)?).stderr(input).spawn().map_err(described)?;
    // The command holds on to the pipe, which must end with the child.
    tests.stdout(Stdio::null()).stderr(Stdio::null());
    let mut tally = Tally::default();
    for line in BufReader::new(output).split(b'\n') {
        let line = line.map_err(described)?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        tally.read(&line);
    }
    let status = child.wait().map_err(described)?;
    tally.succeeded = status.success();
    Ok(tally)
}

/// The program as users build it, which is also what the README's first command builds.
fn program() -> Result<PathBuf, String> {
    // For work on the tests, where another build is at hand.
    if let Some(given) = std::env::var_os("LANDLINE_PROGRAM") {
        return Ok(given.into());
    }
    let built = cargo("build").args(["--release", "--package", "landline-cli"]).status();
    match built {
        Ok(status) if status.success() => Ok(paths::target().join("release/landline")),
        Ok(status) => Err(format!("cargo build of the landline program: {status}")),
        Err(error) => Err(format!("cargo build: {error}")),
    }
}

/// Builds every program in `interop/go` and returns the directory they are in.
fn go_programs() -> Result<PathBuf, String> {
    let module = paths::root().join("interop/go");
    let output = paths::target().join("interop");
    fs::create_dir_all(&output).map_err(|error| format!("{}: {error}", output.display()))?;
    let go = go::toolchain()?;
    eprintln!("building the programs in interop/go with {}", go.version);
    let listing = fs::read_dir(&module).map_err(|error| format!("{}: {error}", module.display()))?;
    for entry in listing.flatten().filter(|entry| entry.path().is_dir()) {
        let name = entry.file_name().to_string_lossy().into_owned();
        go.build(&module, &format!("./{name}"), &output.join(&name))?;
    }
    Ok(output)
}
