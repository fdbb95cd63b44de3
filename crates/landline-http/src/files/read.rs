//! Reading of files without making others wait.
//!
//! What is in the page cache is read at once (`RWF_NOWAIT`, preadv2(2)); for what is not, a thread of the runtime's pool
//! waits for the disk.

use std::fs::File;
use std::future::poll_fn;
use std::io::{self, IoSliceMut};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use rustix::io::{Errno, ReadWriteFlags, pread, preadv2};
use tokio::task::JoinHandle;

/// How many bytes are read and sent at a time.
pub(super) const CHUNK: usize = 64 * 1024;
/// How far apart the looks are whether a file is in memory.
const STRIDE: usize = CHUNK;

/// Runs what may block on a thread of the pool. Dropped, it runs no more if it has not begun, and else to its end, which
/// nobody hears of.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let mut running = Running(tokio::task::spawn_blocking(work));
    poll_fn(|cx| running.poll(cx)).await
}

/// Work on a thread of the pool.
struct Running<T>(JoinHandle<io::Result<T>>);

impl<T> Running<T> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        Pin::new(&mut self.0).poll(cx).map(|ended| ended.map_err(io::Error::other)?)
    }
}

impl<T> Drop for Running<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Reads a file from a position on.
pub(super) struct Reader {
    file: Arc<File>,
    running: Option<Running<Bytes>>,
}

impl Reader {
    pub(super) fn new(file: Arc<File>) -> Reader {
        Reader { file, running: None }
    }

    /// Up to `length` bytes from `offset` on, at most a chunk; none at the end of the file. To be asked with the same
    /// position until it is ready.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        offset: u64,
        length: u64,
    ) -> Poll<io::Result<Bytes>> {
        let size = usize::try_from(length).map_or(CHUNK, |length| length.min(CHUNK));
        if self.running.is_none() {
            match cached(&self.file, offset, size) {
                Ok(Some(bytes)) => return Poll::Ready(Ok(bytes)),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
        let file = &self.file;
        let running = self.running.get_or_insert_with(|| {
            let file = file.clone();
            Running(tokio::task::spawn_blocking(move || patiently(&file, offset, size)))
        });
        let read = ready!(running.poll(cx));
        self.running = None;
        Poll::Ready(read)
    }

    /// The file, unless some of it is being read.
    pub(super) fn idle_file(&self) -> Option<&Arc<File>> {
        Some(&self.file).filter(|_| self.running.is_none())
    }

    /// As [`Reader::poll_read`].
    pub(super) async fn read(&mut self, offset: u64, length: u64) -> io::Result<Bytes> {
        poll_fn(|cx| self.poll_read(cx, offset, length)).await
    }
}

/// What of it is in memory; none where nothing is, or the file system does not say.
fn cached(file: &File, offset: u64, size: usize) -> Result<Option<Bytes>, Errno> {
    let mut buffer = vec![0; size];
    match preadv2(file, &mut [IoSliceMut::new(&mut buffer)], offset, ReadWriteFlags::NOWAIT) {
        Ok(count) => {
            buffer.truncate(count);
            Ok(Some(buffer.into()))
        }
        Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INTR) => Ok(None),
        Err(error) => Err(error),
    }
}

/// How many of the `length` bytes from `offset` on are in memory, as far as a look at one in [`STRIDE`] tells.
pub(super) fn cached_length(file: &File, offset: u64, length: u64) -> u64 {
    let is_cached = |at: u64| {
        let mut byte = [0];
        let looked = preadv2(file, &mut [IoSliceMut::new(&mut byte)], offset + at, ReadWriteFlags::NOWAIT);
        looked == Ok(1)
    };
    let missing = (0..length).step_by(STRIDE).find(|&at| !is_cached(at));
    missing.map_or(length, |at| at.saturating_sub(STRIDE as u64))
}

fn patiently(file: &File, offset: u64, size: usize) -> io::Result<Bytes> {
    let mut buffer = vec![0; size];
    loop {
        match pread(file, &mut buffer, offset) {
            Err(Errno::INTR) => {}
            read => {
                buffer.truncate(read?);
                return Ok(buffer.into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[tokio::test]
    async fn both_ways_of_reading_give_the_same() {
        let mut file = tempfile::tempfile().unwrap();
        let content: Vec<u8> = (0..CHUNK + 10).map(|at| (at % 251) as u8).collect();
        file.write_all(&content).unwrap();
        let file = Arc::new(file);
        let mut reader = Reader::new(file.clone());
        for (offset, length) in [(0, u64::MAX), (7, 20), (CHUNK as u64, 100), (CHUNK as u64 + 10, 1)] {
            let read = reader.read(offset, length).await.unwrap();
            let size = usize::try_from(length.min(CHUNK as u64)).unwrap();
            assert_eq!(read, patiently(&file, offset, size).unwrap());
            let from = usize::try_from(offset).unwrap();
            assert_eq!(read, content[from..(from + size).min(content.len())]);
        }
    }
}
