//! The servers: this program in another process, and how the tests hold it.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use landline::serve::Signals;
use landline::{Conn, RecvBatch, SendBatch, Server, Serving, UdpBatchConn};
use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{SignalKind, signal};

/// Says what to do: words separated by spaces.
const ROLE: &str = "LANDLINE_TEST_SERVER";

/// Longer than anything here takes on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// What a server is to be.
#[derive(Clone)]
pub(crate) struct Role {
    pub(crate) network: &'static str,
    pub(crate) address: String,
    pub(crate) workers: usize,
    /// Where it is taken over from and taken over, or `-`.
    pub(crate) restart: String,
    /// How long a drain may take, in milliseconds.
    pub(crate) drain: u64,
    pub(crate) task: Task,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    /// Answers every conn, or datagram, with the process ID.
    Answer,
    /// Takes the sockets over, and goes away without serving.
    Leave,
    /// Takes the sockets over, says so, and serves once it is sent SIGUSR1.
    Hesitate,
    /// [`Task::Answer`], and drains on SIGHUP alone.
    HeedHangups,
}

impl Task {
    fn word(self) -> &'static str {
        match self {
            Task::Answer => "answer",
            Task::Leave => "leave",
            Task::Hesitate => "hesitate",
            Task::HeedHangups => "heed-hangups",
        }
    }
}

pub(crate) fn is_wanted() -> bool {
    std::env::var_os(ROLE).is_some()
}

/// Serves as the environment says.
pub(crate) fn run() {
    let role = std::env::var(ROLE).unwrap();
    let [network, address, workers, restart, drain, task] = role.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{role}");
    };
    let drain = Duration::from_millis(drain.parse().unwrap());
    let mut server = Server::new().workers(workers.parse().unwrap());
    if restart != "-" {
        server = server.restart_at(restart, drain);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        if task == "leave" {
            drop(server.bind(network, address).await.unwrap());
            return;
        }
        if task == "hesitate" {
            let mut go_on = signal(SignalKind::user_defined1()).unwrap();
            let bound = server.bind(network, address).await.unwrap();
            println!("bound");
            go_on.recv().await;
            let serving = bound.serve(answer).await.unwrap();
            return serve_to_the_end(serving, drain).await;
        }
        let serving = match network {
            "udp" => server.serve_packets(network, address, answer_packets).await,
            _ => server.serve(network, address, answer).await,
        };
        let serving = match serving {
            Ok(serving) => serving,
            Err(error) => {
                println!("failed {error}");
                return;
            }
        };
        if task == "heed-hangups" {
            let mut signals = Signals::of([SignalKind::hangup()]).unwrap();
            println!("serving {}", serving.local_addr());
            let drained = serving.drain_on(&mut signals, drain).await.unwrap();
            return println!("drained {} {}", drained.finished, drained.cut);
        }
        serve_to_the_end(serving, drain).await;
    });
}

async fn serve_to_the_end(serving: Serving, drain: Duration) {
    let ending = serving.drain_on_signals(drain);
    println!("serving {}", serving.local_addr());
    let drained = ending.await.unwrap();
    println!("drained {} {}", drained.finished, drained.cut);
}

/// Says the process ID for every message, until there are no more.
async fn answer(conn: Conn) -> landline::Result<()> {
    loop {
        let question = conn.read_pooled().await?;
        if question.is_empty() {
            return Ok(());
        }
        conn.write_all(&std::process::id().to_be_bytes()).await?;
        if *question == *b"once" {
            return Ok(());
        }
    }
}

async fn answer_packets(socket: UdpBatchConn) -> landline::Result<()> {
    let mut batch = RecvBatch::new();
    let answer = std::process::id().to_be_bytes();
    loop {
        socket.recv_batch(&mut batch).await?;
        for datagram in batch.datagrams() {
            socket.send_batch(&SendBatch::new(&answer, 4).to(datagram.from)).await?;
        }
    }
}

/// A server's process; killed when dropped.
pub(crate) struct Process {
    child: Child,
    lines: Receiver<String>,
    /// Where it serves.
    pub(crate) address: String,
}

impl Process {
    /// Waits until it serves, having been started.
    pub(crate) fn serves(&mut self) {
        let line = self.line();
        let address = line.strip_prefix("serving ").unwrap_or_else(|| panic!("{line}"));
        self.address = address.to_owned();
    }

    /// Starts a server and waits until it serves.
    pub(crate) fn serve(role: &Role) -> Process {
        Process::serve_by(Command::new(std::env::current_exe().unwrap()), role)
    }

    /// The same, by a command that runs it.
    pub(crate) fn serve_by(command: Command, role: &Role) -> Process {
        let mut process = Process::start(command, role);
        process.serves();
        process
    }

    pub(crate) fn start(mut command: Command, role: &Role) -> Process {
        let Role { network, address, workers, restart, drain, task } = role;
        let task = task.word();
        command.env(ROLE, format!("{network} {address} {workers} {restart} {drain} {task}"));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = lines_of(child.stdout.take().unwrap());
        Process { child, lines, address: String::new() }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line that it prints.
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(LONG).expect("a line")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end that a signal makes, which says nothing.
    pub(crate) fn killed_by(mut self) -> Option<i32> {
        assert!(self.lines.recv_timeout(LONG).is_err(), "there was more");
        self.child.wait().unwrap().signal()
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end; how it ended, and how many conns finished and were cut in its drain.
    pub(crate) fn end(mut self) -> (ExitStatus, [u64; 2]) {
        let line = self.line();
        let drained = line.strip_prefix("drained ").unwrap_or_else(|| panic!("{line}"));
        let (finished, cut) = drained.split_once(' ').unwrap();
        // What was printed last is printed just before the end.
        assert!(self.lines.recv_timeout(LONG).is_err(), "there was more");
        (self.child.wait().unwrap(), [finished.parse().unwrap(), cut.parse().unwrap()])
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process prints, line by line; ends with it.
fn lines_of(output: ChildStdout) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}
