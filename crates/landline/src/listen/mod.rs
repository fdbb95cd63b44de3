//! The other door: from an address to a listener, and from a listener to conns.

mod accept;
mod config;
mod incoming;
mod listener;
mod target;
mod tcp;
mod trouble;
mod unix;

pub(crate) use accept::{Acceptor, Attempt, Exhausted};
pub(crate) use listener::ListeningSocket;

pub use config::{ListenConfig, listen, listen_packet};
pub use incoming::Incoming;
pub use listener::Listener;
pub use tcp::TcpListener;
pub use unix::UnixListener;
