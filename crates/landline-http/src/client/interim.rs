//! How much a server may say before it answers: any number of interim responses may come before the final one (RFC 9110
//! section 15.2), and hyper passes over them for as long as they do.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// In HTTP/1.1 what comes up to the head of the final response, and what is read behind it before we know, in bytes: hyper
/// keeps up to 408 KiB in its buffer, and may hand out as much of a body before anybody has asked for it.
const MOST_BYTES: u64 = 2 << 20;
/// In HTTP/2 how many interim responses may come on a conn since the last request was sent on it.
const MOST_HEADS: u64 = 10_000;
/// While no response is waited for.
const UNLIMITED: u64 = u64::MAX;

/// What a server may still say; of each conn one, which a request fills again.
#[derive(Debug)]
pub(super) struct Allowance {
    /// Whether it is heads that are counted, and not bytes.
    is_http2: bool,
    left: AtomicU64,
    is_spent: AtomicBool,
}

impl Allowance {
    /// In bytes, for one request at a time.
    pub(super) fn of_http1() -> Allowance {
        Allowance { is_http2: false, left: AtomicU64::new(UNLIMITED), is_spent: AtomicBool::new(false) }
    }

    /// In heads, for all the requests of a conn.
    pub(super) fn of_http2() -> Allowance {
        Allowance { is_http2: true, left: AtomicU64::new(MOST_HEADS), is_spent: AtomicBool::new(false) }
    }

    /// A request is about to be sent.
    pub(super) fn asked(&self) {
        if self.is_http2 {
            // It has a final head of its own, whatever is under way besides.
            let _ = self.left.fetch_update(Relaxed, Relaxed, |left| Some((left + 1).max(MOST_HEADS)));
        } else {
            self.left.store(MOST_BYTES, Relaxed);
        }
    }

    /// The head of a final response has come.
    pub(super) fn answered(&self) {
        if !self.is_http2 {
            self.left.store(UNLIMITED, Relaxed);
        }
    }

    /// Takes this much of it, bytes or heads; false where there is not as much.
    pub(super) fn take(&self, count: u64) -> bool {
        if count == 0 || self.left.load(Relaxed) == UNLIMITED {
            return true;
        }
        let taken = self.left.fetch_update(Relaxed, Relaxed, |left| {
            // It may have been answered meanwhile.
            if left == UNLIMITED { Some(left) } else { left.checked_sub(count) }
        });
        if taken.is_err() {
            self.is_spent.store(true, Relaxed);
        }
        taken.is_ok()
    }

    /// Which limit was passed, where one was.
    pub(super) fn passed(&self) -> Option<&'static str> {
        let limit = if self.is_http2 { "10000 on one conn" } else { "2 MiB" };
        self.is_spent.load(Relaxed).then_some(limit)
    }
}

/// Counts the heads of responses among the frames of HTTP/2 (RFC 9113 section 4.1), however they are cut.
///
/// What ends a stream is no interim response, and only one other head of a stream is none either (section 8.1): so those
/// are counted that do not end it, and nothing of the headers need be decoded.
#[derive(Debug, Default)]
pub(super) struct Heads {
    /// The beginning of a frame's own header.
    header: [u8; HEADER],
    held: usize,
    /// What is left of a frame's payload.
    payload: usize,
}

/// The length of a frame's header, in bytes.
const HEADER: usize = 9;
const HEADERS: u8 = 1;
const END_STREAM: u8 = 1;

impl Heads {
    /// How many begin in the bytes that follow those of the last call.
    pub(super) fn count(&mut self, mut bytes: &[u8]) -> u64 {
        let mut heads = 0;
        loop {
            let passed = self.payload.min(bytes.len());
            self.payload -= passed;
            bytes = &bytes[passed..];
            let wanted = (HEADER - self.held).min(bytes.len());
            self.header[self.held..self.held + wanted].copy_from_slice(&bytes[..wanted]);
            self.held += wanted;
            bytes = &bytes[wanted..];
            if self.held < HEADER {
                return heads;
            }
            let [high, middle, low, kind, flags, ..] = self.header;
            self.held = 0;
            self.payload = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
            heads += u64::from(kind == HEADERS && flags & END_STREAM == 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_count_until_the_answer_is_there() {
        let allowance = Allowance::of_http1();
        assert!(allowance.take(MOST_BYTES + 1), "nobody has asked");
        for _ in 0..2 {
            allowance.asked();
            assert!(allowance.take(MOST_BYTES));
            allowance.answered();
            assert!(allowance.take(u64::MAX));
        }
        allowance.asked();
        assert!(allowance.take(MOST_BYTES - 1) && allowance.passed().is_none());
        assert!(!allowance.take(2));
        assert_eq!(allowance.passed(), Some("2 MiB"));
    }

    #[test]
    fn heads_count_since_the_last_request() {
        let allowance = Allowance::of_http2();
        // As many requests as one likes may wait for their heads at once.
        for _ in 0..3 * MOST_HEADS {
            allowance.asked();
        }
        assert!(allowance.take(3 * MOST_HEADS));
        allowance.answered();
        assert!(allowance.take(MOST_HEADS) && allowance.take(0));
        allowance.asked();
        assert!(allowance.take(MOST_HEADS) && allowance.passed().is_none());
        assert!(!allowance.take(1));
        assert_eq!(allowance.passed(), Some("10000 on one conn"));
    }

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
    }

    #[test]
    fn heads_are_found_among_frames_however_they_are_cut() {
        let head_like = frame(HEADERS, 0, b"");
        let all = [
            frame(4, 0, &[0; 12]),
            frame(HEADERS, 4, &[0x88]),
            // What is in a payload is no frame.
            frame(0, 0, &head_like.repeat(3)),
            frame(HEADERS, 4 | END_STREAM, &[0x88; 300]),
            frame(HEADERS, 0, b""),
            frame(9, 4, b"continued"),
            frame(0, END_STREAM, b""),
            frame(HEADERS, 4, &[0; 70_000]),
        ]
        .concat();
        for size in [1, 2, 3, 8, 9, 10, 11, 100, all.len()] {
            let mut heads = Heads::default();
            let found: u64 = all.chunks(size).map(|piece| heads.count(piece)).sum();
            assert_eq!(found, 3, "in pieces of {size}");
        }
    }
}
