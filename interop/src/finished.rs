//! A program that has run to its end.

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

/// What `timeout` says when it had to end the program.
const OUT_OF_TIME: i32 = 124;

/// How a program ended, and all that it said.
#[derive(Debug)]
pub struct Finished {
    /// The exit status; a signal counts as 128 and its number, as in a shell.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// The same where it is no text.
    pub bytes: Vec<u8>,
    /// What it complained of.
    pub stderr: String,
    /// How long it took, starting it included.
    pub took: Duration,
}

/// Runs a program without input.
///
/// # Panics
///
/// When it cannot be started or does not end within half a minute.
pub fn finish(command: &mut Command) -> Finished {
    finish_with_input(command, b"")
}

/// Runs a program with `input`, which then ends.
///
/// # Panics
///
/// As [`finish`].
pub fn finish_with_input(command: &mut Command, input: &[u8]) -> Finished {
    let mut limited = limited(command);
    let line = format!("{command:?}");
    let began = Instant::now();
    let mut child = limited
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{line}: {error}"));
    let mut stdin = child.stdin.take().expect("piped above");
    let output = thread::scope(|scope| {
        // A program may end without reading its input.
        scope.spawn(move || stdin.write_all(input));
        child.wait_with_output().unwrap_or_else(|error| panic!("{line}: {error}"))
    });
    let took = began.elapsed();
    let finished = Finished {
        code: output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or_default()),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        bytes: output.stdout,
        took,
    };
    assert_ne!(finished.code, OUT_OF_TIME, "{line} did not end: {finished:?}");
    finished
}

impl Finished {
    /// What it printed, provided that it succeeded.
    ///
    /// # Panics
    ///
    /// When it did not.
    #[track_caller]
    pub fn success(&self) -> &str {
        assert_eq!(self.code, 0, "{self:?}");
        &self.stdout
    }

    /// The objects it printed, one a line.
    ///
    /// # Panics
    ///
    /// When a line is not JSON.
    #[track_caller]
    pub fn json(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}: {self:?}"))
            })
            .collect()
    }
}

/// The same command under `timeout`, so that a program that hangs fails its test alone.
fn limited(command: &Command) -> Command {
    let mut limited = Command::new("timeout");
    limited.args(["--kill-after=2", "30"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    if let Some(dir) = command.get_current_dir() {
        limited.current_dir(dir);
    }
    limited
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_output_and_status_are_those_of_the_program() {
        let done = finish_with_input(Command::new("sh").args(["-c", "cat; echo no >&2; exit 3"]), b"yes");
        assert_eq!((done.code, done.stdout.as_str(), done.stderr.as_str()), (3, "yes", "no\n"));
        assert_eq!(finish(Command::new("sh").args(["-c", "kill -KILL $$"])).code, 137);
    }
}
