//! Dialing through proxies: HTTP `CONNECT`, SOCKS4, SOCKS4a, SOCKS5, and chains of them.
//!
//! `handshake` decides, `through` acts; `environment` chooses.

mod address;
mod environment;
mod exempt;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod handshake;
mod through;
#[cfg(feature = "tls")]
mod tls;

pub use address::{ParseProxyError, Proxy, ProxyScheme};
pub use environment::ProxyEnvironment;
pub use through::Proxies;
