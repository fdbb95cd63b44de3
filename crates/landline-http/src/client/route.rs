//! Which conns may carry a request.

use std::net::SocketAddr;

use landline::{Family, Network, UnixKind};

use super::origin::Origin;
use super::settings::Settings;

/// A place and a way to speak there: requests of the same route share conns.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Route {
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
    /// To whom the URL names.
    pub(crate) fn to_origin(origin: Origin) -> Route {
        Route { origin, to: To::Origin, is_http1: false }
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
