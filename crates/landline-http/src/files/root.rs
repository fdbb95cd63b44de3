//! Opening what is below a directory, and nothing that is not.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat, openat2};
use rustix::io::Errno;

use super::condition::Validators;

/// Neither `..` nor a symbolic link leaves the directory (openat2(2)).
const BENEATH: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS);
/// A FIFO or a device is opened without waiting for anybody.
const READ: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);
/// The kernel gives up where somebody renames while it resolves (openat2(2), `EAGAIN`).
const MOST_TRIES: usize = 16;

/// The directory served.
#[derive(Debug)]
pub(super) struct Root(OwnedFd);

/// What a name stands for.
#[derive(Debug)]
pub(super) enum Found {
    File(File),
    Directory(OwnedFd),
}

/// A regular file, open to be read.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub(super) descriptor: Arc<fs::File>,
    pub(super) length: u64,
    pub(super) modified: Option<SystemTime>,
    inode: u64,
    /// In nanoseconds, before 1970 too.
    changed: i128,
}

impl Root {
    /// Opens the directory, and tries whether the kernel can keep to it.
    pub(super) fn open(path: &Path) -> io::Result<Root> {
        let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = Root(openat(CWD, path, directory, Mode::empty())?);
        openat2(&root.0, ".", directory, Mode::empty(), BENEATH).map_err(|error| match error {
            Errno::NOSYS => io::Error::new(io::ErrorKind::Unsupported, "this kernel has no openat2(2)"),
            error => error.into(),
        })?;
        Ok(root)
    }

    /// Opens a name from the directory. What the kernel has in its caches is opened at once, everything else on a thread
    /// that may wait for a disk; what is neither a file nor a directory is not found.
    pub(super) async fn find(self: &Arc<Self>, name: Vec<u8>) -> io::Result<Found> {
        match self.open_with(&name, READ, ResolveFlags::CACHED) {
            // Not in the caches, or a kernel or file system that knows no such question (openat2(2)).
            Err(Errno::AGAIN | Errno::INVAL) => {}
            opened => return found(opened),
        }
        let root = self.clone();
        super::read::blocking(move || found(root.open_patiently(&name, READ))).await
    }

    /// What is known of a name, through symbolic links that do not leave the directory. Blocks.
    pub(super) fn stat(&self, name: &[u8]) -> io::Result<Stat> {
        Ok(fstat(self.open_patiently(name, OFlags::PATH | OFlags::CLOEXEC)?)?)
    }

    fn open_patiently(&self, name: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let mut opened = Err(Errno::AGAIN);
        for _ in 0..MOST_TRIES {
            opened = self.open_with(name, flags, ResolveFlags::empty());
            if !matches!(opened, Err(Errno::AGAIN | Errno::INTR)) {
                break;
            }
        }
        opened
    }

    fn open_with(&self, name: &[u8], flags: OFlags, more: ResolveFlags) -> Result<OwnedFd, Errno> {
        openat2(&self.0, name, flags, Mode::empty(), BENEATH | more)
    }
}

/// Looks at what was opened.
fn found(opened: Result<OwnedFd, Errno>) -> io::Result<Found> {
    let descriptor = opened?;
    let stat = fstat(&descriptor)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(Found::File(File::new(descriptor, &stat))),
        FileType::Directory => Ok(Found::Directory(descriptor)),
        _ => Err(Errno::NOENT.into()),
    }
}

impl File {
    fn new(descriptor: OwnedFd, stat: &Stat) -> File {
        File {
            descriptor: Arc::new(descriptor.into()),
            length: u64::try_from(stat.st_size).unwrap_or(0),
            modified: modified(stat),
            inode: stat.st_ino,
            changed: i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec),
        }
    }

    pub(super) fn validators(&self) -> Validators {
        Validators {
            tag: format!("\"{:x}-{:x}-{:x}\"", self.inode, self.length, self.changed),
            modified: self.modified,
        }
    }

    /// Whether it was changed before another was.
    pub(super) fn is_older_than(&self, other: &File) -> bool {
        self.changed < other.changed
    }
}

/// When a file was changed, in whole seconds, if that can be told as HTTP tells dates: after 1970, as zero is what files
/// without a time have, and before the year 10000.
pub(super) fn modified(stat: &Stat) -> Option<SystemTime> {
    const YEAR_10000: u64 = 253_402_300_800;
    let seconds = u64::try_from(stat.st_mtime).ok().filter(|seconds| (1..YEAR_10000).contains(seconds))?;
    Some(UNIX_EPOCH + Duration::from_secs(seconds))
}
