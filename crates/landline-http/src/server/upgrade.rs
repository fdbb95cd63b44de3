//! Conns that leave HTTP.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Request;
use landline::Conn;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::io::Io;

/// The conn of a request that asked to leave HTTP (RFC 9110 section 7.8), once the handler has agreed: with 101, or with a
/// success to `CONNECT`. Whoever returns that response takes the conn in a task of its own, as it is there only afterwards.
///
/// What the peer had sent beyond its request is read first. The conn counts as one of the server's until this is dropped,
/// and a drain that is over closes it. `hyper::upgrade::on` does the same, and shows neither the conn nor what is unread.
///
/// ```
/// # use http::{Request, Response, StatusCode, header};
/// # use landline_http::Body;
/// # use landline_http::server::{RequestBody, Upgraded};
/// async fn shout(mut request: Request<RequestBody>) -> Response<Body> {
///     let upgraded = Upgraded::of(&mut request);
///     tokio::spawn(async move {
///         let upgraded = upgraded.await?;
///         upgraded.conn().write_all(b"HELLO\n").await?;
///         std::io::Result::Ok(())
///     });
///     let agreed = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
///     let agreed = agreed.header(header::CONNECTION, "upgrade").header(header::UPGRADE, "shout");
///     agreed.body(Body::empty()).unwrap_or_default()
/// }
/// ```
#[derive(Debug)]
pub struct Upgraded(Io);

impl Upgraded {
    /// Waits for the conn of `request`, once the response that agrees is on its way.
    ///
    /// # Errors
    /// If the request asked for no upgrade, the response did not agree, the request is one of HTTP/2, or the conn broke.
    pub fn of<B>(request: &mut Request<B>) -> impl Future<Output = io::Result<Upgraded>> + use<B> {
        let upgrading = hyper::upgrade::on(request);
        async move {
            let upgraded = upgrading.await.map_err(io::Error::other)?;
            let parts =
                upgraded.downcast::<Io>().map_err(|_| io::Error::other("not a conn of this server"))?;
            let mut io = parts.io;
            io.ahead = [&parts.read_buf[..], &io.ahead[..]].concat().into();
            Ok(Upgraded(io))
        }
    }

    /// The conn. What it is asked to read comes after [`Upgraded::unread`].
    pub fn conn(&self) -> &Conn {
        &self.0.state.conn
    }

    /// Takes what the peer had sent beyond its request; so `copy_both` and the conn itself have the rest.
    pub fn take_unread(&mut self) -> Bytes {
        std::mem::take(&mut self.0.ahead)
    }

    /// What the peer had sent beyond its request.
    pub fn unread(&self) -> &[u8] {
        &self.0.ahead
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(Pin::new(&mut self.0), cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_flush(Pin::new(&mut self.0), cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_shutdown(Pin::new(&mut self.0), cx)
    }
}
