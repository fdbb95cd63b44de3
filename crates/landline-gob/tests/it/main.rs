//! The format against what Go wrote: `vectors.txt`, made by `interop/go/gob`, which `cargo xtask test interop` repeats.

mod collections;
mod interfaces;
mod numbers;
mod retyped;
mod rules;
mod samples;
mod standard;
mod structs;
mod vectors;
