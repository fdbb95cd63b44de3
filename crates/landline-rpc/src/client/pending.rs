//! Calls under way, by their numbers.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map whose keys are numbers that were counted out here.
pub(super) type BySequence<T> = HashMap<u64, T, BuildHasherDefault<Spread>>;

/// Spreads consecutive numbers over all bits: peers do not choose the keys, so nothing better is needed.
#[derive(Default)]
pub(super) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0 ^ u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        // The golden ratio, as Knuth has it for hashing by multiplication.
        self.0 = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
