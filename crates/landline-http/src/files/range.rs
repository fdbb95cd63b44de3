//! Which bytes a `Range` asks for (RFC 9110 section 14). Pure.

use std::ops::Range;

/// More ranges than this are no honest wish, and are answered with all there is.
const MOST: usize = 100;
/// RFC 9110 section 14.2 lets a server ignore more than two ranges that overlap.
const MOST_OVERLAPS: usize = 2;

/// What is to be sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    /// All of it, with 200.
    Whole,
    /// These bytes, with 206: one range or several, none of them empty, in the order asked for.
    Parts(Vec<Range<u64>>),
    /// Nothing, with 416.
    Unsatisfiable,
}

/// The bytes that `value`, of a `Range`, selects of `length`.
///
/// Units other than `bytes` are ignored, and so is a wish for more bytes than there are, for more than 100 ranges, or for
/// more than two that overlap. Of an empty file there is nothing to select. Broken ranges are refused, like ranges that
/// begin behind the end.
pub(crate) fn select(value: &[u8], length: u64) -> Selection {
    let Some(set) = bytes_set(value) else { return Selection::Whole };
    if length == 0 {
        return Selection::Whole;
    }
    let mut parts = Vec::new();
    let mut count = 0;
    for element in set.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
        // Empty elements of a list are ignored (section 5.6.1.2).
        if element.is_empty() {
            continue;
        }
        count += 1;
        if count > MOST {
            return Selection::Whole;
        }
        match one(element, length) {
            Some(range) if range.is_empty() => {}
            Some(range) => parts.push(range),
            None => return Selection::Unsatisfiable,
        }
    }
    if parts.is_empty() {
        return Selection::Unsatisfiable;
    }
    let total = parts.iter().try_fold(0_u64, |total, part| total.checked_add(part.end - part.start));
    if total.is_none_or(|total| total > length) || overlaps(&parts) > MOST_OVERLAPS {
        return Selection::Whole;
    }
    Selection::Parts(parts)
}

/// What follows `bytes=`; units are written in any case (section 14.1).
fn bytes_set(value: &[u8]) -> Option<&[u8]> {
    let equals = value.iter().position(|&byte| byte == b'=')?;
    let (unit, set) = (&value[..equals], &value[equals + 1..]);
    unit.trim_ascii().eq_ignore_ascii_case(b"bytes").then_some(set)
}

/// One range, cut to what there is, and so empty where nothing is; none where it is broken.
fn one(element: &[u8], length: u64) -> Option<Range<u64>> {
    let dash = element.iter().position(|&byte| byte == b'-')?;
    let (first, last) = (&element[..dash], &element[dash + 1..]);
    if first.is_empty() {
        return Some(length - number(last)?.min(length)..length);
    }
    let first = number(first)?;
    let end = match last {
        b"" => length,
        last => {
            let last = number(last)?;
            if last < first {
                return None;
            }
            last.saturating_add(1).min(length)
        }
    };
    Some(first.min(end)..end)
}

/// Digits alone; a number that is too large is as good as the largest.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(
        digits
            .iter()
            .fold(0_u64, |number, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0'))),
    )
}

/// How many ranges begin within one that begins before.
fn overlaps(parts: &[Range<u64>]) -> usize {
    let mut sorted: Vec<&Range<u64>> = parts.iter().collect();
    sorted.sort_by_key(|part| part.start);
    let mut reach = 0;
    sorted
        .into_iter()
        .filter(|part| {
            let is_within = part.start < reach;
            reach = reach.max(part.end);
            is_within
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_select_what_rfc_9110_says() {
        let parts = |ranges: &[(u64, u64)]| {
            Selection::Parts(ranges.iter().map(|&(first, last)| first..last + 1).collect())
        };
        for (value, expected) in [
            ("bytes=0-499", parts(&[(0, 499)])),
            ("bytes=500-999", parts(&[(500, 999)])),
            ("bytes=-500", parts(&[(9500, 9999)])),
            ("bytes=9500-", parts(&[(9500, 9999)])),
            ("bytes=0-0,-1", parts(&[(0, 0), (9999, 9999)])),
            ("bytes= 0-999, 4500-5499, -1000", parts(&[(0, 999), (4500, 5499), (9000, 9999)])),
            ("bytes=500-700,601-999", parts(&[(500, 700), (601, 999)])),
            ("BYTES=1-2", parts(&[(1, 2)])),
            ("bytes=,,1-2 ,\t", parts(&[(1, 2)])),
            ("bytes=9999-10000", parts(&[(9999, 9999)])),
            ("bytes=0-", parts(&[(0, 9999)])),
            ("bytes=-20000", parts(&[(0, 9999)])),
            ("bytes=5-99999999999999999999999", parts(&[(5, 9999)])),
            ("bytes=20000-,3-4", parts(&[(3, 4)])),
            ("bytes=3-4,1-2", parts(&[(3, 4), (1, 2)])),
            // Nothing there.
            ("bytes=10000-", Selection::Unsatisfiable),
            ("bytes=99999999999999999999999-", Selection::Unsatisfiable),
            ("bytes=-0", Selection::Unsatisfiable),
            ("bytes=20000-30000,-0", Selection::Unsatisfiable),
            // Broken.
            ("bytes=", Selection::Unsatisfiable),
            ("bytes=-", Selection::Unsatisfiable),
            ("bytes=2-1", Selection::Unsatisfiable),
            ("bytes=1-2,x", Selection::Unsatisfiable),
            ("bytes=+1-2", Selection::Unsatisfiable),
            ("bytes=1 - 2", Selection::Unsatisfiable),
            ("bytes=0x1-2", Selection::Unsatisfiable),
            ("bytes=1-2-3", Selection::Unsatisfiable),
            ("bytes=--1", Selection::Unsatisfiable),
            // Ignored.
            ("", Selection::Whole),
            ("bytes", Selection::Whole),
            ("bytes 1-2", Selection::Whole),
            ("items=1-2", Selection::Whole),
            ("bytes=0-,0-", Selection::Whole),
            ("bytes=0-1,0-1,0-1,0-1", Selection::Whole),
        ] {
            assert_eq!(select(value.as_bytes(), 10_000), expected, "{value}");
        }
    }

    #[test]
    fn many_ranges_are_all_there_is() {
        let many = |count: u64| {
            let ranges: Vec<String> = (0..count).map(|at| format!("{}-{}", at * 2, at * 2)).collect();
            select(format!("bytes={}", ranges.join(",")).as_bytes(), 1 << 20)
        };
        assert!(matches!(many(100), Selection::Parts(parts) if parts.len() == 100));
        assert_eq!(many(101), Selection::Whole);
    }

    #[test]
    fn files_of_any_length() {
        assert_eq!(select(b"bytes=0-", 0), Selection::Whole);
        assert_eq!(select(b"bytes=-5", 0), Selection::Whole);
        let last = u64::MAX - 1;
        let value = format!("bytes={last}-{last}");
        let selected = select(value.as_bytes(), u64::MAX);
        assert!(matches!(selected, Selection::Parts(parts) if parts.iter().eq([&(last..u64::MAX)])));
        assert_eq!(select(b"bytes=0-,-1", u64::MAX), Selection::Whole);
    }
}
