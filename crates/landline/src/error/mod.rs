//! The one error: what was being done, on which network, between which addresses, and why it failed.

mod lookup;
mod proxy;

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;

pub use lookup::{LookupError, LookupErrorKind};
pub use proxy::{ProxyError, ProxyErrorKind, ProxyStep};

use crate::addr::{Addr, AddressError, UnixAddr};
use crate::copy::Copied;
use crate::network::{Network, ParseNetworkError};

/// `Result` with landline's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What failed, printed the way operators know it: `dial tcp 127.0.0.1:1: connect: connection refused`.
///
/// The kind of failure is asked for with the predicates, which see through the operation and, when several attempts
/// failed, answer for the first (or for the budget, where that ended them); [`Error::attempts`] gives them all. `io::Error::from` keeps the [`io::ErrorKind`],
/// and keeps this error as its inner value.
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    operation: Operation,
    network: Option<Network>,
    local: Option<Addr>,
    peer: Option<Peer>,
    cause: Cause,
    /// Empty unless a copy failed.
    copied: Vec<Copied>,
}

#[derive(Clone)]
enum Peer {
    Known(Addr),
    /// As the caller wrote it, where it never became an address.
    Text(Box<str>),
}

/// The operation that failed; its `Display` is the first word of the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(missing_docs)] // Each is named after the call it stands for.
pub enum Operation {
    Dial,
    Listen,
    Accept,
    Lookup,
    Read,
    Write,
    Close,
    Set,
    Query,
    Copy,
    Serve,
    Interface,
    Request,
}

impl Operation {
    /// The word printed in front of the error, as in `dial tcp …`.
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Dial => "dial",
            Operation::Listen => "listen",
            Operation::Accept => "accept",
            Operation::Lookup => "lookup",
            Operation::Read => "read",
            Operation::Write => "write",
            Operation::Close => "close",
            Operation::Set => "set",
            Operation::Query => "query",
            Operation::Copy => "copy",
            Operation::Serve => "serve",
            Operation::Interface => "interface",
            Operation::Request => "request",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why an operation failed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Cause {
    /// A system call returned an error.
    System {
        /// The system call's name, such as `connect`.
        call: &'static str,
        /// What it returned.
        error: rustix::io::Errno,
    },
    /// A deadline or timeout passed.
    Timeout,
    /// The context was cancelled, or the caller gave up.
    Canceled {
        /// The cause given to [`Context::cancel_with`](crate::Context::cancel_with).
        cause: Option<Arc<dyn StdError + Send + Sync>>,
    },
    /// The conn or listener was closed on this side.
    Closed,
    /// The peer closed its end before all that was expected had arrived.
    UnexpectedEof,
    /// A name could not be resolved.
    Lookup(LookupError),
    /// The network name was refused.
    Network(Box<ParseNetworkError>),
    /// The address was refused.
    Address(AddressError),
    /// The way through a proxy failed.
    Proxy(ProxyError),
    /// All of several attempts failed; in the order in which they were begun.
    Attempts(Box<[Error]>),
    /// Any other error, such as one returned by a hook of the caller's.
    Other(Arc<dyn StdError + Send + Sync>),
}

// A result of a system call is moved several times on its way up, and its error along with it.
const _: () = assert!(size_of::<Cause>() <= 24);

impl Error {
    /// An error of `operation` with its cause and nothing else known yet.
    pub fn new(operation: Operation, cause: impl Into<Cause>) -> Error {
        Error(Box::new(Inner {
            operation,
            network: None,
            local: None,
            peer: None,
            cause: cause.into(),
            copied: Vec::new(),
        }))
    }

    /// Names the network.
    #[must_use]
    pub fn on(mut self, network: Network) -> Error {
        self.0.network = Some(network);
        self
    }

    /// Names the local address, where there is one.
    #[must_use]
    pub fn from_local(mut self, local: impl Into<Option<Addr>>) -> Error {
        // A Unix socket without a name has nothing to be named by.
        self.0.local = local.into().filter(|local| *local != Addr::Unix(UnixAddr::Unnamed));
        self
    }

    /// Names the peer's address, or for a listener the address listened on, where there is one.
    #[must_use]
    pub fn to_peer(mut self, peer: impl Into<Option<Addr>>) -> Error {
        self.0.peer = peer.into().map(Peer::Known);
        self
    }

    /// Names the address as the caller wrote it.
    #[must_use]
    pub fn to_text(mut self, peer: &str) -> Error {
        self.0.peer = Some(Peer::Text(peer.into()));
        self
    }

    /// Says how far a copy had come.
    #[must_use]
    pub(crate) fn after(mut self, copied: &[Copied]) -> Error {
        self.0.copied = copied.to_vec();
        self
    }

    /// What was being done.
    pub fn operation(&self) -> Operation {
        self.0.operation
    }

    /// The network it was done on.
    pub fn network(&self) -> Option<Network> {
        self.0.network
    }

    /// The local address, where known.
    pub fn local_addr(&self) -> Option<&Addr> {
        self.0.local.as_ref()
    }

    /// The peer's address (for a listener: the address listened on), where it got as far as an address.
    pub fn peer_addr(&self) -> Option<&Addr> {
        match &self.0.peer {
            Some(Peer::Known(addr)) => Some(addr),
            _ => None,
        }
    }

    /// Why it failed.
    pub fn cause(&self) -> &Cause {
        &self.0.cause
    }

    /// The errors of all attempts when several failed, the first first; empty otherwise.
    pub fn attempts(&self) -> &[Error] {
        match &self.0.cause {
            Cause::Attempts(attempts) => attempts,
            _ => &[],
        }
    }

    /// How far a copy had come when it failed: one of [`copy`](crate::copy()), and of
    /// [`copy_both`](crate::copy_both) that from `a` to `b` and the one back. Empty for all other errors.
    pub fn copied(&self) -> &[Copied] {
        &self.0.copied
    }

    /// The cause that decides the kind. Of several attempts the first's, unless it was the budget or a cancel that
    /// ended the last of them: then that is why the whole ended.
    fn root(&self) -> &Cause {
        self.0.cause.root()
    }

    /// The system's error number, where a system call failed.
    pub fn errno(&self) -> Option<rustix::io::Errno> {
        match self.root() {
            Cause::System { error, .. } => Some(*error),
            Cause::Other(other) => {
                other.downcast_ref::<io::Error>().and_then(rustix::io::Errno::from_io_error)
            }
            _ => None,
        }
    }

    /// The nearest [`io::ErrorKind`].
    pub fn kind(&self) -> io::ErrorKind {
        match self.root() {
            Cause::System { error, .. } => error.kind(),
            Cause::Timeout => io::ErrorKind::TimedOut,
            // Not `Interrupted`, which readers such as tokio's `read_u32` take as leave to try again, for ever.
            Cause::Canceled { .. } => io::ErrorKind::ConnectionAborted,
            Cause::Closed => io::ErrorKind::NotConnected,
            Cause::UnexpectedEof => io::ErrorKind::UnexpectedEof,
            Cause::Lookup(lookup) => lookup.io_kind(),
            Cause::Proxy(proxy) => proxy.io_kind(),
            Cause::Network(_) | Cause::Address(_) => io::ErrorKind::InvalidInput,
            Cause::Attempts(_) => io::ErrorKind::Other,
            Cause::Other(other) => {
                other.downcast_ref::<io::Error>().map_or(io::ErrorKind::Other, io::Error::kind)
            }
        }
    }

    /// The failed lookup, where that is what it failed of.
    pub fn lookup_error(&self) -> Option<&LookupError> {
        match self.root() {
            Cause::Lookup(lookup) => Some(lookup),
            _ => None,
        }
    }

    /// A deadline passed: the caller's, the context's, the resolver's, or the kernel's own (`ETIMEDOUT`).
    pub fn is_timeout(&self) -> bool {
        match self.root() {
            Cause::Lookup(lookup) => lookup.is_timeout(),
            _ => self.kind() == io::ErrorKind::TimedOut,
        }
    }

    /// What failed at a proxy, where the way through one did.
    pub fn proxy_error(&self) -> Option<&ProxyError> {
        match &self.0.cause {
            Cause::Proxy(proxy) => Some(proxy),
            Cause::Attempts(attempts) => attempts.iter().find_map(Error::proxy_error),
            _ => None,
        }
    }

    /// The context was cancelled before it was done.
    pub fn is_canceled(&self) -> bool {
        match self.root() {
            Cause::Canceled { .. } => true,
            Cause::Lookup(lookup) => lookup.kind() == LookupErrorKind::Canceled,
            _ => false,
        }
    }

    /// The name, the Unix socket's file, or the interface does not exist.
    pub fn is_not_found(&self) -> bool {
        match self.root() {
            Cause::Lookup(lookup) => lookup.is_not_found(),
            Cause::System { error: rustix::io::Errno::NODEV, .. } => true,
            _ => self.kind() == io::ErrorKind::NotFound,
        }
    }

    /// The conn or listener was closed on this side.
    pub fn is_closed(&self) -> bool {
        matches!(self.root(), Cause::Closed)
    }

    /// Nobody listens there.
    pub fn is_connection_refused(&self) -> bool {
        self.kind() == io::ErrorKind::ConnectionRefused
    }

    /// The peer reset the connection.
    pub fn is_connection_reset(&self) -> bool {
        self.kind() == io::ErrorKind::ConnectionReset
    }
}

impl Cause {
    /// Sees through a proxy that failed of something else.
    fn root(&self) -> &Cause {
        match self {
            Cause::Attempts(attempts) if !attempts.is_empty() => attempts
                .iter()
                .map(Error::root)
                .find(|cause| matches!(cause, Cause::Canceled { .. } | Cause::Timeout))
                .unwrap_or_else(|| attempts[0].root()),
            Cause::Proxy(proxy) => proxy.cause().map_or(self, Cause::root),
            cause => cause,
        }
    }
}

impl From<rustix::io::Errno> for Cause {
    fn from(error: rustix::io::Errno) -> Cause {
        Cause::System { call: "", error }
    }
}

impl From<ParseNetworkError> for Cause {
    fn from(error: ParseNetworkError) -> Cause {
        Cause::Network(Box::new(error))
    }
}

impl From<AddressError> for Cause {
    fn from(error: AddressError) -> Cause {
        Cause::Address(error)
    }
}

impl From<ProxyError> for Cause {
    fn from(error: ProxyError) -> Cause {
        Cause::Proxy(error)
    }
}

impl From<LookupError> for Cause {
    fn from(error: LookupError) -> Cause {
        Cause::Lookup(error)
    }
}

/// A landline error inside is taken out again; an error number keeps its number.
impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Cause {
        match rustix::io::Errno::from_io_error(&error) {
            Some(errno) => errno.into(),
            None => match error.downcast::<Error>() {
                Ok(error) => error.0.cause,
                Err(error) if error.kind() == io::ErrorKind::TimedOut => Cause::Timeout,
                Err(error) => Cause::Other(Arc::new(error)),
            },
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { operation, network, local, peer, cause, .. } = &*self.0;
        if let (Operation::Lookup, Cause::Lookup(lookup)) = (operation, cause) {
            // It begins with the same word and names what was looked up.
            return lookup.fmt(f);
        }
        write!(f, "{operation}")?;
        if let Some(network) = network {
            write!(f, " {network}")?;
        }
        match (local, peer) {
            (Some(local), Some(peer)) => write!(f, " {local}->{peer}")?,
            (Some(local), None) => write!(f, " {local}")?,
            (None, Some(peer)) => write!(f, " {peer}")?,
            (None, None) => {}
        }
        write!(f, ": {cause}")
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Known(addr) => addr.fmt(f),
            Peer::Text(text) => write!(f, "{}", text.escape_debug()),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::System { call: "", error } => f.write_str(&errno_text(*error)),
            Cause::System { call, error } => write!(f, "{call}: {}", errno_text(*error)),
            Cause::Timeout => f.write_str("i/o timeout"),
            Cause::Canceled { cause: None } => f.write_str("operation was canceled"),
            Cause::Canceled { cause: Some(cause) } => write!(f, "operation was canceled: {cause}"),
            Cause::Closed => f.write_str("use of closed network connection"),
            Cause::UnexpectedEof => f.write_str("unexpected end of stream"),
            Cause::Lookup(lookup) => lookup.fmt(f),
            Cause::Proxy(proxy) => proxy.fmt(f),
            Cause::Network(error) => error.fmt(f),
            Cause::Address(error) => error.fmt(f),
            Cause::Attempts(attempts) => {
                for (index, attempt) in attempts.iter().enumerate() {
                    if index > 0 {
                        f.write_str("; ")?;
                    }
                    match &attempt.0.peer {
                        Some(peer) => write!(f, "{peer}: {}", attempt.0.cause)?,
                        None => write!(f, "{}", attempt.0.cause)?,
                    }
                }
                Ok(())
            }
            Cause::Other(other) => other.fmt(f),
        }
    }
}

/// The system's text for an error number, begun in lower case as errors inside a sentence are.
pub(crate) fn errno_text(errno: rustix::io::Errno) -> String {
    let full = io::Error::from(errno).to_string();
    let text = full.split(" (os error").next().unwrap_or(&full);
    let mut chars = text.chars();
    match chars.next() {
        // "No route to host" becomes "no route to host", but an acronym stays one.
        Some(first) if !chars.clone().next().is_some_and(char::is_uppercase) => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("message", &self.to_string())
            .field("kind", &self.kind())
            .field("cause", &self.0.cause)
            .finish()
    }
}

impl Clone for Error {
    fn clone(&self) -> Error {
        Error(self.0.clone())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.0.cause {
            Cause::System { error, .. } => Some(error),
            Cause::Canceled { cause } => cause.as_ref().map(|cause| &**cause as &(dyn StdError + 'static)),
            Cause::Lookup(error) => Some(error),
            Cause::Proxy(error) => Some(error),
            Cause::Network(error) => Some(&**error),
            Cause::Address(error) => Some(error),
            Cause::Attempts(attempts) => attempts.first().map(|first| first as &(dyn StdError + 'static)),
            Cause::Other(error) => Some(&**error),
            Cause::Timeout | Cause::Closed | Cause::UnexpectedEof => None,
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        io::Error::new(error.kind(), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Family;
    use rustix::io::Errno;

    fn refused(peer: &str) -> Error {
        let peer: std::net::SocketAddr = peer.parse().unwrap();
        Error::new(Operation::Dial, Cause::System { call: "connect", error: Errno::CONNREFUSED })
            .on(Network::Tcp(Family::Any))
            .to_peer(Addr::from(peer))
    }

    #[test]
    fn prints_the_way_operators_know_it() {
        assert_eq!(refused("127.0.0.1:1").to_string(), "dial tcp 127.0.0.1:1: connect: connection refused");
        let local: std::net::SocketAddr = "127.0.0.1:9".parse().unwrap();
        assert_eq!(
            refused("127.0.0.1:1").from_local(Addr::from(local)).to_string(),
            "dial tcp 127.0.0.1:9->127.0.0.1:1: connect: connection refused"
        );
    }

    #[test]
    fn several_attempts_are_all_named_and_matched_by_kind() {
        let timeout = Error::new(Operation::Dial, Cause::Timeout)
            .to_peer(Addr::from("192.0.2.1:80".parse::<std::net::SocketAddr>().unwrap()));
        let all = Error::new(Operation::Dial, Cause::Attempts(Box::new([refused("[::1]:80"), timeout])))
            .on(Network::Tcp(Family::Any))
            .to_text("example.com:80");
        assert_eq!(
            all.to_string(),
            "dial tcp example.com:80: [::1]:80: connect: connection refused; 192.0.2.1:80: i/o timeout"
        );
        assert_eq!(all.attempts().len(), 2);
        assert!(all.is_timeout(), "the budget ended it");
        let both = Error::new(
            Operation::Dial,
            Cause::Attempts(Box::new([refused("[::1]:80"), refused("127.0.0.1:80")])),
        );
        assert!(both.is_connection_refused());
    }

    #[test]
    fn io_errors_keep_the_kind_and_give_the_error_back() {
        let error = io::Error::from(refused("127.0.0.1:1"));
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert!(matches!(Cause::from(error), Cause::System { call: "connect", error: Errno::CONNREFUSED }));
    }

    #[test]
    fn unprintable_input_is_escaped() {
        let error = Error::new(Operation::Dial, Cause::Timeout).to_text("a\nb");
        assert_eq!(error.to_string(), "dial a\\nb: i/o timeout");
    }

    #[test]
    fn error_numbers_read_as_parts_of_a_sentence() {
        assert_eq!(errno_text(Errno::HOSTUNREACH), "no route to host");
        assert_eq!(errno_text(Errno::MFILE), "too many open files");
    }
}
