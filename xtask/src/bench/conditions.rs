//! What a run asks of the machine so that its figures are its own.

use std::{env, fs, os::unix::process::CommandExt as _, process::Command};

use rustix::process::{Resource, Rlimit, getrlimit, setpriority_process, setrlimit};

use crate::peers;

/// Set in the process that runs in a network namespace of its own.
const INSIDE: &str = "LANDLINE_BENCH_INSIDE";

const CONGESTION_CONTROL: &str = "/proc/sys/net/ipv4/tcp_congestion_control";

/// Goes on in a network namespace of its own, if this process may make one.
///
/// There nobody else's conns take ports, no packet filter looks on, and TCP does without pacing: BBR, which a machine may
/// have by default, spreads what it sends over time, even on loopback, and then a timer is the limit. Returns where this
/// run is, as it is written beside the figures.
pub(crate) fn enter_own_network(words: &[&str]) -> Result<String, String> {
    if env::var_os(INSIDE).is_some() {
        prepare_network()?;
        return Ok(format!("a network namespace of its own with TCP {}", congestion_control()));
    }
    let here = |why: &str| format!("the machine's own network with TCP {} ({why})", congestion_control());
    if let Err(why) = peers::namespaces() {
        return Ok(here(&why));
    }
    let Some(unshare) = peers::find("unshare") else { return Ok(here("there is no program unshare")) };
    let own = env::current_exe().map_err(|error| format!("the path of this program: {error}"))?;
    let error = Command::new(unshare).arg("--net").arg(own).arg("bench").args(words).env(INSIDE, "1").exec();
    Err(format!("unshare: {error}"))
}

fn prepare_network() -> Result<(), String> {
    let ip = peers::find("ip").ok_or("there is no program ip")?;
    let up = Command::new(ip).args(["link", "set", "lo", "up"]).status();
    match up {
        Ok(status) if status.success() => {}
        Ok(status) => return Err(format!("ip link set lo up: {status}")),
        Err(error) => return Err(format!("ip: {error}")),
    }
    // Reno is always there, and may be chosen by everybody.
    fs::write(CONGESTION_CONTROL, "reno").map_err(|error| format!("{CONGESTION_CONTROL}: {error}"))
}

fn congestion_control() -> String {
    fs::read_to_string(CONGESTION_CONTROL)
        .map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}

/// Puts this process, and so all that it starts, before others and lets it have as many descriptors as it may.
///
/// What this user may not do is left undone: the figures are then as good as the machine is quiet.
pub(crate) fn take_precedence() {
    let _ = setpriority_process(None, -20);
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}
