//! Copying while the process has no descriptors left for a pipe. One test, and a process of its own, because the limit
//! is the whole process's.

use std::fs::File;
use std::io::{Read, Write};
use std::time::Duration;

use landline::{CopyPath, Detour, UnixConn, copy};
use rustix::io::Errno;
use tokio::time::timeout;

const BULK: usize = 8 << 20;

#[tokio::test]
async fn without_a_pipe_it_goes_through_the_buffer_and_says_why() {
    let (source, mut from_far) = std::os::unix::net::UnixStream::pair().unwrap();
    let (destination, mut to_far) = std::os::unix::net::UnixStream::pair().unwrap();
    let (source, destination) =
        (UnixConn::from_std(source).unwrap(), UnixConn::from_std(destination).unwrap());
    let talking = std::thread::spawn(move || {
        from_far.write_all(&vec![7; BULK]).unwrap();
    });
    let hearing = std::thread::spawn(move || {
        let mut heard = Vec::new();
        to_far.read_to_end(&mut heard).unwrap();
        heard
    });
    let hoard: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    let copied = timeout(Duration::from_secs(60), copy(&source, &destination)).await.unwrap().unwrap();
    drop(hoard);
    assert_eq!((copied.bytes, copied.path), (BULK as u64, CopyPath::Buffer));
    assert_eq!(copied.detour, Some(Detour::NoPipe(Errno::MFILE)));
    talking.join().unwrap();
    assert!(hearing.join().unwrap() == vec![7; BULK]);
}
