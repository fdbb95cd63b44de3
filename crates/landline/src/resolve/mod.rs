//! Step 2: names to addresses and back.
//!
//! What may be asked, of whom and in which order is decided in pure code; a lookup carries it out.
//!
//! | file | what it knows |
//! |---|---|
//! | `name`, `special`, `search`, `reverse` | names: which are valid, which are never asked for, how they are completed |
//! | `config`, `resolv_conf` | the servers and options |
//! | `hosts`, `services` | `/etc/hosts`, `/etc/services` |
//! | `nsswitch`, `policy` | which sources are asked, in which order, and why |
//! | `files` | all of those files as they are now |
//! | `record`, `svcb`, `text` | the records a lookup gives, and how they print |
//! | `plan` | which server is asked what, when, and what its word leads to |
//! | `message`, `answer` | the messages of the DNS |
//! | `system` | `getaddrinfo`, for what cannot be done here |

mod addresses;
mod answer;
mod cache;
mod config;
mod exchange;
mod explain;
mod files;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod host;
mod host_lookup;
mod hosts;
mod inflight;
mod lookup;
mod lookups;
mod message;
mod my_hostname;
mod name;
mod nsswitch;
#[cfg(test)]
mod packet;
mod plan;
mod policy;
mod query;
mod record;
mod record_lookups;
mod resolv_conf;
mod resolver;
mod reverse;
mod search;
mod services;
mod special;
mod svcb;
mod system;
mod text;
mod watched;

pub use cache::Cache;
pub use config::{Config, LookupOrder, NameServer};
pub use exchange::{Datagram, DnsConn, Transport};
pub use lookup::Lookup;
pub use name::{InvalidName, Name};
pub use policy::Source;
pub use record::{Mx, Srv, Txt};
pub use resolver::Resolver;
pub use svcb::Svcb;
