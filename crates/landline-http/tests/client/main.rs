//! The client against servers that answer as they are told.

mod bodies;
mod conns;
mod explained;
mod harness;
mod limits;
mod redirects;
mod tls;
