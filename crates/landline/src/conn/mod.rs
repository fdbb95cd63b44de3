//! Step 8: conns, what dialing and accepting give.

mod ancillary;
mod any;
mod async_io;
mod call;
mod halves;
mod ip;
mod ip_options;
mod packet;
mod pipe;
mod received;
mod shared;
mod tcp;
mod tcp_info;
#[cfg(feature = "tls")]
mod tls;
mod udp;
mod udp_batch;
mod unix;
mod unix_fd;
mod unix_message;

pub use ancillary::{Ancillary, Ecn};
pub use any::Conn;
pub use halves::{CloseWrite, OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
pub use ip::IpConn;
pub use packet::PacketConn;
pub use pipe::{Pipe, pipe};
pub use received::Received;
pub use tcp::TcpConn;
pub use tcp_info::{TcpInfo, TcpState};
#[cfg(feature = "tls")]
pub use tls::TlsConn;
pub use udp::UdpConn;
pub use udp_batch::{Datagram, RecvBatch, SendBatch, UdpBatchConn};
pub use unix::UnixConn;
pub use unix_message::{Credentials, UnixMessage};

pub(crate) use async_io::{ConnKind, StreamConn, impl_async_io};
pub(crate) use call::{AnyCall, Either, Named, apart};
