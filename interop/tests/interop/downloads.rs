//! `landline get -o` where the disk is full, or the server goes.

use std::fs;
use std::net::SocketAddrV4;
use std::path::Path;
use std::process::Command;

use landline_interop::{Running, finish, free_address, peer, program, skip, until, until_bound};
use tempfile::TempDir;

/// How long the file is that is got, in bytes.
const SIZE: usize = 8_000_000;

fn nginx(nginx: &Path, directory: &Path, address: SocketAddrV4, more: &str) -> Running {
    let (root, config) = (directory.display(), directory.join("conf"));
    let text = format!(
        "daemon off; master_process off; pid {root}/pid; error_log stderr crit; events {{}}
         http {{ access_log off; client_body_temp_path {root}/t; proxy_temp_path {root}/t;
         fastcgi_temp_path {root}/t; uwsgi_temp_path {root}/t; scgi_temp_path {root}/t; root {root};
         server {{ listen {address}; {more} }} }}"
    );
    fs::write(&config, text).unwrap();
    let running = Running::start(Command::new(nginx).args(["-e", "stderr", "-c"]).arg(&config));
    until_bound("tcp", &address.to_string());
    running
}

fn content() -> Vec<u8> {
    (0..SIZE).map(|at| b'a' + (at % 23) as u8).collect()
}

#[test]
fn a_full_disk_is_named() {
    let (Some(program), Some(path)) = (program(), peer("nginx")) else { return };
    let (directory, address) = (TempDir::new().unwrap(), free_address());
    fs::write(directory.path().join("large"), content()).unwrap();
    let _server = nginx(&path, directory.path(), address, "");
    let url = format!("http://{address}/large");
    let done = finish(Command::new(&program).args(["get", &url, "-o", "/dev/full"]));
    assert_eq!((done.code, done.stderr.lines().count()), (1, 1), "{done:?}");
    assert!(done.stderr.contains("/dev/full: No space left on device"), "{done:?}");
    let script = "exec \"$0\" get \"$1\" > /dev/full";
    let done = finish(Command::new("sh").args(["-c", script]).arg(&program).arg(&url));
    assert_eq!((done.code, done.stderr.lines().count()), (1, 1), "{done:?}");
    assert!(done.stderr.contains("No space left on device"), "{done:?}");

    // A disk that is full only after a while; it is gone with the namespace of its mount.
    let disk = directory.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let script = "mount -t tmpfs -o size=1m none \"$2\" || exit 77; \"$0\" get \"$1\" -o \"$2/got\"; \
                  code=$?; wc -c < \"$2/got\"; exit $code";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script]).arg(&program).arg(&url).arg(&disk);
    let done = finish(&mut command);
    if done.code == 77 || done.stderr.starts_with("unshare: ") {
        return skip("downloads to a small disk: mounting one needs root");
    }
    assert_eq!((done.code, done.stderr.lines().count()), (1, 1), "{done:?}");
    assert!(done.stderr.contains("/disk/got: No space left on device"), "{done:?}");
    // What could be kept is, for whoever makes room and resumes.
    assert_eq!(done.stdout.trim(), "1048576", "{done:?}");
}

#[test]
fn a_server_that_goes_is_named_and_what_is_there_is_gone_on_with() {
    let (Some(program), Some(path)) = (program(), peer("nginx")) else { return };
    let (directory, address) = (TempDir::new().unwrap(), free_address());
    fs::write(directory.path().join("large"), content()).unwrap();
    let server = nginx(&path, directory.path(), address, "limit_rate 100k;");
    let (url, got) = (format!("http://{address}/large"), directory.path().join("got"));
    let length = || fs::metadata(&got).map_or(0, |meta| meta.len());
    let get = Running::start(Command::new(&program).args(["get", &url, "-o"]).arg(&got));
    until("the download to begin", || length() > 0);
    drop(server);
    let (status, said) = get.wait();
    assert_eq!((status.code(), said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.contains(&url), "{said}");
    let kept = length();
    assert!(kept > 0 && kept < SIZE as u64, "{kept}");
    let done = finish(Command::new(&program).args(["get", &url, "--resume", "-o"]).arg(&got));
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stderr.contains("connection refused"), "{done:?}");
    assert_eq!(length(), kept);

    let _server = nginx(&path, directory.path(), address, "");
    finish(Command::new(&program).args(["get", &url, "--resume", "-o"]).arg(&got)).success();
    assert!(fs::read(&got).unwrap() == content());
}
