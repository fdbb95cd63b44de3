//! The program against servers and clients of other hands.

mod addresses;
mod calls;
mod dials;
mod errors;
mod gets;
mod listens;
mod mux;
mod names;
mod proxies;
