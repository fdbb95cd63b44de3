//! The limits: recvfrom and sendto for each datagram; and recvmmsg with GRO, answered by one GSO send.

use std::{
    io::{self, IoSliceMut},
    net::UdpSocket,
    os::fd::AsRawFd as _,
};

use nix::{
    cmsg_space,
    sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg},
};
use rustix::{
    io::Errno,
    net::{RecvFlags, SendFlags, recvfrom, sendto},
};

use super::train;
use crate::poller::{Events, Poller, READ};

/// Buffers of one recvmmsg, each for one train or one datagram.
const BUFFERS: usize = 8;

pub(crate) fn serve_singly() -> io::Result<()> {
    let socket = super::bind()?;
    let mut buffer = [0; 2048];
    serve(&socket, || {
        let (len, _, from) = match recvfrom(&socket, &mut buffer, RecvFlags::empty()) {
            Err(Errno::AGAIN) => return Ok(false),
            received => received?,
        };
        let from = from.ok_or_else(|| io::Error::other("a datagram from nobody"))?;
        sendto(&socket, &buffer[..len], SendFlags::empty(), &from)?;
        Ok(true)
    })
}

pub(crate) fn serve_batched() -> io::Result<()> {
    let socket = super::bind()?;
    train::receive_merged(&socket)?;
    let mut buffers = vec![vec![0; train::LONGEST]; BUFFERS];
    let mut answer = Answer::default();
    serve(&socket, || {
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
        // Fresh ones, as the kernel writes into them how long their control messages were.
        let mut headers = MultiHeaders::<SockaddrIn>::preallocate(BUFFERS, Some(cmsg_space!(i32)));
        let fd = socket.as_raw_fd();
        let received = match recvmmsg(fd, &mut headers, &mut slices, MsgFlags::MSG_DONTWAIT, None) {
            Err(nix::Error::EAGAIN) => return Ok(false),
            received => received?,
        };
        let mut trains = 0;
        for received in received {
            trains += 1;
            let size = train::size(&received)?;
            let from = received.address.ok_or_else(|| io::Error::other("a datagram from nobody"))?;
            for bytes in received.iovs() {
                answer.add(&socket, bytes, size, from)?;
            }
        }
        answer.send(&socket)?;
        // Buffers left empty say that no more is there.
        Ok(trains == BUFFERS)
    })
}

/// Waits, and does `turn` as long as it says that there is more.
fn serve(socket: &UdpSocket, mut turn: impl FnMut() -> io::Result<bool>) -> io::Result<()> {
    let poller = Poller::new()?;
    poller.add(socket, 0, READ)?;
    let mut events = Events::new();
    loop {
        poller.wait(&mut events)?;
        while turn()? {}
    }
}

/// Datagrams of one length to one receiver, not yet sent.
#[derive(Default)]
struct Answer {
    bytes: Vec<u8>,
    size: usize,
    to: Option<SockaddrIn>,
}

impl Answer {
    fn add(&mut self, socket: &UdpSocket, bytes: &[u8], size: usize, to: SockaddrIn) -> io::Result<()> {
        let most = size * train::MOST;
        let whole = self.bytes.len().is_multiple_of(size);
        if self.to != Some(to) || self.size != size || !whole || self.bytes.len() + bytes.len() > most {
            self.send(socket)?;
        }
        self.to = Some(to);
        self.size = size;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn send(&mut self, socket: &UdpSocket) -> io::Result<()> {
        if !self.bytes.is_empty() {
            train::send(socket, &self.bytes, self.size, self.to.as_ref())?;
            self.bytes.clear();
        }
        Ok(())
    }
}
