//! Between hyper and a handler: what is refused, counted and caught.

use std::cell::Cell;
use std::error::Error as StdError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use futures_util::future::Either;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body::Body;
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::body::{RequestBody, Sent};
use super::exchange::{Exchange, Lives, within};
use super::refuse::refusal;
use super::settings::Settings;
use super::state::State;
use super::stream::OnThread;

type BoxError = Box<dyn StdError + Send + Sync>;

/// The handler of one conn.
pub(super) struct Handler<S, B>
where
    S: Service<Request<RequestBody>>,
    B: Body,
{
    pub(super) service: S,
    pub(super) state: Arc<State>,
    pub(super) lives: Lives,
    pub(super) settings: Arc<Settings>,
    /// What runs the streams of HTTP/2.
    pub(super) streams: Option<OnThread>,
    /// What was begun of the request that hyper asks for next.
    pub(super) begun: Cell<Option<Begun<S, B>>>,
}

/// A request that was asked for before hyper had it.
pub(super) enum Begun<S, B>
where
    S: Service<Request<RequestBody>>,
    B: Body,
{
    Running(Pin<Box<Option<Answering<S>>>>),
    Answered(Option<Box<Response<Sent<B>>>>),
}

impl<S, B> Future for Begun<S, B>
where
    S: Service<Request<RequestBody>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    B: Body + 'static,
{
    type Output = Result<Response<Sent<B>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Begun::Running(answering) => match answering.as_mut().as_pin_mut() {
                Some(answering) => answering.poll(cx),
                None => Poll::Pending,
            },
            // Polled again after its end, it has none.
            Begun::Answered(response) => {
                response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(*response)))
            }
        }
    }
}

/// The handler of a conn that speaks HTTP/1.1, as hyper calls it.
pub(super) struct OfHttp1<S, B>(pub(super) Rc<Handler<S, B>>)
where
    S: Service<Request<RequestBody>>,
    B: Body;

impl<S, B> hyper::service::Service<Request<Incoming>> for OfHttp1<S, B>
where
    S: Service<Request<RequestBody>, Response = Response<B>> + Clone,
    S::Error: Into<BoxError>,
    B: Body + 'static,
{
    type Response = Response<Sent<B>>;
    type Error = BoxError;
    type Future = Either<Begun<S, B>, Answering<S>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        match self.0.begun.take() {
            Some(begun) => Either::Left(begun),
            None => Either::Right(self.0.call(request)),
        }
    }
}

impl<S, B> Handler<S, B>
where
    S: Service<Request<RequestBody>, Response = Response<B>> + Clone,
    S::Error: Into<BoxError>,
    B: Body + 'static,
{
    /// Whether the conn takes no request behind the next.
    pub(super) fn is_next_last(&self) -> bool {
        self.state.requests() >= self.settings.max_requests.saturating_sub(1)
    }

    /// A request of HTTP/1.1 that is its head alone, and not refused.
    #[inline(always)]
    pub(super) fn answer(&self, request: Request<()>) -> Answering<S> {
        self.state.request_began();
        let exchange = Exchange::begin(&self.lives, None, &request);
        self.ask(request.map(|()| RequestBody::none()), exchange)
    }

    #[inline(always)]
    fn ask(&self, mut request: Request<RequestBody>, exchange: Exchange) -> Answering<S> {
        if let Some(certificates) =
            self.state.secured.as_ref().and_then(|secured| secured.certificates.as_ref())
        {
            request.extensions_mut().insert(certificates.clone());
        }
        let mut service = self.service.clone();
        // Most are ready at once, so that their request need not be kept anywhere.
        let call = AssertUnwindSafe(|| match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Stage::Called { future: service.call(request) },
            Poll::Ready(Err(error)) => Stage::Failed { error: Some(error) },
            Poll::Pending => Stage::Waiting { waiting: Box::new((service, Some(request))) },
        });
        let mut exchange = Some(exchange);
        let called = within(&mut exchange, || catch_unwind(call));
        Answering { stage: called.unwrap_or_else(|_| Stage::Panicked), exchange }
    }
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Handler<S, B>
where
    S: Service<Request<RequestBody>, Response = Response<B>> + Clone,
    S::Error: Into<BoxError>,
    B: Body + 'static,
{
    type Response = Response<Sent<B>>;
    type Error = BoxError;
    type Future = Answering<S>;

    fn call(&self, request: Request<Incoming>) -> Answering<S> {
        let number = self.state.request_began();
        if number >= self.settings.max_requests {
            self.state.end();
        }
        let stream = self.streams.as_ref().map(|streams| streams.begin(number));
        let exchange = Exchange::begin(&self.lives, stream, &request);
        // A client of HTTP/2 may go on after it was told that there are no more. What it had under way by then is no fault.
        if let Some(beyond) = number.checked_sub(self.settings.max_requests).filter(|&beyond| beyond > 0) {
            if beyond > self.settings.http2.max_streams {
                self.state.cut();
            }
            return Answering { stage: Stage::Beyond, exchange: Some(exchange) };
        }
        let refused = refusal(&request).or_else(|| {
            let is_too_long = request.body().size_hint().lower() > self.settings.max_body;
            is_too_long.then_some((StatusCode::PAYLOAD_TOO_LARGE, "the body is too long"))
        });
        if let Some((status, words)) = refused {
            if !request.body().is_end_stream() {
                self.state.leaves_unread();
            }
            return Answering { stage: Stage::Refused { status, words }, exchange: Some(exchange) };
        }
        self.ask(request.map(|body| RequestBody::new(body, &self.state, self.settings.max_body)), exchange)
    }
}

pin_project! {
    /// The response to one request.
    pub(super) struct Answering<S>
    where
        S: Service<Request<RequestBody>>,
    {
        #[pin]
        stage: Stage<S, S::Future, S::Error>,
        // Until the response has it.
        exchange: Option<Exchange>,
    }
}

pin_project! {
    #[project = StageProjection]
    enum Stage<S, F, E> {
        Refused { status: StatusCode, words: &'static str },
        // Until the service is ready.
        Waiting { waiting: Box<(S, Option<Request<RequestBody>>)> },
        Called { #[pin] future: F },
        // Before there was a future.
        Failed { error: Option<E> },
        Panicked,
        // What its conn may carry.
        Beyond,
    }
}

impl<S, B> Future for Answering<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    B: Body + 'static,
{
    type Output = Result<Response<Sent<B>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let poll = AssertUnwindSafe(|| poll_handler(this.stage, cx));
        let polled = within(this.exchange, || catch_unwind(poll));
        let (status, words) = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Step::Refused(status, words))) => (status, words),
            // Which says that it was not processed, and may be asked again elsewhere (RFC 9113 section 8.7).
            Ok(Poll::Ready(Step::Beyond)) => {
                return Poll::Ready(Err(h2::Error::from(h2::Reason::REFUSED_STREAM).into()));
            }
            Ok(Poll::Ready(Step::Answered(Ok(response)))) => {
                // Polled again after its end, it has none.
                let Some(exchange) = this.exchange.take() else { return Poll::Pending };
                exchange.answered(response.status());
                let speaks_http1 = exchange.state().speaks_http1();
                let is_over = response.status() != StatusCode::SWITCHING_PROTOCOLS;
                let closes = is_over && exchange.state().is_ending() && speaks_http1;
                let mut response = if !speaks_http1 && exchange.has_no_content() {
                    without_content(response, exchange)
                } else {
                    response.map(|body| Sent::by_handler(body, exchange))
                };
                if closes {
                    say_close(response.headers_mut());
                }
                return Poll::Ready(Ok(response));
            }
            Ok(Poll::Ready(Step::Answered(Err(error)))) => {
                tracing::error!(target: "landline_http", error = %error.into(), "handler");
                (StatusCode::INTERNAL_SERVER_ERROR, "")
            }
            // The message and the place were told by the panic hook.
            Ok(Poll::Ready(Step::Panicked)) | Err(_) => {
                if let Some(exchange) = this.exchange {
                    exchange.state().counts.panicked.add(1);
                }
                tracing::error!(target: "landline_http", "a handler panicked");
                (StatusCode::INTERNAL_SERVER_ERROR, "")
            }
        };
        let Some(exchange) = this.exchange.take() else { return Poll::Pending };
        exchange.answered(status);
        // What follows on this conn may not be what it seems.
        let closes = status != StatusCode::EXPECTATION_FAILED && exchange.state().speaks_http1();
        let mut response = Response::new(Sent::words(words, exchange));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        if closes {
            say_close(headers);
        }
        if !words.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        }
        Poll::Ready(Ok(response))
    }
}

/// Only the head, which hyper sees to by itself in HTTP/1.1 but not in HTTP/2; with the length that the body would have had.
fn without_content<B: Body + 'static>(response: Response<B>, exchange: Exchange) -> Response<Sent<B>> {
    let (mut head, body) = response.into_parts();
    if head.status != StatusCode::NO_CONTENT
        && !body.is_end_stream()
        && let Some(length) = body.size_hint().exact()
    {
        head.headers.entry(header::CONTENT_LENGTH).or_insert_with(|| length.into());
    }
    Response::from_parts(head, Sent::words("", exchange))
}

/// Has hyper end the conn behind this response, whatever was read behind its request.
fn say_close(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
}

enum Step<R, E> {
    Refused(StatusCode, &'static str),
    Answered(Result<R, E>),
    Panicked,
    Beyond,
}

fn poll_handler<S: Service<Request<RequestBody>>>(
    mut stage: Pin<&mut Stage<S, S::Future, S::Error>>,
    cx: &mut Context<'_>,
) -> Poll<Step<S::Response, S::Error>> {
    loop {
        let future = match stage.as_mut().project() {
            StageProjection::Refused { status, words } => {
                return Poll::Ready(Step::Refused(*status, words));
            }
            StageProjection::Called { future } => return future.poll(cx).map(Step::Answered),
            StageProjection::Failed { error } => {
                let Some(error) = error.take() else { return Poll::Pending };
                return Poll::Ready(Step::Answered(Err(error)));
            }
            StageProjection::Beyond => return Poll::Ready(Step::Beyond),
            StageProjection::Panicked => return Poll::Ready(Step::Panicked),
            StageProjection::Waiting { waiting } => {
                let (service, request) = &mut **waiting;
                if let Err(error) = ready!(service.poll_ready(cx)) {
                    return Poll::Ready(Step::Answered(Err(error)));
                }
                let Some(request) = request.take() else { return Poll::Pending };
                service.call(request)
            }
        };
        stage.set(Stage::Called { future });
    }
}
