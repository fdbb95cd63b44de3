//! The made-up values: the zero first, then what stricter types accept.

pub(super) const INTS: [i64; 3] = [0, 1, -1];
pub(super) const UINTS: [u64; 2] = [0, 1];
pub(super) const FLOATS: [f64; 2] = [0.0, 1.0];
pub(super) const BOOLS: [bool; 2] = [false, true];
pub(super) const CHARS: [char; 2] = ['\0', 'a'];

/// Texts that parse as this or that.
pub(super) const TEXTS: [&str; 16] = [
    "",
    "0",
    "a",
    "127.0.0.1",
    "127.0.0.1:0",
    "::1",
    "[::1]:0",
    "127.0.0.0/8",
    "00000000-0000-0000-0000-000000000001",
    "1970-01-01T00:00:00Z",
    "1970-01-01",
    "00:00:00",
    "1970-01-01T00:00:00",
    "http://localhost/",
    "1.0.0",
    "UTC",
];

/// Bytes of lengths that identifiers and hashes have.
pub(super) const BYTES: [&[u8]; 5] = [&[], &[0; 4], &[0; 16], &[0; 20], &[0; 32]];
