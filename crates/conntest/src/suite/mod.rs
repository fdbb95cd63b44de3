//! What any connection must do.
//!
//! Each behaviour is an async function that takes the two ends of a fresh connection and returns if they behave. If
//! not, it panics with its name and what it saw: `conntest: close_wakes_reads: still waiting after 30 s`. The
//! behaviours come in groups, by what the connection can do:
//!
//! | group | for | needs |
//! |---|---|---|
//! | [`stream`] | any byte stream, also one wrapped in TLS | `AsyncRead + AsyncWrite` |
//! | [`shared`] | reading, writing and closing from several tasks at once | [`SharedConn`] |
//! | [`deadline`] | deadlines that are past, moved or removed while I/O waits | [`Deadlines`] |
//! | [`message`] | sockets that keep message boundaries | [`SharedConn`] |
//! | [`address`] | what both ends say of their addresses | [`Addressed`] |
//!
//! Every group has a `run_all`, which takes a maker of connected pairs and tries each behaviour twice, the second time
//! with the ends exchanged, because a dialled end and an accepted one often come by different ways. [`run_all`] here
//! runs `shared`, `deadline` and `address`.
//!
//! The behaviours wait for events, never for a fixed time, except where a deadline itself is tried; on real sockets a
//! whole run takes a few seconds. A behaviour that hangs is stopped after 30 seconds of tokio's clock. Conns
//! whose waiting is tokio's alone (in-memory ones) can be tried in paused time, where that costs nothing; sockets
//! cannot, because paused time runs ahead of the kernel.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! conntest::suite::stream::run_all(async || tokio::io::duplex(4096)).await;
//! # }
//! ```
//!
//! The list owes its idea to `golang.org/x/net/nettest`.

pub mod address;
mod capability;
pub mod deadline;
mod enforce;
pub mod message;
mod payload;
pub mod shared;
pub mod stream;
mod waiting;

pub use capability::{Addressed, ByteStream, Deadlines, SharedConn};

/// Runs the groups [`shared`], [`deadline`] and [`address`].
///
/// # Panics
///
/// With the name of the first behaviour that is missed.
pub async fn run_all<A, B, Pair>(make: impl Fn() -> Pair)
where
    Pair: Future<Output = (A, B)>,
    A: Deadlines + Addressed,
    B: Deadlines + Addressed<Addr = A::Addr>,
{
    shared::run_all(&make).await;
    deadline::run_all(&make).await;
    address::run_all(&make).await;
}
