//! What must hold of both ends whatever the peer sends. The fuzzer calls these functions with inputs of its own finding
//! (`fuzz/`), and a test here calls them with seeds and a few thousand variations.
//!
//! Not part of the API: it is only there when testing or fuzzing.

#![allow(missing_docs)] // Each is named after the end that is fuzzed.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::codec::Wire;

pub use crate::client::fuzzing::client;
pub use crate::server::fuzzing::server;

/// A conn on which these bytes come, a few at a time, and then the end.
pub(crate) struct Script<'a> {
    pub(crate) incoming: &'a [u8],
    pub(crate) chunk: usize,
    pub(crate) sent: Vec<u8>,
}

/// Messages may be this long, so that the fuzzer finds the limit.
pub(crate) const LONGEST: usize = 4096;

impl<'a> Script<'a> {
    /// The first byte says how it comes, the rest is what comes.
    pub(crate) fn of(data: &'a [u8]) -> Option<(Wire, Script<'a>)> {
        let (&first, incoming) = data.split_first()?;
        let wire = if first & 1 == 0 { Wire::Gob } else { Wire::Json };
        Some((wire, Script { incoming, chunk: usize::from(first >> 1) + 1, sent: Vec::new() }))
    }
}

impl AsyncRead for Script<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let count = self.chunk.min(self.incoming.len()).min(buffer.remaining());
        let (now, later) = self.incoming.split_at(count);
        buffer.put_slice(now);
        self.incoming = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script<'_> {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.sent.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Polls what waits for nothing but the script.
pub(crate) fn poll_through<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    let mut cx = Context::from_waker(Waker::noop());
    // Once for callers to be let go first, and once more.
    for _ in 0..1000 {
        if let Poll::Ready(done) = poll(&mut cx) {
            return done;
        }
    }
    panic!("it does not come to an end");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Codec, Header, RequestWriter, ServerCodec};

    const VARIATIONS: usize = 3000;

    /// What ends send each other.
    fn seeds(write: impl Fn(Wire, &mut Vec<u8>)) -> Vec<Vec<u8>> {
        let mut seeds = Vec::new();
        for (first, wire) in [(0xfe, Wire::Gob), (0x04, Wire::Gob), (0xff, Wire::Json), (0x05, Wire::Json)] {
            let mut seed = vec![first];
            write(wire, &mut seed);
            seeds.push(seed);
        }
        seeds
    }

    fn vary(seeds: &[Vec<u8>], random: &mut fastrand::Rng) -> Vec<u8> {
        let mut bytes = random.choice(seeds).expect("there are some").clone();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(1..bytes.len());
            match random.u8(..5) {
                0 => bytes[at] = random.u8(..),
                1 => bytes[at] ^= 1 << random.u8(..8),
                2 => bytes.insert(at, random.u8(..)),
                3 => drop(bytes.drain(at..(at + random.usize(..8)).min(bytes.len()))),
                _ => {
                    let other = random.choice(seeds).expect("there are some");
                    bytes.extend_from_slice(&other[random.usize(1..other.len())..]);
                }
            }
            if bytes.len() < 2 {
                return vary(seeds, random);
            }
        }
        bytes
    }

    fn attempt_all(seeds: &[Vec<u8>], target: fn(&[u8])) {
        let mut random = fastrand::Rng::with_seed(0x1a4d_714e);
        seeds.iter().for_each(|seed| target(seed));
        for _ in 0..VARIATIONS {
            let input = vary(seeds, &mut random);
            let attempt = std::panic::catch_unwind(|| target(&input));
            assert!(attempt.is_ok(), "breaks on b\"{}\"", input.escape_ascii());
        }
    }

    #[test]
    fn no_request_breaks_a_server() {
        let seeds = seeds(|wire, out| {
            let mut requests = wire.requests(LONGEST);
            for (sequence, method) in [(0, "A.Nothing"), (1, "A.Text"), (2, "A.Number"), (3, "B.Missing")] {
                let header = Header { method: method.into(), sequence };
                let args = &"some text".to_owned();
                let _ = match sequence {
                    1 => requests.request(&header, args, out),
                    2 => requests.request(&header, &77_i64, out),
                    _ => requests.request(&header, &(), out),
                };
            }
        });
        attempt_all(&seeds, server);
    }

    #[test]
    fn no_reply_breaks_a_client() {
        let seeds = seeds(|wire, out| {
            let mut replies = wire.server(LONGEST);
            for sequence in 0..4 {
                let header = Header { method: "A.Number".into(), sequence };
                match sequence {
                    1 => replies.error(&header, "no", out),
                    2 => drop(replies.reply(&header, &"text".to_owned(), out)),
                    _ => drop(replies.reply(&header, &77_i64, out)),
                }
            }
        });
        attempt_all(&seeds, client);
    }
}
