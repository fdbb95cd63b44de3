//! How much of the peer's word is taken.

use std::fmt;

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
    /// The longest value in bytes, and the longest message; 64 MiB by default.
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

    /// What one decoded value may take in memory: so many times its size on the wire, and so many bytes more;
    /// ten times and 1 MiB by default.
    ///
    /// Counted is what the elements of slices and maps take in Rust, with the room that collections keep for growth, and
    /// strings and bytes. Slices of elements of at most eight bytes, numbers and booleans, are always let pass: they
    /// never take more than eight bytes for one, growth apart.
    #[must_use]
    pub fn memory(mut self, times: usize, plus: usize) -> Limits {
        self.memory_times = times;
        self.memory_plus = plus;
        self
    }

    pub(crate) fn budget(&self, wire: usize) -> usize {
        wire.saturating_mul(self.memory_times).saturating_add(self.memory_plus)
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
            Limit::Message => "message",
            Limit::Depth => "depth",
            Limit::Types => "types",
            Limit::Memory => "memory",
        })
    }
}
