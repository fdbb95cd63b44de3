//! The hook for those who reach name servers their own way: through a tunnel, TLS, or a test.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{self, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::network::Network;

/// How a [`Resolver`](crate::Resolver) reaches its servers, in place of sockets of its own.
///
/// Implemented by every function `Fn(Network, SocketAddr) -> impl Future<Output = io::Result<DnsConn>>`. It is called
/// for each attempt with the network that the resolver would use, UDP or TCP, and the server; it may connect to
/// anything, with any transport. An error makes the resolver turn to the next server. The future, and the conn, are
/// dropped as soon as the answer is there, the attempt's time is over, or the lookup is cancelled.
///
/// ```
/// use landline::Resolver;
/// use landline::resolve::{Config, DnsConn};
///
/// // Whatever the configuration says, ask over TCP through a local forwarder.
/// let resolver = Resolver::new(Config::new()).transport(|_network, _server| async {
///     Ok(DnsConn::stream(tokio::net::TcpStream::connect("127.0.0.1:5353").await?))
/// });
/// # drop(resolver);
/// ```
pub trait Transport: Send + Sync {
    /// Connects to `server`, or to what stands for it.
    fn connect(
        &self,
        network: Network,
        server: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = io::Result<DnsConn>> + Send>>;
}

impl<F, Connecting> Transport for F
where
    F: Fn(Network, SocketAddr) -> Connecting + Send + Sync,
    Connecting: Future<Output = io::Result<DnsConn>> + Send + 'static,
{
    fn connect(
        &self,
        network: Network,
        server: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = io::Result<DnsConn>> + Send>> {
        Box::pin(self(network, server))
    }
}

/// A connection over which DNS messages go, made by a [`Transport`].
pub struct DnsConn(pub(super) Kind);

pub(super) enum Kind {
    Stream(Box<dyn Stream>),
    Datagram(Box<dyn Datagram>),
}

/// A stream in both directions.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl DnsConn {
    /// A stream, such as TCP or TLS: each message goes after its length (RFC 7766 section 8), and is never truncated.
    pub fn stream(conn: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> DnsConn {
        DnsConn(Kind::Stream(Box::new(conn)))
    }

    /// A socket that keeps messages apart, such as UDP, connected to the server.
    pub fn datagram(conn: impl Datagram + 'static) -> DnsConn {
        DnsConn(Kind::Datagram(Box::new(conn)))
    }
}

impl fmt::Debug for DnsConn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Stream(_) => "DnsConn(stream)",
            Kind::Datagram(_) => "DnsConn(datagram)",
        })
    }
}

/// A connected socket that keeps messages apart.
pub trait Datagram: Send {
    /// Sends one message whole.
    fn poll_send(&mut self, cx: &mut task::Context<'_>, message: &[u8]) -> Poll<io::Result<()>>;

    /// Receives one message into `buffer`; what does not fit is cut off.
    fn poll_receive(&mut self, cx: &mut task::Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>>;
}

impl Datagram for tokio::net::UdpSocket {
    fn poll_send(&mut self, cx: &mut task::Context<'_>, message: &[u8]) -> Poll<io::Result<()>> {
        tokio::net::UdpSocket::poll_send(self, cx, message).map_ok(|_| ())
    }

    fn poll_receive(&mut self, cx: &mut task::Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_recv(cx, buffer)
    }
}
