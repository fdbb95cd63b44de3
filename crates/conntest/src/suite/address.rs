//! What both ends say of where they are.

use super::capability::Addressed;
use super::enforce::{Doing, enforce, ensure};

/// Tries every behaviour of this group, each on two fresh pairs, the second time with the ends exchanged.
///
/// # Panics
///
/// With the name of the first behaviour that is missed.
pub async fn run_all<A: Addressed, B: Addressed<Addr = A::Addr>, Pair>(make: impl Fn() -> Pair)
where
    Pair: Future<Output = (A, B)>,
{
    let (a, b) = make().await;
    addresses(a, b).await;
    let (a, b) = make().await;
    addresses(b, a).await;
}

/// One end's local address is the other's peer address, and asking again gives the same.
pub async fn addresses<A: Addressed, B: Addressed<Addr = A::Addr>>(a: A, b: B) {
    enforce("addresses", async {
        for _ in 0..2 {
            let local = a.local_addr().doing("asking for the local address")?;
            let seen = b.peer_addr().doing("asking for the peer's address")?;
            ensure!(local == seen, "this end is at {local:?}, but its peer says {seen:?}");
            let peer = a.peer_addr().doing("asking for the peer's address")?;
            let there = b.local_addr().doing("asking for the local address")?;
            ensure!(peer == there, "the peer is at {there:?}, but this end says {peer:?}");
        }
        Ok(())
    })
    .await;
}
