//! Runs a behaviour: stops it when it hangs, and panics with its name when it is missed.

use std::any::Any;
use std::fmt;
use std::future::Future;

use tokio::task::JoinSet;
use tokio::time::{Duration, timeout};

/// How long a behaviour may take: far more than any correct conn needs on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was seen, or why it was not what it had to be.
pub(super) type Check<T = ()> = Result<T, Missed>;

/// How a behaviour was missed, in words.
#[derive(Debug)]
pub(super) struct Missed(String);

impl Missed {
    pub(super) fn new(words: impl Into<String>) -> Missed {
        Missed(words.into())
    }
}

/// Ends the check with the words given unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            return Err($crate::suite::enforce::Missed::new(format!($($words)+)));
        }
    };
}
pub(super) use ensure;

/// Runs the check of a behaviour.
pub(super) async fn enforce(behaviour: &str, check: impl Future<Output = Check>) {
    match timeout(PATIENCE, check).await {
        Ok(Ok(())) => {}
        Ok(Err(Missed(words))) => panic!("conntest: {behaviour}: {words}"),
        Err(_) => panic!("conntest: {behaviour}: still waiting after {} s", PATIENCE.as_secs()),
    }
}

/// Turns an error of the conn into a miss that says what was being done.
pub(super) trait Doing<T> {
    fn doing(self, what: &str) -> Check<T>;
}

impl<T, E: fmt::Display> Doing<T> for Result<T, E> {
    fn doing(self, what: &str) -> Check<T> {
        self.map_err(|error| Missed(format!("{what}: {error}")))
    }
}

/// Tasks of a behaviour; all are aborted when it ends early. What they return, such as their end of the connection,
/// lives until all are finished: an end that is dropped with something unread resets what its peer has yet to read.
pub(super) struct Crew(JoinSet<Check<Box<dyn Any + Send>>>);

impl Crew {
    pub(super) fn new() -> Crew {
        Crew(JoinSet::new())
    }

    pub(super) fn spawn<T: Send + 'static>(&mut self, task: impl Future<Output = Check<T>> + Send + 'static) {
        self.0.spawn(async { Ok(Box::new(task.await?) as Box<dyn Any + Send>) });
    }

    /// Waits for all of them; the first miss, or panic, ends it.
    pub(super) async fn finish(mut self) -> Check {
        let mut returned = Vec::new();
        while let Some(done) = self.0.join_next().await {
            match done {
                Ok(check) => returned.push(check?),
                Err(error) => return Err(Missed(panic_words(error))),
            }
        }
        Ok(())
    }
}

fn panic_words(error: tokio::task::JoinError) -> String {
    if !error.is_panic() {
        return error.to_string();
    }
    let panic = error.into_panic();
    let words = panic.downcast_ref::<&str>().copied();
    let words = words.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the conn panicked: {}", words.unwrap_or("without words"))
}
