//! `landline serve` behind proxies: what a request hides in its framing is never answered as another.
//!
//! Each proxy writes `/front` before the path of what it takes for a request, and keeps one conn to the server. So
//! a path without it in the server's log is that of a request which only the server saw; and an answer that belongs to
//! such a request is what the next one gets.
#![allow(clippy::disallowed_methods)] // Plain threads, and no runtime to block.

mod cases;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use landline_interop::{Running, free_address, peer, program, until_bound};
use serde_json::Value;
use tempfile::TempDir;

/// Only what hangs takes so long.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a proxy may wait for the rest of a request until the client gives up. Nothing depends on it.
const GIVING_UP: Duration = Duration::from_millis(300);

/// The server behind, with its log.
struct Behind {
    running: Running,
    address: SocketAddrV4,
    directory: TempDir,
}

impl Behind {
    fn start(program: &Path) -> Behind {
        let (directory, address) = (TempDir::new().unwrap(), free_address());
        fs::create_dir(directory.path().join("front")).unwrap();
        fs::write(directory.path().join("front/probe"), "probed").unwrap();
        let mut command = Command::new(program);
        command.args(["serve", directory.path().to_str().unwrap(), &address.to_string(), "--json"]);
        let running = Running::start(&mut command);
        until_bound("tcp", &address.to_string());
        Behind { running, address, directory }
    }

    /// Has it end. The targets it was asked for.
    fn end(mut self) -> Vec<String> {
        let killed = Command::new("kill").arg(self.running.id().to_string()).status().unwrap();
        assert!(killed.success());
        let target = |line: String| {
            let entry: Value = serde_json::from_str(&line).unwrap();
            entry["target"].as_str().unwrap().to_owned()
        };
        self.running.rest().into_iter().map(target).collect()
    }
}

/// What is answered until the conn ends, or nothing comes for as long as `patience`.
fn answered(address: SocketAddrV4, request: &[u8], patience: Duration) -> String {
    let mut conn = TcpStream::connect(address).unwrap();
    conn.set_read_timeout(Some(patience)).unwrap();
    // It may have been refused already.
    let _ = conn.write_all(request);
    let (mut answer, mut bytes) = (Vec::new(), [0; 4096]);
    loop {
        match conn.read(&mut bytes) {
            Ok(0) => break,
            Ok(count) => answer.extend(&bytes[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// Sends every case to the proxy at `front`, and asks after each for what has an answer of its own.
#[track_caller]
fn try_all(front: SocketAddrV4, behind: Behind) {
    let cases = cases::all();
    let last = "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let probe = "GET /probe HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let mut failed = Vec::new();
    for case in &cases {
        let answer = answered(front, format!("{case}{last}").as_bytes(), GIVING_UP);
        let probed = answered(front, probe.as_bytes(), PATIENCE);
        if !(probed.starts_with("HTTP/1.1 200 ") && probed.ends_with("probed")) {
            failed.push(format!("{case:?}: {answer:?}, then {probed:?}"));
        }
    }
    // What has no proxy before it is seen by whoever looks for it.
    let seen =
        answered(behind.address, b"GET /seen HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", PATIENCE);
    assert!(seen.starts_with("HTTP/1.1 404 "), "{seen:?}");
    let targets = behind.end();
    // `OPTIONS *` has no path: some leave it alone, others put theirs in its place.
    let is_passed_on = |target: &str| target.starts_with("/front/") || ["/front", "*"].contains(&target);
    let smuggled: Vec<&String> = targets.iter().filter(|target| !is_passed_on(target)).collect();
    assert_eq!(smuggled, ["/seen"], "{failed:#?}");
    assert!(failed.is_empty(), "{failed:#?}");
    let probes = targets.iter().filter(|target| *target == "/front/probe").count();
    assert!(probes >= cases.len(), "{probes} of {}", cases.len());
}

fn haproxy(haproxy: &Path, options: &str, behind: &Behind) -> (Running, SocketAddrV4) {
    let (front, file) = (free_address(), behind.directory.path().join("haproxy.cfg"));
    let config = format!(
        "global\n  nbthread 1\n\
         defaults\n  mode http\n  timeout connect 5s\n  timeout client 20s\n  timeout server 20s\n{options}\
         frontend way\n  bind {front}\n  http-request set-path /front%[path]\n  default_backend behind\n\
         backend behind\n  http-reuse always\n  retry-on all-retryable-errors\n  \
         server only {} maxconn 1\n",
        behind.address
    );
    fs::write(&file, config).unwrap();
    let running = Running::start(Command::new(haproxy).arg("-db").arg("-f").arg(&file));
    until_bound("tcp", &front.to_string());
    (running, front)
}

#[test]
fn nothing_is_smuggled_past_haproxy() {
    let (Some(program), Some(path)) = (program(), peer("haproxy")) else { return };
    let behind = Behind::start(&program);
    let (_haproxy, front) = haproxy(&path, "", &behind);
    try_all(front, behind);
}

#[test]
fn nothing_is_smuggled_past_haproxy_that_lets_broken_requests_pass() {
    let (Some(program), Some(path)) = (program(), peer("haproxy")) else { return };
    let behind = Behind::start(&program);
    let (_haproxy, front) = haproxy(&path, "  option accept-invalid-http-request\n", &behind);
    try_all(front, behind);
}

#[test]
fn nothing_is_smuggled_past_nginx() {
    let (Some(program), Some(nginx)) = (program(), peer("nginx")) else { return };
    let (behind, front) = (Behind::start(&program), free_address());
    let root = behind.directory.path().display();
    let config = behind.directory.path().join("nginx.conf");
    let text = format!(
        "daemon off; master_process off; pid {root}/pid; error_log stderr crit; events {{}}\n\
         http {{ access_log off; client_body_temp_path {root}/t; proxy_temp_path {root}/t;\n\
         fastcgi_temp_path {root}/t; uwsgi_temp_path {root}/t; scgi_temp_path {root}/t;\n\
         ignore_invalid_headers off; underscores_in_headers on;\n\
         upstream behind {{ server {address}; keepalive 1; }}\n\
         server {{ listen {front}; location / {{ proxy_pass http://behind/front/; proxy_http_version 1.1;\n\
         proxy_set_header Connection \"\"; proxy_request_buffering off; }} }} }}\n",
        address = behind.address,
    );
    fs::write(&config, text).unwrap();
    let _nginx = Running::start(Command::new(nginx).args(["-e", "stderr", "-c"]).arg(&config));
    until_bound("tcp", &front.to_string());
    try_all(front, behind);
}

#[test]
fn nothing_is_smuggled_past_landline() {
    let Some(program) = program() else { return };
    let (behind, front) = (Behind::start(&program), free_address());
    let backend = format!("http://{}/front", behind.address);
    let mut command = Command::new(&program);
    let _front = Running::start(command.args(["serve", "--proxy", &backend, &front.to_string()]));
    until_bound("tcp", &front.to_string());
    try_all(front, behind);
}
