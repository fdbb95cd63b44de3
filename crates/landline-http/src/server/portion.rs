//! Some bytes of a response, as hyper has them until they are sent.

use std::io::IoSlice;
use std::sync::Arc;

use bytes::{Buf, Bytes};

use super::send_file::Stretch;
use super::stream::Stream;

/// Bytes of a handler's, or the server's own. In HTTP/2 their stream hears what becomes of them.
pub(super) struct Portion<D: Buf> {
    data: Data<D>,
    /// How much of it: hyper asks several times.
    left: usize,
    stream: Option<Arc<Stream>>,
}

pub(super) enum Data<D> {
    Body(D),
    /// A piece of a longer one, or of a file.
    Piece(Bytes),
    /// What the kernel has to send in its stead.
    Stretch(Box<Stretch>),
    Words(&'static [u8]),
}

impl<D: Buf> Portion<D> {
    pub(super) fn new(data: Data<D>, stream: Option<Arc<Stream>>) -> Portion<D> {
        let left = data.remaining();
        if let Some(stream) = &stream {
            stream.given(left);
        }
        Portion { data, left, stream }
    }
}

impl<D: Buf> Data<D> {
    fn remaining(&self) -> usize {
        match self {
            Data::Body(data) => data.remaining(),
            Data::Piece(piece) => piece.remaining(),
            Data::Stretch(stretch) => stretch.remaining(),
            Data::Words(words) => words.len(),
        }
    }
}

impl<D: Buf> Drop for Portion<D> {
    fn drop(&mut self) {
        if let Some(stream) = &self.stream {
            stream.sent(self.left);
        }
    }
}

impl<D: Buf> Buf for Portion<D> {
    fn remaining(&self) -> usize {
        self.left
    }

    fn chunk(&self) -> &[u8] {
        match &self.data {
            Data::Body(data) => data.chunk(),
            Data::Piece(piece) => piece.chunk(),
            Data::Stretch(stretch) => stretch.chunk(),
            Data::Words(words) => words,
        }
    }

    fn advance(&mut self, count: usize) {
        match &mut self.data {
            Data::Body(data) => data.advance(count),
            Data::Piece(piece) => piece.advance(count),
            Data::Stretch(stretch) => stretch.advance(count),
            Data::Words(words) => words.advance(count),
        }
        self.left -= count;
        if let Some(stream) = &self.stream {
            stream.sent(count);
        }
    }

    fn chunks_vectored<'a>(&'a self, parts: &mut [IoSlice<'a>]) -> usize {
        match &self.data {
            Data::Body(data) => data.chunks_vectored(parts),
            Data::Piece(piece) => piece.chunks_vectored(parts),
            Data::Stretch(stretch) => stretch.chunks_vectored(parts),
            Data::Words(words) => words.chunks_vectored(parts),
        }
    }
}
