//! Dates in cookies, in whatever form (RFC 6265 section 5.1.1). Pure.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// The moment that a text stands for; those before 1970 are 1970.
pub(super) fn parse(text: &[u8]) -> Option<SystemTime> {
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    for token in text.split(|&byte| is_delimiter(byte)).filter(|token| !token.is_empty()) {
        if time.is_none()
            && let Some(found) = clock(token)
        {
            time = Some(found);
        } else if day.is_none()
            && let Some(found) = number(token, 1, 2)
        {
            day = Some(found);
        } else if month.is_none()
            && let Some(found) = month_of(token)
        {
            month = Some(found);
        } else if year.is_none()
            && let Some(found) = number(token, 2, 4)
        {
            year = Some(found);
        }
    }
    let (hour, minute, second) = time?;
    let year = match year? {
        year @ 70..=99 => year + 1900,
        year @ 0..=69 => year + 2000,
        year => year,
    };
    let (day, month) = (day?, month?);
    let length = [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let is_date = (1..=*length.get(month)?).contains(&day) && year >= 1601;
    if !is_date || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    if year < 1970 {
        return Some(UNIX_EPOCH);
    }
    let leaps = |year: u64| (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400;
    let days =
        (year - 1970) * 365 + leaps(year) - leaps(1970) + length[..month].iter().sum::<u64>() + day - 1;
    UNIX_EPOCH.checked_add(Duration::from_secs(days * 86_400 + hour * 3600 + minute * 60 + second))
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn is_delimiter(byte: u8) -> bool {
    matches!(byte, 0x09 | 0x20..=0x2f | 0x3b..=0x40 | 0x5b..=0x60 | 0x7b..=0x7e)
}

/// The number that a token begins with, of so many digits.
fn number(token: &[u8], least: usize, most: usize) -> Option<u64> {
    let digits = token.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(least..=most).contains(&digits) {
        return None;
    }
    std::str::from_utf8(&token[..digits]).ok()?.parse().ok()
}

fn clock(token: &[u8]) -> Option<(u64, u64, u64)> {
    let mut parts = token.splitn(3, |&byte| byte == b':');
    let mut part = |is_last: bool| {
        let part = parts.next()?;
        (is_last || part.iter().all(u8::is_ascii_digit)).then(|| number(part, 1, 2)).flatten()
    };
    Some((part(false)?, part(false)?, part(true)?))
}

/// Counted from 0.
fn month_of(token: &[u8]) -> Option<usize> {
    let name = token.get(..3)?.to_ascii_lowercase();
    MONTHS.iter().position(|month| month.as_bytes() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_in_all_their_forms() {
        for (text, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777)),
            ("Sun Nov  6 08:49:37 1994", Some(784_111_777)),
            ("Thu, 29 Feb 2024 23:59:59 GMT", Some(1_709_251_199)),
            ("Sun, 01 Mar 2100 00:00:00 GMT", Some(4_107_542_400)),
            ("1 january 2000 1:2:3x", Some(946_688_523)),
            ("01-Jan-1601 00:00:00", Some(0)),
            ("Thu, 30 Feb 2024 00:00:00 GMT", None),
            ("Thu, 01 Jan 1600 00:00:00 GMT", None),
            ("Thu, 01 Jan 2024 24:00:00 GMT", None),
            ("01 Jan 2024", None),
            ("", None),
        ] {
            let expected = seconds.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds));
            assert_eq!(parse(text.as_bytes()), expected, "{text}");
        }
    }
}
