//! A port on which nobody listens.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpSocket;

use super::bound_alone;

/// A TCP port that refuses connections, and that nobody else can be given while it is held: it is bound, but does not
/// listen.
#[derive(Debug)]
pub struct RefusedPort {
    addr: SocketAddr,
    _socket: TcpSocket,
}

impl RefusedPort {
    /// Holds `addr`, such as [`V4`](super::V4) or [`V6`](super::V6).
    pub fn bind(addr: SocketAddr) -> io::Result<RefusedPort> {
        let socket = bound_alone(addr)?;
        Ok(RefusedPort { addr: socket.local_addr()?, _socket: socket })
    }

    /// Where it is.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}
