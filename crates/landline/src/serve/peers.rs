//! How many conns each peer has.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counts the conns of each peer, of all workers together.
#[derive(Debug)]
pub(super) struct Peers {
    most: usize,
    /// Several, so that workers seldom wait for each other.
    shards: Box<[Mutex<HashMap<IpAddr, usize>>]>,
    hasher: RandomState,
}

const SHARDS: usize = 16;

impl Peers {
    pub(super) fn at_most(most: usize) -> Peers {
        Peers { most, shards: (0..SHARDS).map(|_| Mutex::default()).collect(), hasher: RandomState::new() }
    }

    /// Counts a conn more of the peer, unless it has as many as it may have.
    pub(super) fn enter(&self, peer: Peer) -> bool {
        let mut conns = self.shard(peer);
        let count = conns.get(&peer.0).copied().unwrap_or(0);
        if count >= self.most {
            return false;
        }
        conns.insert(peer.0, count + 1);
        true
    }

    /// A conn of the peer has ended.
    pub(super) fn leave(&self, peer: Peer) {
        let mut conns = self.shard(peer);
        if let Some(count) = conns.get_mut(&peer.0) {
            *count -= 1;
            if *count == 0 {
                conns.remove(&peer.0);
            }
        }
    }

    fn shard(&self, peer: Peer) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        let index = self.hasher.hash_one(peer.0) as usize % SHARDS;
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who counts as one peer: an IPv4 address, or an IPv6 network of 64 bits, since that is the least that one host is
/// given (RFC 4291 section 2.5.4, RFC 6177).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Peer(IpAddr);

impl Peer {
    pub(super) fn of(ip: IpAddr) -> Peer {
        match ip.to_canonical() {
            IpAddr::V6(ip) => Peer(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into()),
            ip => Peer(ip),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> Peer {
        Peer::of(text.parse().unwrap())
    }

    #[test]
    fn each_peer_has_its_own_count_and_nothing_is_kept_of_those_who_left() {
        let peers = Peers::at_most(2);
        assert!(peers.enter(peer("192.0.2.1")) && peers.enter(peer("::ffff:192.0.2.1")));
        assert!(!peers.enter(peer("192.0.2.1")));
        assert!(peers.enter(peer("192.0.2.2")));
        peers.leave(peer("192.0.2.1"));
        assert!(peers.enter(peer("192.0.2.1")));
        for _ in 0..2 {
            peers.leave(peer("192.0.2.1"));
        }
        peers.leave(peer("192.0.2.2"));
        assert!(peers.shards.iter().all(|shard| shard.lock().unwrap().is_empty()));
    }

    #[test]
    fn an_ipv6_network_is_one_peer() {
        assert_eq!(peer("2001:db8::1"), peer("2001:db8::ffff:1:2:3"));
        assert_ne!(peer("2001:db8::1"), peer("2001:db8:0:1::1"));
        assert!(!Peers::at_most(0).enter(peer("::1")));
    }
}
