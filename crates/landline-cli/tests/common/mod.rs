//! Runs the program as a user would, and never waits for it for ever.
#![allow(dead_code)] // Each test file uses a part.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// Long enough for a busy machine; only a program that hangs takes it.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program with these arguments, and nothing of the surroundings that could change what it prints.
pub(crate) fn landline(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_landline"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in ["COLUMNS", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "LC_ALL", "LC_CTYPE", "LANG"] {
        command.env_remove(name);
    }
    command
}

/// Background jobs of scripts ignore SIGINT, and so would the programs they start. A signal that is handled becomes
/// deadly again in the programs that this one starts (execve(2)).
fn give_back_interrupts() {
    static HANDLED: OnceLock<()> = OnceLock::new();
    HANDLED.get_or_init(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap_or("0");
        if u64::from_str_radix(mask.trim(), 16).unwrap_or(0) & 0b10 != 0 {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let _runtime = runtime.enter();
            // tokio's handler stays for the life of the process.
            drop(tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt()).unwrap());
        }
    });
}

/// Runs it to its end with nothing on stdin.
pub(crate) fn run(arguments: &[&str]) -> Done {
    Running::start(&mut landline(arguments)).end()
}

/// Runs it to its end with this on stdin.
pub(crate) fn run_with(arguments: &[&str], stdin: &[u8]) -> Done {
    let mut running = Running::start(landline(arguments).stdin(Stdio::piped()));
    running.say(stdin);
    running.end()
}

/// How it ended, and what it said.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Done {
    /// Its stdout as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("stdout is text")
    }

    /// Asserts the exit status, showing what was said.
    pub(crate) fn expect(self, code: i32) -> Done {
        assert_eq!(
            self.status.code(),
            Some(code),
            "stdout: {}\nstderr: {}",
            self.stdout.escape_ascii(),
            self.stderr
        );
        self
    }

    /// Asserts that stderr is one line, and gives it.
    pub(crate) fn complaint(&self) -> &str {
        let line = self.stderr.strip_suffix('\n').unwrap_or(&self.stderr);
        assert!(!line.is_empty() && !line.contains('\n'), "not one line: {:?}", self.stderr);
        line
    }
}

/// The program while it runs; killed when dropped.
pub(crate) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Option<BufReader<ChildStdout>>,
    stderr: Option<BufReader<ChildStderr>>,
    /// Kills it when it has not ended in time, so that nothing read from it blocks for ever.
    watchdog: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Running {
        give_back_interrupts();
        let mut child = command.spawn().expect("the program starts");
        let pid = Pid::from_child(&child);
        let (done, over) = mpsc::channel();
        let watchdog = std::thread::spawn(move || {
            if over.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                let _ = kill_process(pid, Signal::KILL);
            }
        });
        Running {
            stdin: child.stdin.take(),
            stdout: child.stdout.take().map(BufReader::new),
            stderr: child.stderr.take().map(BufReader::new),
            child,
            watchdog: Some((done, watchdog)),
        }
    }

    /// Writes to its stdin, which stays open.
    pub(crate) fn say(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("stdin is a pipe, and open");
        // A program that has ended hears nothing, and its status and words say why.
        let _ = stdin.write_all(bytes).and_then(|()| stdin.flush());
    }

    /// Its stdin, to be kept open or written to by somebody else.
    pub(crate) fn take_stdin(&mut self) -> ChildStdin {
        self.stdin.take().expect("stdin is a pipe, and open")
    }

    /// Ends its stdin.
    pub(crate) fn hush(&mut self) {
        self.stdin = None;
    }

    /// Stops reading its stdout.
    pub(crate) fn stop_reading(&mut self) {
        self.stdout = None;
    }

    /// The next line of its stdout, without its end.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.as_mut().expect("stdout is a pipe").read_line(&mut line).expect("stdout is text");
        line.strip_suffix('\n').unwrap_or_else(|| panic!("stdout ended after {line:?}")).to_owned()
    }

    /// The next line of its stderr, without its end.
    pub(crate) fn error_line(&mut self) -> String {
        let mut line = String::new();
        self.stderr.as_mut().expect("stderr is a pipe").read_line(&mut line).expect("stderr is text");
        line.strip_suffix('\n').unwrap_or_else(|| panic!("stderr ended after {line:?}")).to_owned()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it still runs");
    }

    /// Waits for its end, and reads nothing of what it says.
    pub(crate) fn end_unread(mut self) -> ExitStatus {
        self.child.wait().expect("it can be waited for")
    }

    /// Ends its stdin, and waits for its end.
    pub(crate) fn end(mut self) -> Done {
        self.hush();
        let mut stderr = self.stderr.take();
        let errors = std::thread::spawn(move || {
            let mut text = String::new();
            if let Some(stderr) = &mut stderr {
                stderr.read_to_string(&mut text).expect("stderr is text");
            }
            text
        });
        let mut stdout = Vec::new();
        if let Some(out) = &mut self.stdout {
            out.read_to_end(&mut stdout).expect("stdout can be read");
        }
        let stderr = errors.join().expect("the reader of stderr ends");
        let status = self.child.wait().expect("it can be waited for");
        Done { status, stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some((done, watchdog)) = self.watchdog.take() {
            drop(done);
            // It ends at once: the sender is gone.
            let _ = watchdog.join();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
