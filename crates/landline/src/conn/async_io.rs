//! tokio's `AsyncRead` and `AsyncWrite` for stream conns, on values and on shared references.

use std::io::IoSlice;
use std::task::{Context, Poll};

use tokio::io::ReadBuf;

use crate::error::{Cause, Error, Operation};
use crate::fd::{NetFd, ReadOnce};

/// What a stream conn gives so that `impl_async_io!` can make it an `AsyncRead` and `AsyncWrite`.
pub(crate) trait StreamConn {
    fn poll_read_shared(&self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<(), Cause>>;
    fn poll_write_shared(&self, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<Result<usize, Cause>>;
    fn poll_write_vectored_shared(
        &self,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<Result<usize, Cause>>;
    fn close_write_shared(&self) -> Result<(), Cause>;

    /// For a conn that keeps written bytes back.
    fn poll_flush_shared(&self, _: &mut Context<'_>) -> Poll<Result<(), Cause>> {
        Poll::Ready(Ok(()))
    }

    /// For a conn that has something to say before its writing side ends.
    fn poll_close_write_shared(&self, _: &mut Context<'_>) -> Poll<Result<(), Cause>> {
        Poll::Ready(self.close_write_shared())
    }

    /// Ends the reading side, where there is one to end.
    fn close_read_quietly(&self);
    /// What the kernel could do with it beyond reading and writing.
    fn conn_kind(&self) -> ConnKind<'_>;
    fn error(&self, operation: Operation, cause: Cause) -> Error;
}

/// What is behind a conn.
pub(crate) enum ConnKind<'a> {
    /// A stream socket, and how it is read.
    Socket(&'a NetFd, ReadOnce),
    /// A stream that only this process knows of.
    Stream,
    /// Messages.
    Messages {
        /// Whether an empty one is the end.
        end: bool,
    },
}

/// Implements the two traits for a [`StreamConn`] and for a shared reference to it. Through the reference, one task
/// at a time may wait in each direction, as with tokio's own sockets.
macro_rules! impl_async_io {
    ($conn:ty) => {
        $crate::conn::impl_async_io!(@one $conn, self => &*self);
        $crate::conn::impl_async_io!(@one &$conn, self => *self);
    };
    (@one $ty:ty, $self:ident => $conn:expr) => {
        impl tokio::io::AsyncRead for $ty {
            fn poll_read(
                $self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buffer: &mut tokio::io::ReadBuf<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                use $crate::conn::StreamConn;
                let conn = $conn;
                conn.poll_read_shared(cx, buffer)
                    .map_err(|cause| conn.error($crate::error::Operation::Read, cause).into())
            }
        }

        impl tokio::io::AsyncWrite for $ty {
            fn poll_write(
                $self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buffer: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                use $crate::conn::StreamConn;
                let conn = $conn;
                conn.poll_write_shared(cx, buffer)
                    .map_err(|cause| conn.error($crate::error::Operation::Write, cause).into())
            }

            fn poll_write_vectored(
                $self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buffers: &[std::io::IoSlice<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                use $crate::conn::StreamConn;
                let conn = $conn;
                conn.poll_write_vectored_shared(cx, buffers)
                    .map_err(|cause| conn.error($crate::error::Operation::Write, cause).into())
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_flush(
                $self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                use $crate::conn::StreamConn;
                let conn = $conn;
                conn.poll_flush_shared(cx)
                    .map_err(|cause| conn.error($crate::error::Operation::Write, cause).into())
            }

            /// Ends the writing side. A conn that is no longer connected has nothing left to end.
            fn poll_shutdown(
                $self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                use $crate::conn::StreamConn;
                let conn = $conn;
                conn.poll_close_write_shared(cx).map(|ended| match ended {
                    Err($crate::error::Cause::System { error: rustix::io::Errno::NOTCONN, .. }) => Ok(()),
                    result => result.map_err(|cause| conn.error($crate::error::Operation::Close, cause).into()),
                })
            }
        }
    };
}

pub(crate) use impl_async_io;
