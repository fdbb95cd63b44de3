//! One file, read again when it has changed.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// A file's time may be that of an earlier write of the same moment, so that it says nothing of one that followed. A
/// file changed this shortly before it was read is read again the next time. (git does the same with its index.)
const UNSETTLED: Duration = Duration::from_secs(2);

/// A file and what it was understood to say.
pub(super) struct Watched<T> {
    path: PathBuf,
    cap: usize,
    seen: Seen,
    value: Arc<T>,
}

/// What was found when the file was last read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// It was not looked at, or what was seen is not to be relied on.
    Nothing,
    File(Identity),
    Error(Errno),
}

/// Other contents have another one of these.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    seconds: i64,
    nanoseconds: i64,
}

/// What a look at the file came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing new.
    None,
    /// It was read again, or is gone.
    Read,
}

impl<T> Watched<T> {
    /// The file at `path`, of which no more than `cap` bytes are read.
    pub(super) fn new(path: &Path, cap: usize, value: T) -> Watched<T> {
        Watched { path: path.to_owned(), cap, seen: Seen::Nothing, value: Arc::new(value) }
    }

    /// What it says; while it is missing or cannot be read, what an empty file does.
    pub(super) fn value(&self) -> &Arc<T> {
        &self.value
    }

    /// Why it could not be read.
    pub(super) fn error(&self) -> Option<Errno> {
        match self.seen {
            Seen::Error(error) => Some(error),
            Seen::Nothing | Seen::File(_) => None,
        }
    }

    /// Has the next look read it in any case.
    pub(super) fn forget(&mut self) {
        self.seen = Seen::Nothing;
    }

    /// Looks at the file, and reads it if it is another than before.
    pub(super) fn refresh(&mut self, parse: impl FnOnce(&[u8]) -> T) -> Change {
        let seen = match std::fs::metadata(&self.path) {
            Ok(metadata) => Seen::File(Identity::of(&metadata)),
            Err(error) => Seen::Error(errno(&error)),
        };
        if seen == self.seen {
            return Change::None;
        }
        let (seen, text) = match read(&self.path, self.cap).map_err(|error| errno(&error)) {
            Ok((identity, text)) if identity.is_settled() => (Seen::File(identity), text),
            Ok((_, text)) => (Seen::Nothing, text),
            // This process lacks something for the moment; the file has not changed by that.
            Err(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::INTR) => return Change::None,
            Err(error) if self.seen == Seen::Error(error) => return Change::None,
            Err(error) => (Seen::Error(error), Vec::new()),
        };
        self.seen = seen;
        self.value = Arc::new(parse(&text));
        Change::Read
    }
}

/// Reads up to `cap` bytes; of a longer file, the whole lines among them.
fn read(path: &Path, cap: usize) -> io::Result<(Identity, Vec<u8>)> {
    // Without blocking, so that a FIFO in the file's place is an empty file and not a hang.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    // Taken before the contents: a write that comes between the two shows as a change at the next look.
    let identity = Identity::of(&file.metadata()?);
    let mut text = Vec::new();
    file.take(cap as u64 + 1).read_to_end(&mut text)?;
    if text.len() > cap {
        let end = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        text.truncate(end);
    }
    Ok((identity, text))
}

fn errno(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

impl Identity {
    fn of(metadata: &Metadata) -> Identity {
        Identity {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            seconds: metadata.mtime(),
            nanoseconds: metadata.mtime_nsec(),
        }
    }

    /// Whether its time is far enough from now that a later write would have another. One in the future is as good as
    /// one in the past.
    fn is_settled(&self) -> bool {
        let Ok(seconds) = u64::try_from(self.seconds) else { return true };
        let changed = UNIX_EPOCH + Duration::from_secs(seconds);
        let now = SystemTime::now();
        let distance = now.duration_since(changed).unwrap_or_else(|error| error.duration());
        distance > UNSETTLED
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::files::tests::Directory;

    fn text(bytes: &[u8]) -> String {
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn a_file_is_read_when_it_appears_changes_and_goes() {
        let directory = Directory::new();
        let path = directory.path("file");
        let mut watched = Watched::new(&path, 100, String::from("nothing read"));
        assert_eq!(watched.refresh(text), Change::Read);
        assert_eq!((watched.value().as_str(), watched.error()), ("", Some(Errno::NOENT)));
        assert_eq!(watched.refresh(text), Change::None);

        directory.write_long_ago("file", "one");
        assert_eq!(watched.refresh(text), Change::Read);
        assert_eq!((watched.value().as_str(), watched.error()), ("one", None));
        assert_eq!(watched.refresh(|_| unreachable!("read without need")), Change::None);

        directory.write_long_ago("file", "longer");
        assert_eq!(watched.refresh(text), Change::Read);
        assert_eq!(watched.value().as_str(), "longer");

        std::fs::remove_file(&path).unwrap();
        assert_eq!(watched.refresh(text), Change::Read);
        assert_eq!((watched.value().as_str(), watched.error()), ("", Some(Errno::NOENT)));
    }

    #[test]
    fn a_file_renamed_into_place_is_another_file_though_size_and_time_agree() {
        let directory = Directory::new();
        directory.write_long_ago("file", "one");
        directory.write_long_ago("new", "two");
        let mut watched = Watched::new(&directory.path("file"), 100, String::new());
        watched.refresh(text);
        std::fs::rename(directory.path("new"), directory.path("file")).unwrap();
        assert_eq!(watched.refresh(text), Change::Read);
        assert_eq!(watched.value().as_str(), "two");
    }

    #[test]
    fn a_file_written_a_moment_ago_is_not_relied_on() {
        let directory = Directory::new();
        directory.write("file", "one");
        let mut watched = Watched::new(&directory.path("file"), 100, String::new());
        watched.refresh(text);
        let before = std::fs::metadata(directory.path("file")).unwrap().modified().unwrap();
        directory.write("file", "two");
        directory.set_modified("file", before);
        assert_eq!(watched.refresh(text), Change::Read);
        assert_eq!(watched.value().as_str(), "two");
    }

    #[test]
    fn of_a_file_over_the_cap_the_whole_lines_are_read() {
        let directory = Directory::new();
        directory.write_long_ago("file", &"0123456789\n".repeat(10_000));
        let mut watched = Watched::new(&directory.path("file"), 50_000, String::new());
        watched.refresh(text);
        assert_eq!(watched.value().len(), 50_000 / 11 * 11);
        let mut watched = Watched::new(Path::new("/dev/zero"), 50_000, String::new());
        watched.refresh(text);
        assert_eq!(watched.value().len(), 0);
    }

    #[test]
    fn what_is_no_file_neither_hangs_nor_panics() {
        let directory = Directory::new();
        let mut watched = Watched::new(&directory.path(""), 100, String::new());
        watched.refresh(text);
        assert_eq!(watched.error(), Some(Errno::ISDIR));
        assert_eq!(watched.refresh(text), Change::None);

        let fifo = directory.path("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, Mode::RUSR).unwrap();
        let mut watched = Watched::new(&fifo, 100, String::from("x"));
        watched.refresh(text);
        assert_eq!(watched.value().as_str(), "");

        let mut watched = Watched::new(Path::new("/dev/null"), 100, String::from("x"));
        watched.refresh(text);
        assert_eq!((watched.value().as_str(), watched.error()), ("", None));
    }
}
