//! SOCKS5 (RFC 1928) with user name and password (RFC 1929).

use std::io;
use std::net::IpAddr;

use super::{Ask, Endpoint, EndpointHost, Handshake, Next, Parts, Taken, malformed, unsupported};
use crate::error::{ProxyErrorKind, ProxyStep};

const VERSION: u8 = 5;
const CONNECT: u8 = 1;
const NO_AUTHENTICATION: u8 = 0;
const USER_PASSWORD: u8 = 2;
const NONE_ACCEPTABLE: u8 = 0xff;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// The three questions, of which the second is only asked where the proxy wants it.
pub(crate) struct Socks5 {
    target: Endpoint,
    login: Option<(Vec<u8>, Vec<u8>)>,
    step: ProxyStep,
    answer: Parts,
}

impl Socks5 {
    /// `login` is a user name and a password, offered beside going without.
    pub(crate) fn new(target: Endpoint, login: Option<(Vec<u8>, Vec<u8>)>) -> Result<Socks5, ProxyErrorKind> {
        target.check()?;
        if let Some((user, password)) = &login {
            // RFC 1929 section 2: each has one byte of length.
            for (what, value) in [("user name", user), ("password", password)] {
                if value.len() > 255 {
                    return Err(unsupported(format!("a {what} of {} bytes", value.len())));
                }
            }
            if user.is_empty() {
                return Err(unsupported("an empty user name"));
            }
        }
        Ok(Socks5 { target, login, step: ProxyStep::Greeting, answer: Parts::default() })
    }

    /// Goes on to the next question.
    fn ask(&mut self, answer: &str, step: ProxyStep, words: String, bytes: Vec<u8>) -> Next {
        self.step = step;
        self.answer = Parts::default();
        Next::Ask(answer.to_owned(), Ask { step, words, bytes })
    }

    fn request(&mut self, answer: &str) -> Next {
        let mut request = vec![VERSION, CONNECT, 0];
        match &self.target.host {
            EndpointHost::Ip(IpAddr::V4(ip)) => {
                request.push(IPV4);
                request.extend(ip.octets());
            }
            EndpointHost::Ip(IpAddr::V6(ip)) => {
                request.push(IPV6);
                request.extend(ip.octets());
            }
            EndpointHost::Name(name) => {
                request.push(NAME);
                request.push(u8::try_from(name.len()).unwrap_or(u8::MAX)); // Checked in `new`.
                request.extend(name.as_bytes());
            }
        }
        request.extend(self.target.port.to_be_bytes());
        self.ask(answer, ProxyStep::Request, format!("connect to {}", self.target), request)
    }

    fn greeting(&mut self, rest: &mut &[u8]) -> Result<Next, ProxyErrorKind> {
        self.version(rest, VERSION)?;
        if !self.answer.fill(rest, 2) {
            return Ok(Next::More);
        }
        match (self.answer.0[1], &self.login) {
            (NO_AUTHENTICATION, _) => Ok(self.request("no authentication")),
            (USER_PASSWORD, Some((user, password))) => {
                let mut login = vec![1];
                for value in [user, password] {
                    login.push(u8::try_from(value.len()).unwrap_or(u8::MAX)); // Checked in `new`.
                    login.extend(value);
                }
                let words = format!("as {}", String::from_utf8_lossy(user));
                Ok(self.ask("user name and password", ProxyStep::Authentication, words, login))
            }
            (NONE_ACCEPTABLE, login) => {
                let offered = match login {
                    Some(_) => "with a password or without",
                    None => "without a password",
                };
                let answer = format!("it lets nobody in {offered}");
                Err(refused(NONE_ACCEPTABLE, answer, io::ErrorKind::PermissionDenied))
            }
            (method, _) => Err(malformed(format!("it chose method {method}, which was not offered"))),
        }
    }

    fn authentication(&mut self, rest: &mut &[u8]) -> Result<Next, ProxyErrorKind> {
        // RFC 1929 says 1; some repeat the version of SOCKS.
        if self.answer.fill(rest, 1) && !matches!(self.answer.0[0], 1 | VERSION) {
            return Err(malformed(format!("an answer of version {} in place of 1", self.answer.0[0])));
        }
        if !self.answer.fill(rest, 2) {
            return Ok(Next::More);
        }
        match self.answer.0[1] {
            0 => Ok(self.request("accepted")),
            status => {
                let answer = format!("user name or password refused (status {status})");
                Err(refused(status, answer, io::ErrorKind::PermissionDenied))
            }
        }
    }

    fn reply(&mut self, rest: &mut &[u8]) -> Result<Next, ProxyErrorKind> {
        self.version(rest, VERSION)?;
        // A refusal needs no more than its code, and some send no more.
        if self.answer.fill(rest, 2) && self.answer.0[1] != 0 {
            return Err(refused_request(self.answer.0[1]));
        }
        if !self.answer.fill(rest, 5) {
            return Ok(Next::More);
        }
        let address = match self.answer.0[3] {
            IPV4 => 4,
            IPV6 => 16,
            NAME => 1 + usize::from(self.answer.0[4]),
            kind => return Err(malformed(format!("an address of unknown type {kind}"))),
        };
        if self.answer.fill(rest, 4 + address + 2) {
            Ok(Next::Open("granted".to_owned()))
        } else {
            Ok(Next::More)
        }
    }

    fn version(&mut self, rest: &mut &[u8], expected: u8) -> Result<(), ProxyErrorKind> {
        if self.answer.fill(rest, 1) && self.answer.0[0] != expected {
            let version = self.answer.0[0];
            return Err(malformed(format!("an answer of version {version} in place of {expected}")));
        }
        Ok(())
    }
}

impl Handshake for Socks5 {
    fn begin(&mut self) -> Ask {
        let (words, bytes) = match self.login {
            Some(_) => ("with a password or without", vec![VERSION, 2, NO_AUTHENTICATION, USER_PASSWORD]),
            None => ("without a password", vec![VERSION, 1, NO_AUTHENTICATION]),
        };
        Ask { step: ProxyStep::Greeting, words: words.to_owned(), bytes }
    }

    fn receive(&mut self, bytes: &[u8]) -> Result<Taken, ProxyErrorKind> {
        let mut rest = bytes;
        let next = match self.step {
            ProxyStep::Greeting => self.greeting(&mut rest),
            ProxyStep::Authentication => self.authentication(&mut rest),
            _ => self.reply(&mut rest),
        }?;
        Ok(Taken { used: bytes.len() - rest.len(), next })
    }
}

fn refused(code: u8, answer: String, kind: io::ErrorKind) -> ProxyErrorKind {
    ProxyErrorKind::Refused { code: code.into(), answer: answer.into(), kind }
}

/// RFC 1928 section 6.
fn refused_request(code: u8) -> ProxyErrorKind {
    let (words, kind) = match code {
        1 => ("general failure", io::ErrorKind::Other),
        2 => ("not allowed by its rules", io::ErrorKind::PermissionDenied),
        3 => ("network unreachable", io::ErrorKind::NetworkUnreachable),
        4 => ("host unreachable", io::ErrorKind::HostUnreachable),
        5 => ("connection refused", io::ErrorKind::ConnectionRefused),
        6 => ("TTL expired", io::ErrorKind::HostUnreachable),
        7 => ("command not supported", io::ErrorKind::Unsupported),
        8 => ("address type not supported", io::ErrorKind::Unsupported),
        _ => ("of no known meaning", io::ErrorKind::Other),
    };
    refused(code, format!("{words} (reply {code})"), kind)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Conversation, outcome, to};
    use super::*;

    fn anonymous(target: &str, answers: &[u8]) -> Conversation {
        outcome(|| Socks5::new(to(target), None).unwrap(), answers)
    }

    fn with_login(answers: &[u8]) -> Conversation {
        outcome(|| Socks5::new(to("a:1"), Some((b"me".to_vec(), b"pw".to_vec()))).unwrap(), answers)
    }

    #[test]
    fn requests_by_address_and_by_name() {
        for (target, request) in [
            ("192.0.2.1:80", &b"\x05\x01\0\x01\xc0\0\x02\x01\0\x50"[..]),
            ("[2001:db8::1]:80", b"\x05\x01\0\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\0\x50"),
            ("example.com:443", b"\x05\x01\0\x03\x0bexample.com\x01\xbb"),
        ] {
            let (said, end) = anonymous(target, b"\x05\0\x05\0\0\x01\x7f\0\0\x01\x04\x38hello");
            assert_eq!(said, [b"\x05\x01\0", request].concat(), "{target}");
            assert_eq!(end, Ok(("granted".to_owned(), b"hello".to_vec())), "{target}");
        }
    }

    #[test]
    fn a_password_is_given_where_it_is_wanted() {
        let (said, end) = with_login(b"\x05\x02\x01\0\x05\0\0\x01\0\0\0\0\0\0");
        assert_eq!(said, b"\x05\x02\0\x02\x01\x02me\x02pw\x05\x01\0\x03\x01a\0\x01");
        assert_eq!(end, Ok(("granted".to_owned(), Vec::new())));
        let (said, end) = with_login(b"\x05\0\x05\0\0\x01\0\0\0\0\0\0");
        assert_eq!(said, b"\x05\x02\0\x02\x05\x01\0\x03\x01a\0\x01", "not where it is not");
        assert!(end.is_ok());
    }

    #[test]
    fn the_bound_address_may_be_of_any_kind() {
        for reply in [
            &b"\x05\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\x50"[..],
            b"\x05\0\0\x03\x04host\0\x50",
            b"\x05\0\0\x03\0\0\x50",
        ] {
            let answers = [b"\x05\0", reply, b"x"].concat();
            assert_eq!(anonymous("a:1", &answers).1, Ok(("granted".to_owned(), b"x".to_vec())));
            let short = &answers[..answers.len() - 2];
            assert_eq!(anonymous("a:1", short).1, Err("more is wanted".to_owned()));
        }
    }

    #[test]
    fn refusals_and_lies() {
        for (answers, words) in [
            (&b"\x05\xff"[..], "it lets nobody in without a password"),
            (b"\x05\x02", "malformed answer: it chose method 2, which was not offered"),
            (b"\x05\x01", "malformed answer: it chose method 1, which was not offered"),
            (b"HTTP/1.1 400", "malformed answer: an answer of version 72 in place of 5"),
            (b"\0\x5b", "malformed answer: an answer of version 0 in place of 5"),
            // Some send the code and close.
            (b"\x05\0\x05\x05", "connection refused (reply 5)"),
            (b"\x05\0\x05\x02\0\x01\0\0\0\0\0\0", "not allowed by its rules (reply 2)"),
            (b"\x05\0\x05\x63", "of no known meaning (reply 99)"),
            (b"\x05\0\x05\0\0\x02\0\0\0\0\0\0", "malformed answer: an address of unknown type 2"),
            (b"\x05\0\x04\0", "malformed answer: an answer of version 4 in place of 5"),
        ] {
            assert_eq!(anonymous("a:1", answers).1, Err(words.to_owned()), "{}", answers.escape_ascii());
        }
        for (answers, words) in [
            (&b"\x05\xff"[..], "it lets nobody in with a password or without"),
            (b"\x05\x02\x01\x01", "user name or password refused (status 1)"),
            (b"\x05\x02\x07\0", "malformed answer: an answer of version 7 in place of 1"),
        ] {
            assert_eq!(with_login(answers).1, Err(words.to_owned()), "{}", answers.escape_ascii());
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_before_anything_is_said() {
        let long = "x".repeat(256);
        assert!(Socks5::new(to(&format!("{long}:1")), None).is_err());
        for (user, password) in [(long.as_str(), ""), ("a", &long), ("", "pw")] {
            let login = (user.as_bytes().to_vec(), password.as_bytes().to_vec());
            assert!(Socks5::new(to("a:1"), Some(login)).is_err(), "{user} {password}");
        }
    }
}
