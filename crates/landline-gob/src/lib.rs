//! gob.
#![forbid(unsafe_code)]

mod arena;
mod decode;
mod encode;
mod error;
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
