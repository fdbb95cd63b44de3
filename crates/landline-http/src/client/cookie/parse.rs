//! `Set-Cookie`, as servers write it (RFC 6265 section 5.2). Pure.

use std::time::{Duration, SystemTime};

use super::date;

/// The longest name and value together, in bytes.
const LONGEST: usize = 4096;
/// The longest value of an attribute; longer ones are as if not there.
const LONGEST_ATTRIBUTE: usize = 1024;
/// The longest that a cookie is kept (rfc6265bis section 5.5).
const LONGEST_LIFE: Duration = Duration::from_secs(400 * 86_400);

/// What a server wants to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SetCookie {
    pub(super) name: Vec<u8>,
    pub(super) value: Vec<u8>,
    /// In lower case, without a dot in front.
    pub(super) domain: Option<String>,
    pub(super) path: Option<String>,
    /// `None` until the client ends.
    pub(super) expires: Option<SystemTime>,
    pub(super) is_secure: bool,
}

impl SetCookie {
    /// Reads one header; `None` for what is no cookie, or too long for one.
    pub(crate) fn parse(header: &[u8], now: SystemTime) -> Option<SetCookie> {
        if header.iter().any(|&byte| (byte < 0x20 && byte != b'\t') || byte == 0x7f) {
            return None;
        }
        let mut parts = header.split(|&byte| byte == b';');
        let (name, value) =
            pair(parts.next()?).unwrap_or((b"", header.split(|&byte| byte == b';').next()?.trim_ascii()));
        if (name.is_empty() && value.is_empty()) || name.len() + value.len() > LONGEST {
            return None;
        }
        let mut cookie = SetCookie {
            name: name.to_vec(),
            value: value.to_vec(),
            domain: None,
            path: None,
            expires: None,
            is_secure: false,
        };
        let mut max_age = None;
        for part in parts {
            let (name, value) = pair(part).unwrap_or((part.trim_ascii(), b""));
            if value.len() > LONGEST_ATTRIBUTE {
                continue;
            }
            let text = || String::from_utf8(value.to_vec()).ok();
            match name.to_ascii_lowercase().as_slice() {
                b"expires" => cookie.expires = date::parse(value).or(cookie.expires),
                b"max-age" => max_age = seconds(value).or(max_age),
                b"domain" => {
                    let domain = text()?.to_ascii_lowercase();
                    cookie.domain = Some(domain.strip_prefix('.').unwrap_or(&domain).to_owned())
                        .filter(|domain| !domain.is_empty());
                }
                b"path" => cookie.path = text().filter(|path| path.starts_with('/')),
                b"secure" => cookie.is_secure = true,
                _ => {}
            }
        }
        let longest = now + LONGEST_LIFE;
        cookie.expires = match max_age {
            Some(age) => Some(now.checked_add(age).map_or(longest, |at| at.min(longest))),
            None => cookie.expires.map(|at| at.min(longest)),
        };
        Some(cookie)
    }
}

fn pair(part: &[u8]) -> Option<(&[u8], &[u8])> {
    let equals = part.iter().position(|&byte| byte == b'=')?;
    Some((part[..equals].trim_ascii(), part[equals + 1..].trim_ascii()))
}

/// A number of seconds, 0 where it is negative.
fn seconds(text: &[u8]) -> Option<Duration> {
    let (is_negative, digits) = text.strip_prefix(b"-").map_or((false, text), |digits| (true, digits));
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    if is_negative {
        return Some(Duration::ZERO);
    }
    let seconds = std::str::from_utf8(digits).ok()?.parse().unwrap_or(u64::MAX);
    Some(Duration::from_secs(seconds.min(LONGEST_LIFE.as_secs())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_in_any_case_and_order() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let parse = |text: &str| SetCookie::parse(text.as_bytes(), now);
        let cookie =
            parse("a = b ; SECURE; domain=.Example.COM; path=/x; max-age=60; expires=garbage").unwrap();
        assert_eq!((cookie.name.as_slice(), cookie.value.as_slice()), (&b"a"[..], &b"b"[..]));
        assert_eq!((cookie.domain.as_deref(), cookie.path.as_deref()), (Some("example.com"), Some("/x")));
        assert!(cookie.is_secure);
        assert_eq!(cookie.expires, Some(now + Duration::from_secs(60)));
        assert_eq!(
            parse("a=b; max-age=-1; expires=Sun, 06 Nov 2094 08:49:37 GMT").unwrap().expires,
            Some(now)
        );
        assert_eq!(parse("a=b; max-age=99999999999999999999").unwrap().expires, Some(now + LONGEST_LIFE));
        assert_eq!(parse("a=b; Path=x; Path=; max-age=x").unwrap().path, None);
        let nameless = parse("value").unwrap();
        assert_eq!((nameless.name.as_slice(), nameless.value.as_slice()), (&b""[..], &b"value"[..]));
        assert_eq!(parse("a=b=c").unwrap().value, b"b=c");
        for refused in ["", " = ", "a=\x01", &format!("a={}", "x".repeat(LONGEST))] {
            assert_eq!(parse(refused), None, "{refused:?}");
        }
    }
}
