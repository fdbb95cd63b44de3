//! Deadlines set before the call they act on, or while it waits for the first time.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::{Duration, Instant};

use super::super::capability::Deadlines;
use super::super::enforce::{Crew, Doing, Missed, enforce, ensure};
use super::super::shared::{deliver, read_number, write_all};
use super::super::waiting::telling;
use super::{Direction, FAR, before_now, must_be_on_time, must_be_timeout};

/// With a deadline in the past, reads and writes fail with a timeout at once, also where data or room is there;
/// nothing is read or written. It stays so until the deadline is removed, and then nothing was lost.
pub async fn past_deadline<A: Deadlines, B: Deadlines>(a: A, b: B) {
    enforce("past_deadline", async {
        // Before the deadline is set, so that most conns hold it ready; those without a buffer keep the writer waiting.
        let b = Arc::new(b);
        let mut crew = Crew::new();
        let (waits, waiting) = oneshot::channel();
        crew.spawn({
            let b = b.clone();
            async move { telling(write_all(&*b, &7_u64.to_be_bytes()), waits).await }
        });
        waiting.await.doing("waiting for a write")?;
        a.set_deadline(Some(before_now())).doing("setting a deadline")?;
        for _ in 0..3 {
            match a.read(&mut [0; 8]).await {
                Ok(count) => {
                    return Err(Missed::new(format!("a read past its deadline returned {count}")));
                }
                Err(error) => must_be_timeout::<A>("a read past its deadline", &error)?,
            }
            match a.write(b"too late").await {
                Ok(count) => {
                    return Err(Missed::new(format!("a write past its deadline returned {count}")));
                }
                Err(error) => must_be_timeout::<A>("a write past its deadline", &error)?,
            }
        }
        a.set_deadline(None).doing("removing the deadline")?;
        let number = read_number(&a).await?;
        ensure!(number == 7, "after the timeouts a read returned {number:#x}");
        crew.finish().await?;
        deliver(&a, &*b, 8).await
    })
    .await;
}

/// A deadline set to this moment ends reads and writes that already wait.
pub async fn present_deadline<A: Deadlines, B: Deadlines>(a: A, b: B) {
    enforce("present_deadline", async {
        let a = Arc::new(a);
        for direction in Direction::BOTH {
            let mut crew = Crew::new();
            for _ in 0..3 {
                let (waits, waiting) = oneshot::channel();
                let a = a.clone();
                crew.spawn(async move {
                    let error = direction.wait(&*a, waits).await?;
                    must_be_timeout::<A>("a call that waited for its deadline", &error)
                });
                waiting.await.doing("waiting for a call to wait")?;
            }
            let now = Instant::now();
            direction.set(&*a, Some(now))?;
            crew.finish().await?;
            must_be_on_time("a waiting call", now)?;
        }
        drop(b);
        Ok(())
    })
    .await;
}

/// A deadline in the near future ends reads and writes then, not before, also for calls that begin after it was set,
/// and `set_deadline` acts on both directions.
pub async fn future_deadline<A: Deadlines, B: Deadlines>(a: A, b: B) {
    enforce("future_deadline", async {
        let at = Instant::now() + Duration::from_millis(60);
        a.set_deadline(Some(at)).doing("setting a deadline")?;
        let times_out = async |direction: Direction| {
            let error = direction.wait(&a, oneshot::channel().0).await?;
            must_be_on_time("a call", at)?;
            must_be_timeout::<A>("a call with a deadline", &error)
        };
        tokio::try_join!(times_out(Direction::Read), times_out(Direction::Write))?;

        let at = Instant::now() + Duration::from_millis(30);
        a.set_read_deadline(Some(at)).doing("setting a deadline")?;
        let error = Direction::Read.wait(&a, oneshot::channel().0).await?;
        must_be_on_time("a read", at)?;
        must_be_timeout::<A>("a read", &error)?;
        drop(b);
        Ok(())
    })
    .await;
}

/// A read deadline does not touch writes, nor a write deadline reads.
pub async fn directions_are_apart<A: Deadlines, B: Deadlines>(a: A, b: B) {
    enforce("directions_are_apart", async {
        a.set_write_deadline(Some(Instant::now() + FAR)).doing("setting a write deadline")?;
        a.set_read_deadline(Some(before_now())).doing("setting a read deadline")?;
        deliver(&a, &b, 1).await?;

        a.set_read_deadline(Some(Instant::now() + FAR)).doing("setting a read deadline")?;
        a.set_write_deadline(Some(before_now())).doing("setting a write deadline")?;
        deliver(&b, &a, 2).await?;

        a.set_write_deadline(None).doing("removing a write deadline")?;
        deliver(&a, &b, 3).await
    })
    .await;
}

/// After a timeout calls keep failing, until a later deadline is set: then they work, and that deadline counts.
pub async fn timed_out_then_revived<A: Deadlines, B: Deadlines>(a: A, b: B) {
    enforce("timed_out_then_revived", async {
        for round in 0..3_u64 {
            let at = Instant::now() + Duration::from_millis(5);
            a.set_read_deadline(Some(at)).doing("setting a deadline")?;
            for _ in 0..3 {
                let error = Direction::Read.wait(&a, oneshot::channel().0).await?;
                must_be_timeout::<A>("a read", &error)?;
                must_be_on_time("a read", at)?;
            }
            let later = if round == 1 { None } else { Some(Instant::now() + FAR) };
            a.set_read_deadline(later).doing("moving the deadline")?;
            deliver(&b, &a, round).await?;
        }
        Ok(())
    })
    .await;
}
