//! Where a value stands, which decides whether it is written when it is zero, and what is written before it.

use crate::number::put_uint;

pub(super) trait Position {
    /// Whether the zero value is left out.
    const OMITS: bool;
    /// Whether it is the key of a map.
    const KEY: bool = false;

    /// Writes what comes before the value, once it is known that there will be one.
    fn open(self, bytes: &mut Vec<u8>);
}

/// By itself, or as one of several: always there.
pub(super) struct Element;

/// As the key of a map.
pub(super) struct Key;

/// As a field, whose number is written later.
pub(super) struct Detached;

/// As a field, after its number, which is written as the difference from that of the field before.
pub(super) struct Numbered<'l> {
    pub(super) number: u32,
    pub(super) last: &'l mut u32,
}

impl Numbered<'_> {
    /// What `last` is before the first field.
    pub(super) const NONE: u32 = u32::MAX;
}

impl Position for Element {
    const OMITS: bool = false;

    #[inline]
    fn open(self, _: &mut Vec<u8>) {}
}

impl Position for Key {
    const OMITS: bool = false;
    const KEY: bool = true;

    #[inline]
    fn open(self, _: &mut Vec<u8>) {}
}

impl Position for Detached {
    const OMITS: bool = true;

    #[inline]
    fn open(self, _: &mut Vec<u8>) {}
}

impl Position for Numbered<'_> {
    const OMITS: bool = true;

    #[inline]
    fn open(self, bytes: &mut Vec<u8>) {
        put_uint(bytes, self.number.wrapping_sub(*self.last).into());
        *self.last = self.number;
    }
}
