//! The session and the conn below it, shared by any number of calls.
//!
//! Records have an order, so one call at a time reads from the conn below, and one writes to it: they take turns. The
//! session itself is locked only for as long as it computes.

use std::future::{Future, poll_fn};
use std::io::{self, BufRead, IoSlice, IoSliceMut, Read, Write};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{self, Poll, Waker, ready};

use rustix::io::Errno;
use rustix::net::RecvFlags;
use rustls::Connection;
use tokio::io::ReadBuf;
use tokio::task::coop;
use tokio::time::Instant;

use super::super::{Conn, StreamConn};
use super::turns::Turns;
use crate::context::Context;
use crate::error::{Cause, Result};
use crate::fd::{Direction, PooledBuf};

/// How many reads a close spends on what is not for the reader.
const ABSORBED: usize = 4;
/// How much room for what goes down a conn keeps while there is nothing to send.
const KEPT: usize = 512;

pub(super) struct Stream {
    below: Conn,
    session: Mutex<Session>,
    incoming: Turns<Incoming>,
    outgoing: Turns<Outgoing>,
    is_closed: AtomicBool,
}

struct Session {
    tls: Connection,
    /// What the session ended of; it says so only once itself.
    failed: Option<Cause>,
    /// The writing side has ended.
    has_ended: bool,
}

/// Records from the conn below that the session has not taken.
#[derive(Default)]
struct Incoming {
    /// Borrowed for as long as there are any: a conn that waits holds none.
    records: Option<PooledBuf>,
    /// How much of it was taken.
    taken: usize,
}

/// Records for the conn below that it has not taken.
#[derive(Default)]
struct Outgoing {
    bytes: Vec<u8>,
    sent: usize,
}

impl Stream {
    pub(super) fn new(below: Conn, tls: Connection) -> Stream {
        Stream {
            below,
            session: Mutex::new(Session { tls, failed: None, has_ended: false }),
            incoming: Turns::default(),
            outgoing: Turns::default(),
            is_closed: AtomicBool::new(false),
        }
    }

    pub(super) fn below(&self) -> &Conn {
        &self.below
    }

    pub(super) fn with_session<T>(&self, ask: impl FnOnce(&Connection) -> T) -> T {
        ask(&self.session().tls)
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn check(&self, direction: Direction) -> Result<(), Cause> {
        if self.is_closed.load(Ordering::Acquire) {
            return Err(Cause::Closed);
        }
        self.below.check(direction)
    }

    /// Says and hears everything up to the end of the handshake.
    pub(super) async fn handshake(&self) -> Result<(), Cause> {
        let mut incoming = self.incoming.turn().await;
        let mut outgoing = self.outgoing.turn().await;
        loop {
            // A failure is told to the peer, too, before it is told to the caller.
            let fed = self.session().feed(&mut incoming);
            let flushed = self.flush(&mut outgoing).await;
            fed?;
            flushed?;
            if !self.session().tls.is_handshaking() {
                return Ok(());
            }
            if incoming.is_empty() && self.receive(&mut incoming).await? == 0 {
                return Err(Cause::UnexpectedEof);
            }
        }
    }

    pub(super) async fn read(&self, buffer: &mut [u8]) -> Result<usize, Cause> {
        self.take(|tls| tls.reader().read(buffer)).await
    }

    pub(super) async fn read_pooled(&self) -> Result<PooledBuf, Cause> {
        self.take(|tls| {
            let mut buffer = PooledBuf::for_stream();
            let count = tls.reader().read(buffer.room())?;
            Ok(buffer.filled(count))
        })
        .await
    }

    pub(super) async fn read_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> Result<usize, Cause> {
        self.take(|tls| {
            let mut read = 0;
            for buffer in buffers.iter_mut().filter(|buffer| !buffer.is_empty()) {
                match tls.reader().read(buffer) {
                    Err(_) if read > 0 => break,
                    result => {
                        let count = result?;
                        read += count;
                        if count < buffer.len() {
                            break;
                        }
                    }
                }
            }
            Ok(read)
        })
        .await
    }

    pub(super) async fn peek(&self, buffer: &mut [u8]) -> Result<usize, Cause> {
        self.take(|tls| {
            let mut reader = tls.reader();
            let chunk = reader.fill_buf()?;
            let count = chunk.len().min(buffer.len());
            buffer[..count].copy_from_slice(&chunk[..count]);
            Ok(count)
        })
        .await
    }

    pub(super) async fn readable(&self) -> Result<(), Cause> {
        self.take(|tls| tls.reader().fill_buf().map(|_| ())).await
    }

    /// Does `operation` once it no longer finds that it would have to wait.
    async fn take<T>(&self, mut operation: impl FnMut(&mut Connection) -> io::Result<T>) -> Result<T, Cause> {
        if let Some(value) = self.try_take(&mut operation)? {
            return Ok(value);
        }
        let mut incoming = self.incoming.turn().await;
        loop {
            // Whoever had the turn before may have brought more than it took.
            if let Some(value) = self.try_take(&mut operation)? {
                return Ok(value);
            }
            if incoming.is_empty() && self.receive(&mut incoming).await? == 0 {
                self.session().end();
            } else {
                self.session().feed(&mut incoming)?;
            }
        }
    }

    fn try_take<T>(
        &self,
        operation: &mut impl FnMut(&mut Connection) -> io::Result<T>,
    ) -> Result<Option<T>, Cause> {
        self.check(Direction::Read)?;
        let mut session = self.session();
        match operation(&mut session.tls) {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => match &session.failed {
                Some(cause) => Err(cause.clone()),
                None => Ok(None),
            },
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(Cause::UnexpectedEof),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits for bytes from the conn below; cancel-safe, as its own read is.
    async fn receive(&self, incoming: &mut Incoming) -> Result<usize, Cause> {
        self.session().settle();
        let records = read_below(&self.below).await?;
        let count = records.len();
        incoming.put(records);
        Ok(count)
    }

    pub(super) async fn write(&self, buffer: &[u8]) -> Result<usize, Cause> {
        self.write_vectored(&[IoSlice::new(buffer)]).await
    }

    pub(super) async fn write_vectored(&self, buffers: &[IoSlice<'_>]) -> Result<usize, Cause> {
        self.check(Direction::Write)?;
        let mut outgoing = self.outgoing.turn().await;
        self.flush(&mut outgoing).await?;
        self.check(Direction::Write)?;
        let count = self.accept(buffers)?;
        // What was taken is told to the caller; what then goes wrong, at the next call.
        let _ = self.flush(&mut outgoing).await;
        Ok(count)
    }

    pub(super) async fn write_all(&self, mut buffer: &[u8]) -> Result<(), Cause> {
        while !buffer.is_empty() {
            let count = self.write(buffer).await?;
            buffer = &buffer[count..];
        }
        self.writable().await
    }

    pub(super) async fn write_all_vectored(&self, mut buffers: &mut [IoSlice<'_>]) -> Result<(), Cause> {
        IoSlice::advance_slices(&mut buffers, 0);
        while !buffers.is_empty() {
            let count = self.write_vectored(buffers).await?;
            IoSlice::advance_slices(&mut buffers, count);
        }
        self.writable().await
    }

    /// Waits until everything taken has gone down.
    pub(super) async fn writable(&self) -> Result<(), Cause> {
        self.check(Direction::Write)?;
        let mut outgoing = self.outgoing.turn().await;
        self.flush(&mut outgoing).await
    }

    fn accept(&self, buffers: &[IoSlice<'_>]) -> Result<usize, Cause> {
        let accepted = self.session().accept(buffers);
        // A close ends the writing side too, and is what a call that met it halfway is told of.
        if accepted.is_err() {
            self.check_open()?;
        }
        accepted
    }

    async fn flush(&self, outgoing: &mut Outgoing) -> Result<(), Cause> {
        self.session().drain(outgoing);
        while let Some(rest) = outgoing.rest() {
            outgoing.sent += write_below(&self.below, rest).await?;
        }
        outgoing.clear();
        Ok(())
    }

    pub(super) fn poll_read(
        &self,
        cx: &mut task::Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), Cause>> {
        let mut take = |tls: &mut Connection| {
            let count = tls.reader().read(buffer.initialize_unfilled())?;
            buffer.advance(count);
            Ok(())
        };
        if let Some(()) = self.try_take(&mut take)? {
            return Poll::Ready(Ok(()));
        }
        let mut incoming = ready!(self.incoming.poll_turn(cx));
        loop {
            if let Some(()) = self.try_take(&mut take)? {
                return Poll::Ready(Ok(()));
            }
            if incoming.is_empty() {
                self.session().settle();
                let records = ready!(self.poll_read_below(cx))?;
                if records.is_empty() {
                    self.session().end();
                    continue;
                }
                incoming.put(records);
            }
            self.session().feed(&mut incoming)?;
        }
    }

    pub(super) fn poll_write(
        &self,
        cx: &mut task::Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<Result<usize, Cause>> {
        self.check(Direction::Write)?;
        let mut outgoing = ready!(self.outgoing.poll_turn(cx));
        ready!(self.poll_flush_below(cx, &mut outgoing))?;
        let count = self.accept(buffers)?;
        // As far as it goes; the rest is for the next call.
        let _ = self.poll_flush_below(cx, &mut outgoing);
        Poll::Ready(Ok(count))
    }

    pub(super) fn poll_flush(&self, cx: &mut task::Context<'_>) -> Poll<Result<(), Cause>> {
        self.check(Direction::Write)?;
        let mut outgoing = ready!(self.outgoing.poll_turn(cx));
        self.poll_flush_below(cx, &mut outgoing)
    }

    fn poll_flush_below(
        &self,
        cx: &mut task::Context<'_>,
        outgoing: &mut Outgoing,
    ) -> Poll<Result<(), Cause>> {
        self.session().drain(outgoing);
        while let Some(rest) = outgoing.rest() {
            outgoing.sent += ready!(self.below.poll_write_shared(cx, rest))?;
        }
        outgoing.clear();
        self.below.poll_flush_shared(cx)
    }

    pub(super) fn poll_close_write(&self, cx: &mut task::Context<'_>) -> Poll<Result<(), Cause>> {
        if self.is_closed.load(Ordering::Acquire) {
            return Poll::Ready(Err(Cause::Closed));
        }
        self.session().end_writing();
        ready!(self.poll_flush(cx))?;
        self.below.poll_close_write_shared(cx)
    }

    /// Without waiting; where the conn below takes no more just now, `EAGAIN`.
    pub(super) fn close_write(&self) -> Result<(), Cause> {
        self.check_open()?;
        self.end_at_once()?;
        self.below.close_write_shared()
    }

    /// Says that nothing more will be written.
    fn end_at_once(&self) -> Result<(), Cause> {
        let busy = || Cause::System { call: "close_notify", error: Errno::AGAIN };
        self.session().end_writing();
        let mut outgoing = self.outgoing.try_turn().ok_or_else(busy)?;
        // Where something was left behind, somebody may be waiting for room, in the place that a poll would take.
        if outgoing.rest().is_some() {
            return Err(busy());
        }
        match at_once(|cx| self.poll_flush_below(cx, &mut outgoing)) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(busy()),
        }
    }

    pub(super) fn close_read(&self) -> Result<(), Cause> {
        self.check_open()?;
        self.below.close_read().map_err(|error| error.cause().clone())
    }

    pub(super) fn close(&self) -> Result<(), Cause> {
        // First, so that whoever finds the writing side ended knows why.
        if self.is_closed.swap(true, Ordering::AcqRel) {
            return Err(Cause::Closed);
        }
        // What cannot be said at once is not said.
        let _ = self.end_at_once();
        self.absorb();
        self.below.close().map_err(|error| error.cause().clone())
    }

    /// Takes in what has come that is not for the reader, such as the tickets that a server sends after the handshake. Left
    /// unread they would make the kernel send a reset (RFC 2525 section 2.17), which can overtake what we wrote last.
    fn absorb(&self) {
        let Some(mut incoming) = self.incoming.try_turn() else { return };
        for _ in 0..ABSORBED {
            if self.session().feed(&mut incoming).is_err() || !incoming.is_empty() {
                return;
            }
            match self.read_at_once() {
                Some(records) if !records.is_empty() => incoming.put(records),
                _ => return,
            }
        }
    }

    /// What is there already; of a socket asked of the kernel itself, as the reactor may not have heard of it yet.
    fn read_at_once(&self) -> Option<PooledBuf> {
        if let Some(fd) = self.below.as_fd() {
            let mut records = PooledBuf::for_stream();
            let (count, _) = rustix::net::recv(fd, records.room(), RecvFlags::DONTWAIT).ok()?;
            return Some(records.filled(count));
        }
        match at_once(|cx| self.poll_read_below(cx)) {
            Poll::Ready(Ok(records)) => Some(records),
            _ => None,
        }
    }

    fn poll_read_below(&self, cx: &mut task::Context<'_>) -> Poll<Result<PooledBuf, Cause>> {
        let mut records = PooledBuf::for_stream();
        let mut room = ReadBuf::new(records.room());
        ready!(self.below.poll_read_shared(cx, &mut room))?;
        let count = room.filled().len();
        Poll::Ready(Ok(records.filled(count)))
    }

    fn check_open(&self) -> Result<(), Cause> {
        if self.is_closed.load(Ordering::Acquire) { Err(Cause::Closed) } else { Ok(()) }
    }

    pub(super) fn set_read_deadline(&self, deadline: Option<Instant>) {
        self.below.set_read_deadline(deadline);
    }

    pub(super) fn set_write_deadline(&self, deadline: Option<Instant>) {
        self.below.set_write_deadline(deadline);
    }

    pub(super) fn bind_context(&self, context: &Context) {
        self.below.bind_context(context);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if !self.is_closed.load(Ordering::Acquire) {
            self.absorb();
        }
    }
}

impl Session {
    /// Gives the session what has come, until it has something for its reader.
    fn feed(&mut self, incoming: &mut Incoming) -> Result<(), Cause> {
        while let Some(mut rest) = incoming.rest() {
            let before = rest.len();
            self.tls.read_tls(&mut rest)?;
            let taken = before - rest.len();
            incoming.take(taken);
            let state = self.tls.process_new_packets().map_err(|error| {
                let cause = failed(error);
                self.failed = Some(cause.clone());
                cause
            })?;
            if state.plaintext_bytes_to_read() > 0 {
                break;
            }
            if taken == 0 {
                // After a `close_notify` nothing counts.
                *incoming = Incoming::default();
            }
        }
        Ok(())
    }

    /// Before waiting for more: rustls, which keeps what a long record took, is brought to give it back. It does so when it is
    /// about to read, and finds nothing here.
    fn settle(&mut self) {
        let _ = self.tls.read_tls(&mut NothingYet);
    }

    /// The conn below has ended.
    fn end(&mut self) {
        // Nothing is read, so nothing can fail.
        let _ = self.tls.read_tls(&mut io::empty());
    }

    fn end_writing(&mut self) {
        self.has_ended = true;
        self.tls.send_close_notify();
    }

    fn accept(&mut self, buffers: &[IoSlice<'_>]) -> Result<usize, Cause> {
        if self.has_ended {
            return Err(Errno::PIPE.into());
        }
        Ok(self.tls.writer().write_vectored(buffers)?)
    }

    /// Moves what the session has to say to what goes down.
    fn drain(&mut self, outgoing: &mut Outgoing) {
        while self.tls.wants_write() {
            // Writing to memory does not fail.
            if self.tls.write_tls(&mut outgoing.bytes).is_err() {
                break;
            }
        }
    }
}

struct NothingYet;

impl Read for NothingYet {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl Incoming {
    fn is_empty(&self) -> bool {
        self.records.is_none()
    }

    fn rest(&self) -> Option<&[u8]> {
        Some(&self.records.as_ref()?[self.taken..])
    }

    fn put(&mut self, records: PooledBuf) {
        *self = Incoming { records: (!records.is_empty()).then_some(records), taken: 0 };
    }

    fn take(&mut self, count: usize) {
        self.taken += count;
        if self.rest().is_some_and(<[u8]>::is_empty) {
            *self = Incoming::default();
        }
    }
}

impl Outgoing {
    fn rest(&self) -> Option<&[u8]> {
        let rest = &self.bytes[self.sent..];
        (!rest.is_empty()).then_some(rest)
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
        self.sent = 0;
    }
}

/// Polls once, whether or not the task has done its share already (a poll that is put off is not repeated).
fn at_once<T>(poll: impl FnMut(&mut task::Context<'_>) -> Poll<T>) -> Poll<T> {
    let once = pin!(coop::unconstrained(poll_fn(poll)));
    once.poll(&mut task::Context::from_waker(Waker::noop()))
}

/// On the heap and of a type with a name, since the conn below may be TLS again.
fn read_below(below: &Conn) -> Pin<Box<dyn Future<Output = Result<PooledBuf, Cause>> + Send + '_>> {
    Box::pin(async move { below.read_pooled().await.map_err(|error| error.cause().clone()) })
}

fn write_below<'a>(
    below: &'a Conn,
    bytes: &'a [u8],
) -> Pin<Box<dyn Future<Output = Result<usize, Cause>> + Send + 'a>> {
    Box::pin(async move { below.write(bytes).await.map_err(|error| error.cause().clone()) })
}

pub(super) fn failed(error: rustls::Error) -> Cause {
    Cause::Other(Arc::new(error))
}
