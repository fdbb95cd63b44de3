//! epoll, as the bare peers and the loads use it.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    buffer::spare_capacity,
    event::{Timespec, epoll},
};

pub(crate) use rustix::event::epoll::{Event, EventFlags};

/// To be told once of each change, an end among them.
pub(crate) const READ: EventFlags = EventFlags::IN.union(EventFlags::RDHUP).union(EventFlags::ET);
pub(crate) const READ_WRITE: EventFlags = READ.union(EventFlags::OUT);

pub(crate) struct Poller(OwnedFd);

/// What came to pass, kept apart from the poller, which can then be added to meanwhile.
pub(crate) struct Events(Vec<Event>);

impl Events {
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(1024))
    }

    /// The keys of what is ready, and for what.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, EventFlags)> {
        self.0.iter().map(|event| (event.data.u64(), event.flags))
    }
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(epoll::create(epoll::CreateFlags::CLOEXEC)?))
    }

    pub(crate) fn add(&self, fd: impl AsFd, key: u64, interest: EventFlags) -> io::Result<()> {
        Ok(epoll::add(&self.0, fd, epoll::EventData::new_u64(key), interest)?)
    }

    /// Waits for events, as a server does.
    pub(crate) fn wait(&self, events: &mut Events) -> io::Result<()> {
        self.turn(events, None)
    }

    /// Looks for events without waiting, as a load does: it spins, so that the server never pays for waking it.
    pub(crate) fn look(&self, events: &mut Events) -> io::Result<()> {
        self.turn(events, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))
    }

    fn turn(&self, events: &mut Events, patience: Option<&Timespec>) -> io::Result<()> {
        events.0.clear();
        // A tracer that attaches interrupts the wait.
        rustix::io::retry_on_intr(|| epoll::wait(&self.0, spare_capacity(&mut events.0), patience))?;
        Ok(())
    }
}
