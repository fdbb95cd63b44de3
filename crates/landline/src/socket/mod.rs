//! Step 5: sockets, close-on-exec and non-blocking from birth: made, given their options, shown to the control hook,
//! bound, connected or made to listen.

mod bound_path;
mod connect;
mod create;
mod inherited;
mod keep_alive;
mod options;
mod traced;

pub(crate) use bound_path::BoundPath;
pub(crate) use connect::{Handshake, connect};
pub(crate) use create::{bind, create, listen};
pub(crate) use inherited::{Inherited, Role, bound_address};
pub(crate) use options::{Control, SocketOptions};
pub(crate) use traced::Traced;

pub use keep_alive::KeepAlive;
