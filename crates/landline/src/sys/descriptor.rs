//! Descriptors by their numbers.

use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::DupFlags;

/// Closes the file behind `fd` while keeping its number taken, by a placeholder on which every operation fails with
/// `EBADF` (an `O_PATH` descriptor, open(2)).
///
/// Whoever borrowed the number can thus never reach a stranger's file that was opened since. If no placeholder can
/// be opened because descriptors have run out, the file stays open until the number is dropped.
pub(super) fn replace_with_placeholder(fd: &OwnedFd) -> rustix::io::Result<()> {
    let placeholder = rustix::fs::openat(CWD, "/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    // SAFETY: the number is owned by `fd`, which outlives this copy, and ManuallyDrop keeps the copy from closing it.
    let mut copy = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(fd.as_raw_fd()) });
    rustix::io::dup3(&placeholder, &mut copy, DupFlags::CLOEXEC)
}

/// Takes a descriptor over that this process was started with.
///
/// The caller has looked that it is open and sees to it that nobody else takes it: that a number in an address means
/// a descriptor nobody owns is the contract of whoever gave the address, as with systemd's `sd_listen_fds`.
pub(crate) fn adopt(number: RawFd) -> OwnedFd {
    // SAFETY: the contract above.
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// Borrows a descriptor by its number, which may turn out not to be open.
pub(crate) fn with_descriptor<T>(number: RawFd, look: impl FnOnce(BorrowedFd<'_>) -> T) -> T {
    assert!(number >= 0, "numbers of descriptors are not negative");
    // SAFETY: the borrow ends with `look`, which makes system calls only; those fail with EBADF if it is not open.
    look(unsafe { BorrowedFd::borrow_raw(number) })
}
