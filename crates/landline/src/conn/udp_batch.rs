//! Many datagrams with one system call, by way of quinn-udp: `recvmmsg`, and the kernel's segmentation of long sends
//! and merging of what arrives (GSO and GRO, udp(7)).

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};

use quinn_udp::{BATCH_SIZE, EcnCodepoint, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use rustix::io::Errno;

use super::ancillary::Ecn;
use super::shared::limit_methods;
use super::{StreamConn, UdpConn};
use crate::addr::canonical;
use crate::error::{Cause, Operation, Result};
use crate::fd::Direction;

/// A UDP conn that sends and receives datagrams in batches, made by [`UdpConn::into_batched`].
///
/// It is a type of its own because the socket is another: the kernel merges datagrams that arrive one after another,
/// and a plain receive would take them for one. Also, datagrams are never fragmented (`IP_PMTUDISC_PROBE`): one longer
/// than the interface carries is refused with `EMSGSIZE`. Options are set before the conn is made into this.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> landline::Result<()> {
/// use landline::{RecvBatch, SendBatch};
///
/// let receiver = landline::listen_packet("udp", "127.0.0.1:0").await?.into_udp().expect("a UDP conn");
/// let receiver = receiver.into_batched()?;
/// let sender = landline::dial("udp", &receiver.local_addr()?.to_string()).await?;
/// let sender = sender.into_udp().expect("a UDP conn").into_batched()?;
///
/// sender.send_batch(&SendBatch::new(b"one two six", 4)).await?;
/// let (mut batch, mut words) = (RecvBatch::new(), Vec::new());
/// while words.len() < 3 {
///     receiver.recv_batch(&mut batch).await?;
///     words.extend(batch.datagrams().map(|datagram| datagram.bytes.trim_ascii().to_vec()));
/// }
/// assert_eq!(words, [b"one", b"two", b"six"]);
/// # Ok(()) }
/// ```
pub struct UdpBatchConn {
    conn: UdpConn,
    state: UdpSocketState,
}

impl UdpConn {
    /// Prepares the socket to send and receive in batches, for good.
    pub fn into_batched(self) -> Result<UdpBatchConn> {
        let state = self.fd.with_open(|fd| Ok(UdpSocketState::new(UdpSockRef::from(&fd))?));
        Ok(UdpBatchConn { state: self.named(Operation::Set, state)?, conn: self })
    }
}

impl UdpBatchConn {
    /// Receives what has arrived, as far as `batch` has room, waiting for at least one datagram; returns how many
    /// there are. What `batch` held before is gone, unless the future is dropped first.
    pub async fn recv_batch(&self, batch: &mut RecvBatch) -> Result<usize> {
        let RecvBatch { room, metas, filled } = batch;
        let received = self.conn.fd.recv_io(|fd| {
            let mut rest = &mut room[..];
            let mut buffers: [IoSliceMut<'_>; BATCH_SIZE] = std::array::from_fn(|_| {
                let (buffer, others) =
                    std::mem::take(&mut rest).split_at_mut_checked(LONGEST).unwrap_or_default();
                rest = others;
                IoSliceMut::new(buffer)
            });
            self.state.recv(UdpSockRef::from(&fd), &mut buffers[..metas.len()], metas).map_err(errno)
        });
        *filled = self.conn.named(Operation::Read, received.await)?;
        self.conn.fd.count(Direction::Read, metas[..*filled].iter().map(|meta| meta.len).sum());
        Ok(batch.len())
    }

    /// Sends all of a batch, with as few system calls as the kernel and the interface allow. After an error or a
    /// cancel, an unknown part has been sent.
    pub async fn send_batch(&self, batch: &SendBatch<'_>) -> Result<()> {
        let sent = self.try_send_batch(batch).await;
        sent.map_err(|cause| match batch.to {
            Some(to) => self.conn.error_to(to, cause),
            None => self.conn.error(Operation::Write, cause),
        })
    }

    async fn try_send_batch(&self, batch: &SendBatch<'_>) -> Result<(), Cause> {
        let &SendBatch { contents, segment, to, from, ecn } = batch;
        if segment == 0 {
            return Err(Errno::INVAL.into());
        }
        let to = match to {
            Some(to) => to,
            None => self.conn.peer()?,
        };
        let destination = self.conn.reachable(to)?;
        let mut rest = contents;
        loop {
            let (part, others) = rest.split_at(rest.len().min(most(self.state.max_gso_segments(), segment)));
            let transmit = Transmit {
                destination,
                ecn: ecn.and_then(|ecn| EcnCodepoint::from_bits(ecn.bits())),
                contents: part,
                segment_size: (part.len() > segment).then_some(segment),
                src_ip: from,
            };
            let sent = self
                .conn
                .fd
                .send_io(|fd| self.state.try_send(UdpSockRef::from(&fd), &transmit).map_err(errno));
            let sent = sent.await;
            if sent.is_ok() {
                self.conn.fd.count(Direction::Write, part.len());
            }
            match sent {
                Ok(()) if others.is_empty() => return Ok(()),
                Ok(()) => rest = others,
                // The interface cannot segment, which quinn-udp has taken note of: one by one, then.
                Err(Cause::System { error: Errno::IO | Errno::INVAL, .. })
                    if part.len() > segment && self.state.max_gso_segments() == 1 => {}
                Err(cause) => return Err(cause),
            }
        }
    }

    limit_methods!(conn);

    /// Closes the conn; see [`UdpConn::close`].
    pub fn close(&self) -> Result<()> {
        self.conn.close()
    }

    /// The local address.
    pub fn local_addr(&self) -> Result<SocketAddr> {
        self.conn.local_addr()
    }

    /// The peer's address; an error on a conn that has none.
    pub fn peer_addr(&self) -> Result<SocketAddr> {
        self.conn.peer_addr()
    }
}

/// The longest that one merged buffer, or one datagram, can be.
const LONGEST: usize = u16::MAX as usize;

/// The longest payload of one send: what an IPv6 packet carries beside the headers of IP and UDP, and IPv4 a little
/// more.
const LONGEST_SEND: usize = LONGEST - 40 - 8;

/// How many bytes to pass to one call, in whole segments, at least one.
fn most(segments: usize, segment: usize) -> usize {
    segments.min(LONGEST_SEND / segment).max(1) * segment
}

#[allow(clippy::needless_pass_by_value)] // For `map_err`.
fn errno(error: io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}

/// Datagrams to send, all but the last of one length, to one receiver.
#[derive(Clone, Copy, Debug)]
pub struct SendBatch<'a> {
    contents: &'a [u8],
    segment: usize,
    to: Option<SocketAddr>,
    from: Option<IpAddr>,
    ecn: Option<Ecn>,
}

impl<'a> SendBatch<'a> {
    /// The bytes of all datagrams, one after another, and how many each has; the last may have fewer. No bytes are one
    /// empty datagram. A segment of 0 is refused with `EINVAL` when it is sent.
    pub fn new(contents: &'a [u8], segment: usize) -> SendBatch<'a> {
        SendBatch { contents, segment, to: None, from: None, ecn: None }
    }

    /// Sends to `to` in place of the conn's peer.
    #[must_use]
    pub fn to(mut self, to: SocketAddr) -> SendBatch<'a> {
        self.to = Some(to);
        self
    }

    /// Sends from this address of the host's.
    #[must_use]
    pub fn from_local(mut self, local: IpAddr) -> SendBatch<'a> {
        self.from = Some(local);
        self
    }

    /// Sends with this congestion notification.
    #[must_use]
    pub fn ecn(mut self, ecn: Ecn) -> SendBatch<'a> {
        self.ecn = Some(ecn);
        self
    }
}

/// Room for received datagrams, to be used again and again. It never cuts one: each buffer has 64 KiB.
pub struct RecvBatch {
    room: Box<[u8]>,
    metas: Box<[RecvMeta]>,
    filled: usize,
}

/// One datagram of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Datagram<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Who sent it.
    pub from: SocketAddr,
    /// Where it was sent to.
    pub local: Option<IpAddr>,
    /// The index of the interface by which it came.
    pub interface: Option<u32>,
    /// Its congestion notification.
    pub ecn: Ecn,
}

impl RecvBatch {
    /// Eight buffers, 512 KiB in all.
    pub fn new() -> RecvBatch {
        RecvBatch::with_buffers(8)
    }

    /// So many buffers, from 1 to 32; each takes one datagram, or up to 64 that the kernel has merged.
    pub fn with_buffers(buffers: usize) -> RecvBatch {
        let buffers = buffers.clamp(1, BATCH_SIZE);
        RecvBatch {
            room: vec![0; buffers * LONGEST].into(),
            metas: vec![RecvMeta::default(); buffers].into(),
            filled: 0,
        }
    }

    /// How many datagrams there are.
    pub fn len(&self) -> usize {
        self.datagrams().count()
    }

    /// Whether there are none, as before the first receive.
    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// The datagrams, in the order in which they arrived.
    pub fn datagrams(&self) -> impl Iterator<Item = Datagram<'_>> {
        let buffers = self.room.chunks_exact(LONGEST).zip(&self.metas).take(self.filled);
        buffers.flat_map(|(buffer, meta)| {
            let datagram = |bytes| Datagram {
                bytes,
                from: canonical(meta.addr),
                local: meta.dst_ip.map(|ip| ip.to_canonical()),
                interface: meta.interface_index,
                ecn: Ecn::of(meta.ecn.map_or(0, |ecn| ecn as u8)),
            };
            segments(&buffer[..meta.len.min(LONGEST)], meta.stride).map(datagram)
        })
    }
}

/// The datagrams of a merged buffer; no bytes are one that is empty.
fn segments(merged: &[u8], stride: usize) -> impl Iterator<Item = &[u8]> {
    let empty = merged.is_empty().then_some(merged);
    empty.into_iter().chain(merged.chunks(stride.max(1)))
}

impl Default for RecvBatch {
    fn default() -> RecvBatch {
        RecvBatch::new()
    }
}

impl AsFd for UdpBatchConn {
    /// The number stays valid for the borrow, but after a [`close`](UdpBatchConn::close) it is no longer the socket.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.conn.as_fd()
    }
}

impl std::fmt::Debug for UdpBatchConn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("UdpBatchConn").field(&self.conn).finish()
    }
}

impl std::fmt::Debug for RecvBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecvBatch").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_buffers_come_apart() {
        let apart = |merged: &'static [u8], stride| segments(merged, stride).collect::<Vec<_>>();
        assert_eq!(apart(b"", 0), [b""]);
        assert_eq!(apart(b"abc", 3), [b"abc"]);
        assert_eq!(apart(b"abcdefgh", 3), [&b"abc"[..], b"def", b"gh"]);
    }

    #[test]
    fn a_call_takes_whole_segments_within_the_limits() {
        assert_eq!(most(64, 1000), 64_000);
        assert_eq!(most(64, 1200), 54 * 1200);
        assert_eq!(most(64, 65_000), 65_000);
        assert_eq!(most(64, 70_000), 70_000, "which the kernel refuses");
        assert_eq!(most(1, 1000), 1000);
    }
}
