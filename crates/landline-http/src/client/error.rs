//! Why a request failed.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use http::{Method, Uri};

/// `Result` with the client's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a request failed, or the reading of its response; prints as `GET http://127.0.0.1:1/: dial tcp 127.0.0.1:1:
/// connect: connection refused`.
pub struct Error(Box<Inner>);

struct Inner {
    /// What was asked for when it failed, where that is known: after redirects, the last.
    request: Option<(Method, String)>,
    /// The proxy that was to be asked for it, where that could not be reached.
    proxy: Option<String>,
    kind: ErrorKind,
}

/// What a request failed of.
#[derive(Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The URL, or what was asked for, makes no request.
    Invalid(String),
    /// No conn could be made: the lookup, the connect, a proxy or the TLS handshake failed.
    Connect(landline::Error),
    /// A phase took longer than it may.
    Timeout(Phase),
    /// The context was cancelled, or its deadline passed.
    Ended(landline::Ended),
    /// The conn broke, or the server does not keep to the protocol.
    Protocol(hyper::Error),
    /// Interim responses (1xx) came without end: more than this, and no final one. Of a conn of HTTP/1.1 no more than 2 MiB
    /// are read before the head of the final response is there; on one of HTTP/2 10,000 may come since the last request.
    InterimLimit(&'static str),
    /// A redirect cannot be followed, or there are too many.
    Redirect(String),
    /// The body of the request could not be read, that of the response not decoded.
    Body(io::Error),
    /// The body of the response is longer than the caller wants it, in bytes.
    TooLong(u64),
}

/// A part of a request that has a time limit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// The TLS handshake and, of HTTP/2, that of the protocol.
    Tls,
    /// From the end of the request to the head of the response.
    Head,
    /// Between two pieces of the body of the response.
    Body,
    /// The whole of it.
    Total,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind) -> Error {
        Error(Box::new(Inner { request: None, proxy: None, kind }))
    }

    pub(crate) fn invalid(reason: impl Into<String>) -> Error {
        Error::new(ErrorKind::Invalid(reason.into()))
    }

    pub(crate) fn of(mut self, method: &Method, uri: &Uri) -> Error {
        self.0.request.get_or_insert_with(|| (method.clone(), uri.to_string()));
        self
    }

    /// On the way to this proxy.
    pub(crate) fn on_the_way_to(mut self, proxy: &landline::Proxy) -> Error {
        self.0.proxy = Some(proxy.to_string());
        self
    }

    /// What it failed of.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// The URL that was asked for when it failed: after redirects, the last.
    pub fn url(&self) -> Option<&str> {
        self.0.request.as_ref().map(|(_, url)| url.as_str())
    }

    /// Whether a time limit passed, whose ever.
    pub fn is_timeout(&self) -> bool {
        match &self.0.kind {
            ErrorKind::Timeout(_) | ErrorKind::Ended(landline::Ended::DeadlineExceeded) => true,
            ErrorKind::Connect(error) => error.is_timeout(),
            _ => false,
        }
    }

    /// Whether the server never had the request, since there was no conn.
    pub fn is_connect(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Connect(_) | ErrorKind::Timeout(Phase::Tls))
    }

    /// Whether it was a redirect.
    pub fn is_redirect(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Redirect(_))
    }

    /// Whether the request was wrong before anything was done about it.
    pub fn is_invalid(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Invalid(_))
    }

    /// For the outcome of a report.
    pub(crate) fn for_report(&self) -> landline::Error {
        match &self.0.kind {
            ErrorKind::Connect(error) => error.clone(),
            ErrorKind::Timeout(_) => {
                landline::Error::new(landline::Operation::Request, landline::Cause::Timeout)
            }
            ErrorKind::Ended(ended) => landline::Error::new(landline::Operation::Request, ended.clone()),
            kind => {
                let cause = landline::Cause::Other(std::sync::Arc::new(Words(kind.to_string())));
                landline::Error::new(landline::Operation::Request, cause)
            }
        }
    }
}

/// An error that is gone, in its words.
#[derive(Debug)]
struct Words(String);

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Words {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((method, url)) = &self.0.request {
            write!(f, "{method} {url}: ")?;
        }
        if let Some(proxy) = &self.0.proxy {
            write!(f, "proxy {proxy}: ")?;
        }
        self.0.kind.fmt(f)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ErrorKind::Invalid(reason) | ErrorKind::Redirect(reason) => f.write_str(reason),
            ErrorKind::Connect(error) => error.fmt(f),
            ErrorKind::Timeout(phase) => write!(f, "timeout: {phase}"),
            ErrorKind::Ended(ended) => ended.fmt(f),
            ErrorKind::Protocol(error) => {
                error.fmt(f)?;
                // hyper keeps the reason to itself.
                let mut source = error.source();
                while let Some(reason) = source {
                    write!(f, ": {reason}")?;
                    source = reason.source();
                }
                Ok(())
            }
            ErrorKind::InterimLimit(limit) => {
                write!(f, "interim responses without end: more than {limit}, and no final one")
            }
            ErrorKind::Body(error) => write!(f, "body: {error}"),
            ErrorKind::TooLong(limit) => write!(f, "the body is longer than {limit} bytes"),
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Tls => "the handshake is not done",
            Phase::Head => "no response came",
            Phase::Body => "the response stopped coming",
            Phase::Total => "not done in the time for all of it",
        })
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error").field("request", &self.0.request).field("kind", &self.0.kind).finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.0.kind {
            ErrorKind::Connect(error) => Some(error),
            ErrorKind::Protocol(error) => Some(error),
            ErrorKind::Body(error) => Some(error),
            _ => None,
        }
    }
}

impl From<hyper::Error> for Error {
    fn from(error: hyper::Error) -> Error {
        Error::new(ErrorKind::Protocol(error))
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        let kind = match &error.0.kind {
            ErrorKind::Invalid(_) => io::ErrorKind::InvalidInput,
            ErrorKind::Connect(error) => error.kind(),
            ErrorKind::Timeout(_) | ErrorKind::Ended(landline::Ended::DeadlineExceeded) => {
                io::ErrorKind::TimedOut
            }
            ErrorKind::Ended(_) => io::ErrorKind::ConnectionAborted,
            ErrorKind::Body(error) => error.kind(),
            ErrorKind::InterimLimit(_) => io::ErrorKind::InvalidData,
            ErrorKind::Protocol(_) | ErrorKind::Redirect(_) | ErrorKind::TooLong(_) => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}
