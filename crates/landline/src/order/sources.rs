//! Destinations put in order, by the sources that the kernel has for them, which are remembered for a moment.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::probe::Sockets;
use super::{Candidate, PolicyTable, Source, sort};
use crate::addr::ScopedIp;
use crate::explain::OrderedAddress;

/// So many different addresses are looked into; a name with more is broken or hostile, and the rest go last.
const MOST_ASKED: usize = 128;
/// How long the kernel's word is taken for. A route that changed a second ago may be missing from an order, which
/// is advice: whoever dials goes on to the next address.
const MEMORY: Duration = Duration::from_secs(1);
/// How many destinations, and how many sources, are remembered.
const MOST_REMEMBERED: usize = 1024;

/// Puts `destinations` in the order of RFC 6724, by the sources that this host has for them now.
///
/// Never waits for the network. Where there is nothing to decide it makes no system call; otherwise two, at most
/// three for each different address, and four where one of several sources may be deprecated. Addresses that the
/// kernel would not tell about stay as given.
pub(crate) fn order(destinations: &[SocketAddr]) -> Vec<OrderedAddress> {
    Sources::default().order(destinations)
}

/// The same for one who orders again and again: what the kernel said is good for a second.
#[derive(Debug, Default)]
pub(crate) struct Sources(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    sources: Memory<Option<ScopedIp>>,
    marks: Memory<Marks>,
}

/// What the kernel knows.
pub(super) trait Kernel {
    /// The source it would use for a destination; `None` if it has no route, or would not tell.
    fn source(&mut self, destination: ScopedIp) -> Option<ScopedIp>;

    /// What is special about each of these sources, which are IPv6.
    fn marks(&mut self, sources: &[ScopedIp]) -> Vec<Marks>;
}

/// See [`Source`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) deprecated: bool,
    pub(super) home: bool,
}

impl Sources {
    /// As [`order`] does, with fewer calls.
    pub(crate) fn order(&self, destinations: &[SocketAddr]) -> Vec<OrderedAddress> {
        self.order_by(destinations, &mut Sockets::default(), Instant::now())
    }

    fn order_by(
        &self,
        destinations: &[SocketAddr],
        kernel: &mut impl Kernel,
        now: Instant,
    ) -> Vec<OrderedAddress> {
        let mut distinct: Vec<ScopedIp> = Vec::new();
        for destination in destinations.iter().map(|&address| plain(address)) {
            if distinct.len() < MOST_ASKED && !distinct.contains(&destination) {
                distinct.push(destination);
            }
        }
        let sources = match distinct.len() {
            0 | 1 => vec![None; distinct.len()],
            _ => self.known().ask(&distinct, kernel, now),
        };
        let candidates: Vec<Candidate> = destinations
            .iter()
            .map(|&address| {
                let known = distinct.iter().position(|&ip| ip == plain(address));
                Candidate { address, source: known.and_then(|index| sources[index]) }
            })
            .collect();
        sort(&candidates, &PolicyTable::default())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn ask(
        &mut self,
        destinations: &[ScopedIp],
        kernel: &mut impl Kernel,
        now: Instant,
    ) -> Vec<Option<Source>> {
        let mut sources = vec![None; destinations.len()];
        // IPv6 first, because its socket then serves for IPv4 as well.
        for is_v6 in [true, false] {
            for (&destination, source) in destinations.iter().zip(&mut sources) {
                if destination.ip.is_ipv6() == is_v6 {
                    let ip = self.sources.recall(destination, now, || kernel.source(destination));
                    *source = ip.map(Source::from);
                }
            }
        }
        self.mark(&mut sources, kernel, now);
        sources
    }

    /// Marks the sources that are deprecated or home addresses, if that can make a difference.
    fn mark(&mut self, sources: &mut [Option<Source>], kernel: &mut impl Kernel, now: Instant) {
        let mut distinct: Vec<ScopedIp> = sources.iter().flatten().map(|source| source.ip).collect();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() < 2 {
            return;
        }
        distinct.retain(|source| source.ip.is_ipv6() && !source.ip.is_loopback());
        let unknown: Vec<ScopedIp> =
            distinct.iter().copied().filter(|&source| self.marks.get(source, now).is_none()).collect();
        if !unknown.is_empty() {
            for (&source, marks) in unknown.iter().zip(kernel.marks(&unknown)) {
                self.marks.put(source, marks, now);
            }
        }
        for source in sources.iter_mut().flatten() {
            if let Some(marks) = self.marks.get(source.ip, now) {
                source.deprecated = marks.deprecated;
                source.home = marks.home;
            }
        }
    }
}

/// What was learned of addresses not longer than [`MEMORY`] ago.
#[derive(Debug)]
struct Memory<T>(HashMap<ScopedIp, (T, Instant)>);

impl<T: Copy> Memory<T> {
    fn get(&self, ip: ScopedIp, now: Instant) -> Option<T> {
        let &(value, learned) = self.0.get(&ip)?;
        (now.saturating_duration_since(learned) < MEMORY).then_some(value)
    }

    fn put(&mut self, ip: ScopedIp, value: T, now: Instant) {
        if self.0.len() >= MOST_REMEMBERED {
            self.0.clear();
        }
        self.0.insert(ip, (value, now));
    }

    fn recall(&mut self, ip: ScopedIp, now: Instant, learn: impl FnOnce() -> T) -> T {
        self.get(ip, now).unwrap_or_else(|| {
            let value = learn();
            self.put(ip, value, now);
            value
        })
    }
}

impl<T> Default for Memory<T> {
    fn default() -> Memory<T> {
        Memory(HashMap::new())
    }
}

/// The address as the kernel is asked about it: without a port, and IPv4-mapped ones as IPv4.
pub(super) fn plain(address: SocketAddr) -> ScopedIp {
    ScopedIp::from(crate::addr::canonical(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host with one address of each family, which counts what it is asked.
    #[derive(Default)]
    struct Host {
        without_ipv6: bool,
        deprecated: bool,
        questions: Vec<String>,
    }

    impl Kernel for Host {
        fn source(&mut self, destination: ScopedIp) -> Option<ScopedIp> {
            self.questions.push(destination.to_string());
            let source = if destination.ip.is_ipv4() { "192.0.2.9" } else { "2001:db8::9" };
            Some(ip(source)).filter(|source| source.ip.is_ipv4() || !self.without_ipv6)
        }

        fn marks(&mut self, sources: &[ScopedIp]) -> Vec<Marks> {
            self.questions.extend(sources.iter().map(|source| format!("marks of {source}")));
            vec![Marks { deprecated: self.deprecated, home: false }; sources.len()]
        }
    }

    fn ip(text: &str) -> ScopedIp {
        text.parse().unwrap()
    }

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn shown(ordered: &[OrderedAddress]) -> Vec<String> {
        ordered.iter().map(|ordered| ordered.address.ip().to_string()).collect()
    }

    const BOTH: [&str; 2] = ["198.51.100.1:80", "[2001:db8:1::1]:80"];

    #[test]
    fn the_kernel_is_asked_once_and_ipv6_first() {
        let (sources, mut host, now) = (Sources::default(), Host::default(), Instant::now());
        for _ in 0..3 {
            let given = addresses(&[BOTH[0], BOTH[1], "198.51.100.1:81", "[::ffff:198.51.100.1]:82"]);
            let ordered = sources.order_by(&given, &mut host, now);
            assert_eq!(shown(&ordered)[0], "2001:db8:1::1");
            assert!(ordered.iter().all(|ordered| ordered.source.is_some()));
        }
        assert_eq!(host.questions, ["2001:db8:1::1", "198.51.100.1", "marks of 2001:db8::9"]);
    }

    #[test]
    fn what_was_learned_is_forgotten_after_a_second() {
        let (sources, mut host, now) = (Sources::default(), Host::default(), Instant::now());
        let order = |host: &mut Host, at| shown(&sources.order_by(&addresses(&BOTH), host, at));
        assert_eq!(order(&mut host, now), ["2001:db8:1::1", "198.51.100.1"]);
        host.without_ipv6 = true;
        assert_eq!(order(&mut host, now + MEMORY / 2), ["2001:db8:1::1", "198.51.100.1"]);
        assert_eq!(order(&mut host, now + MEMORY), ["198.51.100.1", "2001:db8:1::1"]);
        assert_eq!(host.questions.len(), 5);
    }

    #[test]
    fn a_deprecated_source_is_avoided() {
        let mut host = Host { deprecated: true, ..Host::default() };
        let ordered = Sources::default().order_by(&addresses(&BOTH), &mut host, Instant::now());
        assert_eq!(shown(&ordered), ["198.51.100.1", "2001:db8:1::1"]);
        assert_eq!(ordered[0].decided_by, Some(3));
    }

    #[test]
    fn where_one_source_serves_for_all_its_state_is_not_asked_for() {
        let mut host = Host::default();
        let given = addresses(&["[2001:db8:1::1]:80", "[2001:db8:2::1]:80"]);
        Sources::default().order_by(&given, &mut host, Instant::now());
        assert_eq!(host.questions, ["2001:db8:1::1", "2001:db8:2::1"]);
    }

    #[test]
    fn where_nothing_is_to_be_decided_nobody_is_asked() {
        let mut host = Host::default();
        for given in [vec![], addresses(&["127.0.0.1:80"]), addresses(&["[::1]:1", "[::1]:2", "[::1]:1"])] {
            let ordered = Sources::default().order_by(&given, &mut host, Instant::now());
            assert_eq!(ordered.iter().map(|ordered| ordered.address).collect::<Vec<_>>(), given);
            assert!(ordered.iter().all(|ordered| ordered.source.is_none() && ordered.decided_by.is_none()));
        }
        assert!(host.questions.is_empty());
    }

    #[test]
    fn a_flood_of_addresses_is_neither_asked_for_nor_remembered_in_full() {
        let (sources, mut host, now) = (Sources::default(), Host::default(), Instant::now());
        for name in 0..50_u32 {
            let given: Vec<SocketAddr> = (0..1000_u32)
                .map(|n| SocketAddr::from(((0x0a00_0000 + 1000 * name + n).to_be_bytes(), 80)))
                .collect();
            let ordered = sources.order_by(&given, &mut host, now);
            assert_eq!(ordered.iter().map(|ordered| ordered.address).collect::<Vec<_>>(), given);
            assert_eq!(ordered.iter().filter(|ordered| ordered.source.is_some()).count(), MOST_ASKED);
        }
        assert!(sources.known().sources.0.len() <= MOST_REMEMBERED);
    }
}
