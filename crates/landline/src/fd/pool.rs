//! Buffers that a thread keeps for those of its tasks that have something to read just now.

use std::cell::RefCell;
use std::fmt;
use std::ops::{Deref, DerefMut};

/// Bytes that were read, in a buffer borrowed from the pool of the thread.
///
/// The buffer goes back when this is dropped, so keep it no longer than its bytes are needed: a task that holds one
/// while it waits for its peer again costs what the pool is there to save. A thread keeps up to 64 buffers that nobody
/// uses.
pub struct PooledBuf {
    room: Box<[u8]>,
    filled: usize,
}

/// What streams are read into: small enough to stay in a CPU's nearest cache, and what one TLS record holds
/// (RFC 8446 section 5.1).
pub(crate) const STREAM: usize = 16 * 1024;
/// What messages are read into: the longest datagram fits.
pub(crate) const MESSAGE: usize = 64 * 1024;

const KEPT: usize = 64;

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { stream: Vec::new(), message: Vec::new() }) };
}

struct Pool {
    stream: Vec<Box<[u8]>>,
    message: Vec<Box<[u8]>>,
}

impl Pool {
    fn of_size(&mut self, size: usize) -> &mut Vec<Box<[u8]>> {
        if size == STREAM { &mut self.stream } else { &mut self.message }
    }
}

impl PooledBuf {
    /// Of [`STREAM`] or [`MESSAGE`] bytes, with what was read into it last.
    pub(crate) fn take(size: usize) -> PooledBuf {
        let pooled = POOL.try_with(|pool| pool.borrow_mut().of_size(size).pop()).ok().flatten();
        PooledBuf { room: pooled.unwrap_or_else(|| vec![0; size].into()), filled: 0 }
    }

    /// All of it, to read into.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        &mut self.room
    }

    /// So many bytes were read.
    pub(crate) fn filled(mut self, count: usize) -> PooledBuf {
        self.filled = count.min(self.room.len());
        self
    }
}

impl Drop for PooledBuf {
    fn drop(&mut self) {
        let room = std::mem::take(&mut self.room);
        // A thread that ends has no pool any more.
        let _ = POOL.try_with(|pool| {
            let mut pool = pool.borrow_mut();
            let buffers = pool.of_size(room.len());
            if buffers.len() < KEPT {
                buffers.push(room);
            }
        });
    }
}

impl Deref for PooledBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.room[..self.filled]
    }
}

impl DerefMut for PooledBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.room[..self.filled]
    }
}

impl AsRef<[u8]> for PooledBuf {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for PooledBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pooled() -> (usize, usize) {
        POOL.with_borrow(|pool| (pool.stream.len(), pool.message.len()))
    }

    #[test]
    fn buffers_go_back_and_are_used_again() {
        let first = PooledBuf::take(STREAM);
        let place = first.room.as_ptr();
        drop(first);
        drop(PooledBuf::take(MESSAGE));
        assert_eq!(pooled(), (1, 1));
        let again = PooledBuf::take(STREAM).filled(3);
        assert_eq!((again.room.as_ptr(), again.len()), (place, 3));
        assert_eq!(pooled(), (0, 1));
    }

    #[test]
    fn no_more_are_kept_than_that() {
        let many: Vec<PooledBuf> = (0..2 * KEPT).map(|_| PooledBuf::take(STREAM)).collect();
        drop(many);
        assert_eq!(pooled(), (KEPT, 0));
    }
}
