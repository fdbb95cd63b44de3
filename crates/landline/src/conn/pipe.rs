//! Two connected conns in memory.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{IoSlice, IoSliceMut, Read};
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{self, Poll, ready};

use rustix::io::Errno;
use tokio::io::ReadBuf;
use tokio::task::coop;
use tokio::time::Instant;

use super::shared::{half_close_methods, limit_methods, read_write_methods};
use super::{ConnKind, StreamConn, impl_async_io};
use crate::addr::Addr;
use crate::context::Context;
use crate::error::{Cause, Error, Operation, Result};
use crate::fd::{Direction, Limits, PooledBuf};

/// The most bytes that wait in one direction: as many as in a pipe of Linux (pipe(7)).
const CAPACITY: usize = 64 * 1024;

/// A stream in memory: what is written to one end is read from the other, in both directions.
///
/// In each direction up to 64 KiB wait to be read, and a write that finds no room waits; Go's `net.Pipe` has no room
/// at all and every write waits for its read. Memory is taken as it is needed. No descriptor and no task is behind it,
/// and it needs no runtime, except for deadlines.
pub fn pipe() -> (Pipe, Pipe) {
    let shared = Arc::new(Shared::default());
    let end = |side| Pipe { end: End { shared: shared.clone(), side } };
    (end(Side::Left), end(Side::Right))
}

/// One end of a [`pipe`].
///
/// It behaves as a TCP conn does, deadlines, half-close and bound context included. After the peer has closed or ended
/// its reading, writes fail with `EPIPE` ("broken pipe"); after it has closed or ended its writing, reads give what is
/// left and then the end.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> landline::Result<()> {
/// let (left, right) = landline::pipe();
/// left.write_all(b"hello").await?;
/// left.close()?;
/// let mut buffer = [0; 16];
/// assert_eq!(right.read(&mut buffer).await?, 5);
/// assert_eq!(right.read(&mut buffer).await?, 0);
/// # Ok(()) }
/// ```
pub struct Pipe {
    end: End,
}

impl Pipe {
    read_write_methods!(end);
    half_close_methods!(end);
    limit_methods!(end);

    /// Closes this end: whoever waits on it is woken, and every later call fails with an error that
    /// [`Error::is_closed`] knows, a second close among them. Dropping it closes it too.
    pub fn close(&self) -> Result<()> {
        self.named(Operation::Close, self.end.close())
    }

    /// The local address, which is always [`Addr::Pipe`].
    pub fn local_addr(&self) -> Result<Addr> {
        Ok(Addr::Pipe)
    }

    /// The peer's address, which is always [`Addr::Pipe`].
    pub fn peer_addr(&self) -> Result<Addr> {
        Ok(Addr::Pipe)
    }

    /// None: it is all in memory. As [`Conn::as_fd`](crate::Conn::as_fd).
    pub fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    #[cfg(feature = "tls")]
    pub(super) fn check(&self, direction: Direction) -> Result<(), Cause> {
        self.end.attempt(direction, |_| Some(Ok(()))).unwrap_or(Ok(()))
    }

    fn named<T>(&self, operation: Operation, result: Result<T, Cause>) -> Result<T> {
        result.map_err(|cause| self.error(operation, cause))
    }
}

struct End {
    shared: Arc<Shared>,
    side: Side,
}

#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
}

#[derive(Default)]
struct Shared {
    limits: [Limits; 2],
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What each side has yet to read.
    incoming: [Channel; 2],
    closed: [bool; 2],
}

#[derive(Default)]
struct Channel {
    bytes: VecDeque<u8>,
    /// Nothing more will be written.
    ended: bool,
    /// Nothing will be read from what is still to be written.
    refused: bool,
}

impl Side {
    fn other(self) -> Side {
        match self {
            Side::Left => Side::Right,
            Side::Right => Side::Left,
        }
    }
}

impl End {
    async fn read(&self, buffer: &mut [u8]) -> Result<usize, Cause> {
        self.until(Direction::Read, || self.try_read(buffer)).await
    }

    async fn read_pooled(&self) -> Result<PooledBuf, Cause> {
        self.until(Direction::Read, || {
            let mut buffer = PooledBuf::for_stream();
            self.try_read(buffer.room()).map(|read| read.map(|count| buffer.filled(count)))
        })
        .await
    }

    async fn read_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> Result<usize, Cause> {
        self.until(Direction::Read, || {
            let room = buffers.iter().map(|buffer| buffer.len()).sum();
            self.take(room, |bytes| {
                // Reading from memory does not fail.
                bytes.read_vectored(buffers).unwrap_or(0)
            })
        })
        .await
    }

    async fn write(&self, buffer: &[u8]) -> Result<usize, Cause> {
        self.until(Direction::Write, || self.try_write(&[IoSlice::new(buffer)])).await
    }

    async fn write_all(&self, mut buffer: &[u8]) -> Result<(), Cause> {
        while !buffer.is_empty() {
            let count = self.write(buffer).await?;
            buffer = &buffer[count..];
        }
        Ok(())
    }

    async fn write_vectored(&self, buffers: &[IoSlice<'_>]) -> Result<usize, Cause> {
        self.until(Direction::Write, || self.try_write(buffers)).await
    }

    async fn write_all_vectored(&self, mut buffers: &mut [IoSlice<'_>]) -> Result<(), Cause> {
        // Drops leading empty buffers, so that writing nothing is never mistaken for making no progress.
        IoSlice::advance_slices(&mut buffers, 0);
        while !buffers.is_empty() {
            let count = self.write_vectored(buffers).await?;
            IoSlice::advance_slices(&mut buffers, count);
        }
        Ok(())
    }

    async fn readable(&self) -> Result<(), Cause> {
        self.until(Direction::Read, || {
            self.attempt(Direction::Read, |state| state.incoming(self.side).is_readable().then_some(Ok(())))
        })
        .await
    }

    async fn writable(&self) -> Result<(), Cause> {
        self.until(Direction::Write, || {
            self.attempt(Direction::Write, |state| state.outgoing(self.side).is_writable().then_some(Ok(())))
        })
        .await
    }

    fn try_read(&self, buffer: &mut [u8]) -> Option<Result<usize, Cause>> {
        self.take(buffer.len(), |bytes| bytes.read(buffer).unwrap_or(0))
    }

    /// Lets `read` take from what has arrived, and tells the writer of the room.
    fn take(
        &self,
        room: usize,
        read: impl FnOnce(&mut VecDeque<u8>) -> usize,
    ) -> Option<Result<usize, Cause>> {
        let result = self.attempt(Direction::Read, |state| {
            let channel = state.incoming(self.side);
            (room == 0 || channel.is_readable()).then(|| Ok(read(&mut channel.bytes)))
        });
        if matches!(result, Some(Ok(1..))) {
            self.limits(self.side.other()).wake_waiting(Direction::Write);
        }
        result
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> Option<Result<usize, Cause>> {
        let result = self.attempt(Direction::Write, |state| {
            let channel = state.outgoing(self.side);
            if channel.ended || channel.refused {
                return Some(Err(Errno::PIPE.into()));
            }
            let room = CAPACITY - channel.bytes.len();
            let mut written = 0;
            for buffer in buffers {
                let part = &buffer[..buffer.len().min(room - written)];
                channel.bytes.extend(part);
                written += part.len();
            }
            (written > 0 || buffers.iter().all(|buffer| buffer.is_empty())).then_some(Ok(written))
        });
        if matches!(result, Some(Ok(1..))) {
            self.limits(self.side.other()).wake_waiting(Direction::Read);
        }
        result
    }

    /// Does `operation` if nothing forbids it; `None` if it would have to wait.
    fn attempt<T>(
        &self,
        direction: Direction,
        operation: impl FnOnce(&mut State) -> Option<Result<T, Cause>>,
    ) -> Option<Result<T, Cause>> {
        let mut state = self.state();
        if state.closed[self.side as usize] {
            return Some(Err(Cause::Closed));
        }
        if let Err(cause) = self.limits(self.side).check(direction) {
            return Some(Err(cause));
        }
        operation(&mut state)
    }

    /// Waits until `attempt` is done, or a limit is reached.
    async fn until<T>(
        &self,
        direction: Direction,
        mut attempt: impl FnMut() -> Option<Result<T, Cause>>,
    ) -> Result<T, Cause> {
        coop::consume_budget().await;
        let limits = self.limits(self.side);
        let mut seat = None;
        let mut expiry = None;
        poll_fn(|cx| {
            if let Some(result) = attempt() {
                return Poll::Ready(result);
            }
            seat.get_or_insert_with(|| limits.seat(direction)).register(cx.waker());
            match attempt() {
                Some(result) => Poll::Ready(result),
                None => limits.poll_reached(direction, &mut expiry, cx).map(Err),
            }
        })
        .await
    }

    /// [`End::until`] for `poll_read` and `poll_write`: one task in each direction.
    fn poll_until<T>(
        &self,
        direction: Direction,
        cx: &mut task::Context<'_>,
        mut attempt: impl FnMut() -> Option<Result<T, Cause>>,
    ) -> Poll<Result<T, Cause>> {
        let proceed = ready!(coop::poll_proceed(cx));
        let limits = self.limits(self.side);
        let result = attempt().or_else(|| {
            limits.register_polled(direction, cx);
            attempt()
        });
        let result = match result {
            Some(result) => Poll::Ready(result),
            None => limits.poll_reached_polled(direction, cx).map(Err),
        };
        if result.is_ready() {
            proceed.made_progress();
        }
        result
    }

    fn close(&self) -> Result<(), Cause> {
        {
            let mut state = self.state();
            if std::mem::replace(&mut state.closed[self.side as usize], true) {
                return Err(Cause::Closed);
            }
            let incoming = state.incoming(self.side);
            incoming.refused = true;
            incoming.bytes = VecDeque::new();
            state.outgoing(self.side).ended = true;
        }
        self.wake_both();
        Ok(())
    }

    fn close_read(&self) -> Result<(), Cause> {
        self.change(|state| {
            let incoming = state.incoming(self.side);
            incoming.refused = true;
            incoming.ended = true;
        })
    }

    fn close_write(&self) -> Result<(), Cause> {
        self.change(|state| state.outgoing(self.side).ended = true)
    }

    fn change(&self, change: impl FnOnce(&mut State)) -> Result<(), Cause> {
        {
            let mut state = self.state();
            if state.closed[self.side as usize] {
                return Err(Cause::Closed);
            }
            change(&mut state);
        }
        self.wake_both();
        Ok(())
    }

    fn set_read_deadline(&self, deadline: Option<Instant>) {
        self.limits(self.side).set_deadline(Direction::Read, deadline);
    }

    fn set_write_deadline(&self, deadline: Option<Instant>) {
        self.limits(self.side).set_deadline(Direction::Write, deadline);
    }

    fn bind_context(&self, context: &Context) {
        self.limits(self.side).bind_context(context);
    }

    fn wake_both(&self) {
        self.shared.limits.iter().for_each(Limits::wake_both);
    }

    fn limits(&self, side: Side) -> &Limits {
        &self.shared.limits[side as usize]
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn incoming(&mut self, side: Side) -> &mut Channel {
        &mut self.incoming[side as usize]
    }

    fn outgoing(&mut self, side: Side) -> &mut Channel {
        self.incoming(side.other())
    }
}

impl Channel {
    fn is_readable(&self) -> bool {
        !self.bytes.is_empty() || self.ended
    }

    fn is_writable(&self) -> bool {
        self.bytes.len() < CAPACITY || self.ended || self.refused
    }
}

impl Drop for End {
    fn drop(&mut self) {
        // Fails only if it was closed before.
        let _ = self.close();
    }
}

impl StreamConn for Pipe {
    fn poll_read_shared(
        &self,
        cx: &mut task::Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), Cause>> {
        self.end
            .poll_until(Direction::Read, cx, || {
                let room = buffer.remaining();
                self.end.take(room, |bytes| {
                    let mut taken = 0;
                    while taken < room && !bytes.is_empty() {
                        let (front, _) = bytes.as_slices();
                        let count = front.len().min(room - taken);
                        buffer.put_slice(&front[..count]);
                        bytes.drain(..count);
                        taken += count;
                    }
                    taken
                })
            })
            .map_ok(|_| ())
    }

    fn poll_write_shared(&self, cx: &mut task::Context<'_>, buffer: &[u8]) -> Poll<Result<usize, Cause>> {
        self.poll_write_vectored_shared(cx, &[IoSlice::new(buffer)])
    }

    fn poll_write_vectored_shared(
        &self,
        cx: &mut task::Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<Result<usize, Cause>> {
        self.end.poll_until(Direction::Write, cx, || self.end.try_write(buffers))
    }

    fn close_write_shared(&self) -> Result<(), Cause> {
        self.end.close_write()
    }

    fn close_read_quietly(&self) {
        // Nobody is left to tell where it fails.
        let _ = self.end.close_read();
    }

    fn conn_kind(&self) -> ConnKind<'_> {
        ConnKind::Stream
    }

    #[cold]
    fn error(&self, operation: Operation, cause: Cause) -> Error {
        Error::new(operation, cause).to_peer(Addr::Pipe)
    }
}

impl_async_io!(Pipe);

impl std::fmt::Debug for Pipe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pipe")
    }
}
