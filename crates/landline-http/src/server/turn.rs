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

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;

    use landline::{UnixConn, UnixKind};
    use tokio::io::{AsyncRead as _, AsyncReadExt as _};

    use super::super::io::Io;
    use super::super::settings::Settings;
    use super::super::watch::Worker;
    use super::*;

    /// A conn and its state, what hyper has of it, and its peer.
    async fn served() -> (Arc<Conn>, Arc<State>, Io, UnixConn) {
        let (ours, theirs) = UnixConn::pair(UnixKind::Stream).unwrap();
        let conn = Arc::new(Conn::from(ours));
        let state = State::new(&conn, None, &Worker::of_none().await, Arc::default(), &Settings::default());
        let state = Arc::new(state);
        let io = Io::new(state.clone(), conn.clone(), Bytes::new());
        (conn, state, io, theirs)
    }

    fn write(io: &mut Io, cx: &mut Context<'_>, bytes: &[u8]) {
        let Poll::Ready(Ok(count)) = Pin::new(io).poll_write(cx, bytes) else { panic!("it goes") };
        assert_eq!(count, bytes.len());
    }

    async fn heard(mut theirs: &UnixConn, count: usize) -> Vec<u8> {
        let mut heard = vec![0; count];
        theirs.read_exact(&mut heard).await.unwrap();
        heard
    }

    #[tokio::test]
    async fn what_is_short_goes_at_the_end_and_before_what_is_not() {
        let (conn, state, mut io, theirs) = served().await;
        let long = [b'l'; SHORT + 1];
        poll_fn(|cx| {
            let turn = Turn::begin(&state, &conn).unwrap();
            write(&mut io, cx, b"one");
            write(&mut io, cx, b"two");
            assert!(Pin::new(&mut io).poll_flush(cx).is_ready());
            assert!(has_said(&state) && pin!(theirs.read(&mut [0; 1])).poll(cx).is_pending());
            write(&mut io, cx, &long);
            assert!(!has_said(&state));
            write(&mut io, cx, b"three");
            turn.end(cx).map(Result::unwrap)
        })
        .await;
        let all = [b"onetwo", &long[..], b"three"].concat();
        assert_eq!(heard(&theirs, all.len()).await, all);
    }

    #[tokio::test]
    async fn what_does_not_go_is_kept_and_goes_before_all_else() {
        let (conn, state, mut io, theirs) = served().await;
        let mut before = 0;
        poll_fn(|cx| {
            while let Poll::Ready(written) = pin!(conn.write(&[b'x'; 1000])).poll(cx) {
                before += written.unwrap();
            }
            let turn = Turn::begin(&state, &conn).unwrap();
            write(&mut io, cx, b"first");
            assert!(turn.end(cx).is_pending());
            let _turn = Turn::begin(&state, &conn).unwrap();
            assert!(Pin::new(&mut io).poll_write(cx, b"second").is_pending());
            assert!(Pin::new(&mut io).poll_flush(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        assert_eq!(heard(&theirs, before).await, vec![b'x'; before]);
        poll_fn(|cx| poll_said(&state, &conn, cx)).await.unwrap();
        poll_fn(|cx| Pin::new(&mut io).poll_write(cx, b"second")).await.unwrap();
        assert_eq!(heard(&theirs, 11).await, b"firstsecond");
    }

    #[tokio::test]
    async fn what_is_heard_and_not_taken_is_heard_later() {
        let (conn, state, mut io, theirs) = served().await;
        theirs.write_all(b"\nGET / ").await.unwrap();
        // The reactor is to know that there is something.
        conn.read(&mut [0; 1]).await.unwrap();
        state.request_began();
        state.request_ended();
        poll_fn(|cx| {
            let mut room = [0; 3];
            let mut room = ReadBuf::new(&mut room);
            state.listens(true);
            let turn = Turn::begin(&state, &conn).unwrap();
            turn.hear(cx);
            assert!(Pin::new(&mut io).poll_read(cx, &mut room).is_ready());
            assert_eq!(room.filled(), b"GET");
            turn.end(cx).map(Result::unwrap)
        })
        .await;
        assert!(!state.waits_for_head());
        assert_eq!(state.early.take(), &b" / "[..]);
    }

    #[tokio::test]
    async fn a_turn_is_one_conns_and_leaves_nothing_to_the_next() {
        let (conn, state, mut io, theirs) = served().await;
        let (other, others, ..) = served().await;
        poll_fn(|cx| {
            let turn = Turn::begin(&state, &conn).unwrap();
            write(&mut io, cx, b"lost");
            assert!(Turn::begin(&others, &other).is_none());
            assert!(!has_said(&others) && say(&others, &[IoSlice::new(b"x")]).is_none());
            drop(turn);
            let turn = Turn::begin(&others, &other).unwrap();
            assert!(!has_said(&others));
            // It is no longer its turn.
            write(&mut io, cx, b"direct");
            turn.end(cx).map(Result::unwrap)
        })
        .await;
        assert_eq!(heard(&theirs, 6).await, b"direct");
    }
}
