//! Where a value stands, which decides whether it is written when it is zero, and what is written before it.

use super::pen::Pen;
use crate::number::put_uint;

pub(super) trait Position: Sized {
    /// Whether the zero value is left out.
    const OMITS: bool;
    /// Whether it is the key of a map.
    const KEY: bool = false;
    /// Whether its type can be one that was given, and not that of the Rust value.
    const GIVEN: bool = true;

    /// Writes what comes before the value, once it is known that there will be one. `last` is the field before, by
    /// how many it had after it.
    fn head(self, last: &mut u32, out: &mut Vec<u8>);

    /// The same where the pen is.
    #[inline(always)]
    fn open(self, pen: &mut Pen) {
        self.head(&mut pen.last, &mut pen.bytes);
    }

    /// The same, and a number.
    #[inline(always)]
    fn put(self, pen: &mut Pen, value: u64) {
        self.open(pen);
        put_uint(&mut pen.bytes, value);
    }

    /// The same, and bytes with their count before them.
    #[inline(always)]
    fn put_bytes(self, pen: &mut Pen, bytes: &[u8]) {
        self.put(pen, bytes.len() as u64);
        pen.bytes.extend_from_slice(bytes);
    }
}

/// By itself, or as one of several: always there.
pub(super) struct Element;

/// As the key of a map.
pub(super) struct Key;

/// As a field, whose number is written later.
pub(super) struct Detached;

/// As a field, after its number, which is written as the difference from that of the field before.
pub(super) struct Numbered {
    /// How many fields the struct has after it: from the difference in this, too, it can be told how many were left out.
    pub(super) left: u32,
}

impl Position for Element {
    const OMITS: bool = false;

    #[inline(always)]
    fn head(self, _: &mut u32, _: &mut Vec<u8>) {}
}

impl Position for Key {
    const OMITS: bool = false;
    const KEY: bool = true;

    #[inline(always)]
    fn head(self, _: &mut u32, _: &mut Vec<u8>) {}
}

impl Position for Detached {
    const OMITS: bool = true;

    #[inline(always)]
    fn head(self, _: &mut u32, _: &mut Vec<u8>) {}
}

impl Position for Numbered {
    const OMITS: bool = true;
    // The fields of a type that was given are put in its order first.
    const GIVEN: bool = false;

    #[inline]
    fn head(self, last: &mut u32, out: &mut Vec<u8>) {
        put_uint(out, last.wrapping_sub(self.left).into());
        *last = self.left;
    }

    #[inline(always)]
    fn put(self, pen: &mut Pen, value: u64) {
        pen.field(self.left, value);
    }

    #[inline(always)]
    fn put_bytes(self, pen: &mut Pen, bytes: &[u8]) {
        pen.field_of_bytes(self.left, bytes);
    }
}
