//! The machine that figures belong to.

use std::{fs, process::Command, thread};

use serde::Serialize;

#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    /// When, in UTC.
    pub(crate) date: String,
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_gib: u64,
    pub(crate) kernel: String,
    /// Processes that wanted to run in the last minute, when the run began: a quiet machine has none.
    pub(crate) load: String,
    /// In which network it was measured.
    pub(crate) network: String,
}

impl Machine {
    pub(crate) fn look(network: String) -> Result<Self, String> {
        let read = |path: &str| fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
        let load = read("/proc/loadavg")?;
        Ok(Self {
            date: date()?,
            cpu: field(&read("/proc/cpuinfo")?, "model name").unwrap_or_else(|| "unknown".to_owned()),
            cores: thread::available_parallelism().map_or(1, Into::into),
            memory_gib: kib(&read("/proc/meminfo")?).unwrap_or(0) / (1 << 20),
            kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            load: load.split_whitespace().next().unwrap_or("unknown").to_owned(),
            network,
        })
    }

    pub(crate) fn describe(&self) -> String {
        let Self { date, cpu, cores, memory_gib, kernel, load, network } = self;
        format!(
            "{date}; {cpu}, {cores} cores, {memory_gib} GiB, Linux {kernel}, load {load} at the start; in {network}"
        )
    }
}

fn date() -> Result<String, String> {
    let output = Command::new("date")
        .args(["-u", "+%Y-%m-%d %H:%M UTC"])
        .output()
        .map_err(|error| format!("date: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn field(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn kib(meminfo: &str) -> Option<u64> {
    field(meminfo, "MemTotal")?.strip_suffix(" kB")?.parse().ok()
}
