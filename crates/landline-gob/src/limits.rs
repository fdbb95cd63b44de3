//! How much of the peer's word is taken.

use std::fmt;

use crate::error::Error;

/// What a [`Decoder`](crate::Decoder) accepts, and how deep an [`Encoder`](crate::Encoder) goes.
///
/// The defaults suit a server that does not know its peers. A value that legitimately needs more says so in its error,
/// which names the limit.
///
/// ```
/// use landline_gob::{Decoder, Limits};
///
/// let limits = Limits::default().message(1 << 20).depth(32);
/// let decoder = Decoder::new().limits(limits);
/// # let _ = decoder;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub(crate) message: usize,
    pub(crate) depth: usize,
    pub(crate) types: usize,
    pub(crate) memory_times: usize,
    pub(crate) memory_plus: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { message: 64 << 20, depth: 128, types: 4096, memory_times: 10, memory_plus: 1 << 20 }
    }
}

impl Limits {
    /// The longest value in bytes, and the longest message; 64 MiB by default. Errors call it `max_message`, as those who
    /// set it from outside do.
    #[must_use]
    pub fn message(mut self, bytes: usize) -> Limits {
        self.message = bytes;
        self
    }

    /// How deep values may nest: every struct, slice, array, map and interface is a level; 128 by default.
    ///
    /// Each level takes stack, for a struct of many fields some kilobytes without optimization.
    #[must_use]
    pub fn depth(mut self, levels: usize) -> Limits {
        self.depth = levels;
        self
    }

    /// How many types a peer may define on one stream; 4096 by default.
    #[must_use]
    pub fn types(mut self, count: usize) -> Limits {
        self.types = count;
        self
    }

    /// What a decoded value may take in memory: so many times its size on the wire, and so many bytes more; ten times
    /// and 1 MiB by default.
    ///
    /// Counted is what the elements of slices and maps take in Rust, with the room that collections keep for growth,
    /// strings and bytes. The types of the stream count too: what they take beyond so many times the size of their
    /// descriptions is taken from what a value may take more. Not seen, and so not counted, is a `Box` around what is no
    /// larger than a pointer.
    ///
    /// What is refused by the defaults are large collections of elements that are far smaller on the wire than in Rust:
    /// millions of zeros as `Vec<f64>`, or of empty strings. Who means to receive such sets a higher limit.
    #[must_use]
    pub fn memory(mut self, times: usize, plus: usize) -> Limits {
        self.memory_times = times;
        self.memory_plus = plus;
        self
    }

    /// What may be taken for so many bytes, when so many more are taken already than they came with.
    pub(crate) fn budget(&self, wire: usize, overspent: usize) -> Result<usize, Error> {
        let all = wire.saturating_mul(self.memory_times).saturating_add(self.memory_plus);
        all.checked_sub(overspent).ok_or_else(|| Error::limit(Limit::Memory, overspent, all))
    }

    /// How much more was taken than came with so many bytes.
    pub(crate) fn overspent(&self, spent: usize, wire: usize) -> usize {
        spent.saturating_sub(wire.saturating_mul(self.memory_times))
    }
}

/// The limit that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// [`Limits::message`].
    Message,
    /// [`Limits::depth`].
    Depth,
    /// [`Limits::types`].
    Types,
    /// [`Limits::memory`].
    Memory,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Limit::Message => "max_message",
            Limit::Depth => "depth",
            Limit::Types => "types",
            Limit::Memory => "memory",
        })
    }
}
