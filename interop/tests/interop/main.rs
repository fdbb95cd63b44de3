//! The program against servers and clients of other hands.

mod addresses;
mod dials;
mod errors;
mod listens;
mod names;
mod proxies;
