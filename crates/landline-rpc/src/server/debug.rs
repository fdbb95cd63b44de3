//! The page about the services.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use super::registry::Registry;

/// What can be called, with what, and how often it was.
pub(super) fn page<C>(registry: &Registry<C>) -> String {
    let mut page = String::from(
        "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>Services</title></head><body>\n",
    );
    for (service, methods) in registry.by_service() {
        let _ = writeln!(page, "<h2>Service {}</h2>\n<table>", Escaped(service));
        page.push_str("<tr><th>Method</th><th>Calls</th></tr>\n");
        for (name, entry) in methods {
            let calls = entry.calls.load(Ordering::Relaxed);
            let (name, args, reply) = (Escaped(name), Escaped(entry.args), Escaped(entry.reply));
            let _ = writeln!(page, "<tr><td>{name}({args}) {reply}</td><td>{calls}</td></tr>");
        }
        page.push_str("</table>\n");
    }
    page.push_str("</body></html>\n");
    page
}

/// Text with what HTML has a meaning for taken out.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.chars().try_for_each(|char| match char {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            other => f.write_char(other),
        })
    }
}
