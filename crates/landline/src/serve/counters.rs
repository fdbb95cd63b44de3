//! What a server has done so far.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a server has done so far, by worker; a snapshot, made by [`Serving::counters`](crate::Serving::counters).
///
/// Counting goes on while it is made, so figures that belong together may differ by what happened meanwhile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// One for each worker, in their order.
    pub workers: Vec<WorkerCounters>,
}

impl Counters {
    /// The sums over all workers.
    pub fn total(&self) -> WorkerCounters {
        self.workers.iter().fold(WorkerCounters::default(), WorkerCounters::plus)
    }
}

/// Declares the counters once, as what workers count in and as what is given out.
macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)* ) => {
        /// What one worker has done so far, or all of them together.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct WorkerCounters {
            $($(#[$doc])* pub $name: u64,)*
            /// Conns whose handler was dropped: at the deadline of a drain, with the server, or because it did not end after
            /// a timeout.
            pub cut: u64,
            /// Bytes that came in: those of the network, so of TLS the encrypted ones.
            pub bytes_read: u64,
            /// Bytes that went out.
            pub bytes_written: u64,
        }

        impl WorkerCounters {
            fn plus(self, other: &WorkerCounters) -> WorkerCounters {
                WorkerCounters {
                    $($name: self.$name + other.$name,)*
                    cut: self.cut + other.cut,
                    bytes_read: self.bytes_read + other.bytes_read,
                    bytes_written: self.bytes_written + other.bytes_written,
                }
            }
        }

        /// What one worker counts in; on cache lines of its own.
        #[derive(Debug, Default)]
        #[repr(align(128))]
        pub(super) struct Counts {
            $(pub(super) $name: Count,)*
            /// Conns that are over, however they ended.
            pub(super) ended: Count,
        }

        impl Counts {
            pub(super) fn snapshot(&self, bytes_read: u64, bytes_written: u64) -> WorkerCounters {
                // Of these, those that did not end by themselves. They are counted last.
                let ended = self.ended.value();
                let cut = ended.saturating_sub(self.finished.value() + self.panicked.value());
                WorkerCounters { $($name: self.$name.value(),)* cut, bytes_read, bytes_written }
            }
        }
    };
}

counters! {
    /// Conns that this worker serves at present, or is about to.
    conns,
    /// Conns accepted by this worker, whoever serves them.
    accepted,
    /// Of these, the ones handed over to another worker.
    handed_over,
    /// Conns whose handler returned.
    finished,
    /// Conns whose handler panicked.
    panicked,
    /// Conns closed as soon as they were accepted, because their peer had as many as
    /// [`max_conns_per_peer`](crate::Server::max_conns_per_peer) admits.
    refused_by_peer,
    /// Conns closed because descriptors or memory had run out.
    refused_without_resources,
    /// Conns closed unserved at the end of a drain: they were queued when it began, and
    /// [`max_conns`](crate::Server::max_conns) had no place for them yet.
    refused_in_drain,
    /// Times that accepting waited for a conn to end, by [`max_conns`](crate::Server::max_conns).
    waits_for_conns,
    /// Times that accepting waited by [`accept_rate`](crate::Server::accept_rate).
    waits_by_rate,
    /// Times that accepting waited because descriptors or memory had run out.
    waits_for_resources,
    /// Conns ended by [`first_byte_timeout`](crate::Server::first_byte_timeout).
    first_byte_timeouts,
    /// Conns ended by [`idle_timeout`](crate::Server::idle_timeout).
    idle_timeouts,
    /// Times that the handler of [`serve_packets`](crate::Server::serve_packets) was called again, after it had returned or
    /// panicked.
    restarts,
}

/// One counter. Each is written by few threads, mostly one, and read seldom.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn increase(&self) {
        self.add(1);
    }

    pub(super) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::SeqCst);
    }

    /// Returns what is left.
    pub(super) fn decrease(&self) -> u64 {
        self.0.fetch_sub(1, Ordering::SeqCst) - 1
    }

    pub(super) fn value(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_sums() {
        let counts = [Counts::default(), Counts::default()];
        counts[0].accepted.increase();
        counts[1].accepted.increase();
        counts[1].conns.increase();
        assert_eq!(counts[1].conns.decrease(), 0);
        let workers = vec![counts[0].snapshot(1, 2), counts[1].snapshot(10, 20)];
        let total = Counters { workers }.total();
        assert_eq!((total.accepted, total.conns, total.bytes_read, total.bytes_written), (2, 0, 11, 22));
    }
}
