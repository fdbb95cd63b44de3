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
mod tls;
mod upgrades;
