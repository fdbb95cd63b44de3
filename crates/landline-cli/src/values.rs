//! The values that flags take, in words.

use std::fmt;
use std::net::Ipv6Addr;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use landline::Proxy;
use landline::resolve::NameServer;

use crate::failure::Failure;

/// A duration as people write it: `250ms`, `1.5s`, `2m`, `1m30s`, `1h`; 0 may stand without a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

/// `off`, or a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Switch {
    /// `off`.
    Off,
    /// After this long.
    After(Duration),
}

/// `IDLE,INTERVAL,COUNT`, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probes {
    /// `off`.
    Off,
    /// Probes after `idle`, every `interval`, giving up after `count`.
    Every {
        /// How long without data before the first.
        idle: Duration,
        /// How long between two.
        interval: Duration,
        /// How many may go unanswered.
        count: u32,
    },
}

/// A proxy, or the environment's choice.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    /// `env`.
    Environment,
    /// Its URL.
    Proxy(Proxy),
}

/// Why a value was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused(&'static str);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Refused {}

const DURATION: Refused = Refused("a duration is a number and a unit, such as 250ms, 1.5s or 2m");
const TOO_LONG: Refused = Refused("that is too long");
const PROBES: Refused = Refused(
    "keep-alive is off, or IDLE,INTERVAL,COUNT, such as 15s,15s,9; IDLE and INTERVAL up to 32767s, COUNT 1 to 127",
);
/// What the kernel takes (`MAX_TCP_KEEPIDLE`, `MAX_TCP_KEEPINTVL` and `MAX_TCP_KEEPCNT` in its net/tcp.h).
const LONGEST_PROBE: Duration = Duration::from_secs(32_767);
const MOST_PROBES: u32 = 127;

/// How long something may take: a duration, and not nothing. A number alone is in seconds, as curl and dig have it.
pub(crate) fn timeout(text: &str) -> Result<Span, Refused> {
    match in_seconds(text)? {
        Span(Duration::ZERO) => Err(Refused("a time limit is longer than 0")),
        span => Ok(span),
    }
}

/// How long something may take that is limited unless told otherwise: the same, and 0 for no limit, as curl has it.
pub(crate) fn limit(text: &str) -> Result<Span, Refused> {
    in_seconds(text)
}

/// A type in the syntax of Go, given by an option.
pub(crate) fn go_type(option: &str, text: &str) -> Result<landline_gob::Type, Failure> {
    text.parse().map_err(|error| Failure::Usage(format!("{option} {text}: {error}")))
}

/// A number of bytes, such as 500, 64k, 10M or 1G, in powers of 1024, and not none.
pub(crate) fn size(text: &str) -> Result<usize, Refused> {
    const SIZE: Refused = Refused("a number of bytes from 1, such as 500, 64k, 10M or 1G");
    let digits = text.trim_end_matches(|ch: char| ch.is_ascii_alphabetic());
    let shift = match &text[digits.len()..] {
        "" => 0,
        "k" | "K" => 10,
        "m" | "M" => 20,
        "g" | "G" => 30,
        _ => return Err(SIZE),
    };
    let number = Some(digits).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
    let number: usize =
        number.and_then(|digits| digits.parse().ok()).filter(|number| *number > 0).ok_or(SIZE)?;
    number.checked_mul(1 << shift).ok_or(TOO_LONG)
}

fn in_seconds(text: &str) -> Result<Span, Refused> {
    match text.bytes().next_back() {
        Some(last) if last.is_ascii_digit() => format!("{text}s").parse(),
        _ => text.parse(),
    }
}

/// How many, and not none.
pub(crate) fn count(text: &str) -> Result<NonZeroUsize, Refused> {
    text.parse().map_err(|_| Refused("a number from 1"))
}

/// A proxy's URL, or `env`. The error does without the URL, which may hold a password and is printed beside it anyway.
pub(crate) fn proxy(text: &str) -> Result<Way, String> {
    if text == "env" {
        return Ok(Way::Environment);
    }
    text.parse().map(Way::Proxy).map_err(|error: landline::ParseProxyError| error.reason().to_owned())
}

/// A command that is one.
pub(crate) fn command(text: &str) -> Result<String, Refused> {
    if text.trim().is_empty() { Err(Refused("an empty command")) } else { Ok(text.to_owned()) }
}

/// A name server; an IPv6 address that more likely was meant to have a port is refused.
pub(crate) fn name_server(text: &str) -> Result<NameServer, String> {
    if let Some(host) = text.strip_suffix(":53")
        && text.parse::<Ipv6Addr>().is_ok()
        && host.parse::<Ipv6Addr>().is_ok()
    {
        return Err(format!(
            "{text}: an IPv6 address with a port is written [{host}]:53, without one [{text}]"
        ));
    }
    text.parse().map_err(|error: landline::AddressError| error.to_string())
}

impl FromStr for Span {
    type Err = Refused;

    fn from_str(text: &str) -> Result<Span, Refused> {
        if text == "0" {
            return Ok(Span(Duration::ZERO));
        }
        let mut total = Duration::ZERO;
        let mut rest = text;
        if rest.is_empty() {
            return Err(DURATION);
        }
        while !rest.is_empty() {
            let unit = rest.find(|ch: char| !ch.is_ascii_digit() && ch != '.').ok_or(DURATION)?;
            let (number, tail) = rest.split_at(unit);
            let end = tail.find(|ch: char| ch.is_ascii_digit() || ch == '.').unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(end);
            total = total.checked_add(part(number, unit)?).ok_or(TOO_LONG)?;
            rest = tail;
        }
        Ok(Span(total))
    }
}

fn part(number: &str, unit: &str) -> Result<Duration, Refused> {
    let seconds = match unit {
        "ns" => 1e-9,
        "us" | "µs" | "μs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(DURATION),
    };
    // `f64` reads more than digits and a point (`inf`, `1e9`), but the caller lets no other character through.
    let number: f64 = number.parse().map_err(|_| DURATION)?;
    Duration::try_from_secs_f64(number * seconds).map_err(|_| TOO_LONG)
}

impl FromStr for Switch {
    type Err = Refused;

    fn from_str(text: &str) -> Result<Switch, Refused> {
        match text {
            "off" => Ok(Switch::Off),
            text => text
                .parse()
                .map(|Span(delay)| Switch::After(delay))
                .map_err(|_| Refused("neither off nor a duration such as 250ms")),
        }
    }
}

impl FromStr for Probes {
    type Err = Refused;

    fn from_str(text: &str) -> Result<Probes, Refused> {
        if text == "off" {
            return Ok(Probes::Off);
        }
        let mut parts = text.split(',');
        let (Some(idle), Some(interval), Some(count), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(PROBES);
        };
        // tcp(7) counts them in seconds.
        let (Span(idle), Span(interval)) = (in_seconds(idle)?, in_seconds(interval)?);
        let count = count.parse().map_err(|_| PROBES)?;
        let fits = |time: Duration| !time.is_zero() && time <= LONGEST_PROBE;
        if !(fits(idle) && fits(interval) && (1..=MOST_PROBES).contains(&count)) {
            return Err(PROBES);
        }
        Ok(Probes::Every { idle, interval, count })
    }
}

/// A number of bytes: three digits that matter, in powers of 1000.
pub(crate) fn bytes(number: f64) -> String {
    let mut number = number;
    for unit in ["B", "kB", "MB", "GB", "TB"] {
        if number < 1000.0 || unit == "TB" {
            let decimals = if unit == "B" || number >= 100.0 { 0 } else { 1 };
            return format!("{number:.decimals$} {unit}");
        }
        number /= 1000.0;
    }
    unreachable!("the last unit takes all")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_people_write_them() {
        for (text, expected) in [
            ("250ms", Duration::from_millis(250)),
            ("1.5s", Duration::from_millis(1500)),
            ("2m", Duration::from_secs(120)),
            ("1h", Duration::from_secs(3600)),
            ("1m30s", Duration::from_secs(90)),
            (".5s", Duration::from_millis(500)),
            ("10us", Duration::from_micros(10)),
            ("0", Duration::ZERO),
            ("0s", Duration::ZERO),
        ] {
            assert_eq!(text.parse(), Ok(Span(expected)), "{text}");
        }
        for text in ["", "5", "s", "-1s", "1 s", "1.2.3s", "1d", "1e3s", "infs", "1s2", "５s"] {
            assert_eq!(text.parse::<Span>(), Err(DURATION), "{text}");
        }
        assert_eq!("99999999999999999999999h".parse::<Span>(), Err(TOO_LONG));
        assert_eq!("5000000000000000h5000000000000000h".parse::<Span>(), Err(TOO_LONG));
    }

    #[test]
    fn sizes_are_in_powers_of_1024() {
        for (text, bytes) in [("1", 1), ("500", 500), ("64k", 65_536), ("10M", 10 << 20), ("1G", 1 << 30)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in
            ["", "0", "0k", "-1", "+1", "1.5M", "M", "1T", "1kB", "99999999999999999999", "9999999999999G"]
        {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_limit_of_0_is_none() {
        assert_eq!(limit("0"), Ok(Span(Duration::ZERO)));
        assert_eq!(limit("0s"), Ok(Span(Duration::ZERO)));
        assert_eq!(limit("2"), Ok(Span(Duration::from_secs(2))));
        assert!(limit("-1").is_err());
    }

    #[test]
    fn timeouts_without_a_unit_are_in_seconds() {
        for (text, seconds) in [("5", 5.0), ("0.3", 0.3), ("2m", 120.0), ("1m30", 90.0)] {
            assert_eq!(timeout(text), Ok(Span(Duration::from_secs_f64(seconds))), "{text}");
        }
        for text in ["", "-5", "+5", "1e3", "5 ", "x", "0", "0s"] {
            assert!(timeout(text).is_err(), "{text}");
        }
    }

    #[test]
    fn switches_and_probes() {
        assert_eq!("off".parse(), Ok(Switch::Off));
        assert_eq!("250ms".parse(), Ok(Switch::After(Duration::from_millis(250))));
        assert!("on".parse::<Switch>().is_err());
        assert!("250".parse::<Switch>().is_err(), "of seconds or milliseconds");
        assert_eq!("off".parse(), Ok(Probes::Off));
        let seconds = Duration::from_secs;
        assert_eq!(
            "15s,1m,9".parse(),
            Ok(Probes::Every { idle: seconds(15), interval: seconds(60), count: 9 })
        );
        assert_eq!("15,60,9".parse::<Probes>(), "15s,1m,9".parse());
        for text in [
            "",
            "15s",
            "15s,15s",
            "15s,15s,9,9",
            "15s,15s,-1",
            "on",
            "0s,1s,1",
            "1s,32768s,1",
            "1s,1s,128",
            "1s,1s,0",
        ] {
            assert!(text.parse::<Probes>().is_err(), "{text}");
        }
    }
}
