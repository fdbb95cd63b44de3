//! What is in a directory.

use std::io;
use std::os::fd::OwnedFd;
use std::time::SystemTime;

use rustix::fs::{AtFlags, Dir, FileType, statat};

use super::path::is_hidden;
use super::root::{Root, modified};

/// More names than this are not read, so that a page stays one.
pub(super) const MOST_ENTRIES: usize = 10_000;

/// The files and directories of a directory.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listing {
    /// Directories first, each kind by name.
    pub(super) entries: Vec<Entry>,
    /// There are more.
    pub(super) is_cut: bool,
}

/// A file or a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: Vec<u8>,
    pub(super) kind: Kind,
    pub(super) modified: Option<SystemTime>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Directory,
    File { length: u64 },
}

impl Listing {
    /// Reads a directory, whose name from the root is `path`. What would not be served is left out: links that lead out,
    /// devices, and hidden names unless they are wanted. Blocks.
    pub(super) fn read(
        root: &Root,
        path: &[u8],
        directory: OwnedFd,
        is_hidden_served: bool,
    ) -> io::Result<Listing> {
        let is_root = path == b".";
        let mut directory = Dir::new(directory)?;
        let mut names = Vec::new();
        let mut is_cut = false;
        while let Some(entry) = directory.read() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") || (is_hidden(name, is_root) && !is_hidden_served) {
                continue;
            }
            if names.len() == MOST_ENTRIES {
                is_cut = true;
                break;
            }
            names.push(name.to_vec());
        }
        let entries = names.into_iter().filter_map(|name| {
            let stat = statat(directory.fd().ok()?, &*name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
            let stat = match FileType::from_raw_mode(stat.st_mode) {
                FileType::Symlink => root.stat(&[path, &name].join(&b'/')).ok()?,
                _ => stat,
            };
            let kind = match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => Kind::Directory,
                FileType::RegularFile => Kind::File { length: u64::try_from(stat.st_size).unwrap_or(0) },
                _ => return None,
            };
            Some(Entry { name, kind, modified: modified(&stat) })
        });
        Ok(Listing::new(entries.collect(), is_cut))
    }

    pub(super) fn new(mut entries: Vec<Entry>, is_cut: bool) -> Listing {
        entries.sort_by(|a, b| {
            let is_file = |entry: &Entry| entry.kind != Kind::Directory;
            is_file(a).cmp(&is_file(b)).then_with(|| a.name.cmp(&b.name))
        });
        Listing { entries, is_cut }
    }
}
