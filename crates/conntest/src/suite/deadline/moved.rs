//! Deadlines moved or removed while a call waits.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::{Duration, Instant, sleep_until};

use super::super::capability::Deadlines;
use super::super::enforce::{Check, Crew, Doing, Missed, enforce, ensure};
use super::super::shared::{read_number, write_all};
use super::super::waiting::telling;
use super::{Direction, FAR, must_be_on_time, must_be_timeout};

/// A deadline moved to an earlier time ends calls that already wait for the later one.
pub async fn deadline_moved_up<A: Deadlines, B: Deadlines>(a: A, b: B) {
    enforce("deadline_moved_up", async {
        let a = Arc::new(a);
        for direction in Direction::BOTH {
            direction.set(&*a, Some(Instant::now() + FAR))?;
            let mut crew = Crew::new();
            for _ in 0..3 {
                let (waits, waiting) = oneshot::channel();
                let a = a.clone();
                crew.spawn(async move {
                    let error = direction.wait(&*a, waits).await?;
                    must_be_timeout::<A>("a call whose deadline was moved up", &error)
                });
                waiting.await.doing("waiting for a call to wait")?;
            }
            let at = Instant::now() + Duration::from_millis(20);
            direction.set(&*a, Some(at))?;
            crew.finish().await?;
            must_be_on_time("a call whose deadline was moved up", at)?;
        }
        drop(b);
        Ok(())
    })
    .await;
}

/// A deadline moved to a later time does not end calls at the earlier one.
pub async fn deadline_moved_back<A: Deadlines, B: Deadlines>(a: A, b: B) {
    enforce("deadline_moved_back", outlives(a, b, Some(FAR))).await;
}

/// A deadline removed does not end calls that waited for it.
pub async fn deadline_removed<A: Deadlines, B: Deadlines>(a: A, b: B) {
    enforce("deadline_removed", outlives(a, b, None)).await;
}

/// A read waits for a deadline that is moved before it comes; the read has to wait on, and get the data that comes
/// after the first deadline. Moving it again and again disturbs nothing.
async fn outlives<A: Deadlines, B: Deadlines>(a: A, b: B, then: Option<Duration>) -> Check {
    let a = Arc::new(a);
    // A machine so busy that the first deadline passes before it was moved has shown nothing: once more, with more time.
    for milliseconds in [100, 1000, 5000] {
        let first = Instant::now() + Duration::from_millis(milliseconds);
        a.set_read_deadline(Some(first)).doing("setting a deadline")?;
        let (waits, waiting) = oneshot::channel();
        let mut crew = Crew::new();
        crew.spawn({
            let a = a.clone();
            async move {
                let number = telling(read_number(&*a), waits).await?;
                ensure!(number == 21, "the number that came was {number:#x}");
                ensure!(Instant::now() >= first, "the number came before it was written");
                Ok(())
            }
        });
        waiting.await.doing("waiting for a read to wait")?;
        for step in 0..100 {
            let at = Instant::now() + FAR + Duration::from_secs(step);
            a.set_read_deadline(Some(at)).doing("moving the deadline")?;
        }
        a.set_read_deadline(then.map(|later| Instant::now() + later)).doing("moving the deadline")?;
        if Instant::now() < first {
            sleep_until(first + Duration::from_millis(20)).await;
            write_all(&b, &21_u64.to_be_bytes()).await?;
            return crew.finish().await;
        }
    }
    Err(Missed::new("the machine is too busy to tell"))
}
