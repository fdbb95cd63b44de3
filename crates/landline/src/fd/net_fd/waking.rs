//! Who is woken where several wait, step by step.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::pin::pin;

use super::*;
use crate::sys::Hooked;

/// One that the reactor has heard of by now.
async fn registered() -> (NetFd, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    theirs.set_nonblocking(true).unwrap();
    let fd = NetFd::new(ours.into()).unwrap();
    fd.writable().await.unwrap();
    (fd, theirs)
}

/// Has two bytes come, and gives the reactor, on another thread, the time to hear of it.
fn two_bytes_come(peer: &UnixStream) -> impl FnOnce() + Send + 'static {
    let mut peer = peer.try_clone().unwrap();
    move || {
        peer.write_all(&[7; 2]).unwrap();
        std::thread::sleep(Duration::from_millis(200));
    }
}

async fn is_woken(task: &Hooked) -> bool {
    for _ in 0..1_000 {
        if task.wakes() > 0 {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

fn task() -> (Arc<Hooked>, task::Waker) {
    let task = Arc::<Hooked>::default();
    let waker = task.waker();
    (task, waker)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_reads_at_once_takes_no_event_from_one_that_waits() {
    let (fd, theirs) = registered().await;
    let ((waits, first), (reads, second)) = (task(), task());
    let (mut one, mut other) = ([0], [0]);
    let mut waiting = pin!(fd.read(&mut one));
    assert!(waiting.as_mut().poll(&mut task::Context::from_waker(&first)).is_pending());
    reads.when_cloned(two_bytes_come(&theirs));
    let _ = pin!(fd.read(&mut other)).poll(&mut task::Context::from_waker(&second));
    assert!(is_woken(&waits).await, "a byte is left for it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_takes_no_event_from_one_that_came_beside_it() {
    let (fd, theirs) = registered().await;
    let ((reads, first), (waits, second)) = (task(), task());
    let mut cx = task::Context::from_waker(&first);
    let io = fd.0.io.enter().unwrap();
    let (mut seat, mut expiry) = (None, None);
    let mut waiter = Waiter::Call { seat: &mut seat, expiry: &mut expiry };
    // The first is between its two steps,
    let alone = waiter.enlist(fd.limits(), Direction::Read, &cx);
    let mut byte = [0];
    let mut waiting = pin!(fd.read(&mut byte));
    assert!(waiting.as_mut().poll(&mut task::Context::from_waker(&second)).is_pending());
    reads.when_cloned(two_bytes_come(&theirs));
    // and goes on.
    let _ = poll_ready(&fd.0, &io, Direction::Read, alone, &mut cx).unwrap();
    assert!(is_woken(&waits).await, "it was there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_was_woken_before_it_asked_leaves_the_place_to_the_next() {
    let (fd, mut theirs) = registered().await;
    let ((woken, first), (waits, second)) = (task(), task());
    let mut cx = task::Context::from_waker(&first);
    let io = fd.0.io.enter().unwrap();
    let (mut seat, mut expiry) = (None, None);
    let mut waiter = Waiter::Call { seat: &mut seat, expiry: &mut expiry };
    let alone = waiter.enlist(fd.limits(), Direction::Read, &cx);
    fd.set_read_deadline(Some(Instant::now() + Duration::from_secs(100)));
    assert_eq!(woken.wakes(), 1, "though it has not asked yet");
    let mut byte = [0];
    let mut waiting = pin!(fd.read(&mut byte));
    assert!(waiting.as_mut().poll(&mut task::Context::from_waker(&second)).is_pending());
    assert!(poll_ready(&fd.0, &io, Direction::Read, alone, &mut cx).unwrap().is_pending());
    theirs.write_all(&[1]).unwrap();
    assert!(is_woken(&waits).await);
}

#[tokio::test]
async fn a_deadline_wakes_nobody_who_has_left() {
    let (fd, mut theirs) = registered().await;
    let (reads, waker) = task();
    let mut cx = task::Context::from_waker(&waker);
    let mut bytes = [0; 8];
    {
        let mut read = pin!(fd.read(&mut bytes));
        assert!(read.as_mut().poll(&mut cx).is_pending());
        theirs.write_all(&[1]).unwrap();
        assert!(is_woken(&reads).await);
        assert!(read.as_mut().poll(&mut cx).is_ready());
    }
    let before = reads.wakes();
    fd.set_read_deadline(Some(Instant::now() + Duration::from_secs(100)));
    assert_eq!(reads.wakes(), before, "nobody waits");
}

#[tokio::test]
async fn reads_and_writes_that_wait_in_turns_are_each_alone() {
    let (fd, mut theirs) = registered().await;
    let (waits, waker) = task();
    let mut cx = task::Context::from_waker(&waker);
    let full = vec![0; 1 << 20];
    for _ in 0..8 {
        let mut bytes = [0; 8];
        let mut read = pin!(fd.read(&mut bytes));
        let before = waits.wakes();
        assert!(read.as_mut().poll(&mut cx).is_pending());
        assert!(!fd.limits().is_crowded());
        theirs.write_all(&[1]).unwrap();
        while waits.wakes() == before {
            tokio::task::yield_now().await;
        }
        assert!(read.as_mut().poll(&mut cx).is_ready());

        let mut write = pin!(fd.write_all(&full));
        let mut sink = vec![0; 1 << 16];
        while write.as_mut().poll(&mut cx).is_pending() {
            assert!(!fd.limits().is_crowded());
            while theirs.read(&mut sink).is_ok() {}
            tokio::task::yield_now().await;
        }
        while theirs.read(&mut sink).is_ok() {}
    }
}
