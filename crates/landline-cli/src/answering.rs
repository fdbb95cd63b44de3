//! Datagrams answered from the address that they were sent to.

use landline::{Addr, Ancillary, PacketConn, Result, UdpConn};

/// A socket that senders know by one of this host's addresses. One that is bound to all of them would answer from the one
/// that the kernel likes best, and a sender that has asked another takes no answer from that.
#[derive(Debug)]
pub(crate) struct Answering(Socket);

#[derive(Debug)]
enum Socket {
    /// Bound to the one address, or of a kind that has no such trouble.
    One(PacketConn),
    /// Bound to all.
    All(UdpConn),
}

/// Where a datagram came from, and what is to be kept to in an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) from: Addr,
    pub(crate) reply: Ancillary,
}

impl Answering {
    pub(crate) fn new(conn: PacketConn) -> Result<Answering> {
        Ok(Answering(match conn.into_udp() {
            Ok(udp) if udp.local_addr()?.ip().is_unspecified() => {
                udp.set_recv_destination(true)?;
                Socket::All(udp)
            }
            Ok(udp) => Socket::One(udp.into()),
            Err(other) => Socket::One(other),
        }))
    }

    pub(crate) fn local_addr(&self) -> Result<Addr> {
        match &self.0 {
            Socket::One(conn) => conn.local_addr(),
            Socket::All(conn) => conn.local_addr().map(Addr::from),
        }
    }

    /// Receives a datagram; its length, and whom to answer. Cancel-safe.
    pub(crate) async fn receive(&self, buffer: &mut [u8]) -> Result<(usize, Origin)> {
        match &self.0 {
            Socket::One(conn) => {
                let received = conn.recv_from(buffer).await?;
                Ok((received.len, Origin { from: received.from, reply: Ancillary::new() }))
            }
            Socket::All(conn) => {
                let (received, ancillary) = conn.recv_msg(buffer).await?;
                Ok((received.len, Origin { from: received.from.into(), reply: ancillary.reply() }))
            }
        }
    }

    /// Sends to where something came from.
    pub(crate) async fn answer(&self, datagram: &[u8], to: &Origin) -> Result<()> {
        match &self.0 {
            Socket::One(conn) => conn.send_to(datagram, &to.from).await,
            Socket::All(conn) => conn.send_msg(datagram, to.from.as_socket(), &to.reply).await,
        }
        .map(drop)
    }
}
