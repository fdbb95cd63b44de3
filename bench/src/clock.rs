//! The two clocks of a measurement: the wall's and the kernel's account of a process.

use std::{fs, io, time::Duration};

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Time since boot.
pub(crate) fn wall() -> Duration {
    since_zero(clock_gettime(ClockId::Monotonic))
}

/// CPU time of this process so far, user and system, all threads.
pub(crate) fn own_cpu() -> Duration {
    since_zero(clock_gettime(ClockId::ProcessCPUTime))
}

/// CPU time of another process so far, user and system, of the threads it has now.
///
/// From `/proc/PID/task/*/schedstat`: nanoseconds, where `/proc/PID/stat` counts ticks of 10 ms. Exact when
/// its threads sleep, up to a tick behind when they run; no peer ends a thread while it is measured.
pub(crate) fn cpu_of(pid: u32) -> io::Result<Duration> {
    let mut total = Duration::ZERO;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let path = task?.path().join("schedstat");
        let text = fs::read_to_string(&path)?;
        let nanos = text
            .split_whitespace()
            .next()
            .and_then(|word| word.parse().ok())
            .ok_or_else(|| io::Error::other(format!("{}: {text:?}", path.display())))?;
        total += Duration::from_nanos(nanos);
    }
    Ok(total)
}

fn since_zero(time: Timespec) -> Duration {
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}
