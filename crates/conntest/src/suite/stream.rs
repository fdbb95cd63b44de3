//! Any byte stream: what goes in comes out, whole, in order, once, and soon.

use std::future::poll_fn;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Duration, sleep};

use super::capability::ByteStream;
use super::enforce::{Check, Crew, Doing, Missed, enforce, ensure};
use super::payload::{Expected, Payload};

/// What the large transfers move, each way.
const LARGE: usize = 2 << 20;

/// Tries every behaviour of this group, each on two fresh pairs, the second time with the ends exchanged.
///
/// # Panics
///
/// With the name of the first behaviour that is missed.
pub async fn run_all<A: ByteStream, B: ByteStream, Pair>(make: impl Fn() -> Pair)
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
        small_reads,
        vectored_writes,
        back_pressure,
        cancelled_reads,
        end_of_stream,
        half_close,
    ];
}

/// Two megabytes each way at the same time, in uneven pieces, arrive as they were written, and then the end.
pub async fn basic_io<A: ByteStream, B: ByteStream>(a: A, b: B) {
    enforce("basic_io", async {
        let (a_reads, a_writes) = tokio::io::split(a);
        let (b_reads, b_writes) = tokio::io::split(b);
        let mut crew = Crew::new();
        crew.spawn(send(a_writes, 1, LARGE));
        crew.spawn(send(b_writes, 2, LARGE));
        crew.spawn(receive(b_reads, 1, LARGE));
        crew.spawn(receive(a_reads, 2, LARGE));
        crew.finish().await
    })
    .await;
}

/// A small message is delivered without more having to be written after it, a thousand times back and forth.
pub async fn ping_pong<A: ByteStream, B: ByteStream>(mut a: A, mut b: B) {
    const ROUNDS: u64 = 1000;
    enforce("ping_pong", async move {
        let mut crew = Crew::new();
        crew.spawn(async move {
            for round in 0..ROUNDS {
                a.write_all(&round.to_be_bytes()).await.doing("writing a ping")?;
                a.flush().await.doing("flushing a ping")?;
                let pong = a.read_u64().await.doing("reading a pong")?;
                ensure!(pong == !round, "the pong of round {round} was {pong:#x}");
            }
            Ok(())
        });
        crew.spawn(async move {
            for round in 0..ROUNDS {
                let ping = b.read_u64().await.doing("reading a ping")?;
                ensure!(ping == round, "the ping of round {round} was {ping:#x}");
                b.write_all(&(!ping).to_be_bytes()).await.doing("writing a pong")?;
                b.flush().await.doing("flushing a pong")?;
            }
            Ok(())
        });
        crew.finish().await
    })
    .await;
}

/// A read takes no more than there is room for, leaves the rest for the next, and touches nothing that was in the
/// buffer before.
pub async fn small_reads<A: ByteStream, B: ByteStream>(mut a: A, mut b: B) {
    const LENGTH: usize = 1000;
    const BEFORE: &[u8] = b"before";
    enforce("small_reads", async move {
        let mut crew = Crew::new();
        crew.spawn(async move {
            a.write_all(&Payload::bytes(3, LENGTH)).await.doing("writing")?;
            a.flush().await.doing("flushing")?;
            Ok(a)
        });
        let mut expected = Expected::new(3, LENGTH);
        for room in (1..=3).cycle() {
            let mut storage = [0xee; 16];
            let mut buffer = ReadBuf::new(&mut storage[..BEFORE.len() + room]);
            buffer.put_slice(BEFORE);
            poll_fn(|context| Pin::new(&mut b).poll_read(context, &mut buffer)).await.doing("reading")?;
            let Some(data) = buffer.filled().strip_prefix(BEFORE) else {
                return Err(Missed::new("a read overwrote the part of the buffer that was filled before"));
            };
            ensure!(!data.is_empty(), "a read returned nothing, the sign of the end, before the end");
            expected.arrived(data)?;
            ensure!(storage[BEFORE.len() + room..].iter().all(|&byte| byte == 0xee), "a read wrote too far");
            if expected.is_complete() {
                break;
            }
        }
        // Only now may the writing end go.
        crew.finish().await
    })
    .await;
}

/// Vectored writes deliver their buffers in order, empty ones among them, and count what they wrote.
pub async fn vectored_writes<A: ByteStream, B: ByteStream>(mut a: A, b: B) {
    const LENGTH: usize = 300_000;
    enforce("vectored_writes", async move {
        let mut crew = Crew::new();
        crew.spawn(async move {
            let data = Payload::bytes(4, LENGTH);
            let mut rest = &data[..];
            while !rest.is_empty() {
                let (first, others) = rest.split_at(rest.len().min(7));
                let (second, third) = others.split_at(others.len().min(1000));
                let third = &third[..third.len().min(20_000)];
                let buffers = [&[], first, &[], second, third].map(IoSlice::new);
                let written = a.write_vectored(&buffers).await.doing("writing")?;
                let offered = first.len() + second.len() + third.len();
                ensure!(written > 0, "a vectored write of {offered} bytes wrote nothing");
                ensure!(written <= offered, "a vectored write of {offered} bytes says it wrote {written}");
                rest = &rest[written..];
            }
            a.shutdown().await.doing("shutting down")?;
            Ok(a)
        });
        crew.spawn(receive(b, 4, LENGTH));
        crew.finish().await
    })
    .await;
}

/// A writer nobody reads from has to wait, and goes on when somebody reads.
pub async fn back_pressure<A: ByteStream, B: ByteStream>(mut a: A, mut b: B) {
    const TOO_MUCH: usize = 64 << 20;
    enforce("back_pressure", async move {
        let written = Arc::new(AtomicUsize::new(0));
        let enough = Arc::new(AtomicUsize::new(TOO_MUCH));
        let mut crew = Crew::new();
        crew.spawn({
            let (written, enough) = (written.clone(), enough.clone());
            async move {
                while written.load(Ordering::SeqCst) < enough.load(Ordering::SeqCst) {
                    let count = a.write(&[0x5a; 64 << 10]).await.doing("writing")?;
                    ensure!(count > 0, "a write wrote nothing");
                    written.fetch_add(count, Ordering::SeqCst);
                }
                a.shutdown().await.doing("shutting down")?;
                Ok(a)
            }
        });
        // There is no event for "waits": a poll may also be pending to let other tasks go first.
        let mut before = usize::MAX;
        while written.load(Ordering::SeqCst) != before {
            before = written.load(Ordering::SeqCst);
            sleep(Duration::from_millis(50)).await;
        }
        ensure!(before < TOO_MUCH, "{before} bytes were accepted and a write never waited");
        // More than the reader's first gulp, so that the writer has to be woken again and again.
        enough.store(before + LARGE, Ordering::SeqCst);
        let mut buffer = vec![0; 64 << 10];
        while b.read(&mut buffer).await.doing("reading")? > 0 {}
        crew.finish().await
    })
    .await;
}

/// A read that is dropped while it waits, or right after its first poll, takes no data with it.
pub async fn cancelled_reads<A: ByteStream, B: ByteStream>(a: A, mut b: B) {
    const LENGTH: usize = 200_000;
    enforce("cancelled_reads", async move {
        let mut crew = Crew::new();
        crew.spawn(send(a, 5, LENGTH));
        crew.spawn(async move {
            let mut expected = Expected::new(5, LENGTH);
            let mut buffer = [0; 1500];
            loop {
                // `biased` polls the read exactly once before it is dropped.
                let read = tokio::select! {
                    biased;
                    read = b.read(&mut buffer) => Some(read),
                    () = std::future::ready(()) => None,
                };
                let read = match read {
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

/// After a shutdown the peer gets what was written, then the end, and the end again; this side can write no more.
pub async fn end_of_stream<A: ByteStream, B: ByteStream>(mut a: A, mut b: B) {
    enforce("end_of_stream", async move {
        let mut crew = Crew::new();
        crew.spawn(async move {
            a.write_all(&Payload::bytes(6, 1000)).await.doing("writing")?;
            a.shutdown().await.doing("shutting down")?;
            let written = a.write(b"too late").await;
            ensure!(!matches!(written, Ok(1..)), "a write after the shutdown was accepted");
            Ok(a)
        });
        let mut expected = Expected::new(6, 1000);
        let mut buffer = [0; 256];
        loop {
            match b.read(&mut buffer).await.doing("reading before the end")? {
                0 => break expected.ended()?,
                count => expected.arrived(&buffer[..count])?,
            }
        }
        let again = b.read(&mut buffer).await.doing("reading after the end")?;
        ensure!(again == 0, "{again} bytes came after the end");
        crew.finish().await
    })
    .await;
}

/// After a shutdown the other direction still works.
pub async fn half_close<A: ByteStream, B: ByteStream>(mut a: A, mut b: B) {
    enforce("half_close", async move {
        a.shutdown().await.doing("shutting down")?;
        let count = b.read(&mut [0; 16]).await.doing("reading the end")?;
        ensure!(count == 0, "{count} bytes came where nothing was written");
        let mut crew = Crew::new();
        crew.spawn(send(b, 7, LARGE));
        crew.spawn(receive(a, 7, LARGE));
        crew.finish().await
    })
    .await;
}

async fn send<W: AsyncWrite + Unpin>(mut to: W, seed: u64, length: usize) -> Check<W> {
    let data = Payload::bytes(seed, length);
    let mut rest = &data[..];
    for size in [1, 100, 10_000, 70_000].into_iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, others) = rest.split_at(size.min(rest.len()));
        to.write_all(piece).await.doing("writing")?;
        rest = others;
    }
    to.flush().await.doing("flushing")?;
    to.shutdown().await.doing("shutting down")?;
    Ok(to)
}

async fn receive<R: AsyncRead + Unpin>(mut from: R, seed: u64, length: usize) -> Check<R> {
    let mut expected = Expected::new(seed, length);
    let mut buffer = vec![0; 30_000];
    for size in [10, 1000, 30_000].into_iter().cycle() {
        match from.read(&mut buffer[..size]).await.doing("reading")? {
            0 => break,
            count => expected.arrived(&buffer[..count])?,
        }
    }
    expected.ended()?;
    Ok(from)
}
