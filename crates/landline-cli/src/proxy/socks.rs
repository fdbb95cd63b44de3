//! The server's side of SOCKS5 (RFC 1928, RFC 1929): bytes in, actions out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::logins::Logins;

/// What a client wants of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Connect,
    UdpAssociate,
}

/// A host as a client names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Ip(IpAddr),
    Name(String),
}

/// What the client's bytes lead to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    More,
    /// Say this and hear more.
    Say(Vec<u8>),
    Request {
        command: Command,
        host: Host,
        port: u16,
    },
    /// Say this and end; in words, why.
    Refuse(Vec<u8>, &'static str),
}

/// Codes of RFC 1928 section 6.
pub(crate) const GRANTED: u8 = 0;
pub(crate) const FAILURE: u8 = 1;
pub(crate) const NOT_ALLOWED: u8 = 2;
pub(crate) const NETWORK_UNREACHABLE: u8 = 3;
pub(crate) const HOST_UNREACHABLE: u8 = 4;
pub(crate) const REFUSED: u8 = 5;
const COMMAND_NOT_SUPPORTED: u8 = 7;
const ADDRESS_NOT_SUPPORTED: u8 = 8;

#[derive(Clone, Copy, Debug)]
enum Stage {
    Greeting,
    Login,
    Request,
}

/// A client's conversation up to its request.
pub(crate) struct Socks<'a> {
    logins: &'a Logins,
    stage: Stage,
    heard: Vec<u8>,
}

impl<'a> Socks<'a> {
    pub(crate) fn new(logins: &'a Logins) -> Socks<'a> {
        Socks { logins, stage: Stage::Greeting, heard: Vec::new() }
    }

    /// Takes from `bytes` what belongs to the message in hand and no more: how many that were, and what they lead to.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> (usize, Next) {
        let mut rest = bytes;
        let next = match self.stage {
            Stage::Greeting => self.greeting(&mut rest),
            Stage::Login => self.login(&mut rest),
            Stage::Request => self.request(&mut rest),
        };
        if next != Next::More {
            self.heard.clear();
        }
        (bytes.len() - rest.len(), next)
    }

    /// Takes until so many have been heard; whether they have.
    fn fill(&mut self, rest: &mut &[u8], wanted: usize) -> bool {
        let taken = wanted.saturating_sub(self.heard.len()).min(rest.len());
        self.heard.extend_from_slice(&rest[..taken]);
        *rest = &rest[taken..];
        self.heard.len() >= wanted
    }

    fn greeting(&mut self, rest: &mut &[u8]) -> Next {
        if !self.fill(rest, 2) {
            return Next::More;
        }
        let methods = usize::from(self.heard[1]);
        if self.heard[0] != 5 {
            return Next::Refuse(Vec::new(), "not SOCKS5");
        }
        if !self.fill(rest, 2 + methods) {
            return Next::More;
        }
        let (method, stage) = if self.logins.is_open() { (0, Stage::Request) } else { (2, Stage::Login) };
        if !self.heard[2..].contains(&method) {
            return Next::Refuse(vec![5, 0xff], "no way to authenticate in common");
        }
        self.stage = stage;
        Next::Say(vec![5, method])
    }

    fn login(&mut self, rest: &mut &[u8]) -> Next {
        if !self.fill(rest, 2) {
            return Next::More;
        }
        if self.heard[0] != 1 {
            return Next::Refuse(Vec::new(), "not RFC 1929");
        }
        let user = 2 + usize::from(self.heard[1]);
        if !self.fill(rest, user + 1) {
            return Next::More;
        }
        let password = user + 1 + usize::from(self.heard[user]);
        if !self.fill(rest, password) {
            return Next::More;
        }
        if !self.logins.admit(&self.heard[2..user], &self.heard[user + 1..password]) {
            return Next::Refuse(vec![1, 1], "unknown user or wrong password");
        }
        self.stage = Stage::Request;
        Next::Say(vec![1, 0])
    }

    fn request(&mut self, rest: &mut &[u8]) -> Next {
        // The fifth byte says how long a name is, and belongs to every address.
        if !self.fill(rest, 5) {
            return Next::More;
        }
        if self.heard[0] != 5 {
            return Next::Refuse(Vec::new(), "not SOCKS5");
        }
        let Some(length) = address_length(self.heard[3], self.heard[4]) else {
            return Next::Refuse(reply(ADDRESS_NOT_SUPPORTED, None), "an address of unknown type");
        };
        if !self.fill(rest, 4 + length) {
            return Next::More;
        }
        let Some((host, port, _)) = read_address(&self.heard[3..]) else {
            return Next::Refuse(reply(FAILURE, None), "a name that is none");
        };
        let command = match self.heard[1] {
            1 => Command::Connect,
            3 => Command::UdpAssociate,
            _ => {
                return Next::Refuse(
                    reply(COMMAND_NOT_SUPPORTED, None),
                    "a command other than CONNECT and UDP ASSOCIATE",
                );
            }
        };
        Next::Request { command, host, port }
    }
}

/// How many bytes an address and its port are long, without its type.
fn address_length(kind: u8, first: u8) -> Option<usize> {
    match kind {
        1 => Some(4 + 2),
        3 => Some(1 + usize::from(first) + 2),
        4 => Some(16 + 2),
        _ => None,
    }
}

/// An address with its type in front, its port, and how many bytes they took; `None` if it is not whole or no address.
pub(crate) fn read_address(bytes: &[u8]) -> Option<(Host, u16, usize)> {
    let (&kind, rest) = bytes.split_first()?;
    let length = address_length(kind, *rest.first()?)?;
    let (address, port) = rest.get(..length)?.split_at(length - 2);
    let host = match kind {
        1 => Host::Ip(Ipv4Addr::from(<[u8; 4]>::try_from(address).ok()?).into()),
        4 => Host::Ip(IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(address).ok()?)).to_canonical()),
        _ => host_of(&address[1..])?,
    };
    Some((host, u16::from_be_bytes(port.try_into().ok()?), 1 + length))
}

/// Clients put addresses into names, too.
fn host_of(name: &[u8]) -> Option<Host> {
    let name = std::str::from_utf8(name).ok()?;
    if name.is_empty() || name.chars().any(|ch| ch.is_control() || ch.is_whitespace()) {
        return None;
    }
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    Some(bare.parse().map_or_else(|_| Host::Name(name.to_owned()), Host::Ip))
}

/// An address with its type in front, and its port.
pub(crate) fn write_address(out: &mut Vec<u8>, address: SocketAddr) {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => {
            out.push(1);
            out.extend(ip.octets());
        }
        IpAddr::V6(ip) => {
            out.push(4);
            out.extend(ip.octets());
        }
    }
    out.extend(address.port().to_be_bytes());
}

/// The answer to a request, with the address that was bound for it.
pub(crate) fn reply(code: u8, bound: Option<SocketAddr>) -> Vec<u8> {
    let mut reply = vec![5, code, 0];
    write_address(&mut reply, bound.unwrap_or_else(|| (Ipv4Addr::UNSPECIFIED, 0).into()));
    reply
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All that is said, and how it ends, whatever the pieces it comes in.
    fn converse(logins: &Logins, bytes: &[u8]) -> (Vec<u8>, Next, usize) {
        let by = |size: usize| {
            let mut socks = Socks::new(logins);
            let (mut said, mut at, mut shown) = (Vec::new(), 0, 0);
            loop {
                shown = bytes.len().min(shown.max(at) + size);
                let (used, next) = socks.take(&bytes[at..shown]);
                at += used;
                match next {
                    Next::More if shown == bytes.len() => return (said, Next::More, bytes.len() - at),
                    Next::More => {}
                    Next::Say(bytes) => said.extend(bytes),
                    end => return (said, end, bytes.len() - at),
                }
            }
        };
        let whole = by(usize::MAX / 2);
        for size in [1, 3] {
            assert_eq!(by(size), whole, "in pieces of {size}");
        }
        whole
    }

    fn request(command: Command, host: Host, port: u16) -> Next {
        Next::Request { command, host, port }
    }

    #[test]
    fn requests_and_what_follows_them() {
        let open = Logins::default();
        let name = Host::Name("example.com".to_owned());
        for (bytes, next) in [
            (
                &b"\x05\x01\0\x05\x01\0\x03\x0bexample.com\x01\xbbhello"[..],
                request(Command::Connect, name, 443),
            ),
            (
                b"\x05\x02\x02\0\x05\x01\0\x01\xc0\0\x02\x01\0\x50hello",
                request(Command::Connect, Host::Ip("192.0.2.1".parse().unwrap()), 80),
            ),
            (
                b"\x05\x01\0\x05\x03\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0hello",
                request(Command::UdpAssociate, Host::Ip("::1".parse().unwrap()), 0),
            ),
            (
                b"\x05\x01\0\x05\x01\0\x03\x09127.0.0.1\0\x50hello",
                request(Command::Connect, Host::Ip("127.0.0.1".parse().unwrap()), 80),
            ),
            (
                b"\x05\x01\0\x05\x01\0\x04\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\x01\0\x50hello",
                request(Command::Connect, Host::Ip("127.0.0.1".parse().unwrap()), 80),
            ),
        ] {
            let (said, end, left) = converse(&open, bytes);
            assert_eq!((said.as_slice(), end, left), (&b"\x05\0"[..], next, 5), "{}", bytes.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn no_client_breaks_it_whatever_the_pieces(
            mut bytes in any::<Vec<u8>>(),
            beginning in prop::sample::select(vec![
                &b""[..],
                b"\x05\x01\0",
                b"\x05\x01\0\x05\x01\0\x03",
                b"\x05\x01\x02\x01\x02me\x02pw",
            ]),
            known in any::<bool>(),
        ) {
            let mut logins = Logins::default();
            if known {
                logins.add("me:pw").unwrap();
            }
            bytes.splice(0..0, beginning.iter().copied());
            converse(&logins, &bytes);
        }
    }

    #[test]
    fn refusals() {
        let open = Logins::default();
        let mut known = Logins::default();
        known.add("me:pw").unwrap();
        for (logins, bytes, said, last) in [
            (&open, &b"\x05\x01\x02"[..], &b""[..], &b"\x05\xff"[..]),
            (&open, b"\x05\0", b"", b"\x05\xff"),
            (&open, b"\x04\x01", b"", b""),
            (&known, b"\x05\x01\0", b"", b"\x05\xff"),
            (&known, b"\x05\x02\0\x02\x01\x02me\x02px", b"\x05\x02", b"\x01\x01"),
            (&known, b"\x05\x01\x02\x05", b"\x05\x02", b""),
            (&open, b"\x05\x01\0\x05\x02\0\x01\0\0\0\0\0\0", b"\x05\0", b"\x05\x07\0\x01\0\0\0\0\0\0"),
            (&open, b"\x05\x01\0\x05\x01\0\x02\0\0\0\0\0\0", b"\x05\0", b"\x05\x08\0\x01\0\0\0\0\0\0"),
            (&open, b"\x05\x01\0\x05\x01\0\x03\0\0\x50", b"\x05\0", b"\x05\x01\0\x01\0\0\0\0\0\0"),
            (&open, b"\x05\x01\0\x05\x01\0\x03\x03a\nb\0\x50", b"\x05\0", b"\x05\x01\0\x01\0\0\0\0\0\0"),
        ] {
            let (heard, end, _) = converse(logins, bytes);
            assert_eq!(heard, said, "{}", bytes.escape_ascii());
            match end {
                Next::Refuse(bytes, _) => assert_eq!(bytes, last),
                // One byte of a login is not enough to tell.
                Next::More => assert_eq!(bytes, b"\x05\x01\x02\x05"),
                other => panic!("{other:?}"),
            }
        }
        let (said, end, _) =
            converse(&known, b"\x05\x01\x02\x01\x02me\x02pw\x05\x01\0\x01\x7f\0\0\x01\0\x50");
        assert_eq!(said, b"\x05\x02\x01\0");
        assert!(matches!(end, Next::Request { .. }));
    }
}
