//! The programs of other hands that tests converse with, and the tools that make networks for them.

use std::{
    env,
    ffi::OsString,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A program some tests need.
#[derive(Debug, PartialEq)]
pub(crate) struct Peer {
    /// The program.
    pub(crate) program: &'static str,
    /// The Debian package that brings it.
    package: &'static str,
    /// Run to see whether it is whole; none where being there is enough.
    probe: &'static [&'static str],
}

const fn peer(program: &'static str, package: &'static str) -> Peer {
    Peer { program, package, probe: &[] }
}

pub(crate) const NGINX: Peer = peer("nginx", "nginx-light");
pub(crate) const HAPROXY: Peer = peer("haproxy", "haproxy");

/// What the interop tests converse with.
pub(crate) const INTEROP: &[Peer] = &[
    peer("dnsmasq", "dnsmasq-base"),
    peer("unbound", "unbound"),
    peer("named", "bind9"),
    peer("dig", "bind9-dnsutils"),
    NGINX,
    HAPROXY,
    peer("socat", "socat"),
    peer("curl", "curl"),
    peer("wget", "wget"),
    peer("chromium", "chromium"),
    peer("wrk", "wrk"),
    peer("h2load", "nghttp2-client"),
    peer("nghttp", "nghttp2-client"),
    peer("node", "nodejs"),
    peer("squid", "squid"),
    peer("tinyproxy", "tinyproxy-bin"),
    peer("microsocks", "microsocks"),
    peer("danted", "dante-server"),
    // Go comes from PyPI, through a venv.
    Peer { program: "python3", package: "python3-venv", probe: &["-c", "import venv, ensurepip"] },
];

/// What the network namespaces are made and watched with.
pub(crate) const NETNS: &[Peer] = &[
    peer("ip", "iproute2"),
    peer("nft", "nftables"),
    peer("strace", "strace"),
    peer("dnsmasq", "dnsmasq-base"),
];

/// What counts the system calls of the benches.
pub(crate) const COUNTERS: &[Peer] = &[
    // Debian's `perf` is there without the kernel's own tools too, and then only says so.
    Peer { program: "perf", package: "linux-perf", probe: &["--version"] },
    peer("strace", "strace"),
];

impl Peer {
    fn is_here(&self) -> bool {
        let Some(path) = find(self.program) else { return false };
        self.probe.is_empty()
            || Command::new(path)
                .args(self.probe)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
    }
}

/// Installs what is missing of `peers`, as far as this system allows.
///
/// Returns what is missing all the same, each with the reason.
pub(crate) fn provide<'a>(peers: impl IntoIterator<Item = &'a Peer>) -> Vec<String> {
    let missing: Vec<&Peer> = peers.into_iter().filter(|peer| !peer.is_here()).collect();
    if missing.is_empty() {
        return Vec::new();
    }
    let packages: Vec<&str> = missing.iter().map(|peer| peer.package).collect();
    let mut reason = crate::apt::install(&packages).err();
    if reason.is_some() && crate::apt::available().is_ok() {
        // One package that cannot be had must not keep the others away.
        for package in &packages {
            if let Err(why) = crate::apt::install(&[package]) {
                reason = Some(why);
            }
        }
    }
    let reason = reason.unwrap_or_else(|| "its package was installed but does not bring it".to_owned());
    missing
        .iter()
        .filter(|peer| !peer.is_here())
        .map(|peer| format!("{} (package {}): {reason}", peer.program, peer.package))
        .collect()
}

/// The program's file on the search path or where the system keeps its administrator's programs.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    env::split_paths(&search_path()).map(|dir| dir.join(program)).find(|file| is_executable(file))
}

/// PATH, and the directories of servers and network tools that a plain user's PATH leaves out.
pub(crate) fn search_path() -> OsString {
    let mut dirs: Vec<PathBuf> =
        env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default();
    for dir in ["/usr/local/sbin", "/usr/sbin", "/sbin"] {
        if !dirs.iter().any(|known| known == Path::new(dir)) {
            dirs.push(dir.into());
        }
    }
    env::join_paths(dirs).expect("came from a path list")
}

/// Whether this process may do everything; read from the kernel, as `id` does.
pub(crate) fn is_root() -> bool {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| {
            let line = status.lines().find(|line| line.starts_with("Uid:"))?.to_owned();
            line.split_whitespace().nth(2).map(|effective| effective == "0")
        })
        .unwrap_or(false)
}

/// Whether network namespaces can be made here, and if not, why: a container may have root without the right to it.
pub(crate) fn namespaces() -> Result<(), String> {
    if !is_root() {
        return Err("making network namespaces needs root".to_owned());
    }
    let ip = find("ip").ok_or("there is no ip program")?;
    let name = format!("landline-probe-{}", std::process::id());
    let made = Command::new(&ip).args(["netns", "add", &name]).stdin(Stdio::null()).output();
    let made = made.map_err(|error| format!("ip: {error}"))?;
    let refused =
        |text: &[u8]| format!("no network namespaces here: {}", String::from_utf8_lossy(text).trim());
    if !made.status.success() {
        return Err(refused(&made.stderr));
    }
    let entered = Command::new(&ip).args(["netns", "exec", &name, "true"]).stdin(Stdio::null()).output();
    let _ = Command::new(&ip).args(["netns", "del", &name]).stdin(Stdio::null()).status();
    match entered {
        Ok(entered) if entered.status.success() => Ok(()),
        Ok(entered) => Err(refused(&entered.stderr)),
        Err(error) => Err(format!("ip: {error}")),
    }
}

fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
