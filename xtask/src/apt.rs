//! Installing packages on Debian and its kin without starting what they bring.

use std::{
    fs,
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
    process::{Command, Stdio},
};

use crate::peers;

/// Debian's packages ask this program before they start a service.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Tells a file of ours, left behind by a killed run, from the administrator's.
const POLICY_TEXT: &str =
    "#!/bin/sh\n# Written by landline's xtask for the time of one apt-get; safe to remove.\nexit 101\n";

/// Whether packages can be installed here, and if not, why.
pub(crate) fn available() -> Result<(), String> {
    if peers::find("apt-get").is_none() {
        return Err("there is no apt-get on this system".to_owned());
    }
    if !peers::is_root() {
        return Err("installing needs root".to_owned());
    }
    Ok(())
}

/// Installs `packages`; what they bring is not started, and nothing else of the system changes.
pub(crate) fn install(packages: &[&str]) -> Result<(), String> {
    available()?;
    eprintln!("installing {}", packages.join(" "));
    let _policy = Policy::deny_starting()?;
    // The lists of a fresh image are empty or old, but refreshing costs seconds: only when it is needed.
    if apt_get(&["install", "--no-install-recommends"], packages).is_err() {
        apt_get(&["update", "-q"], &[])?;
        apt_get(&["install", "--no-install-recommends"], packages)?;
    }
    Ok(())
}

fn apt_get(options: &[&str], packages: &[&str]) -> Result<(), String> {
    let done = Command::new("apt-get")
        .args(["-y", "-q", "-o", "Dpkg::Use-Pty=0", "-o", "DPkg::Lock::Timeout=120"])
        .args(options)
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("apt-get: {error}"))?;
    if done.status.success() {
        return Ok(());
    }
    let complaints = String::from_utf8_lossy(&done.stderr).into_owned();
    let last = complaints.lines().rfind(|line| line.starts_with("E:")).unwrap_or("no reason given");
    Err(format!("apt-get {} failed: {last}", options[0]))
}

/// Keeps services from being started while it lives.
struct Policy {
    ours: bool,
}

impl Policy {
    fn deny_starting() -> Result<Policy, String> {
        let describe = |error: std::io::Error| format!("{POLICY}: {error}");
        match fs::read_to_string(POLICY) {
            Ok(text) if text == POLICY_TEXT => return Ok(Policy { ours: true }),
            // The administrator decides; containers commonly bring one that says the same as ours.
            Ok(_) => return Ok(Policy { ours: false }),
            Err(_) => {}
        }
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o755)
            .open(Path::new(POLICY))
            .map_err(describe)?;
        let policy = Policy { ours: true };
        file.write_all(POLICY_TEXT.as_bytes()).map_err(describe)?;
        // The umask may have taken the bits that matter.
        file.set_permissions(fs::Permissions::from_mode(0o755)).map_err(describe)?;
        Ok(policy)
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if self.ours {
            let _ = fs::remove_file(POLICY);
        }
    }
}
