//! For tests of network code on tokio: what any connection must do, and network peers that misbehave on purpose.
//!
//! | module | what is in it |
//! |---|---|
//! | [`suite`] | the behaviours of a correct connection, each a function that panics with its name when it is missed |
//!
//! The crate depends on tokio alone and knows nothing of the code it tests. Being for tests, it panics where a test
//! would want to end; each panic names what was wrong.

#![forbid(unsafe_code)]

pub mod suite;
