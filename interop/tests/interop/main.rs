//! The program against servers and clients of other hands.

mod addresses;
mod calls;
mod clients;
mod dials;
mod downloads;
mod drains;
mod errors;
mod files;
mod forwards;
mod gets;
mod gob;
mod listens;
mod mux;
mod names;
mod proxies;
mod reverse_proxies;
mod serves;
mod smuggling;

// Where the gob crate's own tests look for them.
use gob::{samples, vectors};
