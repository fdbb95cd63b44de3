//! What a TLS conn costs that waits for its peer: no room for records, neither for those to come nor for those sent.

#[allow(dead_code)] // The other tests try more kinds of conns.
mod adapter;

use adapter::tls::Tls;
use allocation_counter::measure;
use landline::{Conn, TlsConn, UnixConn, UnixKind};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinSet, LocalSet};

const PAIRS: usize = 20;
/// More than one record.
const MOVED: usize = 20000;

/// A conn's two ends, over which bytes have gone in both directions.
async fn used(tls: &Tls) -> [Conn; 2] {
    let (client, server) = tls.configs();
    let (a, b) = UnixConn::pair(UnixKind::Stream).unwrap();
    let (a, b) =
        tokio::try_join!(TlsConn::connect(a.into(), "localhost", client), TlsConn::accept(b.into(), server))
            .unwrap();
    let ends = [Conn::from(a), Conn::from(b)];
    for (from, to) in [(&ends[0], &ends[1]), (&ends[1], &ends[0])] {
        let receive = async {
            let mut received = 0;
            while received < MOVED {
                received += to.read_pooled().await?.len();
            }
            Ok(())
        };
        tokio::try_join!(from.write_all(&[7; MOVED]), receive).unwrap();
    }
    ends
}

/// Conns of which each end waits for the other, by a call or by polling.
fn waiting(runtime: &Runtime, tls: &Tls, pairs: usize) -> (LocalSet, JoinSet<()>) {
    let (tasks, mut waiting) = (LocalSet::new(), JoinSet::new());
    for _ in 0..pairs {
        let [called, mut polled] = runtime.block_on(used(tls));
        waiting.spawn_local_on(async move { drop(called.read_pooled().await) }, &tasks);
        waiting
            .spawn_local_on(async move { drop(tokio::io::AsyncReadExt::read_u8(&mut polled).await) }, &tasks);
    }
    runtime.block_on(tasks.run_until(async {
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
    }));
    (tasks, waiting)
}

#[test]
fn a_conn_that_waits_has_no_room_for_records() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let tls = Tls::new();
    // What is made once, the thread's buffers among it.
    drop(waiting(&runtime, &tls, 2));
    let mut kept = None;
    let info = measure(|| kept = Some(waiting(&runtime, &tls, PAIRS)));
    let of_each = info.bytes_current / (2 * PAIRS as i64);
    // 4 KiB of it are rustls's, which keeps the beginning of its own buffer.
    assert!(of_each < 12 * 1024, "{of_each} bytes");
    drop(kept);
}
