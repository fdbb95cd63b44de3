//! What a server counts.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// What a server has done up to a moment; taken by [`Serving::http_counters`](super::Serving::http_counters).
///
/// Requests are counted when their heads are complete, responses when the last of them has been handed to the kernel or
/// given up. Bytes are those of the conns, after TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Requests that had a handler or were refused.
    pub requests: u64,
    /// Requests that are being answered.
    pub in_flight: u64,
    /// Responses by the first digit of their status, from 1xx to 5xx.
    pub responses: [u64; 5],
    /// Requests that had no response, or not all of it, because their conn, handler or body ended before.
    pub aborted: u64,
    /// Handlers that panicked.
    pub panicked: u64,
    /// Conns that were cut, and streams of HTTP/2 that were reset, because their peer was too slow.
    pub late: u64,
    /// Bytes received.
    pub received: u64,
    /// Bytes sent.
    pub sent: u64,
    /// Of these, the bytes of files that the kernel took by itself (sendfile(2)).
    pub sent_from_files: u64,
    /// The time from the head of each request to the end of its response, all together.
    pub time: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    /// By the one thread of a worker, so without a locked instruction. What an upgraded conn counts on another thread
    /// may get lost.
    pub(super) fn add(&self, count: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(count), Relaxed);
    }

    fn now(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Those of one worker.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) requests: Count,
    ended: Count,
    responses: [Count; 5],
    pub(super) aborted: Count,
    pub(super) panicked: Count,
    pub(super) late: Count,
    pub(super) received: Count,
    pub(super) sent: Count,
    pub(super) sent_from_files: Count,
    nanos: Count,
}

impl Counts {
    pub(super) fn ended(&self, status: Option<u16>, is_whole: bool, time: Duration) {
        self.ended.add(1);
        self.nanos.add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        if let Some(class @ 1..=5) = status.map(|status| usize::from(status / 100)) {
            self.responses[class - 1].add(1);
        }
        if status.is_none() || !is_whole {
            self.aborted.add(1);
        }
    }

    pub(super) fn add_to(&self, all: &mut Counters) {
        let (requests, ended) = (self.requests.now(), self.ended.now());
        all.requests += requests;
        all.in_flight += requests.saturating_sub(ended);
        for (class, count) in self.responses.iter().enumerate() {
            all.responses[class] += count.now();
        }
        all.aborted += self.aborted.now();
        all.panicked += self.panicked.now();
        all.late += self.late.now();
        all.received += self.received.now();
        all.sent += self.sent.now();
        all.sent_from_files += self.sent_from_files.now();
        all.time += Duration::from_nanos(self.nanos.now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_added_up() {
        let counts = Counts::default();
        counts.requests.add(3);
        counts.ended(Some(200), true, Duration::from_millis(2));
        counts.ended(None, false, Duration::from_millis(1));
        let mut all = Counters::default();
        counts.add_to(&mut all);
        counts.add_to(&mut all);
        let expected = Counters {
            requests: 6,
            in_flight: 2,
            responses: [0, 2, 0, 0, 0],
            aborted: 2,
            time: Duration::from_millis(6),
            ..Counters::default()
        };
        assert_eq!(all, expected);
    }
}
