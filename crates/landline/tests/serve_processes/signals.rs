//! Servers that are asked to end.

use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use crate::clients::Client;
use crate::server::{LONG, Process, Role, Task};

fn role(drain: Duration) -> Role {
    let (network, address, restart) = ("tcp", "127.0.0.1:0".to_owned(), "-".to_owned());
    let drain = u64::try_from(drain.as_millis()).unwrap();
    Role { network, address, workers: 2, restart, drain, task: Task::Answer }
}

/// What is started after this has SIGINT as it is by default: it is ignored in what a script runs in the background, and
/// so it would be in what that starts. A signal with a handler is not (execve(2)).
fn heed_interrupts() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // The handler stays for as long as the process runs.
    runtime.block_on(async { drop(signal(SignalKind::interrupt()).unwrap()) });
}

/// Waits until nobody is accepted any more.
fn refuses(server: &Process) {
    let began = Instant::now();
    while Client::connect("tcp", &server.address).and_then(|mut other| other.ask(b"x")).is_ok() {
        assert!(began.elapsed() < LONG, "it still accepts");
    }
}

pub(crate) fn sigterm_and_sigint_drain() {
    heed_interrupts();
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Process::serve(&role(LONG * 100));
        let mut client = Client::connect("tcp", &server.address).unwrap();
        assert_eq!(client.ask(b"x").unwrap(), server.id());
        server.signal(signal);
        // It listens no longer, and serves those that are there.
        refuses(&server);
        assert_eq!(client.ask(b"x").unwrap(), server.id());
        assert!(server.runs());
        drop(client);
        let (status, [_, cut]) = server.end();
        assert!(status.success() && cut == 0, "{status}, {cut} were cut");
    }
}

pub(crate) fn a_second_signal_cuts_the_drain_short() {
    heed_interrupts();
    for second in [Signal::TERM, Signal::INT] {
        let server = Process::serve(&role(LONG * 100));
        let mut client = Client::connect("tcp", &server.address).unwrap();
        assert_eq!(client.ask(b"x").unwrap(), server.id());
        server.signal(Signal::TERM);
        refuses(&server);
        server.signal(second);
        client.end();
        let (status, [_, cut]) = server.end();
        // Those that looked whether it still listens may be among them.
        assert!(status.success() && cut > 0, "{status}, {cut} were cut");
    }
}

pub(crate) fn a_server_drains_on_signals_of_its_choice() {
    let role = Role { task: Task::HeedHangups, ..role(LONG * 100) };
    let server = Process::serve(&role);
    let mut client = Client::connect("tcp", &server.address).unwrap();
    assert_eq!(client.ask(b"x").unwrap(), server.id());
    server.signal(Signal::HUP);
    refuses(&server);
    assert_eq!(client.ask(b"x").unwrap(), server.id());
    server.signal(Signal::HUP);
    client.end();
    let (status, [_, cut]) = server.end();
    assert!(status.success() && cut > 0, "{status}, {cut} were cut");
    // Of others it has not spoken.
    let server = Process::serve(&role);
    server.signal(Signal::TERM);
    assert_eq!(server.killed_by(), Some(Signal::TERM.as_raw()));
}

pub(crate) fn an_ignored_signal_stays_ignored() {
    // As a shell has it for what it runs in the background.
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' INT; exec \"$0\""]).arg(std::env::current_exe().unwrap());
    let server = Process::serve_by(shell, &role(Duration::from_millis(10)));
    let mut client = Client::connect("tcp", &server.address).unwrap();
    server.signal(Signal::INT);
    for _ in 0..50 {
        assert_eq!(client.ask(b"x").unwrap(), server.id());
    }
    let mut later = Client::connect("tcp", &server.address).unwrap();
    assert_eq!(later.ask(b"x").unwrap(), server.id(), "it still accepts");
    server.signal(Signal::TERM);
    let (status, _) = server.end();
    assert!(status.success(), "{status}");
}
