//! The page that is kept in the repository, `bench/RESULTS.md`.

use std::fmt::Write as _;

use super::{report::Report, table};

pub(crate) fn render(report: &Report) -> String {
    let mut text = String::from("# Results\n\n");
    let _ = writeln!(text, "{}.", report.machine.describe());
    let versions: Vec<&str> = report.versions.values().map(String::as_str).collect();
    let _ = writeln!(text, "{}.\n", versions.join(", "));
    let _ = writeln!(text, "Written by `cargo xtask bench --markdown bench/RESULTS.md`: {}", report.method());
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
            let goal = capitalised(&verdict.goal);
            let _ = writeln!(text, "- {goal}: {}{}", verdict.word(), verdict.aside());
        }
    }
    text
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
