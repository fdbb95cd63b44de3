//! The client against servers that answer as they are told.

mod bodies;
mod conns;
mod explained;
mod goaway;
mod harness;
mod interim;
mod limits;
mod proxied;
mod redirects;
#[path = "../self_signed/mod.rs"]
mod self_signed;
mod tls;
