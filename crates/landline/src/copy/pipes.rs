//! The pipes that bytes are spliced through.
//!
//! Making one costs more than a splice, so those that are empty wait here for the next that has something to move; a
//! copy that waits for its source holds none. With the last copy of the process goes the last of them.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};

/// What a pipe holds, in bytes and (by pages of 4 KiB) in pieces. Measured on loopback: the default of 64 KiB costs a
/// fifth more CPU per byte, twice as much gains nothing; and 128 of these are what one user may have before the kernel
/// makes them small (`fs.pipe-user-pages-soft`, pipe(7)).
pub(super) const CAPACITY: usize = 512 * 1024;
/// How many empty ones wait. A thread has one in hand at a time unless the destinations are slow.
const WAITING: usize = 8;

static POOL: Mutex<Pool> = Mutex::new(Pool { empty: Vec::new(), copies: 0 });

struct Pool {
    empty: Vec<Pipe>,
    /// How many copies there are that may splice.
    copies: usize,
}

struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
}

/// Keeps the pool alive; one for each copy that may splice.
pub(super) struct Member(());

/// A pipe in use. One that still holds something when it is dropped is closed, and what it holds is gone.
pub(super) struct Lease {
    /// `None` only while it is dropped.
    pipe: Option<Pipe>,
    held: usize,
}

impl Member {
    pub(super) fn join() -> Member {
        pool().copies += 1;
        Member(())
    }

    /// An empty pipe.
    pub(super) fn lease(&self) -> rustix::io::Result<Lease> {
        let waiting = pool().empty.pop();
        let pipe = match waiting {
            Some(pipe) => pipe,
            None => Pipe::new()?,
        };
        Ok(Lease { pipe: Some(pipe), held: 0 })
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut pool = pool();
        pool.copies -= 1;
        if pool.copies == 0 {
            let empty = std::mem::take(&mut pool.empty);
            // Closed outside the lock.
            drop(pool);
            drop(empty);
        }
    }
}

impl Lease {
    pub(super) fn write_end(&self) -> BorrowedFd<'_> {
        self.pipe().write.as_fd()
    }

    pub(super) fn read_end(&self) -> BorrowedFd<'_> {
        self.pipe().read.as_fd()
    }

    /// How many bytes are in it.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    pub(super) fn filled(&mut self, count: usize) {
        self.held += count;
    }

    pub(super) fn drained(&mut self, count: usize) {
        self.held -= count;
    }

    fn pipe(&self) -> &Pipe {
        self.pipe.as_ref().expect("taken only while dropped")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.held > 0 {
            return;
        }
        let mut pool = pool();
        // The copy that leased it may be the last and have left.
        if pool.copies > 0 && pool.empty.len() < WAITING {
            pool.empty.extend(self.pipe.take());
        }
    }
}

impl Pipe {
    fn new() -> rustix::io::Result<Pipe> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        // Refused to a user who has too many; a smaller one does as well.
        let _ = fcntl_setpipe_size(&write, CAPACITY);
        Ok(Pipe { read, write })
    }
}

fn pool() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}
