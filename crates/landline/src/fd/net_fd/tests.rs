use super::*;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use tokio::io::ReadBuf;
use tokio::sync::mpsc;

/// Reads one byte as `AsyncRead` does, and says when it waits.
async fn read_polled(fd: Arc<NetFd>, waits: mpsc::UnboundedSender<()>) -> u8 {
    let mut byte = [0];
    poll_fn(|cx| {
        let mut buffer = ReadBuf::new(&mut byte);
        let polled = fd.poll_read(cx, &mut buffer);
        if polled.is_pending() {
            let _ = waits.send(());
        }
        polled
    })
    .await
    .unwrap();
    byte[0]
}

async fn read_called(fd: Arc<NetFd>, waits: mpsc::UnboundedSender<()>) -> u8 {
    let mut byte = [0];
    let mut read = Box::pin(fd.read(&mut byte));
    let polled = poll_fn(|cx| {
        let polled = read.as_mut().poll(cx);
        if polled.is_pending() {
            let _ = waits.send(());
        }
        polled
    });
    polled.await.unwrap();
    drop(read);
    byte[0]
}

#[tokio::test]
async fn a_task_that_polls_and_calls_that_wait_do_not_take_each_others_place() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let fd = Arc::new(NetFd::new(ours.into()).unwrap());
    let (waits, mut waiting) = mpsc::unbounded_channel();
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..3 {
        readers.spawn(read_called(fd.clone(), waits.clone()));
        waiting.recv().await.unwrap();
    }
    readers.spawn(read_polled(fd.clone(), waits.clone()));
    waiting.recv().await.unwrap();
    // One byte at a time, so that whoever finds nothing has to wait again.
    let mut read = Vec::new();
    for byte in 0..4 {
        theirs.write_all(&[byte]).unwrap();
        read.push(readers.join_next().await.unwrap().unwrap());
    }
    assert_eq!(read, [0, 1, 2, 3]);
}

#[tokio::test]
async fn a_reader_and_a_writer_that_wait_are_woken_each_by_its_own_event() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    theirs.set_nonblocking(true).unwrap();
    let ours = Arc::new(NetFd::new(ours.into()).unwrap());
    let theirs = NetFd::new(theirs.into()).unwrap();
    let full = vec![7; 1 << 20];
    let writer = tokio::spawn({
        let (ours, full) = (ours.clone(), full.clone());
        async move { ours.write_all(&full).await }
    });
    let (waits, mut waiting) = mpsc::unbounded_channel();
    let reader = tokio::spawn(read_called(ours.clone(), waits));
    waiting.recv().await.unwrap();
    theirs.write_all(&[9]).await.unwrap();
    assert_eq!(reader.await.unwrap(), 9);
    let mut read = 0;
    let mut buffer = vec![0; 1 << 16];
    while read < full.len() {
        read += theirs.read(&mut buffer).await.unwrap();
    }
    writer.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_that_come_to_wait_at_once_neither_is_forgotten() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let fd = Arc::new(NetFd::new(ours.into()).unwrap());
    let read = |fd: Arc<NetFd>| async move { fd.read(&mut [0]).await.unwrap() };
    for round in 0..5_000_u32 {
        // Beside them one that gives up, which may be the first of them.
        let passing = tokio::spawn(tokio::time::timeout(Duration::ZERO, read(fd.clone())));
        let readers = [(); 2].map(|()| tokio::spawn(read(fd.clone())));
        for _ in 0..round % 64 {
            std::hint::spin_loop();
        }
        // One event, of which each is to have a byte.
        theirs.write_all(&[7; 2]).unwrap();
        if passing.await.unwrap().is_ok() {
            theirs.write_all(&[7]).unwrap();
        }
        for reader in readers {
            let read = tokio::time::timeout(Duration::from_secs(20), reader).await;
            assert_eq!(read.expect("it is woken").unwrap(), 1, "round {round}");
        }
    }
}

#[test]
fn what_every_conn_has_fits_what_the_allocator_gives() {
    // With the two counts of the `Arc`. glibc gives 216 bytes, and then 16 more; of what is between two tokio tasks,
    // which are aligned to 128 bytes, more is left unused.
    let size = size_of::<Shared>() + 2 * size_of::<usize>();
    assert!(size <= 216, "{size}");
}

fn accepted() -> (NetFd, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    (NetFd::accepted(ours.into(), Arc::default()), theirs)
}

fn is_registered(fd: &NetFd) -> bool {
    fd.0.io.enter().unwrap().registration().is_some()
}

#[tokio::test]
async fn what_was_accepted_meets_the_reactor_only_when_it_has_to_wait() {
    let (fd, mut peer) = accepted();
    peer.write_all(b"hello").unwrap();
    let mut buffer = [0; 16];
    assert_eq!(fd.read(&mut buffer).await.unwrap(), 5);
    fd.write_all(b"hello").await.unwrap();
    assert!(!is_registered(&fd));
    let later = std::thread::spawn(move || {
        io::Read::read_exact(&mut peer, &mut [0; 5]).unwrap();
        peer.write_all(b"again").unwrap();
        peer
    });
    assert_eq!(fd.read(&mut buffer).await.unwrap(), 5);
    let mut peer = later.join().unwrap();
    // And from then on as any other: more than the socket takes.
    let sent = vec![7; 1 << 20];
    let reader = std::thread::spawn(move || {
        let mut received = vec![0; 1 << 20];
        io::Read::read_exact(&mut peer, &mut received).unwrap();
        received
    });
    fd.write_all(&sent).await.unwrap();
    assert_eq!(reader.join().unwrap(), sent);
    assert!(is_registered(&fd));
    assert_eq!(fd.read(&mut buffer).await.unwrap(), 0);
}

#[tokio::test]
async fn what_was_accepted_keeps_to_its_limits_before_and_after() {
    let (fd, mut peer) = accepted();
    peer.write_all(b"hello").unwrap();
    fd.set_read_deadline(Some(Instant::now()));
    assert!(matches!(fd.read(&mut [0; 8]).await, Err(Cause::Timeout)));
    fd.set_read_deadline(None);
    assert_eq!(fd.read(&mut [0; 2]).await.unwrap(), 2);
    assert_eq!(fd.read(&mut [0; 8]).await.unwrap(), 3, "a short buffer left some");
    fd.set_read_deadline(Some(Instant::now() + Duration::from_millis(5)));
    assert!(matches!(fd.readable().await, Err(Cause::Timeout)));
    fd.set_read_deadline(None);
    let mut buffer = [0; 8];
    let waiting = fd.read(&mut buffer);
    fd.close().unwrap();
    assert!(matches!(waiting.await, Err(Cause::Closed)));
}

#[tokio::test]
async fn an_idle_runtime_keeps_nothing_of_a_closed_socket() {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let fd = Arc::new(NetFd::new(ours.into()).unwrap());
    let (waits, mut waiting) = mpsc::unbounded_channel();
    let reader = tokio::spawn(read_polled(fd.clone(), waits));
    waiting.recv().await.unwrap();
    reader.abort();
    assert!(reader.await.unwrap_err().is_cancelled());
    let shared = Arc::downgrade(&fd.0);
    drop(fd);
    // The reactor gives up its place for the waker together with the registration.
    assert_eq!(shared.strong_count(), 0);
}
