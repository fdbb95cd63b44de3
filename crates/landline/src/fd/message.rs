//! Moving messages: what every socket that keeps their boundaries shares.
//!
//! A read always leaves the readiness as it is: a message shorter than the buffer says nothing of those behind it.

use std::future::Future;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::BorrowedFd;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{self, Poll, ready};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::addr::SocketAddrArg;
use rustix::net::{RecvFlags, ReturnFlags, SendFlags, SocketAddrAny};
use tokio::io::{Interest, ReadBuf};

use super::limits::Direction;
use super::net_fd::{Io, NetFd, Readiness};
use super::pool::PooledBuf;
use crate::error::Cause;
use crate::sys::{self, Incoming, Rights};

/// How long to wait before a send is tried again when nothing tells of the moment; doubles up to the second.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(64);

/// One message received: how much of it is in the buffer, how long it was, and who sent it.
pub(crate) struct Message {
    pub(crate) len: usize,
    pub(crate) truncated: bool,
    pub(crate) from: Option<SocketAddrAny>,
}

/// What a poll waits for besides readiness, kept from one poll to another. Made on first use, since few poll.
#[derive(Default)]
pub(crate) struct Beside(OnceLock<Box<Mutex<Option<Event>>>>);

type Event = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Beside {
    /// Lets go of the socket, which is to be closed.
    pub(crate) fn end(&self) {
        if self.0.get().is_some() {
            *self.event() = None;
        }
    }

    /// Whether the wait is over, also where there is none.
    fn poll_over(&self, cx: &mut task::Context<'_>) -> Poll<()> {
        if self.0.get().is_some() {
            let mut event = self.event();
            if let Some(waiting) = &mut *event {
                ready!(waiting.as_mut().poll(cx));
                *event = None;
            }
        }
        Poll::Ready(())
    }

    fn event(&self) -> MutexGuard<'_, Option<Event>> {
        self.0.get_or_init(Box::default).lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NetFd {
    /// Receives one message; one that does not fit is `EMSGSIZE`, with its beginning in the buffer and the rest lost.
    pub(crate) async fn recv(&self, buffer: &mut [u8]) -> Result<usize, Cause> {
        self.recv_io(|fd| self.received(recv(fd, buffer), |len| *len)).await
    }

    /// Receives one message into a buffer that is taken only when there is one.
    pub(crate) async fn recv_pooled(&self) -> Result<PooledBuf, Cause> {
        self.recv_io(|fd| {
            let mut buffer = PooledBuf::for_message();
            let count = self.received(recv(fd, buffer.room()), |len| *len)?;
            Ok(buffer.filled(count))
        })
        .await
    }

    pub(crate) async fn recv_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> Result<usize, Cause> {
        self.recv_io(|fd| {
            let incoming = sys::recv_msg(fd, buffers, &mut [], RecvFlags::empty())?;
            self.count(Direction::Read, incoming.bytes);
            whole(incoming.bytes, incoming.flags.contains(ReturnFlags::TRUNC))
        })
        .await
    }

    /// Receives one message, or with [`RecvFlags::PEEK`] looks at it.
    pub(crate) async fn recv_from(&self, buffer: &mut [u8], flags: RecvFlags) -> Result<Message, Cause> {
        self.recv_io(|fd| {
            let (len, full, from) = rustix::net::recvfrom(fd, &mut *buffer, flags | RecvFlags::TRUNC)?;
            self.count(Direction::Read, if flags.contains(RecvFlags::PEEK) { 0 } else { len });
            Ok(Message { len, truncated: full > len, from })
        })
        .await
    }

    /// Receives one message and its control messages; see [`sys::recv_msg`].
    pub(crate) async fn recv_msg(
        &self,
        buffers: &mut [IoSliceMut<'_>],
        control: &mut [u8],
    ) -> Result<Incoming, Cause> {
        self.recv_io(|fd| {
            let received = sys::recv_msg(fd, buffers, control, RecvFlags::empty());
            self.received(received, |incoming| incoming.bytes)
        })
        .await
    }

    /// The same on a Unix socket, with up to `most` descriptors.
    pub(crate) async fn recv_rights(
        &self,
        buffer: &mut [u8],
        most: usize,
    ) -> Result<(Incoming, Rights), Cause> {
        self.recv_io(|fd| {
            let received = sys::recv_rights(fd, &mut [IoSliceMut::new(buffer)], most, RecvFlags::empty());
            self.received(received, |(incoming, _)| incoming.bytes)
        })
        .await
    }

    pub(crate) async fn send(&self, message: &[u8]) -> Result<usize, Cause> {
        self.send_io(|fd| self.sent_message(send(fd, message))).await
    }

    pub(crate) async fn send_to(&self, message: &[u8], to: &impl SocketAddrArg) -> Result<usize, Cause> {
        self.send_io(|fd| self.sent_message(rustix::net::sendto(fd, message, SendFlags::NOSIGNAL, to))).await
    }

    /// Sends the buffers as one message.
    pub(crate) async fn send_vectored(&self, buffers: &[IoSlice<'_>]) -> Result<usize, Cause> {
        self.send_io(|fd| self.sent_message(send_vectored(fd, buffers))).await
    }

    pub(crate) async fn send_msg(
        &self,
        message: &[u8],
        to: Option<&SocketAddrAny>,
        control: &[u8],
    ) -> Result<usize, Cause> {
        self.send_io(|fd| self.sent_message(sys::send_msg(fd, to, &[IoSlice::new(message)], control))).await
    }

    pub(crate) fn poll_recv(
        &self,
        cx: &mut task::Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), Cause>> {
        if buffer.remaining() == 0 {
            // A stream reader asks for nothing without losing anything.
            return Poll::Ready(self.read_nothing().map(|_| ()));
        }
        self.poll_io(Direction::Read, cx, |fd| self.recv_into(fd, buffer).map(Io::kept))
    }

    /// [`NetFd::poll_recv`] that hears of ICMP errors too. tokio gives `poll_read` no way to wait for them, so that is
    /// done beside it.
    pub(crate) fn poll_recv_or_error(
        &self,
        cx: &mut task::Context<'_>,
        buffer: &mut ReadBuf<'_>,
        errors: &Beside,
    ) -> Poll<Result<(), Cause>> {
        loop {
            if let Poll::Ready(result) = self.poll_recv(cx, buffer) {
                return Poll::Ready(result);
            }
            // Over at once if it was closed meanwhile, of which the next turn tells.
            errors.event().get_or_insert_with(|| Box::pin(self.error_event()));
            ready!(errors.poll_over(cx));
            if let Some(result) = self.try_at_once(Direction::Read, &mut |fd| self.recv_into(fd, buffer)) {
                return Poll::Ready(result);
            }
        }
    }

    pub(crate) fn poll_send(&self, cx: &mut task::Context<'_>, message: &[u8]) -> Poll<Result<usize, Cause>> {
        self.poll_io(Direction::Write, cx, |fd| self.sent_message(send(fd, message)).map(Io::kept))
    }

    pub(crate) fn poll_send_vectored(
        &self,
        cx: &mut task::Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<Result<usize, Cause>> {
        self.poll_io(Direction::Write, cx, |fd| self.sent_message(send_vectored(fd, buffers)).map(Io::kept))
    }

    /// [`NetFd::poll_send`] on a socket that hears of ICMP errors. After one the reactor believes for good that it is
    /// closed for writing, thus ready; where that proves wrong twice in a row, there is a pause.
    pub(crate) fn poll_send_or_pause(
        &self,
        cx: &mut task::Context<'_>,
        message: &[u8],
        pauses: &Beside,
    ) -> Poll<Result<usize, Cause>> {
        self.poll_or_pause(cx, pauses, |fd| self.sent_message(send(fd, message)))
    }

    pub(crate) fn poll_send_vectored_or_pause(
        &self,
        cx: &mut task::Context<'_>,
        buffers: &[IoSlice<'_>],
        pauses: &Beside,
    ) -> Poll<Result<usize, Cause>> {
        self.poll_or_pause(cx, pauses, |fd| self.sent_message(send_vectored(fd, buffers)))
    }

    fn poll_or_pause(
        &self,
        cx: &mut task::Context<'_>,
        pauses: &Beside,
        mut send: impl FnMut(BorrowedFd<'_>) -> rustix::io::Result<usize>,
    ) -> Poll<Result<usize, Cause>> {
        loop {
            ready!(pauses.poll_over(cx));
            let mut was_full = false;
            let sent = self.poll_io(Direction::Write, cx, |fd| match send(fd) {
                Err(Errno::AGAIN) if was_full => Ok(Io { value: None, readiness: Readiness::UsedUp }),
                Err(error) => {
                    was_full = error == Errno::AGAIN;
                    Err(error)
                }
                Ok(sent) => Ok(Io::kept(Some(sent))),
            });
            match ready!(sent)? {
                Some(sent) => return Poll::Ready(Ok(sent)),
                None => *pauses.event() = Some(Box::pin(tokio::time::sleep(FIRST_PAUSE))),
            }
        }
    }

    fn recv_into(&self, fd: BorrowedFd<'_>, buffer: &mut ReadBuf<'_>) -> rustix::io::Result<()> {
        let mut truncated = false;
        let count = sys::fill(buffer, |spare| {
            let ((filled, _), full) = rustix::net::recv(fd, spare, RecvFlags::TRUNC)?;
            truncated = full > filled.len();
            Ok(filled)
        })?;
        self.count(Direction::Read, count);
        if truncated { Err(Errno::MSGSIZE) } else { Ok(()) }
    }

    /// Counts what was received.
    fn received<T>(
        &self,
        received: rustix::io::Result<T>,
        bytes: impl FnOnce(&T) -> usize,
    ) -> rustix::io::Result<T> {
        received.inspect(|received| self.count(Direction::Read, bytes(received)))
    }

    /// Counts what was sent.
    pub(crate) fn sent_message(&self, sent: rustix::io::Result<usize>) -> rustix::io::Result<usize> {
        sent.inspect(|count| self.count(Direction::Write, *count))
    }

    /// [`NetFd::io`] for receiving.
    pub(crate) async fn recv_io<T>(
        &self,
        mut operation: impl FnMut(BorrowedFd<'_>) -> rustix::io::Result<T>,
    ) -> Result<T, Cause> {
        tokio::task::coop::consume_budget().await;
        if let Some(result) = self.try_io(Direction::Read, &mut |fd| operation(fd).map(Io::kept)) {
            return result;
        }
        loop {
            // An ICMP error is for the receiver too, but epoll reports it as an error and not as something to read.
            let interest = Interest::READABLE | Interest::ERROR;
            if let Some(value) = self.io_when(Direction::Read, interest, &mut operation).await? {
                return Ok(value);
            }
        }
    }

    /// [`NetFd::io`] for sending.
    pub(crate) async fn send_io<T>(
        &self,
        mut operation: impl FnMut(BorrowedFd<'_>) -> rustix::io::Result<T>,
    ) -> Result<T, Cause> {
        tokio::task::coop::consume_budget().await;
        // There is nearly always room, also before the reactor has said so for the first time.
        if let Some(result) = self.try_at_once(Direction::Write, &mut operation) {
            return result;
        }
        let mut operation = |fd: BorrowedFd<'_>| operation(fd).map(Io::kept);
        loop {
            if let Some(result) = self.try_io(Direction::Write, &mut operation) {
                return result;
            }
            let ready = self.ready(Direction::Write, Interest::WRITABLE).await?;
            // An ICMP error makes the reactor believe for good that a socket is closed for writing, thus ready.
            if ready.is_write_closed() {
                self.pause(Direction::Write, FIRST_PAUSE).await?;
            }
        }
    }

    /// Sends where nothing will tell that there is room again: to a Unix datagram socket that this one is not
    /// connected to and whose queue is full (unix(7)).
    pub(crate) async fn send_asking_again<T>(
        &self,
        mut operation: impl FnMut(BorrowedFd<'_>) -> rustix::io::Result<T>,
    ) -> Result<T, Cause> {
        tokio::task::coop::consume_budget().await;
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(result) = self.try_at_once(Direction::Write, &mut operation) {
                return result;
            }
            self.pause(Direction::Write, pause).await?;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Does `operation` whatever the reactor believes; `None` if it would block.
    fn try_at_once<T>(
        &self,
        direction: Direction,
        operation: &mut impl FnMut(BorrowedFd<'_>) -> rustix::io::Result<T>,
    ) -> Option<Result<T, Cause>> {
        if let Err(cause) = self.check(direction) {
            return Some(Err(cause));
        }
        self.with_open(|fd| {
            loop {
                match operation(fd) {
                    Ok(value) => return Ok(Some(value)),
                    Err(Errno::INTR) => {}
                    Err(Errno::AGAIN) => return Ok(None),
                    Err(error) => return Err(error.into()),
                }
            }
        })
        .transpose()
    }
}

fn send(fd: BorrowedFd<'_>, message: &[u8]) -> rustix::io::Result<usize> {
    rustix::net::send(fd, message, SendFlags::NOSIGNAL)
}

fn send_vectored(fd: BorrowedFd<'_>, buffers: &[IoSlice<'_>]) -> rustix::io::Result<usize> {
    sys::send_msg(fd, None, buffers, &[])
}

fn recv(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> rustix::io::Result<usize> {
    let (len, full) = rustix::net::recv(fd, buffer, RecvFlags::TRUNC)?;
    whole(len, full > len)
}

fn whole(len: usize, truncated: bool) -> rustix::io::Result<usize> {
    if truncated { Err(Errno::MSGSIZE) } else { Ok(len) }
}
