//! Which conns may carry a request.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::net::SocketAddr;
use std::sync::LazyLock;

use landline::{Family, Network, UnixKind};

use super::origin::Origin;
use super::settings::Settings;

/// A place and a way to speak there: requests of the same route share conns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// Of all else, since a route is looked for twice a request.
    hash: u64,
    /// Whose certificate is wanted, and by default whose address.
    pub(crate) origin: Origin,
    pub(crate) to: To,
    /// HTTP/1.1 even where HTTP/2 can be had, since only there a request can change the protocol (RFC 9113 section 8.6).
    pub(crate) is_http1: bool,
}

/// What is dialed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum To {
    /// The host of the origin, or the Unix socket of the client.
    Origin,
    /// One of the host's addresses.
    Addr(SocketAddr),
    /// A Unix socket: a path, or `@name`.
    Unix(String),
}

impl Route {
    pub(crate) fn new(origin: Origin, to: To, is_http1: bool) -> Route {
        static STATE: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        let hash = STATE.hash_one((&origin, &to, is_http1));
        Route { hash, origin, to, is_http1 }
    }

    /// What a dialer takes.
    pub(super) fn address(&self, settings: &Settings) -> (Network, String) {
        let (tcp, unix) = (Network::Tcp(Family::Any), Network::Unix(UnixKind::Stream));
        match (&self.to, &settings.unix_socket) {
            (To::Addr(addr), _) => (tcp, addr.to_string()),
            (To::Unix(path), _) | (To::Origin, Some(path)) => (unix, path.clone()),
            (To::Origin, None) => (tcp, self.origin.address()),
        }
    }
}

impl Hash for Route {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
    }
}
