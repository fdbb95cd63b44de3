//! Cookies as a text, in the format that Netscape's browser had, and curl and wget have. Pure.

use std::fmt;
use std::time::{Duration, SystemTime};

use super::jar::{Cookie, Jar};

/// The longest line, in bytes; cookies are shorter.
const LONGEST_LINE: usize = 16 * 1024;
/// What marks a cookie as none of a script's business; other lines that begin with a `#` are remarks.
const HTTP_ONLY: &[u8] = b"#HttpOnly_";

/// Why a text holds no cookies; prints as `line 3: REASON`, without what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieFileError {
    line: usize,
    reason: &'static str,
}

impl CookieFileError {
    /// The line, counted from 1.
    pub fn line(&self) -> usize {
        self.line
    }
}

impl fmt::Display for CookieFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

impl std::error::Error for CookieFileError {}

/// Reads a text. Cookies that are over, and those for a public suffix, are passed by.
pub(super) fn read(text: &[u8], now: SystemTime) -> Result<Jar, CookieFileError> {
    let mut jar = Jar::default();
    for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = match line.strip_prefix(HTTP_ONLY) {
            Some(cookie) => cookie,
            None if line.is_empty() || line.starts_with(b"#") => continue,
            None => line,
        };
        let cookie = cookie(line).map_err(|reason| CookieFileError { line: index + 1, reason })?;
        jar.keep(cookie, now);
    }
    Ok(jar)
}

fn cookie(line: &[u8]) -> Result<Cookie, &'static str> {
    if line.len() > LONGEST_LINE {
        return Err("too long for a cookie");
    }
    let mut fields = line.split(|&byte| byte == b'\t');
    let mut next = || fields.next().ok_or("a cookie has seven fields with tabs between");
    let (domain, whole_domain, path, secure, expires, name) =
        (next()?, next()?, next()?, next()?, next()?, next()?);
    // Some leave an empty value out with its tab.
    let value = fields.next().unwrap_or_default();
    if fields.next().is_some() {
        return Err("a cookie has seven fields, not more");
    }
    let text = |field: &[u8]| String::from_utf8(field.to_vec()).map_err(|_| "not UTF-8");
    let domain = text(domain)?.to_ascii_lowercase();
    let domain = domain.strip_prefix('.').unwrap_or(&domain).to_owned();
    let path = text(path)?;
    let is_plain = |field: &[u8]| field.iter().all(|&byte| byte >= b' ' && byte != 0x7f && byte != b';');
    if domain.is_empty() || domain.contains(' ') || !is_plain(domain.as_bytes()) {
        return Err("the domain is none");
    }
    if !path.starts_with('/') || !is_plain(path.as_bytes()) {
        return Err("the path is none");
    }
    if (name.is_empty() && value.is_empty()) || !is_plain(name) || !is_plain(value) || name.contains(&b'=') {
        return Err("the name or the value is none");
    }
    let expires = match text(expires)?.parse::<u64>().map_err(|_| "the time it ends is none")? {
        // With the session, of which whoever keeps it in a file says when it ends.
        0 => None,
        seconds => Some(
            SystemTime::UNIX_EPOCH
                .checked_add(Duration::from_secs(seconds))
                .ok_or("the time it ends is too far away")?,
        ),
    };
    Ok(Cookie {
        name: name.to_vec(),
        value: value.to_vec(),
        domain,
        is_host_only: !truth(whole_domain)?,
        path,
        expires,
        is_secure: truth(secure)?,
        used: 0,
    })
}

fn truth(field: &[u8]) -> Result<bool, &'static str> {
    match field {
        b"TRUE" => Ok(true),
        b"FALSE" => Ok(false),
        _ => Err("neither TRUE nor FALSE"),
    }
}

/// Writes all that is not over. A cookie with a tab in it has no place in the format, and is left out.
pub(super) fn write(jar: &Jar, now: SystemTime) -> Vec<u8> {
    let mut text = b"# Netscape HTTP Cookie File\n# Of each cookie: domain, whether its hosts too, path, whether TLS only, end, name, value\n\n".to_vec();
    for cookie in jar.cookies() {
        let is_over = cookie.expires.is_some_and(|expires| expires <= now);
        if is_over
            || cookie.name.contains(&b'\t')
            || cookie.value.contains(&b'\t')
            || cookie.path.contains('\t')
        {
            continue;
        }
        let dot = if cookie.is_host_only { "" } else { "." };
        let truth = |it: bool| if it { "TRUE" } else { "FALSE" };
        let expires = cookie.expires.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
        let expires = expires.map_or(0, |since| since.as_secs().max(1));
        let (domain, path) = (&cookie.domain, &cookie.path);
        let (whole, secure) = (truth(!cookie.is_host_only), truth(cookie.is_secure));
        text.extend_from_slice(format!("{dot}{domain}\t{whole}\t{path}\t{secure}\t{expires}\t").as_bytes());
        text.extend_from_slice(&cookie.name);
        text.push(b'\t');
        text.extend_from_slice(&cookie.value);
        text.push(b'\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)
    }

    fn again(text: &str) -> Result<String, String> {
        let jar = read(text.as_bytes(), now()).map_err(|error| error.to_string())?;
        let written = String::from_utf8(write(&jar, now())).unwrap();
        // What was written is read as the same.
        let twice = String::from_utf8(write(&read(written.as_bytes(), now()).unwrap(), now())).unwrap();
        assert_eq!(twice, written);
        Ok(written
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
            .collect::<Vec<_>>()
            .join("|"))
    }

    #[test]
    fn texts_and_the_cookies_in_them() {
        for (text, expected) in [
            ("", Ok("")),
            ("# a remark\r\n\r\n", Ok("")),
            ("a.example\tFALSE\t/\tFALSE\t0\tn\tv", Ok("a.example\tFALSE\t/\tFALSE\t0\tn\tv")),
            (
                "#HttpOnly_.Example.COM\tTRUE\t/x\tTRUE\t1000000001\tn\tv=w\r\n",
                Ok(".example.com\tTRUE\t/x\tTRUE\t1000000001\tn\tv=w"),
            ),
            ("a\tFALSE\t/\tFALSE\t0\tn\n", Ok("a\tFALSE\t/\tFALSE\t0\tn\t")),
            // The later of the same, none that is over, none for everybody.
            ("a\tFALSE\t/\tFALSE\t0\tn\t1\na\tFALSE\t/\tFALSE\t0\tn\t2\n", Ok("a\tFALSE\t/\tFALSE\t0\tn\t2")),
            ("a\tFALSE\t/\tFALSE\t1000000000\tn\tv\n", Ok("")),
            (".co.uk\tTRUE\t/\tFALSE\t0\tn\tv\n", Ok("")),
            ("\n#\nsecret", Err("line 3: a cookie has seven fields with tabs between")),
            ("a\tFALSE\t/\tFALSE\t0\tn\tv\tw", Err("line 1: a cookie has seven fields, not more")),
            ("a\tfalse\t/\tFALSE\t0\tn\tv", Err("line 1: neither TRUE nor FALSE")),
            ("a\tFALSE\tx\tFALSE\t0\tn\tv", Err("line 1: the path is none")),
            ("\tFALSE\t/\tFALSE\t0\tn\tv", Err("line 1: the domain is none")),
            ("a\tFALSE\t/\tFALSE\t-1\tn\tv", Err("line 1: the time it ends is none")),
            ("a\tFALSE\t/\tFALSE\t0\tn\tv; w", Err("line 1: the name or the value is none")),
        ] {
            assert_eq!(again(text), expected.map(str::to_owned).map_err(str::to_owned), "{text:?}");
        }
        let long = format!("a\tFALSE\t/\tFALSE\t0\tn\t{}", "v".repeat(LONGEST_LINE));
        assert_eq!(again(&long), Err("line 1: too long for a cookie".to_owned()));
    }
}
