//! What a receive from a socket that keeps message boundaries gives.

/// One message received.
///
/// Unlike std and tokio, whose `recv_from` gives a pair and cuts a message that is longer than the buffer without a
/// word, this says so. Receives that give only a count, such as `recv` and `read`, make an error of it instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Received<A> {
    /// How many bytes of it are in the buffer. An empty message has 0.
    pub len: usize,
    /// Who sent it.
    pub from: A,
    /// Whether it was longer than the buffer. The rest is lost, unless it was only peeked at.
    pub truncated: bool,
}

impl<A> Received<A> {
    pub(crate) fn new(len: usize, truncated: bool, from: A) -> Received<A> {
        Received { len, from, truncated }
    }

    /// The same with the sender's address in another form.
    pub(crate) fn map_from<B>(self, map: impl FnOnce(A) -> B) -> Received<B> {
        Received { len: self.len, from: map(self.from), truncated: self.truncated }
    }
}
