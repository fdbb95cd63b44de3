//! Project tasks that need more than cargo: tests with real peers, interop, benches.

mod apt;
mod bench;
mod deps;
mod go;
mod lint;
mod paths;
mod peers;
mod test;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask TASK

  test [unit|interop|netns]...   run the tests; all of them when none is named
                                 interop: against real servers and clients; netns: in private network namespaces
  lint                           the rules of this tree that clippy does not know
  bench [WORKLOAD]...            each workload beside its peers in one run; `bench --help` names workloads and options
  deps                           licences, refused crates and duplicates among the dependencies (reads deny.toml)
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut words = arguments.iter().map(String::as_str);
    let outcome = match words.next() {
        Some("test") => test::run(&words.collect::<Vec<_>>()),
        Some("lint") => lint::run(),
        Some("bench") => bench::run(&words.collect::<Vec<_>>()),
        Some("deps") => deps::run(),
        Some("help" | "-h" | "--help") => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Some(other) => Err(format!("unknown task {other}\n\n{USAGE}")),
        None => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}
