//! The one error of calls.

use std::sync::Arc;
use std::{fmt, io};

/// Why a call, or getting ready for calls, failed.
///
/// Handlers may return it too, and then its text is what the client is told.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// What the server, or the method called, says; the conn goes on.
    Service(String),
    /// The client has been closed. A call that was under way may have been carried out, or not.
    Shutdown,
    /// The conn ended, or broke, before the reply came. The call may have been carried out, or not.
    Disconnected(Arc<io::Error>),
    /// The conn ended, or broke, before the call was sent.
    Unsent(Arc<io::Error>),
    /// The peer sent what is no reply, and the conn was given up. The call may have been carried out, or not.
    Protocol(String),
    /// The arguments could not be written, and nothing was sent.
    Args(String),
    /// The reply came, and is not what was expected.
    Reply(String),
    /// There is no conn to the server, and the call was not sent.
    Dial(Arc<landline::Error>),
    /// The server does not speak RPC over HTTP, and the call was not sent; with what it answered.
    Handshake(String),
    /// The time for the call was over before the reply came. The call may be carried out all the same.
    Timeout,
    /// The context of the call was cancelled before the reply came. The call may be carried out all the same.
    Canceled,
}

impl Error {
    /// What a service says went wrong; for handlers.
    pub fn service(text: impl fmt::Display) -> Error {
        Error::Service(text.to_string())
    }

    /// Whether the server has certainly not got the call, so that it can be made again, perhaps elsewhere.
    pub fn is_unsent(&self) -> bool {
        matches!(self, Error::Unsent(_) | Error::Args(_) | Error::Dial(_) | Error::Handshake(_))
    }

    /// Whether the time for it was over, for the call or for the dial.
    pub fn is_timeout(&self) -> bool {
        match self {
            Error::Timeout => true,
            Error::Dial(error) => error.is_timeout(),
            _ => false,
        }
    }

    /// Whether it is about the conn, and not about this one call.
    pub fn is_disconnect(&self) -> bool {
        matches!(
            self,
            Error::Disconnected(_)
                | Error::Unsent(_)
                | Error::Protocol(_)
                | Error::Dial(_)
                | Error::Handshake(_)
        )
    }

    /// The same for a call that was not sent.
    pub(crate) fn unsent(self) -> Error {
        match self {
            Error::Disconnected(error) => Error::Unsent(error),
            other => other,
        }
    }

    pub(crate) fn ended() -> Error {
        Error::Disconnected(Arc::new(io::ErrorKind::UnexpectedEof.into()))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Service(text) => f.write_str(text),
            Error::Shutdown => f.write_str("connection is shut down"),
            Error::Disconnected(error) | Error::Unsent(error) => match error.kind() {
                io::ErrorKind::UnexpectedEof => f.write_str("the peer closed the connection"),
                _ => error.fmt(f),
            },
            Error::Protocol(text) => write!(f, "not a reply: {text}"),
            Error::Args(text) => write!(f, "arguments: {text}"),
            Error::Reply(text) => write!(f, "reply: {text}"),
            Error::Dial(error) => error.fmt(f),
            Error::Handshake(text) => write!(f, "HTTP handshake: {text}"),
            Error::Timeout => f.write_str("deadline exceeded"),
            Error::Canceled => f.write_str("canceled"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Disconnected(error) | Error::Unsent(error) => Some(&**error),
            Error::Dial(error) => Some(&**error),
            _ => None,
        }
    }
}

impl From<landline::Error> for Error {
    fn from(error: landline::Error) -> Error {
        Error::Dial(Arc::new(error))
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        Error::Disconnected(Arc::new(error))
    }
}
