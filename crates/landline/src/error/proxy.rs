//! Why the way through a proxy failed.

use std::fmt;
use std::io;

use super::Cause;

/// What went wrong at a proxy; prints as `proxy PROXY: STEP: REASON`.
#[derive(Clone, Debug)]
pub struct ProxyError(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    proxy: Box<str>,
    step: ProxyStep,
    kind: ProxyErrorKind,
}

/// How far the way through a proxy had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyStep {
    /// Connecting to the proxy, the lookup of its name included.
    Dial,
    /// The TLS handshake with the proxy.
    Tls,
    /// SOCKS5: agreeing on a way to authenticate (RFC 1928 section 3).
    Greeting,
    /// SOCKS5: the user name and the password (RFC 1929).
    Authentication,
    /// The request for the target: `CONNECT`.
    Request,
}

/// What a proxy failed of.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ProxyErrorKind {
    /// The conn to it could not be made, or broke, or the budget ended.
    Failed(Box<Cause>),
    /// It said no.
    Refused {
        /// Its answer as a number: the status of an HTTP proxy, the reply code of SOCKS.
        code: u16,
        /// Its answer in words.
        answer: Box<str>,
        /// The nearest kind of `io::Error`, such as `ConnectionRefused` where SOCKS5 reports that of the target.
        kind: io::ErrorKind,
    },
    /// Its answer is none that its protocol knows, or too long.
    Malformed(Box<str>),
    /// What was asked for cannot be said in its protocol, or not by this build.
    Unsupported(Box<str>),
}

impl ProxyError {
    pub(crate) fn new(proxy: impl Into<Box<str>>, step: ProxyStep, kind: ProxyErrorKind) -> ProxyError {
        ProxyError(Box::new(Inner { proxy: proxy.into(), step, kind }))
    }

    /// The proxy as a URL, without its password.
    pub fn proxy(&self) -> &str {
        &self.0.proxy
    }

    /// How far it had come.
    pub fn step(&self) -> ProxyStep {
        self.0.step
    }

    /// What it failed of.
    pub fn kind(&self) -> &ProxyErrorKind {
        &self.0.kind
    }

    /// The cause of a conn that failed.
    pub(super) fn cause(&self) -> Option<&Cause> {
        match &self.0.kind {
            ProxyErrorKind::Failed(cause) => Some(cause),
            _ => None,
        }
    }

    pub(super) fn io_kind(&self) -> io::ErrorKind {
        match &self.0.kind {
            ProxyErrorKind::Failed(_) => io::ErrorKind::Other,
            ProxyErrorKind::Refused { kind, .. } => *kind,
            ProxyErrorKind::Malformed(_) => io::ErrorKind::InvalidData,
            ProxyErrorKind::Unsupported(_) => io::ErrorKind::Unsupported,
        }
    }
}

impl ProxyStep {
    /// Its name in one word: `dial`, `tls`, `greeting`, `auth`, `request`.
    pub fn as_str(self) -> &'static str {
        match self {
            ProxyStep::Dial => "dial",
            ProxyStep::Tls => "tls",
            ProxyStep::Greeting => "greeting",
            ProxyStep::Authentication => "auth",
            ProxyStep::Request => "request",
        }
    }
}

impl fmt::Display for ProxyStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "proxy {}: ", self.0.proxy)?;
        // The cause of a failed dial begins with the system call or the lookup.
        if self.0.step != ProxyStep::Dial {
            write!(f, "{}: ", self.0.step)?;
        }
        self.0.kind.fmt(f)
    }
}

impl fmt::Display for ProxyErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProxyErrorKind::Failed(cause) => cause.fmt(f),
            // What the proxy said may hold anything.
            ProxyErrorKind::Refused { answer, .. } => write!(f, "{}", answer.escape_debug()),
            ProxyErrorKind::Malformed(reason) => write!(f, "malformed answer: {}", reason.escape_debug()),
            ProxyErrorKind::Unsupported(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for ProxyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self.cause()? {
            Cause::System { error, .. } => Some(error),
            Cause::Lookup(error) => Some(error),
            Cause::Other(error) => Some(&**error),
            _ => None,
        }
    }
}
