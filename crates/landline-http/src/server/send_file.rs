//! Files that go out by sendfile(2) while hyper believes that it writes bytes.
//!
//! hyper writes what is in memory. So that a file need not be, its body gives hyper a [`Stretch`]: a buffer as long as a part
//! of the file, of bytes that nobody is to look at. When hyper has them written, [`Io`](super::io::Io) knows them by where they
//! are, and has the kernel send the file in their stead. What is before and behind them, and when they are due, stays
//! hyper's matter: framing, keep-alive, pipelining, the end of the conn.
//!
//! The [`Handover`] of a conn keeps account. Were the bytes taken and not written, by a hyper that copies what it is given,
//! it would know, and nothing more would leave the conn.

use std::any::Any;
use std::fs::File;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes};
use http_body::{Body as _, Frame};
use landline::{Conn, Copier, Progress};
use rustix::fs::SeekFrom;

use super::exchange::Exchange;
use super::state::State;
use crate::{Body, files};

/// How much is handed over at a time. Between two, others have their turn.
const LONGEST: usize = 1 << 20;

/// What stands for a file's bytes. Never touched, so it takes no memory.
static STAND_IN: LazyLock<Box<[u8]>> = LazyLock::new(|| vec![0; LONGEST].into());

/// Whether these bytes stand for those of a file.
pub(super) fn is_stand_in(bytes: &[u8]) -> bool {
    !bytes.is_empty() && std::ptr::eq(bytes.as_ptr(), STAND_IN.as_ptr())
}

/// Whether the kernel can send files over it by itself.
fn takes_files(conn: &Conn) -> bool {
    matches!(conn, Conn::Tcp(_) | Conn::Unix(_))
}

/// The body of a file that the server reads itself, as nobody stands between who could want its bytes; any other is given
/// back.
pub(super) fn unwrapped<B: 'static>(body: B, state: &State) -> Result<files::Body, Option<B>> {
    let mut body = Some(body);
    if !state.speaks_http1() || !takes_files(&state.conn) {
        return Err(body);
    }
    let any: &mut dyn Any = &mut body;
    if let Some(body) = any.downcast_mut::<Option<files::Body>>()
        && let Some(body) = body.take()
    {
        return Ok(body);
    }
    let any: &mut dyn Any = &mut body;
    if let Some(body) = any.downcast_mut::<Option<Body>>()
        && let Some(file) = body.as_mut().and_then(Body::take_file)
    {
        return Ok(file);
    }
    Err(body)
}

/// What comes next of the body of a file.
pub(super) enum Next {
    Stretch(Box<Stretch>),
    Read(Bytes),
}

/// The next of `body`: a stretch where that pays, and else what was read. The last stretch takes the exchange along, which is
/// over when that has gone.
pub(super) fn poll_next(
    body: &mut files::Body,
    exchange: &mut Option<Exchange>,
    cx: &mut Context<'_>,
) -> Poll<Option<io::Result<Frame<Next>>>> {
    let Some(state) = exchange.as_ref().map(|exchange| exchange.state().clone()) else {
        return Poll::Ready(None);
    };
    ready!(state.handover.poll_free(cx));
    let Some((file, part)) = body.take_part(LONGEST) else {
        return Pin::new(body).poll_frame(cx).map_ok(|frame| frame.map_data(Next::Read));
    };
    let length = usize::try_from(part.end - part.start).unwrap_or(LONGEST);
    let last = body.is_end_stream().then(|| exchange.take()).flatten();
    state.handover.begin(file, part.start);
    let stretch = Box::new(Stretch { state, left: length, exchange: last });
    Poll::Ready(Some(Ok(Frame::data(Next::Stretch(stretch)))))
}

/// The part of a file that a conn sends next.
#[derive(Debug, Default)]
pub(super) struct Handover {
    part: Mutex<Option<Part>>,
    is_spoiled: AtomicBool,
}

#[derive(Debug)]
struct Part {
    file: Arc<File>,
    offset: u64,
    /// How many bytes were sent that hyper does not know of yet.
    sent: usize,
    /// Who has the part behind it.
    waiting: Option<Waker>,
}

impl Handover {
    /// Whether hyper took bytes that stand for others: what it has to write now is wrong.
    pub(super) fn is_spoiled(&self) -> bool {
        self.is_spoiled.load(Relaxed)
    }

    fn poll_free(&self, cx: &Context<'_>) -> Poll<()> {
        match &mut *self.part() {
            None => Poll::Ready(()),
            Some(part) => {
                part.waiting = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn begin(&self, file: Arc<File>, offset: u64) {
        *self.part() = Some(Part { file, offset, sent: 0, waiting: None });
    }

    fn sent(&self, count: usize) {
        if let Some(part) = &mut *self.part() {
            part.sent += count;
        }
    }

    /// hyper believes so many bytes to be written.
    fn heard(&self, count: usize) {
        let mut part = self.part();
        match part.as_mut().and_then(|part| Some((part.sent.checked_sub(count)?, part))) {
            Some((sent, part)) => part.sent = sent,
            None => self.is_spoiled.store(true, Relaxed),
        }
    }

    /// Nothing more of the part goes; returns how much of it went that hyper never heard of.
    fn end(&self) -> usize {
        let Some(part) = self.part().take() else { return 0 };
        if let Some(waiting) = part.waiting {
            waiting.wake();
        }
        part.sent
    }

    fn part(&self) -> MutexGuard<'_, Option<Part>> {
        self.part.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A part of a file, as hyper has it among what it is to write.
pub(super) struct Stretch {
    state: Arc<State>,
    left: usize,
    /// There if nothing of the response comes behind it.
    exchange: Option<Exchange>,
}

impl Buf for Stretch {
    fn remaining(&self) -> usize {
        self.left
    }

    fn chunk(&self) -> &[u8] {
        &STAND_IN[..self.left.min(LONGEST)]
    }

    fn advance(&mut self, count: usize) {
        self.left -= count;
        self.state.handover.heard(count);
        if let Some(exchange) = &mut self.exchange {
            exchange.sent(count);
        }
    }
}

impl Drop for Stretch {
    fn drop(&mut self) {
        let unheard = self.state.handover.end();
        if let Some(exchange) = &mut self.exchange {
            exchange.sent(unheard);
        }
    }
}

/// A part of a file on its way.
pub(super) struct Sending {
    copying: Pin<Box<dyn Future<Output = io::Result<()>> + Send>>,
    progress: Progress,
    length: usize,
    /// How much of it the kernel has, and how much of that hyper was told.
    sent: usize,
    told: usize,
}

impl Sending {
    fn begin(state: &Arc<State>, length: usize) -> io::Result<Sending> {
        let (file, offset) = match &*state.handover.part() {
            Some(part) => (part.file.clone(), part.offset),
            None => return Err(io::Error::other("there is no file to be sent")),
        };
        let progress = Progress::new();
        let copying = Box::pin(copy(state.clone(), file, offset, length, progress.clone()));
        Ok(Sending { copying, progress, length, sent: 0, told: 0 })
    }

    /// Sends more, and says how much has been sent that was not told yet; as a write it is ready or the conn takes no more
    /// for now.
    fn poll(&mut self, state: &State, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.sent == self.told {
            let polled = self.copying.as_mut().poll(cx);
            let sent = usize::try_from(self.progress.there()).unwrap_or(usize::MAX);
            let count = sent - self.sent;
            self.sent = sent;
            if count > 0 {
                state.handover.sent(count);
                state.counts.sent_from_files.add(count as u64);
                state.wrote(count);
            }
            match polled {
                Poll::Ready(ended) => ended?,
                // It is told at the next time, as this is the one that wakes.
                Poll::Pending => {
                    state.cannot_write();
                    return Poll::Pending;
                }
            }
        }
        let count = self.sent - self.told;
        self.told = self.sent;
        Poll::Ready(Ok(count))
    }
}

/// Writes of the file what hyper believes to be `length` bytes.
pub(super) fn poll_send(
    sending: &mut Option<Sending>,
    state: &Arc<State>,
    length: usize,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let current = match sending {
        Some(current) => current,
        None => sending.insert(Sending::begin(state, length)?),
    };
    let polled = current.poll(state, cx);
    let is_over = match &polled {
        Poll::Ready(Ok(_)) => current.told == current.length,
        Poll::Ready(Err(_)) => true,
        Poll::Pending => false,
    };
    if is_over {
        *sending = None;
    }
    polled
}

async fn copy(
    state: Arc<State>,
    file: Arc<File>,
    offset: u64,
    length: usize,
    progress: Progress,
) -> io::Result<()> {
    // Nobody else has its cursor: each response opens its file.
    rustix::fs::seek(&file, SeekFrom::Start(offset))?;
    let copier = Copier::new().limit(length as u64).progress(&progress);
    if copier.copy(&file, &state.conn).await?.bytes < length as u64 {
        return Err(files::shorter());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_without_having_been_sent_is_noticed() {
        let handover = Handover::default();
        handover.begin(Arc::new(tempfile::tempfile().unwrap()), 0);
        handover.sent(10);
        handover.heard(4);
        handover.heard(6);
        assert!(!handover.is_spoiled());
        handover.sent(3);
        assert_eq!(handover.end(), 3);
        handover.begin(Arc::new(tempfile::tempfile().unwrap()), 0);
        handover.heard(1);
        assert!(handover.is_spoiled());
    }

    #[test]
    fn only_what_stands_for_a_file_is_taken_for_it() {
        assert!(is_stand_in(&STAND_IN[..1]) && is_stand_in(&STAND_IN));
        assert!(!is_stand_in(&STAND_IN[..0]) && !is_stand_in(&[0; 8]) && !is_stand_in(&[]));
    }
}
