//! Registering a descriptor with the reactor of the current runtime.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// An owner of one descriptor, which stays the same and stays open for as long as the owner lives.
pub(crate) trait Owner: AsRawFd {}

impl Owner for OwnedFd {}
impl Owner for Arc<OwnedFd> {}

/// Registers it; an error closes the descriptor, unless it has other owners.
///
/// # Panics
/// Outside a tokio runtime.
pub(crate) fn register<T: Owner>(fd: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    // SAFETY: only types that keep one descriptor open while they live are `Owner`s, and the AsyncFd keeps it.
    Ok(unsafe { AsyncFd::register_with_interest(fd, interest) }?)
}
