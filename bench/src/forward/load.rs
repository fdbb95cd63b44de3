//! The lean ends of one bulk stream: the sender before a forwarder, and the sink behind it, in one loop.

use std::{io, net::SocketAddrV4, os::fd::OwnedFd};

use rustix::{
    io::Errno,
    net::{self, RecvFlags},
};

use crate::{
    args::Span,
    bare,
    load::{self, Until},
    outcome::Outcome,
    poller::{EventFlags, Events, Poller, READ, READ_WRITE},
};

/// What the sender writes at once, and what the sink asks for at most.
const WRITE: usize = 256 << 10;
const READ_MOST: usize = 1 << 20;

const SENDER: u64 = 0;
const SINK: u64 = 1;

/// Operations are bytes.
pub(crate) fn run(to: SocketAddrV4, pid: u32, span: Span) -> io::Result<Outcome> {
    let listener = load::sink()?;
    let sender = load::connect(to)?;
    rustix::io::ioctl_fionbio(&sender, true)?;
    let mut accepted = None;
    while accepted.is_none() {
        bare::accept(&listener, |conn| {
            accepted = Some(conn);
            Ok(())
        })?;
    }
    let Some(sink) = accepted else { unreachable!("the loop above ends with one") };
    let poller = Poller::new()?;
    poller.add(&sender, SENDER, READ_WRITE)?;
    poller.add(&sink, SINK, READ)?;
    let mut ends = Ends { poller, sender, sink, bytes: vec![b'b'; WRITE], room: vec![0; READ_MOST] };
    load::measure(pid, span, |until| ends.drive(until))
}

struct Ends {
    poller: Poller,
    sender: OwnedFd,
    sink: OwnedFd,
    bytes: Vec<u8>,
    /// Never touched: the sink has the kernel throw away what it reads.
    room: Vec<u8>,
}

impl Ends {
    fn drive(&mut self, until: Until) -> io::Result<u64> {
        let mut events = Events::new();
        let (mut sent, mut received) = (0, 0);
        let (mut has_room, mut has_bytes) = (true, true);
        let mut over = false;
        while !over || received < sent {
            over = over || until.is_over(sent);
            if has_room && !over {
                match rustix::io::write(&self.sender, &self.bytes) {
                    Ok(len) => sent += len as u64,
                    Err(Errno::AGAIN) => has_room = false,
                    Err(error) => return Err(error.into()),
                }
            }
            if has_bytes {
                match net::recv(&self.sink, &mut *self.room, RecvFlags::TRUNC) {
                    Ok((0, _)) => return Err(io::Error::other("the forwarder closed the stream")),
                    Ok((len, _)) => received += len as u64,
                    Err(Errno::AGAIN) => has_bytes = false,
                    Err(error) => return Err(error.into()),
                }
            }
            self.poller.look(&mut events)?;
            for (key, flags) in events.iter() {
                match key {
                    SENDER if flags.contains(EventFlags::OUT) => has_room = true,
                    SINK => has_bytes = true,
                    _ => {}
                }
            }
        }
        Ok(received)
    }
}
