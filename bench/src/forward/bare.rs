//! The limits: splice through a pipe, two calls for what is there; and read and write with one buffer.

use std::{
    cell::RefCell,
    io,
    marker::PhantomData,
    net::SocketAddrV4,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
};

use rustix::{
    io::Errno,
    net::{Shutdown, shutdown},
    pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice},
};

use crate::{
    bare::{self, Fate, Service, Sockets, Told},
    dial,
    poller::{EventFlags, READ_WRITE},
    sockets,
};

/// As large as a pipe may be without privileges (`fs.pipe-max-size`), in bytes and in the pages that it counts in.
const PIPE: usize = 1 << 20;
const SLOTS: usize = PIPE / 4096;

/// What a usual copy loop of a forwarder reads into.
const BUFFER: usize = 64 << 10;

pub(crate) fn serve<S: Stream>(to: SocketAddrV4) -> io::Result<()> {
    bare::serve(&sockets::listen()?, Forwarder::<S> { to, streams: PhantomData })
}

/// One direction of a forwarded conn.
pub(crate) trait Stream: Sized {
    fn new() -> io::Result<Self>;

    /// Reads; nothing at the end.
    fn fill(&mut self, from: &OwnedFd) -> rustix::io::Result<Filled>;

    /// Writes some of what was read.
    fn flush(&mut self, to: &OwnedFd) -> rustix::io::Result<()>;

    /// Whether all that was read is written.
    fn is_empty(&self) -> bool;
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Filled {
    /// There may be more.
    Some,
    /// It was all that was there.
    All,
    End,
}

struct Forwarder<S> {
    to: SocketAddrV4,
    streams: PhantomData<S>,
}

struct Pair<S> {
    sockets: [OwnedFd; 2],
    /// What comes from the socket of the same index.
    streams: [S; 2],
    ended: [bool; 2],
}

impl<S> Sockets for Pair<S> {
    fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.sockets.iter().map(|socket| socket.as_fd())
    }
}

impl<S: Stream> Service for Forwarder<S> {
    type Conn = Pair<S>;

    const INTEREST: EventFlags = READ_WRITE;

    fn open(&mut self, accepted: OwnedFd) -> io::Result<Pair<S>> {
        let far = dial::bare::begin(self.to)?;
        sockets::set_options(&far, false)?;
        Ok(Pair { sockets: [accepted, far], streams: [S::new()?, S::new()?], ended: [false; 2] })
    }

    fn ready(&mut self, pair: &mut Pair<S>, told: Told) -> Fate {
        let (this, other) = (told.socket, 1 - told.socket);
        let moved = || -> rustix::io::Result<()> {
            if told.flags.contains(EventFlags::OUT) && !pair.streams[other].is_empty() {
                // What could not be written before; and more may have come since.
                pair.pump(other, true)?;
            }
            if told.flags.contains(EventFlags::IN) || told.ends() {
                pair.pump(this, told.ends())?;
            }
            Ok(())
        };
        match { moved }() {
            Ok(()) if pair.ended == [true; 2] => Fate::Over,
            Ok(()) => Fate::Open,
            Err(_) => Fate::Over,
        }
    }
}

impl<S: Stream> Pair<S> {
    /// Moves what there is from one socket to the other, as far as there is room.
    fn pump(&mut self, from: usize, to_the_end: bool) -> rustix::io::Result<()> {
        let stream = &mut self.streams[from];
        let (from_socket, to_socket) = (&self.sockets[from], &self.sockets[1 - from]);
        let mut more = !self.ended[from];
        loop {
            while !stream.is_empty() {
                match stream.flush(to_socket) {
                    Ok(()) => {}
                    Err(Errno::AGAIN) => return Ok(()),
                    Err(error) => return Err(error),
                }
            }
            if !more {
                return Ok(());
            }
            match stream.fill(from_socket) {
                Ok(Filled::Some) => {}
                Ok(Filled::All) => more = to_the_end,
                Ok(Filled::End) => {
                    self.ended[from] = true;
                    return shutdown(to_socket, Shutdown::Write);
                }
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

/// Through a pipe, without a copy.
pub(crate) struct Spliced {
    drain: OwnedFd,
    source: OwnedFd,
    held: usize,
}

impl Stream for Spliced {
    fn new() -> io::Result<Self> {
        let (drain, source) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        fcntl_setpipe_size(&source, PIPE)?;
        Ok(Self { drain, source, held: 0 })
    }

    fn fill(&mut self, from: &OwnedFd) -> rustix::io::Result<Filled> {
        let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
        self.held = splice(from, None, &self.source, None, PIPE, flags)?;
        // So few bytes cannot have filled the pipe, which holds one at least in each slot.
        Ok(match self.held {
            0 => Filled::End,
            1..SLOTS => Filled::All,
            _ => Filled::Some,
        })
    }

    fn flush(&mut self, to: &OwnedFd) -> rustix::io::Result<()> {
        let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
        self.held -= splice(&self.drain, None, to, None, self.held, flags)?;
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.held == 0
    }
}

/// Through one buffer of the loop's; what a socket does not take is kept.
pub(crate) struct Buffered {
    /// What is in the loop's buffer, or was kept of it.
    held: Vec<u8>,
    read: usize,
}

thread_local! {
    static SHARED: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER]);
}

impl Stream for Buffered {
    fn new() -> io::Result<Self> {
        Ok(Self { held: Vec::new(), read: 0 })
    }

    fn fill(&mut self, from: &OwnedFd) -> rustix::io::Result<Filled> {
        self.read = SHARED.with_borrow_mut(|buffer| rustix::io::read(from, buffer))?;
        Ok(match self.read {
            0 => Filled::End,
            BUFFER => Filled::Some,
            _ => Filled::All,
        })
    }

    fn flush(&mut self, to: &OwnedFd) -> rustix::io::Result<()> {
        if self.read > 0 {
            return SHARED.with_borrow(|buffer| {
                let bytes = &buffer[..std::mem::take(&mut self.read)];
                match rustix::io::write(to, bytes) {
                    Ok(written) => self.held.extend_from_slice(&bytes[written..]),
                    Err(error) => {
                        self.held.extend_from_slice(bytes);
                        return Err(error);
                    }
                }
                Ok(())
            });
        }
        let written = rustix::io::write(to, &self.held)?;
        self.held.drain(..written);
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.read == 0 && self.held.is_empty()
    }
}
