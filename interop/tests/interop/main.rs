//! The program against servers and clients of other hands.

mod addresses;
mod dials;
mod errors;
mod gets;
mod listens;
mod mux;
mod names;
