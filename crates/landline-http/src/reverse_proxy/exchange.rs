//! One request: with one target after the other, until one answers.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use landline::Context;

use super::answer::{Failure, Reason};
use super::body::Body;
use super::head::{self, Head, Rules};
use super::health::Outcome;
use super::hop;
use super::names::is_timeout;
use super::shared::Shared;
use super::table::Turn;
use super::upgrade;
use crate::client::exchange::is_idempotent;
use crate::client::route::Route;
use crate::client::{self, ErrorKind, ResponseBody};

/// The response to a request: a backend's, or our own.
pub(super) async fn run<B>(shared: &Arc<Shared>, request: Request<B>) -> Response<Body>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    shared.keep_checking();
    let (mut parts, body) = request.into_parts();
    let settings = &shared.settings;
    let rules = Rules {
        forwarding: settings.forwarding,
        is_secure: settings.is_secure,
        via: settings.via.as_ref(),
        pseudonym: &shared.pseudonym,
    };
    let head = match Head::of(&parts, &rules) {
        Ok(head) => head,
        Err(failure) => {
            if failure.reason == Reason::LoopDetected && !shared.has_told_of_loop.swap(true, Relaxed) {
                let backends = &settings.backends;
                tracing::warn!(target: "landline", ?backends, "a request came back to the proxy that sent it");
            }
            return failure.response();
        }
    };
    let exchange = Exchange {
        shared,
        is_idempotent: is_idempotent(&head.method, &head.headers),
        on_upgrade: head.upgrade.is_some().then(|| parts.extensions.remove::<OnUpgrade>()).flatten(),
        head,
    };
    let body = if body.is_end_stream() { client::Body::empty() } else { client::Body::wrap(body) };
    exchange.run(body).await.unwrap_or_else(Failure::response)
}

struct Exchange<'a> {
    shared: &'a Arc<Shared>,
    head: Head,
    is_idempotent: bool,
    /// The client's conn, once it has changed its protocol.
    on_upgrade: Option<OnUpgrade>,
}

impl Exchange<'_> {
    async fn run(self, body: client::Body) -> Result<Response<Body>, Failure> {
        let settings = &self.shared.settings;
        let context = match settings.timeout {
            Some(timeout) => Context::background().with_timeout(timeout),
            None => Context::background(),
        };
        match context.run(self.shared.names.ready()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(Failure::of_lookup(is_timeout(error.as_ref()))),
            Err(_) => return Err(Failure::of_lookup(true)),
        }
        let client = self.shared.client();
        let mut body = body;
        let mut tried = Vec::new();
        let mut next = self.shared.table.take(&tried);
        while let Some(mut turn) = next.take() {
            tried.push(turn.id);
            let may_retry = tried.len() < settings.tries.get();
            let another = || if may_retry { self.shared.table.take(&tried) } else { None };
            let backend = &settings.backends[turn.backend];
            let request = backend.request(&self.head, settings.host)?;
            let is_http1 = self.head.upgrade.is_some();
            let route = Arc::new(Route::new(backend.origin.clone(), turn.to.clone(), is_http1));
            let again = if self.is_idempotent { body.again() } else { None };
            match client.forward(&context, &route, request.map(|()| body)).await {
                Ok(response) => {
                    let is_good = !matches!(response.status().as_u16(), 502..=504);
                    turn.told(if is_good { Outcome::Good } else { Outcome::Bad });
                    if !is_good
                        && let Some(again) = again
                        && let Some(other) = another()
                    {
                        tracing::debug!(target: "landline", %backend, status = %response.status(), "tried with another");
                        (body, next) = (again, Some(other));
                        continue;
                    }
                    return self.answered(response, turn);
                }
                Err(unanswered) => {
                    let error = unanswered.error;
                    turn.told(outcome(error.kind()));
                    tracing::debug!(target: "landline", %backend, to = ?turn.to, %error, "no answer");
                    if let Some(again) = unanswered.again
                        && let Some(other) = another()
                    {
                        (body, next) = (again, Some(other));
                        continue;
                    }
                    return Err(Failure::of(&error));
                }
            }
        }
        // The names have lost their addresses meanwhile.
        Err(Failure::of_lookup(false))
    }

    /// Passes a response on.
    fn answered(self, response: Response<ResponseBody>, turn: Turn) -> Result<Response<Body>, Failure> {
        let (parts, body) = response.into_parts();
        // The version is that of the other conn, and the extensions are ours.
        let mut response = Response::new(());
        *response.status_mut() = parts.status;
        *response.headers_mut() = parts.headers;
        let chosen = hop::upgrade(response.headers());
        head::of_response(response.headers_mut(), parts.version, self.shared.settings.via.as_ref());
        let back = match body.into_upgraded() {
            Ok(back) => back,
            Err(body) => return Ok(response.map(|()| Body::backend(body, turn))),
        };
        let failure = |text| Failure { status: StatusCode::BAD_GATEWAY, reason: Reason::UpgradeFailed, text };
        match (self.on_upgrade, &self.head.upgrade, chosen) {
            (Some(front), Some(offered), Some(chosen)) if hop::offers(offered, &chosen) => {
                hop::set_upgrade(response.headers_mut(), chosen);
                upgrade::relay(front, back, turn);
                Ok(response.map(|()| Body::empty()))
            }
            (None, Some(_), _) => Err(failure("this server does not change protocols")),
            _ => Err(failure("the backend changed to a protocol that was not asked for")),
        }
    }
}

/// What an error says of the target.
fn outcome(kind: &ErrorKind) -> Outcome {
    match kind {
        ErrorKind::Connect(_)
        | ErrorKind::Timeout(_)
        | ErrorKind::Protocol(_)
        | ErrorKind::InterimLimit(_) => Outcome::Bad,
        _ => Outcome::Unknown,
    }
}
