//! Conns in memory.

use std::io::IoSlice;
use std::time::Duration;

use landline::{Addr, Conn, Context, pipe};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

/// What the documentation promises.
const CAPACITY: usize = 64 * 1024;

#[tokio::test]
async fn what_is_written_before_a_close_is_read_and_then_the_end() {
    let (left, right) = pipe();
    left.write_all(b"last words").await.unwrap();
    left.close().unwrap();
    let mut buffer = [0; 16];
    assert_eq!(right.read(&mut buffer[..4]).await.unwrap(), 4);
    assert_eq!(right.read(&mut buffer).await.unwrap(), 6);
    assert_eq!(right.read(&mut buffer).await.unwrap(), 0);
    let error = right.write(b"too late").await.unwrap_err();
    assert_eq!(error.to_string(), "write pipe: broken pipe");
    assert!(left.read(&mut buffer).await.unwrap_err().is_closed());
    assert_eq!(left.close().unwrap_err().to_string(), "close pipe: use of closed network connection");
}

#[tokio::test]
async fn a_dropped_end_wakes_the_other() {
    let (left, right) = pipe();
    let (read, ()) = tokio::join!(async { right.read(&mut [0; 16]).await }, async {
        tokio::task::yield_now().await;
        drop(left);
    });
    assert_eq!(read.unwrap(), 0);

    let (left, right) = pipe();
    left.write_all(&[0; CAPACITY]).await.unwrap();
    let (written, ()) = tokio::join!(async { left.write(b"no room").await }, async {
        tokio::task::yield_now().await;
        drop(right);
    });
    assert_eq!(written.unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn a_full_pipe_takes_no_more_until_something_is_read() {
    let (left, right) = pipe();
    assert_eq!(left.write(&[1; CAPACITY + 1]).await.unwrap(), CAPACITY);
    left.set_write_deadline(Instant::now());
    assert!(left.write(b"x").await.unwrap_err().is_timeout());
    left.set_write_deadline(None);
    let (written, read) = tokio::join!(async { left.write(b"more").await }, async {
        tokio::task::yield_now().await;
        right.read(&mut [0; 3]).await
    });
    assert_eq!((written.unwrap(), read.unwrap()), (3, 3));
}

#[tokio::test]
async fn nothing_is_read_or_written_without_waiting() {
    let (left, right) = pipe();
    assert_eq!(right.read(&mut []).await.unwrap(), 0);
    assert_eq!(left.write(&[]).await.unwrap(), 0);
    left.write_all(&[0; CAPACITY]).await.unwrap();
    assert_eq!(left.write_vectored(&[IoSlice::new(&[]), IoSlice::new(&[])]).await.unwrap(), 0);
    left.write_all(&[]).await.unwrap();
}

#[tokio::test]
async fn each_direction_ends_on_its_own() {
    let (left, right) = pipe();
    left.close_write().unwrap();
    assert!(left.write(b"x").await.is_err());
    assert_eq!(right.read(&mut [0; 16]).await.unwrap(), 0);
    right.write_all(b"the other way").await.unwrap();
    assert_eq!(left.read(&mut [0; 16]).await.unwrap(), 13);

    right.write_all(b"arrived").await.unwrap();
    left.close_read().unwrap();
    assert!(right.write(b"refused").await.is_err());
    assert_eq!(left.read(&mut [0; 16]).await.unwrap(), 7, "what has arrived is still read");
    assert_eq!(left.read(&mut [0; 16]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn deadlines_move_under_a_waiting_read() {
    let (left, _right) = pipe();
    let start = Instant::now();
    left.set_read_deadline(start + Duration::from_secs(60));
    let (read, ()) = tokio::join!(async { left.read(&mut [0; 16]).await }, async {
        tokio::task::yield_now().await;
        left.set_read_deadline(start + Duration::from_secs(5));
    });
    assert!(read.unwrap_err().is_timeout());
    assert_eq!(start.elapsed(), Duration::from_secs(5));
}

#[tokio::test]
async fn an_ended_context_ends_what_waits_in_it() {
    let (left, _right) = pipe();
    let context = Context::background().child();
    left.bind_context(&context);
    let mut polled = &left;
    let (read, ()) = tokio::join!(AsyncReadExt::read_u8(&mut polled), async {
        tokio::task::yield_now().await;
        context.cancel_with("enough");
    });
    assert_eq!(read.unwrap_err().to_string(), "read pipe: operation was canceled: enough");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_transfer_through_tokio_arrives_whole() {
    let (left, right) = pipe();
    let sent: Vec<u8> = (0..1_000_003_u32).map(|number| (number % 251) as u8).collect();
    let (mut read, mut write) = (Conn::from(right), Conn::from(left));
    let writer = tokio::spawn({
        let sent = sent.clone();
        async move {
            AsyncWriteExt::write_all(&mut write, &sent).await.unwrap();
            write.shutdown().await.unwrap();
            write
        }
    });
    let mut received = Vec::new();
    read.read_to_end(&mut received).await.unwrap();
    assert!(received == sent);
    let write = writer.await.unwrap();
    assert_eq!((write.network(), write.local_addr().unwrap()), (None, Addr::Pipe));
    assert!(write.as_fd().is_none());
}
