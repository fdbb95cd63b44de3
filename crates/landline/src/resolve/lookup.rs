//! What a lookup gives.

use std::net::SocketAddr;
use std::ops::Deref;
use std::slice;
use std::time::Duration;
use std::vec;

/// What a lookup found: at least one record, which it is read as a slice of, and what is known of them.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> landline::Result<()> {
/// let found = landline::Resolver::system().lookup_ip("127.0.0.1").await?;
/// assert_eq!(found[0].ip, std::net::Ipv4Addr::LOCALHOST);
/// assert_eq!(found.ttl(), None); // not from the DNS
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup<T> {
    records: Vec<T>,
    origin: Origin,
}

/// What is known of records beside their data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) canonical: Option<String>,
    pub(crate) ttl: Option<Duration>,
    pub(crate) server: Option<SocketAddr>,
    pub(crate) authenticated: bool,
    pub(crate) stale: bool,
    pub(crate) dropped: Vec<String>,
}

impl<T> Lookup<T> {
    pub(crate) fn new(records: Vec<T>, origin: Origin) -> Lookup<T> {
        Lookup { records, origin }
    }

    pub(crate) fn into_parts(self) -> (Vec<T>, Origin) {
        (self.records, self.origin)
    }

    pub(crate) fn sorted(mut self, sort: impl FnOnce(&mut [T])) -> Lookup<T> {
        sort(&mut self.records);
        self
    }

    pub(crate) fn map<U>(self, make: impl FnMut(T) -> U) -> Lookup<U> {
        Lookup { records: self.records.into_iter().map(make).collect(), origin: self.origin }
    }

    /// The records alone.
    pub fn into_vec(self) -> Vec<T> {
        self.records
    }

    /// How long the answer may be kept from now on: the shortest time to live of all that led to it. `None` if it is
    /// not from the DNS.
    pub fn ttl(&self) -> Option<Duration> {
        self.origin.ttl
    }

    /// The name that has the records, which the name asked for is an alias of, or was completed to; absolute, with
    /// its trailing dot. `None` where the source does not tell.
    pub fn canonical_name(&self) -> Option<&str> {
        self.origin.canonical.as_deref()
    }

    /// The name server that answered. `None` if it was not, or not just now, a name server.
    pub fn server(&self) -> Option<SocketAddr> {
        self.origin.server
    }

    /// Whether the server says that it has validated the answer with DNSSEC. Only ever true with the option
    /// `trust-ad` ([`Config::with_trust_ad`](crate::resolve::Config::with_trust_ad)).
    pub fn is_authenticated(&self) -> bool {
        self.origin.authenticated
    }

    /// Whether it is past its time to live, because the servers failed
    /// ([`Cache::serve_stale`](crate::resolve::Cache::serve_stale)).
    pub fn is_stale(&self) -> bool {
        self.origin.stale
    }

    /// Records of the answer that were left out, in words, such as those with names that cannot be host names.
    pub fn dropped(&self) -> &[String] {
        &self.origin.dropped
    }
}

impl Origin {
    /// That of an answer put together from two.
    pub(crate) fn join(self, other: Origin) -> Origin {
        let ttl = match (self.ttl, other.ttl) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        Origin {
            canonical: self.canonical.or(other.canonical),
            ttl,
            server: self.server.or(other.server),
            authenticated: self.authenticated && other.authenticated,
            stale: self.stale || other.stale,
            dropped: [self.dropped, other.dropped].concat(),
        }
    }
}

impl<T> Deref for Lookup<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.records
    }
}

impl<T> IntoIterator for Lookup<T> {
    type Item = T;
    type IntoIter = vec::IntoIter<T>;

    fn into_iter(self) -> vec::IntoIter<T> {
        self.records.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Lookup<T> {
    type Item = &'a T;
    type IntoIter = slice::Iter<'a, T>;

    fn into_iter(self) -> slice::Iter<'a, T> {
        self.records.iter()
    }
}
