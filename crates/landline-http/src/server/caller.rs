//! What a handler may know of who asks.

use std::sync::Arc;

use landline::{Addr, Context};

use super::exchange::Lifetime;
use super::state::State;

/// Who asks, and for how long; among the extensions of each request, beside the peer's [`Addr`].
#[derive(Clone)]
pub struct Caller {
    pub(super) state: Arc<State>,
    pub(super) lifetime: Lifetime,
}

impl Caller {
    /// The other end of the conn; of a Unix socket often nothing.
    pub fn peer_addr(&self) -> Option<&Addr> {
        self.state.peer.as_ref()
    }

    /// Whether the request came over TLS.
    pub fn is_secure(&self) -> bool {
        self.state.is_secure
    }

    /// A context that is cancelled when the request is over: when its response is complete, or its peer has gone. A
    /// handler itself is dropped then; this is for what it began elsewhere.
    pub fn context(&self) -> &Context {
        self.lifetime.get_or_init(|| Context::background().child())
    }
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caller")
            .field("peer_addr", &self.peer_addr())
            .field("is_secure", &self.is_secure())
            .finish_non_exhaustive()
    }
}
