//! Datagrams of one length and one sender, which the kernel takes and gives as one: GSO and GRO (udp(7)).

use std::{io::IoSlice, net::UdpSocket, os::fd::AsRawFd as _};

use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, RecvMsg, SockaddrIn, sendmsg, setsockopt, sockopt,
};

/// As many datagrams as the kernel sends at once (UDP_MAX_SEGMENTS).
pub(crate) const MOST: usize = 64;

/// As long as a received train can be.
pub(crate) const LONGEST: usize = 1 << 16;

/// Has the kernel give trains as they were sent.
pub(crate) fn receive_merged(socket: &UdpSocket) -> nix::Result<()> {
    setsockopt(socket, sockopt::UdpGroSegment, &true)
}

/// Sends `bytes` as datagrams of `size` bytes each, the last perhaps shorter.
pub(crate) fn send(
    socket: &UdpSocket,
    bytes: &[u8],
    size: usize,
    to: Option<&SockaddrIn>,
) -> nix::Result<()> {
    let segment = size as u16;
    let segmented = [ControlMessage::UdpGsoSegments(&segment)];
    let control = if bytes.len() > size { &segmented[..] } else { &[] };
    sendmsg(socket.as_raw_fd(), &[IoSlice::new(bytes)], control, MsgFlags::empty(), to).map(|_| ())
}

/// The length of each datagram of what was received.
pub(crate) fn size(received: &RecvMsg<'_, '_, SockaddrIn>) -> nix::Result<usize> {
    for message in received.cmsgs()? {
        if let ControlMessageOwned::UdpGroSegments(size) = message {
            return Ok(size as usize);
        }
    }
    Ok(received.bytes)
}
