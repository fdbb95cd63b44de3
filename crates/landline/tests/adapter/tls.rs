//! TLS over any byte stream, with a certificate that lives as long as the test.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use conntest::suite::{Addressed, ByteStream, Deadlines, SharedConn};
use conntest::tls::SelfSigned;
use landline::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, ReadHalf, WriteHalf};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream, client, server};

use super::Tried;

/// How long a close tries to tell the peer.
const FAREWELL: Duration = Duration::from_secs(5);

/// Both roles, trusting each other.
pub(crate) struct Tls {
    connector: TlsConnector,
    acceptor: TlsAcceptor,
}

impl Tls {
    pub(crate) fn new() -> Tls {
        let own = SelfSigned::new("localhost");
        let (client, mut server) = (own.client(), own.server(&[]));
        // A client that never reads would leave the tickets unread, and so reset the conn when it closes.
        server.send_tls13_tickets = 0;
        Tls { connector: TlsConnector::from(Arc::new(client)), acceptor: TlsAcceptor::from(Arc::new(server)) }
    }

    /// The two roles' settings.
    #[allow(dead_code)] // Not every test makes conns of its own.
    pub(crate) fn configs(&self) -> (Arc<ClientConfig>, Arc<ServerConfig>) {
        (self.connector.config().clone(), self.acceptor.config().clone())
    }

    /// Wraps both ends and shakes hands.
    #[allow(dead_code)] // Nor every test has them made by others.
    pub(crate) async fn wrap<A: ByteStream, B: ByteStream>(
        &self,
        (a, b): (A, B),
    ) -> (client::TlsStream<A>, server::TlsStream<B>) {
        let name = ServerName::try_from("localhost").unwrap();
        tokio::try_join!(self.connector.connect(name, a), self.acceptor.accept(b)).unwrap()
    }

    /// Wraps both ends so that several tasks can use each.
    pub(crate) async fn wrap_shared<C>(&self, (a, b): (C, C)) -> (TlsConn<C>, TlsConn<C>)
    where
        Shared<C>: ByteStream + Clone,
    {
        let (a, b) = (Shared(Arc::new(Tried(a))), Shared(Arc::new(Tried(b))));
        let (client, server) = self.wrap((a.clone(), b.clone())).await;
        (TlsConn::new(a, client.into()), TlsConn::new(b, server.into()))
    }
}

/// A conn that TLS owns and its user keeps as well, to set deadlines and to close it.
pub(crate) struct Shared<C>(Arc<Tried<C>>);

/// TLS over a conn of ours as a conn: its deadlines and its close are those of the conn below.
pub(crate) struct TlsConn<C> {
    below: Shared<C>,
    reader: Mutex<ReadHalf<TlsStream<Shared<C>>>>,
    writer: Mutex<WriteHalf<TlsStream<Shared<C>>>>,
}

impl<C> TlsConn<C>
where
    Shared<C>: ByteStream,
{
    fn new(below: Shared<C>, tls: TlsStream<Shared<C>>) -> TlsConn<C> {
        let (reader, writer) = tokio::io::split(tls);
        TlsConn { below, reader: Mutex::new(reader), writer: Mutex::new(writer) }
    }
}

impl<C: Send + Sync + 'static> SharedConn for TlsConn<C>
where
    Tried<C>: Deadlines<Error = Error>,
    Shared<C>: ByteStream,
{
    type Error = io::Error;

    async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut reader = self.reader.lock().await;
        // Of what is decrypted already the conn below knows nothing, so it is asked whether reading may go on.
        self.below.0.read(&mut []).await?;
        reader.read(buffer).await
    }

    async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut writer = self.writer.lock().await;
        // What is taken is encrypted, and sent sooner or later: nothing is before all else is out, and it may be sent.
        writer.flush().await?;
        self.below.0.write(&[]).await?;
        let count = writer.write(bytes).await?;
        match writer.flush().await {
            // The next call tells.
            Ok(()) | Err(_) => Ok(count),
        }
    }

    async fn close(&self) -> io::Result<()> {
        // Who waits to write has what comes before the end.
        if let Ok(mut writer) = self.writer.try_lock() {
            self.below.0.set_write_deadline(Some(Instant::now() + FAREWELL))?;
            // The peer may be gone.
            let _ = writer.shutdown().await;
        }
        Ok(self.below.0.close().await?)
    }

    fn is_closed(error: &io::Error) -> bool {
        ours(error).is_some_and(Error::is_closed)
    }
}

fn ours(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

impl<C: Send + Sync + 'static> Deadlines for TlsConn<C>
where
    Tried<C>: Deadlines<Error = Error>,
    Shared<C>: ByteStream,
{
    fn set_deadline(&self, at: Option<Instant>) -> io::Result<()> {
        Ok(self.below.0.set_deadline(at)?)
    }

    fn set_read_deadline(&self, at: Option<Instant>) -> io::Result<()> {
        Ok(self.below.0.set_read_deadline(at)?)
    }

    fn set_write_deadline(&self, at: Option<Instant>) -> io::Result<()> {
        Ok(self.below.0.set_write_deadline(at)?)
    }

    fn is_timeout(error: &io::Error) -> bool {
        error.kind() == io::ErrorKind::TimedOut
    }
}

impl<C: Send + Sync + 'static> Addressed for TlsConn<C>
where
    Tried<C>: Deadlines<Error = Error> + Addressed,
    Shared<C>: ByteStream,
{
    type Addr = <Tried<C> as Addressed>::Addr;

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.below.0.local_addr()?)
    }

    fn peer_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.below.0.peer_addr()?)
    }
}

impl<C> Clone for Shared<C> {
    fn clone(&self) -> Shared<C> {
        Shared(self.0.clone())
    }
}

impl<C> AsyncRead for Shared<C>
where
    for<'a> &'a C: AsyncRead,
{
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut &self.0.0).poll_read(cx, buffer)
    }
}

impl<C> AsyncWrite for Shared<C>
where
    for<'a> &'a C: AsyncWrite,
{
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut &self.0.0).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &self.0.0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &self.0.0).poll_shutdown(cx)
    }
}
