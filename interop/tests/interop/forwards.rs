//! `landline forward` between programs of other hands, which learn from it who comes, and tell it.
#![allow(clippy::disallowed_methods)] // Plain threads, and no runtime to block.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use landline_interop::{Running, finish_with_input, free_address, peer, program, until_bound};
use tempfile::TempDir;

/// Only what hangs takes so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts a forwarder; the address it listens at.
#[track_caller]
fn forward(program: &Path, arguments: &[&str]) -> (Running, String) {
    let mut running = Running::start(Command::new(program).arg("forward").args(arguments));
    let line = running.next_line();
    let address = line.strip_prefix("listening on ").unwrap_or_else(|| panic!("{line:?}"));
    let address = address.to_owned();
    (running, address)
}

/// Asks the HTTP server at `address`. Returns its answer, and the address asked from.
#[track_caller]
fn ask(address: &str) -> (String, String) {
    let mut conn = TcpStream::connect(address).unwrap();
    conn.set_read_timeout(Some(PATIENCE)).unwrap();
    let from = conn.local_addr().unwrap().to_string();
    conn.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    conn.read_to_string(&mut answer).unwrap();
    (answer, from)
}

fn haproxy(program: &Path, dir: &TempDir, config: &str) -> Running {
    let file = dir.path().join("haproxy.cfg");
    let text =
        format!("defaults\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n{config}");
    fs::write(&file, text).unwrap();
    Running::start(Command::new(program).arg("-db").arg("-f").arg(&file))
}

#[test]
fn haproxy_learns_from_either_version_who_comes() {
    let (Some(program), Some(haproxy_program)) = (program(), peer("haproxy")) else { return };
    let (dir, backend) = (TempDir::new().unwrap(), free_address());
    let config = format!(
        "frontend who\n  mode http\n  bind {backend} accept-proxy\n  \
         http-request return status 200 content-type text/plain lf-string \"%[src]:%[src_port]\"\n"
    );
    let _server = haproxy(&haproxy_program, &dir, &config);
    until_bound("tcp", &backend.to_string());
    for version in ["v1", "v2"] {
        let target = backend.to_string();
        let (_forward, address) =
            forward(&program, &["tcp", "127.0.0.1:0", "tcp", &target, "--proxy-out", version]);
        let (answer, from) = ask(&address);
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(&from), "{version} {from}: {answer}");
    }
}

#[test]
fn nginx_learns_from_either_version_who_comes() {
    let (Some(program), Some(nginx)) = (program(), peer("nginx")) else { return };
    let (dir, backend) = (TempDir::new().unwrap(), free_address());
    let root = dir.path().display();
    let config = dir.path().join("nginx.conf");
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!("{name}_temp_path {root}/{name}; "))
        .collect();
    let text = format!(
        "daemon off; master_process off; pid {root}/pid; error_log {root}/errors crit;\nevents {{}}\n\
         http {{ access_log off; {temporary}\n  server {{ listen {backend} proxy_protocol;\n    \
         location / {{ return 200 $proxy_protocol_addr:$proxy_protocol_port; }} }} }}\n"
    );
    fs::write(&config, text).unwrap();
    let mut command = Command::new(nginx);
    command.arg("-e").arg(dir.path().join("errors")).arg("-p").arg(dir.path()).arg("-c").arg(&config);
    let _server = Running::start(&mut command);
    until_bound("tcp", &backend.to_string());
    for version in ["v1", "v2"] {
        let target = backend.to_string();
        let (_forward, address) =
            forward(&program, &["tcp", "127.0.0.1:0", "tcp", &target, "--proxy-out", version]);
        let (answer, from) = ask(&address);
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(&from), "{version} {from}: {answer}");
    }
}

#[test]
fn what_haproxy_says_of_who_comes_is_passed_on() {
    let (Some(program), Some(haproxy_program)) = (program(), peer("haproxy")) else { return };
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = server.local_addr().unwrap().to_string();
    let arguments = ["tcp", "127.0.0.1:0", "tcp", &target, "--proxy-in", "--proxy-out", "v1"];
    let (_forward, address) = forward(&program, &arguments);
    for send in ["send-proxy", "send-proxy-v2"] {
        let (dir, front) = (TempDir::new().unwrap(), free_address());
        let config = format!("listen way\n  mode tcp\n  bind {front}\n  server next {address} {send}\n");
        let _haproxy = haproxy(&haproxy_program, &dir, &config);
        until_bound("tcp", &front.to_string());
        let mut client = TcpStream::connect(front).unwrap();
        client.write_all(b"hello").unwrap();
        // Whoever looked whether it was bound may have come first, and said nothing.
        let heard = loop {
            let (mut conn, _) = server.accept().unwrap();
            conn.set_read_timeout(Some(PATIENCE)).unwrap();
            let from = format!(" {} ", client.local_addr().unwrap().port());
            let mut heard = Vec::new();
            while !heard.ends_with(b"hello") {
                let mut bytes = [0; 256];
                match conn.read(&mut bytes).unwrap() {
                    0 => break,
                    count => heard.extend(&bytes[..count]),
                }
            }
            let heard = String::from_utf8(heard).unwrap();
            if heard.contains(&from) {
                break heard;
            }
        };
        let from = client.local_addr().unwrap().port();
        let line = format!("PROXY TCP4 127.0.0.1 127.0.0.1 {from} {}\r\nhello", front.port());
        assert_eq!(heard, line, "{send}");
    }
}

#[test]
fn socat_is_reached_over_every_kind_of_socket() {
    let (Some(program), Some(socat)) = (program(), peer("socat")) else { return };
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    for (from, at, to, serve) in [
        ("tcp", "127.0.0.1:0".to_owned(), "tcp", "TCP4-LISTEN"),
        ("tcp", "127.0.0.1:0".to_owned(), "unix", "UNIX-LISTEN"),
        ("unix", path("outer"), "tcp", "TCP4-LISTEN"),
        ("udp", "127.0.0.1:0".to_owned(), "udp", "UDP4-LISTEN"),
    ] {
        let backend = if to == "unix" { path("inner") } else { free_address().to_string() };
        let listens = match to {
            "unix" => format!("{serve}:{backend},fork"),
            _ => format!("{serve}:{},bind=127.0.0.1,fork", backend.rsplit(':').next().unwrap()),
        };
        // Its children end with their conns, or when no more datagrams come.
        let _server = Running::start(Command::new(&socat).args(["-T", "3", &listens, "PIPE"]));
        until_bound(to, &backend);
        let (_forward, address) = forward(&program, &[from, &at, to, &backend]);
        let talk = match from {
            "unix" => format!("UNIX-CONNECT:{address}"),
            "udp" => format!("UDP4:{address}"),
            _ => format!("TCP4:{address}"),
        };
        let done = finish_with_input(Command::new(&socat).args(["-t", "2", "-", &talk]), b"hello\n");
        assert_eq!(done.success(), "hello\n", "{from} to {to}");
    }
}
