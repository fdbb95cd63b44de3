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
use std::io::{self, IoSlice};
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

/// The body of a file that the server reads itself, as nobody stands between who could want its bytes; any other is given
/// back.
pub(super) fn unwrapped<B: 'static>(body: B, state: &State) -> Result<files::Body, Option<B>> {
    let mut body = Some(body);
    if !state.speaks_http1() || !state.is_socket {
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

/// Sends the parts of files that are among what a conn has to write.
#[derive(Default)]
pub(super) struct Sender {
    sending: Option<Sending>,
    /// How many bytes went since the conn was waited for.
    run: usize,
}

impl Sender {
    /// Writes what stands before a part of a file, and of that as much as hyper believes to be `length` bytes; as a write, it
    /// is ready with how many went. Until hyper was told of all of them, it is to be given the same again, or the rest.
    pub(super) fn poll_send(
        &mut self,
        state: &State,
        conn: &Arc<Conn>,
        before: &[IoSlice<'_>],
        length: usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let sending = match &mut self.sending {
            Some(sending) if !sending.is_followed_by(before, length) => {
                return Poll::Ready(Err(io::Error::other("something came before the rest of a file")));
            }
            Some(sending) => sending,
            None if self.run >= LONGEST => {
                self.run = 0;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            none => none.insert(Sending::begin(state, conn, before, length)?),
        };
        let polled = sending.poll(state, cx);
        match &polled {
            Poll::Pending => self.run = 0,
            Poll::Ready(Ok(count)) if sending.told < sending.length => self.run += count,
            Poll::Ready(ended) => {
                self.run += ended.as_ref().unwrap_or(&0);
                self.sending = None;
            }
        }
        polled
    }
}

/// A part of a file on its way.
struct Sending {
    copying: Pin<Box<dyn Future<Output = io::Result<()>> + Send>>,
    progress: Progress,
    /// How many bytes stand before it, and how many there are with it.
    before: usize,
    length: usize,
    /// How many of all the kernel has, and of how many of these hyper was told.
    sent: usize,
    told: usize,
}

impl Sending {
    fn begin(state: &State, conn: &Arc<Conn>, before: &[IoSlice<'_>], length: usize) -> io::Result<Sending> {
        let (file, offset) = match &*state.handover.part() {
            Some(part) => (part.file.clone(), part.offset),
            None => return Err(io::Error::other("there is no file to be sent")),
        };
        let before = before.iter().flat_map(|part| part.iter().copied()).collect::<Vec<u8>>();
        let progress = Progress::new();
        let sending = Sending {
            progress: progress.clone(),
            before: before.len(),
            length: before.len() + length,
            sent: 0,
            told: 0,
            // The kernel has what stands before a file wait for it, so that both are in one segment.
            copying: Box::pin(copy(
                conn.clone(),
                file,
                offset,
                Copier::new().prefix(before).limit(length as u64).progress(&progress),
            )),
        };
        Ok(sending)
    }

    /// Whether this is what is left of it, as far as hyper knows.
    fn is_followed_by(&self, before: &[IoSlice<'_>], length: usize) -> bool {
        let before = before.iter().map(|part| part.len()).sum::<usize>();
        before == self.before.saturating_sub(self.told) && before + length == self.length - self.told
    }

    fn poll(&mut self, state: &State, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.sent == self.told {
            let polled = self.copying.as_mut().poll(cx);
            self.count(state);
            match polled {
                // It is shorter than it was.
                Poll::Ready(Ok(())) if self.sent < self.length => {
                    return Poll::Ready(Err(files::shorter()));
                }
                Poll::Ready(ended) => ended?,
                // What has gone is told next time, as this is the time that has a waker.
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

    /// Notes what has gone since.
    fn count(&mut self, state: &State) {
        let sent = usize::try_from(self.progress.there()).unwrap_or(usize::MAX);
        let of_file = sent.saturating_sub(self.before) - self.sent.saturating_sub(self.before);
        if sent > self.sent {
            state.wrote(sent - self.sent);
            state.counts.sent_from_files.add(of_file as u64);
            state.handover.sent(of_file);
        }
        self.sent = sent;
    }
}

async fn copy(conn: Arc<Conn>, file: Arc<File>, offset: u64, copier: Copier) -> io::Result<()> {
    // Nobody else has its cursor: each response opens its file.
    rustix::fs::seek(&file, SeekFrom::Start(offset))?;
    copier.copy(&file, &conn).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use landline::{UnixConn, UnixKind};
    use tower_service::Service as _;

    use super::super::body::Sent;
    use super::super::exchange::Lives;
    use super::super::io::Io;
    use super::super::settings::Settings;
    use super::super::watch::Worker;
    use super::*;
    use crate::files::FileServer;

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

    /// What a client hears of a file, through a hyper that writes what it is given, or copies it first.
    async fn heard(writes_vectored: bool, content: &[u8]) -> (Vec<u8>, bool) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("a"), content).unwrap();
        let files = FileServer::new(directory.path()).unwrap();
        let (ours, theirs) = UnixConn::pair(UnixKind::Stream).unwrap();
        let conn = Arc::new(Conn::from(ours));
        let state = State::new(&conn, None, &Worker::of_none().await, Arc::default(), &Settings::default());
        let state = Arc::new(state);
        let io = Io::new(state.clone(), conn, Bytes::new());
        let service = service_fn(move |request| {
            state.request_began();
            let exchange = Exchange::begin(&Lives::new(state.clone()), None, &request);
            let answer = files.clone().call(request);
            async move { Ok::<_, Infallible>(answer.await?.map(|body| Sent::by_handler(body, exchange))) }
        });
        let serving = http1::Builder::new().writev(writes_vectored).serve_connection(io, service);
        let asking = async {
            theirs.write_all(b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
            let mut heard = Vec::new();
            let mut buffer = vec![0; 64 << 10];
            while let Ok(count @ 1..) = theirs.read(&mut buffer).await {
                heard.extend(&buffer[..count]);
            }
            heard
        };
        let (served, heard) = tokio::join!(async { serving.await.is_ok() }, asking);
        (heard, served)
    }

    #[tokio::test]
    async fn whoever_copies_sends_nothing() {
        let content: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251 + 1) as u8).collect();
        let (said, is_ok) = heard(true, &content).await;
        assert!(is_ok && said.ends_with(&content));
        let (said, is_ok) = heard(false, &content).await;
        assert!(!is_ok && said.is_empty(), "{} bytes", said.len());
    }

    #[test]
    fn only_what_stands_for_a_file_is_taken_for_it() {
        assert!(is_stand_in(&STAND_IN[..1]) && is_stand_in(&STAND_IN));
        assert!(!is_stand_in(&STAND_IN[..0]) && !is_stand_in(&[0; 8]) && !is_stand_in(&[]));
    }
}
