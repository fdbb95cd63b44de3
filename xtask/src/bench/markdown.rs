//! The page that is kept in the repository, `bench/RESULTS.md`.

use std::fmt::Write as _;

use super::{report::Report, table};

pub(crate) fn render(report: &Report) -> String {
    let mut text = String::from("# Results\n\n");
    let _ = writeln!(text, "{}.", report.machine.describe());
    let versions: Vec<&str> = report.versions.values().map(String::as_str).collect();
    let _ = writeln!(text, "{}.\n", versions.join(", "));
    let _ = writeln!(
        text,
        "Written by `cargo xtask bench --markdown bench/RESULTS.md`: {} interleaved rounds of {} ms, a fresh process \
         for each peer in each round, the order turning. What is measured has one core, what drives it the other. \
         Figures are medians of the rounds; a ratio is the median of the ratios of the rounds. CPU is the kernel's \
         account of the measured process, user and system; system calls are counted in runs of their own.",
        report.rounds, report.run_ms
    );
    for workload in &report.workloads {
        let _ = writeln!(text, "\n## {}\n\n{}.\n", workload.name, capitalised(workload.title));
        let columns = table::columns(workload);
        let _ = writeln!(text, "| {} |", columns.join(" | "));
        let _ = writeln!(text, "|---|{}", "---:|".repeat(columns.len() - 1));
        for peer in workload.peers.iter().filter(|peer| peer.skipped.is_none()) {
            let _ = writeln!(text, "| {} |", table::cells(workload, peer).join(" | "));
        }
        text.push('\n');
        for peer in &workload.peers {
            let _ = match &peer.skipped {
                Some(why) => writeln!(text, "- {}, {}: skipped, {why}", peer.name, peer.what),
                None if peer.calls.names.is_empty() => writeln!(text, "- {}: {}", peer.name, peer.what),
                None => writeln!(text, "- {}: {}; calls: {}", peer.name, peer.what, table::names(peer)),
            };
        }
        text.push('\n');
        for verdict in &workload.goals {
            let value = verdict.value.map_or(String::new(), |value| format!(" ({value:.2})"));
            let _ = writeln!(text, "- {}: {}{value}", capitalised(&verdict.goal), verdict.word());
        }
    }
    text
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
