//! Gob, the format in which programs in Go send each other values, over serde: for the same values the same bytes.
//!
//! | for | there is |
//! |---|---|
//! | one value in a buffer | [`to_vec`] and [`from_slice`] |
//! | many values on one stream, in buffers of the caller's | [`Encoder`] and [`Decoder`] |
//! | the same over [`std::io`] | [`Writer`] and [`Reader`] |
//! | values of types that are not known beforehand | [`Value`], [`Type`] |
//! | types of Go's standard library, and one's own encodings | [`go`] |
//!
//! ```
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! #[serde(rename_all = "PascalCase")]
//! struct Point {
//!     x: i64,
//!     y: Option<i64>,
//! }
//!
//! let point = Point { x: 22, y: None };
//! let bytes = landline_gob::to_vec(&point)?;
//! assert_eq!(landline_gob::from_slice::<Point>(&bytes)?, point);
//! # Ok::<(), landline_gob::Error>(())
//! ```
//!
//! # Rust types and Go types
//!
//! | Rust | Go |
//! |---|---|
//! | `bool`, `i8` to `i64`, `u8` to `u64`, `f32`, `f64`, `String` | the same; `isize` and `usize` are `int` and `uint` |
//! | `char` | `rune` |
//! | [`go::Complex`] | `complex128`, `complex64` |
//! | `Vec<u8>` and what serializes as bytes | `[]byte` |
//! | `Vec<T>`, `[T; N]`, `HashMap<K, V>`, `BTreeMap<K, V>` | `[]T`, `[N]T`, `map[K]V` |
//! | a struct, by the names that serde knows its fields by | a struct of that name |
//! | `Option<T>` | `*T`; on the wire, what is not there is zero |
//! | an enum whose variants hold something | an interface; a variant's name is the registered name of its type |
//! | an enum whose variants hold nothing | a string |
//! | [`Value`] | `any` |
//! | [`go::Time`], [`go::BigInt`], [`go::Url`] and others | `time.Time`, `*big.Int`, `*url.URL` |
//!
//! Names are Go's: exported fields begin with a capital, so structs want `#[serde(rename_all = "PascalCase")]`.
//!
//! # What a peer sends
//!
//! Nothing of it is trusted: a [`Decoder`] has [`Limits`] on how long, how deep and how many, and on how much memory
//! what comes may take.

#![forbid(unsafe_code)]

mod arena;
mod decode;
mod encode;
mod error;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
pub mod go;
mod hash;
mod limits;
mod number;
mod schema;
mod trace;
mod value;

pub use decode::{Decoder, Reader, from_slice};
pub use encode::{Encode, Encoder, Writer, to_vec};
pub use error::{Error, ErrorKind};
pub use limits::{Limit, Limits};
pub use schema::{StructFields, Type, TypeKind};
pub use value::{Entries, Fields, Held, Items, Typed, Value, View};

#[doc(hidden)]
pub mod __private {
    pub use serde::{Deserialize, Deserializer, Serialize, Serializer};
}
