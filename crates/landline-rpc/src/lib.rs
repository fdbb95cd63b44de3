//! Go's net/rpc, both ends.
#![forbid(unsafe_code)]

mod buffer;
mod client;
pub mod codec;
mod error;
mod handshake;
mod server;

pub use client::{Client, ClientConfig, Pool, Reconnect};
pub use codec::Wire;
pub use error::Error;
pub use server::{RegisterError, Server};
