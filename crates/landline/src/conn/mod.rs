//! Step 8: conns, what dialing and accepting give.

mod async_io;
mod halves;
mod tcp;
mod tcp_info;

pub use halves::{CloseWrite, OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
pub use tcp::TcpConn;
pub use tcp_info::{TcpInfo, TcpState};

pub(crate) use async_io::{StreamConn, impl_async_io};
