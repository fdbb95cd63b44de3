//! What the bare servers share: a listener, and a table of conns behind one edge-triggered poller.

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
    thread,
};

use rustix::{io::Errno, net};

use crate::{
    poller::{EventFlags, Events, Poller, READ},
    sockets,
};

/// The listener's mark among the events; a descriptor is never this.
const LISTENER: u64 = u64::MAX;

/// What a server does with its conns.
pub(crate) trait Service {
    type Conn: Sockets;

    /// What it wants to be told of.
    const INTEREST: EventFlags = READ;

    fn open(&mut self, accepted: OwnedFd) -> io::Result<Self::Conn>;

    /// Does what can be done now.
    fn ready(&mut self, conn: &mut Self::Conn, told: Told) -> Fate;
}

/// The sockets of what a server knows as a conn; two where it forwards.
pub(crate) trait Sockets {
    fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>>;
}

impl Sockets for OwnedFd {
    fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        [self.as_fd()].into_iter()
    }
}

/// What the poller told of a conn.
#[derive(Clone, Copy)]
pub(crate) struct Told {
    /// The index of the socket.
    pub(crate) socket: usize,
    pub(crate) flags: EventFlags,
}

impl Told {
    /// Whether the end, or an error, may be behind the bytes that are there.
    pub(crate) fn ends(self) -> bool {
        self.flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR)
    }
}

/// Whether a conn stays.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Fate {
    Open,
    Over,
}

/// Serves one listener with one loop, and says so.
pub(crate) fn serve(listener: &OwnedFd, service: impl Service) -> io::Result<()> {
    sockets::announce(listener)?;
    drive(listener, service)
}

/// Serves one address with so many loops, each with a listener of its own, among which the kernel spreads conns.
pub(crate) fn serve_on<S: Service + Send>(workers: usize, service: impl Fn() -> S) -> io::Result<()> {
    let first = sockets::listen()?;
    let address = sockets::local_address(&first)?;
    let others = (1..workers).map(|_| sockets::listen_at(address)).collect::<io::Result<Vec<_>>>()?;
    sockets::announce(&first)?;
    thread::scope(|scope| {
        for listener in &others {
            let service = service();
            scope.spawn(move || drive(listener, service));
        }
        drive(&first, service())
    })
}

fn drive<S: Service>(listener: &OwnedFd, mut service: S) -> io::Result<()> {
    let poller = Poller::new()?;
    // Level-triggered, so that a turn need not accept all to be told of the rest.
    poller.add(listener, LISTENER, EventFlags::IN)?;
    let mut open = Table::default();
    let mut events = Events::new();
    loop {
        poller.wait(&mut events)?;
        for (key, flags) in events.iter() {
            if key == LISTENER {
                accept(listener, |conn| {
                    let slot = conn.as_raw_fd() as usize;
                    let conn = service.open(conn)?;
                    for (socket, fd) in conn.sockets().enumerate() {
                        poller.add(fd, (slot * 2 + socket) as u64, S::INTEREST)?;
                    }
                    open.put(slot, conn);
                    Ok(())
                })?;
                continue;
            }
            let (slot, socket) = (key as usize / 2, key as usize % 2);
            // Nothing only for what an earlier event of this turn ended.
            let Some(conn) = open.at(slot) else { continue };
            if service.ready(conn, Told { socket, flags }) == Fate::Over {
                // Closing takes it off the poller.
                open.take(slot);
            }
        }
    }
}

/// Accepts all conns that wait.
pub(crate) fn accept(listener: &OwnedFd, mut take: impl FnMut(OwnedFd) -> io::Result<()>) -> io::Result<()> {
    loop {
        match net::accept_with(listener, sockets::FLAGS) {
            Ok(conn) => take(conn)?,
            Err(Errno::AGAIN) => return Ok(()),
            Err(Errno::CONNABORTED | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// What is open, by small numbers.
pub(crate) struct Table<T>(Vec<Option<T>>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Table<T> {
    pub(crate) fn put(&mut self, key: usize, value: T) {
        if key >= self.0.len() {
            self.0.resize_with(key + 1, || None);
        }
        self.0[key] = Some(value);
    }

    pub(crate) fn at(&mut self, key: usize) -> Option<&mut T> {
        self.0.get_mut(key)?.as_mut()
    }

    pub(crate) fn take(&mut self, key: usize) -> Option<T> {
        self.0.get_mut(key)?.take()
    }
}

/// Whether an operation that failed can be tried again when the poller says so.
pub(crate) fn fate_of(error: Errno) -> Fate {
    if error == Errno::AGAIN || error == Errno::INTR { Fate::Open } else { Fate::Over }
}
