//! A hash for keys that are hashes already.

use std::hash::{BuildHasher, Hasher};

/// Hashes a `TypeId` to itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ByTypeId;

impl BuildHasher for ByTypeId {
    type Hasher = Last;

    fn build_hasher(&self) -> Last {
        Last(0)
    }
}

/// The last number that it was given.
#[derive(Debug)]
pub(crate) struct Last(u64);

impl Hasher for Last {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}
