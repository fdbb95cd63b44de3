//! For tests of network code on tokio: what any connection must do, and network peers that misbehave on purpose.
//!
//! | module | what is in it |
//! |---|---|
//! | [`suite`] | the behaviours of a correct connection, each a function that panics with its name when it is missed |
//! | [`dns`] | a DNS server on loopback that answers as scripted: truncated, late, forged, garbled, out of order, or not at all |
//! | [`loopback`] | a black hole, a refused port, a peer that resets or never reads, echo servers |
//! | [`leak`] | whether a test left descriptors, threads or tasks behind |
//! | `tls` | a certificate made on the spot, and the two ends that it is for; with the feature `tls` |
//!
//! Everything runs on loopback, without root and without a network. Nothing outlives its handle: dropping a server
//! ends its tasks and closes its sockets. The crate depends on tokio alone, and with the feature `tls` on rustls and rcgen; it
//! knows nothing of the code it tests.
//!
//! Being for tests, it panics where a test would want to end: when a behaviour is missed, when something leaked, and
//! when a script is malformed. Each panic names what was wrong.

#![forbid(unsafe_code)]

pub mod dns;
pub mod leak;
pub mod loopback;
pub mod suite;
#[cfg(feature = "tls")]
pub mod tls;
