//! `time.Time`.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Opaque;

/// From the first of January of the year 1, from which Go counts, to that of 1970.
const TO_UNIX: i64 = 62_135_596_800;
const DAY: i64 = 86_400;
/// From the first of March of the year 0 to the first of January of the year 1.
const TO_MARCH: i64 = 306;

/// Go's `time.Time`: a point in time to the nanosecond, with the offset of its zone.
///
/// The zero value is the beginning of the year 1 in UTC, as Go's is. Names of zones and monotonic clocks are not sent.
/// Its text is that of RFC 3339; years beyond 0 to 9999 have a sign.
///
/// ```
/// use landline_gob::go::Time;
///
/// let time: Time = "2024-02-29T12:30:45.5-05:30".parse().unwrap();
/// assert_eq!(time.unix_seconds(), 1_709_229_645);
/// assert_eq!(time.nanoseconds(), 500_000_000);
/// assert_eq!(time.offset(), Some(-(5 * 60 + 30) * 60));
/// assert_eq!(time.to_string(), "2024-02-29T12:30:45.5-05:30");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Time {
    /// Since the beginning of the year 1.
    seconds: i64,
    nanoseconds: u32,
    /// Seconds east of UTC; none for UTC itself.
    offset: Option<i32>,
}

impl Time {
    /// The time so many seconds and nanoseconds after the beginning of 1970, in UTC.
    ///
    /// Nothing when there are a billion nanoseconds or more, or the seconds are too many for Go.
    pub fn from_unix(seconds: i64, nanoseconds: u32) -> Option<Time> {
        let seconds = seconds.checked_add(TO_UNIX)?;
        (nanoseconds < 1_000_000_000).then_some(Time { seconds, nanoseconds, offset: None })
    }

    /// Now, in UTC.
    pub fn now() -> Time {
        SystemTime::now().into()
    }

    /// The same time in a zone so many seconds east of UTC; none is UTC itself, which to Go is not the same as 0.
    ///
    /// Nothing when Go could not send it: the offset has to be of less than 546 hours, and not of minus one minute.
    #[must_use]
    pub fn with_offset(self, seconds: Option<i32>) -> Option<Time> {
        let time = Time { offset: seconds, ..self };
        match seconds {
            Some(seconds) => time.minutes(seconds).map(|_| time),
            None => Some(time),
        }
    }

    /// Whole seconds since the beginning of 1970, rounded down.
    pub fn unix_seconds(&self) -> i64 {
        self.seconds.saturating_sub(TO_UNIX)
    }

    /// The nanoseconds after the second.
    pub fn nanoseconds(&self) -> u32 {
        self.nanoseconds
    }

    /// Seconds east of UTC; none for UTC itself.
    pub fn offset(&self) -> Option<i32> {
        self.offset
    }

    fn minutes(&self, offset: i32) -> Option<i16> {
        // What Go has for UTC itself.
        i16::try_from(offset / 60).ok().filter(|minutes| *minutes != -1)
    }
}

impl From<SystemTime> for Time {
    fn from(time: SystemTime) -> Time {
        let (seconds, nanoseconds) = match time.duration_since(UNIX_EPOCH) {
            Ok(since) => (i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos()),
            Err(before) => {
                let before = before.duration();
                let seconds = i64::try_from(before.as_secs()).unwrap_or(i64::MAX);
                match before.subsec_nanos() {
                    0 => (-seconds, 0),
                    nanos => (-seconds - 1, 1_000_000_000 - nanos),
                }
            }
        };
        Time { seconds: seconds.saturating_add(TO_UNIX), nanoseconds, offset: None }
    }
}

impl TryFrom<Time> for SystemTime {
    type Error = String;

    fn try_from(time: Time) -> Result<SystemTime, String> {
        let seconds = time.unix_seconds();
        let whole = Duration::from_secs(seconds.unsigned_abs());
        let at = if seconds < 0 { UNIX_EPOCH.checked_sub(whole) } else { UNIX_EPOCH.checked_add(whole) };
        at.and_then(|at| at.checked_add(Duration::from_nanos(time.nanoseconds.into())))
            .ok_or_else(|| format!("{time} is no time of this system"))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offset = self.offset.unwrap_or(0);
        let local = self.seconds.saturating_add(offset.into());
        let (year, month, day) = date(local.div_euclid(DAY));
        let second = local.rem_euclid(DAY);
        if (0..=9999).contains(&year) {
            write!(f, "{year:04}")?;
        } else {
            write!(f, "{year:+05}")?;
        }
        write!(f, "-{month:02}-{day:02}T{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)?;
        if self.nanoseconds > 0 {
            let digits = format!("{:09}", self.nanoseconds);
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        match self.offset {
            None => f.write_str("Z"),
            Some(offset) => {
                let sign = if offset < 0 { '-' } else { '+' };
                let minutes = offset.unsigned_abs() / 60;
                write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)?;
                // RFC 3339 has no seconds here; without them it would be another time.
                match offset.unsigned_abs() % 60 {
                    0 => Ok(()),
                    seconds => write!(f, ":{seconds:02}"),
                }
            }
        }
    }
}

/// Year, month and day of a day since the first of January of the year 1, in the Gregorian calendar.
fn date(day: i64) -> (i64, i64, i64) {
    // Years that begin in March end with the leap day, so their months always begin on the same days.
    let day = i128::from(day) + i128::from(TO_MARCH);
    let (era, day) = (day.div_euclid(146_097), day.rem_euclid(146_097) as i64);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let first = (153 * month + 2) / 5;
    let (year, month) = (year + era as i64 * 400, if month < 10 { month + 3 } else { month - 9 });
    (if month <= 2 { year + 1 } else { year }, month, day - first + 1)
}

/// The day since the first of January of the year 1, of a date that exists.
fn day(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days).contains(&day) || year.abs() > 9_999_999 {
        return None;
    }
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - TO_MARCH)
}

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Time, String> {
        parse(text).ok_or_else(|| "no time such as 2006-01-02T15:04:05Z".to_owned())
    }
}

fn parse(text: &str) -> Option<Time> {
    let (year, rest) = text.split_at_checked(text.char_indices().skip(1).find(|(_, c)| *c == '-')?.0)?;
    let signed = year.starts_with(['+', '-']);
    if year.trim_start_matches(['+', '-']).len() < 4 || (!signed && year.len() != 4) {
        return None;
    }
    let year: i64 = year.parse().ok()?;
    let (date, rest) = rest.split_at_checked(6)?;
    let month = number(date.get(1..3)?)?;
    let day_of_month = number(date.strip_prefix('-')?.get(3..5)?)?;
    (date.as_bytes()[3] == b'-').then_some(())?;
    let rest = rest.strip_prefix(['T', 't'])?;
    let (clock, rest) = rest.split_at_checked(8)?;
    (clock.as_bytes()[2] == b':' && clock.as_bytes()[5] == b':').then_some(())?;
    let (hour, minute, second) = (number(&clock[..2])?, number(&clock[3..5])?, number(clock.get(6..)?)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (nanoseconds, rest) = match rest.strip_prefix('.') {
        None => (0, rest),
        Some(rest) => {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let (fraction, rest) = rest.split_at(digits);
            if fraction.is_empty() {
                return None;
            }
            (format!("{:0<9}", &fraction[..digits.min(9)]).parse().ok()?, rest)
        }
    };
    let offset = offset(rest)?;
    let local = day(year, month, day_of_month)? * DAY + hour * 3600 + minute * 60 + second;
    let seconds = local - i64::from(offset.unwrap_or(0));
    Time { seconds, nanoseconds, offset: None }.with_offset(offset)
}

/// `Z`, or a sign, hours, minutes and perhaps seconds.
fn offset(text: &str) -> Option<Option<i32>> {
    if text == "Z" || text == "z" {
        return Some(None);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let mut parts = text[1..].split(':');
    let (hours, minutes) = (number(parts.next()?)?, number(parts.next()?)?);
    let seconds = parts.next().map_or(Some(0), number)?;
    if parts.next().is_some() || minutes > 59 || seconds > 59 {
        return None;
    }
    Some(Some(sign * i32::try_from(hours * 3600 + minutes * 60 + seconds).ok()?))
}

/// At least two digits and nothing else.
fn number(text: &str) -> Option<i64> {
    (text.len() >= 2 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// The version of the bytes with whole minutes in the offset, and that with seconds.
const MINUTES: u8 = 1;
const SECONDS: u8 = 2;
/// In place of minutes: UTC itself.
const UTC: i16 = -1;

impl Opaque for Time {
    fn to_bytes(&self) -> Vec<u8> {
        let minutes = self.offset.map_or(UTC, |offset| self.minutes(offset).unwrap_or(0));
        let seconds = self.offset.map_or(0, |offset| offset % 60);
        let mut bytes = Vec::with_capacity(16);
        bytes.push(if seconds == 0 { MINUTES } else { SECONDS });
        bytes.extend(self.seconds.to_be_bytes());
        bytes.extend(self.nanoseconds.to_be_bytes());
        bytes.extend(minutes.to_be_bytes());
        if seconds != 0 {
            bytes.push(seconds as i8 as u8);
        }
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Result<Time, String> {
        let wrong = || format!("a time of {} bytes", bytes.len());
        let (version, rest) = bytes.split_first().ok_or_else(wrong)?;
        let (seconds, rest) = rest.split_first_chunk().ok_or_else(wrong)?;
        let (nanoseconds, rest) = rest.split_first_chunk().ok_or_else(wrong)?;
        let (minutes, rest) = rest.split_first_chunk().ok_or_else(wrong)?;
        let more = match (*version, rest) {
            (MINUTES, []) => 0,
            (SECONDS, [seconds]) => i32::from(*seconds as i8),
            (MINUTES | SECONDS, _) => return Err(wrong()),
            (version, _) => return Err(format!("a time of version {version}")),
        };
        let nanoseconds = u32::from_be_bytes(*nanoseconds);
        if nanoseconds >= 1_000_000_000 {
            return Err(format!("a time of {nanoseconds} nanoseconds after the second"));
        }
        let offset = match i16::from_be_bytes(*minutes) {
            UTC => None,
            minutes => Some(i32::from(minutes) * 60 + more),
        };
        Ok(Time { seconds: i64::from_be_bytes(*seconds), nanoseconds, offset })
    }

    fn zero() -> Time {
        Time::default()
    }

    fn is_zero(&self) -> bool {
        *self == Time::default()
    }

    fn to_text(&self) -> Option<String> {
        Some(self.to_string())
    }

    fn from_text(text: &str) -> Result<Time, String> {
        text.parse()
    }
}

crate::opaque!(Time, GobEncoder, "time.Time");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_go() {
        for (unix, offset, bytes) in [
            (0, Some(3607), &b"\x02\0\0\0\x0ew\x91\xf7\0\0\0\0\0\0\x3c\x07"[..]),
            (0, Some(-3607), b"\x02\0\0\0\x0ew\x91\xf7\0\0\0\0\0\xff\xc4\xf9"),
            (0, Some(-1), b"\x02\0\0\0\x0ew\x91\xf7\0\0\0\0\0\0\0\xff"),
            (0, Some(3600), b"\x01\0\0\0\x0ew\x91\xf7\0\0\0\0\0\0\x3c"),
            (0, None, b"\x01\0\0\0\x0ew\x91\xf7\0\0\0\0\0\xff\xff"),
        ] {
            let time = Time::from_unix(unix, 0).and_then(|time| time.with_offset(offset)).unwrap();
            assert_eq!(time.to_bytes(), bytes, "{offset:?}");
            assert_eq!(Time::from_bytes(bytes), Ok(time));
        }
        assert_eq!(Time::from_unix(0, 0).unwrap().with_offset(Some(-60)), None);
        for bytes in [
            &b""[..],
            b"\x01",
            b"\x03\0\0\0\x0ew\x91\xf7\0\0\0\0\0\xff\xff",
            b"\x01\0\0\0\x0ew\x91\xf7\0\0\0\0\0\xff",
        ] {
            assert!(Time::from_bytes(bytes).is_err());
        }
        assert!(Time::from_bytes(b"\x01\0\0\0\x0ew\x91\xf7\0\xff\0\0\0\xff\xff").is_err());
    }

    #[test]
    fn texts_and_times() {
        for (text, unix) in [
            ("0001-01-01T00:00:00Z", -TO_UNIX),
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T23:59:59Z", 951_868_799),
            ("1900-03-01T00:00:00Z", -2_203_891_200),
            ("9999-12-31T23:59:59.999999999Z", 253_402_300_799),
            ("2024-02-29T12:30:45.123456-05:30", 1_709_229_645),
            ("+12345-06-07T00:00:00Z", 327_416_947_200),
            ("-0001-12-31T00:00:00Z", -62_167_305_600),
            ("1970-01-01T01:00:07+01:00:07", 0),
        ] {
            let time: Time = text.parse().unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!(time.unix_seconds(), unix, "{text}");
            assert_eq!(time.to_string(), text);
        }
        for text in [
            "",
            "2024",
            "2024-02-30T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "2024-13-01T00:00:00Z",
            "2024-01-01",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:00:00",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00+1",
            "24-01-01T00:00:00Z",
            "2024-01-01T00:00:00Zx",
            "2024-01-0€T00:00:00Z",
            "2024-01-01T00:0€:00Z",
        ] {
            assert!(text.parse::<Time>().is_err(), "{text}");
        }
    }

    #[test]
    fn days_are_dates_and_dates_are_days() {
        for number in (-1_000_000..1_000_000).step_by(37).chain(-400..400) {
            let (year, month, of_month) = date(number);
            assert_eq!(day(year, month, of_month), Some(number));
        }
        let extreme = Time { seconds: i64::MAX, nanoseconds: 0, offset: Some(1) };
        assert!(extreme.to_string().starts_with("+292277"));
        let extreme = Time { seconds: i64::MIN, nanoseconds: 0, offset: None };
        assert!(extreme.to_string().starts_with("-292277"));
    }

    #[test]
    fn times_of_the_system() {
        for nanos in [0, 1, 999_999_999] {
            for seconds in [0_i64, 1, -1, 1_709_229_645] {
                let time = Time::from_unix(seconds, nanos).unwrap();
                assert_eq!(Time::from(SystemTime::try_from(time).unwrap()), time);
            }
        }
    }
}
