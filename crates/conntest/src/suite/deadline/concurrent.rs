//! Deadlines in the midst of everything else.

use std::sync::Arc;

use tokio::task::yield_now;
use tokio::time::{Duration, Instant};

use super::super::capability::Deadlines;
use super::super::enforce::{Check, Crew, Doing, Missed, enforce, ensure};
use super::super::payload::Expected;
use super::super::shared::send;

/// Reads that time out again and again while data flows lose none of it.
pub async fn racing_timeouts<A: Deadlines, B: Deadlines>(a: A, b: B) {
    const LENGTH: usize = 500_000;
    enforce("racing_timeouts", async {
        let a = Arc::new(a);
        let mut crew = Crew::new();
        crew.spawn({
            let a = a.clone();
            async move {
                send(a.clone(), 31, LENGTH).await?;
                a.close().await.doing("closing")
            }
        });
        crew.spawn(async move {
            let mut expected = Expected::new(31, LENGTH);
            let mut buffer = vec![0; 64 << 10];
            for microseconds in [0, 50, 200, 1000, 3000].into_iter().cycle() {
                let at = Instant::now() + Duration::from_micros(microseconds);
                b.set_read_deadline(Some(at)).doing("setting a deadline")?;
                match b.read(&mut buffer).await {
                    Ok(0) => break,
                    Ok(count) => expected.arrived(&buffer[..count])?,
                    Err(error) => {
                        ensure!(B::is_timeout(&error), "a read did not say timeout, but: {error}");
                        yield_now().await;
                    }
                }
            }
            expected.ended()
        });
        crew.finish().await
    })
    .await;
}

/// Every method is called by several tasks on both ends at once; nothing hangs, panics, or fails for any other reason
/// than a timeout, a close, or the peer's.
pub async fn concurrent_use<A: Deadlines, B: Deadlines>(a: A, b: B) {
    enforce("concurrent_use", async {
        let mut crew = Crew::new();
        crowd(&mut crew, &Arc::new(a));
        crowd(&mut crew, &Arc::new(b));
        crew.finish().await
    })
    .await;
}

const ROUNDS: u32 = 100;

fn crowd<C: Deadlines>(crew: &mut Crew, conn: &Arc<C>) {
    for task in 0..4 {
        let shared = conn.clone();
        crew.spawn(async move {
            for _ in 0..ROUNDS {
                // The peer may close at any time: that is `Ok(0)`, or an error of its own.
                if let Err(error) = shared.read(&mut [0; 1024]).await {
                    must_be_one_thing::<C>(&error)?;
                }
                yield_now().await;
            }
            Ok(())
        });
        let shared = conn.clone();
        crew.spawn(async move {
            for _ in 0..ROUNDS {
                if let Err(error) = shared.write(&[1; 1024]).await {
                    must_be_one_thing::<C>(&error)?;
                }
                yield_now().await;
            }
            Ok(())
        });
        let shared = conn.clone();
        crew.spawn(async move {
            for round in 0..ROUNDS {
                let at = Some(Instant::now() + Duration::from_micros(u64::from(round % 7) * 100));
                let set = match (round + task) % 3 {
                    0 => shared.set_deadline(at),
                    1 => shared.set_read_deadline(at),
                    _ => shared.set_write_deadline(at),
                };
                if let Err(error) = set {
                    ensure!(C::is_closed(&error), "setting a deadline failed: {error}");
                }
                yield_now().await;
            }
            // The last one to come leaves no call waiting.
            match shared.set_deadline(Some(Instant::now())) {
                Err(error) if !C::is_closed(&error) => {
                    Err(Missed::new(format!("setting a deadline failed: {error}")))
                }
                _ => Ok(()),
            }
        });
    }
    let shared = conn.clone();
    crew.spawn(async move {
        for _ in 0..ROUNDS {
            yield_now().await;
        }
        shared.close().await.doing("closing")
    });
}

/// Errors that could be mistaken for each other would hide why a call failed.
fn must_be_one_thing<C: Deadlines>(error: &C::Error) -> Check {
    ensure!(!(C::is_closed(error) && C::is_timeout(error)), "an error says both closed and timeout: {error}");
    Ok(())
}
