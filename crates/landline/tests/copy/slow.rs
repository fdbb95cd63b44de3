//! Slow destinations: the source is held back, and little is kept in between.

use std::time::Duration;

use landline::{Copier, Progress, copy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{assert_same, hear, pattern, pipe, soon, tcp, tls, unix};

/// Writes until nothing is taken any more; how much was.
async fn fill(far: &mut (impl AsyncWriteExt + Unpin), bytes: &[u8]) -> usize {
    let mut written = 0;
    while let Ok(count) = tokio::time::timeout(Duration::from_millis(300), far.write(&bytes[written..])).await
    {
        written += count.unwrap();
        assert!(written < bytes.len(), "all of it was taken");
    }
    written
}

/// With a far end that reads nothing, what goes in is bounded; then all of it comes out.
macro_rules! held_back {
    ($from:expr, $to:expr, $most:expr) => {{
        let ((source, from_far), (destination, to_far)) = ($from, $to);
        let (mut from_far, mut to_far) = (from_far, to_far);
        let said = pattern(64 << 20);
        let progress = Progress::new();
        let copier = Copier::new().progress(&progress);
        let conversation = async {
            let written = fill(&mut from_far, &said).await;
            let delivered = progress.there() as usize;
            let rest = async {
                from_far.shutdown().await.unwrap();
            };
            let ((), heard) = tokio::join!(rest, hear(&mut to_far));
            assert_same(&heard, &said[..written]);
            (written, delivered)
        };
        let (copied, (written, delivered)) =
            soon(async { tokio::join!(copier.copy(&source, &destination), conversation) }).await;
        assert_eq!(copied.unwrap().bytes, written as u64);
        // The rest is in the source's buffers, and in the copy.
        let kept: usize = $most;
        assert!(
            written - delivered <= kept,
            "{written} written, {delivered} delivered, at most {kept} between"
        );
    }};
}

/// Both buffers of a socket pair as large as asked for, so that what they hold is known: twice that (socket(7)).
const BUFFER: usize = 128 << 10;

async fn small_tcp() -> (landline::TcpConn, tokio::net::TcpStream) {
    let (near, far) = tcp().await;
    near.set_recv_buffer_size(BUFFER).unwrap();
    near.set_send_buffer_size(BUFFER).unwrap();
    let far_fd = &far;
    rustix::net::sockopt::set_socket_recv_buffer_size(far_fd, BUFFER).unwrap();
    rustix::net::sockopt::set_socket_send_buffer_size(far_fd, BUFFER).unwrap();
    (near, far)
}

fn small_unix() -> (landline::UnixConn, tokio::net::UnixStream) {
    let (near, far) = unix();
    near.set_send_buffer_size(BUFFER).unwrap();
    rustix::net::sockopt::set_socket_send_buffer_size(&far, BUFFER).unwrap();
    (near, far)
}

/// What the far and the near socket hold, counted generously, and the portion of the copy.
const SOCKETS_AND_PORTION: usize = 4 * 2 * BUFFER + (512 << 10);

#[tokio::test]
async fn a_destination_that_takes_nothing_holds_the_source_back() {
    held_back!(small_tcp().await, small_tcp().await, SOCKETS_AND_PORTION);
    held_back!(small_tcp().await, small_unix(), SOCKETS_AND_PORTION);
    held_back!(small_unix(), small_tcp().await, SOCKETS_AND_PORTION);
    held_back!(small_tcp().await, tls().await, SOCKETS_AND_PORTION);
    // Of a pipe it is exact: what waits in it, and one read.
    held_back!(pipe(), small_tcp().await, 2 * (64 << 10));
    held_back!(pipe(), pipe(), 2 * (64 << 10));
}

#[tokio::test]
async fn small_messages_are_held_back_too() {
    let ((source, mut from_far), (destination, mut to_far)) = (small_unix(), small_tcp().await);
    let message = pattern(100);
    let progress = Progress::new();
    let copier = Copier::new().progress(&progress);
    let conversation = async {
        let mut written = 0;
        while let Ok(count) = tokio::time::timeout(Duration::from_millis(300), from_far.write(&message)).await
        {
            written += count.unwrap();
            assert!(written < 64 << 20, "it is never held back");
        }
        from_far.shutdown().await.unwrap();
        let delivered = progress.there() as usize;
        let heard = hear(&mut to_far).await;
        (written, delivered, heard.len())
    };
    let (copied, (written, delivered, heard)) =
        soon(async { tokio::join!(copier.copy(&source, &destination), conversation) }).await;
    assert_eq!((copied.unwrap().bytes, heard), (written as u64, written));
    assert!(written - delivered <= SOCKETS_AND_PORTION, "{written} written, {delivered} delivered");
}

#[tokio::test]
async fn a_destination_that_takes_a_little_at_a_time_gets_it_all() {
    let ((source, mut from_far), (destination, mut to_far)) = (small_tcp().await, small_tcp().await);
    let said = pattern(3_000_000);
    let talking = async {
        from_far.write_all(&said).await.unwrap();
        from_far.shutdown().await.unwrap();
    };
    let hearing = async {
        let mut heard = Vec::new();
        let mut buffer = vec![0; 7_001];
        loop {
            match to_far.read(&mut buffer).await.unwrap() {
                0 => return heard,
                count => heard.extend_from_slice(&buffer[..count]),
            }
        }
    };
    let (copied, (), heard) =
        soon(async { tokio::join!(copy(&source, &destination), talking, hearing) }).await;
    assert_eq!(copied.unwrap().bytes, said.len() as u64);
    assert_same(&heard, &said);
}

/// The last bytes come at once: nothing waits for more that does not follow.
#[tokio::test]
async fn nothing_is_kept_back_for_what_does_not_follow() {
    let ((source, mut from_far), (destination, mut to_far)) = (tcp().await, tcp().await);
    let said = pattern(1_000_003);
    let conversation = async {
        let began = tokio::time::Instant::now();
        const ROUNDS: u32 = 20;
        for _ in 0..ROUNDS {
            let mut heard = vec![0; said.len()];
            let (written, read) = tokio::join!(from_far.write_all(&said), to_far.read_exact(&mut heard));
            written.unwrap();
            read.unwrap();
            // An answer is what the peer waits for before it says more.
            to_far.write_all(b"!").await.unwrap();
        }
        began.elapsed() / ROUNDS
    };
    let each = soon(async {
        tokio::select! {
            ended = copy(&source, &destination) => panic!("{ended:?}"),
            each = conversation => each,
        }
    })
    .await;
    // A byte kept back would come after 200 ms, on the quickest machine.
    assert!(each < Duration::from_millis(150), "{each:?} for each");
}
