//! Go's `net/rpc` for Rust, both ends, true to the wire: a Go client gets along with [`Server`], and [`Client`] with a Go
//! server, by gob, by JSON-RPC 1.0, and through the HTTP handshake.
//!
//! | to | use |
//! |---|---|
//! | serve methods | [`Server`] |
//! | call those of one server | [`Client`], and [`ClientConfig`] for what is to be different |
//! | call those of many behind one name | [`Pool`] |
//! | choose or make the codec | [`Wire`], [`codec`] |
//!
//! # How it is fast
//! A conn is one task on either end. The server takes every request that one read brought, runs handlers right where they
//! are until they wait for something, and sends all replies in one write. The client's callers write into one buffer, which
//! goes out whole. No timer holds anything back: what is sent together is what was there at the time.
//!
//! # What a call takes
//! A call in flight takes about 100 bytes at the client's end, besides the future of the caller, which takes some 400 and is
//! a caller's to keep, and about 150 at the server's, besides the future of the handler. So 100,000 calls over one conn, each
//! in a task of its own, take less than 1,200 bytes each with both ends in one program. Requests and replies that wait to be
//! sent come on top, up to `max_unsent` of either end.
//!
//! # Names and types
//! A Go method `func (a *Arith) Multiply(args *Args, reply *int) error` is `"Arith.Multiply"`, a function from a struct
//! with the fields of `Args`, in Go's spelling (`#[serde(rename_all = "PascalCase")]`), to an `i64`. `()` stands for an
//! empty struct. What goes into what is for the codec to say: see [`landline_gob`] and `serde_json`.
//!
//! There is no macro that makes a service of a trait: a method is registered in one line and called in one, which is what
//! a macro's attribute and generated names would cost too, and the types are checked the same.

#![forbid(unsafe_code)]

mod buffer;
mod client;
pub mod codec;
mod error;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod handshake;
mod server;

pub use client::{Client, ClientConfig, Pool, Reconnect};
pub use codec::Wire;
pub use error::Error;
pub use server::{RegisterError, Server};
