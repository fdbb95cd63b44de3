//! Closing a descriptor whose number must stay valid.

use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::DupFlags;

/// Closes the file behind `fd` while keeping its number taken, by a placeholder on which every operation fails with
/// `EBADF` (an `O_PATH` descriptor, open(2)).
///
/// Whoever borrowed the number can thus never reach a stranger's file that was opened since. If no placeholder can
/// be opened because descriptors have run out, the file stays open until the number is dropped.
pub(crate) fn replace_with_placeholder(fd: &OwnedFd) -> rustix::io::Result<()> {
    let placeholder = rustix::fs::openat(CWD, "/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    // SAFETY: the number is owned by `fd`, which outlives this copy, and ManuallyDrop keeps the copy from closing it.
    let mut copy = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(fd.as_raw_fd()) });
    rustix::io::dup3(&placeholder, &mut copy, DupFlags::CLOEXEC)
}
