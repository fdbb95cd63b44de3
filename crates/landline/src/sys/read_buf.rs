//! Receiving into tokio's [`ReadBuf`] without clearing it first.

use std::mem::MaybeUninit;

use tokio::io::ReadBuf;

/// Offers the unfilled part of `buffer` to `receive`, which returns the part it has initialized, and counts that part
/// as filled.
pub(crate) fn fill(
    buffer: &mut ReadBuf<'_>,
    receive: impl FnOnce(&mut [MaybeUninit<u8>]) -> rustix::io::Result<&mut [u8]>,
) -> rustix::io::Result<usize> {
    // SAFETY: `receive` gets the spare part as uninitialized memory; safe code can only write initialized bytes.
    let spare = unsafe { buffer.unfilled_mut() };
    let (start, room) = (spare.as_ptr().addr(), spare.len());
    let filled = receive(spare)?;
    assert!(filled.as_ptr().addr() == start && filled.len() <= room, "not the part that was offered");
    let count = filled.len();
    // SAFETY: the assertion above: the first `count` bytes of the spare part are a `[u8]`, so they are initialized.
    unsafe { buffer.assume_init(count) };
    buffer.advance(count);
    Ok(count)
}
