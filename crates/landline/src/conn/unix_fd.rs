//! Reading and writing a Unix socket: bytes or messages, by its kind.

use std::io::{IoSlice, IoSliceMut};
use std::ops::Deref;
use std::os::fd::BorrowedFd;
use std::task::{self, Poll};

use rustix::net::{RecvFlags, ReturnFlags};
use tokio::io::ReadBuf;

use super::{Either, apart};
use crate::error::Cause;
use crate::fd::{Direction, IOV_MAX, Io, NetFd, PooledBuf, ReadOnce, Receive, counted};
use crate::network::UnixKind;
use crate::sys::{self, Incoming};

/// The socket, which knows its kind: beside it, the kind would make a [`Conn`](super::Conn) half as large again. Everything
/// that does not depend on the kind is reached through `Deref`.
pub(crate) struct UnixFd {
    fd: NetFd,
}

impl UnixFd {
    pub(crate) const READ_STREAM: ReadOnce =
        ReadOnce::With(|fd, buffer| recv_stream(fd, &mut [IoSliceMut::new(buffer)]));

    pub(crate) fn new(fd: NetFd, kind: UnixKind) -> UnixFd {
        fd.set_mark(kind as u8);
        UnixFd { fd }
    }

    pub(crate) fn kind(&self) -> UnixKind {
        const DATAGRAM: u8 = UnixKind::Datagram as u8;
        const SEQPACKET: u8 = UnixKind::Seqpacket as u8;
        match self.fd.mark() {
            DATAGRAM => UnixKind::Datagram,
            SEQPACKET => UnixKind::Seqpacket,
            _ => UnixKind::Stream,
        }
    }

    pub(crate) fn into_net_fd(self) -> NetFd {
        self.fd
    }

    pub(crate) fn is_stream(&self) -> bool {
        self.kind() == UnixKind::Stream
    }

    pub(crate) fn read<'a>(&'a self, buffer: &'a mut [u8]) -> impl Future<Output = Result<usize, Cause>> {
        match self.kind() {
            UnixKind::Stream => Either::left(self.fd.read_by(buffer, RecvStream)),
            UnixKind::Datagram | UnixKind::Seqpacket => Either::right(apart(self.fd.recv(buffer))),
        }
    }

    pub(crate) fn read_pooled(&self) -> impl Future<Output = Result<PooledBuf, Cause>> {
        match self.kind() {
            UnixKind::Stream => Either::left(self.fd.read_pooled_by(RecvStream)),
            UnixKind::Datagram | UnixKind::Seqpacket => Either::right(apart(self.fd.recv_pooled())),
        }
    }

    pub(crate) async fn read_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> Result<usize, Cause> {
        match self.kind() {
            UnixKind::Stream => {
                let received = |fd: BorrowedFd<'_>| {
                    recv_stream(fd, buffers).inspect(|read| self.fd.count(Direction::Read, read.value))
                };
                self.fd.io(Direction::Read, received).await
            }
            UnixKind::Datagram | UnixKind::Seqpacket => apart(self.fd.recv_vectored(buffers)).await,
        }
    }

    pub(crate) fn write<'a>(&'a self, buffer: &'a [u8]) -> impl Future<Output = Result<usize, Cause>> {
        match self.kind() {
            UnixKind::Stream => Either::left(self.fd.write(buffer)),
            UnixKind::Datagram | UnixKind::Seqpacket => Either::right(apart(self.fd.send(buffer))),
        }
    }

    pub(crate) fn write_all<'a>(&'a self, buffer: &'a [u8]) -> impl Future<Output = Result<(), Cause>> {
        match self.kind() {
            UnixKind::Stream => Either::left(self.fd.write_all(buffer)),
            UnixKind::Datagram | UnixKind::Seqpacket => {
                Either::right(apart(async { self.fd.send(buffer).await.map(|_| ()) }))
            }
        }
    }

    pub(crate) async fn write_vectored(&self, buffers: &[IoSlice<'_>]) -> Result<usize, Cause> {
        match self.kind() {
            UnixKind::Stream => self.fd.write_vectored(buffers).await,
            UnixKind::Datagram | UnixKind::Seqpacket => apart(self.fd.send_vectored(buffers)).await,
        }
    }

    pub(crate) async fn write_all_vectored(&self, buffers: &mut [IoSlice<'_>]) -> Result<(), Cause> {
        match self.kind() {
            UnixKind::Stream => self.fd.write_all_vectored(buffers).await,
            UnixKind::Datagram | UnixKind::Seqpacket => {
                apart(self.fd.send_vectored(buffers)).await.map(|_| ())
            }
        }
    }

    pub(crate) fn poll_read(
        &self,
        cx: &mut task::Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), Cause>> {
        match self.kind() {
            UnixKind::Stream if buffer.remaining() == 0 => Poll::Ready(self.fd.read_nothing().map(|_| ())),
            UnixKind::Stream => {
                let wanted = buffer.remaining();
                self.fd.poll_io(Direction::Read, cx, |fd| {
                    let mut flags = ReturnFlags::empty();
                    let count = sys::fill(buffer, |spare| {
                        let (filled, incoming) = sys::recv_msg_into(fd, spare, RecvFlags::empty())?;
                        flags = incoming.flags;
                        Ok(filled)
                    })?;
                    self.fd.count(Direction::Read, count);
                    Ok(Io { value: (), readiness: stream_readiness(count, wanted, flags).readiness })
                })
            }
            UnixKind::Datagram | UnixKind::Seqpacket => self.fd.poll_recv(cx, buffer),
        }
    }

    pub(crate) fn poll_write(&self, cx: &mut task::Context<'_>, buffer: &[u8]) -> Poll<Result<usize, Cause>> {
        match self.kind() {
            UnixKind::Stream => self.fd.poll_write(cx, buffer),
            UnixKind::Datagram | UnixKind::Seqpacket => self.fd.poll_send(cx, buffer),
        }
    }

    pub(crate) fn poll_write_vectored(
        &self,
        cx: &mut task::Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<Result<usize, Cause>> {
        match self.kind() {
            UnixKind::Stream => self.fd.poll_write_vectored(cx, buffers),
            UnixKind::Datagram | UnixKind::Seqpacket => self.fd.poll_send_vectored(cx, buffers),
        }
    }
}

/// By recvmsg(2), as a read of a Unix socket stops where there were descriptors.
struct RecvStream;

impl Receive for RecvStream {
    #[inline(always)]
    fn receive(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> rustix::io::Result<Io<usize>> {
        recv_stream(fd, &mut [IoSliceMut::new(buffer)])
    }
}

fn recv_stream(fd: BorrowedFd<'_>, buffers: &mut [IoSliceMut<'_>]) -> rustix::io::Result<Io<usize>> {
    let most = buffers.len().min(IOV_MAX);
    let wanted = buffers[..most].iter().map(|buffer| buffer.len()).sum();
    let Incoming { bytes, flags, .. } = sys::recv_msg(fd, &mut buffers[..most], &mut [], RecvFlags::empty())?;
    Ok(stream_readiness(bytes, wanted, flags))
}

/// A read stops after bytes that carried descriptors or credentials, though more may lie behind them (unix(7)); that
/// these were thrown away for want of room tells that there were some.
fn stream_readiness(count: usize, wanted: usize, flags: ReturnFlags) -> Io<usize> {
    if flags.contains(ReturnFlags::CTRUNC) { Io::kept(count) } else { counted(count, wanted) }
}

impl Deref for UnixFd {
    type Target = NetFd;

    fn deref(&self) -> &NetFd {
        &self.fd
    }
}
