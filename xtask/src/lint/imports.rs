//! Imports inside the core run one way, along the flow of a dial, so that the flow can be read off the tree.

use std::collections::HashMap;

use super::{CORE, source};

/// Where each module stands in the flow; one may use its own level and those before it.
///
/// The longest path that fits decides, so `dial/single` can stand before `dial`.
const LEVELS: &[(&str, u32)] = &[
    ("context", 0),
    ("network", 0),
    ("addr", 0),
    ("error", 0),
    ("explain", 0),
    // What a copy tells; errors and events carry it.
    ("copy/copied", 0),
    ("sys", 1),
    ("interface", 2),
    ("fd", 2),
    ("socket", 3),
    ("conn", 4),
    ("copy", 5),
    ("proxy_protocol", 5),
    // Given addresses, these connect; `dial` itself has the name resolved first.
    ("dial/single", 5),
    ("dial/pace", 5),
    ("dial/attempts", 5),
    ("order", 6),
    ("resolve", 6),
    ("dial", 7),
    ("listen", 7),
    ("serve", 8),
    ("axum", 8),
    ("tower", 8),
    ("fuzzing", 9),
];

/// Checks the core's files, each given by its path below `src` and its code.
pub(super) fn check(files: &[(String, String)]) -> Vec<String> {
    let mut exports: HashMap<String, String> =
        files.iter().flat_map(|(path, code)| exports(code, &module(path))).collect();
    // A function may be named like its module, as `dial` is; a path through it means the module.
    for (path, _) in files {
        exports.remove(&module(path));
    }
    let mut findings = Vec::new();
    for (path, code) in files {
        let module = module(path);
        if module.is_empty() {
            continue;
        }
        let Some((own, own_level)) = level(&module) else {
            findings.push(format!("{CORE}/{path}: not in the list of modules in xtask/src/lint/imports.rs"));
            continue;
        };
        for (line, used) in uses(code, &module) {
            let used = origin(&used, &exports);
            if let Some((target, target_level)) = level(&used)
                && target_level > own_level
            {
                findings
                    .push(format!("{CORE}/{path}:{line}: {own} must not use {target}, which comes after it"));
            }
        }
    }
    findings
}

/// The module a file holds, as a path: `dial/single` for `dial/single.rs`, `dial` for `dial/mod.rs`.
fn module(path: &str) -> String {
    let path = path.trim_end_matches(".rs");
    match path {
        "lib" => String::new(),
        _ => path.trim_end_matches("/mod").to_owned(),
    }
}

fn level(module: &str) -> Option<(&'static str, u32)> {
    LEVELS
        .iter()
        .filter(|(name, _)| {
            module.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
        .max_by_key(|(name, _)| name.len())
        .copied()
}

/// What a module re-exports: the path of the name, and the path it stands for.
fn exports(code: &str, module: &str) -> Vec<(String, String)> {
    let inside = |path: &str| if module.is_empty() { path.to_owned() } else { format!("{module}/{path}") };
    let mut exports = Vec::new();
    for statement in code.split(';') {
        // `pub use`, `pub(crate) use`, `pub(super) use`.
        let Some((before, tree)) = statement.split_once("use ") else { continue };
        if !before.trim_end().rsplit('\n').next().is_some_and(|line| line.trim_start().starts_with("pub")) {
            continue;
        }
        for path in flatten(tree.trim_start()) {
            if let Some((from, name)) = path.rsplit_once('/') {
                let from = match from.strip_prefix("crate/") {
                    Some(from) => from.to_owned(),
                    None => inside(from.trim_start_matches("self/")),
                };
                exports.push((inside(name), format!("{from}/{name}")));
            }
        }
    }
    exports
}

/// Follows re-exports to where the thing is.
fn origin(used: &str, exports: &HashMap<String, String>) -> String {
    let mut path = used.to_owned();
    // Re-exports of re-exports are few; a circle would be no program.
    for _ in 0..8 {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        let Some((end, from)) = ends.filter_map(|end| Some((end, exports.get(&path[..end])?))).next() else {
            break;
        };
        path = format!("{from}{}", &path[end..]);
    }
    path
}

/// Every path in the code that begins in this crate, with its line, as a path from the crate's root.
fn uses(code: &str, module: &str) -> Vec<(usize, String)> {
    let mut uses = Vec::new();
    // Tests stand at the end of a file, and may use anything.
    let code = code.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    for (at, _) in code.match_indices("::") {
        let before = &code[..at];
        let start = before.rfind(|c| !source::is_word(c) && c != ':').map_or(0, |found| found + 1);
        let base = match &code[start..at] {
            "crate" => String::new(),
            "super" => ancestor(module, 1),
            "super::super" => ancestor(module, 2),
            _ => continue,
        };
        let tree = &code[at + 2..];
        if tree.starts_with("super::") {
            continue;
        }
        let line = before.matches('\n').count() + 1;
        uses.extend(flatten(tree).into_iter().map(|path| (line, format!("{base}{path}"))));
    }
    uses
}

/// The module so many steps up, ready to be extended.
fn ancestor(module: &str, up: usize) -> String {
    let path: Vec<&str> = module.split('/').collect();
    path[..path.len().saturating_sub(up)].iter().map(|name| format!("{name}/")).collect()
}

/// The paths of a use tree that begins here: `a::{b, c::d}` gives `a/b` and `a/c/d`.
fn flatten(tree: &str) -> Vec<String> {
    let end = tree.find(|c: char| !source::is_word(c) && c != ':').unwrap_or(tree.len());
    let (path, rest) = tree.split_at(end);
    let path = path.trim_end_matches(':').replace("::", "/");
    let Some(group) = rest.strip_prefix('{') else {
        return vec![path];
    };
    let mut paths = Vec::new();
    let (mut depth, mut begin) = (0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                for inner in flatten(group[begin..at].trim()).into_iter().filter(|inner| !inner.is_empty()) {
                    paths.push(if path.is_empty() { inner } else { format!("{path}/{inner}") });
                }
                begin = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(path: &str, code: &str) -> Vec<String> {
        let files = [
            ("lib.rs", "mod dial;\npub use dial::{Dialer, Attempt, dial};\npub use network::Network;\n"),
            ("dial/mod.rs", "pub use dialer::Dialer;\npub(crate) use single::{Attempt, self};\n"),
            (path, code),
        ];
        check(&files.map(|(path, code)| (path.to_owned(), code.to_owned())))
    }

    #[test]
    fn what_comes_before_may_be_used_and_what_comes_after_may_not() {
        assert_eq!(
            check_one("conn/tcp.rs", "use crate::fd::NetFd;\nuse crate::{Network, error::Error};"),
            [""; 0]
        );
        assert_eq!(
            check_one(
                "fd/mod.rs",
                "use std::io;\nuse crate::{\n    error::Error,\n    conn::{tcp::TcpConn},\n};"
            ),
            ["crates/landline/src/fd/mod.rs:2: fd must not use conn, which comes after it"]
        );
    }

    #[test]
    fn a_name_counts_as_the_module_it_comes_from() {
        assert_eq!(
            check_one(
                "resolve/exchange.rs",
                "fn f(d: &crate::Dialer, a: crate::Attempt, b: crate::dial::Attempt) {}"
            ),
            ["crates/landline/src/resolve/exchange.rs:1: resolve must not use dial, which comes after it"]
        );
    }

    #[test]
    fn one_attempt_comes_before_the_dial_that_resolves() {
        assert_eq!(check_one("resolve/exchange.rs", "use crate::dial::single::connect;"), [""; 0]);
        assert_eq!(
            check_one("dial/single.rs", "use super::Dialer;\nuse super::pace::Race;"),
            ["crates/landline/src/dial/single.rs:1: dial/single must not use dial, which comes after it"]
        );
        assert_eq!(
            check_one("dial/single.rs", "use crate::resolve::Resolver;"),
            ["crates/landline/src/dial/single.rs:1: dial/single must not use resolve, which comes after it"]
        );
    }

    #[test]
    fn tests_may_use_anything() {
        assert_eq!(
            check_one("fd/mod.rs", "#[cfg(test)]\nmod tests {\n    use crate::conn::Conn;\n}\n"),
            [""; 0]
        );
    }

    #[test]
    fn a_new_module_has_to_be_given_its_place() {
        assert_eq!(
            check_one("shiny.rs", ""),
            ["crates/landline/src/shiny.rs: not in the list of modules in xtask/src/lint/imports.rs"]
        );
    }
}
