//! Deadlines: past, present and future, moved and removed, on calls that come later and on calls that already wait.

mod concurrent;
mod moved;
mod set;

pub use concurrent::{concurrent_use, racing_timeouts};
pub use moved::{deadline_moved_back, deadline_moved_up, deadline_removed};
pub use set::{
    directions_are_apart, future_deadline, past_deadline, present_deadline, timed_out_then_revived,
};

use tokio::sync::oneshot;
use tokio::time::{Duration, Instant};

use super::capability::Deadlines;
use super::enforce::{Check, Missed, ensure};
use super::shared::write_until_it_fails;
use super::waiting::telling;

/// A deadline that no behaviour lives to see.
const FAR: Duration = Duration::from_secs(3600);
/// How late a timeout may come on a busy machine.
const LATE: Duration = Duration::from_secs(5);
/// Timers count in milliseconds, and a clock is read before or after.
const EARLY: Duration = Duration::from_millis(2);

/// Tries every behaviour of this group, each on two fresh pairs, the second time with the ends exchanged.
///
/// # Panics
///
/// With the name of the first behaviour that is missed.
pub async fn run_all<A: Deadlines, B: Deadlines, Pair>(make: impl Fn() -> Pair)
where
    Pair: Future<Output = (A, B)>,
{
    macro_rules! both_ways {
        ($($behaviour:ident),* $(,)?) => {$(
            let (a, b) = make().await;
            $behaviour(a, b).await;
            let (a, b) = make().await;
            $behaviour(b, a).await;
        )*};
    }
    both_ways![
        past_deadline,
        present_deadline,
        future_deadline,
        directions_are_apart,
        timed_out_then_revived,
        deadline_moved_up,
        deadline_moved_back,
        deadline_removed,
        racing_timeouts,
        concurrent_use,
    ];
}

/// The directions of I/O, and the setter that is to act on them.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Direction {
    Read,
    Write,
}

impl Direction {
    const BOTH: [Direction; 2] = [Direction::Read, Direction::Write];

    fn set<C: Deadlines>(self, conn: &C, at: Option<Instant>) -> Check {
        use super::enforce::Doing;
        match self {
            Direction::Read => conn.set_read_deadline(at),
            Direction::Write => conn.set_write_deadline(at),
        }
        .doing("setting a deadline")
    }

    /// Reads from a silent peer, or writes to one that does not read, until it fails; tells `waits` when it waits.
    async fn wait<C: Deadlines>(self, conn: &C, waits: oneshot::Sender<()>) -> Check<C::Error> {
        match self {
            Direction::Read => match telling(async { conn.read(&mut [0; 100]).await }, waits).await {
                Ok(count) => Err(Missed::new(format!("a read of nothing returned {count}"))),
                Err(error) => Ok(error),
            },
            Direction::Write => write_until_it_fails(conn, waits).await,
        }
    }
}

fn must_be_timeout<C: Deadlines>(what: &str, error: &C::Error) -> Check {
    ensure!(C::is_timeout(error), "{what} did not say timeout, but: {error}");
    Ok(())
}

/// Whether a timeout at this moment is that of a deadline at `at`.
fn must_be_on_time(what: &str, at: Instant) -> Check {
    let now = Instant::now();
    ensure!(now + EARLY >= at, "{what} timed out {:?} before its deadline", at - now);
    ensure!(now <= at + LATE, "{what} timed out {:?} after its deadline", now - at);
    Ok(())
}

/// The moment `at`, or the start of time where the clock does not go back that far.
fn before_now() -> Instant {
    let now = Instant::now();
    now.checked_sub(Duration::from_secs(1)).unwrap_or(now)
}
