//! What a copy tells: how many bytes went which way, and why not a shorter one.

use std::fmt;

use rustix::io::Errno;

use crate::error::errno_text;

/// What a copy moved in one direction, and by which path.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> landline::Result<()> {
/// let (ours, theirs) = landline::pipe();
/// let (from, to) = landline::pipe();
/// theirs.write_all(b"hello").await?;
/// theirs.close_write()?;
/// let copied = landline::copy(&ours, &from).await?;
/// assert_eq!(copied.bytes, 5);
/// assert_eq!(copied.to_string(), "5 bytes by buffer (no descriptor on one side)");
/// # drop(to); Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Copied {
    /// How many bytes the destination took, those of a [prefix](crate::Copier::prefix) included.
    pub bytes: u64,
    /// The shortest path that any of them took; where none moved, the one it began with.
    pub path: CopyPath,
    /// How many of them, not counting a prefix, went through a buffer of this process.
    pub buffered: u64,
    /// Why the buffered ones did not take a shorter path.
    pub detour: Option<Detour>,
    /// How many bytes were taken from the source, or belonged to the prefix, and never reached the destination: 0 unless
    /// writing to it failed, or the copy was ended by a limit.
    pub undelivered: u64,
}

/// How bytes get from one side of a copy to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CopyPath {
    /// From a file to a socket inside the kernel (sendfile(2)).
    SendFile,
    /// From socket to socket inside the kernel, by way of a pipe (splice(2)).
    Splice,
    /// Read into memory of this process and written from there.
    Buffer,
}

/// Why bytes took a longer path than the kernel has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Detour {
    /// They came too few at a time: below some 16 KiB, one read and one write cost less than two splices.
    Small,
    /// One side has no descriptor that the kernel could work on: TLS, or a [`Pipe`](crate::Pipe).
    NoDescriptor,
    /// One side keeps the boundaries of messages, which a pipe does not.
    Messages,
    /// The source is a file whose size is not known beforehand, as in `/proc`.
    UnknownSize,
    /// The peer has sent urgent data, which splice does not get past (tcp(7)).
    Urgent,
    /// No pipe could be had, mostly because descriptors have run out.
    NoPipe(Errno),
    /// The kernel refused to do it with these two.
    Refused {
        /// The system call.
        call: &'static str,
        /// What it returned.
        error: Errno,
    },
}

impl Copied {
    pub(super) const NOTHING: Copied =
        Copied { bytes: 0, path: CopyPath::Buffer, buffered: 0, detour: None, undelivered: 0 };
}

impl CopyPath {
    /// Its name: `sendfile`, `splice` or `buffer`.
    pub fn as_str(self) -> &'static str {
        match self {
            CopyPath::SendFile => "sendfile",
            CopyPath::Splice => "splice",
            CopyPath::Buffer => "buffer",
        }
    }
}

impl fmt::Display for CopyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Detour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Detour::Small => f.write_str("too few at a time for splice to pay"),
            Detour::NoDescriptor => f.write_str("no descriptor on one side"),
            Detour::Messages => f.write_str("messages on one side"),
            Detour::UnknownSize => f.write_str("a file of unknown size"),
            Detour::Urgent => f.write_str("urgent data, which stops splice"),
            Detour::NoPipe(error) => write!(f, "no pipe to splice through: {}", errno_text(*error)),
            Detour::Refused { call, error } => write!(f, "{call} was refused: {}", errno_text(*error)),
        }
    }
}

impl fmt::Display for Copied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Copied { bytes, path, buffered, detour, undelivered } = self;
        let unit = if *bytes == 1 { "byte" } else { "bytes" };
        write!(f, "{bytes} {unit} by {path}")?;
        match (path, detour) {
            (CopyPath::Buffer, Some(detour)) => write!(f, " ({detour})")?,
            (_, Some(detour)) if *buffered > 0 => write!(f, " ({buffered} by buffer: {detour})")?,
            _ => {}
        }
        if *undelivered > 0 {
            write!(f, ", {undelivered} more not delivered")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_went_which_way() {
        let copied = Copied { bytes: 1, path: CopyPath::Splice, buffered: 0, detour: None, undelivered: 0 };
        for (copied, text) in [
            (copied, "1 byte by splice"),
            (
                Copied { bytes: 9, buffered: 2, detour: Some(Detour::Small), ..copied },
                "9 bytes by splice (2 by buffer: too few at a time for splice to pay)",
            ),
            (
                Copied {
                    path: CopyPath::Buffer,
                    buffered: 1,
                    detour: Some(Detour::NoPipe(Errno::MFILE)),
                    undelivered: 3,
                    ..copied
                },
                "1 byte by buffer (no pipe to splice through: too many open files), 3 more not delivered",
            ),
            (
                Copied {
                    path: CopyPath::Buffer,
                    detour: Some(Detour::Refused { call: "sendfile", error: Errno::INVAL }),
                    ..copied
                },
                "1 byte by buffer (sendfile was refused: invalid argument)",
            ),
        ] {
            assert_eq!(copied.to_string(), text);
        }
    }
}
