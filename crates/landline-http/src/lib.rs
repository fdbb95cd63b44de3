//! HTTP on landline's own door: hyper speaks the protocol, landline makes, keeps, limits and explains the conns.
//!
//! | module | what is in it |
//! |---|---|
//! | [`client`] | a client: conns that are kept, shared and limited, redirects, cookies, and requests that explain themselves |
//! | [`mux`] | from a request to its handler, by patterns as Go has them |

#![forbid(unsafe_code)]

pub mod client;
pub mod mux;

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
