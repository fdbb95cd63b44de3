//! A connection in memory that is correct, or has exactly one flaw.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use conntest::suite::{Addressed, Deadlines, SharedConn};
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

/// How much of what was written may wait to be read.
const CAPACITY: usize = 32 << 10;

/// What is wrong with a conn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    DropsAByte,
    FlipsABit,
    DoublesAByte,
    HoldsShortWritesBack,
    RacingReadersGetTheSame,
    RacingWritersOverwrite,
    CancelledReadLosesData,
    CancelledReaderTakesTheWakeUp,
    NeverWakesWriters,
    AcceptsEverything,
    CloseDoesNotWake,
    CloseWakesOne,
    ReadsNothingAfterClose,
    WritesAfterClose,
    CloseIsATimeout,
    CloseLosesData,
    CloseIsNotSeenByThePeer,
    PeersCloseLooksLikeOurs,
    IgnoresDeadlines,
    LooksAtDeadlinesOnce,
    FollowsNoMoves,
    PastDeadlineLetsDataThrough,
    TimesOutEarly,
    TimesOutLate,
    OneDeadlineForBoth,
    TimeoutIsForEver,
    TimeoutIsCalledClosed,
    TimedOutReadLosesData,
    TimedOutWriteIsSent,
    MovingADeadlineWakesReaders,
    PanicsInACrowd,
    MergesMessages,
    SplitsMessages,
    SwapsAddresses,
}

#[derive(Debug)]
pub(crate) enum Error {
    Closed,
    PeerClosed,
    Timeout,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// One end of a connection; `messages` keeps boundaries.
pub(crate) struct Memory {
    flaw: Flaw,
    name: &'static str,
    peer: &'static str,
    incoming: Arc<Lane>,
    outgoing: Arc<Lane>,
    own: Mutex<Own>,
    changed: Notify,
}

struct Lane {
    queue: Mutex<Queue>,
    /// For those who read from the lane, and for those who write to it.
    readable: Notify,
    writable: Notify,
    last_reader: AtomicU64,
    messages: bool,
}

#[derive(Default)]
struct Queue {
    pieces: VecDeque<Vec<u8>>,
    bytes: usize,
    total: usize,
    held_back: Vec<u8>,
    writer_gone: bool,
    reader_gone: bool,
}

#[derive(Default)]
struct Own {
    closed: bool,
    timed_out: bool,
    read_deadline: Option<Instant>,
    write_deadline: Option<Instant>,
    setters: u32,
}

pub(crate) fn pair(flaw: Flaw) -> (Memory, Memory) {
    connect(flaw, false)
}

pub(crate) fn message_pair(flaw: Flaw) -> (Memory, Memory) {
    connect(flaw, true)
}

fn connect(flaw: Flaw, messages: bool) -> (Memory, Memory) {
    let lane = || {
        Arc::new(Lane {
            queue: Mutex::default(),
            readable: Notify::new(),
            writable: Notify::new(),
            last_reader: AtomicU64::new(0),
            messages,
        })
    };
    let (there, back) = (lane(), lane());
    let end = |name, peer, incoming: &Arc<Lane>, outgoing: &Arc<Lane>| Memory {
        flaw,
        name,
        peer,
        incoming: incoming.clone(),
        outgoing: outgoing.clone(),
        own: Mutex::default(),
        changed: Notify::new(),
    };
    (end("left", "right", &back, &there), end("right", "left", &there, &back))
}

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    Read,
    Write,
}

impl Memory {
    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }

    fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deadline(&self, direction: Direction) -> Option<Instant> {
        let own = self.own();
        match direction {
            Direction::Read => own.read_deadline,
            Direction::Write => own.write_deadline,
        }
    }

    /// Why the call must fail now, whatever the queue holds.
    fn ended(&self, deadline: Option<Instant>) -> Option<Error> {
        let mut own = self.own();
        if own.closed {
            return Some(if self.has(Flaw::CloseIsATimeout) { Error::Timeout } else { Error::Closed });
        }
        let passed = deadline.is_some_and(|at| Instant::now() >= at);
        own.timed_out |= passed && !self.has(Flaw::IgnoresDeadlines);
        let for_ever = self.has(Flaw::TimeoutIsForEver) && own.timed_out;
        if (passed && !self.has(Flaw::IgnoresDeadlines)) || for_ever {
            return Some(match self.flaw {
                Flaw::TimeoutIsCalledClosed => Error::Closed,
                _ => Error::Timeout,
            });
        }
        None
    }

    /// Waits and tries until `attempt` has an outcome.
    async fn until<T>(
        &self,
        direction: Direction,
        lane: &Lane,
        mut attempt: impl FnMut(&mut Queue) -> Option<Result<T, Error>>,
    ) -> Result<T, Error> {
        let mut first = true;
        let at_first = self.deadline(direction);
        // The flaw: one place for one waiting reader, taken by the last to come and not handed back.
        let reader = lane.last_reader.load(Ordering::SeqCst) + 1;
        if direction == Direction::Read {
            lane.last_reader.store(reader, Ordering::SeqCst);
        }
        loop {
            let lane_changed = match direction {
                Direction::Read => &lane.readable,
                Direction::Write => &lane.writable,
            };
            let (lane_changed, own_changed) = (lane_changed.notified(), self.changed.notified());
            tokio::pin!(lane_changed, own_changed);
            lane_changed.as_mut().enable();
            own_changed.as_mut().enable();
            let mut deadline = self.deadline(direction);
            match self.flaw {
                Flaw::FollowsNoMoves => deadline = at_first,
                Flaw::TimesOutEarly => {
                    deadline = deadline.map(|at| at - std::time::Duration::from_millis(20));
                }
                Flaw::TimesOutLate => deadline = deadline.map(|at| at + std::time::Duration::from_secs(9)),
                _ => {}
            }
            if self.has(Flaw::PastDeadlineLetsDataThrough)
                && let Some(outcome) = attempt(&mut lane.queue.lock().unwrap())
            {
                return outcome;
            }
            if (first || !self.has(Flaw::LooksAtDeadlinesOnce))
                && let Some(error) = self.ended(deadline)
            {
                if self.flaw
                    == match direction {
                        Direction::Read => Flaw::TimedOutReadLosesData,
                        Direction::Write => Flaw::TimedOutWriteIsSent,
                    }
                {
                    let _ = attempt(&mut lane.queue.lock().unwrap());
                }
                return Err(error);
            }
            first = false;
            if let Some(outcome) = attempt(&mut lane.queue.lock().unwrap()) {
                return outcome;
            }
            let sleep = async {
                match deadline {
                    Some(at)
                        if !self.has(Flaw::LooksAtDeadlinesOnce) && !self.has(Flaw::IgnoresDeadlines) =>
                    {
                        sleep_until(at).await;
                    }
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                () = lane_changed => {
                    let forgotten = lane.last_reader.load(Ordering::SeqCst) != reader;
                    if self.has(Flaw::CancelledReaderTakesTheWakeUp) && direction == Direction::Read && forgotten {
                        std::future::pending::<()>().await;
                    }
                }
                () = own_changed => {
                    if self.has(Flaw::MovingADeadlineWakesReaders) && !self.own().closed {
                        return Err(Error::Timeout);
                    }
                }
                () = sleep => {}
            }
        }
    }

    fn set(&self, change: impl FnOnce(&mut Own)) -> Result<(), Error> {
        let mut own = self.own();
        if own.closed {
            return Err(Error::Closed);
        }
        change(&mut own);
        own.setters += 1;
        assert!(!(self.has(Flaw::PanicsInACrowd) && own.setters > 300), "too many setters");
        drop(own);
        if !self.has(Flaw::FollowsNoMoves) && !self.has(Flaw::LooksAtDeadlinesOnce) {
            self.changed.notify_waiters();
        }
        Ok(())
    }
}

impl SharedConn for Memory {
    type Error = Error;

    async fn read(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        if self.has(Flaw::ReadsNothingAfterClose) && self.own().closed {
            return Ok(0);
        }
        let lane = &*self.incoming;
        let taken = self
            .until(Direction::Read, lane, |queue| {
                let Some(piece) = queue.pieces.front() else {
                    return queue.writer_gone.then_some(Ok(Vec::new()));
                };
                let count = piece.len().min(buffer.len());
                let taken = piece[..count].to_vec();
                if self.has(Flaw::RacingReadersGetTheSame) {
                    return Some(Ok(taken));
                }
                take(queue, count, lane.messages);
                Some(Ok(taken))
            })
            .await?;
        if self.has(Flaw::RacingReadersGetTheSame) && !taken.is_empty() {
            yield_now().await;
            let mut queue = lane.queue.lock().unwrap();
            if !queue.pieces.is_empty() {
                take(&mut queue, taken.len(), lane.messages);
            }
        }
        if self.has(Flaw::CancelledReadLosesData) {
            yield_now().await;
        }
        if !self.has(Flaw::NeverWakesWriters) {
            lane.writable.notify_waiters();
        }
        buffer[..taken.len()].copy_from_slice(&taken);
        Ok(taken.len())
    }

    async fn write(&self, bytes: &[u8]) -> Result<usize, Error> {
        if self.has(Flaw::WritesAfterClose) && self.own().closed {
            return Ok(bytes.len());
        }
        let lane = &*self.outgoing;
        let limit = if self.has(Flaw::AcceptsEverything) { usize::MAX } else { CAPACITY };
        let counted = self
            .until(Direction::Write, lane, |queue| {
                if queue.reader_gone {
                    return Some(Err(match self.flaw {
                        Flaw::PeersCloseLooksLikeOurs => Error::Closed,
                        _ => Error::PeerClosed,
                    }));
                }
                let room = limit.saturating_sub(queue.bytes);
                if room == 0 || (lane.messages && room < bytes.len()) {
                    return None;
                }
                let count = bytes.len().min(room);
                if !self.has(Flaw::RacingWritersOverwrite) {
                    self.put(queue, bytes[..count].to_vec());
                }
                Some(Ok(count))
            })
            .await?;
        if self.has(Flaw::RacingWritersOverwrite) {
            let before = lane.queue.lock().unwrap().total;
            yield_now().await;
            let mut queue = lane.queue.lock().unwrap();
            // Whoever wrote in between is overwritten by this one.
            if queue.total == before || queue.pieces.pop_back().is_none() {
                queue.bytes += counted;
            }
            queue.total += counted;
            queue.pieces.push_back(bytes[..counted].to_vec());
        }
        lane.readable.notify_waiters();
        Ok(counted)
    }

    async fn close(&self) -> Result<(), Error> {
        {
            let mut own = self.own();
            if own.closed {
                return Err(Error::Closed);
            }
            own.closed = true;
        }
        self.leave();
        match self.flaw {
            Flaw::CloseDoesNotWake => {}
            Flaw::CloseWakesOne => self.changed.notify_one(),
            _ => self.changed.notify_waiters(),
        }
        Ok(())
    }

    fn is_closed(error: &Error) -> bool {
        matches!(error, Error::Closed)
    }
}

impl Memory {
    fn put(&self, queue: &mut Queue, mut bytes: Vec<u8>) {
        let length = bytes.len();
        let position = 5000_usize.wrapping_sub(queue.total);
        match self.flaw {
            Flaw::DropsAByte if position < length => drop(bytes.remove(position)),
            Flaw::FlipsABit if position < length => bytes[position] ^= 4,
            Flaw::DoublesAByte if position < length => bytes.insert(position, bytes[position]),
            Flaw::HoldsShortWritesBack => {
                queue.held_back.append(&mut bytes);
                if queue.held_back.len() >= 1000 {
                    bytes = std::mem::take(&mut queue.held_back);
                }
            }
            Flaw::SplitsMessages if length > 4096 => {
                queue.pieces.push_back(bytes.drain(..4096).collect());
            }
            Flaw::MergesMessages if !queue.pieces.is_empty() => {
                bytes.splice(0..0, queue.pieces.pop_back().unwrap());
            }
            _ => {}
        }
        queue.total += length;
        queue.bytes = queue.pieces.iter().map(Vec::len).sum::<usize>() + bytes.len();
        if !bytes.is_empty() {
            queue.pieces.push_back(bytes);
        }
    }

    fn leave(&self) {
        {
            let mut outgoing = self.outgoing.queue.lock().unwrap();
            if self.has(Flaw::CloseLosesData) {
                outgoing.pieces.clear();
            }
            let held_back = std::mem::take(&mut outgoing.held_back);
            if !held_back.is_empty() {
                outgoing.pieces.push_back(held_back);
            }
            outgoing.writer_gone = !self.has(Flaw::CloseIsNotSeenByThePeer);
        }
        self.incoming.queue.lock().unwrap().reader_gone = true;
        self.outgoing.readable.notify_waiters();
        self.incoming.writable.notify_waiters();
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if !self.own().closed {
            self.leave();
        }
    }
}

fn take(queue: &mut Queue, count: usize, whole_message: bool) {
    let mut piece = queue.pieces.pop_front().expect("a piece was there");
    queue.bytes -= piece.len().min(queue.bytes);
    piece.drain(..count.min(piece.len()));
    if !piece.is_empty() && !whole_message {
        queue.bytes += piece.len();
        queue.pieces.push_front(piece);
    }
}

impl Deadlines for Memory {
    fn set_deadline(&self, at: Option<Instant>) -> Result<(), Error> {
        self.set(|own| (own.read_deadline, own.write_deadline) = (at, at))
    }

    fn set_read_deadline(&self, at: Option<Instant>) -> Result<(), Error> {
        if self.has(Flaw::OneDeadlineForBoth) {
            return self.set_deadline(at);
        }
        self.set(|own| own.read_deadline = at)
    }

    fn set_write_deadline(&self, at: Option<Instant>) -> Result<(), Error> {
        if self.has(Flaw::OneDeadlineForBoth) {
            return self.set_deadline(at);
        }
        self.set(|own| own.write_deadline = at)
    }

    fn is_timeout(error: &Error) -> bool {
        matches!(error, Error::Timeout)
    }
}

impl Addressed for Memory {
    type Addr = &'static str;

    fn local_addr(&self) -> Result<&'static str, Error> {
        Ok(self.name)
    }

    fn peer_addr(&self) -> Result<&'static str, Error> {
        Ok(if self.has(Flaw::SwapsAddresses) { self.name } else { self.peer })
    }
}
