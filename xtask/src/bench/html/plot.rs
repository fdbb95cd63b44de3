//! Plots, as SVG that stands in the page.

use std::fmt::Write as _;

use super::escape;
use crate::bench::{
    metric::Metric,
    report::{PeerReport, WorkloadReport},
    workload::{LIMIT, OURS},
};

/// Where the scale begins and how long it is, in the units of the picture.
const LEFT: f64 = 118.0;
const LENGTH: f64 = 520.0;
const WIDTH: f64 = 760.0;
const ROW: f64 = 26.0;
/// Room for the scale's numbers.
const FOOT: f64 = 24.0;

/// Bars of the medians with the rounds as dots on them; nothing where nothing was measured.
pub(super) fn bars(workload: &WorkloadReport, metric: Metric) -> Option<String> {
    let caption = metric.caption(workload.unit)?;
    let drawn: Vec<_> = workload
        .peers
        .iter()
        .filter_map(|peer| Some((peer, peer.figures.get(&metric)?, peer.summary(metric)?)))
        .collect();
    let most = drawn.iter().map(|(_, _, summary)| summary.max).fold(0.0, f64::max);
    if most <= 0.0 {
        return None;
    }
    let ticks = ticks(most);
    let end = ticks.last().copied().unwrap_or(most).max(most);
    let x = |figure: f64| LEFT + figure / end * LENGTH;
    let height = ROW * drawn.len() as f64;
    let mut svg = begin(&caption, height + FOOT);
    for tick in ticks {
        scale_line(&mut svg, x(tick), height, &metric.print(tick));
    }
    for (row, (peer, series, summary)) in drawn.iter().enumerate() {
        let top = row as f64 * ROW;
        let middle = top + ROW / 2.0;
        let class = class(peer.name);
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n<rect class=\"{class} bar\" x=\"{LEFT}\" y=\"{}\" \
             width=\"{:.1}\" height=\"{}\"/>",
            LEFT - 8.0,
            middle + 4.5,
            escape(peer.name),
            top + 4.0,
            x(summary.median) - LEFT,
            ROW - 8.0
        );
        for figure in &series.rounds {
            let _ = writeln!(
                svg,
                "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"{middle}\" r=\"2.6\"><title>{}: {}</title></circle>",
                x(*figure),
                escape(peer.name),
                metric.print(*figure)
            );
        }
        let _ = writeln!(
            svg,
            "<text class=\"dim\" x=\"{:.1}\" y=\"{}\">{}</text>",
            x(summary.max) + 8.0,
            middle + 4.5,
            metric.print(summary.median)
        );
    }
    svg.push_str("</svg></figure>\n");
    Some(svg)
}

/// All peers of all workloads as shares of the limit, on a logarithmic scale.
pub(super) fn shares(workloads: &[WorkloadReport], metric: Metric, caption: &str) -> Option<String> {
    let share = |peer: &PeerReport| Some(peer.of_limit.get(&metric)?.median).filter(|it| *it > 0.0);
    let rows: Vec<(&str, Vec<(&str, f64)>)> = workloads
        .iter()
        .map(|workload| {
            let peers = workload.peers.iter().filter(|peer| peer.name != LIMIT);
            (workload.name, peers.filter_map(|peer| Some((peer.name, share(peer)?))).collect())
        })
        .filter(|(_, shares): &(_, Vec<_>)| !shares.is_empty())
        .collect();
    let all = || rows.iter().flat_map(|(_, shares)| shares.iter().map(|(_, share)| *share));
    let (least, most) = (all().fold(1.0, f64::min), all().fold(1.0, f64::max));
    if rows.is_empty() {
        return None;
    }
    // A little beyond both ends.
    let (begin_at, end) = ((least / 1.1).ln(), (most * 1.1).ln());
    let x = |share: f64| LEFT + (share.ln() - begin_at) / (end - begin_at) * LENGTH;
    let height = ROW * rows.len() as f64;
    let mut svg = begin(caption, height + FOOT);
    for mark in MARKS.into_iter().filter(|mark| (least / 1.1..=most * 1.1).contains(mark)) {
        scale_line(&mut svg, x(mark), height, &mark.to_string());
    }
    let _ =
        writeln!(svg, "<line class=\"limit\" x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"0\" y2=\"{height}\"/>", x(1.0));
    for (row, (name, shares)) in rows.iter().enumerate() {
        let middle = row as f64 * ROW + ROW / 2.0;
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\"><a href=\"#{name}\">{name}</a></text>",
            LEFT - 8.0,
            middle + 4.5
        );
        // Ours last, so that it is on top.
        let (ours, others): (Vec<_>, Vec<_>) = shares.iter().copied().partition(|(peer, _)| *peer == OURS);
        for (peer, share) in others.into_iter().chain(ours) {
            let radius = if peer == OURS { 6.0 } else { 4.5 };
            let _ = writeln!(
                svg,
                "<circle class=\"{}\" cx=\"{:.1}\" cy=\"{middle}\" r=\"{radius}\"><title>{}: {share:.2}</title></circle>",
                class(peer),
                x(share),
                escape(peer)
            );
        }
    }
    svg.push_str("</svg></figure>\n");
    Some(svg)
}

/// What a logarithmic scale shows.
const MARKS: [f64; 14] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.8, 1.0, 1.25, 2.0, 5.0, 10.0, 20.0, 50.0];

fn begin(caption: &str, height: f64) -> String {
    format!(
        "<figure><figcaption>{0}</figcaption>\n<svg viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" role=\"img\" \
         aria-label=\"{0}\">\n",
        escape(caption)
    )
}

fn scale_line(svg: &mut String, x: f64, height: f64, text: &str) {
    let _ = writeln!(
        svg,
        "<line class=\"scale\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"0\" y2=\"{height}\"/>\
         <text class=\"dim\" x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{text}</text>",
        height + 17.0
    );
}

/// The style of a peer's marks, the same in all plots.
pub(super) fn class(peer: &str) -> &'static str {
    match peer {
        OURS => "ours",
        LIMIT => "bare",
        "go" => "go",
        "tokio" => "tokio",
        "tokio-mt" => "tokio-mt",
        _ if peer.starts_with(OURS) => "ours-too",
        _ => "other",
    }
}

/// A few round numbers from nought to `most` or the next above it.
fn ticks(most: f64) -> Vec<f64> {
    let rough = most / 5.0;
    let power = 10_f64.powf(rough.log10().floor());
    let step =
        [1.0, 2.0, 2.5, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= rough);
    let step = step.unwrap_or(rough);
    (0..=(most / step).ceil() as usize).map(|count| count as f64 * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_has_round_numbers_and_reaches_the_longest() {
        assert_eq!(ticks(10.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(ticks(180_000.0), [0.0, 50_000.0, 100_000.0, 150_000.0, 200_000.0]);
        for most in [0.003, 4.65, 17.0, 999.0, 1_234_567.0] {
            let ticks = ticks(most);
            assert!(ticks.last().is_some_and(|last| *last >= most), "{most}: {ticks:?}");
            assert!((3..=7).contains(&ticks.len()), "{most}: {ticks:?}");
        }
    }
}
