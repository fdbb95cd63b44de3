//! Bytes that look random, are the same in every run, and can be checked as they arrive.

use super::enforce::{Check, ensure};

/// An endless stream of bytes that depends on its seed alone; a missing, doubled or exchanged byte shows within a few
/// bytes of it.
pub(super) struct Payload {
    state: u64,
    word: [u8; 8],
    used: usize,
}

impl Payload {
    pub(super) fn new(seed: u64) -> Payload {
        Payload { state: seed, word: [0; 8], used: 8 }
    }

    /// The first `length` bytes.
    pub(super) fn bytes(seed: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        Payload::new(seed).fill(&mut bytes);
        bytes
    }

    pub(super) fn fill(&mut self, buffer: &mut [u8]) {
        for byte in buffer {
            *byte = self.next();
        }
    }

    // SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
    fn next(&mut self) -> u8 {
        if self.used == 8 {
            self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = self.state;
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            self.word = (word ^ (word >> 31)).to_le_bytes();
            self.used = 0;
        }
        let byte = self.word[self.used];
        self.used += 1;
        byte
    }
}

/// Compares what arrives with what was sent.
pub(super) struct Expected {
    payload: Payload,
    position: usize,
    length: usize,
}

impl Expected {
    pub(super) fn new(seed: u64, length: usize) -> Expected {
        Expected { payload: Payload::new(seed), position: 0, length }
    }

    pub(super) fn arrived(&mut self, bytes: &[u8]) -> Check {
        for &byte in bytes {
            ensure!(
                self.position < self.length,
                "more than the {} bytes that were written arrived",
                self.length
            );
            let sent = self.payload.next();
            ensure!(
                byte == sent,
                "byte {} of {} arrived as {byte:#04x}, was written as {sent:#04x}",
                self.position,
                self.length
            );
            self.position += 1;
        }
        Ok(())
    }

    pub(super) fn is_complete(&self) -> bool {
        self.position == self.length
    }

    pub(super) fn ended(&self) -> Check {
        ensure!(self.is_complete(), "the end came after {} of {} bytes", self.position, self.length);
        Ok(())
    }
}

/// How often each byte value occurs: what stays the same when readers or writers race.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Tally([u64; 256]);

impl Tally {
    pub(super) fn new() -> Tally {
        Tally([0; 256])
    }

    pub(super) fn count(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0[usize::from(byte)] += 1;
        }
    }

    pub(super) fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    pub(super) fn must_equal(&self, sent: &Tally) -> Check {
        ensure!(self.total() == sent.total(), "{} bytes written, {} arrived", sent.total(), self.total());
        ensure!(self == sent, "as many bytes arrived as were written, but others");
        Ok(())
    }
}
