//! Why a name could not be resolved.

use std::fmt;
use std::io;
use std::net::SocketAddr;

/// A failed lookup; prints as `lookup NAME on SERVER: REASON`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookupError(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    name: String,
    server: Option<SocketAddr>,
    kind: LookupErrorKind,
    detail: Option<String>,
}

/// What a lookup failed of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LookupErrorKind {
    /// The name does not exist (NXDOMAIN), or no source knows it.
    NotFound,
    /// The name exists without records of the type asked for (RFC 2308, NODATA).
    NoData,
    /// No such service is in `/etc/services`, or none over the protocol asked for.
    UnknownPort,
    /// No server answered in time, or the caller's budget ended.
    Timeout,
    /// The context was cancelled.
    Canceled,
    /// Every server failed: SERVFAIL, REFUSED, lame or unreachable.
    ServerFailure,
    /// An answer could not be understood, or did not fit the question.
    BadAnswer,
    /// The name cannot be a name of the kind asked for.
    InvalidName,
    /// An answer held records that were refused, such as invalid host names.
    InvalidRecords,
    /// A limit was reached: too many lookups handed to the system at once, or a CNAME chain too long.
    Limit,
    /// The configuration, a file or a system call stands in the way.
    System,
}

impl LookupError {
    /// A failure of `kind` for `name`.
    pub fn new(name: impl Into<String>, kind: LookupErrorKind) -> LookupError {
        LookupError(Box::new(Inner { name: name.into(), server: None, kind, detail: None }))
    }

    /// Names the server that gave, or owed, the answer.
    #[must_use]
    pub fn on_server(mut self, server: impl Into<Option<SocketAddr>>) -> LookupError {
        self.0.server = server.into();
        self
    }

    /// Adds words of explanation, printed in place of the kind's own.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> LookupError {
        self.0.detail = Some(detail.into());
        self
    }

    /// The same failure, of what the caller called `name`.
    pub(crate) fn with_name(mut self, name: impl Into<String>) -> LookupError {
        self.0.name = name.into();
        self
    }

    /// The name that was looked up, as the caller gave it.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The last server asked, where one was.
    pub fn server(&self) -> Option<SocketAddr> {
        self.0.server
    }

    /// What it failed of.
    pub fn kind(&self) -> LookupErrorKind {
        self.0.kind
    }

    /// Whether the name, or the record or service asked for, does not exist, or cannot exist because it is no valid
    /// name. Asking again will not help.
    pub fn is_not_found(&self) -> bool {
        matches!(
            self.0.kind,
            LookupErrorKind::NotFound
                | LookupErrorKind::NoData
                | LookupErrorKind::UnknownPort
                | LookupErrorKind::InvalidName
        )
    }

    /// Whether a deadline or the servers' timeouts passed.
    pub fn is_timeout(&self) -> bool {
        self.0.kind == LookupErrorKind::Timeout
    }

    /// Whether asking again later may help.
    pub fn is_temporary(&self) -> bool {
        matches!(
            self.0.kind,
            LookupErrorKind::Timeout | LookupErrorKind::ServerFailure | LookupErrorKind::Limit
        )
    }

    pub(crate) fn io_kind(&self) -> io::ErrorKind {
        match self.0.kind {
            LookupErrorKind::NotFound | LookupErrorKind::NoData | LookupErrorKind::UnknownPort => {
                io::ErrorKind::NotFound
            }
            LookupErrorKind::Timeout => io::ErrorKind::TimedOut,
            LookupErrorKind::Canceled => io::ErrorKind::ConnectionAborted,
            LookupErrorKind::InvalidName => io::ErrorKind::InvalidInput,
            LookupErrorKind::BadAnswer | LookupErrorKind::InvalidRecords => io::ErrorKind::InvalidData,
            LookupErrorKind::ServerFailure | LookupErrorKind::Limit | LookupErrorKind::System => {
                io::ErrorKind::Other
            }
        }
    }
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lookup {}", self.0.name.escape_debug())?;
        if let Some(server) = self.0.server {
            write!(f, " on {server}")?;
        }
        match &self.0.detail {
            Some(detail) => write!(f, ": {detail}"),
            None => write!(f, ": {}", self.0.kind),
        }
    }
}

impl fmt::Display for LookupErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LookupErrorKind::NotFound => "no such host",
            LookupErrorKind::NoData => "no records of this type",
            LookupErrorKind::UnknownPort => "unknown port",
            LookupErrorKind::Timeout => "i/o timeout",
            LookupErrorKind::Canceled => "operation was canceled",
            LookupErrorKind::ServerFailure => "server misbehaving",
            LookupErrorKind::BadAnswer => "cannot understand the DNS answer",
            LookupErrorKind::InvalidName => "invalid name",
            LookupErrorKind::InvalidRecords => "the DNS answer holds invalid names",
            LookupErrorKind::Limit => "too many lookups at once",
            LookupErrorKind::System => "system failure",
        })
    }
}

impl std::error::Error for LookupError {}
