//! Handlers: async functions, and the many that a mux chooses from.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{self, HeaderValue};
use http::{Request, Response, StatusCode};
use tower_service::Service;

use super::body::RequestBody;
use crate::Body;
use crate::mux::{PatternError, Route, ServeMux};

/// An async function as a service; see [`handle`].
#[derive(Clone, Copy, Debug)]
pub struct Handle<F>(F);

/// Makes a service of an async function from a request to its response. It need not be `Send` between its awaits: it stays
/// on the worker that its conn is on.
pub fn handle<F, Handling, B>(function: F) -> Handle<F>
where
    F: Fn(Request<RequestBody>) -> Handling,
    Handling: Future<Output = Response<B>>,
{
    Handle(function)
}

impl<F, Handling, B> Service<Request<RequestBody>> for Handle<F>
where
    F: Fn(Request<RequestBody>) -> Handling,
    Handling: Future<Output = Response<B>>,
{
    type Response = Response<B>;
    type Error = Infallible;
    type Future = Sound<Handling>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody>) -> Sound<Handling> {
        Sound { handling: (self.0)(request) }
    }
}

pin_project_lite::pin_project! {
    /// A function's future, which has no error.
    pub struct Sound<F> {
        #[pin]
        handling: F,
    }
}

impl<F: Future> Future for Sound<F> {
    type Output = Result<F::Output, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().handling.poll(cx).map(Ok)
    }
}

type Boxed = Pin<Box<dyn Future<Output = Response<Body>>>>;
type Handler = Arc<dyn Fn(Request<RequestBody>) -> Boxed + Send + Sync>;

/// Many handlers, chosen by the patterns of [`ServeMux`]. What none is for is answered with 404, or 405 and `Allow`; a path
/// that is not clean, or lacks a slash, with a redirect.
///
/// ```
/// use http::{Request, Response};
/// use landline_http::Body;
/// use landline_http::server::{PathValues, RequestBody, Router};
///
/// let mut router = Router::new();
/// router.handle("GET /items/{id}", async |request: Request<RequestBody>| {
///     let values = request.extensions().get::<PathValues>().cloned().unwrap_or_default();
///     Response::new(Body::from(format!("item {}\n", values.get("id").unwrap_or_default())))
/// })?;
/// # Ok::<(), landline_http::mux::PatternError>(())
/// ```
#[derive(Clone, Default)]
pub struct Router {
    mux: Arc<ServeMux<Handler>>,
}

/// What the wildcards of the pattern matched; among the extensions of a request that a [`Router`] routed. See
/// [`mux::PathValues`](crate::mux::PathValues), whose warning holds here too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathValues(Vec<(Box<str>, String)>);

impl PathValues {
    /// The value of the wildcard of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| **known == *name).map(|(_, value)| value.as_str())
    }
}

impl Router {
    /// One that finds nothing.
    pub fn new() -> Router {
        Router::default()
    }

    /// Registers an async function.
    ///
    /// # Errors
    /// As [`ServeMux::handle`].
    pub fn handle<F, Handling>(&mut self, pattern: &str, function: F) -> Result<(), PatternError>
    where
        F: Fn(Request<RequestBody>) -> Handling + Send + Sync + 'static,
        Handling: Future<Output = Response<Body>> + 'static,
    {
        let handler = move |request| -> Boxed { Box::pin(function(request)) };
        Arc::make_mut(&mut self.mux).handle(pattern, Arc::new(handler))
    }
}

impl std::fmt::Debug for Router {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.mux.fmt(f)
    }
}

impl Service<Request<RequestBody>> for Router {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Sound<Boxed>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<RequestBody>) -> Sound<Boxed> {
        let uri = request.uri();
        let host = uri.authority().map(http::uri::Authority::as_str);
        let named = || request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(named).unwrap_or_default().to_owned();
        let routed = match self.mux.route(request.method(), &host, uri.path(), uri.query()) {
            Route::Found { handler, values, .. } => {
                let values = values.iter().map(|(name, value)| (name.into(), value.to_owned())).collect();
                Ok((handler.clone(), PathValues(values)))
            }
            Route::Redirect { location } => {
                Err((StatusCode::TEMPORARY_REDIRECT, Some((header::LOCATION, location))))
            }
            Route::MethodNotAllowed { allow } => {
                Err((StatusCode::METHOD_NOT_ALLOWED, Some((header::ALLOW, allow))))
            }
            Route::NotFound => Err((StatusCode::NOT_FOUND, None)),
        };
        let handling = match routed {
            Ok((handler, values)) => {
                request.extensions_mut().insert(values);
                handler(request)
            }
            Err((status, field)) => Box::pin(std::future::ready(answer(status, field))),
        };
        Sound { handling }
    }
}

fn answer(status: StatusCode, field: Option<(header::HeaderName, String)>) -> Response<Body> {
    let words = status.canonical_reason().unwrap_or_default();
    let mut response = Response::new(Body::from(format!("{} {words}\n", status.as_u16())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if let Some((name, value)) = field
        && let Ok(value) = HeaderValue::try_from(value)
    {
        headers.insert(name, value);
    }
    response
}
