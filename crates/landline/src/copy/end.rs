//! The two sides of a copy: what bytes can be copied from, and to.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustix::fs::{FileType, SeekFrom};
use rustix::io::Errno;
use tokio::io::ReadBuf;

use super::route::Kind;
use crate::addr::Addr;
use crate::conn::{CloseWrite, ConnKind, OwnedReadHalf, OwnedWriteHalf, ReadHalf, StreamConn, WriteHalf};
use crate::error::{Cause, Error, Operation};
use crate::fd::{NetFd, ReadOnce};

/// What can be copied from: every conn, its reading half, a [`File`], and any other stream as a
/// [`SharedStream`](crate::SharedStream).
///
/// A file is read from where its cursor stands, which moves with what was copied. It has to be a regular file or a block
/// device: others, such as pipes and terminals, would block the thread, and are refused with `EINVAL`. What of a file is
/// not in memory yet is waited for by the thread, as for any read of a file.
pub trait CopySource: Source {}

/// What can be copied to: every conn, its writing half, and any other stream as a
/// [`SharedStream`](crate::SharedStream).
pub trait CopySink: Sink {}

impl<T: Source + ?Sized> CopySource for T {}
impl<T: Sink + ?Sized> CopySink for T {}

pub(super) mod sealed {
    use super::{Cause, Context, Error, File, Kind, NetFd, Operation, Poll, ReadBuf, ReadOnce};

    /// A stream socket, and how it is read.
    #[derive(Clone, Copy)]
    pub struct Socket<'a> {
        pub(crate) fd: &'a NetFd,
        pub(crate) read: ReadOnce,
    }

    pub trait Side {
        /// Fails where it can be no side of a copy.
        fn kind(&self) -> Result<Kind, Cause>;
        /// The descriptor of a [`Kind::Socket`].
        fn socket(&self) -> Option<Socket<'_>> {
            None
        }
        /// Whether reading may wait for something to be written, or the other way round, as TLS does.
        fn mixes_wakers(&self) -> bool {
            false
        }
        fn error(&self, operation: Operation, cause: Cause) -> Error;
        /// What it is, and who is at its other end.
        fn name(&self) -> String;
    }

    pub trait Source: Side {
        fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<(), Cause>>;
        /// The descriptor of a [`Kind::File`].
        fn file(&self) -> Option<&File> {
            None
        }
        /// Tells it, where that is possible, that nothing more will be taken.
        fn refuse_more(&self) {}
    }

    pub trait Sink: Side {
        fn poll_write(&self, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<Result<usize, Cause>>;
        fn poll_flush(&self, _: &mut Context<'_>) -> Poll<Result<(), Cause>> {
            Poll::Ready(Ok(()))
        }
        /// Passes the end of the stream on.
        fn poll_end(&self, cx: &mut Context<'_>) -> Poll<Result<(), Cause>>;
    }
}

use sealed::{Side, Sink, Socket, Source};

impl<C: StreamConn> Side for C {
    fn kind(&self) -> Result<Kind, Cause> {
        Ok(match self.conn_kind() {
            ConnKind::Socket(..) => Kind::Socket,
            ConnKind::Stream => Kind::Stream,
            ConnKind::Messages { end } => Kind::Messages { end },
        })
    }

    fn socket(&self) -> Option<Socket<'_>> {
        match self.conn_kind() {
            ConnKind::Socket(fd, read) => Some(Socket { fd, read }),
            ConnKind::Stream | ConnKind::Messages { .. } => None,
        }
    }

    fn error(&self, operation: Operation, cause: Cause) -> Error {
        StreamConn::error(self, operation, cause)
    }

    fn name(&self) -> String {
        // An error knows where it would have happened.
        let at = StreamConn::error(self, Operation::Copy, Cause::Closed);
        match (at.network(), at.peer_addr().or(at.local_addr()).map(Addr::to_string)) {
            (Some(network), Some(addr)) => format!("{network} {addr}"),
            (Some(network), None) => network.to_string(),
            (None, addr) => addr.unwrap_or_default(),
        }
    }
}

impl<C: StreamConn> Source for C {
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<(), Cause>> {
        self.poll_read_shared(cx, buffer)
    }

    fn refuse_more(&self) {
        self.close_read_quietly();
    }
}

impl<C: StreamConn> Sink for C {
    fn poll_write(&self, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<Result<usize, Cause>> {
        self.poll_write_shared(cx, buffer)
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<Result<(), Cause>> {
        self.poll_flush_shared(cx)
    }

    fn poll_end(&self, cx: &mut Context<'_>) -> Poll<Result<(), Cause>> {
        self.poll_close_write_shared(cx).map(|ended| match ended {
            // It has been reset meanwhile, and knows.
            Err(Cause::System { error: Errno::NOTCONN, .. }) => Ok(()),
            result => result,
        })
    }
}

/// By the conn that a half, a reference or a handle stands for.
macro_rules! stands_for {
    (side [$($generics:tt)*] $type:ty) => {
        impl<$($generics)*> Side for $type {
            fn kind(&self) -> Result<Kind, Cause> {
                (**self).kind()
            }

            fn socket(&self) -> Option<Socket<'_>> {
                (**self).socket()
            }

            fn mixes_wakers(&self) -> bool {
                (**self).mixes_wakers()
            }

            fn error(&self, operation: Operation, cause: Cause) -> Error {
                Side::error(&**self, operation, cause)
            }

            fn name(&self) -> String {
                (**self).name()
            }
        }
    };
    (source [$($generics:tt)*] $type:ty) => {
        impl<$($generics)*> Source for $type {
            fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<(), Cause>> {
                (**self).poll_read(cx, buffer)
            }

            fn file(&self) -> Option<&File> {
                (**self).file()
            }

            fn refuse_more(&self) {
                (**self).refuse_more();
            }
        }
    };
    (sink [$($generics:tt)*] $type:ty) => {
        impl<$($generics)*> Sink for $type {
            fn poll_write(&self, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<Result<usize, Cause>> {
                (**self).poll_write(cx, buffer)
            }

            fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<Result<(), Cause>> {
                (**self).poll_flush(cx)
            }

            fn poll_end(&self, cx: &mut Context<'_>) -> Poll<Result<(), Cause>> {
                (**self).poll_end(cx)
            }
        }
    };
}

stands_for!(side ['a, C: Side] ReadHalf<'a, C>);
stands_for!(source ['a, C: Source] ReadHalf<'a, C>);
stands_for!(side ['a, C: Side] WriteHalf<'a, C>);
stands_for!(sink ['a, C: Sink] WriteHalf<'a, C>);
stands_for!(side [C: Side] OwnedReadHalf<C>);
stands_for!(source [C: Source] OwnedReadHalf<C>);
stands_for!(side [C: Side + CloseWrite] OwnedWriteHalf<C>);
stands_for!(sink [C: Sink + CloseWrite] OwnedWriteHalf<C>);
stands_for!(side [C: Side + ?Sized] Arc<C>);
stands_for!(source [C: Source + ?Sized] Arc<C>);
stands_for!(sink [C: Sink + ?Sized] Arc<C>);

impl Side for File {
    fn kind(&self) -> Result<Kind, Cause> {
        let stat = rustix::fs::fstat(self)?;
        match FileType::from_raw_mode(stat.st_mode) {
            // What is made as it is read, as in `/proc`, says that it is empty.
            FileType::RegularFile if stat.st_size == 0 => Ok(Kind::SizelessFile),
            FileType::RegularFile => Ok(Kind::File),
            FileType::BlockDevice => Ok(Kind::SizelessFile),
            FileType::Directory => Err(Errno::ISDIR.into()),
            _ => Err(Errno::INVAL.into()),
        }
    }

    fn error(&self, operation: Operation, cause: Cause) -> Error {
        Error::new(operation, cause)
    }

    fn name(&self) -> String {
        "file".to_owned()
    }
}

impl Source for File {
    fn poll_read(&self, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<(), Cause>> {
        let read = rustix::io::retry_on_intr(|| rustix::io::read(self, buffer.initialize_unfilled()));
        Poll::Ready(match read {
            Ok(count) => {
                buffer.advance(count);
                Ok(())
            }
            Err(error) => Err(error.into()),
        })
    }

    fn file(&self) -> Option<&File> {
        Some(self)
    }
}

/// How much of a file lies behind its cursor.
pub(super) fn rest_of(file: &File) -> Result<u64, Cause> {
    let cursor = rustix::fs::seek(file, SeekFrom::Current(0))?;
    let size = u64::try_from(rustix::fs::fstat(file)?.st_size).map_err(io::Error::other)?;
    Ok(size.saturating_sub(cursor))
}
