//! One poll of hyper, with the system calls of its conn around it and not within.
//!
//! Where the kernel guards returns, the first one out of a function that made a system call takes 140 ns, and calls made after it
//! nothing more (AMD EPYC, Safe RET, 2026-11-26). So the next request is read before hyper is polled, and what is short of its
//! responses is kept by the thread, and sent when hyper is done: with several that were asked for at once, in one piece.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use landline::{Conn, PooledBuf};
use tokio::io::{AsyncWrite as _, ReadBuf};

use super::state::State;

/// How much of responses is kept to be sent together, in bytes. Several pieces cost the kernel 0.2 us more than one (2026-11-26,
/// Linux 6.18, TCP), and the copy less; so a short body goes with its head.
pub(super) const SHORT: usize = 1024;

thread_local! {
    static HELD: RefCell<Held> =
        const { RefCell::new(Held { whose: 0, heard: None, taken: 0, failed: None, said: Vec::new() }) };
}

/// What lies between a conn and hyper.
struct Held {
    /// The address of the state of the conn whose turn it is.
    whose: usize,
    heard: Option<PooledBuf>,
    /// How much of it hyper has.
    taken: usize,
    /// Why nothing was heard.
    failed: Option<io::Error>,
    /// Room for as much as is short.
    said: Vec<u8>,
}

fn address(state: &State) -> usize {
    std::ptr::from_ref(state).addr()
}

/// What is held if it is this conn's turn. A conn may be polled within another's; that one has none.
fn held<T>(state: &State, act: impl FnOnce(&mut Held) -> T) -> Option<T> {
    HELD.with(|held| {
        let mut held = held.try_borrow_mut().ok()?;
        (held.whose == address(state)).then(|| act(&mut held))
    })
}

/// Gives hyper what was read for it.
pub(super) fn take(state: &State, buffer: &mut ReadBuf<'_>) -> io::Result<bool> {
    held(state, |held| {
        if let Some(error) = held.failed.take() {
            return Err(error);
        }
        let Some(heard) = &held.heard else { return Ok(false) };
        let count = (heard.len() - held.taken).min(buffer.remaining());
        buffer.put_slice(&heard[held.taken..held.taken + count]);
        held.taken += count;
        if held.taken == heard.len() {
            held.heard = None;
        }
        Ok(true)
    })
    .unwrap_or(Ok(false))
}

/// Keeps what hyper says; `None` where it is to be written at once.
pub(super) fn say(state: &State, parts: &[IoSlice<'_>]) -> Option<usize> {
    if state.unsaid.is_there() || state.may_upgrade() {
        return None;
    }
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    held(state, |held| {
        if held.said.len() + length > SHORT {
            return None;
        }
        held.said.reserve_exact(SHORT - held.said.len());
        parts.iter().for_each(|part| held.said.extend_from_slice(part));
        Some(length)
    })
    .flatten()
}

/// Whether something was said in this turn, which will be sent at its end.
pub(super) fn has_said(state: &State) -> bool {
    held(state, |held| !held.said.is_empty()).unwrap_or(false)
}

/// Sends what was said, before anything else may be.
pub(super) fn poll_said(state: &State, conn: &Conn, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    held(state, |held| {
        if !held.said.is_empty() {
            // Nothing is said while something is unsaid.
            state.unsaid.keep(Bytes::copy_from_slice(&held.said));
            held.said.clear();
        }
    });
    poll_unsaid(state, conn, cx)
}

/// Sends what did not go at the end of a turn.
fn poll_unsaid(state: &State, conn: &Conn, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    if !state.unsaid.is_there() {
        return Poll::Ready(Ok(()));
    }
    let mut unsaid = state.unsaid.take();
    while !unsaid.is_empty() {
        match Pin::new(&mut &*conn).poll_write(cx, &unsaid) {
            Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(Ok(count)) => {
                state.wrote(count);
                unsaid.advance(count);
            }
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => {
                state.cannot_write();
                state.unsaid.keep(unsaid);
                return Poll::Pending;
            }
        }
    }
    state.flushed();
    Poll::Ready(Ok(()))
}

/// The time in which a conn is polled.
pub(super) struct Turn<'a> {
    state: &'a State,
    conn: &'a Conn,
    /// It is the thread's.
    _thread: PhantomData<*const ()>,
}

impl<'a> Turn<'a> {
    /// `None` where it is another's turn, or the conn is no socket.
    #[inline(always)]
    pub(super) fn begin(state: &'a State, conn: &'a Conn) -> Option<Turn<'a>> {
        if !state.is_socket {
            return None;
        }
        HELD.with(|held| {
            let mut held = held.try_borrow_mut().ok()?;
            if held.whose != 0 {
                return None;
            }
            held.whose = address(state);
            Some(Turn { state, conn, _thread: PhantomData })
        })
    }

    /// Reads what has come, if hyper waits for a head. A body, which may be long, hyper reads into room of its own.
    #[inline(always)]
    pub(super) fn hear(&self, cx: &mut Context<'_>) {
        if !self.state.waits_for_head() {
            return;
        }
        let Poll::Ready(read) = pin!(self.conn.read_pooled()).poll(cx) else { return };
        let (heard, failed) = match read {
            // hyper hears of the end by itself.
            Ok(heard) if heard.is_empty() => return,
            Ok(heard) => (Some(heard), None),
            Err(error) => (None, Some(error.into())),
        };
        self.state.read(heard.as_ref().map_or(0, |heard| heard.len()));
        held(self.state, |held| (held.heard, held.taken, held.failed) = (heard, 0, failed));
    }

    /// Sends what was said, as far as it goes; ready when nothing is left.
    #[inline(always)]
    pub(super) fn end(self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (state, conn) = (self.state, self.conn);
        let said = held(state, |held| {
            if let Some(heard) = &held.heard {
                state.early.keep(Bytes::copy_from_slice(&heard[held.taken..]));
            }
            std::mem::take(&mut held.said)
        });
        drop(self);
        let Some(mut said) = said.filter(|said| !said.is_empty()) else {
            return poll_unsaid(state, conn, cx);
        };
        let sent = pin!(conn.write(&said)).poll(cx);
        let count = match sent {
            Poll::Ready(Ok(count)) => count,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
            Poll::Pending => 0,
        };
        state.wrote(count);
        if count < said.len() {
            state.unsaid.keep(Bytes::copy_from_slice(&said[count..]));
            return poll_unsaid(state, conn, cx);
        }
        state.flushed();
        said.clear();
        HELD.with(|held| held.borrow_mut().said = said);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Turn<'_> {
    /// Nothing of a conn is left for the next.
    fn drop(&mut self) {
        HELD.with(|held| {
            let mut held = held.borrow_mut();
            held.whose = 0;
            held.heard = None;
            held.failed = None;
            held.said.clear();
        });
    }
}
