//! Errors say what Go's say.

use std::process::Command;

use landline_interop::{Running, finish, go_program, program};
use tempfile::TempDir;

#[test]
fn failed_dials_and_listens_say_what_go_says() {
    let (Some(program), Some(go)) = (program(), go_program("behaviour")) else { return };
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    std::fs::write(path("file"), "").unwrap();
    let mut server = Running::start(Command::new(&program).args(["listen", "tcp", "127.0.0.1:0", "--echo"]));
    let taken = server.next_line();
    let mut differences = Vec::new();
    for (verb, network, address, status) in [
        ("dial", "tcp", "127.0.0.1:1", 1),
        ("dial", "tcp", "[::1]:1", 1),
        ("dial", "tcp4", "[::1]:1", 1),
        ("dial", "tcp6", "127.0.0.1:1", 1),
        ("dial", "tcp", "127.0.0.1", 2),
        ("dial", "tcp", "::1:80", 2),
        ("dial", "tcp", "[::1]", 2),
        ("dial", "tcp", "[::1:80", 2),
        ("dial", "tcp", "127.0.0.1:", 1),
        ("dial", "unix", &path("absent"), 1),
        ("dial", "unix", &path("file"), 1),
        ("dial", "unixgram", &path("absent"), 1),
        ("dial", "unixpacket", &path("absent"), 1),
        ("listen", "tcp", &taken, 1),
        ("listen", "tcp", "192.0.2.1:0", 1),
        ("listen", "tcp", "127.0.0.1", 2),
        ("listen", "unix", &path("file"), 1),
        ("listen", "unix", &path("absent/socket"), 1),
        ("listen", "udp", "192.0.2.1:0", 1),
    ] {
        let said = finish(Command::new(&go).args([verb, network, address])).json().remove(0);
        let said = said["error"].as_str().unwrap_or_else(|| panic!("Go succeeds: {said}"));
        let done = finish(Command::new(&program).args([verb, network, address]));
        let (ours, said) = (done.stderr.as_str(), format!("landline: {said}\n"));
        if (ours, done.code) != (said.as_str(), status) {
            differences.push(format!("{verb} {network} {address}: {} {ours} Go: {said}", done.code));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
