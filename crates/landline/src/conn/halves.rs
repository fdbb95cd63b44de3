//! The two directions of a conn, borrowed or owned.

use std::fmt;
use std::io::{self, IoSlice};
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::StreamConn;

/// The reading side of a borrowed conn; everything else of the conn is reached through `Deref`.
#[derive(Debug)]
pub struct ReadHalf<'a, C>(&'a C);

/// The writing side of a borrowed conn; shutting it down ends the conn's writing side, dropping it does not.
#[derive(Debug)]
pub struct WriteHalf<'a, C>(&'a C);

/// The reading side of a conn that both halves own. The conn is closed when both are gone.
#[derive(Debug)]
pub struct OwnedReadHalf<C>(Arc<C>);

/// The writing side of a conn that both halves own. Dropping it ends the conn's writing side, so that the peer sees
/// the end of the stream; [`OwnedWriteHalf::forget`] does not.
#[derive(Debug)]
pub struct OwnedWriteHalf<C: CloseWrite> {
    /// `None` only while it is taken apart.
    conn: Option<Arc<C>>,
}

/// A conn whose writing side can be ended on its own.
pub trait CloseWrite: sealed::Sealed {
    #[doc(hidden)]
    fn close_write_quietly(&self);
}

mod sealed {
    pub trait Sealed {}
    impl<C: super::StreamConn> Sealed for C {}
}

impl<C: StreamConn> CloseWrite for C {
    fn close_write_quietly(&self) {
        // Nobody is left to tell, and a conn already reset has nothing to end.
        let _ = self.close_write_shared();
    }
}

pub(crate) fn split_borrowed<C>(conn: &C) -> (ReadHalf<'_, C>, WriteHalf<'_, C>) {
    (ReadHalf(conn), WriteHalf(conn))
}

pub(crate) fn split_owned<C: CloseWrite>(conn: C) -> (OwnedReadHalf<C>, OwnedWriteHalf<C>) {
    let conn = Arc::new(conn);
    (OwnedReadHalf(conn.clone()), OwnedWriteHalf { conn: Some(conn) })
}

impl<C: CloseWrite> OwnedReadHalf<C> {
    /// Puts the conn together again; an error gives both back if they are of different conns.
    pub fn reunite(self, other: OwnedWriteHalf<C>) -> Result<C, ReuniteError<C>> {
        other.reunite(self)
    }
}

impl<C: CloseWrite> OwnedWriteHalf<C> {
    /// Puts the conn together again; an error gives both back if they are of different conns.
    pub fn reunite(mut self, other: OwnedReadHalf<C>) -> Result<C, ReuniteError<C>> {
        if !Arc::ptr_eq(self.conn(), &other.0) {
            return Err(ReuniteError(other, self));
        }
        drop(other);
        let conn = self.conn.take().expect("taken only here and by forget, which consume it");
        Ok(Arc::into_inner(conn).expect("the two halves were its only owners"))
    }

    /// Drops it without ending the conn's writing side.
    pub fn forget(mut self) {
        self.conn = None;
    }

    fn conn(&self) -> &Arc<C> {
        self.conn.as_ref().expect("taken only by methods that consume it")
    }
}

impl<C: CloseWrite> Drop for OwnedWriteHalf<C> {
    fn drop(&mut self) {
        if let Some(conn) = &self.conn {
            conn.close_write_quietly();
        }
    }
}

/// Two halves of different conns, given back.
pub struct ReuniteError<C: CloseWrite>(pub OwnedReadHalf<C>, pub OwnedWriteHalf<C>);

impl<C: CloseWrite> fmt::Debug for ReuniteError<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReuniteError")
    }
}

impl<C: CloseWrite> fmt::Display for ReuniteError<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the halves belong to different conns")
    }
}

impl<C: CloseWrite> std::error::Error for ReuniteError<C> {}

impl<C> Deref for ReadHalf<'_, C> {
    type Target = C;

    fn deref(&self) -> &C {
        self.0
    }
}

impl<C> Deref for WriteHalf<'_, C> {
    type Target = C;

    fn deref(&self) -> &C {
        self.0
    }
}

impl<C> Deref for OwnedReadHalf<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.0
    }
}

impl<C: CloseWrite> Deref for OwnedWriteHalf<C> {
    type Target = C;

    fn deref(&self) -> &C {
        self.conn()
    }
}

macro_rules! impl_read {
    ($half:ty $(, $lifetime:lifetime)?) => {
        impl<$($lifetime,)? C> AsyncRead for $half
        where
            for<'c> &'c C: AsyncRead,
        {
            fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
                let mut conn: &C = &self;
                Pin::new(&mut conn).poll_read(cx, buffer)
            }
        }
    };
}

macro_rules! impl_write {
    ($half:ty, $bound:path $(, $lifetime:lifetime)?) => {
        impl<$($lifetime,)? C: $bound> AsyncWrite for $half
        where
            for<'c> &'c C: AsyncWrite,
        {
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
                let mut conn: &C = &self;
                Pin::new(&mut conn).poll_write(cx, buffer)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffers: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                let mut conn: &C = &self;
                Pin::new(&mut conn).poll_write_vectored(cx, buffers)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                let mut conn: &C = &self;
                Pin::new(&mut conn).poll_flush(cx)
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                let mut conn: &C = &self;
                Pin::new(&mut conn).poll_shutdown(cx)
            }
        }
    };
}

impl_read!(ReadHalf<'a, C>, 'a);
impl_read!(OwnedReadHalf<C>);
impl_write!(WriteHalf<'a, C>, CloseWrite, 'a);
impl_write!(OwnedWriteHalf<C>, CloseWrite);
