//! `landline listen` serves clients of other hands.

use std::path::Path;
use std::process::Command;

use landline_interop::{Running, finish, finish_with_input, go_program, peer, program};
use tempfile::TempDir;

/// Starts a listener; the address it printed.
#[track_caller]
fn listen(program: &Path, arguments: &[&str]) -> (Running, String) {
    let mut server = Running::start(Command::new(program).arg("listen").args(arguments));
    let address = server.next_line();
    (server, address)
}

#[test]
fn clients_in_go_are_echoed_on_every_network() {
    let (Some(program), Some(talk)) = (program(), go_program("talk")) else { return };
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    for (network, address) in [
        ("tcp", "127.0.0.1:0".to_owned()),
        ("tcp6", "[::1]:0".to_owned()),
        ("udp", "127.0.0.1:0".to_owned()),
        ("udp6", "[::1]:0".to_owned()),
        ("unix", path("stream")),
        ("unix", "@landline-interop-listen".to_owned()),
        ("unixpacket", path("seqpacket")),
    ] {
        let (_server, address) = listen(&program, &[network, &address, "--echo"]);
        let done = finish_with_input(Command::new(&talk).args([network, &address]), b"hello\n");
        assert_eq!(done.success(), "hello\n", "{network} {address}");
    }
}

#[test]
fn socat_is_echoed_on_every_network() {
    let (Some(program), Some(socat)) = (program(), peer("socat")) else { return };
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    for (network, address, prefix, suffix) in [
        ("tcp", "127.0.0.1:0".to_owned(), "TCP4:", String::new()),
        ("tcp", ":0".to_owned(), "TCP4:localhost:", String::new()),
        ("udp", "127.0.0.1:0".to_owned(), "UDP4:", String::new()),
        ("unix", path("stream"), "UNIX-CONNECT:", String::new()),
        ("unixpacket", path("seqpacket"), "UNIX-CONNECT:", ",type=5".to_owned()),
        ("unixgram", path("datagram"), "UNIX-SENDTO:", format!(",bind={}", path("client"))),
    ] {
        let (_server, address) = listen(&program, &[network, &address, "--echo"]);
        // socat cannot dial [::], which is what we were given for `:0`.
        let address = address.trim_start_matches("[::]:");
        let talk = format!("{prefix}{address}{suffix}");
        let done = finish_with_input(Command::new(&socat).args(["-t", "2", "-", &talk]), b"hello\n");
        assert_eq!(done.success(), "hello\n", "{network} {address}");
    }
}

#[test]
fn a_command_is_run_for_every_conn() {
    let (Some(program), Some(talk)) = (program(), go_program("talk")) else { return };
    let (_server, address) = listen(&program, &["tcp", "127.0.0.1:0", "--exec", "tr a-z A-Z"]);
    for _ in 0..2 {
        let done = finish_with_input(Command::new(&talk).args(["tcp", &address]), b"hello\n");
        assert_eq!(done.success(), "HELLO\n");
    }
}

#[test]
fn once_means_one_conn() {
    let (Some(program), Some(talk)) = (program(), go_program("talk")) else { return };
    let (server, address) = listen(&program, &["tcp", "127.0.0.1:0", "--echo", "--once"]);
    let done = finish_with_input(Command::new(&talk).args(["tcp", &address]), b"hello\n");
    assert_eq!(done.success(), "hello\n");
    let (status, complaints) = server.wait();
    assert!(status.success(), "{complaints}");
    let done = finish(Command::new(&talk).args(["tcp", &address]));
    assert!(done.stderr.contains("connection refused"), "{done:?}");
}

#[test]
fn conns_beyond_the_limit_wait_for_their_turn() {
    let (Some(program), Some(talk)) = (program(), go_program("talk")) else { return };
    let (_server, address) = listen(&program, &["tcp", "127.0.0.1:0", "--echo", "--max-conns", "1"]);
    let mut first = Running::start(Command::new(&program).args(["dial", "tcp", &address]));
    first.say("first\n");
    assert_eq!(first.next_line(), "first");
    // Connected by the kernel and heard, but not yet served.
    let mut second = Running::start(Command::new(&talk).args(["tcp", &address]));
    second.say("second\n");
    second.end_input();
    assert!(second.ended().is_none());
    first.end_input();
    assert_eq!(second.next_line(), "second");
}

#[test]
fn a_conversation_passes_between_the_two_terminals() {
    let (Some(program), Some(socat)) = (program(), peer("socat")) else { return };
    // Without --echo the address is on stderr, as stdout is the peer's.
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("socket").to_string_lossy().into_owned();
    let mut server = Running::start(Command::new(&program).args(["listen", "unix", &path]));
    landline_interop::until_bound("unix", &path);
    let mut client =
        Running::start(Command::new(&socat).args(["-t", "10", "-", &format!("UNIX-CONNECT:{path}")]));
    client.say("ping\n");
    assert_eq!(server.next_line(), "ping");
    server.say("pong\n");
    assert_eq!(client.next_line(), "pong");
    client.end_input();
    server.end_input();
    let (status, complaints) = server.wait();
    assert!(status.success(), "{complaints}");
    assert!(complaints.contains(&path), "the address: {complaints}");
    assert!(!Path::new(&path).exists(), "the socket's file goes with the listener");
}
