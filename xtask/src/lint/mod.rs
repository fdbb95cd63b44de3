//! `cargo xtask lint`: the rules of this tree that clippy does not know.
//!
//! 1. A file that reaches 600 lines is two.
//! 2. `unsafe` stands in `crates/landline/src/sys/` and nowhere else.
//! 3. Inside the core, imports run one way along the flow of a dial.

mod imports;
mod source;

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::paths;

const MOST_LINES: usize = 600;
const CORE: &str = "crates/landline/src";
const UNSAFE_ROOM: &str = "crates/landline/src/sys/";

/// Checks every Rust file of the tree; the error counts the findings, which are printed.
pub(crate) fn run() -> Result<(), String> {
    let mut files = Vec::new();
    rust_files(paths::root(), &mut files)?;
    files.sort();
    let mut findings = Vec::new();
    let mut core = Vec::new();
    for file in &files {
        let name = file.strip_prefix(paths::root()).unwrap_or(file).to_string_lossy().into_owned();
        let text = fs::read_to_string(file).map_err(|error| format!("{name}: {error}"))?;
        findings.extend(check_length(&name, &text));
        let code = source::code(&text);
        findings.extend(check_unsafe(&name, &code));
        if let Some(inner) = name.strip_prefix(CORE) {
            core.push((inner.trim_start_matches('/').to_owned(), code));
        }
    }
    findings.extend(imports::check(&core));
    if findings.is_empty() {
        println!("lint: {} files, nothing found", files.len());
        return Ok(());
    }
    for finding in &findings {
        eprintln!("{finding}");
    }
    Err(format!("lint: {} findings", findings.len()))
}

fn check_length(name: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    (lines >= MOST_LINES).then(|| format!("{name}: {lines} lines; a file that reaches {MOST_LINES} is two"))
}

fn check_unsafe(name: &str, code: &str) -> Option<String> {
    if name.starts_with(UNSAFE_ROOM) {
        return None;
    }
    let (line, _) =
        code.lines().enumerate().find(|(_, line)| source::words(line).any(|word| word == "unsafe"))?;
    Some(format!("{name}:{}: unsafe belongs into {UNSAFE_ROOM}", line + 1))
}

/// All Rust files below `dir`, apart from what is built and what is hidden.
fn rust_files(dir: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let listing = fs::read_dir(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    for entry in listing {
        let path = entry.map_err(|error| format!("{}: {error}", dir.display()))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                rust_files(&path, files)?;
            }
        } else if name.ends_with(".rs") {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_have_599_lines() {
        assert_eq!(check_length("a.rs", &"x\n".repeat(599)), None);
        assert!(check_length("a.rs", &"x\n".repeat(600)).is_some());
    }

    #[test]
    fn unsafe_is_found_as_a_word_and_only_outside_its_room() {
        let code = source::code("// unsafe\n#![deny(unsafe_code)]\nlet s = \"unsafe\";\nunsafe { x() }\n");
        assert_eq!(
            check_unsafe("xtask/src/a.rs", &code).unwrap(),
            "xtask/src/a.rs:4: unsafe belongs into crates/landline/src/sys/"
        );
        assert_eq!(check_unsafe("crates/landline/src/sys/a.rs", &code), None);
    }
}
