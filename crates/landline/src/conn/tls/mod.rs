//! TLS over another conn (feature `tls`).

mod stream;
mod turns;

use std::io::IoSlice;
use std::sync::Arc;
use std::task::{self, Poll};

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};
use tokio::io::ReadBuf;

use self::stream::Stream;
use super::shared::{half_close_methods, limit_methods, read_write_methods};
use super::{Conn, ConnKind, StreamConn, impl_async_io};
use crate::addr::Addr;
use crate::error::{Cause, Error, Operation, Result};

/// TLS, spoken by rustls over a stream conn: TCP, a Unix stream, a pipe, or TLS again.
///
/// It behaves as the conn below does: all methods take `&self`, deadlines and a bound context are that conn's and hold
/// for calls that already wait, a close wakes whoever waits. Ending the writing side sends a `close_notify`, and a peer
/// that ends without one is an error ([`Cause::UnexpectedEof`]), since the end may be an attacker's (RFC 8446 section
/// 6.1).
///
/// A write returns when all it took has gone to the conn below. The records of a write that fails or is cancelled after
/// it took bytes go out before those of the next call; through `AsyncWrite` the last need a flush, as everywhere.
///
/// # Cancellation
/// Dropping the future of a read loses nothing. A write that is dropped may have taken its bytes, and sends them all the
/// same.
pub struct TlsConn {
    stream: Arc<Stream>,
}

impl TlsConn {
    /// Shakes hands as a client, with the server of the name `name`, which may be an IP address.
    ///
    /// # Errors
    /// If `name` is neither, `conn` is no stream, or the handshake fails; `conn` is then closed.
    ///
    /// # Cancellation
    /// Dropping the future closes `conn`.
    pub async fn connect(conn: Conn, name: &str, config: Arc<ClientConfig>) -> Result<TlsConn> {
        let session = ServerName::try_from(name.to_owned())
            .map_err(|error| Cause::Other(Arc::new(error)))
            .and_then(|name| ClientConnection::new(config, name).map_err(stream::failed));
        match session {
            Ok(session) => TlsConn::shake_hands(conn, session.into()).await,
            Err(cause) => Err(conn.error(Operation::Dial, cause)),
        }
    }

    /// Shakes hands as a server.
    ///
    /// # Errors
    /// If `conn` is no stream, or the handshake fails; `conn` is then closed.
    ///
    /// # Cancellation
    /// Dropping the future closes `conn`.
    pub async fn accept(conn: Conn, config: Arc<ServerConfig>) -> Result<TlsConn> {
        match ServerConnection::new(config) {
            Ok(session) => TlsConn::shake_hands(conn, session.into()).await,
            Err(error) => Err(conn.error(Operation::Accept, stream::failed(error))),
        }
    }

    async fn shake_hands(conn: Conn, session: Connection) -> Result<TlsConn> {
        let operation = match &session {
            Connection::Client(_) => Operation::Dial,
            Connection::Server(_) => Operation::Accept,
        };
        if matches!(conn, Conn::Udp(_) | Conn::Ip(_)) {
            let reason = std::io::Error::new(std::io::ErrorKind::Unsupported, "TLS needs a stream");
            return Err(conn.error(operation, reason.into()));
        }
        let stream = Stream::new(conn, session);
        match stream.handshake().await {
            Ok(()) => Ok(TlsConn { stream: Arc::new(stream) }),
            Err(cause) => Err(stream.below().error(operation, cause)),
        }
    }

    read_write_methods!(stream);
    half_close_methods!(stream);
    limit_methods!(stream);

    /// Reads what has arrived without taking it: the next read gives the same bytes again.
    pub async fn peek(&self, buffer: &mut [u8]) -> Result<usize> {
        self.named(Operation::Read, self.stream.peek(buffer).await)
    }

    /// Closes the conn, with a `close_notify` where that can be sent at once: whoever waits on it is woken, and every
    /// later call fails with an error that [`Error::is_closed`] knows. Dropping the conn closes it without.
    pub fn close(&self) -> Result<()> {
        self.named(Operation::Close, self.stream.close())
    }

    /// The local address of the conn below.
    pub fn local_addr(&self) -> Result<Addr> {
        self.below().local_addr()
    }

    /// The peer's address of the conn below.
    pub fn peer_addr(&self) -> Result<Addr> {
        self.below().peer_addr()
    }

    /// The conn below. What is read from it or written to it is missing above.
    pub fn below(&self) -> &Conn {
        self.stream.below()
    }

    /// The protocol that was agreed on in the handshake (ALPN, RFC 7301), where one was.
    pub fn alpn_protocol(&self) -> Option<Vec<u8>> {
        self.stream.with_session(|session| session.alpn_protocol().map(<[u8]>::to_vec))
    }

    /// The certificate that the peer has shown, and behind it those it was signed with, as far as the peer sent them. A
    /// server's clients have none unless they were asked for it. They are what rustls has verified, and in a session that
    /// was resumed those of the first.
    pub fn peer_certificates(&self) -> Option<Vec<CertificateDer<'static>>> {
        self.stream.with_session(|session| {
            session
                .peer_certificates()
                .map(|chain| chain.iter().cloned().map(CertificateDer::into_owned).collect())
        })
    }

    /// The version and the cipher suite, in words for people.
    pub fn description(&self) -> String {
        self.stream.with_session(|session| {
            let version =
                session.protocol_version().map_or("TLS", |version| version.as_str().unwrap_or("TLS"));
            match session.negotiated_cipher_suite() {
                Some(suite) => format!("{version}, {:?}", suite.suite()),
                None => version.to_owned(),
            }
        })
    }

    fn named<T>(&self, operation: Operation, result: Result<T, Cause>) -> Result<T> {
        result.map_err(|cause| self.error(operation, cause))
    }

    /// Whether I/O may begin in this direction.
    pub(super) fn check(&self, direction: crate::fd::Direction) -> Result<(), Cause> {
        self.stream.check(direction)
    }
}

impl StreamConn for TlsConn {
    fn poll_read_shared(
        &self,
        cx: &mut task::Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), Cause>> {
        self.stream.poll_read(cx, buffer)
    }

    fn poll_write_shared(&self, cx: &mut task::Context<'_>, buffer: &[u8]) -> Poll<Result<usize, Cause>> {
        self.stream.poll_write(cx, &[IoSlice::new(buffer)])
    }

    fn poll_write_vectored_shared(
        &self,
        cx: &mut task::Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<Result<usize, Cause>> {
        self.stream.poll_write(cx, buffers)
    }

    fn poll_flush_shared(&self, cx: &mut task::Context<'_>) -> Poll<Result<(), Cause>> {
        self.stream.poll_flush(cx)
    }

    fn poll_close_write_shared(&self, cx: &mut task::Context<'_>) -> Poll<Result<(), Cause>> {
        self.stream.poll_close_write(cx)
    }

    fn close_write_shared(&self) -> Result<(), Cause> {
        self.stream.close_write()
    }

    fn close_read_quietly(&self) {
        // A conn that has gone has nothing left to end.
        let _ = self.stream.close_read();
    }

    fn conn_kind(&self) -> ConnKind<'_> {
        // The descriptor below carries records.
        ConnKind::Stream
    }

    #[cold]
    fn error(&self, operation: Operation, cause: Cause) -> Error {
        self.below().error(operation, cause)
    }
}

impl_async_io!(TlsConn);

impl std::fmt::Debug for TlsConn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsConn").field("below", self.below()).finish_non_exhaustive()
    }
}
