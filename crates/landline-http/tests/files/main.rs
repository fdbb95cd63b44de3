//! Files served, as a client sees them.

mod conditions;
mod content;
mod harness;
mod paths;
mod ranges;
mod streaming;
mod wire;
