//! HTTP on conns that were accepted: HTTP/1.1 and HTTP/2 on one port, with TLS or without.

use std::convert::Infallible;
use std::error::Error;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HOST, HeaderValue};
use http::{HeaderMap, Request, Response, StatusCode, Version};
use http_body::Body;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use landline::serve::Draining;
use landline::{Conn, TlsConn};
use rustls::ServerConfig;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tower_service::Service;

/// How long a client may take for a handshake, and for each head.
const HEAD: Duration = Duration::from_secs(10);
/// The longest head of HTTP/1.1, and the most that is kept of what a client sends ahead.
const BUFFER: usize = 64 * 1024;
/// How many requests of one conn may be under way; RFC 9113 section 6.5.2 wants no fewer than 100.
const STREAMS: u32 = 128;

/// What serves conns, cheap to clone.
#[derive(Clone)]
pub(super) struct Host<S> {
    service: S,
    tls: Option<Arc<ServerConfig>>,
}

impl<S, R> Host<S>
where
    S: Service<Request<Incoming>, Response = Response<R>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<Box<dyn Error + Send + Sync>>,
{
    pub(super) fn new(service: S, tls: Option<Arc<ServerConfig>>) -> Host<S> {
        Host { service, tls }
    }

    /// Serves a conn to its end, which comes soon after a drain has begun. What goes wrong is the client's matter. Among the
    /// extensions of its requests is the [`landline::Addr`] of the client.
    pub(super) async fn serve(self, conn: Conn, draining: Draining) {
        let peer = conn.peer_addr();
        let Some(conn) = self.secured(conn).await else { return };
        let service = self.service;
        let service = service_fn(move |mut request: Request<Incoming>| {
            if let Ok(peer) = &peer {
                request.extensions_mut().insert(peer.clone());
            }
            let is_sound = names_one_host(request.version(), request.headers());
            let answered = is_sound.then(|| service.clone().call(request));
            async move {
                match answered {
                    Some(answered) => answered.await.map(|response| response.map(Either::Left)),
                    None => Ok(bad_request().map(Either::Right)),
                }
            }
        });
        let mut builder = auto::Builder::new(Tasks::default());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(BUFFER);
        builder.http2().timer(TokioTimer::new()).max_concurrent_streams(STREAMS);
        let mut served = pin!(builder.serve_connection_with_upgrades(TokioIo::new(conn), service));
        tokio::select! {
            _ = served.as_mut() => return,
            () = draining.begun() => served.as_mut().graceful_shutdown(),
        }
        let _ = served.await;
    }

    /// The conn, behind a handshake if there is to be one; none where that fails.
    async fn secured(&self, conn: Conn) -> Option<Conn> {
        let Some(config) = &self.tls else { return Some(conn) };
        let accepted = timeout(HEAD, TlsConn::accept(conn, config.clone())).await;
        Some(accepted.ok()?.ok()?.into())
    }
}

/// RFC 9112 section 3.2: a request of HTTP/1.1 has one `Host`, and is refused with 400 otherwise.
fn names_one_host(version: Version, headers: &HeaderMap) -> bool {
    version != Version::HTTP_11 || headers.get_all(HOST).iter().count() == 1
}

fn bad_request() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from("400 Bad Request\n"));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The tasks of a conn: requests of HTTP/2 that are under way, which end with it.
#[derive(Clone, Default)]
struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, task: F) {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while running.try_join_next().is_some() {}
        running.spawn(task);
    }
}
