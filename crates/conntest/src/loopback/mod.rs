//! Peers on loopback, well-behaved and not.
//!
//! | type | what a client sees |
//! |---|---|
//! | [`EchoServer`], [`DatagramEcho`], [`UnixEcho`] | every byte comes back |
//! | [`BlackHole`] | `connect` neither succeeds nor fails: the address drops what is sent to it |
//! | [`RefusedPort`] | `connect` is refused at once |
//! | [`ResetServer`] | the connection is made, then reset |
//! | [`SilentServer`] | the connection is made, nothing is read and nothing is said |
//!
//! None needs root or a network, and none is there any more when its handle has been dropped. Where several are to
//! share a port, on other addresses or protocols, [`on_free_port`] finds one that is free everywhere.

mod black_hole;
mod echo;
mod port;
mod refused;
mod reset;
mod silent;

pub use black_hole::BlackHole;
pub use echo::{DatagramEcho, EchoServer, UnixEcho};
pub use port::{has_ipv6, on_free_port};
pub use refused::RefusedPort;
pub use reset::ResetServer;
pub use silent::SilentServer;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::TcpSocket;
use tokio::task::AbortHandle;
use tokio::time::Duration;

/// `127.0.0.1` with a port of the system's choice.
pub const V4: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// `::1` with a port of the system's choice.
pub const V6: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 0);

/// A TCP socket bound to `addr`, not listening yet, for a server that may come back to the port of an earlier one.
pub(crate) fn bound(addr: SocketAddr) -> io::Result<TcpSocket> {
    let socket = socket_for(addr)?;
    socket.set_reuseaddr(true)?;
    bind(&socket, addr)?;
    Ok(socket)
}

/// A TCP socket bound to `addr`, which nobody else can bind to.
fn bound_alone(addr: SocketAddr) -> io::Result<TcpSocket> {
    let socket = socket_for(addr)?;
    bind(&socket, addr)?;
    Ok(socket)
}

fn socket_for(addr: SocketAddr) -> io::Result<TcpSocket> {
    if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }
}

fn bind(socket: &TcpSocket, addr: SocketAddr) -> io::Result<()> {
    socket.bind(addr).map_err(|error| io::Error::new(error.kind(), format!("bind tcp {addr}: {error}")))
}

/// Waits a little after a failed accept: out of descriptors, or the client is gone already. The others go on.
pub(crate) async fn breathe() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}

/// Ends a server's task, and all that it has started, when dropped.
#[derive(Debug)]
pub(crate) struct EndOnDrop(pub(crate) AbortHandle);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
