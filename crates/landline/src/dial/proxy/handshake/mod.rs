//! What is said to a proxy and what it answers, without a socket and without a clock: bytes in, actions out.
//!
//! A handshake takes no byte beyond its own end. What follows belongs to whoever the proxy connects to, who may be the
//! first to speak.

mod http;
mod socks4;
mod socks5;

use std::fmt;
use std::net::IpAddr;

use crate::addr::join_host_port;
use crate::error::{ProxyErrorKind, ProxyStep};

pub(crate) use http::Connect;
pub(crate) use socks4::Socks4;
pub(crate) use socks5::Socks5;

/// Where the proxy is to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) host: EndpointHost,
    pub(crate) port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EndpointHost {
    Ip(IpAddr),
    /// For the proxy to resolve.
    Name(String),
}

/// Something to say, and at which step.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) step: ProxyStep,
    /// In words, without secrets.
    pub(crate) words: String,
    pub(crate) bytes: Vec<u8>,
}

/// What a handshake made of the bytes it was shown.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// How many of them it took. The others are not its own, or to be shown again.
    pub(crate) used: usize,
    pub(crate) next: Next,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The answer is not complete.
    More,
    /// The answer, in words, and what to say to it.
    Ask(String, Ask),
    /// The answer, in words; the way is open.
    Open(String),
}

/// A handshake under way.
pub(crate) trait Handshake {
    /// What to say first.
    fn begin(&mut self) -> Ask;

    /// Takes what has arrived, which is at least one byte. Of an incomplete answer it takes everything.
    fn receive(&mut self, bytes: &[u8]) -> Result<Taken, ProxyErrorKind>;
}

impl Taken {
    fn more(used: usize) -> Taken {
        Taken { used, next: Next::More }
    }
}

impl Endpoint {
    /// Refuses what cannot stand in a request: only the characters of a host name are let through.
    pub(crate) fn check(&self) -> Result<(), ProxyErrorKind> {
        let EndpointHost::Name(name) = &self.host else { return Ok(()) };
        if name.len() > 255 {
            return Err(unsupported(format!("a name of {} bytes is longer than the 255 of DNS", name.len())));
        }
        match name.chars().find(|ch| !(ch.is_ascii_alphanumeric() || matches!(ch, '.' | '-' | '_'))) {
            None if name.is_empty() => Err(unsupported("an empty name")),
            None => Ok(()),
            Some(ch) => Err(unsupported(format!("{ch:?} in a name"))),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            EndpointHost::Ip(ip) => f.write_str(&join_host_port(&ip.to_string(), self.port)),
            EndpointHost::Name(name) => f.write_str(&join_host_port(name, self.port)),
        }
    }
}

fn unsupported(reason: impl Into<Box<str>>) -> ProxyErrorKind {
    ProxyErrorKind::Unsupported(reason.into())
}

fn malformed(reason: impl Into<Box<str>>) -> ProxyErrorKind {
    ProxyErrorKind::Malformed(reason.into())
}

/// An answer whose parts say how long they are: bytes are taken until there are as many as the part in hand needs, and
/// never more.
#[derive(Debug, Default)]
struct Parts(Vec<u8>);

impl Parts {
    /// Takes from `bytes`, moving it on, until there are `wanted`; whether there are now.
    fn fill(&mut self, bytes: &mut &[u8], wanted: usize) -> bool {
        let taken = wanted.saturating_sub(self.0.len()).min(bytes.len());
        self.0.extend_from_slice(&bytes[..taken]);
        *bytes = &bytes[taken..];
        self.0.len() >= wanted
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    pub(crate) fn to(address: &str) -> Endpoint {
        let (host, port) = crate::addr::split_host_port(address).unwrap();
        let host = host.parse().map_or_else(|_| EndpointHost::Name(host.to_owned()), EndpointHost::Ip);
        Endpoint { host, port: port.parse().unwrap() }
    }

    /// All that was said, and either the answer that opened the way with what was not taken, or why it failed.
    pub(crate) type Conversation = (Vec<u8>, Result<(String, Vec<u8>), String>);

    /// How a handshake ends that is given `answers` in pieces of at most `size` bytes.
    pub(crate) fn converse(handshake: &mut dyn Handshake, mut answers: &[u8], size: usize) -> Conversation {
        let mut said = handshake.begin().bytes;
        let mut shown = 0;
        loop {
            shown = (shown + size).min(answers.len());
            if shown == 0 {
                return (said, Err("more is wanted".to_owned()));
            }
            match handshake.receive(&answers[..shown]) {
                Err(error) => return (said, Err(error.to_string())),
                Ok(Taken { used, next }) => {
                    assert!(used <= shown);
                    assert!(next != Next::More || used == shown, "an incomplete answer is taken whole");
                    answers = &answers[used..];
                    shown -= used;
                    match next {
                        Next::More => {}
                        Next::Ask(_, ask) => said.extend(ask.bytes),
                        Next::Open(answer) => return (said, Ok((answer, answers.to_vec()))),
                    }
                }
            }
        }
    }

    /// The same whatever the pieces.
    pub(crate) fn outcome<H: Handshake>(make: impl Fn() -> H, answers: &[u8]) -> Conversation {
        let whole = converse(&mut make(), answers, usize::MAX / 2);
        for size in [1, 2, 3, 7] {
            assert_eq!(converse(&mut make(), answers, size), whole, "in pieces of {size}");
        }
        whole
    }
}
