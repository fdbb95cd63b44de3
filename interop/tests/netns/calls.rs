//! What the program asks of the kernel, and what it makes of a kernel that refuses.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use landline_interop::{
    Finished, Namespace, Report, Running, finish, finish_with_input, namespaces, peer, program, skip, until,
};
use tempfile::TempDir;

/// A host of its own, and the program under strace there.
struct Traced {
    program: PathBuf,
    strace: PathBuf,
    host: Namespace,
    dir: TempDir,
}

impl Traced {
    fn new() -> Option<Traced> {
        let (Some(program), Some(strace), true) = (program(), peer("strace"), namespaces()) else {
            return None;
        };
        if !Command::new(&strace).args(["-o", "/dev/null", "true"]).status().is_ok_and(|done| done.success())
        {
            skip("tests with strace, which may not trace here");
            return None;
        }
        Some(Traced { program, strace, host: Namespace::new(), dir: TempDir::new().unwrap() })
    }

    /// The program under strace with these options. strace is its child, so that ending the program ends both.
    fn command(&self, options: &[&str], arguments: &[&str]) -> Command {
        let mut command = self.host.command(&self.strace);
        command.args(["-D", "-f", "-qq", "-o"]).arg(self.file()).args(options).arg("--");
        command.arg(&self.program).args(arguments);
        command
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("seen")
    }

    /// The calls seen so far, without the process's number.
    fn seen(&self) -> Vec<String> {
        let text = fs::read_to_string(self.file()).unwrap_or_default();
        let call = |line: &str| line.split_once(' ').map(|(_, call)| call.trim_start().to_owned());
        text.lines().filter_map(call).collect()
    }

    fn echo(&self) -> (Running, String) {
        let mut server =
            Running::start(self.host.command(&self.program).args(["listen", "tcp", "127.0.0.1:0", "--echo"]));
        let address = server.next_line();
        (server, address)
    }
}

/// Makes the nth setsockopt fail.
fn failing(number: usize) -> [String; 2] {
    ["-e".to_owned(), format!("inject=setsockopt:error=EPERM:when={number}")]
}

fn dial(traced: &Traced, number: usize, arguments: &[&str]) -> Finished {
    let [inject, what] = failing(number);
    let line = [&["dial", "--json"], arguments].concat();
    finish(&mut traced.command(&["-e", "trace=setsockopt", &inject, &what], &line))
}

#[test]
fn a_default_that_the_kernel_refuses_is_an_event_and_the_dial_goes_on() {
    let Some(traced) = Traced::new() else { return };
    let (_server, address) = traced.echo();
    for (number, option) in
        (1..).zip(["TCP_NODELAY", "SO_KEEPALIVE", "TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT"])
    {
        let report = Report::of(&dial(&traced, number, &["tcp", &address]));
        assert_eq!((report.code, report.status()), (0, "connected"), "{report:?}");
        let notes: Vec<&str> = report.steps("note").filter_map(|note| note["text"].as_str()).collect();
        assert_eq!(
            notes,
            [format!("the default of {option} could not be set: operation not permitted")],
            "{report:?}"
        );
    }
    let report = Report::of(&dial(&traced, 1, &["udp", &address]));
    assert!(format!("{report:?}").contains("the default of SO_BROADCAST could not be set"), "{report:?}");
}

#[test]
fn an_option_asked_for_that_the_kernel_refuses_is_an_error() {
    let Some(traced) = Traced::new() else { return };
    let (_server, address) = traced.echo();
    for (number, option, arguments) in [
        (2, "SO_KEEPALIVE", ["--keep-alive", "5s,5s,3"]),
        (3, "TCP_KEEPIDLE", ["--keep-alive", "5s,5s,3"]),
        (5, "TCP_KEEPCNT", ["--keep-alive", "5s,5s,3"]),
        (6, "SO_BINDTODEVICE", ["--interface", "lo"]),
    ] {
        let done = dial(&traced, number, &[&arguments[..], &["tcp", &address]].concat());
        let expected = format!("dial tcp {address}: {option}: operation not permitted");
        assert_eq!((done.code, done.stderr.as_str()), (1, format!("landline: {expected}\n").as_str()));
        assert_eq!(Report::of(&done).message(), expected);
    }
}

#[test]
fn a_listener_goes_without_a_default_that_the_kernel_refuses() {
    let Some(traced) = Traced::new() else { return };
    let [inject, what] = failing(1);
    let options = ["-e", "trace=setsockopt", &inject, &what];
    let mut server =
        Running::start(&mut traced.command(&options, &["listen", "tcp", "127.0.0.1:0", "--echo", "--once"]));
    let address = server.next_line();
    let done =
        finish_with_input(traced.host.command(&traced.program).args(["dial", "tcp", &address]), b"hello\n");
    assert_eq!(done.success(), "hello\n");
    let (status, complaints) = server.wait();
    assert!(status.success(), "{complaints}");
    assert!(traced.seen().iter().any(|call| call.contains("(INJECTED)")), "{:?}", traced.seen());
}

/// Accepted sockets inherit what is set on their listener, once.
#[test]
fn accepting_sets_no_options() {
    let Some(traced) = Traced::new() else { return };
    let options = ["-e", "trace=setsockopt,getsockopt,listen,accept4,fcntl,ioctl,getsockname,getpeername"];
    let mut server =
        Running::start(&mut traced.command(&options, &["listen", "tcp", "127.0.0.1:0", "--echo"]));
    let address = server.next_line();
    for _ in 0..10 {
        let done = finish_with_input(
            traced.host.command(&traced.program).args(["dial", "tcp", &address]),
            b"hello\n",
        );
        assert_eq!(done.success(), "hello\n");
    }
    let accepted = || {
        let is_one = |call: &&String| call.starts_with("accept4(") && !call.contains("= -1 ");
        traced.seen().iter().filter(is_one).count()
    };
    until("ten conns to be accepted", || accepted() == 10);
    let seen = traced.seen();
    let listens = seen.iter().position(|call| call.starts_with("listen(")).expect("it listens");
    let (before, after) = seen.split_at(listens + 1);
    for option in ["TCP_NODELAY", "SO_KEEPALIVE", "TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT"] {
        let set = before.iter().filter(|call| call.starts_with("setsockopt(") && call.contains(option));
        assert_eq!(set.count(), 1, "{option}: {before:?}");
    }
    let others: Vec<_> = after.iter().filter(|call| call.contains("sockopt(")).collect();
    assert!(others.is_empty(), "{others:?}");
    // The sockets are close-on-exec and non-blocking from birth, and nobody asked for addresses: for each conn the call
    // that takes it, and one that finds no other.
    let flags = after.iter().filter(|call| call.starts_with("fcntl(") && call.contains("F_SET")).count();
    assert_eq!(flags, 0, "{after:?}");
    let asked = after.iter().filter(|call| call.starts_with("getpeername(")).count();
    assert_eq!(asked, 0, "{after:?}");
    let accepts = after.iter().filter(|call| call.starts_with("accept4(")).count();
    assert!(accepts <= 2 * 10 + 2, "{after:?}");
}

/// The conn stays queued where accept failed, and is served by one of the next tries.
#[test]
fn an_accept_that_fails_is_tried_again() {
    for error in ["ECONNABORTED", "EPROTO", "EPERM", "ENETDOWN", "EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"] {
        let Some(traced) = Traced::new() else { return };
        let inject = format!("inject=accept4:error={error}:when=1..3");
        let options = ["-e", "trace=accept4", "-e", &inject];
        let mut server = Running::start(
            &mut traced.command(&options, &["listen", "tcp", "127.0.0.1:0", "--echo", "--once"]),
        );
        let address = server.next_line();
        let done = finish_with_input(
            traced.host.command(&traced.program).args(["dial", "tcp", &address]),
            b"hello\n",
        );
        assert_eq!(done.success(), "hello\n", "{error}");
        let (status, complaints) = server.wait();
        assert!(status.success(), "{error}: {complaints}");
        let failed = traced.seen().iter().filter(|call| call.contains(error)).count();
        assert_eq!(failed, 3, "{error}: {:?}", traced.seen());
    }
}

/// Resources that stay out are asked for ever more rarely.
#[test]
fn accepts_that_go_on_failing_do_not_spin() {
    for error in ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"] {
        let Some(traced) = Traced::new() else { return };
        let inject = format!("inject=accept4:error={error}");
        let options = ["-e", "trace=accept4", "-e", &inject];
        let mut server =
            Running::start(&mut traced.command(&options, &["listen", "tcp", "127.0.0.1:0", "--echo"]));
        let address = server.next_line();
        let _talk = Running::start(traced.host.command(&traced.program).args(["dial", "tcp", &address]));
        let tries = || traced.seen().iter().filter(|call| call.contains(error)).count();
        until("the first tries", || tries() >= 3);
        // There is no event to wait for: what is shown is that little happens.
        std::thread::sleep(std::time::Duration::from_millis(500));
        assert!(tries() <= 10, "{error}: tried {} times: {:?}", tries(), traced.seen());
        assert!(server.ended().is_none(), "{error}: {}", server.stop());
    }
}

/// Six and one for each option; the sixth, a wait or a question, is `getsockopt` on loopback.
#[test]
fn a_dial_makes_the_calls_it_needs_and_no_other() {
    let Some(traced) = Traced::new() else { return };
    let (_server, address) = traced.echo();
    let options = ["-e", "trace=%network,close,epoll_ctl"];
    let done = finish(&mut traced.command(&options, &["dial", "tcp", &address]));
    assert_eq!(done.code, 0, "{done:?}");
    let seen = traced.seen();
    let socket = seen.iter().position(|call| call.starts_with("socket(AF_INET,")).expect("a socket");
    let (_, number) = seen[socket].rsplit_once("= ").expect("a descriptor");
    let on_it = |call: &&String| {
        let other = call.starts_with("epoll_ctl(") && call.contains(&format!(", {number}, "));
        other || call.contains(&format!("({number}, ")) || call.contains(&format!("({number})"))
    };
    let mut names: Vec<&str> =
        seen[socket..].iter().filter(on_it).filter_map(|call| call.split('(').next()).collect();
    // The conversation: nothing to say, and nothing to hear.
    names.retain(|name| !matches!(*name, "shutdown" | "recvfrom"));
    let mut expected = vec!["setsockopt"; 5];
    expected.extend(["connect", "getsockopt", "epoll_ctl", "epoll_ctl", "close"]);
    // On a busy machine the question may come before the answer; then it takes another.
    if !seen.iter().any(|call| call.contains("TCP_INFO, \"\\1\\")) {
        expected.insert(8, "getsockname");
    }
    assert_eq!(names, expected, "{seen:#?}");
}
