//! What the tests against real peers and in private networks are made with.
//!
//! The tests run the `landline` program as users do, so what they need comes from outside: `cargo xtask test` builds
//! the program, provides peers and tools as far as it can, and tells the tests by environment variables. Without
//! these a test says what it lacks and does nothing.

mod dns;
mod finished;
mod namespace;
mod needs;
mod pair;
mod report;
mod running;
mod wait;

pub use dns::{DnsServer, free_address};
pub use finished::{Finished, finish, finish_with_input};
pub use namespace::Namespace;
pub use needs::{go_program, namespaces, peer, program, skip};
pub use pair::Pair;
pub use report::{Attempt, Query, Report};
pub use running::Running;
pub use wait::{until, until_bound};
