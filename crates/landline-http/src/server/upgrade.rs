//! Conns that leave HTTP, and streams of HTTP/2 that become tunnels.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use http::Request;
use hyper_util::rt::TokioIo;
use landline::Conn;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::io::Io;
use super::state::Taken;

/// What a request has become that asked to leave HTTP, once the handler has agreed: the conn, with 101 (RFC 9110 section 7.8) or
/// a success to `CONNECT`, in HTTP/1.1; its stream, with a success to `CONNECT`, in HTTP/2 (RFC 9113 section 8.5, and RFC 8441
/// where [`Server::extended_connect`](super::Server::extended_connect) says so). Whoever returns that response takes it in a task
/// of its own, as it is there only afterwards.
///
/// Either is read from and written to as any other stream of bytes, so that a handler need not know which it is. What the peer
/// had sent beyond its request is read first. `hyper::upgrade::on` does as much.
///
/// A conn counts as one of the server's until this is dropped, and the end of a drain ends what it reads and writes, with the
/// error of a context that was cancelled. [`Upgraded::into_parts`] gives the conn itself. A stream is one of its conn's, which
/// stays the server's: the end of a drain ends it with its conn.
///
/// ```
/// # use http::{Request, Response, StatusCode, Version, header};
/// # use landline_http::Body;
/// # use landline_http::server::{RequestBody, Upgraded};
/// async fn echo(mut request: Request<RequestBody>) -> Response<Body> {
///     let upgraded = Upgraded::of(&mut request);
///     tokio::spawn(async move {
///         let (mut reader, mut writer) = tokio::io::split(upgraded.await?);
///         tokio::io::copy(&mut reader, &mut writer).await
///     });
///     if request.version() == Version::HTTP_2 {
///         return Response::new(Body::empty());
///     }
///     let agreed = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
///     let agreed = agreed.header(header::CONNECTION, "upgrade").header(header::UPGRADE, "echo");
///     agreed.body(Body::empty()).unwrap_or_default()
/// }
/// ```
#[derive(Debug)]
pub struct Upgraded(Inner);

#[derive(Debug)]
enum Inner {
    Conn {
        conn: Conn,
        unread: Bytes,
        place: Place,
    },
    /// Never locked; in a lock, so that it can be shared as a conn can.
    Stream(Box<Mutex<TokioIo<hyper::upgrade::Upgraded>>>),
}

/// The place of an upgraded conn among those of its server. While it is kept, the conn counts as one of them
/// ([`landline::Server::max_conns`] and its like), a drain waits for it, and the drain's end ends what the conn reads and
/// writes. Dropped, it is none of the server's: so keep it for as long as the conn. Until it is taken elsewhere as a
/// descriptor ([`Conn::into_owned_fd`], [`Conn::from_owned_fd`]) it cannot outlive the server's worker all the same.
#[derive(Debug)]
#[must_use = "the server forgets the conn when it is dropped"]
pub struct Place(Taken);

impl Upgraded {
    /// Waits for the conn of `request`, or its stream, once the response that agrees is on its way.
    ///
    /// # Errors
    /// If the request asked for no upgrade, the response did not agree, or the conn broke.
    ///
    /// # Cancellation
    /// Dropped before, the conn is closed when it leaves HTTP, and the stream ends.
    pub fn of<B>(request: &mut Request<B>) -> impl Future<Output = io::Result<Upgraded>> + use<B> {
        let upgrading = hyper::upgrade::on(request);
        async move {
            let upgraded = upgrading.await.map_err(io::Error::other)?;
            Ok(Upgraded(match Upgraded::taken(upgraded).await? {
                Ok((conn, unread, place)) => Inner::Conn { conn, unread, place },
                Err(other) => Inner::Stream(Box::new(Mutex::new(TokioIo::new(other)))),
            }))
        }
    }

    /// Of what hyper gives; the same again if it is no conn of a server's here.
    pub(crate) async fn taken(
        upgraded: hyper::upgrade::Upgraded,
    ) -> io::Result<Result<(Conn, Bytes, Place), hyper::upgrade::Upgraded>> {
        let parts = match upgraded.downcast::<Io>() {
            Ok(parts) => parts,
            Err(other) => return Ok(Err(other)),
        };
        let Io { conn, ahead, taken, .. } = parts.io;
        // Until the server's own task has let go of it: that may be on another thread, a moment later.
        poll_fn(|cx| taken.state().poll_left(cx)).await;
        let conn = Arc::into_inner(conn).ok_or_else(|| io::Error::other("the conn is still used"))?;
        let early = taken.state().early.take().unwrap_or_default();
        let unread = [&parts.read_buf[..], &ahead[..], &early[..]].concat().into();
        Ok(Ok((conn, unread, Place(taken))))
    }

    /// The conn, what the peer had sent beyond its request, which comes before all that the conn reads, and its place
    /// among the server's. A stream of HTTP/2, which has no conn of its own, is given back as it is.
    ///
    /// The conn is bound to a context, by which the server ends it: one that is bound to another
    /// ([`Conn::bind_context`]) has to be ended by that. Its bytes are counted no longer.
    ///
    /// ```
    /// # use landline_http::server::Upgraded;
    /// async fn echo(upgraded: Upgraded) -> std::io::Result<()> {
    ///     match upgraded.into_parts() {
    ///         // The kernel can move the bytes.
    ///         Ok((conn, unread, _place)) => {
    ///             conn.write_all(&unread).await?;
    ///             landline::copy(&conn, &conn).await?;
    ///         }
    ///         Err(stream) => {
    ///             let (mut reader, mut writer) = tokio::io::split(stream);
    ///             tokio::io::copy(&mut reader, &mut writer).await?;
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// The stream, of HTTP/2.
    pub fn into_parts(self) -> Result<(Conn, Bytes, Place), Upgraded> {
        match self.0 {
            Inner::Conn { conn, unread, place } => Ok((conn, unread, place)),
            stream @ Inner::Stream(_) => Err(Upgraded(stream)),
        }
    }

    /// The conn, of HTTP/1.1. What it is asked to read comes after [`Upgraded::unread`].
    pub fn conn(&self) -> Option<&Conn> {
        match &self.0 {
            Inner::Conn { conn, .. } => Some(conn),
            Inner::Stream(_) => None,
        }
    }

    /// Takes what the peer had sent beyond its request; so `copy_both` and the conn itself have the rest. Of a stream of
    /// HTTP/2 nothing, as nothing of it is read before it is asked for.
    pub fn take_unread(&mut self) -> Bytes {
        match &mut self.0 {
            Inner::Conn { unread, .. } => std::mem::take(unread),
            Inner::Stream(_) => Bytes::new(),
        }
    }

    /// What the peer had sent beyond its request, as [`Upgraded::take_unread`] would take it.
    pub fn unread(&self) -> &[u8] {
        match &self.0 {
            Inner::Conn { unread, .. } => unread,
            Inner::Stream(_) => &[],
        }
    }
}

/// The stream itself.
fn stream(
    locked: &mut Mutex<TokioIo<hyper::upgrade::Upgraded>>,
) -> Pin<&mut TokioIo<hyper::upgrade::Upgraded>> {
    Pin::new(locked.get_mut().unwrap_or_else(PoisonError::into_inner))
}

impl AsyncRead for Upgraded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (conn, unread, place) = match &mut self.0 {
            Inner::Conn { conn, unread, place } => (conn, unread, place),
            Inner::Stream(locked) => return stream(locked).poll_read(cx, buffer),
        };
        if !unread.is_empty() {
            let count = unread.len().min(buffer.remaining());
            buffer.put_slice(&unread[..count]);
            unread.advance(count);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut &*conn).poll_read(cx, buffer))?;
        place.0.state().counts.received.add((buffer.filled().len() - before) as u64);
        Poll::Ready(Ok(()))
    }
}

impl Place {
    /// Counts what its conn has written.
    fn written(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(count)) = &written {
            self.0.state().counts.sent.add(*count as u64);
        }
        written
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Inner::Conn { conn, place, .. } => place.written(Pin::new(&mut &*conn).poll_write(cx, bytes)),
            Inner::Stream(locked) => stream(locked).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Inner::Conn { conn, place, .. } => {
                place.written(Pin::new(&mut &*conn).poll_write_vectored(cx, parts))
            }
            Inner::Stream(locked) => stream(locked).poll_write_vectored(cx, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            Inner::Conn { conn, .. } => conn.is_write_vectored(),
            // hyper takes one piece at a time.
            Inner::Stream(_) => false,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Inner::Conn { conn, .. } => Pin::new(&mut &*conn).poll_flush(cx),
            Inner::Stream(locked) => stream(locked).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Inner::Conn { conn, .. } => Pin::new(&mut &*conn).poll_shutdown(cx),
            Inner::Stream(locked) => stream(locked).poll_shutdown(cx),
        }
    }
}
