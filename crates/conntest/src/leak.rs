//! Whether a piece of work left descriptors, threads or tasks behind.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::fs;
use std::io;
use std::path::Path;

use tokio::runtime::Handle;
use tokio::time::{Duration, Instant, sleep};

/// Counts what the process holds, runs, and has spawned, before and after a piece of work.
///
/// It sees the whole process: keep the test that uses it alone in its test binary, or the tests beside it are counted
/// too. Begin after the runtime, and whatever is to stay, is warmed up.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use conntest::leak::LeakCheck;
///
/// let check = LeakCheck::begin();
/// let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
/// drop(socket);
/// check.end().await;
/// # }
/// ```
#[derive(Debug)]
#[must_use = "it checks nothing unless it is ended"]
pub struct LeakCheck {
    before: Holding,
    patience: Duration,
    pool: PoolThreads,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PoolThreads {
    Ignored,
    Counted,
}

impl LeakCheck {
    /// Remembers what there is now: descriptors (`/proc/self/fd`), threads (`/proc/self/task`), and the tasks alive in
    /// this tokio runtime.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, or without `/proc`.
    pub fn begin() -> LeakCheck {
        LeakCheck {
            before: Holding::now().expect("reading /proc/self"),
            patience: Duration::from_secs(5),
            pool: PoolThreads::Ignored,
        }
    }

    /// How long [`end`](LeakCheck::end) waits for things to settle; 5 seconds by default. Tasks that were aborted and
    /// sockets whose task is about to end need a moment.
    pub fn patience(mut self, patience: Duration) -> LeakCheck {
        self.patience = patience;
        self
    }

    /// Counts the threads of tokio's pool as well, which otherwise may come and go: workers, and those for blocking
    /// work, which tokio keeps for 10 seconds after they were last used. Set a patience that is longer than that.
    pub fn counting_pool_threads(mut self) -> LeakCheck {
        self.pool = PoolThreads::Counted;
        self
    }

    /// Waits until nothing is there that was not there at the beginning.
    ///
    /// # Panics
    ///
    /// When something is still there after the patience; names each descriptor with what it refers to, each thread by
    /// its name, and the number of tasks.
    pub async fn end(self) {
        let until = Instant::now() + self.patience;
        loop {
            let leaked = Holding::now().expect("reading /proc/self").beyond(&self.before, self.pool);
            if leaked.is_nothing() {
                return;
            }
            assert!(Instant::now() < until, "conntest: leaked: {leaked}");
            sleep(Duration::from_millis(2)).await;
        }
    }
}

#[derive(Debug)]
struct Holding {
    descriptors: BTreeMap<u32, String>,
    threads: BTreeMap<u32, String>,
    tasks: usize,
}

/// What came since the beginning.
#[derive(Debug)]
struct Leaked {
    descriptors: Vec<(u32, String)>,
    threads: Vec<(u32, String)>,
    tasks: usize,
}

impl Holding {
    fn now() -> io::Result<Holding> {
        Ok(Holding {
            descriptors: numbered("/proc/self/fd", |path| {
                Ok(fs::read_link(path)?.to_string_lossy().into_owned())
            })?,
            threads: numbered("/proc/self/task", |path| {
                Ok(fs::read_to_string(path.join("comm"))?.trim_end().to_owned())
            })?,
            tasks: Handle::current().metrics().num_alive_tasks(),
        })
    }

    fn beyond(self, before: &Holding, pool: PoolThreads) -> Leaked {
        let new = |now: BTreeMap<u32, String>, before: &BTreeMap<u32, String>| -> Vec<_> {
            now.into_iter().filter(|(number, what)| before.get(number) != Some(what)).collect()
        };
        let mut threads = new(self.threads, &before.threads);
        if pool == PoolThreads::Ignored {
            threads.retain(|(_, name)| !is_of_pool(name));
        }
        Leaked {
            descriptors: new(self.descriptors, &before.descriptors),
            threads,
            tasks: self.tasks.saturating_sub(before.tasks),
        }
    }
}

/// Whether it has the name that tokio gives its threads (cut off at 15 bytes by the kernel).
fn is_of_pool(name: &str) -> bool {
    name.starts_with("tokio-rt-worker") || name.starts_with("tokio-runtime-w")
}

/// The entries of a directory of numbers, each with what `read` makes of it; those that vanish meanwhile are skipped,
/// such as the descriptor the directory itself is read with.
fn numbered(
    directory: &str,
    read: impl Fn(&Path) -> io::Result<String>,
) -> io::Result<BTreeMap<u32, String>> {
    // The numbers first: an entry keeps the directory open, whose descriptor would then be seen.
    let number = |entry: fs::DirEntry| entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
    let entries: Vec<_> = fs::read_dir(directory)?.collect::<io::Result<_>>()?;
    let numbers: Vec<_> = entries.into_iter().filter_map(number).collect();
    let directory = Path::new(directory);
    let known = numbers
        .into_iter()
        .filter_map(|number| Some((number, read(&directory.join(number.to_string())).ok()?)));
    Ok(known.collect())
}

impl Leaked {
    fn is_nothing(&self) -> bool {
        self.descriptors.is_empty() && self.threads.is_empty() && self.tasks == 0
    }
}

impl fmt::Display for Leaked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 20;
        let list = |things: &[(u32, String)]| {
            let mut text = String::new();
            for (number, what) in things.iter().take(SHOWN) {
                let _ = write!(text, " {number} ({what})");
            }
            if things.len() > SHOWN {
                text.push_str(" …");
            }
            text
        };
        let mut parts = Vec::new();
        if !self.descriptors.is_empty() {
            parts.push(format!("{} descriptors:{}", self.descriptors.len(), list(&self.descriptors)));
        }
        if !self.threads.is_empty() {
            parts.push(format!("{} threads:{}", self.threads.len(), list(&self.threads)));
        }
        if self.tasks > 0 {
            parts.push(format!("{} tasks", self.tasks));
        }
        f.write_str(&parts.join("; "))
    }
}
