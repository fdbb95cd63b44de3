//! A DNS server that answers as scripted, honestly or not.
//!
//! A [`Server`] says what is answered to which question, each [`Reply`] how; [`Server::start`] makes it listen on UDP
//! and TCP, on the same port of loopback. What clients asked is in its [log](Running::log): when, from which port, with
//! which id, over which transport.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
//! use conntest::dns::{Record, RecordType, Reply, Server, Transport};
//!
//! let server = Server::new()
//!     .on("big.example", RecordType::A, Reply::many_addresses(90))
//!     .on("mail.example", RecordType::MX, Reply::records([Record::mx(10, "mx.mail.example")]))
//!     .on("slow.example", RecordType::A, Reply::silence())
//!     .on("forged.example", RecordType::A, Reply::addresses([[203, 0, 113, 66]]).wrong_id())
//!     .start()
//!     .await?;
//! // … point a resolver at server.addr(), and then
//! assert!(server.log().iter().all(|query| query.transport == Transport::Udp));
//! # Ok(()) }
//! ```

mod encode;
mod log;
mod name;
mod query;
mod record;
mod reply;
mod script;
mod server;
mod tcp;
mod udp;

pub use query::{Edns, Query, Transport};
pub use record::{Record, RecordType, SvcParam};
pub use reply::Reply;
pub use script::EdnsSupport;
pub use server::{Listens, Running, Server};
