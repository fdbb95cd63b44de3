//! The limit: an epoll loop that parses nothing. It answers the end of a head with what it has ready.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
};

use crate::{
    bare::{self, Fate, Service, Sockets, Told, fate_of},
    head::END,
    sockets,
};

pub(crate) fn serve() -> io::Result<()> {
    let response = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {}\r\ncontent-length: {}\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n{}",
        super::TEXT,
        super::HELLO.len(),
        super::HELLO
    );
    bare::serve(&sockets::listen()?, Hello { response: response.into_bytes(), buffer: vec![0; 4096] })
}

struct Hello {
    response: Vec<u8>,
    buffer: Vec<u8>,
}

struct Conn {
    socket: OwnedFd,
    /// How many bytes of the end of a head were the last that came.
    seen: usize,
}

impl Sockets for Conn {
    fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        [self.socket.as_fd()].into_iter()
    }
}

impl Service for Hello {
    type Conn = Conn;

    fn open(&mut self, accepted: OwnedFd) -> io::Result<Conn> {
        Ok(Conn { socket: accepted, seen: 0 })
    }

    /// The next request comes only after the response: the load sees to that.
    fn ready(&mut self, conn: &mut Conn, told: Told) -> Fate {
        loop {
            let len = match rustix::io::read(&conn.socket, &mut *self.buffer) {
                Ok(0) => return Fate::Over,
                Ok(len) => len,
                Err(error) => return fate_of(error),
            };
            conn.seen = seen(conn.seen, &self.buffer[..len]);
            if conn.seen == END.len() {
                conn.seen = 0;
                if rustix::io::write(&conn.socket, &self.response) != Ok(self.response.len()) {
                    return Fate::Over;
                }
            }
            // Less than the buffer holds was all there is, unless the end is behind it.
            if len < self.buffer.len() && !told.ends() {
                return Fate::Open;
            }
        }
    }
}

/// How much of the end of a head the last bytes are, after `before` of it and these.
fn seen(before: usize, bytes: &[u8]) -> usize {
    // What came before matters only for as many bytes as an end has.
    if bytes.ends_with(END) {
        return END.len();
    }
    let last = &bytes[bytes.len().saturating_sub(END.len() - 1)..];
    let before = if last.len() == bytes.len() { before } else { 0 };
    last.iter().fold(before, |seen, byte| match byte {
        byte if END.get(seen) == Some(byte) => seen + 1,
        b'\r' => 1,
        _ => 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_head_is_seen_however_it_comes() {
        assert_eq!(seen(0, super::super::REQUEST), END.len());
        for pieces in [
            &["GET\r", "\n", "\r", "\n"][..],
            &["GET /\r\n\r", "\n"],
            &["G\r\r\n", "\r\n"],
            &["\r", "\n\r\n"],
        ] {
            let end = pieces.iter().fold(0, |before, piece| {
                assert!(before < END.len(), "{pieces:?}");
                seen(before, piece.as_bytes())
            });
            assert_eq!(end, END.len(), "{pieces:?}");
        }
        for (before, piece, after) in
            [(0, "GET", 0), (2, "x", 0), (2, "\n", 0), (3, "\r", 1), (3, "GET /", 0)]
        {
            assert_eq!(seen(before, piece.as_bytes()), after, "{before} {piece:?}");
        }
    }
}
