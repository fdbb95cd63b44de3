//! One page with plots, complete in itself: no script, no font, no picture from elsewhere.

use std::fmt::Write as _;

use super::{
    report::{PeerReport, Report, Series, WorkloadReport},
    table,
    workload::OURS,
};

const STYLE: &str = "
:root { color-scheme: light dark; --text: #1c2024; --dim: #667; --line: #d5d9de; --page: #fff; --ours: #0b6e4f; --peer: #8a94a3; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e4e7ea; --dim: #9aa3ad; --line: #383e45; --page: #15181b; --ours: #4fc497; --peer: #7b8694; }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page); max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: 1rem; }
p, li { max-width: 48rem; } .dim { color: var(--dim); }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } tr.ours td { font-weight: 600; }
figure { margin: 1rem 0; } figcaption { color: var(--dim); }
svg { max-width: 100%; height: auto; } svg text { fill: var(--text); font: 13px system-ui, sans-serif; } svg .dim { fill: var(--dim); }
.met { color: var(--ours); } .missed { color: #c2410c; }
";

/// Where bars begin and how long the longest is, in the units of the picture.
const LEFT: f64 = 90.0;
const LENGTH: f64 = 560.0;
const ROW: f64 = 30.0;

pub(crate) fn render(report: &Report) -> String {
    let mut page = String::from("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n");
    page.push_str("<meta name=\"viewport\" content=\"width=device-width\">\n<title>landline bench</title>\n");
    let _ = writeln!(page, "<style>{STYLE}</style>\n<h1>landline beside its peers</h1>");
    let versions: Vec<&str> = report.versions.values().map(String::as_str).collect();
    let _ = writeln!(
        page,
        "<p>{}.<br>{}.</p>\n<p class=\"dim\">{} interleaved rounds of {} ms, a fresh process for each peer in each \
         round, the order turning. What is measured has one core, what drives it the other. A dot is a round, a bar \
         its median; a ratio is the median of the ratios of the rounds. CPU is the kernel's account of the measured \
         process; system calls are counted in runs of their own.</p>",
        escape(&report.machine.describe()),
        escape(&versions.join(", ")),
        report.rounds,
        report.run_ms
    );
    for workload in &report.workloads {
        section(&mut page, workload);
    }
    page.push_str("</html>\n");
    page
}

fn section(page: &mut String, workload: &WorkloadReport) {
    let _ = writeln!(page, "<h2 id=\"{0}\">{0}</h2>\n<p>{1}</p>", workload.name, escape(workload.title));
    page.push_str("<ul>\n");
    for verdict in &workload.goals {
        let class = if verdict.met == Some(true) { "met" } else { "missed" };
        let value = verdict.value.map_or(String::new(), |value| format!(" ({value:.2})"));
        let goal = escape(&verdict.goal);
        let _ = writeln!(page, "<li>{goal}: <b class=\"{class}\">{}</b>{value}</li>", verdict.word());
    }
    page.push_str("</ul>\n");
    let unit = workload.unit;
    if workload.is_memory {
        plot(page, workload, "bytes of memory per conn; less is better", |peer| &peer.memory);
    } else {
        plot(page, workload, &format!("{unit}s a second; more is better"), |peer| &peer.rate);
        plot(page, workload, &format!("µs of CPU per {unit}; less is better"), |peer| &peer.cpu_us);
    }
    numbers(page, workload);
}

/// Bars of the medians with the rounds as dots on them.
fn plot(
    page: &mut String,
    workload: &WorkloadReport,
    caption: &str,
    series: impl Fn(&PeerReport) -> &Series,
) {
    let drawn: Vec<(&PeerReport, &Series)> = workload
        .peers
        .iter()
        .map(|peer| (peer, series(peer)))
        .filter(|(_, it)| it.summary.is_some())
        .collect();
    let longest = drawn.iter().flat_map(|(_, it)| it.rounds.iter().copied()).fold(0.0, f64::max);
    if longest <= 0.0 {
        return;
    }
    let x = |figure: f64| LEFT + figure / longest * LENGTH;
    let height = ROW * drawn.len() as f64;
    let _ = writeln!(
        page,
        "<figure><figcaption>{}</figcaption>\n<svg viewBox=\"0 0 760 {height}\" width=\"760\" role=\"img\" \
         aria-label=\"{}\">",
        escape(caption),
        escape(caption)
    );
    for (row, (peer, series)) in drawn.iter().enumerate() {
        let Some(summary) = series.summary else { continue };
        let top = row as f64 * ROW;
        let middle = top + ROW / 2.0;
        let colour = if peer.name == OURS { "var(--ours)" } else { "var(--peer)" };
        let median = x(summary.median);
        let _ = writeln!(page, "<text x=\"0\" y=\"{}\">{}</text>", middle + 4.5, escape(peer.name));
        let _ = writeln!(
            page,
            "<rect x=\"{LEFT}\" y=\"{}\" width=\"{:.1}\" height=\"{}\" fill=\"{colour}\" opacity=\".35\"/>\
             <line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{middle}\" y2=\"{middle}\" stroke=\"{colour}\"/>",
            top + 5.0,
            median - LEFT,
            ROW - 10.0,
            x(summary.min),
            x(summary.max),
        );
        for figure in &series.rounds {
            let _ = write!(
                page,
                "<circle cx=\"{:.1}\" cy=\"{middle}\" r=\"2.5\" fill=\"{colour}\"/>",
                x(*figure)
            );
        }
        let figure = if summary.median < 1000.0 {
            format!("{:.2}", summary.median)
        } else {
            table::grouped(summary.median)
        };
        let end = x(summary.max) + 10.0;
        let _ = writeln!(page, "<text class=\"dim\" x=\"{end:.1}\" y=\"{}\">{figure}</text>", middle + 4.5);
    }
    page.push_str("</svg></figure>\n");
}

fn numbers(page: &mut String, workload: &WorkloadReport) {
    page.push_str("<div class=\"wide\"><table>\n<tr>");
    for column in table::columns(workload) {
        let _ = write!(page, "<th>{}</th>", escape(&column));
    }
    page.push_str("</tr>\n");
    for peer in workload.peers.iter().filter(|peer| peer.skipped.is_none()) {
        page.push_str(if peer.name == OURS { "<tr class=\"ours\">" } else { "<tr>" });
        for cell in table::cells(workload, peer) {
            let _ = write!(page, "<td>{}</td>", escape(&cell));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</table></div>\n<ul class=\"dim\">\n");
    for peer in &workload.peers {
        let (name, what) = (escape(peer.name), escape(peer.what));
        let _ = match &peer.skipped {
            Some(why) => writeln!(page, "<li>{name}, {what}: skipped, {}</li>", escape(why)),
            None if peer.calls.names.is_empty() => writeln!(page, "<li>{name}: {what}</li>"),
            None => writeln!(page, "<li>{name}: {what}; calls: {}</li>", escape(&table::names(peer))),
        };
    }
    page.push_str("</ul>\n");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
