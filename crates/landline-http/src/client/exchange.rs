//! One request and its response, on one conn after the other until one of them works.

use std::error::Error as StdError;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use http::header::{self, HeaderValue};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use landline::{Context, Ended};
use tokio::time::sleep;

use super::body::{Body, Outgoing, Progress};
use super::conn::{ConnInfo, Lease, Shared};
use super::error::{Error, ErrorKind, Phase};
use super::response::{BodyLimits, Coding, Held, Raw, RawState, ResponseBody};
use super::route::Route;
use super::settings::Settings;
use super::shelf::Shelf;
use super::trace::Trace;
use super::upgraded::Upgraded;

/// How often a request is sent at most: on two conns that turn out to be stale, and on a new one.
const MOST_SENDS: usize = 3;

/// A request to one place.
pub(super) struct Exchange<'a> {
    pub(super) settings: &'a Settings,
    pub(super) shelf: &'a Arc<Shelf>,
    pub(super) context: &'a Context,
    pub(super) trace: &'a Trace,
    pub(super) route: &'a Arc<Route>,
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
    /// Nothing is to be added to the headers, and nothing undone of the response.
    pub(super) is_as_it_is: bool,
}

impl Exchange<'_> {
    /// Sends it, and again where the server cannot have acted on it.
    pub(super) async fn run(&self, body: Body) -> Result<Response<ResponseBody>, Unanswered> {
        self.trace.remark(stage(self.method), || self.uri.to_string());
        let again = body.again();
        let mut body = Some(body);
        for send in 1.. {
            let must_be_new = send == MOST_SENDS;
            let outgoing = body.take().or_else(|| again.as_ref().and_then(Body::again)).unwrap_or_default();
            let lease = match self.shelf.lease(self.settings, self.route, must_be_new, self.trace).await {
                Ok(lease) => lease,
                Err(error) => return Err(Unanswered { error, again: Some(outgoing) }),
            };
            let held = Held { shelf: self.shelf.clone(), route: self.route.clone(), lease: Some(lease) };
            match self.send(held, outgoing).await {
                Ok(response) => return Ok(response),
                Err(failed) => {
                    let is_safe = match failed.unsent {
                        Some(unsent) => {
                            body = Some(unsent);
                            true
                        }
                        None => {
                            again.is_some() && (failed.is_refused || is_idempotent(self.method, self.headers))
                        }
                    };
                    if let (Some(shared), true) = (&failed.shared, failed.is_over) {
                        self.shelf.retire(self.route, shared);
                    }
                    let is_worth_it = failed.is_refused || (failed.was_reused && failed.is_stale);
                    if !(is_worth_it && is_safe && send < MOST_SENDS) {
                        let again = if is_safe { body.take().or(again) } else { None };
                        return Err(Unanswered { error: failed.error, again });
                    }
                    self.trace.remark("stale", || format!("{}; sent again", failed.error));
                }
            }
        }
        unreachable!("the last send returns")
    }

    async fn send(&self, mut held: Held, body: Body) -> Result<Response<ResponseBody>, Failed> {
        let Some(lease) = &mut held.lease else { unreachable!("it was just leased") };
        let was_reused = lease.info().is_reused;
        let is_held = !http_body::Body::is_end_stream(&body)
            && self
                .headers
                .get(header::EXPECT)
                .is_some_and(|expect| expect.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        let (outgoing, progress) = Outgoing::new(body, is_held);
        let may_be_compressed = self.may_be_compressed();
        let make = || {
            let mut request = Request::new(outgoing);
            *request.method_mut() = self.method.clone();
            *request.headers_mut() = self.headers.clone();
            if !self.is_as_it_is {
                add_headers(request.headers_mut(), may_be_compressed);
            }
            if is_held {
                let (progress, trace) = (progress.clone(), self.trace.clone());
                hyper::ext::on_informational(&mut request, move |response| {
                    if response.status() == StatusCode::CONTINUE {
                        trace.remark("continue", || "the server wants the body".to_owned());
                        progress.release();
                    }
                });
            }
            request
        };
        self.trace.started("wait", || "for the response".to_owned());
        // There only where something can be late.
        let is_watched = is_held || self.settings.head_timeout.is_some();
        let sent = {
            let mut too_late = is_watched.then(|| Box::pin(self.too_late(&progress, is_held)));
            let mut sending = pin!(lease.send(self.uri, make));
            poll_fn(|cx| match (sending.as_mut().poll(cx), &mut too_late) {
                (Poll::Ready(sent), _) => Poll::Ready(Ok(sent)),
                (Poll::Pending, Some(too_late)) => too_late.as_mut().poll(cx).map(Err),
                (Poll::Pending, None) => Poll::Pending,
            })
            .await
        };
        let response = match sent {
            Ok(Ok(response)) => response,
            Ok(Err(failed)) => return Err(self.failed(lease, was_reused, *failed)),
            Err(error) => {
                self.trace.failed("wait", &error);
                return Err(Failed::of(error));
            }
        };
        self.trace.done("wait", || format!("{:?} {}", response.version(), response.status()));
        let info = lease.info().clone();
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return self.upgraded(response, info, held).await;
        }
        let decodes = may_be_compressed && self.method != Method::HEAD;
        Ok(self.received(response, info, held, progress, decodes).await)
    }

    /// What became of a request that hyper could not send, or of whose response it has no head.
    fn failed(&self, lease: &Lease, was_reused: bool, mut failed: TrySendError<Request<Outgoing>>) -> Failed {
        let shared = lease.shared().cloned();
        let unsent = failed.take_message().map(|request| request.into_body().into_body());
        let error = failed.into_error();
        if let Some(limit) = lease.allowance().passed() {
            let error = Error::new(ErrorKind::InterimLimit(limit));
            self.trace.failed("wait", &error);
            return Failed { shared, is_over: true, ..Failed::of(error) };
        }
        self.trace.failed("wait", &error);
        Failed {
            was_reused,
            is_stale: unsent.is_some() || is_stale(&error),
            is_refused: is_refused(&error),
            is_over: is_stale(&error) && !is_reset(&error),
            shared,
            unsent,
            error: request_error(error),
        }
    }

    /// Lets a body go that the server has not asked for in time, and ends when the head of the response is late.
    async fn too_late(&self, progress: &Progress, is_held: bool) -> Error {
        if is_held {
            tokio::select! {
                () = progress.sent() => {}
                () = sleep(self.settings.continue_timeout) => progress.release(),
            }
        }
        progress.sent().await;
        match self.settings.head_timeout {
            Some(limit) => sleep(limit).await,
            None => std::future::pending().await,
        }
        Error::new(ErrorKind::Timeout(Phase::Head))
    }

    /// Takes the conn over, which is one of HTTP no longer.
    async fn upgraded(
        &self,
        mut response: Response<Incoming>,
        info: ConnInfo,
        mut held: Held,
    ) -> Result<Response<ResponseBody>, Failed> {
        let upgraded = hyper::upgrade::on(&mut response).await;
        let upgraded = upgraded.map_err(|error| Failed::of(error.into()))?;
        if let Some(Lease::Single(single)) = &mut held.lease {
            single.driven().await;
        }
        let upgraded = Upgraded::new(upgraded).map_err(Failed::of)?;
        drop(held);
        Ok(response.map(|_| ResponseBody::upgraded(upgraded, info)))
    }

    async fn received(
        &self,
        response: Response<Incoming>,
        info: ConnInfo,
        held: Held,
        progress: Progress,
        decodes: bool,
    ) -> Response<ResponseBody> {
        let (mut head, body) = response.into_parts();
        let ended = (!self.context.is_background()).then(|| {
            let context = self.context.clone();
            Box::pin(async move { context.done().await }) as Pin<Box<dyn Future<Output = Ended> + Send>>
        });
        let mut raw = Box::new(Raw {
            info,
            body,
            held,
            progress,
            limits: BodyLimits::new(ended, self.settings.body_timeout),
            trace: self.trace.clone(),
            received: 0,
            state: RawState::Reading,
        });
        self.trace.started("body", || match http_body::Body::size_hint(&*raw).exact() {
            Some(bytes) => format!("of {bytes} bytes"),
            None => "of unknown length".to_owned(),
        });
        let is_empty = http_body::Body::is_end_stream(&raw.body);
        if is_empty {
            raw.settle().await;
        }
        let coding = match head.headers.get(header::CONTENT_ENCODING) {
            Some(value) if decodes && !is_empty => Coding::parse(value.as_bytes()),
            _ => Some(Coding::Plain),
        };
        let coding = coding.unwrap_or(Coding::Plain);
        if coding != Coding::Plain {
            // They speak of bytes that the caller does not see.
            head.headers.remove(header::CONTENT_ENCODING);
            head.headers.remove(header::CONTENT_LENGTH);
        }
        Response::from_parts(head, ResponseBody::new(raw, coding))
    }

    /// Whether it is the client that asks for a compressed body.
    fn may_be_compressed(&self) -> bool {
        !self.is_as_it_is
            && self.settings.decompress
            && !self.headers.contains_key(header::ACCEPT_ENCODING)
            && !self.headers.contains_key(header::RANGE)
    }
}

/// Adds what the caller did not say. Only once it is sent, so that of most requests nothing is kept to be sent again.
fn add_headers(headers: &mut HeaderMap, may_be_compressed: bool) {
    // With the host.
    headers.reserve(4);
    if may_be_compressed {
        headers.insert(header::ACCEPT_ENCODING, ACCEPT_ENCODING.clone());
    }
    headers.entry(header::USER_AGENT).or_insert_with(|| USER_AGENT.clone());
    headers.entry(header::ACCEPT).or_insert_with(|| ACCEPT.clone());
}

/// What the client can decode.
static ACCEPT_ENCODING: HeaderValue = HeaderValue::from_static("gzip, br, zstd");
static USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("landline/", env!("CARGO_PKG_VERSION")));
static ACCEPT: HeaderValue = HeaderValue::from_static("*/*");

/// A request that was not answered, on any conn.
pub(crate) struct Unanswered {
    pub(crate) error: Error,
    /// The body, where the request may be sent to another server: nothing of it went out, or sending it twice does no
    /// harm.
    pub(crate) again: Option<Body>,
}

/// A request that was not answered, on one conn.
struct Failed {
    was_reused: bool,
    /// The conn was at an end before the response began.
    is_stale: bool,
    /// The server says that it did nothing about it.
    is_refused: bool,
    /// The conn takes no more requests.
    is_over: bool,
    /// The conn, where others use it too.
    shared: Option<Shared>,
    /// The body, where nothing of the request went out.
    unsent: Option<Body>,
    error: Error,
}

impl Failed {
    /// For a reason that no other conn would be without.
    fn of(error: Error) -> Failed {
        Failed {
            was_reused: false,
            is_stale: false,
            is_refused: false,
            is_over: false,
            shared: None,
            unsent: None,
            error,
        }
    }
}

/// Whether sending it twice does what sending it once does (RFC 9110 section 9.2.2), or the caller says so.
pub(crate) fn is_idempotent(method: &Method, headers: &HeaderMap) -> bool {
    method.is_idempotent() || headers.contains_key("idempotency-key")
}

/// A conn that the server closed while it was idle may look alive until it is written to.
fn is_stale(error: &hyper::Error) -> bool {
    let is_gone = |error: &std::io::Error| {
        use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
        matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected)
    };
    error.is_closed()
        || error.is_canceled()
        || error.is_incomplete_message()
        || is_refused(error)
        || cause(error).is_some_and(is_gone)
}

/// HTTP/2: the stream was not worked on (RFC 9113 section 8.7).
fn is_refused(error: &hyper::Error) -> bool {
    cause::<h2::Error>(error).is_some_and(|error| {
        error.reason() == Some(h2::Reason::REFUSED_STREAM)
            || (error.is_go_away() && error.is_remote() && error.reason() == Some(h2::Reason::NO_ERROR))
    })
}

/// HTTP/2: it is the stream that failed, not the conn.
fn is_reset(error: &hyper::Error) -> bool {
    cause::<h2::Error>(error).is_some_and(h2::Error::is_reset)
}

fn cause<E: StdError + 'static>(error: &hyper::Error) -> Option<&E> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        source = error.source();
    }
    None
}

/// What the caller's own body failed of is no fault of the conn.
fn request_error(error: hyper::Error) -> Error {
    match cause::<std::io::Error>(&error) {
        Some(io) if error.is_user() => {
            Error::new(ErrorKind::Body(std::io::Error::new(io.kind(), io.to_string())))
        }
        _ => error.into(),
    }
}

/// The name of a request in a report.
fn stage(method: &Method) -> &'static str {
    match *method {
        Method::GET => "get",
        Method::HEAD => "head",
        Method::POST => "post",
        Method::PUT => "put",
        Method::DELETE => "delete",
        _ => "request",
    }
}
