//! HTTP on landline's own door: hyper speaks the protocol, landline makes, keeps, limits and explains the conns.
//!
//! | module | what is in it |
//! |---|---|
//! | [`client`] | a client: conns that are kept, shared and limited, redirects, cookies, and requests that explain themselves |
//! | [`files`] | files of a directory, served |
//! | [`mux`] | from a request to its handler, by patterns as Go has them |
//! | [`reverse_proxy`] | a service that has requests answered by backends |
//! | [`server`] | a server on every core, with limits, drain, TLS and counters, for any `tower` service |

#![forbid(unsafe_code)]

pub mod client;
pub mod files;
mod kept;
pub mod mux;
pub mod reverse_proxy;
pub mod server;

pub use client::Body;

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
