//! Which path the bytes take, decided from what the two sides are and from how much comes at a time. Pure.

use super::copied::{CopyPath, Detour};

/// What one read takes while splice might follow: measured, a read and a write of so much cost what two splices do.
/// Whatever fills it goes on by splice.
pub(super) const SMALL_READ: usize = 16 * 1024;
/// What one read takes of a stream that cannot be spliced; a record of TLS is a quarter of it.
pub(super) const LARGE_READ: usize = 64 * 1024;
/// No datagram is longer, and a record of a Unix socket only where its send buffer was enlarged.
pub(super) const MESSAGE_READ: usize = 256 * 1024;
/// What one message carries at most when it is made of a stream: it passes on every path (RFC 9000 section 14).
pub(super) const CUT_READ: usize = 1200;

/// A splice of less than this would have been cheaper as a read and a write.
const SMALL_SPLICE: usize = SMALL_READ / 2;
/// So many of those in a row, and it goes back to reading: a lull in a bulk transfer is no reason.
const SMALL_SPLICES: u8 = 4;

/// What a side of a copy is, as far as the path depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A stream socket.
    Socket,
    /// A stream without a descriptor.
    Stream,
    /// A socket that keeps the boundaries of messages.
    Messages {
        /// Whether an empty one is the end.
        end: bool,
    },
    /// A file that has a size.
    File,
    /// A file that has none to go by.
    SizelessFile,
}

/// The path now, and what could change it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route {
    path: CopyPath,
    /// Whether splice is possible.
    splices: bool,
    /// Why the path is not, or not always, the shortest.
    detour: Option<Detour>,
    read: usize,
    small_splices: u8,
}

impl Route {
    pub(super) fn between(source: Kind, sink: Kind) -> Route {
        let (path, splices, detour) = match (source, sink) {
            (Kind::Messages { .. }, _) | (_, Kind::Messages { .. }) => {
                (CopyPath::Buffer, false, Some(Detour::Messages))
            }
            (Kind::File, Kind::Socket) => (CopyPath::SendFile, false, None),
            (Kind::SizelessFile, Kind::Socket) => (CopyPath::Buffer, false, Some(Detour::UnknownSize)),
            // Read first: most copies begin with something small.
            (Kind::Socket, Kind::Socket) => (CopyPath::Buffer, true, Some(Detour::Small)),
            _ => (CopyPath::Buffer, false, Some(Detour::NoDescriptor)),
        };
        let read = match (source, sink) {
            (Kind::Messages { .. }, _) => MESSAGE_READ,
            (_, Kind::Messages { .. }) => CUT_READ,
            _ if splices => SMALL_READ,
            _ => LARGE_READ,
        };
        Route { path, splices, detour, read, small_splices: 0 }
    }

    /// What to do next.
    pub(super) fn path(&self) -> CopyPath {
        self.path
    }

    /// How much a read takes at most.
    pub(super) fn room(&self) -> usize {
        self.read
    }

    /// Why bytes that are read now do not take a shorter path.
    pub(super) fn detour(&self) -> Option<Detour> {
        self.detour
    }

    /// A read gave so many bytes.
    pub(super) fn has_read(&mut self, count: usize) {
        if self.splices && count >= SMALL_READ {
            self.path = CopyPath::Splice;
            self.small_splices = 0;
        }
    }

    /// A splice gave so many bytes.
    pub(super) fn has_spliced(&mut self, count: usize) {
        self.small_splices = if count < SMALL_SPLICE { self.small_splices + 1 } else { 0 };
        if self.small_splices >= SMALL_SPLICES {
            self.path = CopyPath::Buffer;
        }
    }

    /// The kernel's own path cannot be taken, now or later.
    pub(super) fn go_round(&mut self, why: Detour) {
        self.path = CopyPath::Buffer;
        self.splices = false;
        self.detour = Some(why);
        self.read = LARGE_READ;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_follows_from_what_the_sides_are() {
        use CopyPath::{Buffer, SendFile};
        let records = Kind::Messages { end: true };
        let datagrams = Kind::Messages { end: false };
        for (source, sink, path, detour, room) in [
            (Kind::Socket, Kind::Socket, Buffer, Some(Detour::Small), SMALL_READ),
            (Kind::Socket, Kind::Stream, Buffer, Some(Detour::NoDescriptor), LARGE_READ),
            (Kind::Stream, Kind::Socket, Buffer, Some(Detour::NoDescriptor), LARGE_READ),
            (Kind::Stream, Kind::Stream, Buffer, Some(Detour::NoDescriptor), LARGE_READ),
            (Kind::File, Kind::Socket, SendFile, None, LARGE_READ),
            (Kind::SizelessFile, Kind::Socket, Buffer, Some(Detour::UnknownSize), LARGE_READ),
            (Kind::File, Kind::Stream, Buffer, Some(Detour::NoDescriptor), LARGE_READ),
            (Kind::File, datagrams, Buffer, Some(Detour::Messages), CUT_READ),
            (Kind::Socket, records, Buffer, Some(Detour::Messages), CUT_READ),
            (records, Kind::Socket, Buffer, Some(Detour::Messages), MESSAGE_READ),
            (datagrams, records, Buffer, Some(Detour::Messages), MESSAGE_READ),
        ] {
            let route = Route::between(source, sink);
            assert_eq!(
                (route.path(), route.detour(), route.room()),
                (path, detour, room),
                "{source:?} {sink:?}"
            );
        }
    }

    #[test]
    fn it_splices_once_a_read_is_full_and_reads_after_several_small_splices() {
        let mut route = Route::between(Kind::Socket, Kind::Socket);
        route.has_read(SMALL_READ - 1);
        assert_eq!(route.path(), CopyPath::Buffer);
        route.has_read(SMALL_READ);
        assert_eq!(route.path(), CopyPath::Splice);
        for _ in 0..2 {
            for _ in 1..SMALL_SPLICES {
                route.has_spliced(1);
            }
            assert_eq!(route.path(), CopyPath::Splice);
            route.has_spliced(SMALL_SPLICE);
        }
        for _ in 0..SMALL_SPLICES {
            assert_eq!(route.path(), CopyPath::Splice);
            route.has_spliced(SMALL_SPLICE - 1);
        }
        assert_eq!(route.path(), CopyPath::Buffer);
    }

    #[test]
    fn what_cannot_be_spliced_never_is() {
        for (source, sink) in [(Kind::Socket, Kind::Stream), (Kind::Stream, Kind::Socket)] {
            let mut route = Route::between(source, sink);
            route.has_read(route.room());
            assert_eq!(route.path(), CopyPath::Buffer);
        }
    }

    #[test]
    fn a_refusal_is_final() {
        let mut route = Route::between(Kind::Socket, Kind::Socket);
        route.has_read(SMALL_READ);
        route.go_round(Detour::Urgent);
        assert_eq!(
            (route.path(), route.detour(), route.room()),
            (CopyPath::Buffer, Some(Detour::Urgent), LARGE_READ)
        );
        route.has_read(LARGE_READ);
        assert_eq!(route.path(), CopyPath::Buffer);
    }
}
