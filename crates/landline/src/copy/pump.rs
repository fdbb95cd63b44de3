//! One direction: take from the source, give to the sink, and hold at most one portion in between.

use std::os::fd::AsFd;
use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use tokio::io::ReadBuf;

use super::copied::{Copied, CopyPath, Detour};
use super::end::rest_of;
use super::end::sealed::{Sink, Socket, Source};
use super::failure::Failure;
use super::pipes::{self, Lease, Member};
use super::progress::Meter;
use super::route::{Kind, Route};
use super::scratch;
use super::voice::Voice;
use crate::error::{Cause, Error, Operation, Result};
use crate::fd::{Relay, RelayError, Spliced};

/// After so many bytes the other tasks of the thread have their turn; a small message counts as [`SHARE`].
const TURN: usize = 1024 * 1024;
const SHARE: usize = TURN / 128;
/// What one sendfile is asked for at most: it goes on while the peer takes more, and nobody else has a turn meanwhile.
const SEND_FILE: usize = 2 * TURN;

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

pub(super) struct Pump<'a, S: ?Sized, D: ?Sized> {
    source: &'a S,
    sink: &'a D,
    task: Task<'a>,
    sides: (Kind, Kind),
    /// Where both sides are sockets.
    sockets: Option<(Socket<'a>, Socket<'a>)>,
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
            source.kind().map_err(|cause| refused(source.error(Operation::Read, cause)))?,
            sink.kind().map_err(|cause| refused(sink.error(Operation::Write, cause)))?,
        );
        let route = Route::between(sides.0, sides.1);
        let prefix = Left { bytes: task.prefix.into(), taken: 0, from_source: false };
        // The end of a file is not the end of anything else.
        let passes_end = task.passes_end && !matches!(sides.0, Kind::File | Kind::SizelessFile);
        Ok(Pump {
            source,
            sink,
            task: Task { passes_end, ..task },
            sides,
            sockets: source.socket().zip(sink.socket()),
            route,
            stage: Stage::Moving,
            left: (!prefix.bytes.is_empty()).then_some(prefix),
            pipe: None,
            pipes: None,
            of_file: 0,
            unflushed: false,
            copied: Copied { path: route.path(), ..Copied::NOTHING },
        })
    }

    /// Ready when the source has ended and the sink knows, or when the limit was reached.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
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
        let in_pipe = self.pipe.as_ref().map_or(0, Lease::held);
        let in_memory = self.left.as_ref().map_or(0, |left| left.rest().len());
        let undelivered = self.copied.undelivered + (in_pipe + in_memory) as u64;
        let planned = || self.route.detour().filter(|_| self.copied.path == CopyPath::Buffer);
        Copied { undelivered, detour: self.copied.detour.or_else(planned), ..self.copied }
    }

    /// It has ended well.
    pub(super) fn finish(&self) -> Copied {
        let copied = self.copied();
        self.task.voice.ended(copied);
        copied
    }

    /// It was ended by `error`, its own or another's.
    pub(super) fn fail(&self, error: &Error) {
        self.task.voice.failed(self.copied(), error);
    }

    /// The error of a failure of this direction, named after the side that failed.
    pub(super) fn error(&self, failure: Failure) -> Error {
        failure.into_error(self.source, self.sink)
    }

    /// Tells the source that nothing more will be taken.
    pub(super) fn refuse_more(&self) {
        self.source.refuse_more();
    }

    /// What seems to be the end of the source is none, and not to be passed on.
    pub(super) fn keep_end(&mut self) {
        self.task.passes_end = false;
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
                Stage::Moving => match self.poll_take(cx, &mut turn)? {
                    Poll::Ready(()) => {}
                    Poll::Pending => {
                        // Nothing follows for now, so nothing may be kept back.
                        if self.unflushed && self.sink.poll_flush(cx).map_err(Failure::of_sink)?.is_ready() {
                            self.unflushed = false;
                        }
                        return Poll::Pending;
                    }
                },
                Stage::Ending => {
                    ready!(self.poll_end(cx)).map_err(Failure::of_sink)?;
                    self.stage = Stage::Over;
                }
                Stage::Over => return Poll::Ready(Ok(())),
            }
        }
    }

    fn poll_end(&self, cx: &mut Context<'_>) -> Poll<Result<(), Cause>> {
        if self.task.passes_end { self.sink.poll_end(cx) } else { self.sink.poll_flush(cx) }
    }

    /// Gives the sink all that was taken from the source.
    fn poll_give(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        while let Some(left) = &mut self.left {
            let written = match (self.route.path(), self.source.file(), self.sink.socket()) {
                // A header, and the file behind it.
                (CopyPath::SendFile, Some(file), Some(to)) if rest_of(file).is_ok_and(|rest| rest > 0) => {
                    to.fd.poll_write_more(cx, left.rest())
                }
                _ => self.sink.poll_write(cx, left.rest()),
            };
            let count = ready!(written).map_err(Failure::of_sink)?;
            if count == 0 && !left.rest().is_empty() {
                return Poll::Ready(Err(Failure::no_progress()));
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
            let Some((_, to)) = self.sockets else { break };
            let spliced = to.fd.poll_splice_in(cx, pipe.read_end(), pipe.held());
            let count = ready!(spliced).map_err(Failure::of_sink)?;
            if count == 0 {
                return Poll::Ready(Err(Failure::no_progress()));
            }
            pipe.drained(count);
            self.count(count);
            self.took(CopyPath::Splice);
        }
        Poll::Ready(Ok(()))
    }

    /// Takes a portion from the source, which the sink may have been given already.
    fn poll_take(&mut self, cx: &mut Context<'_>, turn: &mut usize) -> Poll<Result<(), Failure>> {
        match (self.route.path(), self.sockets) {
            (CopyPath::Buffer, Some((from, to))) => self.poll_relay(cx, from, to, turn),
            (CopyPath::Splice, Some((from, _))) => self.poll_splice(cx, from, turn),
            (CopyPath::SendFile, _) => self.poll_send_file(cx, turn),
            _ => self.poll_read(cx, turn),
        }
    }

    /// Reads and writes small messages for as long as they come, and are small, and are taken whole.
    fn poll_relay(
        &mut self,
        cx: &mut Context<'_>,
        from: Socket<'_>,
        to: Socket<'_>,
        turn: &mut usize,
    ) -> Poll<Result<(), Failure>> {
        let mut relay =
            Relay::between(from.fd, from.read, to.fd).map_err(|error| self.relay_failed(error))?;
        while self.route.path() == CopyPath::Buffer && self.left.is_none() && self.task.limit > 0 && *turn > 0
        {
            let room = at_most(self.task.limit, self.route.room());
            let step = scratch::with(room, |buffer| {
                let step = relay.poll_step(cx, buffer);
                if let Poll::Ready(Ok(step)) = &step
                    && step.written < step.read
                {
                    self.left = Some(Left::of(&buffer[step.written..step.read]));
                }
                step
            });
            let step = ready!(step).map_err(|error| self.relay_failed(*error))?;
            if step.read == 0 {
                self.stage = Stage::Ending;
                break;
            }
            self.has_read(step.read, turn);
            self.count_buffered(step.written);
        }
        Poll::Ready(Ok(()))
    }

    #[cold]
    fn relay_failed(&mut self, error: RelayError) -> Failure {
        match error {
            RelayError::Read(cause) => Failure::of_source(cause),
            RelayError::Write(count, cause) => self.lost(count, cause),
        }
    }

    fn poll_splice(
        &mut self,
        cx: &mut Context<'_>,
        from: Socket<'_>,
        turn: &mut usize,
    ) -> Poll<Result<(), Failure>> {
        if self.pipe.is_none() {
            // Not before there is something to put into it.
            ready!(from.fd.poll_readable(cx)).map_err(Failure::of_source)?;
            match self.pipes.get_or_insert_with(Member::join).lease() {
                Ok(lease) => self.pipe = Some(lease),
                Err(error) => {
                    self.route.go_round(Detour::NoPipe(error));
                    return Poll::Ready(Ok(()));
                }
            }
        }
        let Some(pipe) = &mut self.pipe else { return Poll::Ready(Ok(())) };
        let most = at_most(self.task.limit, pipes::CAPACITY);
        let count = match ready!(from.fd.poll_splice_out(cx, pipe.write_end(), most)) {
            Ok(Spliced::Bytes(count)) => count,
            Ok(Spliced::Stuck) => {
                self.route.go_round(Detour::Urgent);
                return Poll::Ready(Ok(()));
            }
            Err(Cause::System { error, .. }) if is_refusal(error) => {
                self.route.go_round(Detour::Refused { call: "splice", error });
                return Poll::Ready(Ok(()));
            }
            Err(cause) => return Poll::Ready(Err(Failure::of_source(cause))),
        };
        if count == 0 {
            self.stage = Stage::Ending;
        }
        pipe.filled(count);
        self.route.has_spliced(count);
        self.took_from_source(count, turn);
        Poll::Ready(Ok(()))
    }

    fn poll_send_file(&mut self, cx: &mut Context<'_>, turn: &mut usize) -> Poll<Result<(), Failure>> {
        let (Some(file), Some(to)) = (self.source.file(), self.sink.socket()) else {
            return Poll::Ready(Err(Failure::of_source(Errno::BADF)));
        };
        if self.of_file == 0 {
            self.of_file = rest_of(file).map_err(Failure::of_source)?;
            self.took(CopyPath::SendFile);
        }
        if self.of_file == 0 {
            self.stage = Stage::Ending;
            return Poll::Ready(Ok(()));
        }
        // Never more than there is, so that the kernel does not keep back the end for what does not come.
        let most = at_most(self.of_file.min(self.task.limit), SEND_FILE);
        let count = match ready!(to.fd.poll_send_file(cx, file.as_fd(), most)) {
            Ok(count) => count,
            Err(Cause::System { error, .. }) if is_refusal(error) && self.has_nothing_of_source() => {
                self.route.go_round(Detour::Refused { call: "sendfile", error });
                self.copied.path = CopyPath::Buffer;
                return Poll::Ready(Ok(()));
            }
            // A disk's error is the one that no socket has.
            Err(cause @ Cause::System { error: Errno::IO, .. }) => {
                return Poll::Ready(Err(Failure::of_source(cause)));
            }
            Err(cause) => return Poll::Ready(Err(Failure::of_sink(cause))),
        };
        if count == 0 {
            // It has become shorter.
            self.stage = Stage::Ending;
        }
        self.of_file -= count as u64;
        self.took_from_source(count, turn);
        self.count(count);
        Poll::Ready(Ok(()))
    }

    /// By way of the thread's buffer: what the sink does not take at once is kept.
    fn poll_read(&mut self, cx: &mut Context<'_>, turn: &mut usize) -> Poll<Result<(), Failure>> {
        let room = match self.sides.0 {
            // Half a message is none.
            Kind::Messages { .. } => self.route.room(),
            _ => at_most(self.task.limit, self.route.room()),
        };
        scratch::with(room, |buffer| {
            let mut buffer = ReadBuf::new(buffer);
            ready!(self.source.poll_read(cx, &mut buffer)).map_err(Failure::of_source)?;
            let bytes = buffer.filled();
            if bytes.is_empty() && self.sides.0 != (Kind::Messages { end: false }) {
                self.stage = Stage::Ending;
                return Poll::Ready(Ok(()));
            }
            self.has_read(bytes.len(), turn);
            Poll::Ready(self.pass_on(cx, bytes))
        })
    }

    /// Gives the sink what was read; keeps what it does not take.
    fn pass_on(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Result<(), Failure> {
        if bytes.is_empty() && !matches!(self.sides.1, Kind::Messages { .. }) {
            // An empty message has no place in a stream.
            return Ok(());
        }
        let count = match self.sink.poll_write(cx, bytes) {
            Poll::Ready(Ok(0)) if !bytes.is_empty() => {
                self.copied.undelivered += bytes.len() as u64;
                return Err(Failure::no_progress());
            }
            Poll::Ready(Ok(count)) => count,
            Poll::Ready(Err(cause)) => return Err(self.lost(bytes.len(), cause)),
            Poll::Pending => {
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

    /// The sink failed when it was given so many bytes.
    #[cold]
    fn lost(&mut self, count: usize, cause: Cause) -> Failure {
        self.copied.undelivered += count as u64;
        Failure::of_sink(cause)
    }

    fn has_read(&mut self, count: usize, turn: &mut usize) {
        self.route.has_read(count);
        self.took_from_source(count, turn);
        self.took(CopyPath::Buffer);
    }

    fn took_from_source(&mut self, count: usize, turn: &mut usize) {
        self.task.limit = self.task.limit.saturating_sub(count as u64);
        *turn = turn.saturating_sub(count.max(SHARE));
    }

    fn took(&mut self, path: CopyPath) {
        self.copied.path = self.copied.path.min(path);
        self.task.voice.took(path, || self.route.detour().filter(|_| path == CopyPath::Buffer));
    }

    fn count_buffered(&mut self, count: usize) {
        self.copied.buffered += count as u64;
        self.copied.detour = self.route.detour();
        self.count(count);
    }

    fn has_nothing_of_source(&self) -> bool {
        self.copied.bytes <= self.task.prefix.len() as u64
    }

    fn count(&mut self, count: usize) {
        self.copied.bytes += count as u64;
        self.task.meter.add(count as u64);
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
