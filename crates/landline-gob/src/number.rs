//! The numbers of the format: everything else is made of them.
//!
//! An unsigned number below 128 is one byte. A larger one is its bytes, the highest first and no more than needed, after
//! one byte with their count, negated. A signed number is an unsigned one with the sign in its lowest bit. A float is the
//! bits of its 64-bit form with the bytes in reverse, because the low ones are often zero.

use crate::error::{Error, ErrorKind};

/// Below this, a number is its own byte.
const SMALL: u64 = 0x80;
/// The most bytes that one number takes.
pub(crate) const LONGEST: usize = 9;

/// What numbers of one and of two bytes begin with.
const LENGTH_1: u8 = 0xff;
const LENGTH_2: u8 = 0xfe;

/// Appends an unsigned number.
#[inline]
pub(crate) fn put_uint(out: &mut Vec<u8>, value: u64) {
    if value < SMALL {
        out.push(value as u8);
        return;
    }
    let mut bytes = [0; LONGEST];
    // A copy of fixed length and a cut are faster than a copy of any length.
    let end = out.len() + write_uint(&mut bytes, value);
    out.extend_from_slice(&bytes);
    out.truncate(end);
}

/// Appends two numbers, of which the first is hardly ever large.
#[inline(always)]
pub(crate) fn put_uints(out: &mut Vec<u8>, first: u32, value: u64) {
    if u64::from(first) >= SMALL || out.capacity() - out.len() <= LONGEST {
        return put_any_uints(out, first, value);
    }
    if value < SMALL {
        out.extend_from_slice(&[first as u8, value as u8]);
        return;
    }
    let count = count_of(value);
    let mut bytes = [0; LONGEST + 1];
    bytes[0] = first as u8;
    bytes[1] = (count as u8).wrapping_neg();
    bytes[2..].copy_from_slice(&(value << (8 * (8 - count))).to_be_bytes());
    let end = out.len() + 2 + count;
    out.extend_from_slice(&bytes);
    out.truncate(end);
}

/// The same where there may be no room, apart so that it costs nothing where there is.
#[cold]
#[inline(never)]
fn put_any_uints(out: &mut Vec<u8>, first: u32, value: u64) {
    put_uint(out, first.into());
    put_uint(out, value);
    out.reserve(MARGIN);
}

/// Room that is made with more.
const MARGIN: usize = 64;

/// Appends the difference of two fields, and bytes with their count before them.
#[inline(always)]
pub(crate) fn put_uint_and_bytes(out: &mut Vec<u8>, first: u32, bytes: &[u8]) {
    if u64::from(first) >= SMALL
        || bytes.len() as u64 >= SMALL
        || out.capacity() - out.len() < 2 + bytes.len()
    {
        put_any_uints(out, first, bytes.len() as u64);
    } else {
        out.extend_from_slice(&[first as u8, bytes.len() as u8]);
    }
    out.extend_from_slice(bytes);
}

/// A signed number as the unsigned one that stands for it.
#[inline(always)]
pub(crate) fn of_int(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// A float as the number that stands for it.
#[inline(always)]
pub(crate) fn of_float(value: f64) -> u64 {
    value.to_bits().swap_bytes()
}

/// Writes an unsigned number at the front of room for any, and gives how many bytes it has.
#[inline(always)]
pub(crate) fn write_uint(out: &mut [u8; LONGEST], value: u64) -> usize {
    if value < SMALL {
        out[0] = value as u8;
        return 1;
    }
    let Ok(short) = u32::try_from(value) else {
        let count = count_of(value);
        out[0] = (count as u8).wrapping_neg();
        out[1..].copy_from_slice(&(value << (8 * (8 - count))).to_be_bytes());
        return 1 + count;
    };
    // Compared, not counted: with fewer instructions, and one store for all. What comes first is the count, negated.
    let more = u32::from(short > 0xff) + u32::from(short > 0xffff) + u32::from(short > 0xff_ffff);
    let first = !more;
    let bytes = value.swap_bytes() >> (first.wrapping_mul(8).wrapping_sub(8) % 64) | u64::from(first as u8);
    out[..8].copy_from_slice(&bytes.to_le_bytes());
    2 + more as usize
}

/// Appends a signed number.
#[inline]
pub(crate) fn put_int(out: &mut Vec<u8>, value: i64) {
    put_uint(out, of_int(value));
}

/// How many bytes [`put_uint`] appends.
pub(crate) fn uint_len(value: u64) -> usize {
    if value < SMALL { 1 } else { 1 + count_of(value) }
}

/// How many bytes [`put_int`] appends.
pub(crate) fn int_len(value: i64) -> usize {
    uint_len(of_int(value))
}

/// The bytes that a number of at least one bit has.
#[inline]
fn count_of(value: u64) -> usize {
    8 - value.leading_zeros() as usize / 8
}

#[inline]
pub(crate) fn to_int(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[inline]
pub(crate) fn to_float(value: u64) -> f64 {
    f64::from_bits(value.swap_bytes())
}

/// Takes an unsigned number from the front of `input`.
#[inline(always)]
pub(crate) fn take_uint(input: &mut &[u8]) -> Result<u64, Bad> {
    match input.split_first() {
        Some((&first, rest)) if u64::from(first) < SMALL => {
            *input = rest;
            Ok(u64::from(first))
        }
        Some((&first, rest)) => {
            *input = rest;
            take_long(first, input)
        }
        None => Err(Bad::Short),
    }
}

/// The unsigned number that `input` begins with, and what follows: to be had without a store between two of them.
#[inline(always)]
pub(crate) fn uint_of(input: &[u8]) -> Result<(u64, &[u8]), Bad> {
    let Some((&first, rest)) = input.split_first() else { return Err(Bad::Short) };
    if u64::from(first) < SMALL {
        return Ok((first.into(), rest));
    }
    let count = usize::from(first.wrapping_neg());
    match rest.split_first_chunk::<8>() {
        Some((eight, _)) if count <= 8 => {
            Ok((u64::from_be_bytes(*eight) >> (8 * (8 - count)), &rest[count..]))
        }
        _ => short_uint_of(first, rest),
    }
}

#[cold]
#[inline(never)]
fn short_uint_of(first: u8, mut rest: &[u8]) -> Result<(u64, &[u8]), Bad> {
    take_long(first, &mut rest).map(|value| (value, rest))
}

/// Takes an unsigned number that is one of many.
///
/// Numbers of the usual lengths are looked at by themselves, so that the processor foresees which comes next and need not
/// wait to know where it begins. It is more code, and slower where numbers stand alone.
#[inline]
pub(crate) fn take_next_uint(input: &mut &[u8]) -> Result<u64, Bad> {
    let Some((&first, rest)) = input.split_first() else { return Err(Bad::Short) };
    if u64::from(first) < SMALL {
        *input = rest;
        return Ok(first.into());
    }
    if first == LENGTH_2
        && let Some((bytes, left)) = rest.split_first_chunk()
    {
        *input = left;
        return Ok(u16::from_be_bytes(*bytes).into());
    }
    if first == LENGTH_1
        && let Some((byte, left)) = rest.split_first()
    {
        *input = left;
        return Ok((*byte).into());
    }
    let (value, left) = uint_of(input)?;
    *input = left;
    Ok(value)
}

/// A number of `first`, negated, bytes, from the front of what follows.
#[inline(never)]
fn take_long(first: u8, rest: &mut &[u8]) -> Result<u64, Bad> {
    let count = usize::from(first.wrapping_neg());
    if count > 8 {
        return Err(Bad::Length);
    }
    if let Some((eight, _)) = rest.split_first_chunk::<8>() {
        let value = u64::from_be_bytes(*eight) >> (8 * (8 - count));
        *rest = &rest[count..];
        return Ok(value);
    }
    let Some((bytes, left)) = rest.split_at_checked(count) else { return Err(Bad::Short) };
    *rest = left;
    Ok(bytes.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

/// Why there is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    /// The input ends before the number does.
    Short,
    /// It says of itself that it has more than eight bytes.
    Length,
}

impl From<Bad> for Error {
    #[cold]
    fn from(bad: Bad) -> Error {
        match bad {
            Bad::Short => ErrorKind::Corrupt("a value ends beyond its message").into(),
            Bad::Length => ErrorKind::Corrupt("a number of more than eight bytes").into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uint(value: u64) -> Vec<u8> {
        let mut out = Vec::new();
        put_uint(&mut out, value);
        assert_eq!(out.len(), uint_len(value));
        let mut room = [0xaa; LONGEST];
        let len = write_uint(&mut room, value);
        assert_eq!(room[..len], out);
        out
    }

    #[test]
    fn unsigned_numbers_are_those_of_the_documentation_of_go() {
        for (value, bytes) in [
            (0, &[0][..]),
            (7, &[7]),
            (127, &[127]),
            (128, &[0xff, 0x80]),
            (255, &[0xff, 0xff]),
            (256, &[0xfe, 1, 0]),
            (0xffff, &[0xfe, 0xff, 0xff]),
            (0x1_0000, &[0xfd, 1, 0, 0]),
            (0x1_2345, &[0xfd, 1, 0x23, 0x45]),
            (0xff_ffff, &[0xfd, 0xff, 0xff, 0xff]),
            (0x100_0000, &[0xfc, 1, 0, 0, 0]),
            (1 << 32, &[0xfb, 1, 0, 0, 0, 0]),
            (0xffff_ffff, &[0xfc, 0xff, 0xff, 0xff, 0xff]),
            (u64::MAX, &[0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ] {
            assert_eq!(uint(value), bytes);
            for padding in 0..9 {
                let mut padded = bytes.to_vec();
                padded.resize(bytes.len() + padding, 0xaa);
                assert_eq!(uint_of(&padded), Ok((value, &padded[bytes.len()..])));
                let mut input = &padded[..];
                assert_eq!(take_uint(&mut input), Ok(value));
                assert_eq!(input.len(), padding);
            }
            for cut in 0..bytes.len() {
                assert_eq!(take_uint(&mut &bytes[..cut]), Err(Bad::Short));
                assert_eq!(uint_of(&bytes[..cut]), Err(Bad::Short));
            }
        }
        assert_eq!(take_uint(&mut &[0xf7, 1, 2, 3, 4, 5, 6, 7, 8, 9][..]), Err(Bad::Length));
        assert_eq!(take_uint(&mut &[0x80][..]), Err(Bad::Length));
        assert_eq!(uint_of(&[0x80]), Err(Bad::Length));
    }

    #[test]
    fn two_numbers_are_one_after_the_other() {
        for first in [0, 1, 127, 128, 300, u32::MAX] {
            for value in [0, 1, 127, 128, 255, 256, 65_535, 1 << 40, u64::MAX] {
                let mut out = vec![7];
                put_uints(&mut out, first, value);
                assert_eq!(out, [vec![7], uint(first.into()), uint(value)].concat());
            }
        }
    }

    #[test]
    fn signed_numbers_and_floats() {
        for (value, bytes) in [(0, &[0][..]), (-1, &[1]), (1, &[2]), (-129, &[0xfe, 1, 1])] {
            let mut out = Vec::new();
            put_int(&mut out, value);
            assert_eq!(out, bytes);
        }
        for value in [0, 1, -1, 63, -64, 64, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            put_int(&mut out, value);
            assert_eq!(take_uint(&mut &out[..]).map(to_int), Ok(value));
        }
        let mut out = Vec::new();
        put_uint(&mut out, of_float(17.0));
        assert_eq!(out, [0xfe, 0x31, 0x40]);
        assert_eq!(take_uint(&mut &out[..]).map(to_float), Ok(17.0));
    }
}
