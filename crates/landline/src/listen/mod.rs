//! The other door: from an address to a listener, and from a listener to conns.

mod accept;
mod config;
mod incoming;
mod target;
mod tcp;
mod trouble;

pub use config::ListenConfig;
pub use incoming::Incoming;
pub use tcp::TcpListener;
