//! The hand-off to the system's own resolver, `getaddrinfo` and `getnameinfo`, for what cannot be done here.
//!
//! They block, and nothing can interrupt them. So each call has a thread of its own that ends with it, and a caller
//! that gives up leaves the thread to its call; the number of such calls is bounded, whoever waits for them or not.

use std::ffi::CString;
use std::sync::{Arc, LazyLock};
use std::thread;

use tokio::sync::{Semaphore, oneshot};

use crate::addr::ScopedIp;
use crate::error::{LookupError, LookupErrorKind, errno_text};
use crate::network::Family;
use crate::sys::{self, AddrInfo, AddrInfoError};

/// The most calls at a time in one process. Each costs a thread with its stack; a name server that does not answer
/// holds one for some 10 s.
const MAX_CALLS: usize = 64;

/// Runs lookups of the system's resolver, up to a number at a time. Clones share that number.
///
/// More than that wait for their turn, first come, first served, for as long as the caller's budget lasts. Dropping the
/// future of a lookup gives up at once: its place in the queue, or its interest in the answer. A call that has begun
/// keeps its thread and its share of the bound until the C library returns.
#[derive(Clone, Debug)]
pub(crate) struct SystemResolver {
    free: Arc<Semaphore>,
}

impl SystemResolver {
    /// The one that all resolvers of the process share, so that its bound is the process's.
    pub(crate) fn shared() -> SystemResolver {
        static SHARED: LazyLock<SystemResolver> = LazyLock::new(|| SystemResolver::with_limit(MAX_CALLS));
        SHARED.clone()
    }

    /// One with a bound of its own.
    pub(crate) fn with_limit(limit: usize) -> SystemResolver {
        SystemResolver { free: Arc::new(Semaphore::new(limit)) }
    }

    /// The addresses of a family that the system knows for `host`, and its canonical name.
    pub(crate) async fn addresses(&self, host: &str, family: Family) -> Result<AddrInfo, LookupError> {
        let Ok(c_host) = CString::new(host) else {
            return Err(LookupError::new(host, LookupErrorKind::InvalidName).with_detail("NUL byte in name"));
        };
        match self.run(host, move || sys::addr_info(&c_host, family)).await? {
            Ok(info) if info.addresses.is_empty() => Err(LookupError::new(host, LookupErrorKind::NoData)),
            Ok(info) => Ok(info),
            Err(error) => Err(lookup_error(host, error)),
        }
    }

    /// The name that the system knows for an address.
    pub(crate) async fn name(&self, ip: ScopedIp) -> Result<String, LookupError> {
        let text = ip.to_string();
        match self.run(&text, move || sys::name_info(ip)).await? {
            Ok(name) => Ok(name),
            Err(error) => Err(lookup_error(&text, error)),
        }
    }

    /// Runs `call` on a thread of its own once there is room. `name` is what an error is about.
    async fn run<T: Send + 'static>(
        &self,
        name: &str,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, LookupError> {
        let fail = |kind, detail: String| LookupError::new(name, kind).with_detail(detail);
        let gone = || fail(LookupErrorKind::System, "the system's resolver gave no answer".to_owned());
        let permit = self.free.clone().acquire_owned().await.map_err(|_| gone())?;
        let (answer, answered) = oneshot::channel();
        let work = move || {
            // Nobody may be listening any more. The permit goes last, so that the call is counted to its end.
            let _ = answer.send(call());
            drop(permit);
        };
        if let Err(error) = thread::Builder::new().name("landline-system".to_owned()).spawn(work) {
            return Err(fail(
                LookupErrorKind::Limit,
                format!("no thread for the system's resolver: {error}"),
            ));
        }
        answered.await.map_err(|_| gone())
    }
}

fn lookup_error(name: &str, error: AddrInfoError) -> LookupError {
    match error {
        AddrInfoError::NoName => LookupError::new(name, LookupErrorKind::NotFound),
        AddrInfoError::NoData => LookupError::new(name, LookupErrorKind::NoData),
        AddrInfoError::Again(words) => {
            LookupError::new(name, LookupErrorKind::ServerFailure).with_detail(words)
        }
        AddrInfoError::System(error) => {
            LookupError::new(name, LookupErrorKind::System).with_detail(errno_text(error))
        }
        AddrInfoError::Other(words) => LookupError::new(name, LookupErrorKind::System).with_detail(words),
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Mutex, mpsc};
    use std::time::Duration;

    use super::*;
    use crate::context::{Context, Ended};

    /// Calls that tell when they begin, and end when they are let go.
    struct Slow {
        release: mpsc::Sender<()>,
        held: Arc<Mutex<mpsc::Receiver<()>>>,
        began: tokio::sync::mpsc::UnboundedReceiver<PathBuf>,
        begin: tokio::sync::mpsc::UnboundedSender<PathBuf>,
        running: Arc<AtomicUsize>,
        most: Arc<AtomicUsize>,
    }

    impl Slow {
        fn new() -> Slow {
            let (release, held) = mpsc::channel();
            let (begin, began) = tokio::sync::mpsc::unbounded_channel();
            let held = Arc::new(Mutex::new(held));
            Slow { release, held, began, begin, running: Arc::default(), most: Arc::default() }
        }

        fn call(&self) -> impl FnOnce() -> &'static str + Send + use<> {
            let (held, begin) = (self.held.clone(), self.begin.clone());
            let (running, most) = (self.running.clone(), self.most.clone());
            move || {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let thread = format!("/proc/self/task/{}", rustix::thread::gettid().as_raw_nonzero());
                begin.send(thread.into()).unwrap();
                held.lock().unwrap().recv().unwrap();
                running.fetch_sub(1, Ordering::SeqCst);
                "done"
            }
        }
    }

    async fn gone(thread: PathBuf) {
        // The kernel tells nobody when a detached thread is gone.
        let ends = async {
            while thread.exists() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), ends).await.expect("the thread outlived its call");
    }

    #[tokio::test]
    async fn a_caller_that_is_cancelled_does_not_wait_and_the_thread_ends_with_its_call() {
        let system = SystemResolver::with_limit(4);
        let mut slow = Slow::new();
        let context = Context::background().child();
        let thread = {
            let lookup = context.run(system.run("x", slow.call()));
            tokio::pin!(lookup);
            let thread = tokio::select! {
                thread = slow.began.recv() => thread.unwrap(),
                _ = &mut lookup => unreachable!("the call is held"),
            };
            context.cancel();
            assert!(matches!(lookup.await, Err(Ended::Canceled { .. })));
            thread
        };
        assert!(thread.exists());
        assert_eq!(system.free.available_permits(), 3);
        slow.release.send(()).unwrap();
        gone(thread).await;
        assert_eq!(system.free.available_permits(), 4);
    }

    #[tokio::test]
    async fn a_deadline_ends_the_wait_for_a_slow_call() {
        let system = SystemResolver::with_limit(4);
        let slow = Slow::new();
        let context = Context::background().with_timeout(Duration::from_millis(20));
        let ended = context.run(system.run("x", slow.call())).await;
        assert!(matches!(ended, Err(Ended::DeadlineExceeded)));
        slow.release.send(()).unwrap();
    }

    #[tokio::test]
    async fn more_calls_than_the_bound_take_turns() {
        let system = SystemResolver::with_limit(2);
        let mut slow = Slow::new();
        let mut lookups = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let (system, call) = (system.clone(), slow.call());
            lookups.spawn(async move { system.run("x", call).await });
        }
        let mut threads = Vec::new();
        for begun in 1..=20 {
            threads.push(slow.began.recv().await.unwrap());
            // The first is held until there are two, so that two do run at once.
            if begun > 1 {
                slow.release.send(()).unwrap();
            }
        }
        slow.release.send(()).unwrap();
        while let Some(answer) = lookups.join_next().await {
            assert_eq!(answer.unwrap(), Ok("done"));
        }
        assert_eq!(slow.most.load(Ordering::SeqCst), 2);
        for thread in threads {
            gone(thread).await;
        }
        assert_eq!(system.free.available_permits(), 2);
    }

    #[tokio::test]
    async fn who_gives_up_in_the_queue_leaves_no_trace() {
        let system = SystemResolver::with_limit(1);
        let mut slow = Slow::new();
        let first = tokio::spawn({
            let (system, call) = (system.clone(), slow.call());
            async move { system.run("x", call).await }
        });
        slow.began.recv().await.unwrap();
        let context = Context::background().with_timeout(Duration::from_millis(20));
        assert!(context.run(system.run("y", slow.call())).await.is_err());
        slow.release.send(()).unwrap();
        assert_eq!(first.await.unwrap(), Ok("done"));
        assert!(slow.began.try_recv().is_err(), "the call of the second was made all the same");
        assert_eq!(system.run("z", || 7).await, Ok(7));
    }

    #[tokio::test]
    async fn a_call_that_panics_is_an_error_and_gives_its_place_back() {
        let system = SystemResolver::with_limit(1);
        let error = system.run("x", || -> () { std::panic::resume_unwind(Box::new(())) }).await.unwrap_err();
        assert_eq!(error.to_string(), "lookup x: the system's resolver gave no answer");
        assert_eq!(system.run("x", || 7).await, Ok(7));
    }

    #[tokio::test]
    async fn the_system_knows_this_host() {
        let system = SystemResolver::shared();
        let info = system.addresses("localhost", Family::V4).await.unwrap();
        assert_eq!(info.addresses, [ScopedIp::from("127.0.0.1".parse::<IpAddr>().unwrap())]);
        assert!(!system.name(info.addresses[0]).await.unwrap().is_empty());
        let error = system.addresses("192.0.2.1", Family::V6).await.unwrap_err();
        assert_eq!(error.kind(), LookupErrorKind::NoData);
        let error = system.addresses("a\0b", Family::Any).await.unwrap_err();
        assert_eq!(error.to_string(), "lookup a\\0b: NUL byte in name");
    }
}
