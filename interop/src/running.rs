//! A program that runs for as long as the test needs it.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long a program may take for a line that is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A program in the background, killed on drop.
#[derive(Debug)]
pub struct Running {
    line: String,
    child: Child,
    stdin: Option<ChildStdin>,
    printed: Receiver<String>,
    complaints: Option<JoinHandle<String>>,
}

impl Running {
    /// Starts a program.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn start(command: &mut Command) -> Running {
        let line = format!("{command:?}");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{line}: {error}"));
        let (sender, printed) = mpsc::channel();
        let output = BufReader::new(child.stdout.take().expect("piped above"));
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut errors = child.stderr.take().expect("piped above");
        let complaints = thread::spawn(move || {
            let mut text = Vec::new();
            let _ = errors.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        Running { line, stdin: child.stdin.take(), child, printed, complaints: Some(complaints) }
    }

    /// The next line it prints.
    ///
    /// # Panics
    ///
    /// When it prints none for 20 s, or ends.
    #[track_caller]
    pub fn next_line(&mut self) -> String {
        match self.printed.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(_) => {
                let complaints = self.stop();
                panic!("{} printed nothing more: {complaints}", self.line)
            }
        }
    }

    /// The next line it prints, or what it complained of if it ends without one.
    ///
    /// # Panics
    ///
    /// When it does neither for 20 s.
    #[track_caller]
    pub fn line_or_complaint(&mut self) -> Result<String, String> {
        match self.printed.recv_timeout(PATIENCE) {
            Ok(line) => Ok(line),
            Err(RecvTimeoutError::Disconnected) => Err(self.stop()),
            Err(RecvTimeoutError::Timeout) => {
                let complaints = self.stop();
                panic!("{} neither prints anything nor ends: {complaints}", self.line)
            }
        }
    }

    /// Every line it prints from now on, once it has ended.
    ///
    /// # Panics
    ///
    /// When it prints nothing for 20 s and does not end.
    #[track_caller]
    pub fn rest(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            match self.printed.recv_timeout(PATIENCE) {
                Ok(line) => lines.push(line),
                Err(RecvTimeoutError::Disconnected) => return lines,
                Err(RecvTimeoutError::Timeout) => {
                    let complaints = self.stop();
                    panic!("{} does not end: {complaints}", self.line);
                }
            }
        }
    }

    /// Writes to its input.
    ///
    /// # Panics
    ///
    /// When the input has ended, or the program has.
    #[track_caller]
    pub fn say(&mut self, text: &str) {
        let input = self.stdin.as_mut().expect("the input has not ended");
        input.write_all(text.as_bytes()).unwrap_or_else(|error| panic!("{}: {error}", self.line));
    }

    /// Ends its input.
    pub fn end_input(&mut self) {
        self.stdin = None;
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended, and how.
    ///
    /// # Panics
    ///
    /// When the system does not say.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap_or_else(|error| panic!("{}: {error}", self.line))
    }

    /// Waits for its end; how it ended, and its complaints.
    ///
    /// # Panics
    ///
    /// When it goes on for 20 s.
    #[track_caller]
    pub fn wait(mut self) -> (ExitStatus, String) {
        self.rest();
        // Its output has ended, so it has too, or is about to.
        let status = self.child.wait().unwrap_or_else(|error| panic!("{}: {error}", self.line));
        (status, self.stop())
    }

    /// Ends it and returns what it complained of.
    pub fn stop(&mut self) -> String {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.complaints.take().map(|reader| reader.join().unwrap_or_default()).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}
