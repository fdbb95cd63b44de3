//! On top: serving conns, on every core.
//!
//! [`Server`] says how; it gives a [`Serving`], the handle of a server that runs. In between there may be a [`Bound`],
//! which listens and does not serve yet.
//!
//! Every worker is a thread with a reactor of its own ([`Spread`] says how conns come to it), or a task in the caller's
//! runtime. It accepts, calls the handler, and keeps watch over what it serves. What is decided (which worker, how
//! fast, whether a conn has been silent for too long) is pure code; [`Counters`] tell what came of it.

mod bound;
mod counters;
mod draining;
mod groups;
mod packets;
mod peers;
mod places;
mod rate;
mod registry;
mod restart;
mod runner;
mod server;
mod serving;
mod signals;
mod spread;
mod state;
mod task;
mod watch;
mod worker;

pub use bound::Bound;
pub use counters::{Counters, WorkerCounters};
pub use draining::Draining;
pub use server::Server;
pub use serving::{Drained, Serving};
pub use signals::Signals;
pub use spread::Spread;
pub use worker::Worker;
