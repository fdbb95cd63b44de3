//! Go's `time.Duration`, an `int64` of nanoseconds, as a `std::time::Duration`.
//!
//! ```
//! use std::time::Duration;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Options {
//!     #[serde(rename = "Timeout", with = "landline_gob::go::duration")]
//!     timeout: Duration,
//! }
//! ```
//!
//! A negative duration cannot be decoded, and one of more than 292 years not encoded.

use std::fmt;
use std::time::Duration;

use serde::Serializer;
use serde::de::{Deserializer, Visitor};
use serde::ser::Error as _;

/// As an `int64` of nanoseconds.
///
/// # Errors
///
/// When it is too long.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    let nanos = i64::try_from(duration.as_nanos());
    serializer.serialize_i64(nanos.map_err(|_| S::Error::custom(format!("{duration:?} is too long for Go")))?)
}

/// From an `int64` of nanoseconds.
///
/// # Errors
///
/// When it is negative.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    deserializer.deserialize_i64(Nanos)
}

struct Nanos;

impl Visitor<'_> for Nanos {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nanoseconds, not negative")
    }

    fn visit_i64<E: serde::de::Error>(self, nanos: i64) -> Result<Duration, E> {
        let nanos = u64::try_from(nanos);
        nanos.map(Duration::from_nanos).map_err(|_| E::custom("a negative duration"))
    }

    fn visit_u64<E: serde::de::Error>(self, nanos: u64) -> Result<Duration, E> {
        Ok(Duration::from_nanos(nanos))
    }
}
