//! What a response carries.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::read::{Reader, cached_length};
use super::root::File;

/// The body of a [`FileServer`](super::FileServer)'s response: bytes, and ranges of a file, which are read 64 KiB at a
/// time, when they are asked for; or not at all, where a server has the kernel send them
/// ([`FileServer`](super::FileServer#what-is-never-read)).
///
/// Its length is known from the start. A file that has become shorter since is an error
/// ([`UnexpectedEof`](io::ErrorKind::UnexpectedEof)), which ends the conn, as the length was announced.
///
/// Bytes that are not in the page cache are read by a thread of tokio's pool: it has to be polled within a tokio runtime.
/// Dropping it gives up what it waits for; a read that has begun ends unheard.
#[derive(Default)]
pub struct Body {
    pieces: VecDeque<Piece>,
    reader: Option<Reader>,
}

/// From so many bytes on, it pays that the kernel sends a file by itself (sendfile(2)). Over kept conns on loopback, requests
/// for 64 KiB so cost the server 0.9 of the CPU that reading and writing them does, for 256 KiB 0.4, and for 64 MiB 0.25; for
/// 32 KiB they cost the same, and for 16 KiB 1.1 (2026-11-26, Linux 6.18, medians of 9 to 25 interleaved rounds).
const WORTH_SENDING: u64 = 64 * 1024;

/// Neither is ever empty.
pub(super) enum Piece {
    Bytes(Bytes),
    /// Of the reader's file.
    Range(Range<u64>),
}

impl Body {
    pub(super) fn empty() -> Body {
        Body::default()
    }

    pub(super) fn of_bytes(bytes: impl Into<Bytes>) -> Body {
        Body {
            pieces: [Piece::Bytes(bytes.into())].into_iter().filter(Piece::is_some).collect(),
            reader: None,
        }
    }

    pub(super) fn of_file(file: &File, pieces: impl IntoIterator<Item = Piece>) -> Body {
        Body {
            pieces: pieces.into_iter().filter(Piece::is_some).collect(),
            reader: Some(Reader::new(file.descriptor.clone())),
        }
    }

    /// Takes a part of the file that comes next, as what is to be sent by other means than reading it: of `most` bytes at
    /// most, and only where that pays and nobody has to wait for a disk.
    pub(crate) fn take_part(&mut self, most: usize) -> Option<(Arc<fs::File>, Range<u64>)> {
        let Body { pieces, reader } = self;
        let (Some(Piece::Range(range)), Some(reader)) = (pieces.front_mut(), reader) else { return None };
        let file = reader.idle_file()?;
        let length = (range.end - range.start).min(most as u64);
        if length < WORTH_SENDING {
            return None;
        }
        let length = cached_length(file, range.start, length);
        if length < WORTH_SENDING {
            return None;
        }
        let part = range.start..range.start + length;
        range.start = part.end;
        let file = file.clone();
        if range.is_empty() {
            pieces.pop_front();
        }
        Some((file, part))
    }

    /// How many bytes are left.
    fn length(&self) -> u64 {
        self.pieces.iter().map(Piece::length).sum()
    }
}

impl Piece {
    pub(super) fn length(&self) -> u64 {
        match self {
            Piece::Bytes(bytes) => bytes.len() as u64,
            Piece::Range(range) => range.end - range.start,
        }
    }

    fn is_some(&self) -> bool {
        self.length() > 0
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Body { pieces, reader } = self.get_mut();
        let frame = match (pieces.front_mut(), reader) {
            (Some(Piece::Range(range)), Some(reader)) => {
                let read = ready!(reader.poll_read(cx, range.start, range.end - range.start));
                match read {
                    Ok(bytes) if bytes.is_empty() => Err(shorter()),
                    Ok(bytes) => {
                        range.start += bytes.len() as u64;
                        Ok(bytes)
                    }
                    Err(error) => Err(error),
                }
            }
            (Some(Piece::Bytes(bytes)), _) => Ok(std::mem::take(bytes)),
            (None | Some(Piece::Range(_)), _) => return Poll::Ready(None),
        };
        match &frame {
            Ok(_) if pieces.front().is_some_and(|piece| !piece.is_some()) => drop(pieces.pop_front()),
            Ok(_) => {}
            // Nothing comes behind an error.
            Err(_) => pieces.clear(),
        }
        Poll::Ready(Some(frame.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length())
    }
}

/// The error of a file that ends before its length.
pub(crate) fn shorter() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the file has become shorter")
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Body({} bytes)", self.length())
    }
}
