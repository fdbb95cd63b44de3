//! On top: serving conns, on every core.
mod bound;
mod counters;
mod draining;
mod peers;
mod rate;
mod registry;
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
pub use spread::Spread;
pub use worker::Worker;
