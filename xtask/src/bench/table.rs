//! The table on the terminal.

use std::fmt::Write as _;

use super::{
    report::{PeerReport, WorkloadReport},
    stats::Summary,
};

/// The columns of a workload's table, for the terminal and for Markdown alike.
pub(crate) fn columns(workload: &WorkloadReport) -> Vec<String> {
    let unit = workload.unit;
    let columns: &[&str] = if workload.is_memory {
        &["peer", "bytes/conn", "min", "max", "landline to it", "CPU µs to accept and echo"]
    } else {
        &[
            "peer",
            &format!("{unit}s/s"),
            "min",
            "max",
            "of bare",
            "landline to it",
            &format!("CPU µs/{unit}"),
            "landline to it",
            &format!("calls/{unit}"),
        ]
    };
    columns.iter().map(ToString::to_string).collect()
}

/// The cells of a peer's row.
pub(crate) fn cells(workload: &WorkloadReport, peer: &PeerReport) -> Vec<String> {
    let mut cells = vec![peer.name.to_owned()];
    if workload.is_memory {
        cells.extend(spread(peer.memory.summary));
        cells.push(ratio(peer.landline_to_it.memory));
        cells.push(micros(peer.cpu_us.summary));
    } else {
        cells.extend(spread(peer.rate.summary));
        cells.push(ratio(peer.of_limit.rate));
        cells.push(ratio(peer.landline_to_it.rate));
        cells.push(micros(peer.cpu_us.summary));
        cells.push(ratio(peer.landline_to_it.cpu));
        cells.push(peer.calls.each.map_or("n/a".to_owned(), |each| format!("{each:.2}")));
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
        let value = verdict.value.map_or(String::new(), |value| format!(" ({value:.2})"));
        let _ = writeln!(text, "  {}: {}{value}", verdict.goal, verdict.word());
    }
    text
}

/// 1234567 as 1,234,567.
pub(crate) fn grouped(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn spread(summary: Option<Summary>) -> [String; 3] {
    summary.map_or([(); 3].map(|()| "n/a".to_owned()), |it| [it.median, it.min, it.max].map(grouped))
}

fn ratio(summary: Option<Summary>) -> String {
    summary.map_or("n/a".to_owned(), |it| format!("{:.2}", it.median))
}

fn micros(summary: Option<Summary>) -> String {
    summary.map_or("n/a".to_owned(), |it| format!("{:.2}", it.median))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (figure, text) in [(0.4, "0"), (999.6, "1,000"), (1_234_567.0, "1,234,567"), (12_345.0, "12,345")]
        {
            assert_eq!(grouped(figure), text);
        }
    }
}
