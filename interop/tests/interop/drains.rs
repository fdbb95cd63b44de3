//! `landline serve` is asked to end while curl is at it.
#![allow(clippy::disallowed_methods)] // Plain threads, and no runtime to block.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::net::{SocketAddrV4, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use landline_interop::{Running, free_address, peer, program, until, until_bound};
use tempfile::TempDir;
use tokio::time::Instant;

/// A download under way.
struct Download {
    server: Running,
    address: SocketAddrV4,
    curl: Running,
    output: PathBuf,
    _directory: TempDir,
}

impl Download {
    /// Of `size` bytes, of which no more than `rate` are taken in a second.
    fn begin(
        program: &Path,
        curl: &Path,
        options: &[&str],
        protocol: &str,
        size: u64,
        rate: &str,
    ) -> Download {
        let (directory, address) = (TempDir::new().unwrap(), free_address());
        // A hole: nothing is written to the disk.
        File::create(directory.path().join("large")).unwrap().set_len(size).unwrap();
        let output = directory.path().join("got");
        let mut command = Command::new(program);
        command.args(["serve", directory.path().to_str().unwrap(), &address.to_string()]).args(options);
        let server = Running::start(&mut command);
        until_bound("tcp", &address.to_string());
        // Conns are taken a moment before; it says where it serves only after, but on stderr.
        until("it to listen for SIGTERM", || catches_sigterm(server.id()));
        let mut command = Command::new(curl);
        command.args(["-sS", "--noproxy", "*", protocol, "--limit-rate", rate, "-o"]).arg(&output);
        let curl = Running::start(command.arg(format!("http://{address}/large")));
        let length = || fs::metadata(&output).map_or(0, |meta| meta.len());
        until("the download to begin", || length() > 0);
        Download { server, address, curl, output, _directory: directory }
    }

    fn ask_to_end(&self) {
        assert!(Command::new("kill").arg(self.server.id().to_string()).status().unwrap().success());
    }
}

/// Whether a process has a handler for it (proc_pid_status(5)).
fn catches_sigterm(id: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 << (15 - 1) != 0)
}

#[test]
fn a_download_is_finished_and_nobody_else_is_let_in() {
    let (Some(program), Some(curl)) = (program(), peer("curl")) else { return };
    // More than the buffers of both sockets hold, so that the server is needed to the end.
    let size = 48_000_000;
    for protocol in ["--http1.1", "--http2-prior-knowledge"] {
        let download = Download::begin(&program, &curl, &["--drain", "1m"], protocol, size, "16M");
        download.ask_to_end();
        let refused = || {
            TcpStream::connect(download.address).is_err_and(|it| it.kind() == ErrorKind::ConnectionRefused)
        };
        until("others to be refused", refused);
        let (curl, said) = download.curl.wait();
        assert!(curl.success(), "{protocol}: {said}");
        assert_eq!(fs::metadata(&download.output).unwrap().len(), size, "{protocol}");
        let (status, said) = download.server.wait();
        assert_eq!(status.code(), Some(0), "{protocol}: {said}");
    }
}

#[test]
fn a_download_that_takes_too_long_is_cut() {
    let (Some(program), Some(curl)) = (program(), peer("curl")) else { return };
    for protocol in ["--http1.1", "--http2-prior-knowledge"] {
        let drain = Duration::from_secs(1);
        // It would take a quarter of an hour.
        let download = Download::begin(&program, &curl, &["--drain", "1s"], protocol, 1_000_000_000, "1M");
        let began = Instant::now();
        download.ask_to_end();
        let (status, said) = download.server.wait();
        let took = began.elapsed();
        assert_eq!(status.code(), Some(0), "{protocol}: {said}");
        assert!(took >= drain && took < drain + Duration::from_secs(15), "{protocol}: {took:?}");
        // What it was sent before, it may take its time for.
        drop(download.curl);
        assert!(fs::metadata(&download.output).unwrap().len() < 1_000_000_000, "{protocol}");
    }
}
