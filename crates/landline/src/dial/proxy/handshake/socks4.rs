//! SOCKS4 and its extension 4a, which lets the proxy resolve names.
//!
//! Both were only ever described in two notes: Ying-Da Lee, "SOCKS: A protocol for TCP proxy across firewalls", and
//! "SOCKS 4A: A Simple Extension to SOCKS 4 Protocol".

use std::io;
use std::net::IpAddr;

use super::{Ask, Endpoint, EndpointHost, Handshake, Next, Parts, Taken, malformed, unsupported};
use crate::error::{ProxyErrorKind, ProxyStep};

const CONNECT: u8 = 1;
const GRANTED: u8 = 90;
/// An address that cannot be dialed, which says that a name follows.
const NAME_FOLLOWS: [u8; 4] = [0, 0, 0, 1];
/// The user id has no length and no limit; proxies have buffers.
const LONGEST_USER: usize = 255;

/// A request and its one answer.
pub(crate) struct Socks4 {
    request: Vec<u8>,
    words: String,
    answer: Parts,
}

impl Socks4 {
    /// A name makes it 4a.
    pub(crate) fn new(target: &Endpoint, user: &[u8]) -> Result<Socks4, ProxyErrorKind> {
        target.check()?;
        if user.contains(&0) {
            return Err(unsupported("a NUL in the user name"));
        }
        if user.len() > LONGEST_USER {
            return Err(unsupported(format!("a user name of {} bytes", user.len())));
        }
        let mut request = vec![4, CONNECT];
        request.extend(target.port.to_be_bytes());
        match &target.host {
            EndpointHost::Ip(IpAddr::V4(ip)) => {
                request.extend(ip.octets());
                request.extend(user);
                request.push(0);
            }
            EndpointHost::Ip(IpAddr::V6(ip)) => {
                return Err(unsupported(format!("SOCKS4 has no IPv6 addresses such as {ip}")));
            }
            EndpointHost::Name(name) => {
                request.extend(NAME_FOLLOWS);
                request.extend(user);
                request.push(0);
                request.extend(name.as_bytes());
                request.push(0);
            }
        }
        Ok(Socks4 { request, words: format!("connect to {target}"), answer: Parts::default() })
    }
}

impl Handshake for Socks4 {
    fn begin(&mut self) -> Ask {
        let bytes = std::mem::take(&mut self.request);
        Ask { step: ProxyStep::Request, words: std::mem::take(&mut self.words), bytes }
    }

    fn receive(&mut self, bytes: &[u8]) -> Result<Taken, ProxyErrorKind> {
        let mut rest = bytes;
        // The version of the answer is 0, and 4 of some that did not read the note with care.
        if self.answer.fill(&mut rest, 1) && !matches!(self.answer.0[0], 0 | 4) {
            return Err(malformed(format!("an answer of version {} in place of 0", self.answer.0[0])));
        }
        if self.answer.fill(&mut rest, 2) && self.answer.0[1] != GRANTED {
            return Err(refused(self.answer.0[1]));
        }
        let next = if self.answer.fill(&mut rest, 8) { Next::Open("granted".to_owned()) } else { Next::More };
        Ok(Taken { used: bytes.len() - rest.len(), next })
    }
}

fn refused(code: u8) -> ProxyErrorKind {
    let (words, kind) = match code {
        91 => ("rejected or failed", io::ErrorKind::Other),
        92 => ("no identd to ask for the user", io::ErrorKind::PermissionDenied),
        93 => ("identd knows another user", io::ErrorKind::PermissionDenied),
        _ => ("of no known meaning", io::ErrorKind::Other),
    };
    ProxyErrorKind::Refused { code: code.into(), answer: format!("{words} (code {code})").into(), kind }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{outcome, to};
    use super::*;

    #[test]
    fn requests_as_the_notes_have_them() {
        for (target, user, request) in [
            ("192.0.2.1:80", &b"fred"[..], &b"\x04\x01\x00\x50\xc0\x00\x02\x01fred\0"[..]),
            ("example.com:443", b"", b"\x04\x01\x01\xbb\0\0\0\x01\0example.com\0"),
        ] {
            assert_eq!(Socks4::new(&to(target), user).unwrap().begin().bytes, request, "{target}");
        }
        for (target, user) in [("[::1]:80", &b""[..]), ("a:1", b"a\0b"), ("a:1", &[b'x'; 256])] {
            assert!(Socks4::new(&to(target), user).is_err(), "{target}");
        }
    }

    #[test]
    fn answers() {
        let answered = |answer: &[u8]| outcome(|| Socks4::new(&to("a:1"), b"").unwrap(), answer).1;
        let granted = |left: &[u8]| Ok(("granted".to_owned(), left.to_vec()));
        assert_eq!(answered(b"\0\x5a\0\0\0\0\0\0"), granted(b""));
        assert_eq!(answered(b"\x04\x5a\x01\x02\x03\x04\x05\x06first"), granted(b"first"));
        assert_eq!(answered(b"\0\x5a\0\0\0\0\0"), Err("more is wanted".to_owned()));
        // Some close after the code.
        assert_eq!(answered(b"\0\x5b"), Err("rejected or failed (code 91)".to_owned()));
        assert_eq!(answered(b"\0\x01"), Err("of no known meaning (code 1)".to_owned()));
        assert_eq!(
            answered(b"HTTP"),
            Err("malformed answer: an answer of version 72 in place of 0".to_owned())
        );
    }
}
