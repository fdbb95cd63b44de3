//! Ports that are free on every address and protocol at once.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::{TcpSocket, UdpSocket};

use super::bound_alone;

/// Calls `start` with a port that is free for TCP and UDP on IPv4 and IPv6 alike, and again with another when it fails
/// because somebody was quicker (`AddrInUse`); gives up after 32 ports.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// use conntest::loopback::{BlackHole, EchoServer, on_free_port};
///
/// let (echo, hole) = on_free_port(async |port| {
///     let echo = EchoServer::bind(([127, 0, 0, 1], port).into()).await?;
///     let hole = BlackHole::bind(([127, 0, 0, 2], port).into()).await?;
///     Ok((echo, hole))
/// })
/// .await?;
/// assert_eq!(echo.addr().port(), hole.addr().port());
/// # Ok(()) }
/// ```
pub async fn on_free_port<T, Started>(start: impl Fn(u16) -> Started) -> io::Result<T>
where
    Started: Future<Output = io::Result<T>>,
{
    const TRIES: usize = 32;
    for _ in 0..TRIES {
        let Some(port) = free_port().await? else { continue };
        match start(port).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            outcome => return outcome,
        }
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, format!("none of {TRIES} ports was free on all addresses")))
}

/// Whether sockets can be bound to `::1` here.
pub fn has_ipv6() -> bool {
    TcpSocket::new_v6().and_then(|socket| socket.bind(super::V6)).is_ok()
}

/// A port that was free for everything a moment ago, or `None` if the one tried was not.
async fn free_port() -> io::Result<Option<u16>> {
    let first = bound_alone(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))?;
    let port = first.local_addr()?.port();
    let free = |bound: io::Result<()>| match bound {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(false),
        other => other.map(|()| true),
    };
    let everywhere = free(UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).await.map(drop))?
        && (!has_ipv6()
            || free(bound_alone(SocketAddr::from((Ipv6Addr::LOCALHOST, port))).map(drop))?
                && free(UdpSocket::bind((Ipv6Addr::LOCALHOST, port)).await.map(drop))?);
    Ok(everywhere.then_some(port))
}
