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
//! # What Go wants to know, and how serde says it
//!
//! | in Go | here |
//! |---|---|
//! | the name of a field | the name that serde has for it: `rename`, `rename_all` |
//! | the name of a struct, `Point` | the Rust name, or `#[serde(rename = "Point")]` on the struct |
//! | its package, part of the name of `[]shapes.Point` | `#[serde(rename = "shapes.Point")]`, or [`Encoder::package`] for all |
//! | a struct without a name | `#[serde(rename = "")]` |
//! | an interface and the types in it | an enum, each variant renamed to what `gob.Register` calls its type: `"main.Circle"` |
//! | an interface with any type in it | [`Value`]; [`Value::registered`] gives the name |
//! | the element of an empty slice, what is behind a nil | `Deserialize` says it; without one, [`Encode::gob_type`] |
//! | an embedded struct | a field with the name of its type; promoted fields are in there |
//! | a field that is not exported, or `chan`, or `func` | no field, or `#[serde(skip)]` |
//! | a type with `GobEncode`, `MarshalBinary`, `MarshalText` | one of [`go`], or [`opaque!`] |
//! | `time.Duration`, which is an `int64` | `#[serde(with = "landline_gob::go::duration")]` |
//!
//! ```
//! use std::time::Duration;
//! use landline_gob::go::{BigInt, Time};
//! use landline_gob::{Type, Value};
//! use serde::{Deserialize, Serialize};
//!
//! // type Circle struct { Radius float64 }          gob.Register(Circle{})
//! // type Drawing struct {
//! //     Base                                       // embedded: struct { ID int }
//! //     Main    Shape                              // an interface
//! //     Tags    []string
//! //     At      time.Time
//! //     Area    *big.Int
//! //     Valid   time.Duration
//! //     Extra   any
//! //     cache   []byte
//! // }
//! #[derive(Serialize, Deserialize)]
//! #[serde(rename_all = "PascalCase")]
//! struct Circle {
//!     radius: f64,
//! }
//!
//! #[derive(Serialize, Deserialize)]
//! enum Shape {
//!     #[serde(rename = "main.Circle")]
//!     Circle(Circle),
//! }
//!
//! #[derive(Default, Serialize, Deserialize)]
//! struct Base {
//!     #[serde(rename = "ID")]
//!     id: isize,
//! }
//!
//! #[derive(Serialize, Deserialize)]
//! #[serde(rename = "Drawing", rename_all = "PascalCase")]
//! struct Sketch {
//!     base: Base,
//!     main: Option<Shape>,
//!     tags: Vec<String>,
//!     at: Time,
//!     area: Option<BigInt>,
//!     #[serde(with = "landline_gob::go::duration")]
//!     valid: Duration,
//!     extra: Value,
//!     #[serde(skip)]
//!     cache: Vec<u8>,
//! }
//!
//! assert_eq!(
//!     Type::of::<Sketch>()?.to_string(),
//!     "Drawing struct { Base Base struct { ID int }; Main Shape interface { main.Circle }; \
//!      Tags []string; At time.Time; Area *big.Int; Valid int64; Extra interface {} }",
//! );
//! let value = Value::of(&Circle { radius: 1.5 })?.registered("main.Circle");
//! assert_eq!(serde_json::to_value(value.typed()).unwrap()["value"]["type"], "main.Circle");
//! # Ok::<(), landline_gob::Error>(())
//! ```
//!
//! The tests have each of these beside what Go wrote: `tests/it/structs.rs`, `interfaces.rs`, `standard.rs`.
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
