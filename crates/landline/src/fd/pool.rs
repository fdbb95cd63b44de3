//! Buffers that a thread keeps for those of its tasks that have something to read just now.

use std::cell::RefCell;
use std::fmt;
use std::ops::{Deref, DerefMut};

/// Bytes that were read, in a buffer borrowed from the pool of the thread.
///
/// The buffer goes back when this is dropped, so keep it no longer than its bytes are needed: a task that holds one
/// while it waits for its peer again costs what the pool is there to save. A thread keeps up to 64 buffers that nobody
/// uses.
pub struct PooledBuf(Room);

/// The room of one of two sizes, and how much of it is filled. So it takes less place in a task than a slice and a length.
enum Room {
    Stream(Option<Box<[u8; STREAM]>>, u32),
    Message(Option<Box<[u8; MESSAGE]>>, u32),
}

/// What streams are read into: small enough to stay in a CPU's nearest caches, and what one TLS record holds
/// (RFC 8446 section 5.1).
pub(crate) const STREAM: usize = 16 * 1024;
/// What messages are read into: the longest datagram fits.
const MESSAGE: usize = 64 * 1024;

const KEPT: usize = 64;

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { stream: Vec::new(), message: Vec::new() }) };
}

struct Pool {
    stream: Vec<Box<[u8; STREAM]>>,
    message: Vec<Box<[u8; MESSAGE]>>,
}

impl PooledBuf {
    /// For a stream's bytes, with what was read into it last. Not compiled into its callers, so that these are small enough to
    /// be compiled into theirs (see [`attempt`](super::attempt)).
    #[inline(never)]
    pub(crate) fn for_stream() -> PooledBuf {
        PooledBuf(Room::Stream(Some(take(|pool| &mut pool.stream)), 0))
    }

    /// For a message.
    pub(crate) fn for_message() -> PooledBuf {
        PooledBuf(Room::Message(Some(take(|pool| &mut pool.message)), 0))
    }

    /// All of it, to read into.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        match &mut self.0 {
            Room::Stream(Some(room), _) => &mut room[..],
            Room::Message(Some(room), _) => &mut room[..],
            _ => &mut [],
        }
    }

    /// So many bytes were read.
    pub(crate) fn filled(mut self, count: usize) -> PooledBuf {
        let (Room::Stream(_, filled) | Room::Message(_, filled)) = &mut self.0;
        *filled = count as u32;
        self
    }

    fn len(&self) -> usize {
        let (Room::Stream(_, filled) | Room::Message(_, filled)) = self.0;
        filled as usize
    }
}

fn take<const SIZE: usize>(of: fn(&mut Pool) -> &mut Vec<Box<[u8; SIZE]>>) -> Box<[u8; SIZE]> {
    // A thread that ends has no pool any more.
    let pooled = POOL.try_with(|pool| of(&mut pool.borrow_mut()).pop()).ok().flatten();
    pooled.unwrap_or_else(new)
}

#[cold]
fn new<const SIZE: usize>() -> Box<[u8; SIZE]> {
    vec![0; SIZE].into_boxed_slice().try_into().expect("it has this size")
}

fn give_back<const SIZE: usize>(
    room: Option<Box<[u8; SIZE]>>,
    to: fn(&mut Pool) -> &mut Vec<Box<[u8; SIZE]>>,
) {
    let Some(room) = room else { return };
    let _ = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        let buffers = to(&mut pool);
        if buffers.len() < KEPT {
            buffers.push(room);
        }
    });
}

impl Drop for PooledBuf {
    fn drop(&mut self) {
        match &mut self.0 {
            Room::Stream(room, _) => give_back(room.take(), |pool| &mut pool.stream),
            Room::Message(room, _) => give_back(room.take(), |pool| &mut pool.message),
        }
    }
}

impl Deref for PooledBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let room: &[u8] = match &self.0 {
            Room::Stream(Some(room), _) => &room[..],
            Room::Message(Some(room), _) => &room[..],
            _ => &[],
        };
        &room[..self.len().min(room.len())]
    }
}

impl DerefMut for PooledBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        let filled = self.len();
        let room = self.room();
        let filled = filled.min(room.len());
        &mut room[..filled]
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
        let mut first = PooledBuf::for_stream();
        let place = first.room().as_ptr();
        assert_eq!(first.room().len(), STREAM);
        drop(first);
        let mut message = PooledBuf::for_message();
        message.room()[0] = 7;
        let message = message.filled(1);
        assert_eq!(*message, [7]);
        drop(message);
        assert_eq!(pooled(), (1, 1));
        let again = PooledBuf::for_stream().filled(3);
        assert_eq!((again.as_ptr(), again.len()), (place, 3));
        assert_eq!(pooled(), (0, 1));
    }

    #[test]
    fn no_more_are_kept_than_that() {
        let many: Vec<PooledBuf> = (0..2 * KEPT).map(|_| PooledBuf::for_stream()).collect();
        drop(many);
        assert_eq!(pooled(), (KEPT, 0));
    }

    #[test]
    fn it_takes_little_room_itself() {
        assert_eq!(size_of::<PooledBuf>(), 16);
    }
}
