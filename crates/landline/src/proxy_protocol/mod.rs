//! The PROXY protocol: the line, or the block, by which a proxy tells the server behind it whose conn it relays.
//!
//! `header` reads and writes it, `receive` waits for it on a conn.
//!
//! From HAProxy's "The PROXY protocol, versions 1 & 2" (proxy-protocol.txt).

mod header;
mod receive;

pub use header::{ProxyHeader, ProxyHeaderError, ProxyHeaderVersion};

#[cfg(any(test, fuzzing))]
pub use header::fuzzing::proxy_header;
