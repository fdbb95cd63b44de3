//! Processes on a core of their own, that end when we are done with them.

use std::{
    ffi::OsStr,
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddrV4,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open},
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
};

/// Which of the two cores a process runs on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Core {
    /// What is measured.
    Measured,
    /// What drives it.
    Driving,
    /// Wherever the kernel puts it.
    Any,
}

/// A running process, killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
}

/// A process that has said where it listens.
#[derive(Debug)]
pub(crate) struct Server {
    process: Process,
    pub(crate) address: String,
    /// Kept so that a server that says more is not killed by SIGPIPE.
    _said: Option<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts `command` on a core, its output piped.
    pub(crate) fn start(mut command: Command, core: Core) -> Result<Self, String> {
        let name = name_of(&command);
        command.stdout(Stdio::piped());
        let child = on_core(core, || command.spawn()).and_then(|child| child.map_err(|e| e.to_string()));
        Ok(Self { child: child.map_err(|error| format!("{name}: {error}"))?, name })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end and returns what it printed; an end in failure, or none in time, is an error.
    pub(crate) fn finish(mut self, within: Duration) -> Result<String, String> {
        self.wait(within)?;
        let mut output = String::new();
        if let Some(mut stdout) = self.child.stdout.take() {
            stdout.read_to_string(&mut output).map_err(|error| format!("{}: {error}", self.name))?;
        }
        let status = self.child.wait().map_err(|error| format!("{}: {error}", self.name))?;
        if !status.success() {
            return Err(format!("{}: {status}", self.name));
        }
        Ok(output)
    }

    /// Asks it to end, as Ctrl-C would, and waits until it has.
    pub(crate) fn interrupt(&mut self, within: Duration) -> Result<(), String> {
        kill_process(self.rustix_pid(), Signal::INT).map_err(|error| format!("{}: {error}", self.name))?;
        self.wait(within)?;
        self.child.wait().map(drop).map_err(|error| format!("{}: {error}", self.name))
    }

    /// Our programs print a line at their end, which a pipe holds, so nobody needs to read meanwhile.
    fn wait(&self, within: Duration) -> Result<(), String> {
        let describe = |error: rustix::io::Errno| format!("{}: {error}", self.name);
        let pidfd = pidfd_open(self.rustix_pid(), PidfdFlags::empty()).map_err(describe)?;
        let patience = Timespec { tv_sec: within.as_secs() as i64, tv_nsec: within.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&patience)).map_err(describe)? {
            0 => Err(format!("{}: still running after {within:?}", self.name)),
            _ => Ok(()),
        }
    }

    fn rustix_pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only for one that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts a server and waits until it listens.
    pub(crate) fn start(mut command: Command, core: Core) -> Result<Self, String> {
        command.stdin(Stdio::null());
        let mut process = Process::start(command, core)?;
        let stdout = process.child.stdout.take().expect("its output was piped");
        let mut said = BufReader::new(stdout);
        let mut line = String::new();
        said.read_line(&mut line).map_err(|error| format!("{}: {error}", process.name))?;
        match line.trim().strip_prefix("listening ") {
            Some(address) => Ok(Self { address: address.to_owned(), process, _said: Some(said) }),
            None => Err(format!("{} does not listen: {line:?}", process.name)),
        }
    }

    /// Starts a server that does not say when it listens at `address`, and waits until it does.
    pub(crate) fn start_at(mut command: Command, core: Core, address: SocketAddrV4) -> Result<Self, String> {
        command.stdin(Stdio::null());
        let mut process = Process::start(command, core)?;
        for _ in 0..ATTEMPTS {
            if listens(address) {
                return Ok(Self { process, address: address.to_string(), _said: None });
            }
            if let Ok(Some(status)) = process.child.try_wait() {
                return Err(format!("{}: {status}", process.name));
            }
            thread::sleep(PAUSE);
        }
        Err(format!("{} does not listen at {address}", process.name))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }
}

/// How often and how far apart a server is asked whether it listens that does not say so itself.
const ATTEMPTS: u32 = 1000;
const PAUSE: Duration = Duration::from_millis(5);

/// Whether a socket listens at `address`, without a conn to it, which a forwarder would forward.
fn listens(address: SocketAddrV4) -> bool {
    std::fs::read_to_string("/proc/net/tcp").is_ok_and(|table| has_listener(&table, address))
}

/// Looks for a listener in a table of sockets as proc(5) has it: number, local and remote address in hexadecimal, the
/// bytes of IP addresses in the machine's order, and a state, of which 0A is listening.
fn has_listener(table: &str, address: SocketAddrV4) -> bool {
    let ip = u32::from_ne_bytes(address.ip().octets());
    let local = format!("{ip:08X}:{:04X}", address.port());
    table.lines().skip(1).any(|line| {
        let mut words = line.split_whitespace().skip(1);
        words.next() == Some(&local) && words.nth(1) == Some("0A")
    })
}

/// The command as one would type it where it lies.
fn name_of(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// A file for a tool to write into, empty.
pub(crate) fn scratch(name: &str) -> Result<PathBuf, String> {
    let dir = crate::paths::target().join("tools");
    let file = dir.join(format!("{name}-{}.txt", std::process::id()));
    std::fs::create_dir_all(&dir)
        .and_then(|()| File::create(&file))
        .map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(file)
}

/// Runs `start` with this thread on the core, which what it starts inherits.
fn on_core<T>(core: Core, start: impl FnOnce() -> T) -> Result<T, String> {
    let allowed = sched_getaffinity(None).map_err(|error| format!("sched_getaffinity: {error}"))?;
    let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
    let index = match core {
        Core::Measured => cores.next(),
        Core::Driving => cores.next_back(),
        Core::Any => return Ok(start()),
    };
    let mut only = CpuSet::new();
    only.set(index.ok_or("this process may run on no core")?);
    sched_setaffinity(None, &only).map_err(|error| format!("sched_setaffinity: {error}"))?;
    let started = start();
    sched_setaffinity(None, &allowed).map_err(|error| format!("sched_setaffinity: {error}"))?;
    Ok(started)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_process_runs_on_one_core_and_we_on_ours() {
        let before = sched_getaffinity(None).unwrap();
        let script = "grep Cpus_allowed_list /proc/self/status";
        let process = Process::start(shell(script), Core::Driving).unwrap();
        let line = process.finish(Duration::from_secs(30)).unwrap();
        let list = line.split_whitespace().nth(1).unwrap();
        assert!(list.parse::<u32>().is_ok(), "{list}");
        assert_eq!(sched_getaffinity(None).unwrap(), before);
    }

    #[test]
    fn failure_and_lateness_are_errors() {
        let failed = Process::start(shell("exit 3"), Core::Measured).unwrap();
        assert!(failed.finish(Duration::from_secs(30)).unwrap_err().contains("exit status: 3"));
        let late = Process::start(shell("exec sleep 30"), Core::Measured).unwrap();
        assert!(late.finish(Duration::from_millis(10)).unwrap_err().contains("still running"));
    }

    #[test]
    fn a_server_that_does_not_listen_is_refused() {
        let why = Server::start(shell("echo hello"), Core::Measured).unwrap_err();
        assert!(why.contains("does not listen: \"hello\\n\""), "{why}");
        let server = Server::start(shell("echo listening here; exec sleep 30"), Core::Measured).unwrap();
        assert_eq!(server.address, "here");
    }

    #[test]
    fn a_listener_is_found_in_the_kernels_table() {
        let row =
            "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 5";
        let established = row.replace(" 0A ", " 01 ");
        let address = SocketAddrV4::new([127, 0, 0, 1].into(), 8080);
        let there =
            |row: &str, address| has_listener(&format!("  sl  local_address rem_address\n{row}\n"), address);
        assert!(there(row, address));
        assert!(!there(&established, address));
        assert!(!there(row, SocketAddrV4::new([127, 0, 0, 1].into(), 8081)));
    }

    #[test]
    fn a_server_that_says_nothing_is_found_to_listen_or_to_have_ended() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let std::net::SocketAddr::V4(address) = listener.local_addr().unwrap() else { unreachable!() };
        let server = Server::start_at(shell("exec sleep 30"), Core::Any, address).unwrap();
        assert_eq!(server.address, address.to_string());
        drop(listener);
        let why = Server::start_at(shell("exit 3"), Core::Any, address).unwrap_err();
        assert!(why.contains("exit status: 3"), "{why}");
    }
}
