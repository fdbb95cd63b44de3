//! What a response carries.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::read::Reader;
use super::root::File;

/// The body of a [`FileServer`](super::FileServer)'s response: bytes, and ranges of a file, which are read 64 KiB at a
/// time, when they are asked for.
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
                    Ok(bytes) if bytes.is_empty() => {
                        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file has become shorter"))
                    }
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

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Body({} bytes)", self.length())
    }
}
