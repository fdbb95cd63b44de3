//! A listener that runs out of descriptors, and one that is given its socket.

use std::fs;
use std::thread;
use std::time::Duration;

use landline_interop::{Namespace, Running, finish_with_input, namespaces, peer, program, until};

const DESCRIPTORS: usize = 20;

#[test]
fn a_listener_without_descriptors_neither_ends_nor_spins() {
    let (Some(program), Some(prlimit), true) = (program(), peer("prlimit"), namespaces()) else { return };
    let host = Namespace::new();
    let mut server = Running::start(
        host.command(prlimit).arg(format!("--nofile={DESCRIPTORS}:{DESCRIPTORS}")).arg(&program).args([
            "listen",
            "tcp",
            "127.0.0.1:8080",
            "--echo",
        ]),
    );
    server.next_line();
    let mut talks: Vec<Running> = (0..DESCRIPTORS + 4)
        .map(|_| Running::start(host.command(&program).args(["dial", "tcp", "127.0.0.1:8080"])))
        .collect();
    for talk in &mut talks {
        talk.say("hello\n");
    }
    until("the descriptors to run out", || descriptors(server.id()) + 1 >= DESCRIPTORS);
    let before = processor_ticks(server.id());
    // There is no event to wait for: what is shown is that nothing happens.
    thread::sleep(Duration::from_millis(500));
    let ticks = processor_ticks(server.id()) - before;
    assert!(ticks < 10, "{ticks} ticks of 10 ms in half a second of waiting");
    assert!(server.ended().is_none());
    // As conns end, those that waited are served, to the last.
    for talk in &mut talks {
        talk.end_input();
    }
    for mut talk in talks {
        assert_eq!(talk.next_line(), "hello");
        let (status, complaints) = talk.wait();
        assert!(status.success(), "{complaints}");
    }
}

#[test]
fn a_listener_takes_the_socket_systemd_gives_it() {
    let (Some(program), Some(activate), true) = (program(), peer("systemd-socket-activate"), namespaces())
    else {
        return;
    };
    let host = Namespace::new();
    let _server = Running::start(
        host.command(activate)
            .args(["--listen=127.0.0.1:8080", "--listen=127.0.0.1:8081", "--fdname=other:web"])
            .arg(&program)
            .args(["listen", "tcp", "systemd:web", "--echo"]),
    );
    // Refused until the listener is there.
    until("an answer", || {
        let done =
            finish_with_input(host.command(&program).args(["dial", "tcp", "127.0.0.1:8081"]), b"hello\n");
        done.code == 0 && done.stdout == "hello\n"
    });
}

fn descriptors(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/fd")).expect("the process runs").count()
}

/// Time a process has had on a processor: fields 14 and 15 of proc_pid_stat(5).
fn processor_ticks(process: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("the process runs");
    let (_, fields) = stat.rsplit_once(") ").expect("a command in brackets");
    fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
}
