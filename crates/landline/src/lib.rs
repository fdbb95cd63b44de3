//! Go's way of networking in Rust, on tokio: one front door to dial, listen and resolve.
//!
//! The tree follows the flow of a dial:
//!
//! | step | module | what happens |
//! |---|---|---|
//! | 0 budget | `context` | cancel, deadline, cause |
//! | 1 parse | `network`, `addr` | `"tcp"`, `"example.com:443"` |
//! | 2 resolve | `resolve` | IP literal, hosts, DNS, system |
//! | 3 order | `order` | RFC 6724 |
//! | 4 dial | `dial` | race (RFC 8305), serial, single |
//! | 5 socket | `socket` | create, options, control hook, bind, listen |
//! | 6 fd | `fd` | connect, readiness, deadlines, close |
//! | 7 move | `fd` | read, write, vectored, splice, sendfile |
//! | 8 conn | `conn` | `TcpConn`, `UdpConn`, `UnixConn`, `IpConn`, `Pipe` |
//! | between conns | `copy` | by the shortest path |
//!
//! `explain` listens to all of it.

mod addr;
#[cfg(feature = "axum")]
mod axum;
mod conn;
mod context;
mod copy;
mod dial;
mod error;
pub mod explain;
mod fd;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod interface;
mod listen;
mod network;
mod order;
mod proxy_protocol;
pub mod resolve;
pub mod serve;
mod socket;
mod sys;
#[cfg(feature = "tower")]
mod tower;

pub use addr::{Addr, AddressError, AddressErrorKind, ScopedIp, UnixAddr, join_host_port, split_host_port};
#[cfg(feature = "tls")]
pub use conn::TlsConn;
pub use conn::{
    Ancillary, CloseWrite, Conn, Credentials, Datagram, Ecn, IpConn, OwnedReadHalf, OwnedWriteHalf,
    PacketConn, Pipe, ReadHalf, Received, RecvBatch, ReuniteError, SendBatch, TcpConn, TcpInfo, TcpState,
    UdpBatchConn, UdpConn, UnixConn, UnixMessage, WriteHalf, pipe,
};
pub use context::{CancelOnDrop, Context, Ended};
pub use copy::{
    Copied, Copier, CopyPath, CopySink, CopySource, Detour, Progress, SharedStream, copy, copy_both,
};
pub use dial::{Dialer, ParseProxyError, Proxies, Proxy, ProxyEnvironment, ProxyScheme, Race, dial};
pub use error::{
    Cause, Error, LookupError, LookupErrorKind, Operation, ProxyError, ProxyErrorKind, ProxyStep, Result,
};
pub use fd::PooledBuf;
pub use interface::{
    AddrScope, HardwareAddr, Interface, InterfaceAddr, InterfaceFlags, interface_addrs, interfaces,
};
pub use listen::{Incoming, ListenConfig, Listener, TcpListener, UnixListener, listen, listen_packet};
pub use network::{Family, Network, ParseNetworkError, Protocol, ToNetwork, UnixKind};
pub use proxy_protocol::{ProxyHeader, ProxyHeaderError, ProxyHeaderVersion};
pub use resolve::{Lookup, Mx, Resolver, Srv, Svcb, Txt};
pub use serve::{Server, Serving, Spread};
pub use socket::KeepAlive;

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
