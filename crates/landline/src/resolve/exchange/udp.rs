//! The shortest way to ask over UDP: a fresh socket, connected, so that the kernel chooses an unpredictable port,
//! takes packets from this server only, and reports its refusals; one call to send, as a rule one to receive.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::task::{self, Poll};

use rustix::io::Errno;
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags};
use tokio::io::Interest;
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};

use crate::addr::Addr;
use crate::error::Cause;
use crate::network::{Family, Network};
use crate::resolve::plan::Failure;
use crate::socket::{self, Traced};
use crate::sys;

/// Room for one answer. More than the payload that queries offer, because some servers take no notice of it; what is
/// longer still gets cut, is then garbled, and is asked for over TCP.
const ANSWER: usize = 4096;

/// Answers taken with one call: those to A and AAAA.
const BATCH: usize = 2;

pub(super) struct UdpSocket {
    // Not a NetFd: that one also waits to write, which wakes the reactor once for each socket for nothing, and has
    // deadlines, of which the plan has its own.
    io: AsyncFd<OwnedFd>,
    /// The event of an error was seen, and stays in sight.
    error_seen: bool,
}

impl UdpSocket {
    pub(super) fn connect(server: SocketAddr) -> Result<UdpSocket, Failure> {
        let fd = socket::create(Network::Udp(Family::Any), &Addr::Socket(server), false, Traced::SILENT)?;
        rustix::net::connect(&fd, &server).map_err(|error| Failure::Unreachable("connect", error))?;
        let io = sys::register(fd, Interest::READABLE).map_err(Cause::from)?;
        Ok(UdpSocket { io, error_seen: false })
    }

    /// Sends each packet as a datagram. The socket is new, so there is room for them.
    pub(super) fn send<'a>(&self, packets: impl Iterator<Item = &'a [u8]> + Clone) -> Result<(), Failure> {
        let sent = match packets.clone().count() {
            1 => 0,
            _ => self.send_together(packets.clone())?,
        };
        // A refusal of the first packet, come back already, ends a batch early; the next call tells of it.
        for packet in packets.skip(sent) {
            rustix::net::send(&self.io, packet, SendFlags::NOSIGNAL)
                .map_err(|error| Failure::Unreachable("send", error))?;
        }
        Ok(())
    }

    fn send_together<'a>(&self, packets: impl Iterator<Item = &'a [u8]>) -> Result<usize, Failure> {
        let vectors: Vec<[IoSlice<'_>; 1]> = packets.map(|packet| [IoSlice::new(packet)]).collect();
        let mut controls: Vec<SendAncillaryBuffer<'_, '_, '_>> =
            vectors.iter().map(|_| SendAncillaryBuffer::default()).collect();
        let mut headers: Vec<MMsgHdr<'_>> = vectors
            .iter()
            .zip(&mut controls)
            .map(|(vector, control)| MMsgHdr::new(vector, control))
            .collect();
        match rustix::net::sendmmsg(&self.io, &mut headers, SendFlags::NOSIGNAL) {
            Ok(sent) => Ok(sent),
            // A sandbox may know only the older calls.
            Err(Errno::NOSYS | Errno::PERM) => Ok(0),
            Err(error) => Err(Failure::Unreachable("sendmmsg", error)),
        }
    }

    /// Shows `each` datagram that has come; ready once there was one.
    pub(super) fn poll_receive(
        &mut self,
        cx: &mut task::Context<'_>,
        mut each: impl FnMut(&[u8]),
    ) -> Poll<Result<(), Failure>> {
        loop {
            let mut ready = match self.io.poll_read_ready(cx) {
                Poll::Ready(ready) => Some(ready.map_err(Cause::from)?),
                // A refusal alone makes a socket no more readable, but it counts as the end of writing.
                Poll::Pending if self.error_seen => return Poll::Pending,
                Poll::Pending => match self.io.poll_write_ready(cx) {
                    Poll::Ready(_) => {
                        self.error_seen = true;
                        None
                    }
                    Poll::Pending => return Poll::Pending,
                },
            };
            let mut buffers = [[MaybeUninit::uninit(); ANSWER]; BATCH];
            match sys::receive_datagrams(&self.io, &mut buffers) {
                Ok(datagrams) => {
                    let mut count = 0;
                    for datagram in datagrams {
                        each(datagram);
                        count += 1;
                    }
                    // Fewer than asked for: nothing is left, and the next one raises a new event (epoll(7)).
                    if let (Some(ready), true) = (&mut ready, count < BATCH) {
                        ready.clear_ready();
                    }
                    return Poll::Ready(Ok(()));
                }
                Err(Errno::AGAIN) => ready.iter_mut().for_each(AsyncFdReadyGuard::clear_ready),
                Err(Errno::INTR) => {}
                Err(error) => return Poll::Ready(Err(Failure::Unreachable("recv", error))),
            }
        }
    }
}
