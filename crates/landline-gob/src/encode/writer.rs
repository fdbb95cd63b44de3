//! An encoder that writes to a stream.

use std::io::Write;

use serde::Serialize;

use super::{Encode, Encoder};
use crate::error::Error;
use crate::schema::Type;
use crate::value::Value;

/// Encodes values and writes each to a stream, with one call of [`Write::write_all`].
///
/// ```
/// let mut writer = landline_gob::Writer::new(Vec::new());
/// writer.encode(&1_i64)?;
/// writer.encode(&"two".to_owned())?;
/// assert_eq!(writer.into_inner(), [3, 4, 0, 2, 6, 12, 0, 3, b't', b'w', b'o']);
/// # Ok::<(), landline_gob::Error>(())
/// ```
#[derive(Debug)]
pub struct Writer<W> {
    encoder: Encoder,
    buffer: Vec<u8>,
    inner: W,
}

impl<W: Write> Writer<W> {
    /// Begins a stream on `inner`.
    pub fn new(inner: W) -> Writer<W> {
        Writer::with_encoder(Encoder::new(), inner)
    }

    /// Begins a stream with an encoder that was set up before.
    pub fn with_encoder(encoder: Encoder, inner: W) -> Writer<W> {
        Writer { encoder, buffer: Vec::new(), inner }
    }

    /// Writes a value.
    ///
    /// # Errors
    ///
    /// As [`Encoder::encode`], and when the stream cannot be written to; then it is at an unknown place and no more can be
    /// written to it.
    pub fn encode<T: Encode>(&mut self, value: &T) -> Result<(), Error> {
        self.buffer.clear();
        self.encoder.encode(value, &mut self.buffer)?;
        self.send()
    }

    /// Writes a value as one of a given type.
    ///
    /// # Errors
    ///
    /// As [`Encoder::encode_as`] and [`encode`](Writer::encode).
    pub fn encode_as<T: Serialize + ?Sized>(&mut self, of: &Type, value: &T) -> Result<(), Error> {
        self.buffer.clear();
        self.encoder.encode_as(of, value, &mut self.buffer)?;
        self.send()
    }

    /// Writes a dynamic value.
    ///
    /// # Errors
    ///
    /// As [`Encoder::encode_value`] and [`encode`](Writer::encode).
    pub fn encode_value(&mut self, value: &Value) -> Result<(), Error> {
        self.buffer.clear();
        self.encoder.encode_value(value, &mut self.buffer)?;
        self.send()
    }

    fn send(&mut self) -> Result<(), Error> {
        self.inner.write_all(&self.buffer)?;
        Ok(())
    }
}

impl<W> Writer<W> {
    /// The stream.
    pub fn inner(&self) -> &W {
        &self.inner
    }

    /// The stream, without the types that the peer was told of.
    pub fn into_inner(self) -> W {
        self.inner
    }
}
