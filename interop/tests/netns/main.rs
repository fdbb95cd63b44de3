//! The program in networks made for the test.

mod calls;
mod harness;
mod limits;
mod names;
mod options;
mod race;
mod routes;
mod streams;
