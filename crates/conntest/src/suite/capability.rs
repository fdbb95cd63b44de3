//! What a connection must offer for a group of behaviours to be tried on it.

use std::fmt;
use std::future::Future;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

/// A byte stream in tokio's terms. Implemented for everything that qualifies.
pub trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> ByteStream for S {}

/// A connection whose methods take `&self`, so that several tasks can use it at once.
///
/// Implement it in your tests on a newtype around your connection; the methods are then one line each.
pub trait SharedConn: Send + Sync + 'static {
    /// What its calls fail with.
    type Error: fmt::Debug + fmt::Display + Send + 'static;

    /// Waits for data and takes what there is, at most the buffer's length. `Ok(0)` is the end: the peer has closed.
    ///
    /// With message boundaries: takes one message.
    fn read(&self, buffer: &mut [u8]) -> impl Future<Output = Result<usize, Self::Error>> + Send;

    /// Waits for room and writes `bytes`, or a part of them; returns how many were written.
    ///
    /// With message boundaries: sends one message, whole or not at all.
    fn write(&self, bytes: &[u8]) -> impl Future<Output = Result<usize, Self::Error>> + Send;

    /// Closes this end: calls that wait are woken and fail, later ones fail at once, both with an error of which
    /// [`is_closed`](SharedConn::is_closed) holds.
    fn close(&self) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Whether the error says that this end was closed on this side.
    fn is_closed(error: &Self::Error) -> bool;
}

/// A connection with deadlines that can be set, moved and removed (`None`) at any time, also while I/O waits.
///
/// Once a deadline has passed, every call of that direction fails with an error of which
/// [`is_timeout`](Deadlines::is_timeout) holds, until the deadline is moved or removed.
pub trait Deadlines: SharedConn {
    /// Sets both directions' deadline.
    fn set_deadline(&self, at: Option<Instant>) -> Result<(), Self::Error>;

    /// Sets the deadline of reads.
    fn set_read_deadline(&self, at: Option<Instant>) -> Result<(), Self::Error>;

    /// Sets the deadline of writes.
    fn set_write_deadline(&self, at: Option<Instant>) -> Result<(), Self::Error>;

    /// Whether the error says that a deadline passed.
    fn is_timeout(error: &Self::Error) -> bool;
}

/// A connection that can say where its ends are.
pub trait Addressed: SharedConn {
    /// How it names an end.
    type Addr: fmt::Debug + PartialEq + Send;

    /// This end.
    fn local_addr(&self) -> Result<Self::Addr, Self::Error>;

    /// The other end.
    fn peer_addr(&self) -> Result<Self::Addr, Self::Error>;
}
