//! A decoder that reads from a stream.

use std::io::{ErrorKind as IoErrorKind, Read};

use serde::de::DeserializeOwned;

use super::Decoder;
use crate::error::{Error, ErrorKind};
use crate::value::Value;

/// Bytes read at a time, and room that is kept.
const READ: usize = 16 << 10;

/// Reads values from a stream, of which it reads ahead.
///
/// ```
/// let mut reader = landline_gob::Reader::new(&[3, 4, 0, 2, 6, 12, 0, 3, b't', b'w', b'o'][..]);
/// assert_eq!(reader.decode::<i32>()?, Some(1));
/// assert_eq!(reader.decode::<String>()?.as_deref(), Some("two"));
/// assert_eq!(reader.decode::<i32>()?, None);
/// # Ok::<(), landline_gob::Error>(())
/// ```
#[derive(Debug)]
pub struct Reader<R> {
    decoder: Decoder,
    inner: R,
    buffer: Vec<u8>,
    /// What of the buffer has been decoded, and what of it is filled.
    begin: usize,
    end: usize,
}

impl<R: Read> Reader<R> {
    /// Reads the stream that `inner` begins with.
    pub fn new(inner: R) -> Reader<R> {
        Reader::with_decoder(Decoder::new(), inner)
    }

    /// Reads a stream with a decoder that was set up before.
    pub fn with_decoder(decoder: Decoder, inner: R) -> Reader<R> {
        Reader { decoder, inner, buffer: Vec::new(), begin: 0, end: 0 }
    }

    /// Reads a value; nothing when the stream has ended before one.
    ///
    /// # Errors
    ///
    /// As [`Decoder::decode`], when the stream cannot be read, and when it ends in the middle of a value.
    pub fn decode<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Error> {
        self.next(|decoder, input| decoder.decode(input))
    }

    /// Reads a value whatever it is; nothing when the stream has ended before one.
    ///
    /// # Errors
    ///
    /// As [`decode`](Reader::decode).
    pub fn decode_value(&mut self) -> Result<Option<Value>, Error> {
        self.next(Decoder::decode_value)
    }

    /// Passes over a value; false when the stream has ended before one.
    ///
    /// # Errors
    ///
    /// As [`decode`](Reader::decode).
    pub fn skip(&mut self) -> Result<bool, Error> {
        self.next(|decoder, input| Ok(decoder.skip(input)?.then_some(()))).map(|skipped| skipped.is_some())
    }

    fn next<T>(
        &mut self,
        mut take: impl FnMut(&mut Decoder, &mut &[u8]) -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, Error> {
        loop {
            let mut input = &self.buffer[self.begin..self.end];
            let taken = take(&mut self.decoder, &mut input);
            self.begin = self.end - input.len();
            if let Some(value) = taken? {
                return Ok(Some(value));
            }
            if !self.fill()? {
                if self.begin == self.end && !self.decoder.is_within() {
                    return Ok(None);
                }
                let offset = self.decoder.offset() + (self.end - self.begin) as u64;
                return Err(Error::from(ErrorKind::Truncated).at_offset(offset).fatal());
            }
        }
    }

    /// Reads once; false at the end.
    fn fill(&mut self) -> Result<bool, Error> {
        if self.begin > 0 {
            self.buffer.copy_within(self.begin..self.end, 0);
            self.end -= self.begin;
            self.begin = 0;
        }
        // By no more than has come before, so that a length alone takes no memory.
        let wanted = self.decoder.needs().min(self.end * 2).max(self.end + READ);
        if self.buffer.len() < wanted {
            self.buffer.reserve_exact(wanted - self.buffer.len());
            self.buffer.resize(wanted, 0);
        }
        loop {
            match self.inner.read(&mut self.buffer[self.end..]) {
                Ok(count) => {
                    self.end += count;
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == IoErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl<R> Reader<R> {
    /// What the stream is decoded with.
    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// What is read from. Who reads from it takes away what would be decoded.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.inner
    }

    /// The stream, without what was read ahead.
    pub fn into_inner(self) -> R {
        self.inner
    }
}
