//! Several tasks on one connection: reading, writing and closing at once.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::capability::SharedConn;
use super::enforce::{Check, Crew, Doing, Missed, enforce, ensure};
use super::payload::{Expected, Payload, Tally};
use super::waiting::{poll_once, telling};

/// No write of the behaviours is longer, so that each also fits a message.
const PIECE: usize = 8 << 10;
/// Room for any message, and for many pieces of a stream.
const ROOM: usize = 64 << 10;

/// Tries every behaviour of this group, each on two fresh pairs, the second time with the ends exchanged.
///
/// # Panics
///
/// With the name of the first behaviour that is missed.
pub async fn run_all<A: SharedConn, B: SharedConn, Pair>(make: impl Fn() -> Pair)
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
        basic_io,
        ping_pong,
        racing_reads,
        racing_writes,
        cancelled_reads,
        cancelled_reader_passes_on,
        close_wakes_reads,
        close_wakes_writes,
        close_ends_the_peer,
    ];
}

/// A megabyte each way at the same time arrives as it was written, and then the end.
pub async fn basic_io<A: SharedConn, B: SharedConn>(a: A, b: B) {
    const LENGTH: usize = 1 << 20;
    enforce("basic_io", async {
        let (a, b) = (Arc::new(a), Arc::new(b));
        let mut crew = Crew::new();
        crew.spawn(send(a.clone(), 11, LENGTH));
        crew.spawn(send(b.clone(), 12, LENGTH));
        crew.spawn(receive(b.clone(), 11, LENGTH));
        crew.spawn(receive(a.clone(), 12, LENGTH));
        crew.finish().await?;
        a.close().await.doing("closing")?;
        let count = b.read(&mut [0; 16]).await.doing("reading the end")?;
        ensure!(count == 0, "{count} bytes came after all that was written");
        Ok(())
    })
    .await;
}

/// A small message is delivered without more having to be written after it, a thousand times back and forth.
pub async fn ping_pong<A: SharedConn, B: SharedConn>(a: A, b: B) {
    const ROUNDS: u64 = 1000;
    enforce("ping_pong", async {
        let mut crew = Crew::new();
        crew.spawn(async move {
            for round in 0..ROUNDS {
                write_all(&a, &round.to_be_bytes()).await?;
                let pong = read_number(&a).await?;
                ensure!(pong == !round, "the pong of round {round} was {pong:#x}");
            }
            Ok(())
        });
        crew.spawn(async move {
            for round in 0..ROUNDS {
                let ping = read_number(&b).await?;
                ensure!(ping == round, "the ping of round {round} was {ping:#x}");
                write_all(&b, &(!ping).to_be_bytes()).await?;
            }
            Ok(())
        });
        crew.finish().await
    })
    .await;
}

/// Eight tasks read at once: every byte arrives at exactly one of them, and all see the end.
pub async fn racing_reads<A: SharedConn, B: SharedConn>(a: A, b: B) {
    enforce("racing_reads", async {
        let (a, b) = (Arc::new(a), Arc::new(b));
        let arrived = Arc::new(Mutex::new(Tally::new()));
        let mut crew = Crew::new();
        for _ in 0..8 {
            let (b, arrived) = (b.clone(), arrived.clone());
            crew.spawn(async move {
                let mut buffer = vec![0; ROOM];
                loop {
                    match b.read(&mut buffer).await.doing("reading")? {
                        0 => return Ok(()),
                        count => lock(&arrived).count(&buffer[..count]),
                    }
                    tokio::task::yield_now().await;
                }
            });
        }
        let mut sent = Tally::new();
        let data = Payload::bytes(13, 1 << 20);
        // Pieces of all sizes: small ones wake one reader at a time, large ones several.
        let mut rest = &data[..];
        for size in [1, 50, 700, PIECE].into_iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, others) = rest.split_at(size.min(rest.len()));
            write_all(&*a, piece).await?;
            sent.count(piece);
            rest = others;
        }
        a.close().await.doing("closing")?;
        crew.finish().await?;
        lock(&arrived).must_equal(&sent)
    })
    .await;
}

/// Eight tasks write at once: every byte arrives once.
pub async fn racing_writes<A: SharedConn, B: SharedConn>(a: A, b: B) {
    enforce("racing_writes", async {
        let a = Arc::new(a);
        let mut sent = Tally::new();
        let mut writers = Crew::new();
        for writer in 0..8 {
            let (a, data) = (a.clone(), Payload::bytes(20 + writer, 100_000));
            sent.count(&data);
            writers.spawn(async move {
                for piece in data.chunks(1 + PIECE / (1 + writer as usize)) {
                    write_all(&*a, piece).await?;
                    tokio::task::yield_now().await;
                }
                Ok(())
            });
        }
        let mut reader = Crew::new();
        reader.spawn(async move {
            let mut arrived = Tally::new();
            let mut buffer = vec![0; ROOM];
            loop {
                match b.read(&mut buffer).await.doing("reading")? {
                    0 => return arrived.must_equal(&sent),
                    count => arrived.count(&buffer[..count]),
                }
            }
        });
        writers.finish().await?;
        a.close().await.doing("closing")?;
        reader.finish().await
    })
    .await;
}

/// A read that is dropped takes no data with it.
pub async fn cancelled_reads<A: SharedConn, B: SharedConn>(a: A, b: B) {
    const LENGTH: usize = 200_000;
    enforce("cancelled_reads", async {
        let a = Arc::new(a);
        let mut crew = Crew::new();
        crew.spawn({
            let a = a.clone();
            async move {
                send(a.clone(), 14, LENGTH).await?;
                a.close().await.doing("closing")
            }
        });
        crew.spawn(async move {
            let mut expected = Expected::new(14, LENGTH);
            let mut buffer = vec![0; ROOM];
            loop {
                // Polled exactly once, then dropped if it waits.
                let first = poll_once(pin!(b.read(&mut buffer))).await;
                let read = match first {
                    Some(read) => read,
                    None => b.read(&mut buffer).await,
                };
                match read.doing("reading")? {
                    0 => return expected.ended(),
                    count => expected.arrived(&buffer[..count])?,
                }
            }
        });
        crew.finish().await
    })
    .await;
}

/// Two tasks wait to read; when the one that came last is dropped, the other still gets the data.
pub async fn cancelled_reader_passes_on<A: SharedConn, B: SharedConn>(a: A, b: B) {
    enforce("cancelled_reader_passes_on", async {
        let b = Arc::new(b);
        for round in 0..20_u64 {
            let mut crew = Crew::new();
            let (waits, waiting) = oneshot::channel();
            crew.spawn({
                let b = b.clone();
                async move {
                    let number = telling(read_number(&*b), waits).await?;
                    ensure!(number == round, "the number of round {round} was {number:#x}");
                    Ok(())
                }
            });
            waiting.await.doing("waiting for a reader to wait")?;
            let number = round.to_be_bytes();
            let mut write = pin!(write_all(&a, &number));
            let mut written = None;
            {
                let mut buffer = vec![0; ROOM];
                let mut last = pin!(b.read(&mut buffer));
                ensure!(
                    poll_once(last.as_mut()).await.is_none(),
                    "a read returned where nothing was written"
                );
                // Sometimes the data comes before the drop, and the wake-up must not die with the dropped one.
                if round % 2 == 0 {
                    written = poll_once(write.as_mut()).await;
                }
            }
            match written {
                Some(written) => written?,
                None => write.await?,
            }
            crew.finish().await?;
        }
        Ok(())
    })
    .await;
}

/// Closing wakes every task that waits to read on this end; they and all later reads and writes say "closed".
pub async fn close_wakes_reads<A: SharedConn, B: SharedConn>(a: A, b: B) {
    enforce("close_wakes_reads", async {
        let a = Arc::new(a);
        let mut crew = Crew::new();
        for _ in 0..4 {
            let (waits, waiting) = oneshot::channel();
            let a = a.clone();
            crew.spawn(async move {
                let read = telling(async { a.read(&mut [0; 100]).await }, waits).await;
                must_be_closed::<A>("a waiting read", read)
            });
            waiting.await.doing("waiting for a reader to wait")?;
        }
        a.close().await.doing("closing")?;
        crew.finish().await?;
        closed_for_good(&*a).await?;
        drop(b);
        closed_for_good(&*a).await
    })
    .await;
}

/// Closing wakes every task that waits to write on this end; they and all later reads and writes say "closed".
pub async fn close_wakes_writes<A: SharedConn, B: SharedConn>(a: A, b: B) {
    enforce("close_wakes_writes", async {
        let a = Arc::new(a);
        let mut crew = Crew::new();
        for _ in 0..3 {
            let (waits, waiting) = oneshot::channel();
            let a = a.clone();
            crew.spawn(async move {
                match write_until_it_fails(&*a, waits).await? {
                    error if A::is_closed(&error) => Ok(()),
                    error => Err(Missed::new(format!("a waiting write did not say closed, but: {error}"))),
                }
            });
            waiting.await.doing("waiting for a writer to wait")?;
        }
        a.close().await.doing("closing")?;
        crew.finish().await?;
        closed_for_good(&*a).await?;
        drop(b);
        Ok(())
    })
    .await;
}

/// After a close the peer gets all that was written before, then the end; its writes fail sooner or later, and do not
/// wait for ever.
pub async fn close_ends_the_peer<A: SharedConn, B: SharedConn>(a: A, b: B) {
    const LENGTH: usize = 20_000;
    enforce("close_ends_the_peer", async {
        let a = Arc::new(a);
        let mut crew = Crew::new();
        crew.spawn({
            let a = a.clone();
            async move {
                send(a.clone(), 15, LENGTH).await?;
                a.close().await.doing("closing")
            }
        });
        let mut expected = Expected::new(15, LENGTH);
        let mut buffer = vec![0; ROOM];
        loop {
            match b.read(&mut buffer).await.doing("reading before the end")? {
                0 => break expected.ended()?,
                count => expected.arrived(&buffer[..count])?,
            }
        }
        crew.finish().await?;
        let again = b.read(&mut buffer).await.doing("reading after the end")?;
        ensure!(again == 0, "{again} bytes came after the end");
        let error = write_until_it_fails(&b, oneshot::channel().0).await?;
        ensure!(!B::is_closed(&error), "the peer closed, but a write says that this end did: {error}");
        Ok(())
    })
    .await;
}

/// Writes until a call fails; tells `waits` when one has waited, or failed.
pub(super) async fn write_until_it_fails<C: SharedConn>(
    conn: &C,
    waits: oneshot::Sender<()>,
) -> Check<C::Error> {
    const TOO_MUCH: usize = 64 << 20;
    let piece = [0xa5; PIECE];
    let mut waits = Some(waits);
    let mut written = 0;
    loop {
        let mut write = pin!(conn.write(&piece));
        let result = match poll_once(write.as_mut()).await {
            Some(result) => result,
            None => {
                if let Some(waits) = waits.take() {
                    let _ = waits.send(());
                }
                write.await
            }
        };
        match result {
            Ok(count) => written += count,
            Err(error) => return Ok(error),
        }
        ensure!(written < TOO_MUCH, "{written} bytes were accepted, and no write waited or failed");
    }
}

pub(super) async fn write_all<C: SharedConn>(conn: &C, bytes: &[u8]) -> Check {
    let mut rest = bytes;
    while !rest.is_empty() {
        let count = conn.write(rest).await.doing("writing")?;
        ensure!(count > 0, "a write of {} bytes wrote nothing", rest.len());
        ensure!(count <= rest.len(), "a write of {} bytes says it wrote {count}", rest.len());
        rest = &rest[count..];
    }
    Ok(())
}

/// Sends a number over; expects neither end to hold any of it while the other waits.
pub(super) async fn deliver<A: SharedConn, B: SharedConn>(from: &A, to: &B, number: u64) -> Check {
    let bytes = number.to_be_bytes();
    let ((), arrived) = tokio::try_join!(write_all(from, &bytes), read_number(to))?;
    ensure!(arrived == number, "{number:#x} was written, {arrived:#x} arrived");
    Ok(())
}

/// Reads a number that was written with one write.
pub(super) async fn read_number<C: SharedConn>(conn: &C) -> Check<u64> {
    let mut number = [0; 8];
    let mut filled = 0;
    while filled < number.len() {
        let count = conn.read(&mut number[filled..]).await.doing("reading")?;
        ensure!(count > 0, "the end came in the middle of a number");
        filled += count;
    }
    Ok(u64::from_be_bytes(number))
}

pub(super) async fn send<C: SharedConn>(to: Arc<C>, seed: u64, length: usize) -> Check {
    let data = Payload::bytes(seed, length);
    let mut rest = &data[..];
    for size in [1, 100, 1500, PIECE].into_iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, others) = rest.split_at(size.min(rest.len()));
        write_all(&*to, piece).await?;
        rest = others;
    }
    Ok(())
}

async fn receive<C: SharedConn>(from: Arc<C>, seed: u64, length: usize) -> Check {
    let mut expected = Expected::new(seed, length);
    let mut buffer = vec![0; ROOM];
    while !expected.is_complete() {
        match from.read(&mut buffer).await.doing("reading")? {
            0 => return expected.ended(),
            count => expected.arrived(&buffer[..count])?,
        }
    }
    Ok(())
}

async fn closed_for_good<C: SharedConn>(conn: &C) -> Check {
    must_be_closed::<C>("a read after the close", conn.read(&mut [0; 10]).await)?;
    must_be_closed::<C>("a write after the close", conn.write(b"late").await)?;
    // Closing again may say "closed" or nothing, but must return.
    match conn.close().await {
        Err(error) if !C::is_closed(&error) => {
            Err(Missed::new(format!("a second close did not say closed, but: {error}")))
        }
        _ => Ok(()),
    }
}

fn must_be_closed<C: SharedConn>(what: &str, result: Result<usize, C::Error>) -> Check {
    match result {
        Ok(count) => Err(Missed::new(format!("{what} did not fail, but returned {count}"))),
        Err(error) => {
            ensure!(C::is_closed(&error), "{what} did not say closed, but: {error}");
            Ok(())
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
