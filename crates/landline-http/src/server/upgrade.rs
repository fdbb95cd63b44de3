//! Conns that leave HTTP.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use http::Request;
use landline::Conn;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::io::Io;
use super::state::Taken;

/// The conn of a request that asked to leave HTTP (RFC 9110 section 7.8), once the handler has agreed: with 101, or with a
/// success to `CONNECT`. Whoever returns that response takes the conn in a task of its own, as it is there only afterwards.
///
/// What the peer had sent beyond its request is read first. The conn counts as one of the server's until this is dropped,
/// and the end of a drain ends what it reads and writes, with the error of a context that was cancelled.
/// [`Upgraded::into_parts`] gives the conn itself. `hyper::upgrade::on` does the same, and shows neither the conn nor what
/// is unread.
///
/// ```
/// # use http::{Request, Response, StatusCode, header};
/// # use landline_http::Body;
/// # use landline_http::server::{RequestBody, Upgraded};
/// async fn echo(mut request: Request<RequestBody>) -> Response<Body> {
///     let upgraded = Upgraded::of(&mut request);
///     tokio::spawn(async move {
///         let (conn, unread, _place) = upgraded.await?.into_parts();
///         conn.write_all(&unread).await?;
///         landline::copy(&conn, &conn).await?;
///         std::io::Result::Ok(())
///     });
///     let agreed = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
///     let agreed = agreed.header(header::CONNECTION, "upgrade").header(header::UPGRADE, "echo");
///     agreed.body(Body::empty()).unwrap_or_default()
/// }
/// ```
#[derive(Debug)]
pub struct Upgraded {
    conn: Conn,
    unread: Bytes,
    place: Place,
}

/// The place of an upgraded conn among those of its server. While it is kept, the conn counts as one of them
/// ([`landline::Server::max_conns`] and its like), a drain waits for it, and the drain's end ends what the conn reads and
/// writes. Dropped, it is none of the server's: so keep it for as long as the conn. Until it is taken elsewhere as a
/// descriptor ([`Conn::into_owned_fd`], [`Conn::from_owned_fd`]) it cannot outlive the server's worker all the same.
#[derive(Debug)]
#[must_use = "the server forgets the conn when it is dropped"]
pub struct Place(Taken);

impl Upgraded {
    /// Waits for the conn of `request`, once the response that agrees is on its way.
    ///
    /// # Errors
    /// If the request asked for no upgrade, the response did not agree, the request is one of HTTP/2, or the conn broke.
    ///
    /// # Cancellation
    /// Dropped before, the conn is closed when it leaves HTTP.
    pub fn of<B>(request: &mut Request<B>) -> impl Future<Output = io::Result<Upgraded>> + use<B> {
        let upgrading = hyper::upgrade::on(request);
        async move {
            let upgraded = upgrading.await.map_err(io::Error::other)?;
            Upgraded::taken(upgraded).await?.map_err(|_| io::Error::other("not a conn of this server"))
        }
    }

    /// Of what hyper gives; the same again if it is no conn of a server's here.
    pub(crate) async fn taken(
        upgraded: hyper::upgrade::Upgraded,
    ) -> io::Result<Result<Upgraded, hyper::upgrade::Upgraded>> {
        let parts = match upgraded.downcast::<Io>() {
            Ok(parts) => parts,
            Err(other) => return Ok(Err(other)),
        };
        let Io { conn, ahead, taken, .. } = parts.io;
        // Until the server's own task has let go of it: that may be on another thread, a moment later.
        poll_fn(|cx| taken.state().poll_left(cx)).await;
        let conn = Arc::into_inner(conn).ok_or_else(|| io::Error::other("the conn is still used"))?;
        let early = taken.state().early.take();
        let unread = [&parts.read_buf[..], &ahead[..], &early[..]].concat().into();
        Ok(Ok(Upgraded { conn, unread, place: Place(taken) }))
    }

    /// The conn, what the peer had sent beyond its request, which comes before all that the conn reads, and its place
    /// among the server's.
    ///
    /// The conn is bound to a context, by which the server ends it: one that is bound to another
    /// ([`Conn::bind_context`]) has to be ended by that. Its bytes are counted no longer.
    pub fn into_parts(self) -> (Conn, Bytes, Place) {
        (self.conn, self.unread, self.place)
    }

    /// The conn. What it is asked to read comes after [`Upgraded::unread`].
    pub fn conn(&self) -> &Conn {
        &self.conn
    }

    /// Takes what the peer had sent beyond its request; so `copy_both` and the conn itself have the rest.
    pub fn take_unread(&mut self) -> Bytes {
        std::mem::take(&mut self.unread)
    }

    /// What the peer had sent beyond its request.
    pub fn unread(&self) -> &[u8] {
        &self.unread
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.unread.is_empty() {
            let count = self.unread.len().min(buffer.remaining());
            buffer.put_slice(&self.unread[..count]);
            self.unread.advance(count);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut &self.conn).poll_read(cx, buffer))?;
        self.place.0.state().counts.received.add((buffer.filled().len() - before) as u64);
        Poll::Ready(Ok(()))
    }
}

impl Upgraded {
    fn written(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(count)) = &written {
            self.place.0.state().counts.sent.add(*count as u64);
        }
        written
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.written(Pin::new(&mut &self.conn).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.written(Pin::new(&mut &self.conn).poll_write_vectored(cx, parts))
    }

    fn is_write_vectored(&self) -> bool {
        self.conn.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &self.conn).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &self.conn).poll_shutdown(cx)
    }
}
