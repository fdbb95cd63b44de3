//! What a test needs from outside, and saying so when it is not there.

use std::env;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The `landline` program under test, as a file.
pub fn program() -> Option<PathBuf> {
    let found = env::var_os("LANDLINE_PROGRAM").map(PathBuf::from);
    if found.is_none() {
        skip("everything: these tests are run by cargo xtask test");
    }
    found
}

/// Whether network namespaces can be made here.
pub fn namespaces() -> bool {
    let can = env::var_os("LANDLINE_NETNS").is_some();
    if !can {
        skip("everything: these tests are run by cargo xtask test, as root");
    }
    can
}

/// The file of a peer program, such as `dnsmasq`.
pub fn peer(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file());
    if found.is_none() {
        skip(&format!("tests with {name}, which is not installed"));
    }
    found
}

/// The file of one of our programs in Go, by the name of its directory in `interop/go`.
pub fn go_program(name: &str) -> Option<PathBuf> {
    let dir = env::var_os("LANDLINE_GO_PROGRAMS");
    if dir.is_none() {
        skip("tests with programs in Go");
    }
    dir.map(|dir| Path::new(&dir).join(name))
}

/// Says what is not tested; cargo xtask test repeats it at the end of the run.
pub fn skip(what: &str) {
    println!("skipped: {what}");
    let Some(list) = env::var_os("LANDLINE_SKIPS") else { return };
    // One write of less than a page: tests in other threads append whole lines too.
    let written = OpenOptions::new()
        .append(true)
        .create(true)
        .open(list)
        .and_then(|mut file| file.write_all(format!("{what}\n").as_bytes()));
    written.expect("LANDLINE_SKIPS can be written to");
}
