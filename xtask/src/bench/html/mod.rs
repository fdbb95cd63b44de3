//! One page with plots, complete in itself: no script, no font, no picture from elsewhere.

mod plot;

use std::fmt::Write as _;

use super::{
    goal::Verdict,
    metric::Metric,
    report::{Report, WorkloadReport},
    table,
    workload::OURS,
};

const STYLE: &str = "
:root { color-scheme: light dark; --text: #1c2024; --dim: #667; --line: #d5d9de; --page: #fff; --ours: #0b6e4f;
  --ours-too: #6db39a; --bare: #30363d; --tokio: #b45309; --tokio-mt: #d9a05b; --go: #2563a8; --other: #8e5ea8; --missed: #c2410c; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e4e7ea; --dim: #9aa3ad; --line: #383e45; --page: #15181b; --ours: #4fc497; --ours-too: #2f7d60;
    --bare: #c6ccd3; --tokio: #e08a3c; --tokio-mt: #a8713a; --go: #6aa5e3; --other: #b98fd0; --missed: #f97316; }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page); max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: 1rem; }
p, li { max-width: 48rem; } .dim { color: var(--dim); } a { color: inherit; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child, .goals td, .goals th { text-align: left; } tr.landline td { font-weight: 600; }
figure { margin: 1rem 0; } figcaption { color: var(--dim); }
svg { max-width: 100%; height: auto; } svg text { fill: var(--text); font: 13px system-ui, sans-serif; } svg .dim { fill: var(--dim); }
svg .scale { stroke: var(--line); } svg .limit { stroke: var(--bare); stroke-dasharray: 3 3; } svg .bar { opacity: .4; }
.ours { fill: var(--ours); } .ours-too { fill: var(--ours-too); } .bare { fill: var(--bare); } .tokio { fill: var(--tokio); }
.tokio-mt { fill: var(--tokio-mt); } .go { fill: var(--go); } .other { fill: var(--other); }
.legend span { margin-right: 1.2rem; white-space: nowrap; } .legend svg { vertical-align: -1px; margin-right: .3rem; }
.met { color: var(--ours); } .missed { color: var(--missed); }
";

/// What the colours mean, by a peer that has each.
const LEGEND: [(&str, &str); 7] = [
    ("landline", "landline"),
    ("landline-accept", "landline, otherwise used"),
    ("bare", "bare, the limit"),
    ("tokio", "tokio, one thread"),
    ("tokio-mt", "tokio, multi-thread"),
    ("go", "Go"),
    ("haproxy", "others, named where the pointer rests"),
];

pub(crate) fn render(report: &Report) -> String {
    let mut page = String::from("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n");
    page.push_str("<meta name=\"viewport\" content=\"width=device-width\">\n<title>landline bench</title>\n");
    let _ = writeln!(page, "<style>{STYLE}</style>\n<h1>landline beside its peers</h1>");
    let versions: Vec<&str> = report.versions.values().map(String::as_str).collect();
    let _ = writeln!(
        page,
        "<p>{}.<br>{}.</p>\n<p class=\"dim\">{} A dot is a round, a bar its median.</p>",
        escape(&report.machine.describe()),
        escape(&versions.join(", ")),
        escape(&report.method())
    );
    overview(&mut page, report);
    for workload in &report.workloads {
        section(&mut page, workload);
    }
    page.push_str("</html>\n");
    page
}

/// All workloads in two plots and a table of goals.
fn overview(page: &mut String, report: &Report) {
    page.push_str("<p class=\"legend\">");
    for (peer, words) in LEGEND {
        let _ = write!(
            page,
            "<span><svg width=\"11\" height=\"11\"><circle class=\"{}\" cx=\"5.5\" cy=\"5.5\" r=\"5\"/></svg>{words}</span> ",
            plot::class(peer)
        );
    }
    page.push_str("</p>\n");
    for (metric, caption) in [
        (Metric::Rate, "rate as a share of the limit's, logarithmic; right is better"),
        (Metric::Cpu, "CPU as a share of the limit's, logarithmic; left is better"),
    ] {
        page.extend(plot::shares(&report.workloads, metric, caption));
    }
    page.push_str("<div class=\"wide\"><table class=\"goals\">\n<tr><th>workload</th><th>goal</th><th>measured</th></tr>\n");
    for workload in &report.workloads {
        for verdict in &workload.goals {
            let (name, goal) = (workload.name, escape(&verdict.goal));
            let _ = writeln!(
                page,
                "<tr><td><a href=\"#{name}\">{name}</a></td><td>{goal}</td><td>{}</td></tr>",
                judgement(verdict)
            );
        }
    }
    page.push_str("</table></div>\n");
}

fn judgement(verdict: &Verdict) -> String {
    let class = match verdict.met {
        Some(true) => "met",
        Some(false) => "missed",
        None => "dim",
    };
    format!("<b class=\"{class}\">{}</b>{}", verdict.word(), verdict.aside())
}

fn section(page: &mut String, workload: &WorkloadReport) {
    let _ = writeln!(page, "<h2 id=\"{0}\">{0}</h2>\n<p>{1}</p>", workload.name, escape(workload.title));
    page.push_str("<ul>\n");
    for verdict in &workload.goals {
        let _ = writeln!(page, "<li>{}: {}</li>", escape(&verdict.goal), judgement(verdict));
    }
    page.push_str("</ul>\n");
    for metric in workload.metrics {
        page.extend(plot::bars(workload, *metric));
    }
    numbers(page, workload);
}

fn numbers(page: &mut String, workload: &WorkloadReport) {
    page.push_str("<div class=\"wide\"><table>\n<tr>");
    for column in table::columns(workload) {
        let _ = write!(page, "<th>{}</th>", escape(&column));
    }
    page.push_str("</tr>\n");
    for peer in workload.peers.iter().filter(|peer| peer.skipped.is_none()) {
        page.push_str(if peer.name == OURS { "<tr class=\"landline\">" } else { "<tr>" });
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
