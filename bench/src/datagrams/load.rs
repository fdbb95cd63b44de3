//! The lean client of datagram servers: so many in flight from one socket, sent in trains as a busy client's are.

use std::{
    io::{self, IoSliceMut},
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
    os::fd::AsRawFd as _,
    time::Duration,
};

use nix::{
    cmsg_space,
    sys::socket::{MsgFlags, SockaddrIn, recvmsg},
};

use super::train;
use crate::{
    args::Span,
    clock,
    load::{self, Until},
    outcome::Outcome,
};

/// The longest train sent: shorter than all that are in flight, so that both sides have work at once.
const TRAIN: u64 = 16;

/// How long an echo may take on loopback before we call it lost.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) fn run(
    to: SocketAddrV4,
    pid: u32,
    in_flight: u64,
    size: usize,
    span: Span,
) -> io::Result<Outcome> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    rustix::net::connect(&socket, &to)?;
    socket.set_nonblocking(true)?;
    train::receive_merged(&socket)?;
    let mut client = Client {
        socket,
        in_flight,
        size,
        bytes: vec![b'd'; size * TRAIN as usize],
        room: vec![0; train::LONGEST],
    };
    load::measure(pid, span, |until| client.drive(until))
}

struct Client {
    socket: UdpSocket,
    in_flight: u64,
    size: usize,
    bytes: Vec<u8>,
    room: Vec<u8>,
}

impl Client {
    fn drive(&mut self, until: Until) -> io::Result<u64> {
        let mut sent = 0;
        let mut received = 0;
        self.send(self.in_flight, &mut sent)?;
        let mut heard_at = clock::wall();
        while received < sent {
            let count = self.receive()?;
            if count == 0 {
                if clock::wall() - heard_at > PATIENCE {
                    return Err(io::Error::other("a datagram was lost"));
                }
                continue;
            }
            received += count;
            heard_at = clock::wall();
            if !until.is_over(sent) {
                self.send(count, &mut sent)?;
            }
        }
        Ok(received)
    }

    fn send(&self, mut count: u64, sent: &mut u64) -> io::Result<()> {
        *sent += count;
        while count > 0 {
            let now = count.min(TRAIN);
            train::send(&self.socket, &self.bytes[..now as usize * self.size], self.size, None)?;
            count -= now;
        }
        Ok(())
    }

    /// How many came, which is none if none is there.
    fn receive(&mut self) -> io::Result<u64> {
        let mut slices = [IoSliceMut::new(&mut self.room)];
        let mut control = cmsg_space!(i32);
        let fd = self.socket.as_raw_fd();
        match recvmsg::<SockaddrIn>(fd, &mut slices, Some(&mut control), MsgFlags::MSG_DONTWAIT) {
            Ok(received) if received.bytes.is_multiple_of(self.size) => {
                Ok((received.bytes / self.size) as u64)
            }
            Ok(received) => Err(io::Error::other(format!("{} bytes came back", received.bytes))),
            Err(nix::Error::EAGAIN) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }
}
