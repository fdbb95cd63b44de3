//! Moving bytes: what every stream socket shares.

use std::io::{IoSlice, IoSliceMut};
use std::marker::PhantomData;
use std::os::fd::BorrowedFd;
use std::task::{self, Poll};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown};
use tokio::io::ReadBuf;

use super::call::{Call, Operate};
use super::limits::Direction;
use super::net_fd::{Io, NetFd, Readiness};
use super::pool::PooledBuf;
use crate::error::Cause;
use crate::sys;

/// The most buffers one system call takes (`IOV_MAX`, limits.h).
pub(crate) const IOV_MAX: usize = 1024;

/// How a stream's bytes are received.
pub(crate) trait Receive {
    fn receive(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> rustix::io::Result<Io<usize>>;
}

/// By recv(2).
struct Recv;

impl Receive for Recv {
    #[inline(always)]
    fn receive(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> rustix::io::Result<Io<usize>> {
        let (count, _) = rustix::net::recv(fd, &mut *buffer, RecvFlags::empty())?;
        Ok(counted(count, buffer.len()))
    }
}

struct Read<'a, R> {
    buffer: &'a mut [u8],
    by: PhantomData<R>,
}

impl<R: Receive> Operate for Read<'_, R> {
    type Value = usize;
    const DIRECTION: Option<Direction> = Some(Direction::Read);

    #[inline(always)]
    fn operate(&mut self, socket: &NetFd, fd: BorrowedFd<'_>) -> rustix::io::Result<Io<usize>> {
        match self.buffer {
            [] => Ok(Io::kept(0)),
            _ => {
                let read = R::receive(fd, self.buffer)?;
                socket.count(Direction::Read, read.value);
                Ok(read)
            }
        }
    }
}

struct ReadPooled<R>(PhantomData<R>);

impl<R: Receive> Operate for ReadPooled<R> {
    type Value = PooledBuf;
    const DIRECTION: Option<Direction> = Some(Direction::Read);

    #[inline(always)]
    fn operate(&mut self, socket: &NetFd, fd: BorrowedFd<'_>) -> rustix::io::Result<Io<PooledBuf>> {
        let mut buffer = PooledBuf::for_stream();
        let Io { value, readiness } = R::receive(fd, buffer.room())?;
        socket.count(Direction::Read, value);
        Ok(Io { value: buffer.filled(value), readiness })
    }
}

struct Write<'a>(&'a [u8]);

impl Operate for Write<'_> {
    type Value = usize;
    const DIRECTION: Option<Direction> = Some(Direction::Write);

    #[inline(always)]
    fn operate(&mut self, socket: &NetFd, fd: BorrowedFd<'_>) -> rustix::io::Result<Io<usize>> {
        socket.sent(send(fd, self.0))
    }
}

/// With flags of send(2), as a parameter of the type, so that they take no room in the call.
struct WriteAll<'a, const FLAGS: u32>(&'a [u8]);

impl<const FLAGS: u32> Operate for WriteAll<'_, FLAGS> {
    type Value = ();
    const DIRECTION: Option<Direction> = Some(Direction::Write);

    #[inline(always)]
    fn operate(&mut self, socket: &NetFd, fd: BorrowedFd<'_>) -> rustix::io::Result<Io<()>> {
        if !self.0.is_empty() {
            let flags = SendFlags::from_bits_retain(FLAGS) | SendFlags::NOSIGNAL;
            let sent = rustix::net::send(fd, self.0, flags)?;
            socket.count(Direction::Write, sent);
            self.0 = &self.0[sent..];
        }
        // After less than all, the socket's buffer is full.
        if self.0.is_empty() { Ok(Io::kept(())) } else { Err(Errno::AGAIN) }
    }
}

impl NetFd {
    #[inline]
    pub(crate) fn read<'a>(&'a self, buffer: &'a mut [u8]) -> Call<'a, impl Operate<Value = usize> + Unpin> {
        self.read_by(buffer, Recv)
    }

    /// Into an empty buffer it reads without waiting.
    #[inline]
    pub(crate) fn read_by<'a, R: Receive + Unpin + 'a>(
        &'a self,
        buffer: &'a mut [u8],
        _: R,
    ) -> Call<'a, impl Operate<Value = usize> + Unpin> {
        let empty = buffer.is_empty();
        let call = self.call(Direction::Read, Read { buffer, by: PhantomData::<R> });
        if empty { call.at_once() } else { call }
    }

    /// A read into an empty buffer, which waits for nothing.
    pub(crate) fn read_nothing(&self) -> Result<usize, Cause> {
        self.with_open(|_| self.check(Direction::Read))?;
        Ok(0)
    }

    pub(crate) async fn read_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> Result<usize, Cause> {
        self.io(Direction::Read, |fd| {
            let most = buffers.len().min(IOV_MAX);
            let wanted = buffers[..most].iter().map(|buffer| buffer.len()).sum();
            let count = rustix::io::readv(fd, &mut buffers[..most])?;
            self.count(Direction::Read, count);
            Ok(counted(count, wanted))
        })
        .await
    }

    /// Reads into a buffer that is taken only when there is something to read.
    #[inline]
    pub(crate) fn read_pooled(&self) -> Call<'_, impl Operate<Value = PooledBuf> + Unpin> {
        self.read_pooled_by(Recv)
    }

    #[inline]
    pub(crate) fn read_pooled_by<R: Receive + Unpin>(
        &self,
        _: R,
    ) -> Call<'_, impl Operate<Value = PooledBuf> + Unpin> {
        self.call(Direction::Read, ReadPooled(PhantomData::<R>))
    }

    pub(crate) async fn peek(&self, buffer: &mut [u8]) -> Result<usize, Cause> {
        self.io(Direction::Read, |fd| {
            let (count, _) = rustix::net::recv(fd, &mut *buffer, RecvFlags::PEEK)?;
            self.count(Direction::Read, 0);
            Ok(Io::kept(count))
        })
        .await
    }

    #[inline]
    pub(crate) fn write<'a>(&'a self, buffer: &'a [u8]) -> Call<'a, impl Operate<Value = usize> + Unpin> {
        self.call(Direction::Write, Write(buffer))
    }

    #[inline]
    pub(crate) fn write_all<'a>(&'a self, buffer: &'a [u8]) -> Call<'a, impl Operate<Value = ()> + Unpin> {
        self.write_all_with::<0>(buffer)
    }

    /// With flags of send(2).
    #[inline]
    pub(crate) fn write_all_with<'a, const FLAGS: u32>(
        &'a self,
        buffer: &'a [u8],
    ) -> Call<'a, impl Operate<Value = ()> + Unpin> {
        let empty = buffer.is_empty();
        let call = self.call(Direction::Write, WriteAll::<FLAGS>(buffer));
        if empty { call.at_once() } else { call }
    }

    pub(crate) async fn write_vectored(&self, buffers: &[IoSlice<'_>]) -> Result<usize, Cause> {
        self.io(Direction::Write, |fd| self.sent(send_vectored(fd, buffers))).await
    }

    pub(crate) async fn write_all_vectored(&self, mut buffers: &mut [IoSlice<'_>]) -> Result<(), Cause> {
        // Drops leading empty buffers, so that writing nothing is never mistaken for making no progress.
        IoSlice::advance_slices(&mut buffers, 0);
        while !buffers.is_empty() {
            let count = self.write_vectored(buffers).await?;
            IoSlice::advance_slices(&mut buffers, count);
        }
        Ok(())
    }

    pub(crate) fn poll_read(
        &self,
        cx: &mut task::Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), Cause>> {
        let wanted = buffer.remaining();
        if wanted == 0 {
            return Poll::Ready(self.read_nothing().map(|_| ()));
        }
        self.poll_io(Direction::Read, cx, |fd| {
            let count = sys::fill(buffer, |spare| {
                rustix::net::recv(fd, spare, RecvFlags::empty()).map(|((filled, _), _)| filled)
            })?;
            self.count(Direction::Read, count);
            Ok(Io { value: (), readiness: counted(count, wanted).readiness })
        })
    }

    pub(crate) fn poll_write(&self, cx: &mut task::Context<'_>, buffer: &[u8]) -> Poll<Result<usize, Cause>> {
        self.poll_io(Direction::Write, cx, |fd| self.sent(send(fd, buffer)))
    }

    pub(crate) fn poll_write_vectored(
        &self,
        cx: &mut task::Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<Result<usize, Cause>> {
        self.poll_io(Direction::Write, cx, |fd| self.sent(send_vectored(fd, buffers)))
    }

    /// Counts what was sent.
    #[inline(always)]
    pub(super) fn sent(&self, sent: rustix::io::Result<Io<usize>>) -> rustix::io::Result<Io<usize>> {
        let sent = sent?;
        self.count(Direction::Write, sent.value);
        Ok(sent)
    }

    pub(crate) fn close_read(&self) -> Result<(), Cause> {
        self.with_fd("shutdown", |fd| rustix::net::shutdown(fd, Shutdown::Read))
    }

    pub(crate) fn close_write(&self) -> Result<(), Cause> {
        self.with_fd("shutdown", |fd| rustix::net::shutdown(fd, Shutdown::Write))
    }
}

#[inline(always)]
pub(super) fn send(fd: BorrowedFd<'_>, buffer: &[u8]) -> rustix::io::Result<Io<usize>> {
    let count = rustix::net::send(fd, buffer, SendFlags::NOSIGNAL)?;
    Ok(counted(count, buffer.len()))
}

fn send_vectored(fd: BorrowedFd<'_>, buffers: &[IoSlice<'_>]) -> rustix::io::Result<Io<usize>> {
    // A list of one costs the kernel more than the one.
    if let [buffer] = buffers {
        return send(fd, buffer);
    }
    let buffers = &buffers[..buffers.len().min(IOV_MAX)];
    let offered = buffers.iter().map(|buffer| buffer.len()).sum();
    let mut none = rustix::net::SendAncillaryBuffer::default();
    let count = rustix::net::sendmsg(fd, buffers, &mut none, SendFlags::NOSIGNAL)?;
    Ok(counted(count, offered))
}

/// Fewer bytes than asked for mean that the socket's buffer was drained, or filled: the next call would find nothing.
/// The end of the stream stays readable.
pub(crate) fn counted(count: usize, wanted: usize) -> Io<usize> {
    let readiness = if 0 < count && count < wanted { Readiness::UsedUp } else { Readiness::Kept };
    Io { value: count, readiness }
}
