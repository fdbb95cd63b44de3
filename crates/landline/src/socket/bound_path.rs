//! The file that a Unix socket is bound to, and its removal.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{FileType, Stat};

use crate::addr::UnixAddr;

/// The file made by `bind()`. It is removed with its socket, at the latest when this is dropped; but only by the
/// process that bound it, and only while it still is that file.
///
/// Between the look at the file and its removal another could take its place; Linux has no way to close that gap.
#[derive(Debug)]
pub(crate) struct BoundPath {
    /// Absolute, since the working directory may change.
    path: PathBuf,
    device: u64,
    inode: u64,
    process: u32,
    wanted: AtomicBool,
}

impl BoundPath {
    /// The file behind an address just bound to; `None` if the address is not one of a file.
    pub(crate) fn of(addr: &UnixAddr) -> Option<BoundPath> {
        let path = std::path::absolute(addr.as_path()?).ok()?;
        let file = rustix::fs::lstat(&path).ok()?;
        if FileType::from_raw_mode(file.st_mode) != FileType::Socket {
            return None;
        }
        let (device, inode) = identity(&file);
        Some(BoundPath { path, device, inode, process: std::process::id(), wanted: AtomicBool::new(true) })
    }

    /// Whether the file is to be removed.
    pub(crate) fn is_unlinked_on_close(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    pub(crate) fn set_unlink_on_close(&self, wanted: bool) {
        self.wanted.store(wanted, Ordering::Relaxed);
    }

    /// Removes the file, once. To be called while the socket is still open, which keeps its inode number from being
    /// given to another file.
    pub(crate) fn unlink(&self) {
        if !self.wanted.swap(false, Ordering::Relaxed) || std::process::id() != self.process {
            return;
        }
        if rustix::fs::lstat(&self.path).is_ok_and(|file| identity(&file) == (self.device, self.inode)) {
            // Whoever may no longer remove it leaves it, as a crash would.
            let _ = rustix::fs::unlink(&self.path);
        }
    }
}

fn identity(file: &Stat) -> (u64, u64) {
    (file.st_dev, file.st_ino)
}

impl Drop for BoundPath {
    fn drop(&mut self) {
        self.unlink();
    }
}
