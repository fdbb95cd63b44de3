//! The table on the terminal.

use std::fmt::Write as _;

use super::{
    metric::Metric,
    report::{PeerReport, WorkloadReport},
    workload::LIMIT,
};

/// The columns of a workload's table, for the terminal and for the pages alike.
pub(crate) fn columns(workload: &WorkloadReport) -> Vec<String> {
    let mut columns = vec!["peer".to_owned()];
    for (index, metric) in workload.metrics.iter().enumerate() {
        columns.push(metric.heading(workload.unit));
        if index == 0 {
            columns.extend(["min".to_owned(), "max".to_owned()]);
        }
        if metric.is_compared() {
            columns.extend([format!("of {LIMIT}"), "landline to it".to_owned()]);
        }
    }
    columns
}

/// The cells of a peer's row.
pub(crate) fn cells(workload: &WorkloadReport, peer: &PeerReport) -> Vec<String> {
    let print = |metric: Metric, figure: Option<f64>| {
        figure.map_or_else(|| "n/a".to_owned(), |figure| metric.print(figure))
    };
    let mut cells = vec![peer.name.to_owned()];
    for (index, metric) in workload.metrics.iter().enumerate() {
        cells.push(print(*metric, peer.median(*metric)));
        if index == 0 {
            let summary = peer.summary(*metric);
            cells.push(print(*metric, summary.map(|it| it.min)));
            cells.push(print(*metric, summary.map(|it| it.max)));
        }
        if metric.is_compared() {
            for ratios in [&peer.of_limit, &peer.landline_to_it] {
                let ratio = ratios.get(metric).map(|it| format!("{:.2}", it.median));
                cells.push(ratio.unwrap_or_else(|| "n/a".to_owned()));
            }
        }
    }
    cells
}

/// Calls by name, as one line.
pub(crate) fn names(peer: &PeerReport) -> String {
    let names = peer.calls.names.iter();
    names.map(|(name, each)| format!("{name} {each:.2}")).collect::<Vec<_>>().join(", ")
}

pub(crate) fn render(workload: &WorkloadReport) -> String {
    let mut rows = vec![columns(workload)];
    rows.extend(
        workload.peers.iter().filter(|peer| peer.skipped.is_none()).map(|peer| cells(workload, peer)),
    );
    let widths: Vec<usize> = (0..rows[0].len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = format!("\n{}: {}\n", workload.name, workload.title);
    for row in &rows {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            // Names to the left, figures to the right.
            let _ =
                if column == 0 { write!(text, "  {cell:<width$}") } else { write!(text, "  {cell:>width$}") };
        }
        text.push('\n');
    }
    for peer in &workload.peers {
        if let Some(why) = &peer.skipped {
            let _ = writeln!(text, "  {} skipped: {why}", peer.name);
        } else if !peer.calls.names.is_empty() {
            let _ = writeln!(text, "  {} calls: {}", peer.name, names(peer));
        }
    }
    for verdict in &workload.goals {
        let _ = writeln!(text, "  {}: {}{}", verdict.goal, verdict.word(), verdict.aside());
    }
    text
}
