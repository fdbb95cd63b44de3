//! One direction: take from the source, give to the sink, and hold at most one portion in between.

use std::os::fd::AsFd;
use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use tokio::io::ReadBuf;

use super::copied::{Copied, CopyPath, Detour};
use super::end::rest_of;
use super::end::sealed::{Side, Sink, Socket, Source};
use super::pipes::{self, Lease, Member};
use super::progress::Meter;
use super::route::{Kind, Route};
use super::scratch;
use super::voice::Voice;
use crate::error::{Cause, Error, Operation, Result};
use crate::fd::{NetFd, Spliced};

/// After so many bytes the other tasks of the thread have their turn.
const TURN: usize = 1024 * 1024;
/// What one sendfile is asked for at most: it goes on while the peer takes more, and nobody else has a turn meanwhile.
const SEND_FILE: usize = 1024 * 1024;

/// What to copy, and how far.
pub(super) struct Task<'a> {
    /// Bytes that come before those of the source.
    pub(super) prefix: &'a [u8],
    /// How many bytes to take from the source at most.
    pub(super) limit: u64,
    /// Whether the end of the source is the end of the sink's stream.
    pub(super) passes_end: bool,
    pub(super) meter: Meter<'a>,
    pub(super) voice: Voice<'a>,
}

/// Which side failed, and why. Boxed, so that what usually succeeds returns little.
#[derive(Debug)]
pub(super) struct Failure(Box<(Culprit, Cause)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Culprit {
    Source,
    Sink,
}

impl Failure {
    #[cold]
    fn of_source(cause: impl Into<Cause>) -> Failure {
        Failure(Box::new((Culprit::Source, cause.into())))
    }

    #[cold]
    fn of_sink(cause: impl Into<Cause>) -> Failure {
        Failure(Box::new((Culprit::Sink, cause.into())))
    }

    pub(super) fn culprit(&self) -> Culprit {
        self.0.0
    }

    pub(super) fn cause(&self) -> &Cause {
        &self.0.1
    }
}

pub(super) struct Pump<'a, S: ?Sized, D: ?Sized> {
    source: &'a S,
    sink: &'a D,
    task: Task<'a>,
    sides: (Kind, Kind),
    route: Route,
    stage: Stage,
    /// The part of what was read, or of the prefix, that the sink has not taken yet.
    left: Option<Left>,
    /// There only while something is in it, or while it moves.
    pipe: Option<Lease>,
    /// There once a pipe was needed.
    pipes: Option<Member>,
    /// How much is known to lie before the end of the file.
    of_file: u64,
    /// Whether the source gave less than it could when it was last read, in this turn: it is waited for, and not tried.
    drained: bool,
    /// Whether the sink has something that it may keep back until it is flushed.
    unflushed: bool,
    copied: Copied,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Moving,
    /// The source has ended, and all it gave was taken.
    Ending,
    Over,
}

/// Kept apart from the thread's buffer, in just the room it needs.
struct Left {
    bytes: Box<[u8]>,
    taken: usize,
    /// Rather than from the prefix.
    from_source: bool,
}

impl<'a, S: Source + ?Sized, D: Sink + ?Sized> Pump<'a, S, D> {
    pub(super) fn new(source: &'a S, sink: &'a D, task: Task<'a>) -> Result<Pump<'a, S, D>> {
        task.voice.started(|| source.name(), || sink.name());
        let refused = |error: Error| {
            task.voice.failed(Copied::NOTHING, &error);
            error
        };
        let sides = (
            source.kind().map_err(|cause| refused(Side::error(source, Operation::Read, cause)))?,
            sink.kind().map_err(|cause| refused(Side::error(sink, Operation::Write, cause)))?,
        );
        let route = Route::between(sides.0, sides.1);
        // The end of a file is not the end of anything else.
        let passes_end = task.passes_end && !matches!(sides.0, Kind::File | Kind::SizelessFile);
        let task = Task { passes_end, ..task };
        let left = (!task.prefix.is_empty()).then(|| Left {
            bytes: task.prefix.into(),
            taken: 0,
            from_source: false,
        });
        let copied = Copied { path: route.path(), ..Copied::NOTHING };
        Ok(Pump {
            source,
            sink,
            task,
            sides,
            route,
            stage: Stage::Moving,
            left,
            pipe: None,
            pipes: None,
            of_file: 0,
            drained: false,
            unflushed: false,
            copied,
        })
    }

    /// Ready when the source has ended and the sink knows, or when the limit was reached.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        // It was woken, so there may be more.
        self.drained = false;
        let polled = self.poll_stages(cx);
        // Whatever it waits for, it does not keep an empty pipe meanwhile.
        if self.pipe.as_ref().is_some_and(|pipe| pipe.held() == 0) {
            self.pipe = None;
        }
        polled
    }

    /// Whether what wakes this direction may be meant for the other one between the same two.
    pub(super) fn mixes_wakers(&self) -> bool {
        self.source.mixes_wakers() || self.sink.mixes_wakers()
    }

    /// How many bytes the sink has taken.
    pub(super) fn moved(&self) -> u64 {
        self.copied.bytes
    }

    /// What was moved up to now.
    pub(super) fn copied(&self) -> Copied {
        let held = self.pipe.as_ref().map_or(0, Lease::held)
            + self.left.as_ref().map_or(0, |left| left.rest().len());
        let undelivered = self.copied.undelivered + held as u64;
        let detour = self
            .copied
            .detour
            .or_else(|| self.route.detour().filter(|_| self.copied.path == CopyPath::Buffer));
        Copied { undelivered, detour, ..self.copied }
    }

    /// Tells the source that nothing more will be taken.
    pub(super) fn refuse_more(&self) {
        self.source.refuse_more();
    }

    /// The error of a failure of this direction, named after the side that failed.
    pub(super) fn error(&self, failure: Failure) -> Error {
        let (culprit, cause) = *failure.0;
        match culprit {
            Culprit::Source => Side::error(self.source, Operation::Read, cause),
            Culprit::Sink => Side::error(self.sink, Operation::Write, cause),
        }
    }

    /// It has ended well.
    pub(super) fn finish(&self) -> Copied {
        self.task.voice.ended(self.copied());
        self.copied()
    }

    pub(super) fn fail(&self, error: &Error) {
        self.task.voice.failed(self.copied(), error);
    }

    fn poll_stages(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let mut turn = TURN;
        loop {
            ready!(self.poll_give(cx))?;
            match self.stage {
                Stage::Moving if self.task.limit == 0 => self.stage = Stage::Over,
                Stage::Moving if turn == 0 => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Stage::Moving => match self.poll_take(cx)? {
                    Poll::Ready(count) => turn = turn.saturating_sub(count),
                    Poll::Pending => {
                        // Nothing follows for now, so nothing may be kept back.
                        if self.unflushed && self.sink.poll_flush(cx).map_err(Failure::of_sink)?.is_ready() {
                            self.unflushed = false;
                        }
                        return Poll::Pending;
                    }
                },
                Stage::Ending => {
                    ready!(self.poll_end(cx))?;
                    self.stage = Stage::Over;
                }
                Stage::Over => return Poll::Ready(Ok(())),
            }
        }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        if self.task.passes_end {
            return self.sink.poll_end(cx).map_err(Failure::of_sink);
        }
        self.sink.poll_flush(cx).map_err(Failure::of_sink)
    }

    /// Gives the sink all that was taken from the source.
    fn poll_give(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        while let Some(left) = &mut self.left {
            let count = ready!(self.sink.poll_write(cx, left.rest())).map_err(Failure::of_sink)?;
            if count == 0 && !left.rest().is_empty() {
                return Poll::Ready(Err(Failure::of_sink(no_progress())));
            }
            left.taken += count;
            let from_source = left.from_source;
            if left.rest().is_empty() {
                self.left = None;
            }
            self.unflushed = true;
            if from_source {
                self.count_buffered(count);
            } else {
                self.count(count);
            }
        }
        while let Some(pipe) = self.pipe.as_mut().filter(|pipe| pipe.held() > 0) {
            let Some(Socket(socket)) = self.sink.socket() else { break };
            let count =
                ready!(socket.poll_splice_in(cx, pipe.read_end(), pipe.held())).map_err(Failure::of_sink)?;
            if count == 0 {
                return Poll::Ready(Err(Failure::of_sink(no_progress())));
            }
            pipe.drained(count);
            self.count(count);
            self.took(CopyPath::Splice);
        }
        Poll::Ready(Ok(()))
    }

    /// Takes a portion from the source, which the sink may have been given already; says how much it was.
    fn poll_take(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Failure>> {
        match (self.route.path(), self.source.socket(), self.sink.socket()) {
            (CopyPath::Splice, Some(Socket(socket)), Some(_)) => self.poll_splice(cx, socket),
            (CopyPath::SendFile, _, Some(Socket(socket))) => self.poll_send_file(cx, socket),
            _ => self.poll_read(cx),
        }
    }

    fn poll_splice(&mut self, cx: &mut Context<'_>, socket: &NetFd) -> Poll<Result<usize, Failure>> {
        if self.pipe.is_none() {
            // Not before there is something to put into it.
            ready!(socket.poll_readable(cx)).map_err(Failure::of_source)?;
            match self.pipes.get_or_insert_with(Member::join).lease() {
                Ok(lease) => self.pipe = Some(lease),
                Err(error) => {
                    self.route.go_round(Detour::NoPipe(error));
                    return Poll::Ready(Ok(0));
                }
            }
        }
        let Some(pipe) = &mut self.pipe else { return Poll::Ready(Ok(0)) };
        let most = at_most(self.task.limit, pipes::CAPACITY);
        let count = match ready!(socket.poll_splice_out(cx, pipe.write_end(), most)) {
            Ok(Spliced::Bytes(count)) => count,
            Ok(Spliced::Stuck) => {
                self.route.go_round(Detour::Urgent);
                return Poll::Ready(Ok(0));
            }
            Err(Cause::System { error, .. }) if is_refusal(error) => {
                self.route.go_round(Detour::Refused { call: "splice", error });
                return Poll::Ready(Ok(0));
            }
            Err(cause) => return Poll::Ready(Err(Failure::of_source(cause))),
        };
        if count == 0 {
            self.stage = Stage::Ending;
            return Poll::Ready(Ok(0));
        }
        pipe.filled(count);
        self.route.has_spliced(count);
        self.task.limit -= count as u64;
        Poll::Ready(Ok(count))
    }

    fn poll_send_file(&mut self, cx: &mut Context<'_>, socket: &NetFd) -> Poll<Result<usize, Failure>> {
        let Some(file) = self.source.file() else { return Poll::Ready(Err(Failure::of_source(Errno::BADF))) };
        if self.of_file == 0 {
            self.of_file = rest_of(file).map_err(Failure::of_source)?;
            self.took(CopyPath::SendFile);
        }
        if self.of_file == 0 {
            self.stage = Stage::Ending;
            return Poll::Ready(Ok(0));
        }
        // Never more than there is, so that the kernel does not keep back the end for what does not come.
        let most = at_most(self.of_file.min(self.task.limit), SEND_FILE);
        let count = match ready!(socket.poll_send_file(cx, file.as_fd(), most)) {
            Ok(count) => count,
            Err(Cause::System { error, .. }) if is_refusal(error) && self.copied.bytes == 0 => {
                self.route.go_round(Detour::Refused { call: "sendfile", error });
                self.copied.path = CopyPath::Buffer;
                return Poll::Ready(Ok(0));
            }
            // The file's own errors are told apart by what they are.
            Err(Cause::System { error: Errno::IO, call }) => {
                return Poll::Ready(Err(Failure::of_source(Cause::System { call, error: Errno::IO })));
            }
            Err(cause) => return Poll::Ready(Err(Failure::of_sink(cause))),
        };
        if count == 0 {
            // It has become shorter.
            self.stage = Stage::Ending;
        }
        self.of_file -= count as u64;
        self.task.limit -= count as u64;
        self.count(count);
        Poll::Ready(Ok(count))
    }

    /// By way of the thread's buffer: what the sink does not take at once is kept.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Failure>> {
        let room = match self.sides.0 {
            // Half a message is none.
            Kind::Messages { .. } => self.route.room(),
            _ => at_most(self.task.limit, self.route.room()),
        };
        let is_socket = match self.source.socket() {
            Some(Socket(socket)) if self.drained => {
                ready!(socket.poll_readable(cx)).map_err(Failure::of_source)?;
                true
            }
            socket => socket.is_some(),
        };
        scratch::with(room, |buffer| {
            let count = match is_socket {
                true => match self.source.try_read(buffer) {
                    Some(read) => read.map_err(Failure::of_source)?,
                    None => {
                        self.drained = true;
                        return Poll::Ready(Ok(0));
                    }
                },
                false => {
                    let mut buffer = ReadBuf::new(buffer);
                    ready!(self.source.poll_read(cx, &mut buffer)).map_err(Failure::of_source)?;
                    buffer.filled().len()
                }
            };
            if count == 0 && self.sides.0 != (Kind::Messages { end: false }) {
                self.stage = Stage::Ending;
                return Poll::Ready(Ok(0));
            }
            self.drained = count < room;
            self.route.has_read(count);
            self.task.limit = self.task.limit.saturating_sub(count as u64);
            self.took(CopyPath::Buffer);
            self.pass_on(&buffer[..count], cx)?;
            // An empty message counts for its turn too.
            Poll::Ready(Ok(count.max(1)))
        })
    }

    /// Gives the sink what was read; keeps what it does not take.
    fn pass_on(&mut self, bytes: &[u8], cx: &mut Context<'_>) -> Result<(), Failure> {
        if bytes.is_empty() && !matches!(self.sides.1, Kind::Messages { .. }) {
            // An empty message has no place in a stream.
            return Ok(());
        }
        let written = match self.sink.socket() {
            Some(Socket(socket)) => socket.try_write(bytes),
            None => match self.sink.poll_write(cx, bytes) {
                Poll::Ready(written) => Some(written),
                Poll::Pending => None,
            },
        };
        let count = match written {
            Some(Ok(0)) if !bytes.is_empty() => return Err(self.lost(bytes.len(), no_progress())),
            Some(Ok(count)) => count,
            Some(Err(cause)) => return Err(self.lost(bytes.len(), cause)),
            None => {
                self.left = Some(Left::of(bytes));
                return Ok(());
            }
        };
        if count < bytes.len() {
            self.left = Some(Left::of(&bytes[count..]));
        }
        self.unflushed = true;
        self.count_buffered(count);
        Ok(())
    }

    #[cold]
    fn lost(&mut self, count: usize, cause: Cause) -> Failure {
        self.copied.undelivered += count as u64;
        Failure::of_sink(cause)
    }

    fn count_buffered(&mut self, count: usize) {
        self.copied.buffered += count as u64;
        self.copied.detour = self.route.detour();
        self.count(count);
    }

    fn count(&mut self, count: usize) {
        self.copied.bytes += count as u64;
        self.task.meter.add(count as u64);
    }

    fn took(&mut self, path: CopyPath) {
        self.copied.path = self.copied.path.min(path);
        self.task.voice.took(path, || self.route.detour());
    }
}

impl Left {
    fn of(bytes: &[u8]) -> Left {
        Left { bytes: bytes.into(), taken: 0, from_source: true }
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }
}

fn at_most(limit: u64, most: usize) -> usize {
    usize::try_from(limit).map_or(most, |limit| limit.min(most))
}

/// Whether the kernel says that it cannot do this with these two.
fn is_refusal(error: Errno) -> bool {
    matches!(error, Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM)
}

fn no_progress() -> Cause {
    std::io::Error::from(std::io::ErrorKind::WriteZero).into()
}
