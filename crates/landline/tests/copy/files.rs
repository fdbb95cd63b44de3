//! From files.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};

use landline::{Copier, CopyPath, CopySink, Detour, copy};
use rustix::io::Errno;
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{BULK, Far, assert_same, hear, pattern, pipe, soon, tcp, tls, unix};

fn file(bytes: &[u8]) -> (NamedTempFile, File) {
    let mut temporary = NamedTempFile::new().unwrap();
    temporary.write_all(bytes).unwrap();
    let file = File::open(temporary.path()).unwrap();
    (temporary, file)
}

async fn send(said: &[u8], destination: impl CopySink, mut far: Far, path: CopyPath) {
    let (_temporary, file) = file(said);
    let hearing = async {
        let mut heard = vec![0; said.len()];
        far.read_exact(&mut heard).await.unwrap();
        assert_same(&heard, said);
        far
    };
    let (copied, mut far) = soon(async { tokio::join!(copy(&file, &destination), hearing) }).await;
    let copied = copied.unwrap();
    assert_eq!((copied.bytes, copied.path), (said.len() as u64, path));
    let detour = if path == CopyPath::SendFile { None } else { Some(Detour::NoDescriptor) };
    assert_eq!(copied.detour, detour);
    // Its end is not the end of the conversation.
    let (temporary, mut file) = self::file(b"");
    drop(temporary);
    soon(copy(&file, &destination)).await.unwrap();
    assert_eq!(file.stream_position().unwrap(), 0);
    let nothing = tokio::time::timeout(std::time::Duration::from_millis(50), far.read(&mut [0])).await;
    assert!(nothing.is_err(), "{nothing:?}");
}

#[tokio::test]
async fn a_file_goes_to_a_socket_by_sendfile_and_elsewhere_by_a_buffer() {
    for size in [1, BULK] {
        let said = pattern(size);
        let (near, far) = tcp().await;
        send(&said, near, Box::new(far), CopyPath::SendFile).await;
        let (near, far) = unix();
        send(&said, near, Box::new(far), CopyPath::SendFile).await;
        let (near, far) = pipe();
        send(&said, near, Box::new(far), CopyPath::Buffer).await;
        let (near, far) = tls().await;
        send(&said, near, far, CopyPath::Buffer).await;
    }
}

#[tokio::test]
async fn it_is_read_from_its_cursor_up_to_the_limit_and_the_cursor_moves() {
    let said = pattern(100_000);
    let (_temporary, mut file) = file(&said);
    file.seek(SeekFrom::Start(10)).unwrap();
    let (near, mut far) = tcp().await;
    let copied = soon(Copier::new().limit(50_000).copy(&file, &near)).await.unwrap();
    assert_eq!((copied.bytes, copied.path), (50_000, CopyPath::SendFile));
    assert_eq!(file.stream_position().unwrap(), 50_010);
    let copied = soon(Copier::new().prefix("--").copy(&file, &near)).await.unwrap();
    assert_eq!((copied.bytes, copied.path, copied.detour), (49_992, CopyPath::SendFile, None));
    assert_eq!(soon(copy(&file, &near)).await.unwrap().bytes, 0, "at its end");
    drop(near);
    let heard = hear(&mut far).await;
    assert_same(&heard, &[&said[10..50_010], b"--", &said[50_010..]].concat());
}

#[tokio::test]
async fn a_file_that_grows_is_sent_to_where_it_ends_then() {
    let said = pattern(3 << 20);
    let (mut temporary, file) = file(&said);
    let (near, mut far) = tcp().await;
    let hearing = async {
        let mut heard = vec![0; said.len()];
        far.read_exact(&mut heard[..1000]).await.unwrap();
        temporary.write_all(b"more").unwrap();
        far.read_exact(&mut heard[1000..]).await.unwrap();
        let mut more = [0; 4];
        far.read_exact(&mut more).await.unwrap();
        assert_eq!(&more, b"more");
    };
    // Small buffers, so that it is not all under way before it grows.
    near.set_send_buffer_size(64 << 10).unwrap();
    let (copied, ()) = soon(async { tokio::join!(copy(&file, &near), hearing) }).await;
    assert_eq!(copied.unwrap().bytes, (3 << 20) + 4);
}

#[tokio::test]
async fn a_file_that_shrinks_ends_early() {
    let said = pattern(32 << 20);
    let (temporary, file) = file(&said);
    let (near, mut far) = tcp().await;
    near.set_send_buffer_size(64 << 10).unwrap();
    let hearing = async {
        far.read_exact(&mut [0; 1000]).await.unwrap();
        temporary.as_file().set_len(1).unwrap();
        let mut heard = 1000;
        let mut buffer = vec![0; 1 << 20];
        loop {
            match far.read(&mut buffer).await.unwrap() {
                0 => return heard,
                count => heard += count,
            }
        }
    };
    let copying = async {
        let copied = copy(&file, &near).await;
        near.close_write().unwrap();
        copied
    };
    let (copied, heard) = soon(async { tokio::join!(copying, hearing) }).await;
    let copied = copied.unwrap();
    assert_eq!(copied.bytes, heard as u64);
    assert!(copied.bytes < 32 << 20);
}

#[tokio::test]
async fn a_file_without_a_size_is_read() {
    let (near, mut far) = tcp().await;
    let file = File::open("/proc/self/status").unwrap();
    let copied = soon(copy(&file, &near)).await.unwrap();
    assert_eq!((copied.path, copied.detour), (CopyPath::Buffer, Some(Detour::UnknownSize)));
    near.close_write().unwrap();
    let heard = String::from_utf8(hear(&mut far).await).unwrap();
    assert!(heard.starts_with("Name:") && heard.len() as u64 == copied.bytes, "{heard}");
}

#[tokio::test]
async fn what_would_block_the_thread_is_refused() {
    let (near, mut far) = tcp().await;
    let directory = tempfile::tempdir().unwrap();
    let error = copy(&File::open(directory.path()).unwrap(), &near).await.unwrap_err();
    assert_eq!(error.errno(), Some(Errno::ISDIR));
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"never read").unwrap();
    let reader = File::from(std::os::fd::OwnedFd::from(reader));
    let error = copy(&reader, &near).await.unwrap_err();
    assert_eq!(error.errno(), Some(Errno::INVAL));
    assert_eq!(error.to_string(), "read: invalid argument");
    // And neither did any harm.
    near.write_all(b"x").await.unwrap();
    far.read_exact(&mut [0]).await.unwrap();
    let mut unread = [0; 10];
    (&reader).read_exact(&mut unread).unwrap();
    fs::remove_dir(directory.path()).unwrap();
}

#[tokio::test]
async fn a_peer_that_goes_away_fails_the_destination() {
    let (_temporary, file) = file(&pattern(32 << 20));
    let (near, mut far) = tcp().await;
    let leaving = async {
        far.write_all(b"unread").await.unwrap();
        far.read_exact(&mut [0; 1000]).await.unwrap();
        drop(far);
    };
    let (ended, ()) = soon(async { tokio::join!(copy(&file, &near), leaving) }).await;
    let error = ended.unwrap_err();
    assert_eq!(error.operation(), landline::Operation::Write);
    assert!(error.is_connection_reset() || error.errno() == Some(Errno::PIPE), "{error}");
    assert!(error.copied()[0].bytes > 0);
}
