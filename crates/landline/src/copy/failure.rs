//! Which side of a copy failed, and why.

use std::io;

use rustix::io::Errno;

use super::end::sealed::Side;
use crate::error::{Cause, Error, Operation};

/// Boxed, so that what usually succeeds returns little.
#[derive(Debug)]
pub(super) struct Failure(Box<(Culprit, Cause)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Culprit {
    Source,
    Sink,
}

impl Failure {
    #[cold]
    pub(super) fn of_source(cause: impl Into<Cause>) -> Failure {
        Failure(Box::new((Culprit::Source, cause.into())))
    }

    #[cold]
    pub(super) fn of_sink(cause: impl Into<Cause>) -> Failure {
        Failure(Box::new((Culprit::Sink, cause.into())))
    }

    /// The sink took nothing of something, which no sink should.
    pub(super) fn no_progress() -> Failure {
        Failure::of_sink(io::Error::from(io::ErrorKind::WriteZero))
    }

    /// Whether the other direction between the same two goes on.
    ///
    /// A conn that cannot be written to may still have sent something, such as the answer of a server that would not
    /// hear the rest; reading it to its end costs nothing, since a conn that is dead has one. One that cannot be read
    /// from can usually not be written to either, and what was read before has been delivered. A limit of the caller's
    /// ends all.
    pub(super) fn leaves_the_other(&self) -> bool {
        let (culprit, cause) = &*self.0;
        let by_limit = matches!(cause, Cause::Timeout | Cause::Canceled { .. } | Cause::Closed);
        *culprit == Culprit::Sink && !by_limit
    }

    /// Whether the sink has been reset, so that what it has sent is no whole.
    ///
    /// The error is told once, and a read after that gives an end. A sink that has ended what it sends before it was reset
    /// has another error, `EPIPE` (tcp_reset in net/ipv4/tcp_input.c).
    pub(super) fn is_reset_of_sink(&self) -> bool {
        let (culprit, cause) = &*self.0;
        *culprit == Culprit::Sink && matches!(cause, Cause::System { error: Errno::CONNRESET, .. })
    }

    /// Named after the side that failed.
    pub(super) fn into_error(self, source: &(impl Side + ?Sized), sink: &(impl Side + ?Sized)) -> Error {
        let (culprit, cause) = *self.0;
        match culprit {
            Culprit::Source => source.error(Operation::Read, cause),
            Culprit::Sink => sink.error(Operation::Write, cause),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sink_that_broke_leaves_the_other_direction_going() {
        for (failure, goes_on) in [
            (Failure::of_sink(Errno::PIPE), true),
            (Failure::no_progress(), true),
            (Failure::of_sink(Cause::Timeout), false),
            (Failure::of_sink(Cause::Canceled { cause: None }), false),
            (Failure::of_sink(Cause::Closed), false),
            (Failure::of_source(Errno::CONNRESET), false),
            (Failure::of_source(Cause::Timeout), false),
        ] {
            assert_eq!(failure.leaves_the_other(), goes_on, "{failure:?}");
        }
    }
}
