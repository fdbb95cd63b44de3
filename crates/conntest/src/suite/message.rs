//! Connections that keep message boundaries, such as Unix seqpacket sockets.

use super::capability::SharedConn;
use super::enforce::{Crew, Doing, enforce, ensure};
use super::payload::{Expected, Payload};

/// Tries every behaviour of this group, each on two fresh pairs, the second time with the ends exchanged.
///
/// # Panics
///
/// With the name of the first behaviour that is missed.
pub async fn run_all<A: SharedConn, B: SharedConn, Pair>(make: impl Fn() -> Pair)
where
    Pair: Future<Output = (A, B)>,
{
    let (a, b) = make().await;
    boundaries(a, b).await;
    let (a, b) = make().await;
    boundaries(b, a).await;
}

/// Each message is written whole and read alone, whatever its length (1 byte to 16 KiB), also when many wait.
pub async fn boundaries<A: SharedConn, B: SharedConn>(a: A, b: B) {
    enforce("boundaries", async move {
        let lengths = || (0..500_usize).map(|number| 1 + (number * 37 * number) % (16 << 10));
        let mut crew = Crew::new();
        crew.spawn(async move {
            for (number, length) in lengths().enumerate() {
                let written = a.write(&Payload::bytes(number as u64, length)).await.doing("writing")?;
                ensure!(written == length, "of a message of {length} bytes only {written} were written");
            }
            a.close().await.doing("closing")
        });
        crew.spawn(async move {
            let mut buffer = vec![0; 64 << 10];
            for (number, length) in lengths().enumerate() {
                let count = b.read(&mut buffer).await.doing("reading")?;
                ensure!(count == length, "message {number} has {length} bytes, but a read returned {count}");
                Expected::new(number as u64, length).arrived(&buffer[..count])?;
            }
            let count = b.read(&mut buffer).await.doing("reading the end")?;
            ensure!(count == 0, "{count} bytes came after the last message");
            Ok(())
        });
        crew.finish().await
    })
    .await;
}
