//! Steps 6 and 7: a non-blocking descriptor in tokio's reactor, with deadlines and a close that wakes whoever waits.

mod attempt;
mod call;
mod limits;
mod message;
mod meter;
mod monitor;
mod net_fd;
mod opened;
mod pool;
mod relay;
mod splice;
mod stream;
mod waiters;

pub(crate) use limits::{Direction, Limits};
pub(crate) use message::Beside;
pub(crate) use meter::Traffic;
pub(crate) use monitor::Monitor;
pub(crate) use net_fd::{Ends, Io, NetFd};
pub(crate) use relay::{ReadOnce, Relay, RelayError};
pub(crate) use splice::Spliced;
pub(crate) use stream::{IOV_MAX, Receive, counted};

pub use pool::PooledBuf;
